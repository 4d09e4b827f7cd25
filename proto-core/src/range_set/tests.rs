// A range is one element of these sets, not the numbers in it.
#![allow(clippy::single_range_in_vec_init)]

use super::*;
use alloc::collections::BTreeSet;
use proptest::prelude::*;

fn set(ranges: &[Range<u64>]) -> RangeSet {
    let mut set = RangeSet::new();
    for range in ranges {
        set.insert(range.clone());
    }
    set
}

#[test]
fn touching_ranges_become_one() {
    let mut s = set(&[0..2, 4..6]);
    assert_eq!(s.len(), 2);
    assert_eq!(s.insert(2..4), 2);
    assert_eq!(s.iter().collect::<Vec<_>>(), [0..6]);
    assert_eq!(s.insert(0..6), 0);
}

#[test]
fn removal_can_split_a_range() {
    let mut s = set(&[0..10]);
    assert_eq!(s.remove(3..5), 2);
    assert_eq!(s.iter().collect::<Vec<_>>(), [0..3, 5..10]);
    assert_eq!(s.iter().rev().collect::<Vec<_>>(), [5..10, 0..3]);
    assert_eq!(s.pop_first(), Some(0..3));
    assert_eq!(s.pop_first(), Some(5..10));
    assert_eq!(s.pop_first(), None);
}

#[test]
fn the_ends_of_u64_are_ordinary() {
    let mut s = RangeSet::new();
    assert_eq!(s.insert(0..u64::MAX), u64::MAX);
    assert!(s.contains(u64::MAX - 1));
    assert!(!s.contains(u64::MAX));
    assert_eq!(s.remove(1..u64::MAX - 1), u64::MAX - 2);
    assert_eq!(s.sum(), 2);
    assert_eq!(
        s.missing(0..u64::MAX).collect::<Vec<_>>(),
        [1..u64::MAX - 1]
    );
}

#[test]
fn clearing_keeps_the_memory() {
    let mut s = set(&[0..1, 2..3, 4..5]);
    let capacity = s.ranges.capacity();
    s.clear();
    assert!(s.is_empty());
    assert_eq!(s.ranges.capacity(), capacity);
    assert_eq!((s.first(), s.last()), (None, None));
}

#[test]
fn empty_and_inverted_ranges_are_nothing() {
    let mut s = set(&[2..8]);
    #[allow(clippy::reversed_empty_ranges)]
    for nothing in [5..5, 7..3, 0..0] {
        assert_eq!(s.insert(nothing.clone()), 0);
        assert_eq!(s.remove(nothing.clone()), 0);
        assert!(s.covers(nothing.clone()));
        assert!(!s.intersects(nothing.clone()));
        assert_eq!(s.missing(nothing).count(), 0);
    }
    assert_eq!(s, set(&[2..8]));
}

proptest! {
    /// Against a set of single numbers.
    #[test]
    fn behaves_like_a_set_of_numbers(
        steps in prop::collection::vec((0..4_u8, 0..96_u64, 0..20_u64), 0..120),
    ) {
        let mut set = RangeSet::new();
        let mut model = BTreeSet::new();
        for (what, start, len) in steps {
            let range = start..start + len;
            match what {
                0 | 1 => {
                    let new = range.clone().filter(|n| model.insert(*n)).count() as u64;
                    prop_assert_eq!(set.insert(range.clone()), new);
                }
                2 => {
                    let gone = range.clone().filter(|n| model.remove(n)).count() as u64;
                    prop_assert_eq!(set.remove(range.clone()), gone);
                }
                _ => {
                    let first = set.pop_first();
                    prop_assert_eq!(first.as_ref().map(|r| r.start), model.first().copied());
                    for n in first.unwrap_or_default() {
                        prop_assert!(model.remove(&n));
                    }
                }
            }
            let numbers: Vec<u64> = set.iter().flatten().collect();
            prop_assert_eq!(&numbers, &model.iter().copied().collect::<Vec<_>>());
            let ranges: Vec<_> = set.iter().collect();
            prop_assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
            prop_assert_eq!(set.len(), ranges.len());
            prop_assert_eq!(set.sum(), model.len() as u64);
            prop_assert_eq!(set.is_empty(), model.is_empty());
            prop_assert_eq!(set.first(), ranges.first().cloned());
            prop_assert_eq!(set.last(), ranges.last().cloned());
            prop_assert_eq!(set.contains(start), model.contains(&start));
            prop_assert_eq!(set.covers(range.clone()), range.clone().all(|n| model.contains(&n)));
            prop_assert_eq!(set.intersects(range.clone()), range.clone().any(|n| model.contains(&n)));
            let gaps: Vec<_> = set.missing(range.clone()).collect();
            prop_assert!(gaps.windows(2).all(|pair| pair[0].end < pair[1].start));
            prop_assert_eq!(
                gaps.into_iter().flatten().collect::<Vec<_>>(),
                range.filter(|n| !model.contains(n)).collect::<Vec<_>>()
            );
        }
    }
}
