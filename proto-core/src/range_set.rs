//! Sorted sets of ranges.

use alloc::vec::Vec;
use core::ops::Range;

/// A set of numbers, kept as sorted half-open ranges that neither overlap nor touch.
///
/// Look-ups cost O(log ranges). Changes cost O(ranges) at worst and O(1) at the upper end, where packet numbers and
/// offsets grow. The memory is 16 bytes a range; who feeds a set from a peer bounds [`len`](Self::len).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct RangeSet {
    ranges: Vec<Range<u64>>,
}

impl RangeSet {
    /// The empty set.
    pub(crate) const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// Adds a range; how many of its numbers were not in the set before.
    pub(crate) fn insert(&mut self, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let new = range.end - range.start;
        match self.ranges.last_mut() {
            // Mostly, the new range goes on where the highest one ends.
            Some(last) if last.end == range.start => {
                last.end = range.end;
                return new;
            }
            Some(last) if last.end >= range.start => {}
            _ => {
                self.ranges.push(range);
                return new;
            }
        }
        // All ranges that overlap or touch the new one become one with it.
        let low = self.ranges.partition_point(|r| r.end < range.start);
        let high = self.ranges.partition_point(|r| r.start <= range.end);
        let touched = self.ranges.get(low..high).unwrap_or_default();
        let (Some(first), Some(last)) = (touched.first(), touched.last()) else {
            self.ranges.insert(low, range);
            return new;
        };
        let merged = first.start.min(range.start)..last.end.max(range.end);
        let before: u64 = touched.iter().map(|r| r.end - r.start).sum();
        let new = merged.end - merged.start - before;
        self.ranges[low] = merged;
        self.ranges.drain(low + 1..high);
        new
    }

    /// Takes a range out; how many of its numbers were in the set.
    pub(crate) fn remove(&mut self, range: Range<u64>) -> u64 {
        let (low, high) = self.overlapping(&range);
        let overlapped = self.ranges.get(low..high).unwrap_or_default();
        let (Some(first), Some(last)) = (overlapped.first(), overlapped.last()) else {
            return 0;
        };
        let left = first.start..range.start;
        let right = range.end..last.end;
        let removed = overlapped
            .iter()
            .map(|r| r.end.min(range.end) - r.start.max(range.start))
            .sum();
        match (left.is_empty(), right.is_empty()) {
            (true, true) => {
                self.ranges.drain(low..high);
            }
            (false, true) => {
                self.ranges[low] = left;
                self.ranges.drain(low + 1..high);
            }
            (true, false) => {
                self.ranges[high - 1] = right;
                self.ranges.drain(low..high - 1);
            }
            (false, false) if high - low == 1 => {
                self.ranges[low] = left;
                self.ranges.insert(high, right);
            }
            (false, false) => {
                self.ranges[low] = left;
                self.ranges[high - 1] = right;
                self.ranges.drain(low + 1..high - 1);
            }
        }
        removed
    }

    /// Whether the number is in the set.
    pub(crate) fn contains(&self, number: u64) -> bool {
        self.ranges.last().is_some_and(|last| number < last.end) && self.range_of(number).is_some()
    }

    /// The range that holds the number.
    pub(crate) fn range_of(&self, number: u64) -> Option<Range<u64>> {
        let at = self.ranges.partition_point(|r| r.end <= number);
        let range = self.ranges.get(at)?;
        (range.start <= number).then(|| range.clone())
    }

    /// Whether every number of the range is in the set; true for an empty range.
    pub(crate) fn covers(&self, range: Range<u64>) -> bool {
        if range.is_empty() {
            return true;
        }
        let at = self.ranges.partition_point(|r| r.end <= range.start);
        self.ranges
            .get(at)
            .is_some_and(|r| r.start <= range.start && range.end <= r.end)
    }

    /// Whether any number of the range is in the set; false for an empty range.
    pub(crate) fn intersects(&self, range: Range<u64>) -> bool {
        let (low, high) = self.overlapping(&range);
        low < high
    }

    /// The lowest range.
    pub(crate) fn first(&self) -> Option<Range<u64>> {
        self.ranges.first().cloned()
    }

    /// The highest range.
    pub(crate) fn last(&self) -> Option<Range<u64>> {
        self.ranges.last().cloned()
    }

    /// Whether some number of `within` is not in the set. Looks from the upper end: costs O(ranges above `within`).
    pub(crate) fn misses(&self, within: Range<u64>) -> bool {
        let mut open = within.end;
        for range in self.ranges.iter().rev() {
            if open <= within.start {
                return false;
            }
            if range.end < open {
                return true;
            }
            open = open.min(range.start);
        }
        open > within.start
    }

    /// Makes the highest range longer by so many numbers, if there is one.
    pub(crate) fn extend(&mut self, by: u64) {
        if let Some(last) = self.ranges.last_mut() {
            last.end = last.end.saturating_add(by);
        }
    }

    /// Takes out the lowest range.
    pub(crate) fn pop_first(&mut self) -> Option<Range<u64>> {
        if self.ranges.is_empty() {
            None
        } else {
            Some(self.ranges.remove(0))
        }
    }

    /// The ranges, lowest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = Range<u64>> + Clone + '_ {
        self.ranges.iter().cloned()
    }

    /// The parts of `within` that are not in the set, lowest first.
    pub(crate) fn missing(&self, within: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let (low, high) = self.overlapping(&within);
        let mut present = self.ranges.get(low..high).unwrap_or_default().iter();
        let mut at = within.start;
        core::iter::from_fn(move || {
            while at < within.end {
                let (gap, next) = match present.next() {
                    Some(range) => (at..range.start, range.end),
                    None => (at..within.end, within.end),
                };
                at = next;
                if !gap.is_empty() {
                    return Some(gap);
                }
            }
            None
        })
    }

    /// How many ranges there are.
    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether the ranges are sorted and neither empty nor touching each other.
    pub(crate) fn is_well_formed(&self) -> bool {
        let apart = |pair: &[Range<u64>]| pair[0].end < pair[1].start;
        self.ranges.windows(2).all(apart) && !self.ranges.iter().any(Range::is_empty)
    }

    /// How many numbers there are.
    pub(crate) fn sum(&self) -> u64 {
        self.ranges.iter().map(|r| r.end - r.start).sum()
    }

    /// How many numbers of `within` are in the set.
    pub(crate) fn sum_within(&self, within: Range<u64>) -> u64 {
        let (low, high) = self.overlapping(&within);
        let overlapped = self.ranges.get(low..high).unwrap_or_default();
        let common = |range: &Range<u64>| range.end.min(within.end) - range.start.max(within.start);
        overlapped.iter().map(common).sum()
    }

    /// Whether there is nothing in the set.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Empties the set and keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.ranges.clear();
    }

    /// Gives back memory that is not in use.
    pub(crate) fn shrink(&mut self) {
        self.ranges.shrink_to_fit();
    }

    /// The indices of the ranges that share a number with `range`.
    fn overlapping(&self, range: &Range<u64>) -> (usize, usize) {
        if range.is_empty() {
            return (0, 0);
        }
        let low = self.ranges.partition_point(|r| r.end <= range.start);
        let high = self.ranges.partition_point(|r| r.start < range.end);
        (low, high)
    }
}

#[cfg(test)]
mod tests;
