//! What a seed draws. Each kind of fault is switched on or off first (swarm testing), so that every combination of few
//! faults comes up; all faults end at a drawn time, after which everything must come to its end.

use proto_core::fault::Fault;
use proto_core::{CongestionControl, Duration};

use super::{
    ClientPlan, Demands, Edit, Goal, HostPlan, Incident, Kind, LimitsPlan, Misfortune, NEVER,
    Scenario, Who, goals,
};
use crate::disk::{DiskPlan, Latency, SlowPhase};
use crate::fault::FaultPlan;
use crate::hostile::HostilePlan;
use crate::lab::Crash;
use crate::link::{Link, LinkPlan, QueueLimit, RatePlan, Remark};
use crate::rng::Rng;

/// Who never gets memory, never hears or is never let go cannot go on, and probes without end never rest: these faults
/// strike one time in four at most.
const ENDLESS: [Fault; 5] = [
    Fault::MemoryShort,
    Fault::DataRefused,
    Fault::DatagramDropped,
    Fault::PacingLonger,
    Fault::ProbeEarly,
];

/// A user's least share of a server's disk, bytes per second.
const SHARE: u64 = 25_000;

/// Which kinds of faults a run has, and when they end.
#[derive(Clone, Copy, Debug)]
struct Swarm {
    healed_at: Duration,
    disks: bool,
    crashes: bool,
    moves: bool,
    clocks: bool,
    changes: bool,
    revokes: bool,
    hostile: Hostility,
}

/// Who lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hostility {
    Nobody,
    OneClient,
    Server,
}

impl Swarm {
    /// Faults that keep a goal from being met are rare, so that most runs must succeed.
    fn draw(rng: &mut Rng) -> Self {
        // From 100 ms to two minutes, each order of magnitude as likely as any.
        let healed_at = Duration::from_millis(100 + rng.log_uniform(120_000));
        Self {
            healed_at,
            disks: rng.one_in(12),
            crashes: rng.one_in(8),
            moves: rng.one_in(8),
            clocks: rng.one_in(8),
            changes: rng.one_in(16),
            revokes: rng.one_in(50),
            hostile: match rng.below(64) {
                0..3 => Hostility::OneClient,
                3 => Hostility::Server,
                _ => Hostility::Nobody,
            },
        }
    }

    fn time(&self, rng: &mut Rng) -> Duration {
        Duration::from_nanos(rng.log_uniform(self.healed_at.as_nanos() as u64))
    }
}

impl Scenario {
    /// What `seed` says. One run in 100 has real cryptography, or all have with `tls`.
    #[must_use]
    pub fn draw(seed: u64, tls: bool) -> Self {
        let mut rng = Rng::new(seed, 0x5ce0);
        let tls = rng.one_in(100) || tls;
        let swarm = Swarm::draw(&mut rng);
        let clients = match rng.below(2_000) {
            0 => rng.between(60, 250),
            1..20 => rng.between(4, 20),
            _ => *rng.pick(&[1, 1, 1, 2, 3]),
        };
        let mut scenario = Self {
            seed,
            tls,
            admits_after: Duration::ZERO,
            decides_after: Duration::ZERO,
            ecn: false,
            server: HostPlan::draw(&mut rng.fork(), &swarm),
            shared: rng.one_in(10).then(|| draw_bottleneck(&mut rng.fork())),
            demands: Demands::default(),
            incidents: Vec::new(),
            clients: (0..clients)
                .map(|_| ClientPlan::draw(&mut rng.fork(), &swarm))
                .collect(),
        };
        scenario.server.disk.serve(clients);
        scenario.draw_links(&mut rng.fork(), &swarm);
        match swarm.hostile {
            Hostility::Nobody => {}
            Hostility::Server => scenario.server.hostile = Some(HostilePlan::draw(&mut rng)),
            Hostility::OneClient => {
                let liar = rng.below(clients) as usize;
                scenario.clients[liar].host.hostile = Some(HostilePlan::draw(&mut rng));
            }
        }
        scenario.draw_incidents(&mut rng, &swarm);
        scenario.draw_faults(&mut Rng::new(seed, 0xfa17), &swarm);
        scenario.draw_hesitation(&mut Rng::new(seed, 0x4e51));
        scenario.draw_ecn(&mut Rng::new(seed, 0xec17));
        scenario.draw_datagrams(&mut Rng::new(seed, 0x3711));
        scenario.draw_trees(&mut Rng::new(seed, 0x74ee));
        // One server in four forgets for good, so that its clients wait for their time-outs.
        scenario.server.host_secret = !Rng::new(seed, 0x5ec7).one_in(4);
        scenario.draw_suspensions(&mut Rng::new(seed, 0x51ee), &swarm);
        scenario
    }

    fn draw_links(&mut self, rng: &mut Rng, swarm: &Swarm) {
        for client in &mut self.clients {
            // What datagrams begin with must pass; what they may grow to need not.
            let payload = self.server.datagram_size.max(client.host.datagram_size);
            client.link = Link::draw(&mut rng.fork(), payload.into());
            for plan in [&mut client.link.up, &mut client.link.down] {
                plan.faults_until = Some(swarm.healed_at);
            }
        }
    }

    /// In one run of three the hosts take part in ECN. Some links bleach, some say always the same, and some queues mark.
    fn draw_ecn(&mut self, rng: &mut Rng) {
        self.ecn = rng.one_in(3);
        if !self.ecn {
            return;
        }
        for client in &mut self.clients {
            for plan in [&mut client.link.up, &mut client.link.down] {
                plan.bleach = rng.one_in(6);
                let above = rng.between(10_000, 200_000);
                plan.marks_above = rng.one_in(2).then_some(above);
                plan.remarks = (rng.one_in(8)).then(|| *rng.pick(&[Remark::Ce, Remark::Ect1]));
            }
        }
    }

    /// One host in four does not look for larger datagrams, or not for jumbo ones.
    fn draw_datagrams(&mut self, rng: &mut Rng) {
        let clients = self.clients.iter_mut().map(|client| &mut client.host);
        for host in clients.chain([&mut self.server]) {
            let least = host.datagram_size;
            host.datagram_max =
                *rng.pick(&[65_507, 65_507, 65_507, 65_507, 65_507, 65_507, 1_452, 1_200]);
            host.datagram_max = host.datagram_max.max(least);
        }
    }

    /// One run in 8 has up to three faults inside of cores that a right protocol survives.
    fn draw_faults(&mut self, rng: &mut Rng, swarm: &Swarm) {
        if !rng.one_in(8) {
            return;
        }
        let legal: Vec<Fault> = (Fault::ALL.iter().copied())
            .filter(|fault| fault.is_legal())
            .collect();
        for _ in 0..rng.between(1, 3) {
            let fault = *rng.pick(&legal);
            let least = if ENDLESS.contains(&fault) { 4 } else { 1 };
            let one_in = (1 + rng.log_uniform(63)).max(least);
            let host = match rng.below(1 + self.clients.len() as u64) {
                0 => &mut self.server,
                client => &mut self.clients[client as usize - 1].host,
            };
            host.faults.set(fault, one_in as u32);
            host.faults_until = Some(swarm.healed_at);
        }
    }

    /// In half of the runs in which clocks misbehave, a machine is suspended for 10 ms to 75 s, which is longer than sessions live.
    fn draw_suspensions(&mut self, rng: &mut Rng, swarm: &Swarm) {
        let hesitates = self.admits_after > Duration::ZERO || self.decides_after > Duration::ZERO;
        if !swarm.clocks || rng.one_in(2) || hesitates {
            return;
        }
        let who = Who(rng.below(1 + self.clients.len() as u64) as u32);
        let lasts = Duration::from_millis(10 + rng.log_uniform(75_000));
        self.incidents.push(Incident {
            at: swarm.time(rng),
            who,
            what: Misfortune::Suspend {
                lasts,
                clock_stops: rng.one_in(2),
            },
        });
    }

    /// One server in 16 takes its time, and one in 128 never decides. A clock that jumps would end what it thinks about.
    fn draw_hesitation(&mut self, rng: &mut Rng) {
        let sleep = |of: &Incident| matches!(of.what, Misfortune::Sleep { .. });
        if rng.one_in(16) && !self.incidents.iter().any(sleep) {
            self.admits_after = Duration::from_nanos(rng.log_uniform(2_000_000_000));
            self.decides_after = match rng.below(8) {
                0 => NEVER,
                _ => Duration::from_nanos(rng.log_uniform(2_000_000_000)),
            };
        }
    }

    fn draw_incidents(&mut self, rng: &mut Rng, swarm: &Swarm) {
        let hosts = 1 + self.clients.len() as u64;
        let mut befalls = |on: bool, draw: &mut dyn FnMut(&mut Rng, u64) -> Option<Misfortune>| {
            let count = if on { rng.between(1, 3) } else { 0 };
            for _ in 0..count {
                let at = swarm.time(rng);
                let who = if rng.one_in(2) { 0 } else { rng.below(hosts) };
                if let Some(what) = draw(rng, who) {
                    let who = Who(who as u32);
                    self.incidents.push(Incident { at, who, what });
                }
            }
        };
        befalls(swarm.crashes, &mut |rng, _| {
            Some(Misfortune::Crash {
                how: *rng.pick(&[Crash::Process, Crash::Power]),
                down: Duration::from_nanos(rng.log_uniform(5_000_000_000)),
            })
        });
        befalls(swarm.moves, &mut |rng, who| {
            // The server's address is what the clients know it by.
            (who > 0).then(|| match rng.below(2) {
                0 => Misfortune::NewPort,
                _ => Misfortune::NewAddress,
            })
        });
        befalls(swarm.clocks, &mut |rng, _| {
            let by = Duration::from_nanos(rng.log_uniform(3_600_000_000_000));
            Some(Misfortune::Sleep { by })
        });
        befalls(swarm.revokes, &mut |_, who| {
            (who > 0).then_some(Misfortune::Revoke)
        });
        let clients = &self.clients;
        befalls(swarm.changes, &mut |rng, who| {
            draw_change(rng, who, clients)
        });
    }
}

/// One of the files that a client's user wants to send or to get changes.
fn draw_change(rng: &mut Rng, who: u64, clients: &[ClientPlan]) -> Option<Misfortune> {
    let client = &clients[who.checked_sub(1)? as usize];
    let goal = &rng.pick(&client.goals).goal;
    let (remote, path, planted) = match goal {
        Goal::Put(copy) => (false, &copy.local, &client.local),
        Goal::Get(copy) => (true, &copy.remote, &client.remote),
        Goal::List(_) | Goal::Stat(_) => return None,
    };
    let file = planted
        .iter()
        .find(|of| of.path == *path && of.kind == Kind::File)?;
    let (size, content) = (super::draw_size(rng), rng.next_u64() >> 1);
    let edit = match rng.below(3) {
        0 => Edit::Replace { size, content },
        1 => Edit::Resize { size },
        _ => Edit::Write {
            offset: rng.below(file.size + 1),
            size: size.min(10_000),
            content,
        },
    };
    Some(Misfortune::Change {
        remote,
        path: path.clone(),
        edit,
    })
}

impl HostPlan {
    fn draw(rng: &mut Rng, swarm: &Swarm) -> Self {
        let mut disk = draw_disk(&mut rng.fork(), swarm.disks, swarm.healed_at);
        disk.faults_until = swarm.healed_at;
        Self {
            datagram_size: *rng.pick(&[1_200, 1_200, 1_200, 1_452, 8_952]),
            datagram_max: u16::MAX,
            segments_max: *rng.pick(&[1, 10, 40, 64]),
            congestion: CongestionControl::default(),
            clock_drift: if swarm.clocks {
                rng.between(0, 20_000) as i32 - 10_000
            } else {
                0
            },
            host_secret: true,
            limits: LimitsPlan::draw(&mut rng.fork()),
            disk,
            hostile: None,
            faults: FaultPlan::default(),
            faults_until: None,
        }
    }
}

impl ClientPlan {
    fn draw(rng: &mut Rng, swarm: &Swarm) -> Self {
        let mut plan = Self {
            host: HostPlan::draw(rng, swarm),
            joins: Duration::from_nanos(rng.log_uniform(2_000_000_000)),
            ..Self::default()
        };
        for number in 0..*rng.pick(&[1, 1, 2, 2, 3, 4]) {
            goals::draw(&mut rng.fork(), number, &mut plan);
        }
        plan
    }
}

/// A wire that all share, 2 to 512 Mbit/s.
fn draw_bottleneck(rng: &mut Rng) -> Link {
    let mut plan = || LinkPlan {
        rate: Some(RatePlan::new(
            2_000_000 << rng.between(0, 8),
            QueueLimit::Bytes(rng.between(20_000, 1_000_000)),
        )),
        ..LinkPlan::default()
    };
    Link {
        up: plan(),
        down: plan(),
    }
}

fn draw_disk(rng: &mut Rng, faults: bool, healed_at: Duration) -> DiskPlan {
    let latency_max = *rng.pick(&[0, 100_000, 1_000_000, 20_000_000, 300_000_000]);
    let latency_min = rng.below(latency_max + 1) / 4;
    let mut plan = DiskPlan {
        latency_min: Duration::from_nanos(latency_min),
        latency_max: Duration::from_nanos(latency_max),
        latency: *rng.pick(&[Latency::Uniform, Latency::LogUniform]),
        ..DiskPlan::default()
    };
    if rng.one_in(8) {
        plan.sync_latency = Duration::from_nanos(rng.log_uniform(500_000_000));
    }
    if rng.one_in(8) {
        plan.read_rate = 100_000 << rng.between(0, 12);
        plan.write_rate = 100_000 << rng.between(0, 12);
    }
    if rng.one_in(16) {
        let start = Duration::from_nanos(rng.log_uniform(healed_at.as_nanos() as u64));
        plan.slow = SlowPhase {
            start,
            end: healed_at,
            factor: rng.between(2, 100) as u32,
        };
    }
    if faults && rng.one_in(2) {
        draw_disk_faults(rng, &mut plan);
    }
    plan
}

impl DiskPlan {
    /// A server's disk has a rate that lets each of many users come to their end before the others give up (T8).
    fn serve(&mut self, clients: u64) {
        for rate in [&mut self.read_rate, &mut self.write_rate] {
            if *rate > 0 {
                *rate = (*rate).max(clients * SHARE);
            }
        }
    }
}

fn draw_disk_faults(rng: &mut Rng, plan: &mut DiskPlan) {
    let mut rate = |share| if rng.one_in(3) { share } else { 0 };
    plan.io_errors = rate(30_000);
    plan.space_errors = rate(30_000);
    plan.sync_errors = rate(120_000);
    plan.open_errors = rate(120_000);
    plan.close_errors = rate(60_000);
    plan.rename_errors = rate(120_000);
    plan.short_reads = rate(20_000);
    plan.short_writes = rate(20_000);
    if rng.one_in(3) {
        plan.capacity = rng.log_uniform(1 << 20);
    }
    if rng.one_in(6) {
        plan.open_files_max = rng.between(1, 4) as u32;
    }
}
