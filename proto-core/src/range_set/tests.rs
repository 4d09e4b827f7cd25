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

#[derive(Clone, Debug)]
enum Op {
    Insert(Range<u64>),
    Extend,
    Remove(Range<u64>),
    PopFirst,
    Clear,
    Shrink,
}

/// A range, now and then an empty or an inverted one.
fn range() -> impl Strategy<Value = Range<u64>> {
    (0..96_u64, 0..22_u64).prop_map(|(start, len)| start..(start + len).saturating_sub(2))
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        20 => range().prop_map(Op::Insert),
        4 => Just(Op::Extend),
        12 => range().prop_map(Op::Remove),
        4 => Just(Op::PopFirst),
        1 => Just(Op::Clear),
        1 => Just(Op::Shrink),
    ]
}

/// Every number in the set.
#[derive(Default)]
struct Model(BTreeSet<u64>);

impl Model {
    fn apply(&mut self, set: &mut RangeSet, op: &Op, shift: impl Fn(&Range<u64>) -> Range<u64>) {
        let numbers = &mut self.0;
        match op {
            Op::Insert(range) => {
                let range = shift(range);
                let new = range.clone().filter(|n| numbers.insert(*n)).count() as u64;
                assert_eq!(set.insert(range), new);
            }
            Op::Extend => {
                set.extend(2);
                let end = numbers.last().map(|last| last.saturating_add(1));
                numbers.extend(
                    end.map(|end| end..end.saturating_add(2))
                        .unwrap_or_default(),
                );
            }
            Op::Remove(range) => {
                let range = shift(range);
                let gone = range.clone().filter(|n| numbers.remove(n)).count() as u64;
                assert_eq!(set.remove(range), gone);
            }
            Op::PopFirst => {
                let first = set.pop_first();
                let lowest = numbers.first().copied();
                assert_eq!(first.as_ref().map(|r| r.start), lowest);
                assert!(first.unwrap_or_default().all(|n| numbers.remove(&n)));
            }
            Op::Clear => {
                set.clear();
                numbers.clear();
            }
            Op::Shrink => set.shrink(),
        }
    }

    /// The whole set, and the answers to questions about `asked`.
    fn check(&self, set: &RangeSet, asked: Range<u64>) {
        let numbers = &self.0;
        assert!(set.iter().flatten().eq(numbers.iter().copied()));
        let ranges: Vec<_> = set.iter().collect();
        assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
        assert!(ranges.iter().all(|range| !range.is_empty()));
        assert_eq!((set.len(), set.sum()), (ranges.len(), numbers.len() as u64));
        assert_eq!(set.is_empty(), numbers.is_empty());
        assert_eq!(set.first().as_ref(), ranges.first());
        assert_eq!(set.last().as_ref(), ranges.last());
        assert!(set.iter().rev().eq(ranges.into_iter().rev()));
        for n in [asked.start, asked.end] {
            assert_eq!(set.contains(n), numbers.contains(&n));
        }
        let inside = |n: &u64| numbers.contains(n);
        assert_eq!(set.covers(asked.clone()), asked.clone().all(|n| inside(&n)));
        assert_eq!(
            set.intersects(asked.clone()),
            asked.clone().any(|n| inside(&n))
        );
        let gaps: Vec<_> = set.missing(asked.clone()).collect();
        assert!(gaps.windows(2).all(|pair| pair[0].end < pair[1].start));
        assert_eq!(set.misses(asked.clone()), !gaps.is_empty());
        assert!(gaps.into_iter().flatten().eq(asked.filter(|n| !inside(n))));
    }
}

proptest! {
    /// Against a set of single numbers, at the lower and the upper end of all numbers.
    #[test]
    fn behaves_like_a_set_of_numbers(
        high: bool,
        steps in prop::collection::vec((op(), range()), 0..120),
    ) {
        let base = if high { u64::MAX - 116 } else { 0 };
        let shift = |range: &Range<u64>| base + range.start..base + range.end;
        let (mut set, mut model) = (RangeSet::new(), Model::default());
        for (op, asked) in &steps {
            model.apply(&mut set, op, shift);
            model.check(&set, shift(asked));
        }
    }
}
