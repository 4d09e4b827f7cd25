//! Bytes of one file that are sent in many packets without anything else.

use super::Item;
use crate::slab::Key;

/// What comes next of a file: bytes of one block, none of which was sent before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) key: Key,
    /// Number of the transfer, and of the file in it.
    pub(crate) transfer: u64,
    pub(crate) file: u32,
    /// Where `bytes` stand in the file.
    pub(crate) offset: u64,
    pub(crate) bytes: &'a [u8],
}

impl Run<'_> {
    /// What a packet with `len` bytes from `offset` on is remembered by.
    pub(crate) fn item(&self, offset: u64, len: u32) -> Item {
        Item::Data {
            file: self.file,
            again: false,
            offset,
            len,
        }
    }
}
