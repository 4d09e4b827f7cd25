//! Sorted sets of half-open ranges of bytes or blocks.

use alloc::vec::Vec;

/// A set of numbers, kept as ranges that neither touch nor overlap.
///
/// The list keeps its memory when ranges go, so that a set in steady use allocates nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct RangeSet {
    ranges: Vec<(u64, u64)>,
    total: u64,
}

impl RangeSet {
    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Numbers in the set.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Ranges in the set.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    pub(super) fn clear(&mut self) {
        self.ranges.clear();
        self.total = 0;
    }

    /// The ranges, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.ranges.iter().copied()
    }

    /// Adds `start..end` and says how many numbers are new.
    pub(super) fn insert(&mut self, start: u64, end: u64) -> u64 {
        if start >= end {
            return 0;
        }
        // All ranges that overlap or touch become one.
        let first = self.ranges.partition_point(|range| range.1 < start);
        let behind = self.ranges.partition_point(|range| range.0 <= end);
        if first == behind {
            self.ranges.insert(first, (start, end));
            self.total += end - start;
            return end - start;
        }
        let before: u64 = self.ranges[first..behind].iter().map(|range| range.1 - range.0).sum();
        let merged = (
            start.min(self.ranges[first].0),
            end.max(self.ranges[behind - 1].1),
        );
        self.ranges[first] = merged;
        self.ranges.drain(first + 1..behind);
        let new = merged.1 - merged.0 - before;
        self.total += new;
        new
    }

    /// Takes `start..end` out.
    pub(super) fn remove(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let first = self.ranges.partition_point(|range| range.1 <= start);
        let behind = self.ranges.partition_point(|range| range.0 < end);
        if first >= behind {
            return;
        }
        let (left, right) = (self.ranges[first].0, self.ranges[behind - 1].1);
        let before: u64 = self.ranges[first..behind].iter().map(|range| range.1 - range.0).sum();
        let kept = start.saturating_sub(left) + right.saturating_sub(end);
        self.total -= before - kept;
        match (left < start, end < right) {
            (true, true) if behind - first == 1 => {
                self.ranges[first] = (left, start);
                self.ranges.insert(first + 1, (end, right));
            }
            (true, true) => {
                self.ranges[first] = (left, start);
                self.ranges[behind - 1] = (end, right);
                self.ranges.drain(first + 1..behind - 1);
            }
            (true, false) => {
                self.ranges[first] = (left, start);
                self.ranges.drain(first + 1..behind);
            }
            (false, true) => {
                self.ranges[behind - 1] = (end, right);
                self.ranges.drain(first..behind - 1);
            }
            (false, false) => {
                self.ranges.drain(first..behind);
            }
        }
    }

    /// Whether all of `start..end` is in the set.
    pub(super) fn covers(&self, start: u64, end: u64) -> bool {
        self.next_gap(start, end).is_none()
    }

    /// The first range within `start..end` that is not in the set.
    pub(super) fn next_gap(&self, start: u64, end: u64) -> Option<(u64, u64)> {
        let at = self.ranges.partition_point(|range| range.1 <= start);
        let (gap, next) = match self.ranges.get(at) {
            Some(range) if range.0 <= start => (range.1, self.ranges.get(at + 1)),
            next => (start, next),
        };
        let gap_end = next.map_or(end, |range| range.0.min(end));
        (gap < gap_end).then_some((gap, gap_end))
    }

    /// The first range within `start..end` that is in the set.
    pub(super) fn next_range(&self, start: u64, end: u64) -> Option<(u64, u64)> {
        let at = self.ranges.partition_point(|range| range.1 <= start);
        let &(from, to) = self.ranges.get(at)?;
        let (from, to) = (from.max(start), to.min(end));
        (from < to).then_some((from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against one bool for each number.
        #[test]
        fn behaves_like_a_bitmap(steps in prop::collection::vec((any::<bool>(), 0u64..64, 0u64..24), 0..80)) {
            let mut set = RangeSet::default();
            let mut model = [false; 96];
            for (insert, start, len) in steps {
                let end = start + len;
                let part = &mut model[start as usize..end as usize];
                let covered = part.iter().filter(|&&bit| bit).count() as u64;
                part.fill(insert);
                if insert {
                    prop_assert_eq!(set.insert(start, end), len - covered);
                } else {
                    set.remove(start, end);
                }
                prop_assert_eq!(set.total(), model.iter().filter(|&&bit| bit).count() as u64);
                prop_assert!(set.ranges.windows(2).all(|pair| pair[0].1 < pair[1].0));
                prop_assert!(set.iter().all(|(start, end)| start < end && (start..end).all(|n| model[n as usize])));
                for start in (0..96).step_by(5) {
                    let gap = (start..96).find(|&n| !model[n]);
                    prop_assert_eq!(set.next_gap(start as u64, 96).map(|gap| gap.0), gap.map(|n| n as u64));
                    let range = (start..96).find(|&n| model[n]);
                    prop_assert_eq!(set.next_range(start as u64, 96).map(|range| range.0), range.map(|n| n as u64));
                    prop_assert_eq!(set.covers(start as u64, 96), gap.is_none());
                }
            }
        }
    }
}
