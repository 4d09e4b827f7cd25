//! Many seeds on all cores.

use std::any::Any;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::world::{Report, Trace, run_seed};

/// A seed whose run broke an invariant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failed {
    /// The seed.
    pub seed: u64,
    /// What was broken.
    pub what: String,
}

/// What came of many seeds.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Seeds that ran.
    pub seeds: u64,
    /// The sums of their reports; the digest mixes all of theirs, whatever the order.
    pub total: Report,
    /// Those that broke an invariant, by seed.
    pub failed: Vec<Failed>,
}

impl Summary {
    fn add(&mut self, seed: u64, result: Result<Report, String>) {
        self.seeds += 1;
        match result {
            Err(what) => self.failed.push(Failed { seed, what }),
            Ok(report) => {
                let total = &mut self.total;
                total.digest ^= report.digest;
                total.met += report.met;
                total.failed += report.failed;
                total.sessions_lost += report.sessions_lost;
                total.bytes += report.bytes;
                total.resent += report.resent;
                total.datagrams += report.datagrams;
                total.wire_bytes += report.wire_bytes;
                total.elapsed += report.elapsed;
                total.steps += report.steps;
            }
        }
    }
}

/// Runs one seed; a panic is a failure like any other.
///
/// # Errors
/// What was broken.
pub fn run_guarded(seed: u64, tls: bool, trace: Trace) -> Result<Report, String> {
    let run = catch_unwind(AssertUnwindSafe(|| run_seed(seed, tls, trace)));
    match run {
        Ok(result) => result.map_err(|violation| violation.to_string()),
        Err(panic) => Err(format!("panic: {}", panic_text(panic.as_ref()))),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "of an unknown kind".into())
}

/// Runs `count` seeds from `start` on, on every core; `on_failure` hears of each failure at once. It stops early after
/// `failures_max` of them.
pub fn explore(
    start: u64,
    count: u64,
    tls: bool,
    failures_max: usize,
    on_failure: impl Fn(&Failed) + Sync,
) -> Summary {
    let next = AtomicU64::new(start);
    let end = start.saturating_add(count);
    let summary = Mutex::new(Summary::default());
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return;
            }
            let result = run_guarded(seed, tls, Trace::default());
            let Ok(mut summary) = summary.lock() else {
                return;
            };
            summary.add(seed, result);
            if let Some(failed) = summary.failed.last().filter(|failed| failed.seed == seed) {
                on_failure(failed);
                if summary.failed.len() >= failures_max {
                    next.store(end, Ordering::Relaxed);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let mut summary = summary.into_inner().unwrap_or_default();
    summary.failed.sort_by_key(|failed| failed.seed);
    summary
}
