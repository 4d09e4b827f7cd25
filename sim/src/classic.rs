//! Worlds of the classic dialect: clients with goals and a server, under all faults of the network, from one seed.
//!
//! No message of the dialect carries a checksum; UDP's keeps changed ones away. So a datagram that a link would change is lost
//! here. Large datagrams travel in fragments: links have no largest size.

mod judge;
mod plan;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use proto_core::crypto::PublicKey;
use proto_core::wire::{Durability, ErrorCode, FilePath};
use proto_core::{
    Config, Decision, Duration, Event, Failure, Instant, Overwrite, Place, Request, RootId,
    TransferId,
};

use crate::disk::Disk;
use crate::lab::{Checked, Crash, Happening, HostId, HostSetup, Lab, Trace};
use crate::null_crypto::NullProvider;
use crate::rng::Rng;
use crate::world::Report;
use judge::Files;
use plan::{ClientPlan, Goal, Plan, Way};

/// The one root of each disk.
const ROOT: RootId = RootId(1);
/// After the faults have ended, everything must be done within this time.
const PATIENCE: Duration = Duration::from_secs(900);
/// After the last goal, all state must be gone within this time: the longest that an exchange is remembered, and some.
const REST: Duration = Duration::from_secs(60);

/// Something that happens at its time.
#[derive(Clone, Copy, Debug)]
enum Todo {
    Start(usize),
    Move(usize),
    Jump(HostId, Duration),
    Crash(Crash),
    Restart,
}

/// A client and where it stands.
#[derive(Debug)]
struct Client {
    host: HostId,
    plan: ClientPlan,
    /// The goal at hand.
    goal: usize,
    current: Option<TransferId>,
    listing: Vec<u8>,
}

/// A world that runs.
#[derive(Debug)]
struct World {
    lab: Lab,
    rng: Rng,
    server: HostId,
    server_address: SocketAddr,
    clients: Vec<Client>,
    files: Files,
    agenda: BTreeMap<(Instant, u32), Todo>,
    todos: u32,
    crashed: bool,
    report: Report,
}

/// Runs the world of `seed` to its end.
///
/// # Errors
/// The first thing that must not happen.
pub fn run(seed: u64, trace: Trace) -> Result<Report, String> {
    let mut world = World::new(seed, trace)?;
    world
        .run()
        .map_err(|what| world.lab.violation(what).to_string())
}

fn address(number: u32, port: u16) -> SocketAddr {
    let [_, a, b, c] = (number + 1).to_be_bytes();
    SocketAddr::from(([10, a, b, c], port))
}

impl World {
    fn new(seed: u64, trace: Trace) -> Result<Self, String> {
        let mut rng = Rng::new(seed, 0xc1a5);
        let plan = Plan::draw(&mut rng);
        let mut lab = Lab::new(seed);
        lab.set_trace(trace);
        let mut files = Files::default();
        let mut host = |number: u32, disk: Disk, accept: bool| {
            let key = PublicKey([number as u8; 32]);
            let mut config = Config::new(Arc::new(NullProvider { key }));
            (config.accept, config.classic) = (accept, true);
            lab.add_host(HostSetup {
                name: if accept {
                    "server".into()
                } else {
                    format!("client {number}")
                },
                address: address(number, 700),
                config,
                disk,
                segments_max: 1,
            })
        };
        let mut disk = Disk::new(plan.server_disk, rng.fork());
        disk.add_root(ROOT);
        for goal in plan.clients.iter().flat_map(|client| &client.goals) {
            if goal.way == Way::Get && !disk.plant(ROOT, &goal.name, goal.content(), 5) {
                return Err(format!("{:?} cannot be planted", goal.name));
            }
        }
        let server = host(0, disk, true);
        let mut clients = Vec::new();
        for (number, client) in (1..).zip(plan.clients) {
            let mut disk = Disk::new(client.disk, rng.fork());
            disk.add_root(ROOT);
            for goal in &client.goals {
                if goal.way == Way::Put && !disk.plant(ROOT, &goal.name, goal.content(), 5) {
                    return Err(format!("{:?} cannot be planted", goal.name));
                }
                files.expect(goal);
            }
            let host = host(number, disk, false);
            clients.push(Client {
                host,
                plan: client,
                goal: 0,
                current: None,
                listing: Vec::new(),
            });
        }
        let mut world = Self {
            lab,
            rng,
            server,
            server_address: address(0, 700),
            clients,
            files,
            agenda: BTreeMap::new(),
            todos: 0,
            crashed: false,
            report: Report::default(),
        };
        world.lay_paths();
        world.plan_incidents(plan.crash);
        Ok(world)
    }

    fn lay_paths(&mut self) {
        for client in &self.clients {
            let here = self.lab.host(client.host).address();
            let link = &client.plan.link;
            let up = link.up.build(self.lab.network(), &mut self.rng);
            let down = link.down.build(self.lab.network(), &mut self.rng);
            self.lab.network().connect(here, self.server_address, up);
            self.lab.network().connect(self.server_address, here, down);
        }
    }

    fn plan_incidents(&mut self, crash: Option<(Instant, Crash, Duration)>) {
        if let Some((at, how, down)) = crash {
            self.later(at, Todo::Crash(how));
            self.later(at + down, Todo::Restart);
        }
        for number in 0..self.clients.len() {
            let plan = &self.clients[number].plan;
            let (host, joins, moves, jumps) = (
                self.clients[number].host,
                plan.joins,
                plan.moves,
                plan.jumps,
            );
            self.lab.drift_clock(host, plan.drift);
            self.later(joins, Todo::Start(number));
            if let Some(at) = moves {
                self.later(at, Todo::Move(number));
            }
            if let Some((at, by)) = jumps {
                self.later(at, Todo::Jump(host, by));
            }
        }
    }

    fn later(&mut self, at: Instant, todo: Todo) {
        self.todos += 1;
        self.agenda.insert((at, self.todos), todo);
    }

    fn run(&mut self) -> Checked<Report> {
        let end = Instant::ZERO + plan::HEALED + PATIENCE;
        loop {
            let next = self.agenda.keys().next().map(|(at, _)| *at);
            match self
                .lab
                .next(next.unwrap_or(end).min(end))
                .map_err(|error| error.what)?
            {
                Happening::Event(host, event) => self.on_event(host, event)?,
                Happening::Appeared(host, root, path) => {
                    let content = self.lab.host(host).disk().content(root, &path);
                    self.files.check(&path, content)?;
                }
                Happening::Until if self.lab.now() >= end => {
                    return Err(format!("goals are left at {end:?}"));
                }
                Happening::Until => self.do_next()?,
            }
            let met = self
                .clients
                .iter()
                .all(|client| client.goal == client.plan.goals.len());
            if met && self.agenda.is_empty() {
                break;
            }
        }
        self.rest()?;
        Ok(self.take_report())
    }

    fn do_next(&mut self) -> Checked<()> {
        let Some((_, todo)) = self.agenda.pop_first() else {
            return Ok(());
        };
        match todo {
            Todo::Start(number) => self.start(number)?,
            Todo::Move(number) => {
                let host = self.clients[number].host;
                self.lab.readdress(host, address(host.0 as u32, 701));
            }
            Todo::Jump(host, by) => self.lab.jump_clock(host, by),
            Todo::Crash(how) => {
                self.crashed = true;
                self.report.crashes += 1;
                self.lab.crash(self.server, how);
            }
            Todo::Restart => self.lab.restart(self.server, None),
        }
        Ok(())
    }

    fn start(&mut self, number: usize) -> Checked<()> {
        let client = &mut self.clients[number];
        let Some(goal) = client.plan.goals.get(client.goal) else {
            return Ok(());
        };
        client.listing.clear();
        let request = request(goal);
        let (now, endpoint) = self.lab.endpoint(client.host).ok_or("a client is down")?;
        match endpoint.start_classic(now, self.server_address, request) {
            Ok(transfer) => client.current = Some(transfer),
            // The last exchange stays for a while.
            Err(_) => {
                let at = self.lab.now() + Duration::from_secs(1);
                self.later(at, Todo::Start(number));
            }
        }
        Ok(())
    }

    fn on_event(&mut self, host: HostId, event: Event) -> Checked<()> {
        if host == self.server {
            return self.on_server_event(event);
        }
        let number = host.0 - 1;
        let client = &mut self.clients[number];
        match event {
            Event::Listing { transfer, entries } if client.current == Some(transfer) => {
                client.listing = entries;
            }
            Event::Finished {
                transfer,
                result,
                stats,
            } if client.current == Some(transfer) => {
                client.current = None;
                self.report.connections += 1;
                self.report.resent += stats.resent;
                match result {
                    Ok(_) => {
                        self.report.bytes += stats.bytes;
                        self.met(number)?;
                    }
                    Err(failure) => self.failed(number, failure)?,
                }
                let pause = Duration::from_nanos(self.rng.log_uniform(3_000_000_000));
                let at = self.lab.now() + pause;
                self.later(at, Todo::Start(number));
            }
            Event::Accepted { transfer }
            | Event::Entry { transfer, .. }
            | Event::Progress { transfer, .. }
                if client.current == Some(transfer) => {}
            other => return Err(format!("client {number}: {other:?} is of no exchange")),
        }
        Ok(())
    }

    /// A goal is met: what was to be moved is there, byte for byte.
    fn met(&mut self, number: usize) -> Checked<()> {
        let client = &mut self.clients[number];
        let goal = &client.plan.goals[client.goal];
        let holder = match goal.way {
            Way::List => return self.met_list(number),
            Way::Get => client.host,
            Way::Put => self.server,
        };
        self.files
            .check_stored(&goal.name, self.lab.host(holder).disk(), ROOT)?;
        client.goal += 1;
        self.report.transfers += 1;
        self.report.met += 1;
        Ok(())
    }

    fn met_list(&mut self, number: usize) -> Checked<()> {
        let client = &mut self.clients[number];
        self.files.check_list(&client.listing)?;
        client.goal += 1;
        self.report.met += 1;
        Ok(())
    }

    /// An exchange may fail of silence or of this end's disk; then it is tried again.
    fn failed(&mut self, number: usize, failure: Failure) -> Checked<()> {
        let client = &self.clients[number];
        let faulty = client.plan.disk.has_faults();
        match failure {
            Failure::NoAnswer | Failure::SessionLost => {}
            Failure::Here(
                ErrorCode::Io | ErrorCode::NoSpace | ErrorCode::Busy | ErrorCode::SourceChanged,
            ) if faulty => {}
            other => return Err(format!("client {number} fails with {other:?}")),
        }
        self.report.sessions_lost += 1;
        Ok(())
    }

    fn on_server_event(&mut self, event: Event) -> Checked<()> {
        match event {
            Event::ClassicRequested {
                transfer, request, ..
            } => {
                let place = Place {
                    root: ROOT,
                    path: request.path,
                };
                let decision = Decision::Grant {
                    place,
                    may_replace: true,
                };
                let (now, endpoint) = self.lab.endpoint(self.server).ok_or("the server is down")?;
                let decided = endpoint.decide(now, transfer, decision);
                decided.map_err(|error| format!("server: {error}"))
            }
            Event::Entry { .. } | Event::Progress { .. } | Event::Finished { .. } => Ok(()),
            other => Err(format!("server: {other:?}")),
        }
    }

    /// All state must go away by itself.
    fn rest(&mut self) -> Checked<()> {
        let end = self.lab.now() + REST;
        while !self.lab.is_at_rest() {
            match self.lab.next(end).map_err(|error| error.what)? {
                Happening::Event(host, event) if host == self.server => {
                    self.on_server_event(event)?
                }
                Happening::Event(_, event) => return Err(format!("{event:?} after the end")),
                Happening::Appeared(host, root, path) => {
                    let content = self.lab.host(host).disk().content(root, &path);
                    self.files.check(&path, content)?;
                }
                Happening::Until => break,
            }
        }
        for host in self.lab.hosts() {
            let left = host
                .endpoint()
                .map_or(0, proto_core::Endpoint::classic_exchanges);
            let open = host.disk().open_files();
            if left > 0 || open > 0 {
                let name = host.name();
                return Err(format!(
                    "{name}: {left} exchanges and {open} open files are left"
                ));
            }
            let is_server = host.name() == "server";
            // What a crash left is not this dialect's to remove; nor is what a disk refused to.
            let excused = (is_server && self.crashed) || host.disk().stats().injected > 0;
            let temporary = |path: &FilePath| path.is_reserved();
            if !excused && host.disk().walk(ROOT).iter().any(temporary) {
                return Err(format!("{}: a temporary file is left", host.name()));
            }
        }
        Ok(())
    }

    fn take_report(&self) -> Report {
        let hosts = self.lab.hosts();
        Report {
            digest: self.lab.digest(),
            datagrams: hosts.iter().map(crate::lab::Host::sent_datagrams).sum(),
            wire_bytes: hosts.iter().map(crate::lab::Host::sent_bytes).sum(),
            elapsed: self.lab.now().since(Instant::ZERO),
            steps: self.lab.steps(),
            ..self.report
        }
    }
}

fn request(goal: &Goal) -> Request {
    let here = Place {
        root: ROOT,
        path: goal.name.clone(),
    };
    match goal.way {
        Way::List => Request::List {
            path: FilePath::root(),
        },
        Way::Get => Request::Get {
            from: goal.name.clone(),
            to: here,
            overwrite: Overwrite::Replace,
            durability: Durability::Full,
            preserve: false,
            keep_top_mode: false,
            tree: false,
        },
        Way::Put => Request::Put {
            from: here,
            to: goal.name.clone(),
            overwrite: Overwrite::Replace,
            durability: Durability::Full,
            tree: false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_seeds_hold_and_repeat() {
        for seed in 0..40 {
            let report =
                run(seed, Trace::default()).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
            assert!(report.met > 0);
            assert_eq!(run(seed, Trace::default()), Ok(report), "seed {seed}");
        }
    }
}
