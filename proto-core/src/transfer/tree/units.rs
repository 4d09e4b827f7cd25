//! The sink's credit for a tree: units of 1 KiB, of which an entry takes one and a small body its size.
//!
//! Memory is promised by the pool in blocks. A unit comes back when its file is settled and the source knows it.

use alloc::format;

use super::SMALL_MAX;
use crate::audit::{Breach, check, rule};
use crate::file::{BLOCK_SIZE, Pool, Use};
use crate::time::{Duration, Instant};

/// Bytes of a unit.
const UNIT: u64 = 1_024;
/// Units of a block.
const OF_BLOCK: u64 = BLOCK_SIZE as u64 / UNIT;
/// Blocks that a tree needs: one for a larger file, and units for the directories of the deepest path and the largest
/// small file.
pub(in crate::transfer) const BLOCKS_MIN: u32 = 6;
/// Blocks that are promised to the units of one tree at most.
const BLOCKS_MAX: u32 = 256;
/// As for blocks: a window that is used up within this time grows even when the round trip is shorter.
const GROWTH_FLOOR: Duration = Duration::from_millis(4);
/// Round trips in which a window is used up that bounds the source: one until its files have come, half of one until the
/// source's word comes that it knows they are stored, one more where bodies wait for WANT; and one for losses.
const GROWTH_ROUNDS: u32 = 4;
/// A window that is too small becomes so many times larger: files are small, and the journey is short.
const GROWTH: u32 = 4;

/// Units that a small body of so many bytes takes.
pub(super) fn of_body(size: u64) -> u64 {
    size.min(SMALL_MAX).div_ceil(UNIT)
}

/// Units of a first credit of so many blocks: one block is for larger files; where bodies wait for WANT, half of the rest
/// is for them.
pub(super) fn of_credit(blocks: u64, compare: bool) -> u64 {
    let units = blocks.saturating_sub(1).saturating_mul(OF_BLOCK);
    if compare { units / 2 } else { units }
}

/// What a tree's sink may hold.
#[derive(Debug)]
pub(super) struct Units {
    /// Blocks promised for units.
    blocks: u32,
    /// One block, promised for the next larger file, while none is at work.
    pub(super) spare: u32,
    /// Bodies wait for WANT.
    compare: bool,
    /// Units that the source may ever take.
    limit: u64,
    told: u64,
    /// Units that came back.
    freed: u64,
    /// Units that are taken by the source's own accounts.
    taken: u64,
    /// Units of bodies that were wanted.
    pub(super) wanted: u64,
    epoch_at: Instant,
    epoch_freed: u64,
}

impl Units {
    /// The first window; `None` when the pool has too little to promise.
    pub(super) fn reserve(
        pool: &mut Pool,
        initial: u32,
        compare: bool,
        now: Instant,
    ) -> Option<Self> {
        let all = pool.reserve(Use::Sink, initial.max(BLOCKS_MIN));
        if all < BLOCKS_MIN {
            pool.release(Use::Sink, all);
            return None;
        }
        pool.release(Use::Sink, all - 1);
        let blocks = pool.reserve_split(Use::Sink, all - 1);
        let mut this = Self {
            blocks,
            spare: 1,
            compare,
            limit: 0,
            told: 0,
            freed: 0,
            taken: 0,
            wanted: 0,
            epoch_at: now,
            epoch_freed: 0,
        };
        this.limit = this.window();
        this.told = this.limit;
        Some(this)
    }

    /// Blocks that the first credit says.
    pub(super) fn first_credit(&self) -> u64 {
        u64::from(self.blocks) + 1
    }

    /// Blocks promised.
    pub(super) fn promised(&self) -> u32 {
        self.blocks + self.spare
    }

    /// Units that the source may take beyond those that came back.
    fn window(&self) -> u64 {
        of_credit(self.first_credit(), self.compare)
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// The source takes units; false when it has not so many.
    pub(super) fn take(&mut self, units: u64) -> bool {
        self.taken += units;
        self.freed + self.taken <= self.limit
    }

    /// Whether bodies of so many units more may be wanted.
    pub(super) fn may_want(&self, units: u64) -> bool {
        let all = u64::from(self.blocks) * OF_BLOCK;
        self.wanted + units + self.window() <= all
    }

    /// Whether the accounts are those of the files.
    pub(super) fn audit(&self, charged: u64, wanted: u64) -> Result<(), Breach> {
        check(
            self.taken == charged && self.wanted == wanted,
            rule::CREDIT,
            || {
                format!(
                    "{} and {} units are out, files have {charged} and {wanted}",
                    self.taken, self.wanted
                )
            },
        )?;
        check(self.told <= self.limit, rule::CREDIT, || {
            format!(
                "the source was told {}, the limit is {}",
                self.told, self.limit
            )
        })
    }

    /// No file counts any more.
    pub(super) fn forget(&mut self) {
        (self.taken, self.wanted) = (0, 0);
    }

    /// Units of the source's account came back.
    pub(super) fn free(&mut self, pool: &mut Pool, now: Instant, rtt: Duration, units: u64) {
        self.taken = self.taken.saturating_sub(units);
        self.freed += units;
        if self.blocks == 0 {
            return;
        }
        if self.freed - self.epoch_freed >= self.window() {
            let fast = now.since(self.epoch_at) <= (rtt * GROWTH_ROUNDS).max(GROWTH_FLOOR);
            if fast && self.blocks < BLOCKS_MAX {
                let more = (self.blocks * (GROWTH - 1)).min(BLOCKS_MAX - self.blocks);
                self.blocks += pool.reserve_split(Use::Sink, more);
            }
            self.epoch_at = now;
            self.epoch_freed = self.freed;
        }
        self.limit = self.limit.max(self.freed + self.window());
    }

    /// Whether the limit has risen enough to tell the source, or the source runs short.
    pub(super) fn is_due(&self) -> bool {
        let (window, more) = (self.window(), self.limit - self.told);
        more > 0 && (more >= window / 4 || self.told <= self.freed + window / 2)
    }

    /// The source is being told the present limit.
    pub(super) fn tell(&mut self) {
        self.told = self.limit;
    }

    /// The source may not know the present limit.
    pub(super) fn lost(&mut self) {
        self.told = self.told.min(self.limit.saturating_sub(self.window()));
    }

    /// Lends the block that is set aside to a larger file, which reserves it at once.
    pub(super) fn lend_spare(&mut self, pool: &mut Pool) {
        pool.release(Use::Sink, core::mem::take(&mut self.spare));
    }

    /// Sets a block aside again, when there is one.
    pub(super) fn regain_spare(&mut self, pool: &mut Pool) {
        if self.spare == 0 && self.blocks > 0 {
            self.spare = pool.reserve(Use::Sink, 1);
        }
    }

    /// Gives all promises back.
    pub(super) fn release(&mut self, pool: &mut Pool) {
        pool.release_split(Use::Sink, core::mem::take(&mut self.blocks));
        self.lend_spare(pool);
    }
}
