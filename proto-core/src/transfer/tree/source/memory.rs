//! Memory for small bodies, and for larger files to begin with.

use crate::file::{Pool, Use};

/// Blocks that are promised to the small bodies of one tree at most, and at least.
const BLOCKS_MAX: u32 = 64;
const BLOCKS_MIN: u32 = 2;
/// Blocks with which a larger file can be sent at all.
const LARGE_MIN: u32 = 2;
/// Units of a block.
const OF_BLOCK: u64 = 64;

/// What a tree's source may hold: units for small bodies, and, as long as no larger file is at work, two blocks for the
/// next one.
#[derive(Debug, Default)]
pub(super) struct Memory {
    split: u32,
    spare: u32,
    used: u64,
    /// There was too little when some was needed.
    short: bool,
    /// All was given to those that wait for some: they come first, whoever looks next.
    patient: bool,
}

impl Memory {
    /// Blocks promised.
    pub(super) fn promised(&self) -> u32 {
        self.split + self.spare
    }

    /// Whether more is needed than there is.
    pub(super) fn is_short(&self) -> bool {
        self.short
    }

    /// Whether all was given to those that wait for some.
    pub(super) fn is_patient(&self) -> bool {
        self.patient
    }

    /// Takes units; false when there are not so many now.
    pub(super) fn take(&mut self, pool: &mut Pool, units: u64) -> bool {
        if self.split == 0 {
            self.reserve(pool);
        }
        let room = self.used + units <= u64::from(self.split) * OF_BLOCK;
        if room {
            self.used += units;
        }
        room
    }

    /// Whether [`take`](Self::take) may give so many.
    pub(super) fn has(&self, units: u64) -> bool {
        (self.split == 0 && !self.short) || self.used + units <= u64::from(self.split) * OF_BLOCK
    }

    /// Units are used no more.
    pub(super) fn free(&mut self, units: u64) {
        self.used = self.used.saturating_sub(units);
    }

    fn reserve(&mut self, pool: &mut Pool) {
        if self.patient {
            self.short = true;
            return;
        }
        let missing = LARGE_MIN.saturating_sub(self.spare);
        let Some(got) = pool.reserve_source(BLOCKS_MIN + missing, BLOCKS_MAX + missing) else {
            self.short = true;
            return;
        };
        self.short = false;
        self.spare += missing;
        pool.release(Use::Source, got - missing);
        self.split = pool.reserve_split(Use::Source, got - missing);
    }

    /// Looks for memory when there was too little.
    pub(super) fn regain(&mut self, pool: &mut Pool) {
        if self.short {
            self.reserve(pool);
        }
    }

    /// Gives back what nobody uses, to those that wait for some. What was all given back is looked for again after the next
    /// call at the earliest: a tree that took it again at once would leave them nothing for ever.
    pub(super) fn shrink(&mut self, pool: &mut Pool) {
        self.patient = false;
        if !pool.is_source_wanted() || self.short {
            return;
        }
        let needed = self.used.div_ceil(OF_BLOCK) as u32;
        pool.release_split(Use::Source, self.split.saturating_sub(needed));
        self.split = self.split.min(needed);
        if self.split == 0 {
            pool.release(Use::Source, core::mem::take(&mut self.spare));
            self.patient = true;
            self.short = true;
        }
    }

    /// Lends the spare blocks to a larger file, which reserves them at once.
    pub(super) fn lend_spare(&mut self, pool: &mut Pool) {
        pool.release(Use::Source, core::mem::take(&mut self.spare));
    }

    /// Sets blocks aside for the next larger file.
    pub(super) fn regain_spare(&mut self, pool: &mut Pool) {
        if self.spare == 0 && self.split > 0 {
            let got = pool.reserve(Use::Source, LARGE_MIN);
            if got == LARGE_MIN {
                self.spare = got;
            } else {
                pool.release(Use::Source, got);
            }
        }
    }

    /// Gives all promises back.
    pub(super) fn release(&mut self, pool: &mut Pool) {
        pool.release_split(Use::Source, core::mem::take(&mut self.split));
        self.lend_spare(pool);
        self.used = 0;
        self.short = false;
        self.patient = false;
    }
}
