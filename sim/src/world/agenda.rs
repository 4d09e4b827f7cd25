use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proto_core::Instant;

/// When each user does something next.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// What holds; the heap also has times that no longer do.
    times: Vec<Option<Instant>>,
    left: Vec<bool>,
    heap: BinaryHeap<Reverse<(Instant, usize)>>,
}

impl Agenda {
    /// Sets when `user` does something next.
    pub(super) fn set(&mut self, user: usize, at: Option<Instant>) {
        if self.times.len() <= user {
            self.times.resize(user + 1, None);
            self.left.resize(user + 1, false);
        }
        if self.times[user] != at {
            self.times[user] = at;
            self.heap.extend(at.map(|at| Reverse((at, user))));
        }
    }

    /// Notes that `user` has left; says whether that is new.
    pub(super) fn leave(&mut self, user: usize) -> bool {
        !std::mem::replace(&mut self.left[user], true)
    }

    /// When a user may do something next: never later than one does.
    pub(super) fn next_time(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes a user who does something at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<usize> {
        while let Some(&Reverse((at, user))) = self.heap.peek()
            && at <= now
        {
            self.heap.pop();
            if self.times[user] == Some(at) {
                self.times[user] = None;
                return Some(user);
            }
        }
        None
    }
}
