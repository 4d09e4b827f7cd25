//! What the sink has from an earlier transfer: it is neither read nor sent, and joins the hash by the values that the sink
//! told.

use super::{Picture, Source};
use crate::file::{PIECE_BLOCKS, PIECE_SIZE, Value};
use crate::transfer::codes::Fault;

impl Source {
    /// The sink has pieces from an earlier transfer.
    pub(in crate::transfer) fn handle_have(
        &mut self,
        index: u64,
        level: u8,
        value: Value,
    ) -> Result<(), Fault> {
        if self.go {
            let known = self.picture.repeats(index, level, value);
            return if known { Ok(()) } else { Err(Fault::VIOLATION) };
        }
        if self.meta.is_none() {
            return Err(Fault::VIOLATION);
        }
        self.picture.have(self.size(), index, level, value)?;
        self.begin()
    }

    /// Goes on when all is said of what the sink has and wants.
    pub(super) fn begin(&mut self) -> Result<(), Fault> {
        if self.picture.is_whole(self.size())? {
            self.go = true;
            self.skip_had();
        }
        Ok(())
    }

    /// Passes over what the sink has.
    pub(super) fn skip_had(&mut self) {
        if !self.picture.had().is_empty() {
            self.skip_reading();
            self.skip_sending();
            self.skip_hashing();
        }
    }

    /// Whether the sink has the piece of a block.
    pub(super) fn is_had(&self, block: u64) -> bool {
        self.picture.had().contains(block / PIECE_BLOCKS)
    }

    pub(super) fn skip_reading(&mut self) {
        if let Some(had) = self.picture.had().range_of(self.next_read / PIECE_BLOCKS) {
            self.next_read = had.end * PIECE_BLOCKS;
        }
    }

    /// What is passed over counts as sent and arrived.
    pub(super) fn skip_sending(&mut self) {
        if let Some(had) = self.picture.had().range_of(self.next_send / PIECE_SIZE)
            && self.next_send < self.size()
        {
            let end = had.end.saturating_mul(PIECE_SIZE).min(self.size());
            self.acked_bytes += self.acked.insert(self.next_send..end);
            self.acked_most = self.acked_most.max(self.acked_bytes);
            self.next_send = end;
        }
    }

    pub(super) fn skip_hashing(&mut self) {
        let mut next = self.tree.merged();
        while let Some((level, value)) = self.picture.value(next)
            && self.tree.insert_subtree(next, level.into(), value)
        {
            next = self.tree.merged();
        }
    }

    /// Behind the last byte that was sent.
    pub(super) fn begun(&self) -> u64 {
        let last = self.next_send.saturating_sub(1) / PIECE_SIZE;
        let passed = self.picture.had().range_of(last);
        passed.map_or(self.next_send, |had| had.start * PIECE_SIZE)
    }

    /// What the sink said before the file was opened.
    pub(in crate::transfer) fn with_picture(mut self, picture: Picture) -> Self {
        self.picture = picture;
        self
    }
}
