//! One file, directory or link on its way in.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::file::{SameFile, Value};
use crate::range_set::RangeSet;
use crate::transfer::delivery::Delivery;
use crate::transfer::tree::SMALL_MAX;
use crate::wire::{Durability, EntryKind, ErrorCode, FilePath, StoredAs};

/// What the source said of it, and how far it has come.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) parent: u32,
    pub(super) name: Vec<u8>,
    pub(super) kind: EntryKind,
    pub(super) size: u64,
    pub(super) mtime: i64,
    pub(super) mode: u16,
    pub(super) version: [u8; 16],
    pub(super) state: State,
    /// Units of the source's credit.
    pub(super) charged: u64,
    /// Units for a body that was asked for.
    pub(super) wanted: u64,
    /// Of a small file or a link.
    pub(super) body: Vec<u8>,
    pub(super) have: RangeSet,
    /// What SEAL said: size and hash; of a directory the number of its entries.
    pub(super) seal: Option<(u64, Value)>,
    /// Hash of what was stored.
    pub(super) root: Option<Value>,
    /// The source cannot send it.
    pub(super) failed: Option<ErrorCode>,
    pub(super) want: Delivery,
    pub(super) outcome: Option<Result<StoredAs, ErrorCode>>,
    pub(super) durability: Durability,
    pub(super) told: Delivery,
}

/// Where it stands.
#[derive(Debug)]
pub(super) enum State {
    /// ENTRY has not come.
    Unknown,
    /// Its directory is not there yet.
    Waiting,
    /// A directory, perhaps still to be made.
    Directory(Directory),
    /// The target is to be looked at first.
    Looking,
    /// A small file or link whose bytes come.
    Gathering,
    /// A small file or link that is whole; on loan, or soon.
    Storing,
    /// A larger file.
    Large,
}

/// A directory of the tree.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) path: FilePath,
    pub(super) made: bool,
    /// It was not there before.
    pub(super) new: bool,
    /// Entries in all, once the source has said it.
    pub(super) count: Option<u64>,
    pub(super) settled: u64,
    pub(super) finishing: bool,
    /// Names placed so far, folded; only where the file system folds them, too.
    pub(super) names: Option<BTreeSet<u64>>,
}

impl Node {
    /// One of which nothing is known.
    pub(super) fn unknown() -> Self {
        Self {
            parent: 0,
            name: Vec::new(),
            kind: EntryKind::Other,
            size: 0,
            mtime: 0,
            mode: 0,
            version: [0; 16],
            state: State::Unknown,
            charged: 0,
            wanted: 0,
            body: Vec::new(),
            have: RangeSet::new(),
            seal: None,
            root: None,
            failed: None,
            want: Delivery::Unneeded,
            outcome: None,
            durability: Durability::None,
            told: Delivery::Unneeded,
        }
    }

    /// What a file must be at the target for it to stay, and the bits that it gets then.
    pub(super) fn same(&self) -> SameFile {
        SameFile {
            size: self.size,
            mtime: self.mtime,
            mode: self.mode,
        }
    }

    pub(super) fn is_known(&self) -> bool {
        !matches!(self.state, State::Unknown)
    }

    pub(super) fn is_link(&self) -> bool {
        self.kind == EntryKind::Symlink
    }

    /// Whether it is a file that is no small one.
    pub(super) fn is_large(&self) -> bool {
        self.kind == EntryKind::File && self.size > SMALL_MAX
    }

    /// Whether all bytes of a small file are there, and their hash.
    pub(super) fn is_whole(&self) -> bool {
        self.seal.is_some() && self.have.covers(0..self.size)
    }
}
