//! One file, directory or link on its way out.

use alloc::vec::Vec;

use crate::file::{Meta, Value};
use crate::range_set::RangeSet;
use crate::transfer::delivery::Delivery;
use crate::transfer::source::Picture;
use crate::wire::{EntryKind, ErrorCode, FilePath};

/// What was found, and how far it has come.
#[derive(Debug)]
pub(super) struct Out {
    pub(super) parent: u32,
    pub(super) name: Vec<u8>,
    pub(super) kind: EntryKind,
    pub(super) size: u64,
    pub(super) mtime: i64,
    pub(super) mode: u16,
    pub(super) version: [u8; 16],
    /// It waits for its turn to be announced, or was.
    pub(super) queued: bool,
    pub(super) entry: Delivery,
    pub(super) seal: Delivery,
    /// This end cannot send it.
    pub(super) failed: Option<ErrorCode>,
    pub(super) farewell: Delivery,
    pub(super) body: Body,
    pub(super) settled: bool,
    /// A directory that the sink, or this end, could not have.
    pub(super) lost: bool,
    /// Of a directory: entries that are not forgotten.
    pub(super) children: u32,
}

impl Out {
    /// What was found just now, of which nothing was said.
    pub(super) fn found(parent: u32, name: Vec<u8>, meta: &Meta, body: Body) -> Self {
        Self {
            parent,
            name,
            kind: meta.kind,
            size: meta.size,
            mtime: meta.mtime,
            mode: meta.mode,
            version: meta.version,
            queued: false,
            entry: Delivery::Unneeded,
            seal: Delivery::Unneeded,
            failed: None,
            farewell: Delivery::Unneeded,
            body,
            settled: false,
            lost: false,
            children: 0,
        }
    }
}

/// What is to be sent of it.
#[derive(Debug)]
pub(super) enum Body {
    /// Nothing, or nothing more.
    Nothing,
    /// Its entries. Their count, once the walk has left it.
    Directory { path: FilePath, count: Option<u32> },
    /// A small file or a link that is not read.
    Unread { wanted: bool },
    /// On loan.
    Reading,
    /// A small file or a link.
    Small(Small),
    /// A larger file: what the sink has said of it, whether that was all, and its credit in blocks.
    Large {
        picture: Picture,
        wanted: bool,
        credit: u64,
    },
}

/// The bytes of a small file.
#[derive(Debug)]
pub(super) struct Small {
    /// Until all have arrived.
    pub(super) bytes: Vec<u8>,
    pub(super) root: Value,
    /// Memory that they take.
    pub(super) units: u64,
    pub(super) len: u32,
    /// First byte that was never sent.
    pub(super) next: u32,
    pub(super) acked: RangeSet,
    pub(super) lost: RangeSet,
}

impl Body {
    /// Units of memory that are held.
    pub(super) fn held(&mut self) -> u64 {
        match self {
            Self::Small(small) => core::mem::take(&mut small.units),
            _ => 0,
        }
    }
}

impl Small {
    /// Whether every byte was sent once.
    pub(super) fn is_sent(&self) -> bool {
        self.next == self.len
    }

    /// Bytes that were sent and of which nothing was heard.
    pub(super) fn flying(&self) -> u64 {
        u64::from(self.next) - self.acked.sum() - self.lost.sum()
    }

    /// The next bytes to send: lost ones before new ones.
    pub(super) fn next_range(&self) -> Option<(u64, u64)> {
        match self.lost.first() {
            Some(range) => Some((range.start, range.end)),
            None if self.next < self.len => Some((self.next.into(), self.len.into())),
            None => None,
        }
    }

    /// Bytes were sent; how many of them again.
    pub(super) fn sent(&mut self, start: u64, end: u64) -> u64 {
        let again = self.lost.remove(start..end);
        self.next = self.next.max(end as u32);
        again
    }

    /// Bytes have arrived; how many of them were not known to, and were in flight.
    pub(super) fn arrived(&mut self, start: u64, end: u64) -> (u64, u64) {
        let end = end.min(self.next.into());
        if start >= end {
            return (0, 0);
        }
        let lost = self.lost.remove(start..end);
        let new = self.acked.insert(start..end);
        if self.acked.covers(0..self.len.into()) {
            self.bytes = Vec::new();
        }
        (new, new - lost)
    }

    /// Bytes are lost; how many of them were in flight.
    pub(super) fn missed(&mut self, start: u64, end: u64) -> u64 {
        let end = end.min(self.next.into());
        if start >= end {
            return 0;
        }
        let gaps: Vec<_> = self.acked.missing(start..end).collect();
        gaps.into_iter().map(|gap| self.lost.insert(gap)).sum()
    }

    pub(super) fn has_arrived(&self) -> bool {
        self.acked.covers(0..self.len.into())
    }
}
