//! Small files that are on loan to the disk, many in one operation.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::BATCHES_MAX;
use crate::transfer::{OpKind, OpTag};

/// Loans, each with what is to be known of its files when it comes home.
#[derive(Debug)]
pub(super) struct Batches<T> {
    out: BTreeMap<u32, Vec<T>>,
    next: u32,
}

impl<T> Batches<T> {
    pub(super) fn new() -> Self {
        Self {
            out: BTreeMap::new(),
            next: 0,
        }
    }

    /// Whether one more may be lent.
    pub(super) fn has_room(&self) -> bool {
        self.out.len() < BATCHES_MAX
    }

    /// A loan of these files begins.
    pub(super) fn lend(&mut self, files: Vec<T>) -> OpTag {
        let file = self.next;
        self.next = self.next.wrapping_add(1);
        self.out.insert(file, files);
        OpTag {
            file,
            kind: OpKind::Batch,
        }
    }

    /// A loan ends: its files.
    pub(super) fn take_home(&mut self, number: u32) -> Vec<T> {
        self.out.remove(&number).unwrap_or_default()
    }
}
