//! A world: clients with their users, a server, the network between them, and a clock. It runs from event to event, and
//! after every step looks for what must not happen.

mod build;
mod files;
mod host;
mod judge;
mod request;
mod server;
#[cfg(test)]
mod tests;
mod trace;
mod user;
mod violation;

use std::fmt::Write as _;

use proto_core::wire::{PacketKind, PartialHeader};
use proto_core::{Duration, Event, Instant};

use build::{address, host_at};
use files::Files;
use host::{Host, Record, Round};
use server::Server;
pub use trace::Trace;
use user::{Ended, User};
pub use violation::Violation;

use crate::net::{Datagram, Network};
use crate::scenario::Scenario;

/// The server's place among the hosts.
const SERVER_HOST: usize = 0;
/// The first client's.
const CLIENT_HOST: usize = 1;

/// From the last user's leaving to the last trace of a session: an idle time-out and what flushing takes.
const REST_MAX: Duration = Duration::from_secs(120);

/// Silence of all applications after which a run is stuck.
const SILENCE_MAX: Duration = Duration::from_secs(600);

/// What a run was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Checksum over every datagram sent with its time, every event, and the files at the end.
    pub digest: u64,
    /// Goals that were met.
    pub met: u64,
    /// Goals that ended in an error, as they had to.
    pub failed: u64,
    /// Transfers and sessions that were tried again after a session was lost.
    pub sessions_lost: u64,
    /// File bytes that travelled, at the clients' count.
    pub bytes: u64,
    /// File bytes that the clients sent again.
    pub resent: u64,
    /// Datagrams sent by all.
    pub datagrams: u64,
    /// UDP payload bytes sent by all.
    pub wire_bytes: u64,
    /// Virtual time.
    pub elapsed: Duration,
    /// Steps.
    pub steps: u64,
}

/// A world that runs.
#[derive(Debug)]
pub struct World {
    now: Instant,
    steps: u64,
    time_max: Instant,
    steps_max: u64,
    network: Network,
    hosts: Vec<Host>,
    users: Vec<User>,
    server: Server,
    files: Files,
    /// Whose address the server may take for proven.
    validated: Vec<bool>,
    /// When the last user had left.
    gone_at: Option<Instant>,
    /// The time of the last event.
    heard_at: Instant,
    unruly_server: bool,
    unruly_clients: Vec<bool>,
    record: Record,
}

type Checked<T> = Result<T, String>;

impl World {
    /// The world of `scenario`, before its first step.
    ///
    /// # Errors
    /// A scenario that cannot be built.
    pub fn new(scenario: &Scenario) -> Result<Self, Violation> {
        build::build(scenario).map_err(|what| Violation {
            at: Instant::ZERO,
            step: 0,
            what,
        })
    }

    /// Lets lines about the run go to `trace`.
    pub fn set_trace(&mut self, trace: Trace) {
        self.record.trace = trace;
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The first thing that must not happen.
    pub fn run(mut self) -> Result<Report, Violation> {
        let ran = self.run_to_rest().and_then(|()| self.judge_end());
        ran.map_err(|what| Violation {
            at: self.now,
            step: self.steps,
            what,
        })?;
        Ok(self.report())
    }

    fn run_to_rest(&mut self) -> Checked<()> {
        while !self.is_at_rest() {
            let next = self.next_time();
            let next =
                next.ok_or_else(|| format!("nothing will ever happen; {}", self.describe()))?;
            self.now = self.now.max(next);
            if self.now > self.time_max || self.steps >= self.steps_max {
                return Err(format!("the run does not end; {}", self.describe()));
            }
            self.step()?;
        }
        Ok(())
    }

    fn next_time(&self) -> Option<Instant> {
        let hosts = self.hosts.iter().filter_map(Host::next_time);
        let users = self.users.iter().filter_map(User::next_time);
        hosts.chain(users).chain(self.network.next_time()).min()
    }

    fn is_at_rest(&self) -> bool {
        self.gone_at.is_some() && self.hosts.iter().all(Host::is_at_rest) && self.network.is_idle()
    }

    /// Delivers what is due, then lets everyone who got something act.
    fn step(&mut self) -> Checked<()> {
        self.steps += 1;
        self.record.trace.set_time(self.now);
        let mut touched = 0_u64;
        while let Some(datagram) = self.network.deliver(self.now) {
            if let Some(index) = self.datagram(datagram) {
                touched |= 1 << index;
            }
        }
        for index in 0..self.hosts.len() {
            let mut any = self.hosts[index].work(self.now, &mut self.record)?;
            self.check_appeared(index)?;
            if let Some(user) = index.checked_sub(CLIENT_HOST) {
                let host = &mut self.hosts[index];
                if self.users[user].act(self.now, &mut host.endpoint)? {
                    host.input();
                    any = true;
                }
            }
            if any {
                touched |= 1 << index;
            }
        }
        for index in 0..self.hosts.len() {
            if touched & (1 << index) != 0 {
                self.drive(index)?;
            }
        }
        self.check_amplification()?;
        if self.gone_at.is_none() && self.users.iter().all(User::is_gone) {
            self.gone_at = Some(self.now);
        }
        if self.now.since(self.heard_at) > SILENCE_MAX {
            return Err(format!("no event for {SILENCE_MAX:?}; {}", self.describe()));
        }
        if self.gone_at.is_some_and(|at| self.now.since(at) > REST_MAX) {
            return Err(format!(
                "sessions stay when all users are gone; {}",
                self.describe()
            ));
        }
        Ok(())
    }

    fn datagram(&mut self, mut datagram: Datagram) -> Option<usize> {
        let index = host_at(datagram.destination)?;
        if index == SERVER_HOST
            && let Some(user) = host_at(datagram.source)?.checked_sub(CLIENT_HOST)
            && !self.validated[user]
        {
            self.validated[user] = has_handshake_packet(&datagram.payload);
        }
        let host = self.hosts.get_mut(index)?;
        self.record.trace.line(|| {
            let (len, from) = (datagram.payload.len(), datagram.source);
            format!("{}: receives {len} bytes from {from}", host.name)
        });
        host.datagram(self.now, &mut datagram);
        Some(index)
    }

    /// Polls a host until it is quiet, answering its events.
    fn drive(&mut self, index: usize) -> Checked<()> {
        loop {
            let host = &mut self.hosts[index];
            match host.round(self.now, &mut self.network, &mut self.record)? {
                Round::Event(event) => self.event(index, event)?,
                Round::More => {}
                Round::Quiet => return Ok(()),
            }
        }
    }

    fn event(&mut self, index: usize, event: Event) -> Checked<()> {
        self.heard_at = self.now;
        // Writing to a digest cannot fail.
        let _ = write!(self.record.digest, "{index} {event:?}");
        let endpoint = &mut self.hosts[index].endpoint;
        let Some(user) = index.checked_sub(CLIENT_HOST) else {
            let ready = self.server.on_event(self.now, endpoint, event)?;
            if let Some(user) = ready {
                self.validated[user] = true;
            }
            return Ok(());
        };
        let ended = self.users[user].on_event(self.now, endpoint, event)?;
        if let Some(Ended(goal)) = ended {
            self.judge(user, goal)?;
        }
        let host = &mut self.hosts[index];
        let user = &mut self.users[user];
        user.act(self.now, &mut host.endpoint)?;
        user.leave(self.now, &mut host.endpoint)?;
        Ok(())
    }

    /// What a rename has brought must be what a transfer may have brought there, whole.
    fn check_appeared(&mut self, index: usize) -> Checked<()> {
        let host = &mut self.hosts[index];
        for (root, path) in host.disk.take_appeared() {
            if path.is_reserved() {
                continue;
            }
            let place = (index, root, path);
            let content = host.disk.content(root, &place.2);
            // It may have been replaced within the same instant.
            if content.is_some_and(|content| !self.files.may_appear(&place, content)) {
                return Err(format!(
                    "{}: {:?} appeared with other bytes",
                    host.name, place.2
                ));
            }
        }
        Ok(())
    }

    /// H1: at most 3 × the bytes received go to an address that is not proven.
    fn check_amplification(&self) -> Checked<()> {
        for (user, validated) in self.validated.iter().enumerate() {
            if *validated {
                continue;
            }
            let (there, here) = (address(SERVER_HOST), address(user + CLIENT_HOST));
            let sent = self
                .network
                .stats(there, here)
                .unwrap_or_default()
                .sent_bytes;
            let got = self.network.stats(here, there).unwrap_or_default();
            if sent > 3 * got.delivered_bytes {
                let got = got.delivered_bytes;
                return Err(format!(
                    "server: {sent} bytes sent to an unproven address for {got}"
                ));
            }
        }
        Ok(())
    }

    fn judge_end(&mut self) -> Checked<()> {
        if self.server.open() > 0 {
            return Err(format!("server: {} ends were not told", self.server.open()));
        }
        self.judge_agreement()?;
        self.judge_disks()
    }

    /// Where everyone is, for a message about a run that does not end.
    fn describe(&self) -> String {
        let hosts: Vec<String> = (self.hosts.iter())
            .map(|host| {
                format!(
                    "{}: {} sessions, {} operations on loan, {} files open, deadline {:?}, {} bytes received",
                    host.name,
                    host.endpoint.sessions(),
                    host.disk.on_loan(),
                    host.disk.open_files(),
                    host.deadline(),
                    host.received(),
                )
            })
            .collect();
        let users: Vec<String> = self.users.iter().map(User::describe).collect();
        format!("{hosts:?} {users:?}")
    }

    fn report(&mut self) -> Report {
        let mut report = Report {
            elapsed: self.now.since(Instant::ZERO),
            steps: self.steps,
            ..Report::default()
        };
        for (user, of) in self.users.iter().enumerate() {
            let (there, here) = (address(SERVER_HOST), address(user + CLIENT_HOST));
            for (from, to) in [(here, there), (there, here)] {
                let stats = self.network.stats(from, to).unwrap_or_default();
                report.datagrams += stats.sent;
                report.wire_bytes += stats.sent_bytes;
            }
            report.sessions_lost += u64::from(of.sessions_lost);
            report.bytes += of.bytes;
            report.resent += of.resent;
            for run in &of.goals {
                match run.result {
                    Some(Ok(_)) => report.met += 1,
                    _ => report.failed += 1,
                }
            }
        }
        self.record.digest.number(self.now.as_nanos());
        self.record.digest.number(self.steps);
        report.digest = self.record.digest.value();
        report
    }
}

/// Whether a datagram has a packet under handshake keys: only who got the server's first answer can have made it.
fn has_handshake_packet(datagram: &[u8]) -> bool {
    let mut rest = datagram;
    while let Ok(header) = PartialHeader::decode(rest) {
        if header.kind == PacketKind::Handshake {
            return true;
        }
        match rest.get(header.end..) {
            Some(after) if !after.is_empty() && header.end > 0 => rest = after,
            _ => return false,
        }
    }
    false
}

/// Draws the scenario of `seed` and runs it.
///
/// # Errors
/// The first thing that must not happen.
pub fn run_seed(seed: u64, tls: bool, trace: Trace) -> Result<Report, Violation> {
    let mut world = World::new(&Scenario::draw(seed, tls))?;
    world.set_trace(trace);
    world.run()
}
