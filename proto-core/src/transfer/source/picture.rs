//! What a sink says of a file before a byte of it is sent: what it wants, and what it has from an earlier transfer.

use alloc::collections::BTreeMap;

use crate::file::{BLOCK_SIZE, PIECE_SIZE, Value, piece_count};
use crate::range_set::RangeSet;
use crate::transfer::codes::Fault;

/// Pieces that a sink may have beyond those that it has with all before them. An honest one verifies none further ahead.
pub(in crate::transfer) const HAD_AHEAD: u64 = 1_024;

/// Values of what it has: single ones that far ahead, and one for each power of 2 before.
const HAVES_MAX: usize = HAD_AHEAD as usize + 64;

/// Gathers WANTs and HAVEs, in any order, until each byte is in one of them.
#[derive(Clone, Debug, Default)]
pub(in crate::transfer) struct Picture {
    /// A WANT has come, perhaps for nothing.
    asked: bool,
    /// Bytes that are wanted.
    wanted: RangeSet,
    /// Pieces that the sink has.
    had: RangeSet,
    /// Their values, by the first piece of each, with the power of 2 that says how many they are.
    values: BTreeMap<u64, (u8, Value)>,
}

impl Picture {
    /// The sink wants bytes of a file of `size`, in whole blocks.
    pub(in crate::transfer) fn want(
        &mut self,
        size: u64,
        start: u64,
        end: u64,
    ) -> Result<(), Fault> {
        let is_border = |at: u64| at.is_multiple_of(u64::from(BLOCK_SIZE)) || at == size;
        if start > end || end > size || !is_border(start) || !is_border(end) {
            return Err(Fault::VIOLATION);
        }
        let pieces = start / PIECE_SIZE..end.div_ceil(PIECE_SIZE);
        if self.wanted.len() > HAVES_MAX || (start < end && self.had.intersects(pieces)) {
            return Err(Fault::VIOLATION);
        }
        self.asked = true;
        if start < end {
            self.wanted.insert(start..end);
        }
        Ok(())
    }

    /// The sink has pieces of a file of `size`.
    pub(in crate::transfer) fn have(
        &mut self,
        size: u64,
        index: u64,
        level: u8,
        value: Value,
    ) -> Result<(), Fault> {
        if self.values.get(&index) == Some(&(level, value)) {
            return Ok(());
        }
        let end = index.saturating_add(1 << level.min(63));
        let bytes = index.saturating_mul(PIECE_SIZE)..end.saturating_mul(PIECE_SIZE);
        let pieces = piece_count(size);
        // The last piece may be shorter, and its value is one of its own.
        let fits = pieces > 1 && (end < pieces || (end == pieces && level == 0));
        let twice = self.had.intersects(index..end) || self.wanted.intersects(bytes);
        if !fits || twice || self.values.len() >= HAVES_MAX {
            return Err(Fault::VIOLATION);
        }
        self.had.insert(index..end);
        self.values.insert(index, (level, value));
        Ok(())
    }

    /// Whether a HAVE says what an earlier one has said.
    pub(in crate::transfer) fn repeats(&self, index: u64, level: u8, value: Value) -> bool {
        self.values.get(&index) == Some(&(level, value))
    }

    /// Whether nothing more is to be said of a file of `size`.
    ///
    /// # Errors
    /// The sink has pieces that no honest one could have.
    pub(in crate::transfer) fn is_whole(&self, size: u64) -> Result<bool, Fault> {
        let had: u64 = self.had.iter().map(|range| bytes_of(&range, size)).sum();
        if !self.asked || self.wanted.sum() + had < size {
            return Ok(false);
        }
        let first = self.had.first().filter(|range| range.start == 0);
        let before = first.map_or(0, |range| range.end);
        let last = self.had.last().map_or(0, |range| range.end);
        if last > before + HAD_AHEAD {
            return Err(Fault::VIOLATION);
        }
        Ok(true)
    }

    /// Pieces that the sink has.
    pub(super) fn had(&self) -> &RangeSet {
        &self.had
    }

    /// The value that begins with this piece.
    pub(super) fn value(&self, piece: u64) -> Option<(u8, Value)> {
        self.values.get(&piece).copied()
    }
}

/// Bytes of a range of pieces.
fn bytes_of(pieces: &core::ops::Range<u64>, size: u64) -> u64 {
    let end = pieces.end.saturating_mul(PIECE_SIZE).min(size);
    end.saturating_sub(pieces.start.saturating_mul(PIECE_SIZE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = PIECE_SIZE;
    const SIZE: u64 = 10 * MIB + 5;

    #[test]
    fn a_picture_is_whole_when_each_byte_is_wanted_or_there() {
        let mut picture = Picture::default();
        assert_eq!(picture.is_whole(0), Ok(false), "nothing was said");
        assert_eq!(picture.want(SIZE, 8 * MIB, 10 * MIB), Ok(()));
        assert_eq!(picture.have(SIZE, 0, 3, [1; 32]), Ok(()));
        assert_eq!(picture.have(SIZE, 0, 3, [1; 32]), Ok(()), "the same again");
        assert_eq!(picture.is_whole(SIZE), Ok(false));
        assert_eq!(picture.have(SIZE, 10, 0, [2; 32]), Ok(()));
        assert_eq!(picture.is_whole(SIZE), Ok(true));
        assert!(picture.repeats(10, 0, [2; 32]) && !picture.repeats(10, 0, [3; 32]));
        let mut all = Picture::default();
        assert_eq!(all.want(SIZE, 0, SIZE), Ok(()));
        assert_eq!(all.is_whole(SIZE), Ok(true));
        let mut none = Picture::default();
        assert_eq!((none.want(0, 0, 0), none.is_whole(0)), (Ok(()), Ok(true)));
    }

    #[test]
    fn what_cannot_be_is_a_violation() {
        let bad = |said: &dyn Fn(&mut Picture) -> Result<(), Fault>| {
            let mut picture = Picture::default();
            assert_eq!(picture.have(SIZE, 2, 1, [1; 32]), Ok(()));
            assert_eq!(picture.want(SIZE, 5 * MIB, 6 * MIB), Ok(()));
            assert_eq!(said(&mut picture), Err(Fault::VIOLATION));
        };
        bad(&|picture| picture.want(SIZE, 0, 4 * MIB));
        bad(&|picture| picture.want(SIZE, 1, 65_536));
        bad(&|picture| picture.want(SIZE, 0, SIZE + 1));
        bad(&|picture| picture.have(SIZE, 5, 0, [1; 32]));
        bad(&|picture| picture.have(SIZE, 3, 0, [1; 32]));
        bad(&|picture| picture.have(SIZE, 11, 0, [1; 32]));
        // The last piece is in no value with others.
        bad(&|picture| picture.have(SIZE, 8, 2, [1; 32]));
        bad(&|picture| picture.have(MIB, 0, 0, [1; 32]));
    }

    #[test]
    fn m1_what_a_sink_has_is_bounded() {
        let size = 1 << 50;
        let mut picture = Picture::default();
        let taken = |index: u64| picture.have(size, 2 * index, 0, [0; 32]);
        let taken = (0..10_000).map(taken).take_while(Result::is_ok).count();
        assert_eq!(taken, HAVES_MAX);
        let mut far = Picture::default();
        assert_eq!(far.have(size, HAD_AHEAD + 1, 0, [0; 32]), Ok(()));
        assert_eq!(far.want(size, 0, (HAD_AHEAD + 1) * MIB), Ok(()));
        assert_eq!(far.want(size, (HAD_AHEAD + 2) * MIB, size), Ok(()));
        assert_eq!(far.is_whole(size), Err(Fault::VIOLATION));
    }
}
