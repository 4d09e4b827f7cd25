//! What a seed draws: hosts, links, disks, users and their goals. Each fault is switched on or off first (swarm
//! testing), so that every combination of few faults comes up.

mod goals;
mod size;

use proto_core::wire::{Durability, ErrorCode, FilePath};
use proto_core::{Duration, Limits, Overwrite};

pub use size::draw_size;

pub use crate::link::LinkPlan;

use crate::disk::{Content, DiskPlan};
use crate::link::Link;
use crate::rng::Rng;

/// One run, drawn from one seed.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The seed that all of it follows from.
    pub seed: u64,
    /// Real cryptography instead of the null session.
    pub tls: bool,
    /// The server.
    pub server: HostPlan,
    /// The clients.
    pub clients: Vec<ClientPlan>,
    /// Virtual time after which a run that has not ended is a failure.
    pub time_max: Duration,
    /// Steps after which a run that has not ended is a failure.
    pub steps_max: u64,
}

/// A machine with an endpoint.
#[derive(Clone, Debug)]
pub struct HostPlan {
    /// Its disk.
    pub disk: DiskPlan,
    /// Its endpoint's limits.
    pub limits: Limits,
    /// Bytes of its full datagrams.
    pub datagram_size: u16,
    /// Datagrams that its socket takes at once.
    pub segments_max: usize,
}

/// A client with one user.
#[derive(Clone, Debug)]
pub struct ClientPlan {
    /// Its machine.
    pub host: HostPlan,
    /// From client to server.
    pub up: LinkPlan,
    /// From server to client.
    pub down: LinkPlan,
    /// When the user comes.
    pub joins: Duration,
    /// What is there before, at the client.
    pub local: Vec<Planted>,
    /// What is there before, in the user's directory at the server.
    pub remote: Vec<Planted>,
    /// What the user wants.
    pub goals: Vec<GoalPlan>,
}

/// Something that is there before a run.
#[derive(Clone, Debug)]
pub struct Planted {
    /// Where.
    pub path: FilePath,
    /// What.
    pub what: PlantedKind,
}

/// What is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PlantedKind {
    /// A file with a modification time.
    File(Content, i64),
    /// A directory.
    Directory,
    /// Neither.
    Device,
}

/// A goal of a user.
#[derive(Clone, Debug)]
pub struct GoalPlan {
    /// When it comes to mind, after the user joined.
    pub starts: Duration,
    /// When the user changes their mind, after the transfer was started.
    pub cancel_after: Option<Duration>,
    /// What is wanted.
    pub goal: Goal,
    /// What must come of it on a machine without faults.
    pub expect: Expect,
}

/// What is wanted. `remote` paths lie in the user's directory at the server, `local` ones at the client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Goal {
    /// Upload.
    Put {
        /// The file here.
        local: FilePath,
        /// Its name there.
        remote: FilePath,
        /// If something has that name.
        overwrite: Overwrite,
        /// What STORED shall mean.
        durability: Durability,
    },
    /// Download.
    Get {
        /// The file there.
        remote: FilePath,
        /// Its name here.
        local: FilePath,
        /// If something has that name.
        overwrite: Overwrite,
        /// What must be durable.
        durability: Durability,
        /// Keep time and permission bits.
        preserve: bool,
    },
    /// The entries of a directory.
    List {
        /// Which.
        remote: FilePath,
    },
    /// Metadata of a path.
    Stat {
        /// Which.
        remote: FilePath,
    },
}

/// What must come of a goal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expect {
    /// It is met.
    Success,
    /// It ends in one of these errors.
    Failure(&'static [ErrorCode]),
    /// It is met, or ends in one of these errors.
    Either(&'static [ErrorCode]),
}

/// The directory at the server about which every request is refused.
pub const LOCKED: &[u8] = b"locked";

/// The code of that refusal.
pub const LOCKED_CODE: ErrorCode = ErrorCode::Denied;

/// The largest datagrams of hosts, which do not look for what fits: every link carries them.
const DATAGRAM_MAX: u32 = 8_952;

impl Scenario {
    /// What `seed` says. One run in 100 has real cryptography, or all have with `tls`.
    #[must_use]
    pub fn draw(seed: u64, tls: bool) -> Self {
        let mut rng = Rng::new(seed, 0x5ce0);
        let clients = rng.between(1, 3);
        // Faults of disks are rare, so that most runs must succeed.
        let disk_faults = rng.one_in(12);
        Self {
            seed,
            tls: rng.one_in(100) || tls,
            server: HostPlan::draw(&mut rng.fork(), disk_faults),
            clients: (0..clients)
                .map(|_| ClientPlan::draw(&mut rng.fork(), disk_faults))
                .collect(),
            time_max: Duration::from_secs(6 * 3_600),
            steps_max: 3_000_000,
        }
    }
}

impl HostPlan {
    fn draw(rng: &mut Rng, disk_faults: bool) -> Self {
        Self {
            disk: draw_disk(&mut rng.fork(), disk_faults),
            limits: draw_limits(&mut rng.fork()),
            datagram_size: *rng.pick(&[1_200, 1_200, 1_200, 1_452, 8_952]),
            segments_max: *rng.pick(&[1, 10, 40, 64]),
        }
    }
}

impl ClientPlan {
    fn draw(rng: &mut Rng, disk_faults: bool) -> Self {
        let Link { up, down } = Link::draw(&mut rng.fork(), DATAGRAM_MAX);
        let mut plan = Self {
            host: HostPlan::draw(rng, disk_faults),
            up,
            down,
            joins: Duration::from_nanos(rng.log_uniform(2_000_000_000)),
            local: Vec::new(),
            remote: Vec::new(),
            goals: Vec::new(),
        };
        for number in 0..rng.between(1, 4) {
            goals::draw(&mut rng.fork(), number, &mut plan);
        }
        plan
    }
}

fn draw_disk(rng: &mut Rng, faults: bool) -> DiskPlan {
    let latency_max = *rng.pick(&[0, 100_000, 1_000_000, 20_000_000, 300_000_000]);
    let latency_min = rng.below(latency_max + 1) / 4;
    let mut plan = DiskPlan {
        latency_min: Duration::from_nanos(latency_min),
        latency_max: Duration::from_nanos(latency_max),
        ..DiskPlan::default()
    };
    if faults && rng.one_in(2) {
        let mut rate = || if rng.one_in(2) { 30_000 } else { 0 };
        plan.io_errors = rate();
        plan.space_errors = rate();
        plan.sync_errors = rate() * 4;
        plan.open_errors = rate() * 4;
        if rng.one_in(3) {
            plan.capacity = rng.log_uniform(1 << 20);
        }
    }
    plan
}

fn draw_limits(rng: &mut Rng) -> Limits {
    let mut limits = Limits::default();
    if rng.one_in(3) {
        limits.sink_blocks = rng.between(1, 8) as u32;
    }
    if rng.one_in(3) {
        // A source holds one block until it is acknowledged while it reads the next: with fewer than 2 it never begins.
        limits.source_blocks = rng.between(2, 8) as u32;
    }
    if rng.one_in(3) {
        limits.credit_blocks_max = rng.between(1, 8) as u32;
        limits.credit_blocks_initial = rng.between(1, limits.credit_blocks_max.into()) as u32;
    }
    if rng.one_in(3) {
        limits.read_ahead_blocks = rng.between(1, 4) as u32;
    }
    if rng.one_in(3) {
        limits.page = rng.between(512, 8_192) as u32;
    }
    if rng.one_in(6) {
        limits.transfers_per_session = rng.between(1, 3) as u32;
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same() {
        for seed in 0..50 {
            let text = |tls| format!("{:?}", Scenario::draw(seed, tls).clients);
            assert_eq!(text(false), text(true));
        }
    }

    #[test]
    fn every_kind_of_goal_and_fault_comes_up() {
        let (mut puts, mut gets, mut lists, mut stats, mut failures, mut tls) = (0, 0, 0, 0, 0, 0);
        let (mut lossy, mut faulty, mut cancelled) = (0, 0, 0);
        for seed in 0..500 {
            let scenario = Scenario::draw(seed, false);
            tls += u32::from(scenario.tls);
            faulty += u32::from(scenario.server.disk.has_faults());
            for client in scenario.clients {
                lossy += u32::from(client.up.loss > 0 && client.down.loss > 0);
                for plan in client.goals {
                    match plan.goal {
                        Goal::Put { .. } => puts += 1,
                        Goal::Get { .. } => gets += 1,
                        Goal::List { .. } => lists += 1,
                        Goal::Stat { .. } => stats += 1,
                    }
                    failures += u32::from(matches!(plan.expect, Expect::Failure(_)));
                    cancelled += u32::from(plan.cancel_after.is_some());
                }
            }
        }
        for count in [puts, gets, lists, stats, failures, cancelled, lossy] {
            assert!(
                count > 30,
                "{puts} {gets} {lists} {stats} {failures} {cancelled} {lossy}"
            );
        }
        assert!(tls > 0 && faulty > 5, "{tls} {faulty}");
    }
}
