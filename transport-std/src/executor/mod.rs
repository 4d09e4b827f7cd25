//! The file executor: threads that carry out the core's file operations, beneath directories that no path leaves.
//!
//! Operations come home in any order, from any of the threads; the core keeps those apart that depend on each other.

mod batch;
mod error;
mod io;
mod listing;
mod meta;
#[cfg_attr(target_os = "linux", path = "rooted_linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "rooted_cap.rs")]
mod rooted;
mod roots;
mod run;

#[cfg(all(test, unix))]
mod tests;

use std::collections::VecDeque;
use std::io::Result;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use proto_core::{FileDone, FileOp};

pub use roots::Roots;

use run::Disk;

/// Threads that take operations from one queue and hand each one's [`FileDone`] to a function.
///
/// Dropping it is the same as [`shutdown`](Self::shutdown).
#[derive(Debug)]
pub struct Executor {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    operations: VecDeque<FileOp>,
    closing: bool,
}

impl Executor {
    /// Starts `threads` threads (at least one). `on_done` is called on them, once for each operation; it should only
    /// pass the result on.
    ///
    /// # Errors
    /// No thread can be had; those that were started have ended.
    pub fn start(
        threads: usize,
        roots: Roots,
        on_done: impl Fn(FileDone) + Send + Sync + 'static,
    ) -> Result<Self> {
        let mut executor = Self {
            queue: Arc::default(),
            threads: Vec::new(),
        };
        let disk = Arc::new(Disk::new(roots));
        let on_done = Arc::new(on_done);
        for number in 0..threads.max(1) {
            let (queue, disk, on_done) = (executor.queue.clone(), disk.clone(), on_done.clone());
            let thread = thread::Builder::new()
                .name(format!("dhow-disk-{number}"))
                .spawn(move || {
                    while let Some(operation) = queue.next() {
                        on_done(disk.run(operation));
                    }
                })?;
            executor.threads.push(thread);
        }
        Ok(executor)
    }

    /// Puts an operation into the queue. Never blocks: the core bounds how many are out.
    pub fn submit(&self, operation: FileOp) {
        self.queue.lock().operations.push_back(operation);
        self.queue.changed.notify_one();
    }

    /// Finishes what is queued, then ends the threads. Every operation's `on_done` has returned by then.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.queue.lock().closing = true;
        self.queue.changed.notify_all();
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing left to wait for.
            let _ = thread.join();
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // The lock is held for a push or a pop only, which leave the queue whole even if they panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next operation; `None` when the queue is empty and closing.
    fn next(&self) -> Option<FileOp> {
        let mut state = self.lock();
        loop {
            if let Some(operation) = state.operations.pop_front() {
                return Some(operation);
            }
            if state.closing {
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
