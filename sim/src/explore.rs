//! Many seeds on all cores.

use std::any::Any;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::Trace;
use crate::scenario::Scenario;
use crate::world::{Outcome, Report, observe};

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
    /// Time that all of them took of one core; wall time of the threads where the system does not tell.
    pub core_time: Duration,
}

impl Summary {
    fn add(&mut self, seed: u64, result: Result<Report, String>) {
        self.seeds += 1;
        match result {
            Err(what) => self.failed.push(Failed { seed, what }),
            Ok(report) => self.total.add(&report),
        }
    }
}

/// Runs one scenario; a panic is a failure like any other.
///
/// # Errors
/// What was broken.
pub fn run_guarded(scenario: &Scenario, trace: Trace) -> Result<Report, String> {
    observe_guarded(scenario, trace).map(|outcome| outcome.report)
}

/// The same, goal by goal.
///
/// # Errors
/// What was broken.
pub fn observe_guarded(scenario: &Scenario, trace: Trace) -> Result<Outcome, String> {
    guarded(|| observe(scenario, trace).map_err(|violation| violation.to_string()))
}

/// Runs something; a panic is a failure like any other.
///
/// # Errors
/// Those of `run`.
pub fn guarded<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|panic| Err(format!("panic: {}", message(&*panic))))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "of an unknown kind".into())
}

/// Which seeds to explore.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The first seed.
    pub start: u64,
    /// How many.
    pub count: u64,
    /// Real cryptography in all of them.
    pub tls: bool,
    /// Stop after so many failures.
    pub failures_max: usize,
}

/// Runs the seeds of `plan` on every core. `change` may alter what a seed draws; `on_failure` hears of each failure at
/// once.
pub fn explore(
    plan: Plan,
    change: impl Fn(&mut Scenario) + Sync,
    on_failure: impl Fn(&Failed) + Sync,
) -> Summary {
    let run = |seed| {
        let mut scenario = Scenario::draw(seed, plan.tls);
        change(&mut scenario);
        run_guarded(&scenario, Trace::default())
    };
    explore_with(plan, run, on_failure)
}

/// The same with worlds of another kind.
pub fn explore_with(
    plan: Plan,
    run: impl Fn(u64) -> Result<Report, String> + Sync,
    on_failure: impl Fn(&Failed) + Sync,
) -> Summary {
    let next = AtomicU64::new(plan.start);
    let end = plan.start.saturating_add(plan.count);
    let summary = Mutex::new(Summary::default());
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let run_seeds = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return;
            }
            let result = run(seed);
            let Ok(mut summary) = summary.lock() else {
                return;
            };
            summary.add(seed, result);
            let failed = summary.failed.last().filter(|failed| failed.seed == seed);
            if let Some(failed) = failed.cloned() {
                if summary.failed.len() >= plan.failures_max {
                    next.store(end, Ordering::Relaxed);
                }
                drop(summary);
                on_failure(&failed);
            }
        }
    };
    let work = || {
        let began = Instant::now();
        run_seeds();
        let took = thread_time().unwrap_or_else(|| began.elapsed());
        if let Ok(mut summary) = summary.lock() {
            summary.core_time += took;
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

/// Time that this thread has run, on systems that tell (Linux's `schedstat`: nanoseconds first).
fn thread_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}
