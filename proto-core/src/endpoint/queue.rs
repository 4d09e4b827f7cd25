//! Round-robin queue of peers that have something for the outside.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Slab indices, each at most once, first in first out.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    order: VecDeque<u32>,
    queued: Vec<bool>,
}

impl Queue {
    /// Adds the index at the back unless it is in the queue.
    pub(crate) fn push(&mut self, index: u32) {
        let slot = index as usize;
        if self.queued.len() <= slot {
            self.queued.resize(slot + 1, false);
        }
        if !self.queued[slot] {
            self.queued[slot] = true;
            self.order.push_back(index);
        }
    }

    /// Whether the index is in the queue.
    pub(crate) fn contains(&self, index: u32) -> bool {
        self.queued.get(index as usize) == Some(&true)
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Whether each index is in the queue as often as it is noted: once or not at all.
    pub(crate) fn is_well_formed(&self) -> bool {
        let noted = self.queued.iter().filter(|queued| **queued).count();
        noted == self.order.len() && self.order.iter().all(|index| self.contains(*index))
    }

    /// Takes the index at the front.
    pub(crate) fn pop(&mut self) -> Option<u32> {
        let index = self.order.pop_front()?;
        self.queued[index as usize] = false;
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn holds_each_index_once_in_order() {
        let mut queue = Queue::default();
        for index in [3, 1, 3, 2, 1] {
            queue.push(index);
        }
        assert_eq!([queue.pop(), queue.pop()], [Some(3), Some(1)]);
        queue.push(3);
        assert_eq!(
            [queue.pop(), queue.pop(), queue.pop()],
            [Some(2), Some(3), None]
        );
    }

    proptest! {
        /// Against a list that is searched from end to end.
        #[test]
        fn behaves_like_a_list_without_doubles(
            ops in prop::collection::vec(prop::option::weighted(0.6, 0..12_u32), 0..200),
        ) {
            let mut queue = Queue::default();
            let mut model = Vec::new();
            for op in ops {
                match op {
                    Some(index) => {
                        queue.push(index);
                        if !model.contains(&index) {
                            model.push(index);
                        }
                    }
                    None => {
                        let front = (!model.is_empty()).then(|| model.remove(0));
                        prop_assert_eq!(queue.pop(), front);
                    }
                }
                prop_assert_eq!(&queue.order, &model);
            }
        }
    }
}
