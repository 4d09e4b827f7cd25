//! Changes that others make to a file while it is read.

use proto_core::wire::FilePath;
use proto_core::{Instant, RootId};

use super::Disk;
use super::content::{Content, Extent};

/// What another process does to a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Writes these bytes at this offset.
    Write(u64, Vec<u8>),
    /// Sets the length: shrinks the file, or lengthens it with zeros.
    SetLen(u64),
    /// Puts another file in its place, by a rename: who has the old one open reads that on.
    Replace(Content),
    /// Takes the name away: who has the file open reads it on.
    Remove,
}

impl Disk {
    /// Another process changes a file, at once and whatever the plan says; not durable before the file or directory is
    /// synced. False when there is no such file.
    pub fn change(&mut self, now: Instant, root: RootId, path: &FilePath, change: Change) -> bool {
        self.now = self.now.max(now);
        let now = self.wall_clock();
        let (Some(ino), Some((parent, name))) = (self.find(root, path), self.place(root, path))
        else {
            return false;
        };
        if self.tree.content(ino).is_none() {
            return false;
        }
        let done = match change {
            Change::Write(offset, bytes) => {
                let extent = Extent::new(offset, &bytes);
                self.tree.write(ino, offset, extent, now)
            }
            Change::SetLen(len) => self.tree.truncate(ino, len, now),
            Change::Replace(content) => {
                self.tree.replace(parent, name, content, now);
                Ok(())
            }
            Change::Remove => self.tree.remove(parent, name),
        };
        done.is_ok()
    }
}
