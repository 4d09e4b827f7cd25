//! Blocks: the memory in which file data travels between core and disk.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::audit::{Breach, check, rule};
use crate::fault::{Fault, Faults};

/// Size of a block in bytes: the unit of reading, writing, hashing and credit (`docs/PROTOCOL.md`).
pub const BLOCK_SIZE: u32 = 64 * 1024;

/// Memory for one aligned [`BLOCK_SIZE`] piece of a file, lent by value.
#[derive(Clone)]
pub struct Block {
    bytes: Box<[u8]>,
}

impl Block {
    /// Allocates a block of zeros. Outside tests, only the pool does.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bytes: vec![0; BLOCK_SIZE as usize].into_boxed_slice(),
        }
    }

    /// The block's [`BLOCK_SIZE`] bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The block's [`BLOCK_SIZE`] bytes.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Default for Block {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Block")
    }
}

/// What a block is wanted for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Use {
    /// To gather received bytes.
    Sink,
    /// To read bytes to send.
    Source,
}

/// What one sink and one source need to move at all: a source sends from one block while it reads the next.
const SINK_MIN: u32 = 1;
const SOURCE_MIN: u32 = 2;

/// The endpoint's blocks: allocated as used, up to a limit for each use, and used again.
///
/// The two uses have limits of their own, so that senders cannot starve receivers, nor the other way round.
#[derive(Debug)]
pub(crate) struct Pool {
    free: Vec<Block>,
    /// Blocks that were ever allocated.
    made: u32,
    sink: Share,
    source: Share,
    /// Blocks whose memory is used in smaller parts, outside of blocks.
    split: u32,
    /// The latest source that looked for memory found too little.
    source_wanted: bool,
    faults: Faults,
}

#[derive(Debug)]
struct Share {
    out: u32,
    reserved: u32,
    max: u32,
}

impl Pool {
    /// A pool of at most `sink` and `source` blocks; at least what one transfer each needs to move at all.
    #[must_use]
    pub(crate) fn new(sink: u32, source: u32) -> Self {
        let share = |max| Share {
            out: 0,
            reserved: 0,
            max,
        };
        Self {
            free: Vec::new(),
            made: 0,
            sink: share(sink.max(SINK_MIN)),
            source: share(source.max(SOURCE_MIN)),
            split: 0,
            source_wanted: false,
            faults: Faults::default(),
        }
    }

    /// The same, with planted bugs.
    pub(crate) fn with_faults(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    fn share(&mut self, what: Use) -> &mut Share {
        match what {
            Use::Sink => &mut self.sink,
            Use::Source => &mut self.source,
        }
    }

    /// Promises up to `blocks` blocks to a transfer and says how many: credit is granted out of promises, so that
    /// all credit outstanding fits the pool (M4).
    pub(crate) fn reserve(&mut self, what: Use, blocks: u32) -> u32 {
        let beyond = self.faults.strikes(Fault::CreditBeyondPool);
        let share = self.share(what);
        let left = share.max.saturating_sub(share.reserved);
        let granted = if beyond { blocks } else { blocks.min(left) };
        share.reserved += granted;
        granted
    }

    /// Gives a promise back.
    pub(crate) fn release(&mut self, what: Use, blocks: u32) {
        let share = self.share(what);
        share.reserved = share.reserved.saturating_sub(blocks);
    }

    /// As [`reserve`](Self::reserve), of memory that the transfer uses in smaller parts: no blocks are taken for it, and as
    /// many that are free give theirs back.
    pub(crate) fn reserve_split(&mut self, what: Use, blocks: u32) -> u32 {
        let granted = self.reserve(what, blocks);
        self.split += granted;
        while self.made + self.split > self.sink.max + self.source.max && self.free.pop().is_some()
        {
            self.made -= 1;
        }
        granted
    }

    /// Gives a promise of [`reserve_split`](Self::reserve_split) back.
    pub(crate) fn release_split(&mut self, what: Use, blocks: u32) {
        self.split = self.split.saturating_sub(blocks);
        self.release(what, blocks);
    }

    /// As [`reserve`](Self::reserve), for a source: nothing, unless it is `least` blocks or more.
    pub(crate) fn reserve_source(&mut self, least: u32, wanted: u32) -> Option<u32> {
        let reserved = self.reserve(Use::Source, wanted);
        self.source_wanted = reserved < least;
        if self.source_wanted {
            self.release(Use::Source, reserved);
        }
        (!self.source_wanted).then_some(reserved)
    }

    /// Whether a source waits for memory: those that have no use for theirs should give it back.
    #[must_use]
    pub(crate) fn is_source_wanted(&self) -> bool {
        self.source_wanted
    }

    /// Promises that are left.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn unreserved(&self, what: Use) -> u32 {
        match what {
            Use::Sink => self.sink.max - self.sink.reserved,
            Use::Source => self.source.max - self.source.reserved,
        }
    }

    /// Takes a block; `None` when the use's limit is reached. Its content is whatever it was.
    pub(crate) fn take(&mut self, what: Use) -> Option<Block> {
        let share = self.share(what);
        if share.out >= share.max {
            return None;
        }
        share.out += 1;
        Some(self.free.pop().unwrap_or_else(|| {
            self.made += 1;
            Block::new()
        }))
    }

    /// Whether the accounts can be: `held` blocks of each use are with transfers or the disk, `promised` were promised.
    pub(crate) fn audit(&self, what: Use, held: u32, promised: u32) -> Result<(), Breach> {
        let share = match what {
            Use::Sink => &self.sink,
            Use::Source => &self.source,
        };
        check(share.out == held, rule::BLOCKS, || {
            format!(
                "{} {what:?} blocks are out, {held} are held or on loan",
                share.out
            )
        })?;
        check(share.out <= share.max, rule::BLOCKS, || {
            format!("{} {what:?} blocks are out of {}", share.out, share.max)
        })?;
        check(share.reserved == promised, rule::CREDIT, || {
            format!(
                "{} {what:?} blocks are promised, transfers have {promised}",
                share.reserved
            )
        })?;
        check(share.reserved <= share.max, rule::CREDIT, || {
            format!(
                "{} {what:?} blocks are promised out of {}",
                share.reserved, share.max
            )
        })?;
        let (made, split) = (self.made, self.split);
        let total = self.sink.max + self.source.max;
        check(made + split <= total, rule::BLOCKS, || {
            format!("{made} blocks and {split} in parts are more than {total}")
        })?;
        let known = self.free.len() + self.sink.out as usize + self.source.out as usize;
        check(known == self.made as usize, rule::BLOCKS, || {
            format!("{} blocks were made, {known} are free or out", self.made)
        })
    }

    /// Brings a block home.
    pub(crate) fn put(&mut self, what: Use, block: Block) {
        let share = self.share(what);
        share.out = share.out.saturating_sub(1);
        self.free.push(block);
    }

    /// Blocks that are out.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn out(&self, what: Use) -> u32 {
        match what {
            Use::Sink => self.sink.out,
            Use::Source => self.source.out,
        }
    }
}

#[cfg(test)]
mod tests;
