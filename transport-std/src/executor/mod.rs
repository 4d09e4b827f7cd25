//! The file executor: threads that carry out the core's file operations, beneath directories that no path leaves.
//!
//! Operations come home in any order, from any of the threads; the core keeps those apart that depend on each other.

mod batch;
mod error;
mod filters;
mod io;
mod joined;
mod lease;
mod listing;
mod making;
mod meta;
mod queue;
mod quota;
mod removal;
#[cfg_attr(target_os = "linux", path = "rooted_linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "rooted_cap.rs")]
mod rooted;
mod roots;
mod run;
mod sparse;
mod sweep;

#[cfg(all(test, unix))]
mod tests;

use std::io::Result;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use proto_core::{FileDone, FileOp};

pub use filters::check_filter;
pub use quota::{Account, Owner};
pub use roots::Roots;

use joined::JOINED_MAX;
use queue::{BATCH, PATIENCE, Queue, is_on_bytes};
use run::Disk;

/// Threads that take operations from one queue and hand each one's [`FileDone`] to a function.
///
/// Dropping it is the same as [`shutdown`](Self::shutdown).
#[derive(Debug)]
pub struct Executor {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

impl Executor {
    /// Starts `threads` threads (at least one). `on_done` is called on them and takes all results out of the list, one
    /// for each operation; it should only pass them on.
    ///
    /// # Errors
    /// No thread can be had; those that were started have ended.
    pub fn start(
        threads: usize,
        roots: Roots,
        on_done: impl Fn(&mut Vec<FileDone>) + Send + Sync + 'static,
    ) -> Result<Self> {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let mut executor = Self {
            queue: Arc::new(Queue::new(cores)),
            threads: Vec::new(),
        };
        let disk = Arc::new(Disk::new(roots));
        let on_done = Arc::new(on_done);
        for number in 0..threads.max(1) {
            let (queue, disk, on_done) = (executor.queue.clone(), disk.clone(), on_done.clone());
            let thread = thread::Builder::new()
                .name(format!("dhow-disk-{number}"))
                .spawn(move || serve(&queue, &disk, &*on_done))?;
            executor.threads.push(thread);
        }
        Ok(executor)
    }

    /// Puts all `operations` into the queue. Never blocks: the core bounds how many are out.
    pub fn submit(&self, operations: &mut Vec<FileOp>) {
        if !operations.is_empty() {
            self.queue.push(operations);
        }
    }

    /// Finishes what is queued, then ends the threads. Every operation's `on_done` has returned by then.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing left to wait for.
            let _ = thread.join();
        }
    }
}

/// What a thread does until the queue closes. Results of quick operations are reported together.
fn serve(queue: &Queue, disk: &Disk, on_done: &dyn Fn(&mut Vec<FileDone>)) {
    let mut run = Vec::with_capacity(JOINED_MAX);
    let mut done = Vec::with_capacity(BATCH + JOINED_MAX);
    let mut reported = Instant::now();
    queue.enter();
    loop {
        if !queue.try_next(&mut run) {
            if !done.is_empty() {
                on_done(&mut done);
            }
            if !queue.next(&mut run) {
                return;
            }
            reported = Instant::now();
        }
        let on_bytes = run.first().is_some_and(is_on_bytes);
        if !on_bytes && !done.is_empty() {
            on_done(&mut done);
        }
        let (begin, count) = (Instant::now(), run.len() as u32);
        joined::run(disk, &mut run, &mut done);
        let end = Instant::now();
        if on_bytes {
            queue.note((end - begin) / count);
        }
        if !on_bytes || done.len() >= BATCH || end - reported >= PATIENCE {
            on_done(&mut done);
            reported = end;
        }
    }
}
