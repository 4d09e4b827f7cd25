//! What other threads leave for the driver's thread, which is woken only while it sleeps.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Wake;

/// Things in the order in which they came.
pub(super) struct Inbox<T> {
    post: Mutex<Post<T>>,
    wake: Wake,
}

struct Post<T> {
    things: Vec<T>,
    /// The driver waits, or is about to.
    asleep: bool,
}

impl<T> Inbox<T> {
    pub(super) fn new(wake: Wake) -> Self {
        let post = Post {
            things: Vec::new(),
            asleep: false,
        };
        Self {
            post: Mutex::new(post),
            wake,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Post<T>> {
        // Lists stay whole even if somebody panics.
        self.post.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves all of `things`; a sleeping driver is woken, once.
    pub(super) fn leave(&self, things: &mut Vec<T>) {
        let mut post = self.lock();
        post.things.append(things);
        let asleep = std::mem::take(&mut post.asleep);
        drop(post);
        if asleep {
            (self.wake)();
        }
    }

    /// Leaves one thing, unless `max` are there already.
    pub(super) fn leave_one(&self, max: usize, thing: impl FnOnce() -> T) {
        let mut post = self.lock();
        if post.things.len() < max {
            post.things.push(thing());
        }
        let asleep = std::mem::take(&mut post.asleep);
        drop(post);
        if asleep {
            (self.wake)();
        }
    }

    /// Exchanges what has come for the empty list `out`.
    pub(super) fn take(&self, out: &mut Vec<T>) {
        let mut post = self.lock();
        post.asleep = false;
        std::mem::swap(&mut post.things, out);
    }

    /// Whether the driver may sleep: nothing has come. From now on, what comes wakes it.
    pub(super) fn may_sleep(&self) -> bool {
        let mut post = self.lock();
        post.asleep = post.things.is_empty();
        post.asleep
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn only_a_sleeping_driver_is_woken_and_once() {
        let woken = Arc::new(AtomicU32::new(0));
        let count = woken.clone();
        let inbox = Inbox::new(Arc::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        }));
        inbox.leave(&mut vec![1, 2]);
        assert_eq!(woken.load(Ordering::Relaxed), 0);
        assert!(!inbox.may_sleep(), "something is there");
        let mut out = Vec::new();
        inbox.take(&mut out);
        assert_eq!(out, [1, 2]);
        assert!(inbox.may_sleep());
        inbox.leave(&mut vec![3]);
        inbox.leave(&mut vec![4]);
        assert_eq!(woken.load(Ordering::Relaxed), 1);
        out.clear();
        inbox.take(&mut out);
        assert_eq!(out, [3, 4]);
    }
}
