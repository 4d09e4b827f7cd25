//! Crash consistency: uploads and downloads whose sink loses power, or dies, before and after every file operation.
//!
//! At each of these moments the sink's disk is copied, and the copies lose power, each with another subset of what was
//! not synced ([`SUBSETS`] of them). What stands under the target's name then must be:
//!
//! | durability asked for | before the client is told | once the client was told STORED |
//! |---|---|---|
//! | `full` | what stood there before, or the whole new file | the whole new file |
//! | `file` | what stood there before, or the whole new file | the same: the name may be lost, bytes never |
//! | `none` | what stood there before, or a remnant of the new file | the same |
//!
//! What stood there before is untouched: the old bytes, or nothing. The whole new file is all its bytes and its length,
//! with its modification time where that is kept. A *remnant* is what `none` leaves room for: no longer than
//! the new file, and each byte is that of the new file or zero (space that was never written); never a byte of the old
//! file, nor of another. STORED tells the durability that was reached, and that counts: after a failed sync of the directory
//! `full` is told as `file`. A target that is left as it is (`Never`, unchanged) must stay so.
//!
//! When only the process dies, nothing that was written is lost, so that for every durability the target is what stood
//! there before or the whole new file, and the latter once the client was told. The same must hold for those who look
//! while the machine runs.
//!
//! Each seed also makes, renames or removes something (`names`), with promises of their own.
//!
//! No other names may appear but those of temporary files, and after a restart on the same disk an upload to the same
//! name must succeed and survive the next power loss.

mod again;
mod case;
pub(crate) mod exchange;
mod judge;
mod names;
mod run;
#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

pub use run::{run_bug, run_seed};

/// Power losses at each moment, each keeping another subset of what was not synced.
pub const SUBSETS: u64 = 64;

/// Runs between two looks at whether there were enough of them: a fixed number, so that the same options do the same
/// on every machine.
const ROUND: u64 = 64;

/// What the disk lies about, to see whether it is noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Lie {
    /// Nothing.
    #[default]
    None,
    /// `Sync` does nothing.
    Sync,
    /// `SyncDir` does nothing.
    SyncDir,
}

/// How much to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Amount {
    /// So many runs.
    Runs(u64),
    /// So many power losses, or a few more.
    Points(u64),
}

/// What came of one run or many.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Runs: one session with one or several transfers.
    pub runs: u64,
    /// Files sent.
    pub files: u64,
    /// Directories made, things renamed and removed.
    pub changes: u64,
    /// File operations of the sinks.
    pub operations: u64,
    /// Moments at which the disk was copied.
    pub moments: u64,
    /// Power losses that were judged.
    pub points: u64,
    /// Deaths of the process that were judged.
    pub process_crashes: u64,
    /// Restarts with an upload to a name that had been crashed.
    pub restarts: u64,
    /// Restarts with the same transfers again.
    pub resumes: u64,
    /// Power losses after which a target was the new file, whole.
    pub found_new: u64,
    /// Power losses after which a target was what stood there before.
    pub found_old: u64,
    /// Power losses after which a target was a remnant, which `none` leaves room for.
    pub found_remnant: u64,
}

impl Report {
    fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.files += other.files;
        self.changes += other.changes;
        self.operations += other.operations;
        self.moments += other.moments;
        self.points += other.points;
        self.process_crashes += other.process_crashes;
        self.restarts += other.restarts;
        self.resumes += other.resumes;
        self.found_new += other.found_new;
        self.found_old += other.found_old;
        self.found_remnant += other.found_remnant;
    }
}

/// A broken promise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The seed of the run; [`run_seed`] replays it.
    pub seed: u64,
    /// What was broken, and when.
    pub what: String,
}

/// What came of many runs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// The sum of all runs that kept every promise.
    pub total: Report,
    /// The first violation of each other run, by seed.
    pub violations: Vec<Violation>,
}

/// Runs the seeds from `seed` on, on all cores, until `amount` is done or a round has brought a violation.
#[must_use]
pub fn explore(seed: u64, amount: Amount, lie: Lie) -> Summary {
    let mut summary = Summary::default();
    let mut first = seed;
    loop {
        let left = match amount {
            Amount::Runs(runs) => runs.saturating_sub(first - seed),
            Amount::Points(points) if summary.total.points >= points => 0,
            Amount::Points(_) => ROUND,
        };
        if left == 0 || !summary.violations.is_empty() {
            return summary;
        }
        let end = first.saturating_add(left.min(ROUND));
        round(first, end, lie, &mut summary);
        if end == first {
            return summary;
        }
        first = end;
    }
}

fn round(first: u64, end: u64, lie: Lie, summary: &mut Summary) {
    let next = AtomicU64::new(first);
    let results = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let result = run_guarded(seed, lie);
                    if let Ok(mut results) = results.lock() {
                        results.push((seed, result));
                    }
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|(seed, _)| *seed);
    for (seed, result) in results {
        match result {
            Ok(report) => summary.total.add(&report),
            Err(what) => summary.violations.push(Violation { seed, what }),
        }
    }
}

/// A panic of the core is a violation like any other; its message is on the standard error.
fn run_guarded(seed: u64, lie: Lie) -> Result<Report, String> {
    let run = AssertUnwindSafe(|| {
        let mut report = run_seed(seed, lie, &mut |_| {})?;
        report.add(&names::run(seed, lie).map_err(|what| format!("names: {what}"))?);
        Ok(report)
    });
    catch_unwind(run).unwrap_or_else(|_| Err("a panic".into()))
}
