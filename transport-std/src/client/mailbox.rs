//! Between a waiting caller and the driver's thread: what a job tells, and its end.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use proto_core::{Failure, FileInfo, FileReport, Finished, TransferStats};

use super::Progress;

/// Between two looks at progress: a caller that is woken for every step costs more than it learns.
const REST: Duration = Duration::from_millis(10);

/// Pages of a listing (64 KiB at most, each) that may wait for a slow caller.
const PAGES_MAX: usize = 8;

/// One thing that a job tells.
#[derive(Debug)]
pub(super) enum Update {
    Progress(Progress),
    Entry(FileInfo),
    /// Encoded entries of a listing.
    Page(Vec<u8>),
    /// What became of files of a directory.
    Files(Vec<FileReport>),
}

/// A job's end.
pub(super) type End = (Result<Finished, Failure>, TransferStats);

/// A job's updates, waiting for the caller. Progress coalesces, so that a slow caller costs no memory.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    post: Mutex<Post>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Post {
    updates: VecDeque<Update>,
    end: Option<End>,
    /// Pages of a listing among the updates.
    pages: usize,
    /// The listing waits until these are read.
    held: bool,
    /// The caller has seen progress just now, and looks again by itself.
    resting: bool,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Post> {
        // Nothing that could panic happens under the lock.
        self.post.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn update(&self, update: Update) {
        let mut post = self.lock();
        let wakes = !(post.resting && is_moved(&update));
        post.pages += usize::from(is_page(&update));
        match post.updates.back_mut() {
            Some(last) if is_moved(last) && is_moved(&update) => *last = update,
            _ => post.updates.push_back(update),
        }
        drop(post);
        if wakes {
            self.changed.notify_one();
        }
    }

    /// Whether so many pages of a listing wait that no more should come before they are read.
    pub(super) fn holds_listing(&self) -> bool {
        let mut post = self.lock();
        post.held |= post.pages >= PAGES_MAX;
        post.held
    }

    /// Whether the pages that were waited for are read: more may come. True once.
    pub(super) fn lets_listing_go_on(&self) -> bool {
        let mut post = self.lock();
        let read = post.held && post.pages == 0;
        post.held &= !read;
        read
    }

    /// The job is over; only the first end counts.
    pub(super) fn end(&self, end: End) {
        self.lock().end.get_or_insert(end);
        self.changed.notify_one();
    }

    /// Hands every update to `each` and returns the job's end.
    pub(super) fn wait(&self, mut each: impl FnMut(Update)) -> End {
        let mut post = self.lock();
        loop {
            if let Some(update) = post.updates.pop_front() {
                let moved = is_moved(&update);
                post.pages -= usize::from(is_page(&update));
                drop(post);
                each(update);
                post = self.lock();
                if moved {
                    post = self.rest(post);
                }
            } else if let Some(end) = post.end.take() {
                return end;
            } else {
                post = self
                    .changed
                    .wait(post)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Waits a moment, unless something other than progress comes.
    fn rest<'a>(&self, mut post: MutexGuard<'a, Post>) -> MutexGuard<'a, Post> {
        let until = Instant::now() + REST;
        post.resting = true;
        while post.end.is_none() && post.updates.iter().all(is_moved) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(post, left);
            post = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        post.resting = false;
        post
    }
}

fn is_page(update: &Update) -> bool {
    matches!(update, Update::Page(_))
}

fn is_moved(update: &Update) -> bool {
    matches!(update, Update::Progress(Progress::Moved { .. }))
}

/// The driver's side of a mailbox. Dropped without an end, it says that the session is lost, so that no caller waits
/// for ever.
#[derive(Debug)]
pub(super) struct Ticket {
    /// Names the job within its client.
    pub(super) number: u64,
    pub(super) mailbox: Arc<Mailbox>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.mailbox
            .end((Err(Failure::SessionLost), TransferStats::default()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_coalesces_and_nothing_else_does() {
        let mailbox = Mailbox::default();
        let moved = |bytes| {
            Update::Progress(Progress::Moved {
                bytes,
                had: 0,
                whole: 0,
                size: 9,
                resent: 0,
                files: 1,
                limited_by: proto_core::LimitedBy::Network,
            })
        };
        mailbox.update(Update::Progress(Progress::Accepted));
        mailbox.update(moved(1));
        mailbox.update(moved(2));
        mailbox.update(Update::Page(vec![1]));
        mailbox.update(Update::Page(vec![2]));
        mailbox.update(moved(3));
        drop(Ticket {
            number: 0,
            mailbox: Arc::new(Mailbox::default()),
        });
        mailbox.end((Ok(Finished::Answered), TransferStats::default()));
        let mut seen = Vec::new();
        let end = mailbox.wait(|update| seen.push(update));
        assert!(matches!(
            seen.as_slice(),
            [
                Update::Progress(Progress::Accepted),
                Update::Progress(Progress::Moved { bytes: 2, .. }),
                Update::Page(_),
                Update::Page(_),
                Update::Progress(Progress::Moved { bytes: 3, .. }),
            ]
        ));
        assert_eq!(end.0, Ok(Finished::Answered));
    }

    #[test]
    fn a_lost_ticket_ends_the_wait() {
        let mailbox = Arc::new(Mailbox::default());
        let ticket = Ticket {
            number: 1,
            mailbox: mailbox.clone(),
        };
        let waiter = std::thread::spawn(move || mailbox.wait(|_| {}));
        drop(ticket);
        assert_eq!(waiter.join().unwrap().0, Err(Failure::SessionLost));
    }
}
