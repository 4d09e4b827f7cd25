//! A world: clients with their users, a server, the network between them, and what befalls them. It runs from event to event, and
//! after every step looks for what must not happen.

mod agenda;
mod build;
mod files;
mod incidents;
mod judge;
mod outcome;
mod request;
mod server;
#[cfg(test)]
mod tests;
mod tree;
mod user;

use std::fmt::Write as _;
use std::hash::Hash as _;
use std::sync::Arc;

use proto_core::wire::FilePath;
use proto_core::{Duration, Endpoint, Event, Instant, RootId};

pub use outcome::{GoalOutcome, Outcome, UserOutcome};

use agenda::Agenda;
use files::Files;
use judge::Trust;
use server::Server;
use user::{Desk, Ended, Standing, User};

use crate::fault::PlannedFaults;
use crate::lab::{Checked, Happening, HostId, Lab, Trace, Violation};
use crate::scenario::{Demands, Incident, Scenario};

/// The server's place among the hosts.
const SERVER: HostId = HostId(0);

/// From the last user's leaving to the last trace of a session: what flushing takes, then an idle time-out after the last answer of
/// a user's closed session. One whose CLOSE does not get through, since it was made hollow, still answers for three probe
/// time-outs, which may be a minute.
const REST_MAX: Duration = Duration::from_secs(240);

/// Silence of all applications after which a run is stuck.
const SILENCE_MAX: Duration = Duration::from_secs(600);

/// What is wrong with a run that goes on after its last limit,
const ENDLESS: &str = "the run does not end although nothing has hindered it for long";
/// that goes on without a word,
const SILENT: &str = "nothing was heard of for long";
/// or whose hosts do not come to rest.
const RESTLESS: &str = "sessions stay when all users are gone";

/// The host of a user.
fn host_of(user: usize) -> HostId {
    HostId(user + 1)
}

/// What a run was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Checksum over every datagram sent with its time, and every event.
    pub digest: u64,
    /// Goals that were met.
    pub met: u64,
    /// Goals that ended in an error, as they had to.
    pub failed: u64,
    /// Uploads and downloads among all goals.
    pub transfers: u64,
    /// Sessions that clients opened.
    pub connections: u64,
    /// Sessions that ended before their time, after which the user tried again.
    pub sessions_lost: u64,
    /// Machines that crashed.
    pub crashes: u64,
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

impl Report {
    /// Adds the figures of another run; the digests are mixed whatever the order.
    pub fn add(&mut self, other: &Self) {
        self.digest ^= other.digest;
        self.met += other.met;
        self.failed += other.failed;
        self.transfers += other.transfers;
        self.connections += other.connections;
        self.sessions_lost += other.sessions_lost;
        self.crashes += other.crashes;
        self.bytes += other.bytes;
        self.resent += other.resent;
        self.datagrams += other.datagrams;
        self.wire_bytes += other.wire_bytes;
        self.elapsed += other.elapsed;
        self.steps += other.steps;
    }
}

/// A world that runs.
#[derive(Debug)]
pub struct World {
    lab: Lab,
    users: Vec<User>,
    server: Server,
    files: Files,
    agenda: Agenda,
    /// What is still to come, the next one last.
    incidents: Vec<Incident>,
    /// Faults inside of cores that end, the next one last.
    heals: Vec<(Instant, Arc<PlannedFaults>)>,
    /// Hosts that are down or suspended, and when they come up.
    down: Vec<(Instant, HostId)>,
    /// When the run must have ended.
    time_max: Instant,
    /// Until when disks had work when the first limit of time was reached: limits count from then on, once.
    excused: Option<Instant>,
    steps_max: u64,
    /// Users who have not left.
    present: usize,
    /// When the last user had left.
    gone_at: Option<Instant>,
    /// The time of the last event.
    heard_at: Instant,
    crashed: Vec<HostId>,
    unruly_server: bool,
    unruly_clients: Vec<bool>,
    moves: u8,
    demands: Demands,
}

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
        self.lab.set_trace(trace);
    }

    /// Whether the state of every endpoint is audited after each step; on from the beginning. Without, only what can be
    /// seen from outside of the cores is judged.
    pub fn set_audits(&mut self, on: bool) {
        self.lab.set_audits(on);
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The first thing that must not happen.
    pub fn run(self) -> Result<Report, Violation> {
        self.observe().map(|outcome| outcome.report)
    }

    /// Runs to the end, and says of each goal what came of it.
    ///
    /// # Errors
    /// The first thing that must not happen.
    pub fn observe(mut self) -> Result<Outcome, Violation> {
        self.run_to_rest()?;
        self.judge_end().map_err(|what| self.lab.violation(what))?;
        let outcome = Outcome {
            report: self.report(),
            users: self.users.iter().map(User::outcome).collect(),
        };
        let checked = outcome.check(&self.demands);
        checked.map_err(|what| self.lab.violation(what))?;
        Ok(outcome)
    }

    fn run_to_rest(&mut self) -> Result<(), Violation> {
        while !self.is_at_rest() {
            let until = self.next_time();
            let happening = self.lab.next(until)?;
            let checked = match happening {
                Happening::Event(host, event) => self.event(host, event),
                Happening::Appeared(host, root, path) => self.check_appeared(host, root, path),
                Happening::Until => self.due(),
            };
            checked
                .and_then(|()| self.check_time())
                .map_err(|what| self.lab.violation(what))?;
        }
        Ok(())
    }

    fn is_at_rest(&self) -> bool {
        self.present == 0 && self.down.is_empty() && self.lab.is_at_rest()
    }

    /// When somebody outside the laboratory does something next, or the run must have ended.
    fn next_time(&self) -> Instant {
        let incident = self.incidents.last().map(|next| Instant::ZERO + next.at);
        let heal = self.heals.last().map(|(at, _)| *at);
        let up = self.down.iter().map(|(at, _)| *at).min();
        // The last thing to happen on the way to rest has no event.
        let step = self.gone_at.and(self.lab.next_time());
        let server = self.server.next_time();
        let acts = [incident, heal, up, server, self.agenda.next_time(), step];
        // A nanosecond later it is too late.
        let limit = self.limits().map(|(at, _)| at).into_iter().min();
        let late = limit.map(|at| at + Duration::from_nanos(1));
        acts.into_iter()
            .flatten()
            .chain(late)
            .min()
            .unwrap_or(self.time_max)
    }

    /// Until when something must have happened, and what is wrong when it has not.
    fn limits(&self) -> [(Instant, &'static str); 3] {
        // Nobody wonders why nothing is heard of a host that is down.
        let up = self.down.iter().map(|(at, _)| *at).max();
        let excused = self.excused.max(up).unwrap_or(Instant::ZERO);
        let rest = self.gone_at.map(|at| at.max(excused) + REST_MAX);
        let end = match self.excused {
            None => self.time_max,
            Some(at) => self.time_max.max(at + build::PATIENCE),
        };
        [
            (end, ENDLESS),
            (self.heard_at.max(excused) + SILENCE_MAX, SILENT),
            (rest.unwrap_or(end), RESTLESS),
        ]
    }

    fn check_time(&mut self) -> Checked<()> {
        let now = self.lab.now();
        if self.lab.steps() >= self.steps_max {
            return Err(format!("{ENDLESS}; {}", self.describe()));
        }
        let late = |of: &Self| of.limits().into_iter().find(|(at, _)| *at < now);
        if late(self).is_some() && self.excused.is_none() {
            // A slow disk carries out, one after the other, what was asked of it long ago.
            let hosts = self.lab.hosts().iter();
            self.excused = hosts.filter_map(|host| host.disk().busy_until()).max();
        }
        match late(self) {
            None => Ok(()),
            Some((_, what)) => Err(format!("{what}; {}", self.describe())),
        }
    }

    /// Lets everyone outside the laboratory do what is due.
    fn due(&mut self) -> Checked<()> {
        let now = self.lab.now();
        while let Some((_, faults)) = self.heals.pop_if(|(at, _)| *at <= now) {
            faults.heal();
        }
        self.incidents_due()?;
        self.answers_due()?;
        while let Some(user) = self.agenda.pop_due(now) {
            self.act(user)?;
        }
        Ok(())
    }

    /// Lets the server's application say what it had to think about.
    fn answers_due(&mut self) -> Checked<()> {
        let now = self.lab.now();
        while self.server.next_time().is_some_and(|at| at <= now) {
            let endpoint = self.lab.endpoint(SERVER);
            self.server.answer_next(endpoint)?;
        }
        Ok(())
    }

    /// Lets a user do what is due.
    fn act(&mut self, user: usize) -> Checked<()> {
        let now = self.lab.now();
        if let Some((shown, endpoint)) = self.lab.endpoint(host_of(user)) {
            let of = &mut self.users[user];
            let desk = &mut Desk {
                now,
                shown,
                endpoint,
            };
            of.act(desk)?;
            of.leave(desk);
            self.plan(user);
        }
        Ok(())
    }

    /// Notes when a user does something next, and whether they have left.
    fn plan(&mut self, user: usize) {
        let of = &self.users[user];
        self.agenda.set(user, of.next_time());
        if of.is_gone() && self.agenda.leave(user) {
            self.present -= 1;
            if self.present == 0 {
                self.gone_at = Some(self.lab.now());
            }
        }
    }

    fn event(&mut self, host: HostId, event: Event) -> Checked<()> {
        let now = self.lab.now();
        self.heard_at = now;
        (host.0, &event).hash(&mut self.lab.record.digest);
        let Some((shown, endpoint)) = self.lab.endpoint(host) else {
            return Err(format!("{host:?}: is down and has {event:?}"));
        };
        let Some(user) = host.0.checked_sub(1) else {
            return self.server.on_event((now, shown), endpoint, event);
        };
        let of = &mut self.users[user];
        let desk = &mut Desk {
            now,
            shown,
            endpoint,
        };
        let ended = of.on_event(desk, event)?;
        if let Some(Ended(goal)) = ended
            && self.users[user].standing == Standing::Honest
        {
            self.judge(user, goal)?;
        }
        self.act(user)
    }

    /// What a rename has brought must be what a transfer may have brought there, whole.
    fn check_appeared(&mut self, host: HostId, root: RootId, path: FilePath) -> Checked<()> {
        if path.is_reserved() {
            return Ok(());
        }
        let place = (host, root, path);
        // It may have been replaced within the same instant.
        let Some(content) = self.lab.host(host).disk().content(root, &place.2) else {
            return Ok(());
        };
        let good = match self.trust_in(&place) {
            Trust::Full => self.files.may_appear(&place, content),
            // A liar may send what it likes, but only where it was asked to.
            Trust::Names => self.files.is_target(&place) || self.files.is_in_tree(&place),
            // Its own directory is the liar's to fill.
            Trust::Nothing => true,
        };
        if good {
            Ok(())
        } else {
            let name = self.lab.host(host).name();
            Err(format!("{name}: {:?} appeared with other bytes", place.2))
        }
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
        let mut text = String::new();
        for (host, user) in self
            .lab
            .hosts()
            .iter()
            .zip(std::iter::once(None).chain(self.users.iter().map(Some)))
        {
            let busy = user.is_none_or(|user| !user.is_gone()) || !host.is_at_rest();
            if busy {
                // Writing to a string cannot fail.
                let _ = write!(
                    text,
                    "{}: {} sessions, {} operations on loan, {} files open, deadline {:?}, {} bytes received; ",
                    host.name(),
                    host.endpoint().map_or(0, Endpoint::sessions),
                    host.disk().on_loan(),
                    host.disk().open_files(),
                    host.deadline(),
                    host.received_bytes(),
                );
                if let Some(user) = user {
                    text.push_str(&user.describe());
                }
            }
        }
        text
    }

    fn report(&mut self) -> Report {
        let (now, steps) = (self.lab.now().as_nanos(), self.lab.steps());
        let digest = &mut self.lab.record.digest;
        digest.number(now);
        digest.number(steps);
        let mut report = Report {
            digest: self.lab.digest(),
            elapsed: self.lab.now().since(Instant::ZERO),
            steps: self.lab.steps(),
            crashes: self.crashed.len() as u64,
            ..Report::default()
        };
        for host in self.lab.hosts() {
            report.datagrams += host.sent_datagrams();
            report.wire_bytes += host.sent_bytes();
        }
        for user in &self.users {
            user.add_to(&mut report);
        }
        report
    }
}

/// Draws the scenario of `seed` and runs it.
///
/// # Errors
/// The first thing that must not happen.
pub fn run_seed(seed: u64, tls: bool, trace: Trace) -> Result<Report, Violation> {
    run_scenario(&Scenario::draw(seed, tls), trace)
}

/// Runs a scenario.
///
/// # Errors
/// The first thing that must not happen.
pub fn run_scenario(scenario: &Scenario, trace: Trace) -> Result<Report, Violation> {
    observe(scenario, trace).map(|outcome| outcome.report)
}

/// Runs a scenario, and says of each goal what came of it.
///
/// # Errors
/// The first thing that must not happen.
pub fn observe(scenario: &Scenario, trace: Trace) -> Result<Outcome, Violation> {
    let mut world = World::new(scenario)?;
    world.set_trace(trace);
    world.observe()
}
