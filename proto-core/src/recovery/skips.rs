//! Walking a list past what is settled without looking at each entry again and again.

use alloc::collections::VecDeque;

/// An entry of a list that grows at the back and shrinks at the front.
pub(super) trait Skips {
    /// 0 for an entry that is not settled. A settled one says how many entries on the next that may not be settled is, at
    /// the nearest.
    fn skip(&self) -> u32;

    fn set_skip(&mut self, entries: u32);
}

/// The index of the first entry from `index` on that is not settled, or one past the end.
///
/// The way is shortened for the next walk (path halving, as in union-find), so that walking over the same settled entries with
/// each acknowledgement costs next to nothing (T6).
pub(super) fn seek<T: Skips>(list: &mut VecDeque<T>, mut index: usize) -> usize {
    while let Some(skip) = list.get(index).map(T::skip).filter(|skip| *skip > 0) {
        #[cfg(test)]
        steps::add();
        let next = index + skip as usize;
        let further = list.get(next).map_or(0, T::skip);
        if further > 0
            && let Some(entry) = list.get_mut(index)
        {
            entry.set_skip(skip.saturating_add(further));
        }
        index = next;
    }
    index
}

/// Counts what the work for an acknowledgement consists of, for the proof of T6.
#[cfg(test)]
pub(super) mod steps {
    use core::cell::Cell;

    std::thread_local! {
        static STEPS: Cell<u64> = const { Cell::new(0) };
    }

    pub(in crate::recovery) fn add() {
        STEPS.set(STEPS.get() + 1);
    }

    /// The steps since the last call.
    pub(in crate::recovery) fn take() -> u64 {
        STEPS.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    impl Skips for u32 {
        fn skip(&self) -> u32 {
            *self
        }

        fn set_skip(&mut self, entries: u32) {
            *self = entries;
        }
    }

    proptest! {
        /// Against a walk from entry to entry, while entries settle, leave the front and join the back.
        #[test]
        fn seeking_is_walking(steps in prop::collection::vec((0..4_u8, 0..100_usize), 1..400)) {
            let mut list: VecDeque<u32> = (0..100).map(|_| 0).collect();
            let mut settled: VecDeque<bool> = list.iter().map(|_| false).collect();
            for (what, at) in steps {
                match what {
                    0 if at < list.len() => {
                        if list[at] == 0 {
                            list[at] = 1;
                        }
                        settled[at] = true;
                    }
                    1 if at < 20 => {
                        list.pop_front();
                        settled.pop_front();
                    }
                    2 if at < 20 => {
                        list.push_back(0);
                        settled.push_back(false);
                    }
                    _ => {
                        let open: Vec<_> = (at..settled.len()).filter(|i| !settled[*i]).collect();
                        let found = seek(&mut list, at);
                        match open.first() {
                            Some(first) => prop_assert_eq!(found, *first),
                            None => prop_assert!(found >= settled.len()),
                        }
                    }
                }
            }
        }
    }
}
