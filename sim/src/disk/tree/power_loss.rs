use std::collections::BTreeSet;

use super::{Body, Directory, Tree};
use crate::rng::Rng;

impl Tree {
    /// The power goes and comes back: of what was not synced, each change survives or not.
    pub(in crate::disk) fn power_loss(&mut self, rng: &mut Rng) {
        let mut used = 0;
        let mut linked = BTreeSet::new();
        for inode in self.inodes.values_mut() {
            inode.handles = 0;
            match &mut inode.body {
                Body::File(file) => {
                    for change in file.pending.drain(..) {
                        if rng.one_in(2) {
                            file.synced.apply(&change);
                        }
                    }
                    file.content = file.synced.clone();
                }
                Body::Directory(directory) => {
                    for change in std::mem::take(&mut directory.pending) {
                        if rng.one_in(2) {
                            Directory::apply(&mut directory.synced, &change);
                        }
                    }
                    directory.entries.clear();
                    directory.order.clear();
                    for (name, ino) in directory.synced.clone() {
                        directory.link(&name, ino);
                        linked.insert(ino);
                    }
                }
                Body::Other => {}
            }
        }
        for (ino, inode) in &mut self.inodes {
            let directory = matches!(inode.body, Body::Directory(_));
            inode.linked = directory || linked.contains(ino);
            if let Body::File(file) = &inode.body
                && inode.linked
            {
                used += file.content.allocated();
            }
        }
        self.inodes.retain(|_, inode| inode.linked);
        self.used = used;
    }
}
