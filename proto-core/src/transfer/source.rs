//! The end that bytes come from: it reads ahead, sends, and sends again.

mod held;
mod send;

use alloc::collections::VecDeque;

use held::Held;

use super::codes::{Fault, check_regular};
use super::delivery::Delivery;
use super::{Context, OpTag, Place};
use crate::file::{
    BLOCK_SIZE, Block, FileError, HashAs, HashTree, Meta, Operation, Outcome, PIECE_BLOCKS, Use,
    Value, block_count, block_hash, block_len,
};
use crate::id::FileId;
use crate::range_set::RangeSet;
use crate::wire::ErrorCode;

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
    acked_bytes: u64,
    /// The most that `acked_bytes` ever was: progress does not go backwards.
    acked_most: u64,
    resent: u64,
    tree: HashTree,
    pub(super) pieces: VecDeque<PieceOut>,
    pub(super) entry: Delivery,
    pub(super) seal: Delivery,
    check: Check,
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
            acked_bytes: 0,
            acked_most: 0,
            resent: 0,
            tree: HashTree::new(0),
            pieces: VecDeque::new(),
            entry: Delivery::Unneeded,
            seal: Delivery::Unneeded,
            check: Check::Needed,
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

    /// The sink wants bytes: to begin with, or once more.
    pub(super) fn handle_want(&mut self, start: u64, end: u64) -> Result<(), Fault> {
        if start > end || end > self.size() || self.meta.is_none() {
            return Err(Fault::VIOLATION);
        }
        self.go = true;
        let end = end.min(self.next_send);
        if start < end {
            self.acked_bytes -= self.acked.remove(start..end);
            self.lost.insert(start..end);
            self.needs_check();
        }
        Ok(())
    }

    /// Nothing more is read or sent; the file is closed.
    pub(super) fn close(&mut self, cx: &mut Context<'_>) {
        self.closing = true;
        self.held.clear(cx.pool);
        self.lost.clear();
        self.pieces.clear();
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

    /// The first lost block whose bytes are not here.
    fn lost_and_away(&self) -> Option<u64> {
        self.lost_blocks().find(|&index| !self.held.contains(index))
    }

    /// The first blocks of which bytes are lost, in order; some twice.
    fn lost_blocks(&self) -> impl Iterator<Item = u64> + '_ {
        let block = u64::from(BLOCK_SIZE);
        let blocks = move |range: core::ops::Range<u64>| range.start / block..range.end.div_ceil(block);
        self.lost.iter().flat_map(blocks).take(LOST_BLOCKS_SEEN)
    }

    /// Everything was read once, and the file's version then was that of `Open`.
    pub(super) fn is_verified(&self) -> bool {
        self.seal != Delivery::Unneeded
    }

    fn next_step(&self, read_ahead: u32) -> Next {
        let Some(meta) = &self.meta else {
            return if self.opened { Next::Nothing } else { Next::Open };
        };
        let all_read = self.tree.root().is_some();
        let away = self.lost_and_away();
        let first_unsent = self.first_unsent();
        let check_due = away.is_some() || (self.go && all_read && !self.is_verified());
        match self.check {
            Check::Needed if check_due => return Next::Check { whole: all_read },
            Check::Passed { whole: false } if all_read && !self.is_verified() => {
                return Next::Check { whole: true };
            }
            Check::Passed { .. } => {
                if let Some(index) = away.filter(|_| self.held.may_take(first_unsent, &self.lost)) {
                    return Next::Read { index, again: true };
                }
            }
            Check::Needed | Check::Out { .. } => {}
        }
        let more = self.go && self.next_read < block_count(meta.size);
        let near = self.next_read < first_unsent + u64::from(read_ahead.max(1));
        if more && near && self.held.may_read_on(first_unsent, &self.lost) {
            return Next::Read { index: self.next_read, again: false };
        }
        Next::Nothing
    }

    /// Whether [`poll_op`](Self::poll_op) has something.
    pub(super) fn has_op(&self, read_ahead: u32) -> bool {
        if self.closing {
            return self.ops_out == 0 && self.file.is_some();
        }
        self.next_step(read_ahead) != Next::Nothing
    }

    /// The next operation to lend.
    pub(super) fn poll_op(&mut self, cx: &mut Context<'_>) -> Option<(OpTag, Operation)> {
        let read_ahead = cx.config.limits.read_ahead_blocks;
        if !self.has_op(read_ahead) {
            return None;
        }
        let op = if self.closing {
            (OpTag::Close, Operation::Close { file: self.file.take()? })
        } else {
            match self.next_step(read_ahead) {
                Next::Nothing => return None,
                Next::Open => self.open(cx),
                Next::Check { whole } => {
                    self.check = Check::Out { whole };
                    (OpTag::Check, Operation::StatOpen { file: self.file? })
                }
                Next::Read { index, again } => self.read(cx, index, again)?,
            }
        };
        self.ops_out += 1;
        Some(op)
    }

    fn open(&mut self, cx: &mut Context<'_>) -> (OpTag, Operation) {
        let file = cx.allot_file();
        self.opened = true;
        self.file = Some(file);
        let (root, path) = (self.place.root, self.place.path.clone());
        (OpTag::Open, Operation::Open { root, path, file })
    }

    fn read(&mut self, cx: &mut Context<'_>, index: u64, again: bool) -> Option<(OpTag, Operation)> {
        let (file, size, unsent) = (self.file?, self.size(), self.first_unsent());
        let block = self.held.take(cx.pool, index, unsent, &self.lost)?;
        if !again {
            self.next_read += 1;
        }
        let op = Operation::Read {
            file,
            offset: index * u64::from(BLOCK_SIZE),
            len: block_len(size, index),
            block,
            hash: if again { HashAs::Nothing } else { block_hash(size) },
        };
        Some((OpTag::Read { index, again }, op))
    }

    /// An operation came home.
    pub(super) fn handle_done(
        &mut self,
        cx: &mut Context<'_>,
        tag: OpTag,
        block: Option<Block>,
        result: Result<Outcome, FileError>,
    ) -> Result<(), Fault> {
        self.ops_out = self.ops_out.saturating_sub(1);
        match (tag, block) {
            (OpTag::Read { index, .. }, Some(block)) if !self.closing => self.held.fill(index, block),
            (_, Some(block)) => cx.pool.put(Use::Source, block),
            _ => {}
        }
        if tag == OpTag::Open && result.is_err() {
            self.file = None;
        }
        let outcome = if self.closing { Ok(()) } else { self.done(tag, result) };
        self.settle(cx);
        outcome
    }

    fn done(&mut self, tag: OpTag, result: Result<Outcome, FileError>) -> Result<(), Fault> {
        match (tag, result?) {
            (OpTag::Open, Outcome::Meta(meta)) => {
                check_regular(meta.kind)?;
                if meta.size > SIZE_MAX {
                    return Err(Fault::Transfer(ErrorCode::TooLarge));
                }
                self.tree = HashTree::new(meta.size);
                self.meta = Some(meta);
                Ok(())
            }
            (OpTag::Check, Outcome::Meta(meta)) => self.checked(&meta),
            (OpTag::Read { index, again }, Outcome::Moved { len, value }) => {
                if len != block_len(self.size(), index) {
                    return Err(Fault::Transfer(ErrorCode::SourceChanged));
                }
                if !again {
                    self.hashed(index, value);
                }
                Ok(())
            }
            _ => Err(Fault::Transfer(ErrorCode::Io)),
        }
    }

    fn checked(&mut self, now: &Meta) -> Result<(), Fault> {
        if self.meta.is_none_or(|then| then.version != now.version || then.size != now.size) {
            return Err(Fault::Transfer(ErrorCode::SourceChanged));
        }
        if let Check::Out { whole } = self.check {
            self.check = Check::Passed { whole };
            if whole && !self.is_verified() {
                self.seal = Delivery::Due;
            }
        }
        Ok(())
    }

    fn hashed(&mut self, index: u64, value: Value) {
        if let Some((index, value)) = self.tree.insert(index, value) {
            self.tree.confirm(index);
            self.pieces.push_back(PieceOut { index, value, delivery: Delivery::Due });
        }
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

/// What a source does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    Nothing,
    Open,
    Check { whole: bool },
    Read { index: u64, again: bool },
}
