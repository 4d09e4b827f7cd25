//! The end that bytes come from: it reads ahead, sends, and sends again.

mod audit;
mod frames;
mod held;
mod ops;
mod picture;
mod resume;
mod send;

use alloc::collections::VecDeque;
use core::ops::Range;

use held::Held;
pub(super) use picture::Picture;

use super::codes::Fault;
use super::delivery::Delivery;
use super::progress::Owed;
use super::{Context, Place};
use crate::fault::{Fault as Planted, Faults};
use crate::file::{BLOCK_SIZE, HashTree, Meta, PIECE_BLOCKS, PIECE_SIZE, Pool, Value};
use crate::id::FileId;
use crate::range_set::RangeSet;

/// Largest size that the wire can carry.
const SIZE_MAX: u64 = (1 << 62) - 1;

/// Ranges of bytes that a source remembers as arrived, or as lost: with more, nothing new is sent until some are settled.
/// A full window of 2^17 packets (M5) of which 12 % are lost stays below it.
const RANGES_MAX: usize = 16_384;

/// The same, for what is wanted once more. A sink asks for whole pieces, and few of them.
const WANTED_MAX: usize = 1_024;

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
    /// Number of the file in its transfer.
    number: u32,
    place: Place,
    /// Open under this number.
    file: Option<FileId>,
    /// What `Open` said of the file.
    meta: Option<Meta>,
    /// Size and version that it must have: those of an ENTRY that was sent.
    expected: Option<(u64, [u8; 16])>,
    opened: bool,
    /// No more reading: the file is closed when all is home.
    closing: bool,
    ops_out: u32,
    /// Bytes may be read and sent: nothing is to be compared first, and the sink has said what it wants.
    go: bool,
    picture: Picture,
    /// The peer took the request: bytes may be sent.
    accepted: bool,
    /// Blocks that may be begun.
    credit: u64,
    held: Held,
    /// Next block to read for the first time.
    next_read: u64,
    /// First byte that was never sent.
    next_send: u64,
    /// Blocks before this were read and given away; those that were not sent yet are read again.
    given_away: u64,
    /// Bytes to send again.
    lost: RangeSet,
    acked: RangeSet,
    /// What the sink wanted once more: what becomes of packets from before says nothing of it.
    wanted_again: RangeSet,
    acked_bytes: u64,
    /// Bytes that were acknowledged, those sent and acknowledged again included.
    moved: u64,
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
        Ok(Self::with(place, held, go, cx.config.faults()))
    }

    /// A larger file of a directory, which the sink wants; `None` when the pool has no memory to give now.
    pub(super) fn of_tree(
        cx: &mut Context<'_>,
        place: Place,
        number: u32,
        expected: (u64, [u8; 16]),
        credit: u64,
    ) -> Option<Self> {
        let held = Held::reserve(cx.pool, cx.config.limits.read_ahead_blocks)?;
        let mut this = Self::with(place, held, true, cx.config.faults());
        this.number = number;
        this.expected = Some(expected);
        this.accepted = true;
        this.credit = credit;
        Some(this)
    }

    /// The place of a file that turned out to be a directory; the source has become nothing.
    pub(super) fn give_way(&mut self, cx: &mut Context<'_>) -> Place {
        self.close(cx);
        self.place.clone()
    }

    fn with(place: Place, held: Held, go: bool, faults: Faults) -> Self {
        Self {
            number: 0,
            place,
            file: None,
            meta: None,
            expected: None,
            opened: false,
            closing: false,
            ops_out: 0,
            go,
            picture: Picture::default(),
            accepted: false,
            credit: 0,
            held,
            next_read: 0,
            next_send: 0,
            given_away: 0,
            lost: RangeSet::new(),
            acked: RangeSet::new(),
            wanted_again: RangeSet::new(),
            acked_bytes: 0,
            moved: 0,
            acked_most: 0,
            resent: 0,
            tree: HashTree::new(0),
            pieces: VecDeque::new(),
            entry: Delivery::Unneeded,
            seal: Delivery::Unneeded,
            check: Check::Needed,
            faults,
        }
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

    /// Bytes that the sink had from an earlier transfer.
    pub(super) fn had_bytes(&self) -> u64 {
        let had = self.picture.had();
        let size = self.size();
        // The last piece may be shorter.
        let short = match size % PIECE_SIZE {
            rest if rest > 0 && had.contains(size / PIECE_SIZE) => PIECE_SIZE - rest,
            _ => 0,
        };
        had.sum() * PIECE_SIZE - short
    }

    /// Whether the sink has bytes to acknowledge, this end's disk being in nobody's way, and bytes that it did so far.
    pub(super) fn owed(&self) -> Owed {
        let unheard_of = self.next_send > self.acked_bytes;
        let reading = self.ops_out > 0 && !self.lost.is_empty();
        Owed {
            owes: unheard_of && !reading && !self.closing,
            moved: self.moved,
        }
    }

    /// Whether everything is home and closed.
    pub(super) fn is_closed(&self) -> bool {
        self.closing && self.ops_out == 0 && self.file.is_none()
    }

    /// The request was accepted: with an initial credit. Without any, the sink may have a part of the file and says first what
    /// it wants.
    pub(super) fn accept(&mut self, credit: u64) {
        self.accepted = true;
        self.go &= credit > 0;
        self.credit = self.credit.max(credit);
        self.entry = Delivery::Due;
    }

    /// The sink lets more blocks begin.
    pub(super) fn handle_credit(&mut self, limit: u64) {
        self.credit = self.credit.max(limit);
    }

    /// The sink wants bytes, in whole blocks: to begin with, or once more. False when more is remembered of it than may
    /// be: it must ask again.
    pub(super) fn handle_want(
        &mut self,
        pool: &mut Pool,
        start: u64,
        end: u64,
    ) -> Result<bool, Fault> {
        let is_border = |at: u64| at.is_multiple_of(u64::from(BLOCK_SIZE)) || at == self.size();
        let whole = is_border(start) && is_border(end);
        if start > end || end > self.size() || !whole || self.meta.is_none() {
            return Err(Fault::VIOLATION);
        }
        if !self.go {
            self.picture.want(self.size(), start, end)?;
            return self.begin().map(|()| true);
        }
        let end = end.min(self.next_send);
        if start < end && self.ranges() >= WANTED_MAX {
            return Ok(false);
        }
        if start < end {
            self.acked_bytes -= self.acked.remove(start..end);
            self.lost.insert(start..end);
            self.wanted_again.insert(start..end);
            // What came may be wrong because it is wrong in memory here.
            self.held.forget(pool, start, end);
            self.needs_check();
        }
        Ok(true)
    }

    /// What is remembered of what has arrived and what has not.
    fn ranges(&self) -> usize {
        let ranges = [&self.acked, &self.lost, &self.wanted_again];
        ranges.map(RangeSet::len).into_iter().max().unwrap_or(0)
    }

    /// Whether the sink lets bytes be sent that never were.
    fn may_go_on(&self) -> bool {
        self.go && self.next_send < self.size() && self.first_unsent() < self.credit
    }

    /// Whether nothing can be sent until the sink says more, so that memory is of no use.
    pub(super) fn is_idle(&self) -> bool {
        let all_known = self.next_send == self.acked_bytes && self.lost.is_empty();
        let prepared = self.meta.is_some() && self.ops_out == 0;
        let idle = prepared && all_known && !self.may_go_on();
        idle && !self.closing && self.held.is_reserved()
    }

    /// Gives the memory of an idle source to those that wait for some. What was read ahead is read again.
    pub(super) fn yield_memory(&mut self, cx: &mut Context<'_>) {
        if self.is_idle() && cx.pool.is_source_wanted() {
            self.held.clear(cx.pool);
            self.held.release(cx.pool);
            self.given_away = self.next_read;
            self.needs_check();
        }
    }

    /// Leaves all but the least to those that have no memory, and takes it back when nobody wants it: a long file must
    /// not keep others waiting until it is sent.
    pub(super) fn share_memory(&mut self, cx: &mut Context<'_>) {
        if cx.pool.is_source_wanted() {
            let first_unsent = self.first_unsent();
            self.held.shrink(cx.pool, first_unsent, &self.lost);
        } else if !self.closing {
            self.held.grow(cx.pool, cx.config.limits.read_ahead_blocks);
        }
    }

    /// Whether memory was given away and is needed again.
    pub(super) fn needs_memory(&self) -> bool {
        let wanted = self.may_go_on() || !self.lost.is_empty();
        wanted && !self.held.is_reserved() && !self.closing
    }

    /// Looks for memory when some is needed again.
    pub(super) fn regain_memory(&mut self, cx: &mut Context<'_>) {
        if self.needs_memory() {
            self.held
                .regain(cx.pool, cx.config.limits.read_ahead_blocks);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RootId;
    use crate::wire::{EntryKind, FilePath};

    /// A source that has sent all of a file of so many blocks.
    fn sent(blocks: u64) -> Source {
        let place = Place {
            root: RootId(0),
            path: FilePath::root(),
        };
        let Some(held) = Held::reserve(&mut Pool::new(1, 2), 0) else {
            unreachable!("the pool has as much")
        };
        let mut source = Source::with(place, held, true, Faults::default());
        source.meta = Some(Meta {
            kind: EntryKind::File,
            size: blocks * u64::from(BLOCK_SIZE),
            mtime: 0,
            mode: 0,
            version: [0; 16],
        });
        source.next_send = source.size();
        source
    }

    /// Every second block of a large file would cost a range each.
    #[test]
    fn m1_what_can_be_wanted_is_bounded() {
        let (mut source, mut pool) = (sent(1 << 20), Pool::new(1, 2));
        let block = u64::from(BLOCK_SIZE);
        let mut refused = 0;
        for index in 0..100_000 {
            let (start, end) = (2 * index * block, (2 * index + 1) * block);
            let taken = source.handle_want(&mut pool, start, end);
            refused += u64::from(taken == Ok(false));
        }
        assert_eq!(refused, 100_000 - WANTED_MAX as u64);
        assert_eq!(source.lost.len(), WANTED_MAX);
    }

    /// A sink that acknowledges every second packet.
    #[test]
    fn m1_nothing_new_is_sent_while_too_much_is_missing() {
        let mut source = sent(1 << 20);
        for index in 0..RANGES_MAX as u64 {
            assert!(source.ranges() < RANGES_MAX);
            source.data_acked(false, 2_400 * index, 1_200);
        }
        assert_eq!(source.ranges(), RANGES_MAX);
        source.data_acked(false, 1_200, 1_200);
        assert!(source.ranges() < RANGES_MAX);
    }
}
