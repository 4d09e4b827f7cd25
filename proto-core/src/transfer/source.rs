//! The end that bytes come from: it reads ahead, sends, and sends again.

mod audit;
mod held;
mod ops;
mod send;

use alloc::collections::VecDeque;
use core::ops::Range;

use held::Held;

use super::codes::Fault;
use super::delivery::Delivery;
use super::{Context, Place};
use crate::fault::{Fault as Planted, Faults};
use crate::file::{BLOCK_SIZE, HashTree, Meta, PIECE_BLOCKS, Pool, Value};
use crate::id::FileId;
use crate::range_set::RangeSet;

/// Largest size that the wire can carry.
const SIZE_MAX: u64 = (1 << 62) - 1;

/// Blocks of lost bytes that are looked at in one call: bounds its work.
const LOST_BLOCKS_SEEN: usize = 16;

/// A PIECE on its way to the sink.
#[derive(Debug)]
pub(super) struct PieceOut {
    pub(super) index: u64,
    pub(super) value: Value,
    pub(super) delivery: Delivery,
}

/// One file on its way out.
#[derive(Debug)]
pub(super) struct Source {
    place: Place,
    /// Open under this number.
    file: Option<FileId>,
    /// What `Open` said of the file.
    meta: Option<Meta>,
    opened: bool,
    /// No more reading: the file is closed when all is home.
    closing: bool,
    ops_out: u32,
    /// Bytes may be read and sent: nothing is to be compared first.
    go: bool,
    /// The peer took the request: bytes may be sent.
    accepted: bool,
    /// Blocks that may be begun.
    credit: u64,
    held: Held,
    /// Next block to read for the first time.
    next_read: u64,
    /// First byte that was never sent.
    next_send: u64,
    /// Bytes to send again.
    lost: RangeSet,
    acked: RangeSet,
    /// What the sink wanted once more: what becomes of packets from before says nothing of it.
    wanted_again: RangeSet,
    acked_bytes: u64,
    /// The most that `acked_bytes` ever was: progress does not go backwards.
    acked_most: u64,
    resent: u64,
    tree: HashTree,
    pub(super) pieces: VecDeque<PieceOut>,
    pub(super) entry: Delivery,
    pub(super) seal: Delivery,
    check: Check,
    faults: Faults,
}

/// Whether the file's version is known to be that of `Open`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Check {
    /// Not since something was lost, or read.
    Needed,
    /// `StatOpen` is on loan; `whole` when everything had been read by then.
    Out { whole: bool },
    /// It was, after the latest loss that needs a read.
    Passed { whole: bool },
}

impl Source {
    /// A source with its memory. `go` is false when it waits for WANT.
    ///
    /// # Errors
    /// The place, when the pool has no memory to give now.
    pub(super) fn new(cx: &mut Context<'_>, place: Place, go: bool) -> Result<Self, Place> {
        let Some(held) = Held::reserve(cx.pool, cx.config.limits.read_ahead_blocks) else {
            return Err(place);
        };
        Ok(Self {
            place,
            file: None,
            meta: None,
            opened: false,
            closing: false,
            ops_out: 0,
            go,
            accepted: false,
            credit: 0,
            held,
            next_read: 0,
            next_send: 0,
            lost: RangeSet::new(),
            acked: RangeSet::new(),
            wanted_again: RangeSet::new(),
            acked_bytes: 0,
            acked_most: 0,
            resent: 0,
            tree: HashTree::new(0),
            pieces: VecDeque::new(),
            entry: Delivery::Unneeded,
            seal: Delivery::Unneeded,
            check: Check::Needed,
            faults: cx.config.faults(),
        })
    }

    /// What the file is, once it is open.
    pub(super) fn meta(&self) -> Option<&Meta> {
        self.meta.as_ref()
    }

    fn size(&self) -> u64 {
        self.meta.map_or(0, |meta| meta.size)
    }

    /// The hash of the whole, once all was read.
    pub(super) fn root(&self) -> Option<Value> {
        self.root_ref().copied()
    }

    /// As [`root`](Self::root), to be sent.
    pub(super) fn root_ref(&self) -> Option<&Value> {
        self.tree.root_ref().filter(|_| self.meta.is_some())
    }

    /// The sink has everything; true when this was not known.
    pub(super) fn all_arrived(&mut self) -> bool {
        let new = self.acked_most != self.size();
        self.acked_most = self.size();
        new
    }

    /// Bytes acknowledged, bytes of the whole, bytes sent again.
    pub(super) fn progress(&self) -> (u64, u64, u64) {
        (self.acked_most, self.size(), self.resent)
    }

    /// Whether everything is home and closed.
    pub(super) fn is_closed(&self) -> bool {
        self.closing && self.ops_out == 0 && self.file.is_none()
    }

    /// The request was accepted: with an initial credit.
    pub(super) fn accept(&mut self, credit: u64) {
        self.accepted = true;
        self.credit = self.credit.max(credit);
        self.entry = Delivery::Due;
    }

    /// The sink lets more blocks begin.
    pub(super) fn handle_credit(&mut self, limit: u64) {
        self.credit = self.credit.max(limit);
    }

    /// The sink wants bytes: to begin with, or once more. Whole blocks: what it makes the source remember is no more than
    /// a range for every second block that was sent.
    pub(super) fn handle_want(
        &mut self,
        pool: &mut Pool,
        start: u64,
        end: u64,
    ) -> Result<(), Fault> {
        let is_border = |at: u64| at.is_multiple_of(u64::from(BLOCK_SIZE)) || at == self.size();
        let whole = is_border(start) && is_border(end);
        if start > end || end > self.size() || !whole || self.meta.is_none() {
            return Err(Fault::VIOLATION);
        }
        self.go = true;
        let end = end.min(self.next_send);
        if start < end {
            self.acked_bytes -= self.acked.remove(start..end);
            self.lost.insert(start..end);
            self.wanted_again.insert(start..end);
            // What came may be wrong because it is wrong in memory here.
            self.held.forget(pool, start, end);
            self.needs_check();
        }
        Ok(())
    }

    /// Whether these bytes were sent before the sink wanted them `again`.
    fn is_stale(&self, again: bool, range: &Range<u64>) -> bool {
        !again && self.wanted_again.intersects(range.clone())
    }

    /// Nothing more is read or sent; the file is closed.
    pub(super) fn close(&mut self, cx: &mut Context<'_>) {
        self.closing = true;
        self.held.clear(cx.pool);
        self.lost.clear();
        self.wanted_again.clear();
        self.pieces.clear();
        if self.faults.strikes(Planted::SourceFileLeftOpen) {
            self.file = None;
        }
        self.settle(cx);
    }

    fn settle(&mut self, cx: &mut Context<'_>) {
        if self.closing && self.ops_out == 0 {
            self.held.release(cx.pool);
        }
    }

    fn first_unsent(&self) -> u64 {
        self.next_send / u64::from(BLOCK_SIZE)
    }

    /// A check that has passed came before the latest loss.
    fn needs_check(&mut self) {
        if let Check::Passed { .. } = self.check {
            self.check = Check::Needed;
        }
    }

    /// Everything was read once, and the file's version then was that of `Open`.
    pub(super) fn is_verified(&self) -> bool {
        self.seal != Delivery::Unneeded
    }

    /// Whether all bytes of a piece were sent once: only then its PIECE is, so that it never runs ahead of credit.
    pub(super) fn piece_was_sent(&self, index: u64) -> bool {
        let end = (index + 1).saturating_mul(PIECE_BLOCKS * u64::from(BLOCK_SIZE));
        self.next_send >= end.min(self.size())
    }

    /// Whether all bytes were sent once.
    pub(super) fn all_was_sent(&self) -> bool {
        self.next_send >= self.size()
    }
}
