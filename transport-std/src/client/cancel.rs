//! Ending jobs early.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Ends jobs early, from any thread: give clones of one to the jobs' options. A cancelled job fails with
/// [`ErrorCode::Cancelled`](crate::ErrorCode::Cancelled).
#[derive(Clone, Default)]
pub struct Cancel(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    cancelled: bool,
    /// What tells each running job, by a serial number.
    jobs: Vec<(u64, Box<dyn Fn() + Send>)>,
    serial: u64,
}

impl Cancel {
    /// One that nobody has used yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends every job that has it, also those that are started later.
    pub fn cancel(&self) {
        let mut state = self.lock();
        state.cancelled = true;
        for (_, tell) in &state.jobs {
            tell();
        }
    }

    /// Whether [`cancel`](Self::cancel) was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.lock().cancelled
    }

    /// Has `tell` called when it is cancelled, at once if it is already, until the watch is dropped.
    pub(super) fn watch(&self, tell: impl Fn() + Send + 'static) -> Watch {
        let mut state = self.lock();
        if state.cancelled {
            tell();
        }
        state.serial += 1;
        let serial = state.serial;
        state.jobs.push((serial, Box::new(tell)));
        Watch {
            cancel: self.clone(),
            serial,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cancel({})", self.is_cancelled())
    }
}

/// One job's interest in a [`Cancel`].
pub(super) struct Watch {
    cancel: Cancel,
    serial: u64,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.cancel
            .lock()
            .jobs
            .retain(|(serial, _)| *serial != self.serial);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn watchers_are_told_while_they_watch() {
        let cancel = Cancel::new();
        let told = Arc::new(AtomicU32::new(0));
        let watch = || {
            let told = told.clone();
            cancel.watch(move || {
                told.fetch_add(1, Ordering::Relaxed);
            })
        };
        let (first, _second) = (watch(), watch());
        drop(first);
        cancel.cancel();
        assert_eq!(told.load(Ordering::Relaxed), 1);
        let _late = watch();
        assert_eq!(told.load(Ordering::Relaxed), 2);
        assert!(cancel.is_cancelled());
    }
}
