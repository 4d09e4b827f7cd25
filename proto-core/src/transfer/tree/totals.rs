//! What the application is told of a tree's files.

use alloc::vec::Vec;

use crate::wire::{Durability, EntryKind, ErrorCode, StoredAs};

/// What became of one file, directory or link of a tree.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FileReport {
    /// Its path below the directory that was asked for; empty for that one itself. At the sink, bytes from the peer:
    /// escape them before they reach a terminal. Of what is in a directory that failed long ago, the name alone may be known.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes; of a symbolic link those of its target.
    pub size: u64,
    /// BLAKE3 hash of a regular file that was written.
    pub root: Option<[u8; 32]>,
    /// What survives a power loss, of what was written.
    pub durability: Durability,
    /// How it was stored, or why not. Directories that were there are `Unchanged`.
    pub result: Result<StoredAs, ErrorCode>,
}

/// Counts of a tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct TreeTotals {
    /// Regular files written.
    pub files: u64,
    /// Directories made or filled, that which was asked for included.
    pub directories: u64,
    /// Symbolic links made.
    pub links: u64,
    /// Files and links that were the same already.
    pub unchanged: u64,
    /// What could not be stored.
    pub failed: u64,
    /// Bytes of the files that were written.
    pub bytes: u64,
}

impl TreeTotals {
    /// Counts one.
    pub(super) fn add(&mut self, report: &FileReport) {
        match (report.result, report.kind) {
            (Err(_), _) => self.failed += 1,
            (Ok(_), EntryKind::Directory) => self.directories += 1,
            (Ok(StoredAs::Unchanged), _) => self.unchanged += 1,
            (Ok(StoredAs::Written), EntryKind::Symlink) => self.links += 1,
            (Ok(StoredAs::Written), _) => {
                self.files += 1;
                self.bytes += report.size;
            }
        }
    }

    /// How many were counted.
    pub(super) fn count(&self) -> u64 {
        self.files + self.directories + self.links + self.unchanged + self.failed
    }
}
