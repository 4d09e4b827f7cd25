//! Whether a sink's accounts of blocks and credit are right.

use alloc::format;

use super::{PIECES_AHEAD, Sink};
use crate::audit::{Breach, check, rule};
use crate::file::BLOCK_SIZE;

impl Sink {
    /// Blocks that are here, and those promised.
    pub(in crate::transfer) fn blocks(&self) -> (u32, u32) {
        (self.assembly.held(), self.credit.reserved())
    }

    pub(in crate::transfer) fn audit(&self) -> Result<(), Breach> {
        let promised = self.credit.reserved();
        if promised == 0 {
            // All was given back: the file stands, or is gone.
            return Ok(());
        }
        let held = self.assembly.held() + self.writes_out;
        check(held <= promised, rule::BLOCKS, || {
            format!("a sink holds {held} blocks of {promised}")
        })?;
        self.credit.audit(self.missing_blocks())?;
        let (written, completed) = (self.written - self.had_bytes, self.credit.completed());
        check(
            written.div_ceil(u64::from(BLOCK_SIZE)) == completed,
            rule::CREDIT,
            || format!("{completed} blocks count as written, {written} bytes are"),
        )?;
        self.assembly.audit()?;
        let wants = self.wants.len() + self.again.len();
        check(wants as u64 <= PIECES_AHEAD + 1, rule::QUEUES, || {
            format!("{wants} wants")
        })
    }
}
