//! Packet numbers that were opened.

use std::ops::RangeInclusive;

/// A set of numbers as sorted ranges that do not touch. Numbers come nearly in order, so a change is mostly one of the last
/// range.
#[derive(Debug, Default)]
pub(super) struct Numbers(Vec<(u64, u64)>);

impl Numbers {
    /// The first range whose end is not below `number`.
    fn place(&self, number: u64) -> usize {
        match self.0.last() {
            Some(last) if last.1 < number => self.0.len(),
            _ => self.0.partition_point(|range| range.1 < number),
        }
    }

    /// Adds a number; false when it is in the set already.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        let at = self.place(number);
        let next = self.0.get(at).copied();
        if next.is_some_and(|next| next.0 <= number) {
            return false;
        }
        let joins_next = next.is_some_and(|next| next.0 == number + 1);
        let before = at.checked_sub(1);
        let joins_before = before.filter(|before| self.0[*before].1 + 1 == number);
        match (joins_before, joins_next) {
            (Some(before), true) => {
                self.0[before].1 = self.0[at].1;
                self.0.remove(at);
            }
            (Some(before), false) => self.0[before].1 = number,
            (None, true) => self.0[at].0 = number,
            (None, false) => self.0.insert(at, (number, number)),
        }
        true
    }

    /// Whether every number of the range is in the set.
    pub(super) fn covers(&self, range: &RangeInclusive<u64>) -> bool {
        let at = self.place(*range.start());
        let found = self.0.get(at);
        found.is_some_and(|found| found.0 <= *range.start() && *range.end() <= found.1)
    }
}
