//! Blocks that a source holds: read ahead, or kept for retransmission.

use alloc::vec::Vec;

use crate::file::{BLOCK_SIZE, Block, Pool, Use};
use crate::range_set::RangeSet;

/// Blocks that a source wants for each block of read-ahead: as many again are kept behind, for retransmission.
const PER_READ_AHEAD: u32 = 2;
/// Blocks that a source cannot do without: one to read on with, one to read again what was lost.
const MIN_BLOCKS: u32 = 2;

/// Blocks that a source of this read-ahead asks for.
fn wanted(read_ahead: u32) -> u32 {
    read_ahead
        .saturating_mul(PER_READ_AHEAD)
        .saturating_add(MIN_BLOCKS)
}

/// A source's share of the pool, and what is in it.
#[derive(Debug)]
pub(super) struct Held {
    reserved: u32,
    /// In no order; a dozen or two.
    blocks: Vec<Slot>,
    /// Where the block was found that was asked for last.
    latest: usize,
}

#[derive(Debug)]
struct Slot {
    index: u64,
    /// `None` while it is being read.
    block: Option<Block>,
}

impl Slot {
    /// Whether some of its bytes are to be sent again.
    fn is_lost(&self, lost: &RangeSet) -> bool {
        let start = self.index * u64::from(BLOCK_SIZE);
        lost.intersects(start..start + u64::from(BLOCK_SIZE))
    }
}

impl Held {
    /// Promised memory for one source; `None` when the pool has not enough now.
    pub(super) fn reserve(pool: &mut Pool, read_ahead: u32) -> Option<Self> {
        let reserved = pool.reserve_source(MIN_BLOCKS, wanted(read_ahead))?;
        Some(Self {
            reserved,
            blocks: Vec::with_capacity(wanted(read_ahead) as usize),
            latest: 0,
        })
    }

    /// Whether there is a promise.
    pub(super) fn is_reserved(&self) -> bool {
        self.reserved > 0
    }

    /// Looks for a promise again after [`release`](Self::release).
    pub(super) fn regain(&mut self, pool: &mut Pool, read_ahead: u32) {
        let reserved = pool.reserve_source(MIN_BLOCKS, wanted(read_ahead));
        self.reserved = reserved.unwrap_or(0);
    }

    /// Gives back what is promised beyond the least, as far as the blocks in it are not needed.
    pub(super) fn shrink(&mut self, pool: &mut Pool, first_unsent: u64, lost: &RangeSet) {
        while self.reserved > MIN_BLOCKS && self.has_place_ahead(first_unsent) {
            if self.blocks.len() >= self.reserved as usize {
                // No block may take the place of one that is lost and waits for its turn.
                let Some(spent) = self.spent(u64::MAX, first_unsent, lost) else {
                    return;
                };
                if let Some(block) = self.blocks.swap_remove(spent).block {
                    pool.put(Use::Source, block);
                }
            }
            self.reserved -= 1;
            pool.release(Use::Source, 1);
        }
    }

    /// Takes up to what was wanted at first, when there was a promise.
    pub(super) fn grow(&mut self, pool: &mut Pool, read_ahead: u32) {
        if self.is_reserved() {
            let missing = wanted(read_ahead).saturating_sub(self.reserved);
            self.reserved += pool.reserve(Use::Source, missing);
        }
    }

    /// Blocks that are here, and those promised.
    pub(super) fn counts(&self) -> (u32, u32) {
        let here = self.blocks.iter().filter(|slot| slot.block.is_some());
        (here.count() as u32, self.reserved)
    }

    /// The bytes of a block, when they are here.
    pub(super) fn get(&self, index: u64) -> Option<&[u8]> {
        let is_it = |slot: &&Slot| slot.index == index;
        let latest = self.blocks.get(self.latest).filter(is_it);
        let slot = latest.or_else(|| self.blocks.iter().find(is_it))?;
        slot.block.as_ref().map(Block::bytes)
    }

    /// The block will be asked for many times in a row.
    pub(super) fn expect(&mut self, index: u64) {
        if self
            .blocks
            .get(self.latest)
            .is_none_or(|slot| slot.index != index)
            && let Some(at) = self.blocks.iter().position(|slot| slot.index == index)
        {
            self.latest = at;
        }
    }

    /// Whether a block is here or on its way.
    pub(super) fn contains(&self, index: u64) -> bool {
        self.blocks.iter().any(|slot| slot.index == index)
    }

    /// Whether the block `index` may be read on with: blocks from `first_unsent` on leave one place free, for what must
    /// be read again.
    pub(super) fn may_read_on(&self, index: u64, first_unsent: u64, lost: &RangeSet) -> bool {
        self.has_place_ahead(first_unsent) && self.may_take(index, first_unsent, lost)
    }

    /// Whether one place more than the one for what must be read again is not taken by blocks from `first_unsent` on.
    fn has_place_ahead(&self, first_unsent: u64) -> bool {
        let ahead = self.blocks.iter().filter(|slot| slot.index >= first_unsent);
        ahead.count() + 1 < self.reserved as usize
    }

    /// Whether [`take`](Self::take) will give a block.
    pub(super) fn may_take(&self, index: u64, first_unsent: u64, lost: &RangeSet) -> bool {
        self.blocks.len() < self.reserved as usize
            || self
                .sent(first_unsent)
                .any(|(_, slot)| slot.index > index || !slot.is_lost(lost))
    }

    /// Memory to read the block `index` into: new, or that of a block that is not needed, or not yet.
    pub(super) fn take(
        &mut self,
        pool: &mut Pool,
        index: u64,
        first_unsent: u64,
        lost: &RangeSet,
    ) -> Option<Block> {
        let block = if self.blocks.len() < self.reserved as usize {
            pool.take(Use::Source)?
        } else {
            let spent = self.spent(index, first_unsent, lost)?;
            self.blocks.swap_remove(spent).block?
        };
        self.blocks.push(Slot { index, block: None });
        Some(block)
    }

    /// The place of the lowest block of which all was sent and nothing is lost. When there is none, that of the highest
    /// one behind `index` whose turn to be sent again comes later: without it, losses that fill every place, all behind
    /// what is looked at first, would never be sent.
    fn spent(&self, index: u64, first_unsent: u64, lost: &RangeSet) -> Option<usize> {
        let lowest = self.sent(first_unsent).fold(None, |lowest, (at, slot)| {
            let is_lower = lowest.is_none_or(|(_, index)| slot.index < index);
            match is_lower && !slot.is_lost(lost) {
                true => Some((at, slot.index)),
                false => lowest,
            }
        });
        let later = || {
            self.sent(first_unsent)
                .filter(|(_, slot)| slot.index > index)
                .max_by_key(|(_, slot)| slot.index)
                .map(|(at, _)| at)
        };
        lowest.map(|(at, _)| at).or_else(later)
    }

    /// Blocks that are here and of which all was sent, and their places.
    fn sent(&self, first_unsent: u64) -> impl Iterator<Item = (usize, &Slot)> {
        let slots = self.blocks.iter().enumerate();
        slots.filter(move |(_, slot)| slot.block.is_some() && slot.index < first_unsent)
    }

    /// A read came home.
    pub(super) fn fill(&mut self, index: u64, block: Block) {
        if let Some(slot) = self.blocks.iter_mut().find(|slot| slot.index == index) {
            slot.block = Some(block);
        }
    }

    /// Sends home the blocks with bytes from `start` to `end`, as far as they are here: they must be read again.
    pub(super) fn forget(&mut self, pool: &mut Pool, start: u64, end: u64) {
        let size = u64::from(BLOCK_SIZE);
        let within = |slot: &Slot| slot.index * size < end && start < (slot.index + 1) * size;
        for slot in self
            .blocks
            .extract_if(.., |slot| slot.block.is_some() && within(slot))
        {
            if let Some(block) = slot.block {
                pool.put(Use::Source, block);
            }
        }
    }

    /// Sends home all blocks that are here; those on loan follow by [`put`](Self::put).
    pub(super) fn clear(&mut self, pool: &mut Pool) {
        for block in self.blocks.drain(..).filter_map(|slot| slot.block) {
            pool.put(Use::Source, block);
        }
    }

    /// Gives the promise back; all blocks must be home.
    pub(super) fn release(&mut self, pool: &mut Pool) {
        pool.release(Use::Source, core::mem::take(&mut self.reserved));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_on_leaves_a_place_for_what_is_lost() {
        let mut pool = Pool::new(0, 4);
        let lost = RangeSet::new();
        let Some(mut held) = Held::reserve(&mut pool, 1) else {
            unreachable!("the pool is empty")
        };
        assert!(Held::reserve(&mut pool, 1).is_none());
        for index in 0..3 {
            assert!(held.may_read_on(index, 0, &lost));
            assert!(held.take(&mut pool, index, 0, &lost).is_some());
            held.fill(index, Block::new());
        }
        assert!(!held.may_read_on(3, 0, &lost) && held.may_take(3, 0, &lost));
        // With the first two sent, the lowest of which nothing is lost makes room.
        let mut lost = RangeSet::new();
        lost.insert(0..10);
        assert!(held.take(&mut pool, 7, 2, &lost).is_some());
        assert!(held.take(&mut pool, 8, 2, &lost).is_some());
        assert!(held.contains(0) && !held.contains(1) && held.contains(7) && held.get(7).is_none());
        assert!(!held.may_take(9, 2, &lost));
    }

    /// All was sent, all places hold lost bytes, and what is lost first is in none of them.
    #[test]
    fn what_is_lost_first_takes_the_place_of_what_is_lost_later() {
        let mut pool = Pool::new(0, 4);
        let mut lost = RangeSet::new();
        let Some(mut held) = Held::reserve(&mut pool, 1) else {
            unreachable!("the pool is empty")
        };
        for index in 96..100 {
            assert!(held.take(&mut pool, index, index, &lost).is_some());
            held.fill(index, Block::new());
        }
        lost.insert(10 * u64::from(BLOCK_SIZE)..100 * u64::from(BLOCK_SIZE));
        assert!(held.may_take(10, 100, &lost));
        assert!(held.take(&mut pool, 10, 100, &lost).is_some());
        assert!(held.contains(96) && !held.contains(99) && held.contains(10));
        // Not in turn: what is lost later waits.
        held.fill(10, Block::new());
        assert!(!held.may_take(99, 100, &lost));
    }

    #[test]
    fn a_source_leaves_others_what_it_can_do_without() {
        let mut pool = Pool::new(0, 5);
        let mut lost = RangeSet::new();
        let Some(mut held) = Held::reserve(&mut pool, 8) else {
            unreachable!("the pool is empty")
        };
        for index in 0..5 {
            assert!(held.take(&mut pool, index, 0, &lost).is_some());
            held.fill(index, Block::new());
        }
        assert!(Held::reserve(&mut pool, 8).is_none());
        // Two were sent, and one of them is lost.
        lost.insert(0..10);
        held.shrink(&mut pool, 2, &lost);
        assert!(held.contains(0) && !held.contains(1));
        assert_eq!((held.counts(), pool.unreserved(Use::Source)), ((4, 4), 1));
        // What was read ahead stays, and a place for what is lost.
        held.shrink(&mut pool, 2, &RangeSet::new());
        assert_eq!((held.counts(), pool.unreserved(Use::Source)), ((4, 4), 1));
        lost = RangeSet::new();
        held.shrink(&mut pool, 5, &lost);
        assert_eq!((held.counts(), pool.unreserved(Use::Source)), ((2, 2), 3));
        let Some(mut other) = Held::reserve(&mut pool, 0) else {
            unreachable!("three blocks are left")
        };
        held.grow(&mut pool, 8);
        assert_eq!((held.counts(), pool.unreserved(Use::Source)), ((2, 3), 0));
        held.clear(&mut pool);
        held.release(&mut pool);
        other.release(&mut pool);
        held.grow(&mut pool, 8);
        assert_eq!(pool.unreserved(Use::Source), 5);
    }

    #[test]
    fn one_block_is_not_enough() {
        let mut pool = Pool::new(0, 2);
        assert_eq!(pool.reserve(Use::Source, 1), 1);
        assert!(Held::reserve(&mut pool, 8).is_none());
        assert_eq!(pool.unreserved(Use::Source), 1);
    }
}
