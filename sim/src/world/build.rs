//! A world from a scenario.

use std::sync::Arc;

use proto_core::crypto::{Provider, PublicKey};
use proto_core::wire::{Durability, ErrorCode, FilePath};
use proto_core::{Config, Duration, HostSecret, Instant, RootId};

use super::agenda::Agenda;
use super::files::{Files, Where};
use super::server::{Server, root_of};
use super::user::{LOCAL_ROOT, Setup, Standing, User};
use super::{SERVER, World, host_of};
use crate::disk::{Disk, DiskPlan};
use crate::fault::PlannedFaults;
use crate::hostile::Hostile;
use crate::lab::{HostSetup, Lab};
use crate::link::{Link, LinkPlan};
use crate::net::NodeId;
use crate::null_crypto::NullProvider;
use crate::rng::Rng;
use crate::scenario::{
    ClientPlan, Copy, Expect, Goal, HostPlan, Kind, Misfortune, Planted, Scenario, address, below,
};
use crate::seeded_crypto::SeededTls;

/// The port of everyone.
const PORT: u16 = 40_000;

/// Time that a run may take from when nothing hinders it any more, besides what its bytes need: two sessions that are given up
/// after their idle time-out, and tries to open new ones.
pub(super) const PATIENCE: Duration = Duration::from_secs(400);
/// How much longer than the wire would need a run may take.
const SLOWNESS: u64 = 40;
/// The bits per second of a link without a rate, for [`SLOWNESS`].
const RATE: u64 = 1_000_000;
/// Time that a run may take when something hinders it for ever.
const ENDLESS: Duration = Duration::from_secs(6 * 3_600);
/// After healing, users who are lied to go on for so long.
const FAITH: Duration = Duration::from_secs(90);
/// Steps that a run may make.
const STEPS_MAX: u64 = 20_000_000;

fn provider(rng: &mut Rng, tls: bool) -> Result<(Arc<dyn Provider>, PublicKey), String> {
    let identity = rng.bytes32();
    if tls {
        let made = SeededTls::new(&identity, rng.bytes32());
        let provider = made.map_err(|error| format!("seeded TLS: {error}"))?;
        let key = provider.public_key();
        return Ok((Arc::new(provider), key));
    }
    let key = PublicKey(identity);
    Ok((Arc::new(NullProvider { key }), key))
}

struct Builder {
    rng: Rng,
    fault_rng: Rng,
    tls: bool,
    lab: Lab,
    files: Files,
    /// When which faults end.
    heals: Vec<(Instant, Arc<PlannedFaults>)>,
}

impl Builder {
    /// A host with the directories in `roots`, and the key that it is known by.
    fn host(
        &mut self,
        name: String,
        plan: &HostPlan,
        accept: bool,
        roots: &[(RootId, &[Planted])],
    ) -> Result<PublicKey, String> {
        let (mut provider, key) = provider(&mut self.rng, self.tls)?;
        if let Some(hostile) = &plan.hostile {
            provider = Hostile::new(provider, hostile.clone(), self.rng.next_u64());
        }
        let mut config = Config::new(provider);
        config.accept = accept;
        config.datagram_size = plan.datagram_size;
        config.datagram_max = plan.datagram_max;
        config.congestion = plan.congestion;
        config.host_secret = (accept && plan.host_secret).then(|| HostSecret::derive(&key.0));
        config.limits = plan.limits.limits();
        self.plant_faults(plan, &mut config);
        let host = crate::lab::HostId(self.lab.hosts().len());
        let mut disk = Disk::new(plan.disk, self.rng.fork());
        for (root, planted) in roots {
            disk.add_root(*root);
            for planted in *planted {
                plant(&mut disk, *root, planted)?;
                self.files.plant(host, *root, planted.clone());
            }
        }
        let id = self.lab.add_host(HostSetup {
            name,
            address: address(host.0 as u32, PORT, 0),
            config,
            disk,
            segments_max: plan.segments_max,
        });
        self.lab.drift_clock(id, plan.clock_drift);
        Ok(key)
    }

    /// Gives a core the faults that are planned for it.
    fn plant_faults(&mut self, plan: &HostPlan, config: &mut Config) {
        if plan.faults.is_empty() {
            return;
        }
        let hook = Arc::new(PlannedFaults::new(&plan.faults, self.fault_rng.fork()));
        if let Some(until) = plan.faults_until {
            self.heals.push((Instant::ZERO + until, Arc::clone(&hook)));
        }
        config.faults = Some(hook);
    }

    /// Lays the paths between a client and the server; all pass the nodes of the shared bottleneck.
    fn connect(&mut self, user: usize, link: &Link, shared: &(Vec<NodeId>, Vec<NodeId>)) {
        let here = self.lab.host(host_of(user)).address();
        let there = self.lab.host(SERVER).address();
        let network = self.lab.network();
        let mut up = link.up.build(network, &mut self.rng);
        let mut down = shared.1.clone();
        up.extend(&shared.0);
        down.extend(link.down.build(network, &mut self.rng));
        network.connect(here, there, up);
        network.connect(there, here, down);
    }

    /// Notes which contents each target may get.
    fn note_targets(&mut self, user: usize, client: &ClientPlan) {
        let here = |path: &FilePath| (host_of(user), LOCAL_ROOT, path.clone());
        let there = |path: &FilePath| (SERVER, root_of(user), path.clone());
        for plan in &client.goals {
            match &plan.goal {
                Goal::Put(copy) => {
                    let (from, to) = (here(&copy.local), there(&copy.remote));
                    self.note_target(copy, &client.local, from, to);
                }
                Goal::Get(copy) => {
                    let (from, to) = (there(&copy.remote), here(&copy.local));
                    self.note_target(copy, &client.remote, from, to);
                }
                Goal::List(_) | Goal::Stat(_) => {}
            }
        }
    }

    fn note_target(&mut self, copy: &Copy, source: &[Planted], from: Where, to: Where) {
        let durable = copy.durability != Durability::None;
        if copy.tree {
            for planted in source {
                let below = below(&from.2, &planted.path);
                if let Some(path) = below.and_then(|rest| to.2.join(rest).ok()) {
                    let of = (from.0, from.1, planted.path.clone());
                    self.files.expect_copy(of, (to.0, to.1, path), durable);
                }
            }
            self.files.expect_tree(to.clone());
        }
        self.files.expect_copy(from, to, durable);
    }
}

fn plant(disk: &mut Disk, root: RootId, planted: &Planted) -> Result<(), String> {
    let path = &planted.path;
    let done = match planted.kind {
        Kind::File => {
            let content = planted.bytes().unwrap_or_default();
            disk.plant(root, path, content, planted.mtime)
        }
        Kind::Directory => disk.plant_directory(root, path),
        Kind::Link => disk.plant_link(root, path, planted.to.as_bytes(), planted.mtime),
        Kind::Device => disk.plant_device(root, path),
    };
    if done {
        Ok(())
    } else {
        Err(format!("the scenario has no directory for {path:?}"))
    }
}

/// When a run must have ended: some time after it is healed, and after its last goal came to mind.
fn time_max(scenario: &Scenario) -> Duration {
    let Some(healed) = scenario.healed_at() else {
        return ENDLESS;
    };
    let mut latest = healed;
    let mut slowest = RATE;
    let mut bytes = 0;
    for client in scenario.users() {
        let starts = client.goals.iter().map(|goal| goal.starts).max();
        latest = latest.max(client.joins + starts.unwrap_or_default());
        for plan in [&client.link.up, &client.link.down] {
            slowest = slowest_rate(plan).min(slowest).max(1);
        }
        let files = client.local.iter().chain(&client.remote);
        bytes += files.map(|planted| planted.size + 1_000).sum::<u64>();
    }
    for plan in scenario
        .shared
        .iter()
        .flat_map(|link| [&link.up, &link.down])
    {
        slowest = slowest_rate(plan).min(slowest).max(1);
    }
    latest + PATIENCE + Duration::from_secs(bytes * 8 * SLOWNESS / slowest)
}

fn slowest_rate(plan: &LinkPlan) -> u64 {
    let rates = plan.rate.iter().flat_map(|rate| {
        let changes = rate.changes.iter().map(|change| change.bandwidth);
        changes.chain([rate.bandwidth])
    });
    // A rate of 0 is one without a limit.
    rates.filter(|&rate| rate > 0).min().unwrap_or(RATE)
}

pub(super) fn build(scenario: &Scenario) -> Result<World, String> {
    let mut builder = Builder {
        rng: Rng::new(scenario.seed, 0xb01d),
        // Of its own, so that a fault changes nothing else in a run.
        fault_rng: Rng::new(scenario.seed, 0xfa17_0001),
        tls: scenario.tls,
        lab: Lab::new(scenario.seed),
        files: Files::default(),
        heals: Vec::new(),
    };
    if scenario.ecn {
        builder.lab.network().carry_ecn();
    }
    let roots: Vec<(RootId, &[Planted])> = (scenario.users().enumerate())
        .map(|(user, client)| (root_of(user), client.remote.as_slice()))
        .collect();
    let server_key = builder.host("server".into(), &scenario.server, true, &roots)?;
    let shared = match &scenario.shared {
        None => (Vec::new(), Vec::new()),
        Some(link) => (
            link.up.build(builder.lab.network(), &mut builder.rng),
            link.down.build(builder.lab.network(), &mut builder.rng),
        ),
    };
    let lies = scenario.server.hostile.is_some();
    let healed = scenario.healed_at().unwrap_or(ENDLESS);
    let mut disks = scenario.clients.iter().map(|client| &client.host.disk);
    let slow_disks = disks.any(is_slow) || is_slow(&scenario.server.disk);
    let thinks = (scenario.admits_after, scenario.decides_after);
    let mut server = Server::new(lies, slow_disks, thinks);
    let mut users = Vec::new();
    let mut agenda = Agenda::default();
    for (user, client) in scenario.users().enumerate() {
        let name = format!("client{}", user + 1);
        let local = [(LOCAL_ROOT, client.local.as_slice())];
        let key = builder.host(name, &client.host, false, &local)?;
        let is_liar = client.host.hostile.is_some();
        server.add_user(key, is_liar);
        builder.connect(user, &client.link, &shared);
        builder.note_targets(user, client);
        let standing = match (is_liar, lies) {
            (true, _) => Standing::Liar,
            (false, true) => Standing::LiedTo,
            (false, false) => Standing::Honest,
        };
        let setup = Setup {
            name: format!("user{}", user + 1),
            server: builder.lab.host(SERVER).address(),
            server_key,
            joins: Instant::ZERO + client.joins,
            standing,
            slow_disks,
            gives_up: (standing != Standing::Honest)
                .then(|| Instant::ZERO + healed.max(client.joins) + FAITH),
        };
        let goals = expected_goals(scenario, user, client);
        let of = User::new(setup, goals);
        agenda.set(user, of.next_time());
        users.push(of);
    }
    let mut incidents = scenario.incidents.clone();
    incidents.sort_by_key(|incident| std::cmp::Reverse(incident.at));
    let mut heals = builder.heals;
    heals.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    Ok(World {
        present: users.len(),
        gone_at: users.is_empty().then_some(Instant::ZERO),
        unruly_clients: scenario
            .users()
            .map(|of| of.host.disk.has_faults())
            .collect(),
        lab: builder.lab,
        users,
        server,
        files: builder.files,
        agenda,
        incidents,
        heals,
        down: Vec::new(),
        time_max: Instant::ZERO + time_max(scenario),
        excused: None,
        steps_max: STEPS_MAX,
        heard_at: Instant::ZERO,
        crashed: Vec::new(),
        unruly_server: scenario.server.disk.has_faults(),
        moves: 0,
        demands: scenario.demands.clone(),
    })
}

/// Whether operations may take so long that others wait for a minute.
fn is_slow(disk: &DiskPlan) -> bool {
    disk.slow.factor > 1
}

/// A user's goals, each with what must come of it.
fn expected_goals(
    scenario: &Scenario,
    user: usize,
    client: &ClientPlan,
) -> Vec<(crate::scenario::GoalPlan, Expect)> {
    let changes = |here: bool, path: &FilePath| {
        scenario.incidents.iter().any(|incident| {
            let ours = incident.who.0 as usize == user + 1;
            ours && matches!(
                &incident.what,
                Misfortune::Change { remote, path: changed, .. }
                    if *remote != here && changed == path
            )
        })
    };
    let goals = client.goals.iter().enumerate();
    let undecided = scenario.decides_after >= scenario.server.limits.limits().decision_timeout;
    let expect = |index| match client.expect(index, changes) {
        expect if !undecided => expect,
        Expect::Success => Expect::Failure(vec![ErrorCode::TimedOut]),
        Expect::Failure(codes) | Expect::Either(codes) => {
            Expect::Failure([&codes[..], &[ErrorCode::TimedOut]].concat())
        }
    };
    goals
        .map(|(index, plan)| (plan.clone(), expect(index)))
        .collect()
}
