//! What crashes do to all inodes at once.

use std::collections::BTreeSet;

use super::super::survival::Survival;
use super::{Body, Ino, Tree};

impl Tree {
    /// The power goes and comes back: of what was not synced, each change survives or not. `roots` stay.
    pub(in crate::disk) fn power_loss(&mut self, roots: &[Ino], survival: &mut Survival<'_>) {
        for inode in self.inodes.values_mut() {
            inode.handles = 0;
            if inode.attributes != inode.durable {
                // Whatever is left of it is another version of the file.
                inode.changes += 1;
                if survival.metadata() {
                    inode.durable = inode.attributes;
                }
                inode.attributes = inode.durable;
            }
            match &mut inode.body {
                Body::File(file) => inode.changes += u64::from(file.power_loss(survival)),
                Body::Directory(directory) => directory.power_loss(survival),
                Body::Link(_) | Body::Other => {}
            }
        }
        self.keep_linked(roots);
    }

    /// All processes die: nothing is open, and what has no name is gone.
    pub(in crate::disk) fn process_crash(&mut self) {
        for inode in self.inodes.values_mut() {
            inode.handles = 0;
        }
        self.used = self.linked_bytes();
    }

    fn keep_linked(&mut self, roots: &[Ino]) {
        let mut linked: BTreeSet<Ino> = roots.iter().copied().collect();
        let mut todo = roots.to_vec();
        while let Some(ino) = todo.pop() {
            if let Some(Body::Directory(directory)) = self.inodes.get(&ino).map(|i| &i.body) {
                let found = directory.names().map(|(_, ino)| ino);
                todo.extend(found.filter(|ino| linked.insert(*ino)));
            }
        }
        self.inodes.retain(|ino, _| linked.contains(ino));
        for inode in self.inodes.values_mut() {
            inode.linked = true;
        }
        self.used = self.linked_bytes();
    }

    fn linked_bytes(&self) -> u64 {
        let linked = self.inodes.values().filter(|inode| inode.linked);
        linked
            .map(|inode| match &inode.body {
                Body::File(file) => file.content().allocated(),
                Body::Directory(_) | Body::Link(_) | Body::Other => 0,
            })
            .sum()
    }
}
