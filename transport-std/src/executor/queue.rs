//! Operations that wait for a thread, and how many threads they deserve.
//!
//! Waking a thread costs as much as reading a block that is in memory. So while operations on bytes are quick, one thread
//! takes several of them before a second is woken, and reports them together; on a disk that makes them wait, each has a
//! thread of its own as far as there are any.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proto_core::{FileOp, Operation};

use super::joined::{JOINED_MAX, follows};

/// Operations on bytes that one thread takes on, while they are quick.
pub(super) const BATCH: usize = 4;

/// An operation on bytes that takes longer waits for something other than memory.
const QUICK: Duration = Duration::from_micros(250);

/// So many of them in a row are the disk's doing; a single one is a thread that had to wait for a core.
const SLOW_IN_A_ROW: u32 = 4;

/// After this, finished operations are not kept back for the sake of a batch.
pub(super) const PATIENCE: Duration = Duration::from_micros(200);

/// The queue of an executor.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    operations: VecDeque<FileOp>,
    closing: bool,
    threads: Threads,
    /// Idle threads that were called and have not come yet; they count as busy.
    called: usize,
}

/// What the threads do.
#[derive(Clone, Copy, Debug, Default)]
struct Threads {
    idle: usize,
    busy: usize,
    /// Operations on bytes in a row that were not quick.
    slow: u32,
    /// Threads that can run at the same time: what is in memory needs no more.
    cores: usize,
}

impl Threads {
    /// The disk answers from memory.
    fn is_quick(self) -> bool {
        self.slow < SLOW_IN_A_ROW
    }

    /// Threads to wake when `waiting` operations wait, of which `fresh` have just come, and of those `other` are not on
    /// bytes.
    fn to_wake(self, waiting: usize, fresh: usize, other: usize) -> usize {
        let wanted = match self.is_quick() {
            true => waiting
                .div_ceil(BATCH)
                .min(self.cores)
                .saturating_sub(self.busy)
                .max(other),
            false => fresh,
        };
        wanted.min(self.idle)
    }
}

/// Whether the operation moves bytes of a file, and nothing else.
pub(super) fn is_on_bytes(operation: &FileOp) -> bool {
    matches!(
        operation.what,
        Operation::Read { .. } | Operation::Write { .. } | Operation::Hash { .. }
    )
}

impl State {
    fn pop_run(&mut self, run: &mut Vec<FileOp>) -> bool {
        while run.len() < JOINED_MAX
            && let Some(next) = self.operations.front()
            && run
                .last()
                .is_none_or(|before| follows(&before.what, &next.what))
        {
            run.extend(self.operations.pop_front());
        }
        !run.is_empty()
    }
}

impl Queue {
    /// An empty queue whose threads share `cores` cores (at least one).
    pub(super) fn new(cores: usize) -> Self {
        let queue = Self::default();
        queue.lock().threads.cores = cores.max(1);
        queue
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The lock is held for moments that leave the queue whole even if they panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread begins to serve the queue.
    pub(super) fn enter(&self) {
        self.lock().threads.busy += 1;
    }

    /// Takes all of `operations`.
    pub(super) fn push(&self, operations: &mut Vec<FileOp>) {
        let fresh = operations.len();
        let other = operations
            .iter()
            .filter(|operation| !is_on_bytes(operation))
            .count();
        let mut state = self.lock();
        for operation in operations.drain(..) {
            match operation.what {
                // A few bytes, and the sooner they are written the less is sent again after a kill: they do not wait behind
                // thousands of blocks.
                Operation::WriteLog { .. } => state.operations.push_front(operation),
                _ => state.operations.push_back(operation),
            }
        }
        let count = state.threads.to_wake(state.operations.len(), fresh, other);
        self.call(state, count);
    }

    /// Wakes `count` idle threads.
    fn call(&self, mut state: MutexGuard<'_, State>, count: usize) {
        state.threads.idle -= count;
        state.threads.busy += count;
        state.called += count;
        drop(state);
        for _ in 0..count {
            self.changed.notify_one();
        }
    }

    /// Appends to `run` the next operation, if one is there, and those behind it that are done together with it.
    pub(super) fn try_next(&self, run: &mut Vec<FileOp>) -> bool {
        self.lock().pop_run(run)
    }

    /// The same, when there is one; false when the queue is empty and closing.
    pub(super) fn next(&self, run: &mut Vec<FileOp>) -> bool {
        let mut state = self.lock();
        loop {
            if state.pop_run(run) {
                return true;
            }
            if state.closing {
                return false;
            }
            state.threads.idle += 1;
            state.threads.busy -= 1;
            while state.called == 0 && !state.closing {
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            if state.called > 0 {
                state.called -= 1;
            } else {
                state.threads.idle -= 1;
                state.threads.busy += 1;
            }
        }
    }

    /// An operation on bytes has taken this long.
    pub(super) fn note(&self, took: Duration) {
        let mut state = self.lock();
        state.threads.slow = match took < QUICK {
            true => 0,
            false => state.threads.slow.saturating_add(1),
        };
        if !state.threads.is_quick() {
            // What has gathered behind a slow one need not wait for the next.
            let count = state.operations.len().min(state.threads.idle);
            self.call(state, count);
        }
    }

    /// No more will come.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threads(idle: usize, busy: usize, quick: bool) -> Threads {
        Threads {
            idle,
            busy,
            slow: if quick { 0 } else { SLOW_IN_A_ROW },
            cores: 4,
        }
    }

    #[test]
    fn quick_operations_share_threads_and_slow_ones_do_not() {
        assert_eq!(threads(4, 0, true).to_wake(1, 1, 0), 1);
        assert_eq!(threads(4, 0, true).to_wake(4, 4, 0), 1);
        assert_eq!(threads(4, 0, true).to_wake(5, 5, 0), 2);
        assert_eq!(threads(3, 1, true).to_wake(4, 4, 0), 0);
        assert_eq!(threads(3, 1, true).to_wake(9, 5, 0), 2);
        assert_eq!(threads(4, 0, true).to_wake(40, 40, 0), 4);
        let two_cores = Threads {
            cores: 2,
            ..threads(4, 0, true)
        };
        assert_eq!(two_cores.to_wake(40, 40, 0), 2);
        assert_eq!(threads(4, 0, false).to_wake(4, 4, 0), 4);
        assert_eq!(threads(3, 1, false).to_wake(1, 1, 0), 1);
    }

    #[test]
    fn one_that_had_to_wait_does_not_make_a_slow_disk() {
        let queue = Queue::new(2);
        let quick = || queue.lock().threads.is_quick();
        for _ in 1..SLOW_IN_A_ROW {
            queue.note(QUICK);
            assert!(quick());
        }
        queue.note(Duration::ZERO);
        queue.note(QUICK);
        assert!(quick());
        for _ in 1..SLOW_IN_A_ROW {
            queue.note(QUICK);
        }
        assert!(!quick());
        queue.note(Duration::ZERO);
        assert!(quick());
    }

    #[test]
    fn what_is_not_on_bytes_never_waits_for_a_busy_thread() {
        assert_eq!(threads(3, 1, true).to_wake(1, 1, 1), 1);
        assert_eq!(threads(3, 1, true).to_wake(3, 3, 2), 2);
        assert_eq!(threads(0, 4, true).to_wake(3, 3, 3), 0);
    }
}
