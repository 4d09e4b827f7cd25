//! A transfer over a link: a few numbers that quickcheck draws and shrinks, and the scenario that they stand for.
//!
//! Every property builds its scenario here, so that a new part of [`Scenario`] is filled in in one place.

use std::sync::{Arc, Mutex};

use proto_core::wire::{Durability, FilePath};
use proto_core::{Duration, Overwrite};
use quickcheck::{Arbitrary, Gen};
use sim::disk::{DiskPlan, WALL_CLOCK};
use sim::lab::Trace;
use sim::link::{Link, LinkPlan, QueueLimit, RatePlan};
use sim::rng::Rng;
use sim::scenario::{
    ClientPlan, Copy, Goal, GoalPlan, HostPlan, Kind, LimitsPlan, Planted, Scenario, draw_size,
};
use sim::world::{Report, World};

/// What differs from run to run. All fields are numbers, and simpler when smaller; 0 is the simplest.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Of everything random.
    pub(crate) seed: u64,
    /// Bytes of the file.
    pub(crate) size: u64,
    /// Microseconds one way.
    pub(crate) delay: u64,
    /// Kilobits per second, at least 500; 0 for no limit.
    pub(crate) rate: u64,
    /// Datagrams lost, of 1,000.
    pub(crate) loss: u64,
    /// Datagrams held back, of 1,000.
    pub(crate) reorder: u64,
    /// Datagrams doubled, of 1,000.
    pub(crate) duplicate: u64,
    /// Datagrams changed, of 1,000.
    pub(crate) corrupt: u64,
    /// Microseconds that a file operation takes at most: the larger, the more of them overtake each other.
    pub(crate) disk: u64,
    /// Blocks that a sink may have, at least 1; 0 for the default.
    pub(crate) blocks: u64,
    /// 0 for an upload, otherwise a download.
    pub(crate) download: u64,
}

impl Case {
    fn fields(&mut self) -> [&mut u64; 11] {
        [
            &mut self.loss,
            &mut self.reorder,
            &mut self.duplicate,
            &mut self.corrupt,
            &mut self.size,
            &mut self.disk,
            &mut self.blocks,
            &mut self.rate,
            &mut self.delay,
            &mut self.download,
            &mut self.seed,
        ]
    }

    /// The same without faults of the network: nothing is lost, since the queue holds all.
    pub(crate) fn clean(&self) -> Self {
        Self {
            loss: 0,
            reorder: 0,
            duplicate: 0,
            corrupt: 0,
            ..self.clone()
        }
    }

    /// Whether the network loses and changes nothing.
    pub(crate) fn is_clean(&self) -> bool {
        self.loss + self.reorder + self.duplicate + self.corrupt == 0
    }

    /// There and back.
    pub(crate) fn rtt(&self) -> Duration {
        Duration::from_micros(2 * self.delay)
    }

    pub(crate) fn bits_per_second(&self) -> Option<u64> {
        (self.rate > 0).then(|| self.rate.max(500) * 1_000)
    }

    /// What the file's bytes are generated from, and how many there are.
    pub(crate) fn content(&self) -> (u64, u64) {
        (self.seed, self.size)
    }

    /// Another content, of another size.
    pub(crate) fn other_content(&self) -> (u64, u64) {
        (self.seed + 1, self.size / 2 + 77)
    }

    fn link(&self) -> LinkPlan {
        let queue_bytes = if self.is_clean() { 1 << 30 } else { 60_000 };
        LinkPlan {
            delay: Duration::from_micros(self.delay),
            loss: self.loss as u32 * 1_000,
            reorder: self.reorder as u32 * 1_000,
            reorder_extra: Duration::from_millis(50),
            duplicate: self.duplicate as u32 * 1_000,
            corrupt: self.corrupt as u32 * 1_000,
            rate: (self.bits_per_second())
                .map(|rate| RatePlan::new(rate, QueueLimit::Bytes(queue_bytes))),
            ..LinkPlan::default()
        }
    }

    fn host(&self) -> HostPlan {
        let mut limits = LimitsPlan::default();
        if self.blocks > 0 {
            limits.sink_blocks = Some(self.blocks as u32);
            limits.credit_blocks_initial = Some(1);
        }
        HostPlan {
            disk: DiskPlan {
                latency_max: Duration::from_micros(self.disk),
                ..DiskPlan::default()
            },
            limits,
            segments_max: 10,
            ..HostPlan::default()
        }
    }

    /// A server, one user who finds `local` and `remote` there, and the user's goals.
    pub(crate) fn scenario(
        &self,
        local: Vec<Planted>,
        remote: Vec<Planted>,
        goals: Vec<GoalPlan>,
    ) -> Scenario {
        Scenario {
            seed: self.seed,
            server: self.host(),
            clients: vec![ClientPlan {
                host: self.host(),
                link: Link::symmetric(self.link()),
                local,
                remote,
                goals,
                ..ClientPlan::default()
            }],
            ..Scenario::default()
        }
    }

    /// The upload or download of the file `from` to the name `to`, begun at once.
    pub(crate) fn goal(&self, overwrite: Overwrite) -> GoalPlan {
        let (from, to) = (path("from"), path("to"));
        let goal = if self.download == 0 {
            put(from, to, overwrite)
        } else {
            get(from, to, overwrite)
        };
        goal.into()
    }

    /// One transfer, to a name at which there is nothing or `before`.
    pub(crate) fn transfer(&self, before: Option<(u64, u64)>, goal: GoalPlan) -> Scenario {
        let source = vec![file("from", self.content())];
        let target = before.into_iter().map(|content| file("to", content));
        let target = target.collect();
        let (local, remote) = if self.download == 0 {
            (source, target)
        } else {
            (target, source)
        };
        self.scenario(local, remote, vec![goal])
    }
}

impl Arbitrary for Case {
    fn arbitrary(g: &mut Gen) -> Self {
        let mut rng = Rng::new(u64::arbitrary(g), 0xca5e);
        let mut sometimes = |max| {
            if rng.one_in(2) {
                rng.log_uniform(max)
            } else {
                0
            }
        };
        let (loss, reorder) = (sometimes(300), sometimes(200));
        let (duplicate, corrupt) = (sometimes(200), sometimes(100));
        let (disk, rate) = (sometimes(50_000), sometimes(500_000));
        let blocks = sometimes(20);
        Self {
            seed: rng.below(1 << 32),
            size: draw_size(&mut rng),
            delay: rng.log_uniform(150_000),
            rate,
            loss,
            reorder,
            duplicate,
            corrupt,
            disk,
            blocks,
            download: rng.below(2),
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let mut simpler = Vec::new();
        for field in 0..self.clone().fields().len() {
            let value = *self.clone().fields()[field];
            for smaller in value.shrink() {
                let mut case = self.clone();
                *case.fields()[field] = smaller;
                simpler.push(case);
            }
        }
        Box::new(simpler.into_iter())
    }
}

/// A path that is valid: it is written in this test.
pub(crate) fn path(text: &str) -> FilePath {
    FilePath::parse(text.as_bytes()).expect("a path")
}

/// A file whose bytes are generated from the first number of `content`, and as many as the second says.
pub(crate) fn file(at: &str, (content, size): (u64, u64)) -> Planted {
    Planted::file(path(at), content, size, WALL_CLOCK - 5_000_000_007)
}

pub(crate) fn directory(at: &str) -> Planted {
    Planted::other(path(at), Kind::Directory)
}

fn copy(local: FilePath, remote: FilePath, overwrite: Overwrite, preserve: bool) -> Copy {
    Copy {
        local,
        remote,
        overwrite,
        durability: Durability::Full,
        preserve,
        tree: false,
    }
}

pub(crate) fn put(local: FilePath, remote: FilePath, overwrite: Overwrite) -> Goal {
    Goal::Put(copy(local, remote, overwrite, false))
}

pub(crate) fn get(remote: FilePath, local: FilePath, overwrite: Overwrite) -> Goal {
    Goal::Get(copy(local, remote, overwrite, true))
}

/// A run that broke no invariant of the world, every goal judged.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) report: Report,
    /// When the client had its session.
    pub(crate) ready: Duration,
    /// When the client's last transfer was over.
    pub(crate) finished: Duration,
}

/// Runs a scenario to its end.
pub(crate) fn run(scenario: &Scenario) -> Result<Run, String> {
    let times = Arc::new(Mutex::new((Duration::ZERO, Duration::ZERO)));
    let noted = Arc::clone(&times);
    let trace = Trace::new(move |line| {
        let mut times = noted.lock().expect("one thread");
        if line.contains(" client1: event PeerReady") {
            times.0 = time_of(line);
        } else if line.contains(" client1: event Finished") {
            times.1 = time_of(line);
        }
    });
    let mut world = World::new(scenario).map_err(|violation| violation.to_string())?;
    world.set_trace(trace);
    let report = world.run().map_err(|violation| violation.to_string())?;
    let (ready, finished) = *times.lock().expect("one thread");
    Ok(Run {
        report,
        ready,
        finished,
    })
}

/// The time at the beginning of a line: seconds and nine digits behind the point.
fn time_of(line: &str) -> Duration {
    let (time, _) = line.split_once("s ").expect("a time");
    let (seconds, nanos) = time.split_once('.').expect("a fraction");
    let number = |digits: &str| digits.parse().expect("digits");
    Duration::from_secs(number(seconds)) + Duration::from_nanos(number(nanos))
}
