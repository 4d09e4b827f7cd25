//! Whether a source's accounts of bytes and blocks are right.

use alloc::format;
use alloc::vec::Vec;

use super::Source;
use crate::audit::{Breach, check, rule};
use crate::file::block_count;
use crate::transfer::delivery::Delivery;
use crate::transfer::{InFlight, Item};

impl Source {
    /// Blocks that are here, and those promised.
    pub(in crate::transfer) fn blocks(&self) -> (u32, u32) {
        self.held.counts()
    }

    pub(in crate::transfer) fn audit(&self) -> Result<(), Breach> {
        let (held, promised) = self.held.counts();
        check(held <= promised, rule::BLOCKS, || {
            format!("a source holds {held} blocks of {promised}")
        })?;
        let (acked, size) = (self.acked.sum(), self.size());
        check(acked == self.acked_bytes, rule::BYTES, || {
            format!(
                "{} bytes count as acknowledged, {acked} are",
                self.acked_bytes
            )
        })?;
        let ends = [&self.acked, &self.lost].map(|set| set.last().map_or(0, |last| last.end));
        let within = ends.iter().all(|end| *end <= self.next_send) && self.next_send <= size;
        check(within, rule::BYTES, || {
            format!(
                "{} of {size} bytes were sent, but known of are {ends:?}",
                self.next_send
            )
        })?;
        let both = self
            .lost
            .iter()
            .find(|range| self.acked.intersects(range.clone()));
        check(both.is_none(), rule::BYTES, || {
            format!("{both:?} is lost and acknowledged")
        })?;
        let begun = block_count(self.begun());
        check(begun <= self.credit || begun == 0, rule::CREDIT, || {
            format!("{begun} blocks were begun on a credit of {}", self.credit)
        })?;
        let most = self.acked_most;
        check(
            self.acked_bytes <= most && most <= size,
            rule::FIGURES,
            || format!("progress is {most} of {size}, acknowledged are {acked}"),
        )
    }

    /// Control frames, and how far they have come.
    pub(in crate::transfer) fn unanswered(&self) -> Vec<(Delivery, Item)> {
        let file = self.number;
        let pieces = self.pieces.iter().map(|piece| {
            let index = piece.index as u32;
            (piece.delivery, Item::Piece { file, index })
        });
        let mut all: Vec<_> = pieces.collect();
        all.push((self.entry, Item::Entry { file }));
        all.push((self.seal, Item::Seal { file }));
        all
    }

    /// The first byte that was sent, and is neither in flight nor known to be lost or acknowledged.
    pub(in crate::transfer) fn first_forgotten(&self, flying: &InFlight) -> Option<u64> {
        if self.closing {
            return None;
        }
        flying.missing(self.number, 0..self.next_send, &[&self.lost, &self.acked])
    }
}
