//! What a world of the classic dialect is made of, drawn from a seed.

use proto_core::wire::FilePath;
use proto_core::{Duration, Instant};

use crate::disk::{Content, DiskPlan};
use crate::lab::Crash;
use crate::link::{Link, LinkPlan};
use crate::rng::Rng;

/// From this time on, neither networks nor disks have faults.
pub(super) const HEALED: Duration = Duration::from_secs(120);

/// The worst loss.
const LOSS_MAX: u32 = 300_000;

/// Sizes around which something changes: an empty piece, a block.
const EDGES: [u64; 9] = [0, 1, 999, 1_000, 1_001, 2_000, 65_000, 65_536, 66_000];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    List,
    Get,
    Put,
}

/// One file to be moved, or a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Goal {
    pub(super) way: Way,
    pub(super) name: FilePath,
    pub(super) seed: u64,
    pub(super) size: u64,
}

impl Goal {
    pub(super) fn content(&self) -> Content {
        Content::generated(self.seed, self.size)
    }
}

#[derive(Clone, Debug)]
pub(super) struct ClientPlan {
    pub(super) goals: Vec<Goal>,
    pub(super) link: Link,
    pub(super) disk: DiskPlan,
    pub(super) joins: Instant,
    /// When it gets another address.
    pub(super) moves: Option<Instant>,
    /// When its clock leaps, and by how much.
    pub(super) jumps: Option<(Instant, Duration)>,
    /// How much its clock gains, per million.
    pub(super) drift: i32,
}

#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) clients: Vec<ClientPlan>,
    pub(super) server_disk: DiskPlan,
    /// When the server goes down, how, and for how long.
    pub(super) crash: Option<(Instant, Crash, Duration)>,
}

impl Plan {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let most = if rng.one_in(20) { 24 } else { 5 };
        let count = rng.between(1, most);
        let clients = (0..count)
            .map(|number| ClientPlan::draw(&mut rng.fork(), number))
            .collect();
        let crash = rng.one_in(10).then(|| {
            let how = if rng.one_in(2) {
                Crash::Power
            } else {
                Crash::Process
            };
            (
                moment(rng, 60),
                how,
                Duration::from_nanos(rng.log_uniform(10_000_000_000)),
            )
        });
        Self {
            clients,
            server_disk: draw_disk(rng),
            crash,
        }
    }
}

impl ClientPlan {
    fn draw(rng: &mut Rng, number: u64) -> Self {
        let goals = (0..rng.between(1, 4))
            .map(|goal| draw_goal(rng, number, goal))
            .collect();
        let drift = rng.between(0, 400) as i32 - 200;
        Self {
            goals,
            link: draw_link(rng),
            disk: draw_disk(rng),
            joins: Instant::from_nanos(rng.log_uniform(5_000_000_000)),
            moves: rng.one_in(6).then(|| moment(rng, 60)),
            jumps: rng.one_in(12).then(|| {
                (
                    moment(rng, 60),
                    Duration::from_nanos(rng.log_uniform(60_000_000_000)),
                )
            }),
            drift,
        }
    }
}

fn draw_goal(rng: &mut Rng, client: u64, number: u64) -> Goal {
    let way = *rng.pick(&[
        Way::List,
        Way::Get,
        Way::Get,
        Way::Get,
        Way::Put,
        Way::Put,
        Way::Put,
    ]);
    let size = if rng.one_in(2) {
        *rng.pick(&EDGES)
    } else {
        rng.log_uniform(140_000)
    };
    let name = format!("{client}-{number}.bin");
    Goal {
        way,
        name: FilePath::parse(name.as_bytes()).unwrap_or_default(),
        seed: rng.next_u64(),
        size,
    }
}

/// Any link, but that UDP's checksum loses what is changed, and that IP cuts what is too large.
fn draw_link(rng: &mut Rng) -> Link {
    let mut link = Link::draw(rng, 1_200);
    for plan in [&mut link.up, &mut link.down] {
        adapt(plan);
    }
    link
}

fn adapt(plan: &mut LinkPlan) {
    plan.loss = plan.loss.saturating_add(plan.corrupt).min(LOSS_MAX);
    plan.corrupt = 0;
    plan.mtu = None;
    plan.faults_until = Some(HEALED);
}

fn draw_disk(rng: &mut Rng) -> DiskPlan {
    let mut share = |max: u64| {
        if rng.one_in(6) {
            rng.log_uniform(max) as u32
        } else {
            0
        }
    };
    let (io_errors, sync_errors, short_reads) = (share(20_000), share(50_000), share(100_000));
    let (short_writes, open_errors) = (share(20_000), share(50_000));
    DiskPlan {
        latency_max: Duration::from_nanos(rng.log_uniform(20_000_000)),
        sync_latency: Duration::from_nanos(rng.log_uniform(500_000_000)),
        io_errors,
        sync_errors,
        short_reads,
        short_writes,
        open_errors,
        faults_until: HEALED,
        ..DiskPlan::default()
    }
}

fn moment(rng: &mut Rng, seconds: u64) -> Instant {
    Instant::from_nanos(rng.log_uniform(seconds * 1_000_000_000))
}
