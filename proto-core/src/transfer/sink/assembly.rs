//! Received bytes on their way into whole blocks.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;

use crate::audit::{Breach, check, rule};
use crate::fault::{Fault as Planted, Faults};
use crate::file::{BLOCK_SIZE, Block, Pool, Use, block_count, block_len};
use crate::range_set::RangeSet;
use crate::transfer::codes::Fault;
use crate::wire::CloseCode;

/// Separate ranges that a block may consist of while it gathers. Packets of 1,200 bytes make at most 28; what would
/// make more is dropped, to come again (M1, M3).
const RANGES_MAX: usize = 64;

/// Blocks of a file that gather their bytes, in whatever order these come.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    /// Bytes of the file, once they are known.
    size: Option<u64>,
    /// Incomplete blocks, by index.
    gathering: VecDeque<Gather>,
    /// Complete blocks to be written.
    full: VecDeque<(u64, Block)>,
    /// Blocks that are complete: waiting, being written, or written.
    done: RangeSet,
    /// Bytes that were new when they came.
    received: u64,
    /// Memory of range sets that are not in use.
    spare: Vec<RangeSet>,
    faults: Faults,
}

#[derive(Debug)]
struct Gather {
    index: u64,
    /// Bytes that are there, counted from the block's first.
    have: RangeSet,
    count: u32,
    block: Block,
}

impl Assembly {
    /// None yet.
    pub(super) fn new(faults: Faults) -> Self {
        Self {
            faults,
            ..Self::default()
        }
    }

    /// Blocks in memory, without those that are being written.
    pub(super) fn held(&self) -> u32 {
        (self.gathering.len() + self.full.len()) as u32
    }

    /// Bytes that came, but for those that were there.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Whether the first `blocks` blocks were complete at some time, and none has been reopened since.
    pub(super) fn has_whole(&self, blocks: u64) -> bool {
        self.done.covers(0..blocks)
    }

    /// Whether every gathering block has the bytes that it counts, in its turn, and is not complete.
    pub(super) fn audit(&self) -> Result<(), Breach> {
        let turns = self.gathering.iter().zip(self.gathering.iter().skip(1));
        let rising = turns.clone().all(|(a, b)| a.index < b.index);
        check(rising, rule::BLOCKS, || "blocks gather out of order".into())?;
        for gather in &self.gathering {
            let (index, have, count) = (gather.index, gather.have.sum(), gather.count);
            check(have == u64::from(count), rule::BLOCKS, || {
                format!("block {index} counts {count} bytes and has {have}")
            })?;
            check(gather.have.len() <= RANGES_MAX + 1, rule::QUEUES, || {
                format!("block {index} has {} ranges", gather.have.len())
            })?;
            check(!self.done.contains(index), rule::BLOCKS, || {
                format!("block {index} gathers and is complete")
            })?;
        }
        Ok(())
    }

    /// Whether every block was complete at some time, and none has been reopened since.
    pub(super) fn is_complete(&self) -> bool {
        self.size
            .is_some_and(|size| self.has_whole(block_count(size)))
    }

    /// Takes bytes of one block; false when there is no room for them. `room` says whether one more block may be held.
    pub(super) fn add(
        &mut self,
        pool: &mut Pool,
        room: bool,
        offset: u64,
        data: &[u8],
    ) -> Result<bool, Fault> {
        let end = offset
            .checked_add(data.len() as u64)
            .ok_or(Fault::VIOLATION)?;
        let index = offset / u64::from(BLOCK_SIZE);
        let start = offset % u64::from(BLOCK_SIZE);
        let within = start..start + data.len() as u64;
        if data.is_empty() || within.end > u64::from(BLOCK_SIZE) {
            return Err(Fault::VIOLATION);
        }
        if self.size.is_some_and(|size| end > size) {
            return Err(Fault::Session(CloseCode::FlowControl));
        }
        if self.done.contains(index) {
            return Ok(true);
        }
        let at = self
            .gathering
            .partition_point(|gather| gather.index < index);
        if self
            .gathering
            .get(at)
            .is_none_or(|gather| gather.index != index)
        {
            let Some(block) = room.then(|| pool.take(Use::Sink)).flatten() else {
                return Ok(false);
            };
            let have = self.spare.pop().unwrap_or_default();
            self.gathering.insert(
                at,
                Gather {
                    index,
                    have,
                    count: 0,
                    block,
                },
            );
        }
        let Some(gather) = self.gathering.get_mut(at) else {
            return Ok(false);
        };
        // What touches a range makes it longer and no more ranges: gaps can always be filled from their ends.
        let touched = within.start.saturating_sub(1)..within.end + 1;
        if gather.have.len() >= RANGES_MAX && !gather.have.intersects(touched) {
            return Ok(false);
        }
        if self.faults.strikes(Planted::BytesCountedTwice) {
            gather.have.remove(within.clone());
        }
        self.received += gather.fill(within, data);
        if self
            .size
            .is_some_and(|size| gather.count == block_len(size, index))
        {
            self.complete(at);
        }
        Ok(true)
    }

    /// Takes bytes that go on where the newest block's ended and do not reach its end, as [`add`](Self::add) would; false, and
    /// nothing is changed, when they are any other.
    pub(super) fn append(&mut self, offset: u64, data: &[u8]) -> bool {
        let (Some(size), Some(gather)) = (self.size, self.gathering.back_mut()) else {
            return false;
        };
        let (begin, len) = (gather.index * u64::from(BLOCK_SIZE), data.len() as u64);
        let end = size.min(begin + u64::from(BLOCK_SIZE));
        let from = gather.have.last().map_or(0, |last| last.end);
        if data.is_empty() || begin + from != offset || offset + len >= end {
            return false;
        }
        gather.push(from as usize, data);
        self.received += len;
        true
    }

    /// The file's size became known. Fails when bytes behind it are there already.
    pub(super) fn set_size(&mut self, size: u64) -> Result<(), Fault> {
        self.size = Some(size);
        for at in (0..self.gathering.len()).rev() {
            let gather = &self.gathering[at];
            let len = block_len(size, gather.index);
            if gather
                .have
                .last()
                .is_some_and(|range| range.end > u64::from(len))
            {
                return Err(Fault::Session(CloseCode::FlowControl));
            }
            if gather.count == len {
                self.complete(at);
            }
        }
        Ok(())
    }

    fn complete(&mut self, at: usize) {
        if let Some(mut gather) = self.gathering.remove(at) {
            gather.have.clear();
            self.spare.push(gather.have);
            self.done.insert(gather.index..gather.index + 1);
            self.full.push_back((gather.index, gather.block));
        }
    }

    /// Whether a block waits to be written.
    pub(super) fn has_full(&self) -> bool {
        !self.full.is_empty()
    }

    /// A block to be written.
    pub(super) fn pop_full(&mut self) -> Option<(u64, Block)> {
        self.full.pop_front()
    }

    /// Blocks `start..end` are written already.
    pub(super) fn close(&mut self, start: u64, end: u64) {
        self.done.insert(start..end);
    }

    /// Lets blocks `start..end` gather once more.
    pub(super) fn reopen(&mut self, start: u64, end: u64) {
        self.done.remove(start..end);
    }

    /// Sends all blocks home.
    pub(super) fn clear(&mut self, pool: &mut Pool) {
        for gather in self.gathering.drain(..) {
            pool.put(Use::Sink, gather.block);
        }
        for (_, block) in self.full.drain(..) {
            pool.put(Use::Sink, block);
        }
    }
}

impl Gather {
    /// Copies bytes that begin where those end that are there: at `from`.
    fn push(&mut self, from: usize, data: &[u8]) {
        if let Some(to) = self.block.bytes_mut().get_mut(from..from + data.len()) {
            to.copy_from_slice(data);
        }
        self.count += data.len() as u32;
        self.have.extend(data.len() as u64);
    }

    /// Copies what is new, and says how many bytes that are. Bytes that were there first stay, whatever comes in their place: the piece's value decides
    /// (I4).
    fn fill(&mut self, within: Range<u64>, data: &[u8]) -> u64 {
        let bytes = self.block.bytes_mut();
        for gap in self.have.missing(within.clone()) {
            let from = (gap.start - within.start) as usize..(gap.end - within.start) as usize;
            let to = gap.start as usize..gap.end as usize;
            if let (Some(to), Some(from)) = (bytes.get_mut(to), data.get(from)) {
                to.copy_from_slice(from);
            }
        }
        let new = self.have.insert(within);
        self.count += new as u32;
        new
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: u64 = BLOCK_SIZE as u64;

    fn add(
        assembly: &mut Assembly,
        pool: &mut Pool,
        offset: u64,
        data: &[u8],
    ) -> Result<bool, Fault> {
        assembly.add(pool, true, offset, data)
    }

    #[test]
    fn blocks_fill_in_any_order_and_wait_for_the_size() {
        let (mut assembly, mut pool) = (Assembly::default(), Pool::new(4, 0));
        let bytes: Vec<u8> = (0..BLOCK + 700).map(|i| (i % 251) as u8).collect();
        for start in (0..bytes.len()).step_by(900).rev() {
            let border = ((start as u64 / BLOCK + 1) * BLOCK) as usize;
            let end = (start + 900).min(bytes.len());
            for (start, end) in [(start, end.min(border)), (border, end)] {
                if start < end {
                    assert_eq!(
                        add(&mut assembly, &mut pool, start as u64, &bytes[start..end]),
                        Ok(true)
                    );
                }
            }
        }
        assert!(!assembly.has_full() && assembly.held() == 2);
        assert_eq!(assembly.set_size(bytes.len() as u64), Ok(()));
        assert!(assembly.is_complete());
        while let Some((index, block)) = assembly.pop_full() {
            let start = (index * BLOCK) as usize;
            let expected = &bytes[start..(start + BLOCK as usize).min(bytes.len())];
            assert_eq!(&block.bytes()[..expected.len()], expected);
        }
    }

    #[test]
    fn i4_the_first_bytes_stay() {
        let (mut assembly, mut pool) = (Assembly::default(), Pool::new(1, 0));
        assert_eq!(assembly.set_size(10), Ok(()));
        assert_eq!(add(&mut assembly, &mut pool, 2, b"cde"), Ok(true));
        assert_eq!(add(&mut assembly, &mut pool, 0, b"abcXe"), Ok(true));
        assert_eq!(add(&mut assembly, &mut pool, 4, b"efghij"), Ok(true));
        let block = assembly.pop_full();
        assert_eq!(
            block.as_ref().map(|(_, block)| &block.bytes()[..10]),
            Some(&b"abcdefghij"[..])
        );
    }

    /// A block in as many ranges as it may have still takes what fills its gaps from their ends.
    #[test]
    fn a_block_in_pieces_becomes_whole() {
        let (mut assembly, mut pool) = (Assembly::default(), Pool::new(1, 0));
        assert_eq!(assembly.set_size(BLOCK), Ok(()));
        for at in (0..BLOCK).step_by(1_024) {
            assert_eq!(add(&mut assembly, &mut pool, at, &[1; 512]), Ok(true));
        }
        let lone = add(&mut assembly, &mut pool, 700, &[1; 10]);
        assert_eq!(lone, Ok(false));
        for at in (512..BLOCK).step_by(1_024) {
            assert_eq!(add(&mut assembly, &mut pool, at, &[1; 512]), Ok(true));
        }
        assert!(assembly.has_full());
    }

    #[test]
    fn limits_hold() {
        let (mut assembly, mut pool) = (Assembly::default(), Pool::new(1, 0));
        assert_eq!(
            add(&mut assembly, &mut pool, BLOCK - 1, b"ab"),
            Err(Fault::VIOLATION)
        );
        assert_eq!(
            add(&mut assembly, &mut pool, u64::MAX, b"ab"),
            Err(Fault::VIOLATION)
        );
        for i in 0..RANGES_MAX as u64 {
            assert_eq!(add(&mut assembly, &mut pool, 2 * i, b"a"), Ok(true));
        }
        assert_eq!(add(&mut assembly, &mut pool, 1_000, b"a"), Ok(false));
        assert_eq!(
            add(&mut assembly, &mut pool, BLOCK, b"a"),
            Ok(false),
            "the pool has one block"
        );
        let flow = Fault::Session(CloseCode::FlowControl);
        assert_eq!(assembly.set_size(20), Err(flow));
        assembly.clear(&mut pool);
        assert_eq!(pool.out(Use::Sink), 0);
        assert_eq!(add(&mut assembly, &mut pool, 20, b"a"), Err(flow));
    }
}
