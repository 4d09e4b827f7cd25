//! Things that will happen, in order of time; those of one time in the order in which they were put in.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use proto_core::Instant;

/// A queue ordered by (time, sequence).
#[derive(Clone, Debug)]
pub struct Queue<T> {
    heap: BinaryHeap<Scheduled<T>>,
    sequence: u64,
}

#[derive(Clone, Debug)]
struct Scheduled<T> {
    at: Instant,
    sequence: u64,
    item: T,
}

impl<T> Scheduled<T> {
    fn rank(&self) -> (Instant, u64) {
        (self.at, self.sequence)
    }
}

impl<T> PartialEq for Scheduled<T> {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl<T> Eq for Scheduled<T> {}

impl<T> PartialOrd for Scheduled<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Scheduled<T> {
    /// Reversed: `BinaryHeap` gives its greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.rank().cmp(&self.rank())
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            sequence: 0,
        }
    }
}

impl<T> Queue<T> {
    /// Puts `item` in for the time `at`.
    pub fn push(&mut self, at: Instant, item: T) {
        self.sequence += 1;
        self.heap.push(Scheduled {
            at,
            sequence: self.sequence,
            item,
        });
    }

    /// When the first item is due.
    #[must_use]
    pub fn next_time(&self) -> Option<Instant> {
        self.heap.peek().map(|first| first.at)
    }

    /// Takes the first item, if it is due at `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<(Instant, T)> {
        if self.next_time()? > now {
            return None;
        }
        self.heap.pop().map(|first| (first.at, first.item))
    }

    /// How many items wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Throws everything away.
    pub fn clear(&mut self) {
        self.heap.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_time_then_sequence() {
        let mut queue = Queue::default();
        for (at, item) in [(5, 'a'), (3, 'b'), (5, 'c'), (0, 'd'), (3, 'e')] {
            queue.push(Instant::from_nanos(at), item);
        }
        assert_eq!(queue.next_time(), Some(Instant::ZERO));
        let mut order = String::new();
        while let Some((_, item)) = queue.pop_due(Instant::from_nanos(4)) {
            order.push(item);
        }
        assert_eq!(order, "dbe");
        assert_eq!(queue.len(), 2);
        while let Some((_, item)) = queue.pop_due(Instant::from_nanos(5)) {
            order.push(item);
        }
        assert_eq!(order, "dbeac");
        assert!(queue.is_empty());
    }
}
