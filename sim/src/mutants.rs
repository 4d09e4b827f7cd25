//! Planted bugs, each of which the simulator must find within a stated number of seeds: the proof that its invariants see
//! what they should.
//!
//! A mutant plants one bug of [`proto_core::fault`] in both ends of drawn runs. Where the drawn worlds are too mild for it,
//! it names a [`Finder`] of its own.

mod list;
mod profile;

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use proto_core::fault::Fault;

pub use list::MUTANTS;
pub use profile::Profile;

use crate::crash;
use crate::explore::guarded;
use crate::scenario::Scenario;
use crate::world::World;

/// A planted bug, and where it must be found.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// The bug.
    pub bug: Fault,
    /// It strikes one time in so many; 1 is always.
    pub one_in: u32,
    /// What finds it.
    pub finder: Finder,
    /// Within so many seeds.
    pub seeds: u64,
    /// Whether it is found, within as many seeds, without the audit too: from what can be seen from outside of the core.
    pub black_box: bool,
}

/// What looks for a bug.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finder {
    /// `explore`: worlds as their seeds draw them.
    Drawn,
    /// `explore`, with harder worlds of one kind.
    Harder(Profile),
    /// `crash`: power losses before and after each file operation. It has no audit.
    Crash,
    /// The same, with a third of all syncs failing.
    CrashWithFailingSyncs,
}

impl Finder {
    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Drawn => "explore",
            Self::Harder(profile) => profile.name(),
            Self::Crash => "crash",
            Self::CrashWithFailingSyncs => "crash, failing syncs",
        }
    }
}

/// A bug that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Seeds that ran until then, with the one that found it.
    pub seeds: u64,
    /// What the simulator said.
    pub what: String,
}

impl Mutant {
    /// The planted bug of this name.
    #[must_use]
    pub fn of(bug: Fault) -> Option<&'static Self> {
        MUTANTS.iter().find(|mutant| mutant.bug == bug)
    }

    /// Runs the seeds from `start` on until one fails, at most `seeds` of them; `audits` as [`World::set_audits`].
    #[must_use]
    pub fn find(&self, start: u64, seeds: u64, audits: bool) -> Option<Found> {
        (0..seeds).find_map(|number| {
            let seed = start.wrapping_add(number);
            let what = self.run(seed, audits).err()?;
            Some(Found {
                seeds: number + 1,
                what,
            })
        })
    }

    /// Runs one seed.
    ///
    /// # Errors
    /// What was broken: the bug is found.
    pub fn run(&self, seed: u64, audits: bool) -> Result<(), String> {
        guarded(|| match self.finder {
            Finder::Crash | Finder::CrashWithFailingSyncs => {
                let failing_syncs = self.finder == Finder::CrashWithFailingSyncs;
                crash::run_bug(seed, (self.bug, self.one_in), failing_syncs).map(drop)
            }
            Finder::Drawn | Finder::Harder(_) => {
                let scenario = self.scenario(seed);
                let mut world = World::new(&scenario).map_err(|error| error.to_string())?;
                world.set_audits(audits);
                world.run().map(drop).map_err(|error| error.to_string())
            }
        })
    }

    /// The world of `seed` with this bug; for `crash`, as `explore` would have it.
    #[must_use]
    pub fn scenario(&self, seed: u64) -> Scenario {
        let mut scenario = Scenario::draw(seed, false);
        if let Finder::Harder(profile) = self.finder {
            profile.apply(&mut scenario);
        }
        let clients = scenario.clients.iter_mut().map(|client| &mut client.host);
        for host in clients.chain([&mut scenario.server]) {
            host.faults.set(self.bug, self.one_in);
        }
        scenario
    }
}

/// Does `work` for each of `jobs` on every core; the results are in the order of the jobs.
pub fn in_parallel<J: Sync, R: Send>(jobs: &[J], work: impl Fn(&J) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let worker = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(place) else { return };
            let result = work(job);
            if let Ok(mut results) = results.lock() {
                results.push((place, result));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(worker);
        }
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}
