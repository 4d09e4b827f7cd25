//! A user at a client: comes, connects, pursues goals, leaves.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use proto_core::crypto::{Direction, PublicKey};
use proto_core::wire::{CloseCode, ErrorCode};
use proto_core::{
    Admission, CloseCause, Duration, Endpoint, Event, Failure, FileInfo, FileReport, Finished,
    Instant, PeerId, RootId, StartError, TransferId,
};

use super::Report;
use super::request::request;
use crate::lab::Checked;
use crate::scenario::{Expect, Goal, GoalPlan};

/// The one directory of a client.
pub(super) const LOCAL_ROOT: RootId = RootId(0);

/// Sessions that a user of a lying host loses before giving up.
const PATIENCE: u32 = 4;
/// From a lost session to the next try.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// A server that is busy is asked again after [`RETRY_AFTER`], and then after twice the time before, so often: each request to
/// put makes the own disk read what will be sent first.
const DOUBLINGS_MAX: u32 = 5;

/// What a user's word is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// Both ends are honest: everything must come out right.
    Honest,
    /// The user's own host lies: nothing that it tells counts.
    Liar,
    /// The server lies: goals may fail in any way.
    LiedTo,
}

/// A user at their machine: its endpoint, the true time, and the time that the machine's clock shows.
#[derive(Debug)]
pub(super) struct Desk<'a> {
    pub(super) now: Instant,
    pub(super) shown: Instant,
    pub(super) endpoint: &'a mut Endpoint,
}

/// Where a user is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Absent(Instant),
    Connecting(PeerId),
    Ready(PeerId),
    Leaving(PeerId),
    Gone,
}

/// How far a goal is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Waiting(Instant),
    Running {
        transfer: TransferId,
        cancel_at: Option<Instant>,
    },
    Done,
}

/// One goal and what came of it so far.
#[derive(Debug)]
pub(super) struct GoalRun {
    pub(super) plan: GoalPlan,
    /// What must come of it.
    pub(super) expect: Expect,
    state: State,
    /// Transfers that ended with their session.
    pub(super) lost: u32,
    /// How often the server was busy.
    busy: u32,
    pub(super) cancelled: bool,
    accepted: bool,
    progress: u64,
    /// When the first transfer was started.
    pub(super) began: Option<Instant>,
    /// When the last one ended.
    pub(super) ended: Option<Instant>,
    pub(super) bytes: u64,
    pub(super) resent: u64,
    /// What `Entry` said.
    pub(super) entry: Option<FileInfo>,
    /// What all `Files` said.
    pub(super) reports: Vec<FileReport>,
    /// What all `Listing`s said.
    pub(super) listing: Vec<u8>,
    /// The end.
    pub(super) result: Option<Result<Finished, Failure>>,
}

/// A transfer of a goal has ended otherwise than with its session: judge it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended(pub(super) usize);

/// What a user is made of.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) name: String,
    pub(super) server: SocketAddr,
    pub(super) server_key: PublicKey,
    pub(super) joins: Instant,
    pub(super) standing: Standing,
    /// Some disk is so slow that its host looks as if it held everyone up (T8).
    pub(super) slow_disks: bool,
    /// When the user gives up, if lies keep the goals from being met.
    pub(super) gives_up: Option<Instant>,
}

/// One user.
#[derive(Debug)]
pub(super) struct User {
    name: String,
    server: SocketAddr,
    server_key: PublicKey,
    stage: Stage,
    pub(super) standing: Standing,
    slow_disks: bool,
    gives_up: Option<Instant>,
    /// The server no longer welcomes this user.
    pub(super) revoked: bool,
    /// How often the host crashed.
    pub(super) crashes: u32,
    pub(super) goals: Vec<GoalRun>,
    transfers: BTreeMap<TransferId, usize>,
    /// There was no room for one more transfer.
    full: bool,
    /// Sessions that ended before their time.
    pub(super) sessions_lost: u32,
    /// Transfers that were begun.
    pub(super) started: u32,
    /// Sessions that were begun.
    pub(super) connections: u32,
    pub(super) joined: Instant,
    /// When the first session was ready.
    pub(super) ready: Option<Instant>,
}

impl User {
    pub(super) fn new(setup: Setup, goals: Vec<(GoalPlan, Expect)>) -> Self {
        let goal = |(plan, expect): (GoalPlan, Expect)| GoalRun {
            state: State::Waiting(setup.joins + plan.starts),
            plan,
            expect,
            lost: 0,
            busy: 0,
            cancelled: false,
            accepted: false,
            progress: 0,
            began: None,
            ended: None,
            bytes: 0,
            resent: 0,
            entry: None,
            reports: Vec::new(),
            listing: Vec::new(),
            result: None,
        };
        Self {
            name: setup.name,
            server: setup.server,
            server_key: setup.server_key,
            stage: Stage::Absent(setup.joins),
            standing: setup.standing,
            slow_disks: setup.slow_disks,
            gives_up: setup.gives_up,
            revoked: false,
            crashes: 0,
            goals: goals.into_iter().map(goal).collect(),
            transfers: BTreeMap::new(),
            full: false,
            sessions_lost: 0,
            started: 0,
            connections: 0,
            joined: setup.joins,
            ready: None,
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.stage == Stage::Gone
    }

    /// Adds what this user did to a report.
    pub(super) fn add_to(&self, report: &mut Report) {
        report.connections += u64::from(self.connections);
        report.sessions_lost += u64::from(self.sessions_lost);
        for run in &self.goals {
            report.bytes += run.bytes;
            report.resent += run.resent;
            let copy = matches!(run.plan.goal, Goal::Put(_) | Goal::Get(_));
            report.transfers += u64::from(copy);
            match run.result {
                Some(Ok(_)) => report.met += 1,
                _ => report.failed += 1,
            }
        }
    }

    /// For a message about a run that does not end.
    pub(super) fn describe(&self) -> String {
        let goals: Vec<String> = (self.goals.iter())
            .map(|run| format!("{:?} {:?}", run.state, run.plan.goal))
            .collect();
        format!("{}: {:?}, goals {goals:?}", self.name, self.stage)
    }

    /// When the user does something next.
    pub(super) fn next_time(&self) -> Option<Instant> {
        match self.stage {
            Stage::Absent(until) => Some(until),
            Stage::Ready(_) => {
                let mut earlier_done = true;
                let mut next = None;
                for run in &self.goals {
                    let at = match run.state {
                        State::Waiting(at) => {
                            let held = self.full || (run.plan.in_turn && !earlier_done);
                            (!held).then_some(at)
                        }
                        State::Running { cancel_at, .. } => cancel_at,
                        State::Done => None,
                    };
                    earlier_done &= run.state == State::Done;
                    next = next.into_iter().chain(at).min();
                }
                next.into_iter().chain(self.gives_up).min()
            }
            Stage::Connecting(_) => self.gives_up,
            Stage::Leaving(_) | Stage::Gone => None,
        }
    }

    /// Does what is due; says whether anything was.
    pub(super) fn act(&mut self, desk: &mut Desk<'_>) -> Checked<bool> {
        if self.next_time().is_none_or(|at| at > desk.now) {
            return Ok(false);
        }
        if self.gives_up.is_some_and(|at| at <= desk.now) {
            self.give_up(desk);
            return Ok(true);
        }
        match self.stage {
            Stage::Absent(_) => {
                let peer = desk
                    .endpoint
                    .connect(desk.shown, self.server)
                    .map_err(|error| format!("{}: cannot connect: {error}", self.name))?;
                self.connections += 1;
                self.stage = Stage::Connecting(peer);
            }
            Stage::Ready(peer) => {
                for goal in 0..self.goals.len() {
                    self.pursue(desk, peer, goal)?;
                }
            }
            Stage::Connecting(_) | Stage::Leaving(_) | Stage::Gone => {}
        }
        Ok(true)
    }

    fn give_up(&mut self, desk: &mut Desk<'_>) {
        for run in &mut self.goals {
            run.state = State::Done;
        }
        self.stage = match self.stage {
            Stage::Connecting(peer) | Stage::Ready(peer) => {
                // A session that is closing already has its last event under way.
                let _ = desk.endpoint.close(desk.shown, peer, CloseCode::NoError);
                Stage::Leaving(peer)
            }
            other => other,
        };
        if matches!(self.stage, Stage::Absent(_)) {
            self.stage = Stage::Gone;
        }
        self.gives_up = None;
    }

    fn pursue(&mut self, desk: &mut Desk<'_>, peer: PeerId, goal: usize) -> Checked<()> {
        let now = desk.now;
        let (earlier, rest) = self.goals.split_at_mut(goal);
        let run = &mut rest[0];
        let held = run.plan.in_turn && earlier.iter().any(|run| run.state != State::Done);
        match &mut run.state {
            State::Waiting(at) if *at <= now && !self.full && !held => {
                match desk
                    .endpoint
                    .start(desk.shown, peer, request(&run.plan.goal))
                {
                    Ok(transfer) => {
                        let cancel_at = run.plan.cancel_after.map(|after| now + after);
                        run.state = State::Running {
                            transfer,
                            cancel_at,
                        };
                        run.began.get_or_insert(now);
                        self.started += 1;
                        if self.transfers.insert(transfer, goal).is_some() {
                            return Err(format!("{}: {transfer:?} is given twice", self.name));
                        }
                    }
                    Err(StartError::TooMany) if !self.transfers.is_empty() => self.full = true,
                    // A transfer that was told to be over still waits for its last acknowledgements.
                    Err(StartError::TooMany) => *at = now + RETRY_AFTER,
                    // The session is closing: its last event is under way.
                    Err(StartError::Stale(_)) => self.full = true,
                    Err(error) => return Err(format!("{}: cannot start: {error}", self.name)),
                }
            }
            State::Running {
                transfer,
                cancel_at,
            } if cancel_at.is_some_and(|at| at <= now) => {
                *cancel_at = None;
                run.cancelled = true;
                desk.endpoint
                    .cancel(desk.shown, *transfer)
                    .map_err(|error| format!("{}: {transfer:?} of a goal: {error}", self.name))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes an event; the transfer that it ended is to be judged.
    pub(super) fn on_event(&mut self, desk: &mut Desk<'_>, event: Event) -> Checked<Option<Ended>> {
        match event {
            Event::PeerReady {
                peer,
                direction,
                address,
                key,
            } => {
                let known = (Direction::Client, self.server, self.server_key);
                if self.stage != Stage::Connecting(peer) || (direction, address, key) != known {
                    return Err(format!("{}: {peer:?} is not the server", self.name));
                }
                desk.endpoint
                    .admit(desk.shown, peer, Admission::Admit)
                    .map_err(|error| format!("{}: a new {peer:?}: {error}", self.name))?;
                self.stage = Stage::Ready(peer);
                self.ready.get_or_insert(desk.now);
                self.full = false;
                Ok(None)
            }
            Event::Files { transfer, files } => {
                self.run(transfer)?.reports.extend(files);
                Ok(None)
            }
            Event::Requested { transfer, .. } => {
                Err(format!("{}: a server asks for {transfer:?}", self.name))
            }
            Event::ClassicRequested { .. } | Event::ClassicIgnored { .. } => Err(format!(
                "{}: the classic dialect is off: {event:?}",
                self.name
            )),
            Event::PeerClosed { peer, cause } => {
                self.closed(desk.now, peer, cause)?;
                Ok(None)
            }
            Event::Accepted { transfer } => {
                let run = self.run(transfer)?;
                if std::mem::replace(&mut run.accepted, true) {
                    return Err(format!("{transfer:?} was accepted twice"));
                }
                Ok(None)
            }
            Event::Entry { transfer, file } => {
                let run = self.run(transfer)?;
                if run.entry.replace(file).is_some() {
                    return Err(format!("{transfer:?} has two entries"));
                }
                Ok(None)
            }
            Event::Listing { transfer, entries } => {
                self.run(transfer)?.listing.extend_from_slice(&entries);
                Ok(None)
            }
            Event::Progress {
                transfer,
                bytes,
                size,
                ..
            } => {
                let run = self.run(transfer)?;
                if bytes < run.progress || bytes > size {
                    let before = run.progress;
                    return Err(format!("progress from {before} to {bytes} of {size} bytes"));
                }
                run.progress = bytes;
                Ok(None)
            }
            Event::Finished {
                transfer,
                result,
                stats,
            } => {
                let run = self.run(transfer)?;
                run.bytes += stats.bytes;
                run.resent += stats.resent;
                Ok(self.finished(desk.now, transfer, result)?)
            }
        }
    }

    fn run(&mut self, transfer: TransferId) -> Checked<&mut GoalRun> {
        let goal = self.transfers.get(&transfer);
        let goal = goal.ok_or_else(|| format!("{}: {transfer:?} is of no goal", self.name))?;
        Ok(&mut self.goals[*goal])
    }

    fn finished(
        &mut self,
        now: Instant,
        transfer: TransferId,
        result: Result<Finished, Failure>,
    ) -> Checked<Option<Ended>> {
        let Some(goal) = self.transfers.remove(&transfer) else {
            return Ok(None);
        };
        self.full = false;
        let run = &mut self.goals[goal];
        if result == Err(Failure::SessionLost) && !run.cancelled {
            run.interrupted(now);
            // The session's end follows; only a new one makes room.
            self.full = true;
            return Ok(None);
        }
        if result == Err(Failure::Refused(ErrorCode::Busy)) {
            // A lying server may have accepted it before.
            run.wait_until(now + RETRY_AFTER * (1 << run.busy.min(DOUBLINGS_MAX)));
            run.busy += 1;
            return Ok(None);
        }
        run.state = State::Done;
        run.ended = Some(now);
        run.result = Some(result);
        Ok(Some(Ended(goal)))
    }

    /// Leaves when all goals are done.
    pub(super) fn leave(&mut self, desk: &mut Desk<'_>) {
        let done = self.goals.iter().all(|run| run.state == State::Done);
        match self.stage {
            Stage::Ready(peer) if done => {
                self.stage = Stage::Leaving(peer);
                // A session that is closing already has its last event under way.
                let _ = desk.endpoint.close(desk.shown, peer, CloseCode::NoError);
            }
            _ => {}
        }
    }

    fn closed(&mut self, now: Instant, peer: PeerId, cause: CloseCause) -> Checked<()> {
        if !self.transfers.is_empty() {
            return Err(format!(
                "{}: {peer:?} ended before its transfers",
                self.name
            ));
        }
        let stalled = self.slow_disks
            && (cause == CloseCause::Here(CloseCode::Stalled)
                || cause == CloseCause::Peer(CloseCode::Stalled));
        let lost = stalled
            || matches!(
                cause,
                CloseCause::TimedOut | CloseCause::Reset | CloseCause::HandshakeTimedOut
            );
        let refused = self.revoked && cause == CloseCause::Peer(CloseCode::Refused);
        let honest = self.standing == Standing::Honest;
        match self.stage {
            Stage::Leaving(of) if of == peer => {
                let ours = cause == CloseCause::Here(CloseCode::NoError);
                if honest && !(ours || lost || refused) {
                    return Err(format!("{}: the session ended with {cause:?}", self.name));
                }
                self.stage = Stage::Gone;
            }
            Stage::Connecting(of) | Stage::Ready(of) if of == peer => {
                if honest && !(lost || refused) {
                    return Err(format!("{}: the session ended with {cause:?}", self.name));
                }
                self.sessions_lost += 1;
                let all_done = self.goals.iter().all(|run| run.state == State::Done);
                let tired = !honest && self.sessions_lost > PATIENCE;
                self.stage = if all_done || refused || tired {
                    Stage::Gone
                } else {
                    Stage::Absent(now + RETRY_AFTER)
                };
            }
            _ => return Err(format!("{}: {peer:?} is no session of it", self.name)),
        }
        Ok(())
    }

    /// The user's machine goes down, and is up again at `up_at`. The user remembers what was done.
    pub(super) fn crashed(&mut self, up_at: Instant) {
        self.crashes += 1;
        self.transfers.clear();
        self.full = false;
        for run in &mut self.goals {
            if matches!(run.state, State::Running { .. }) {
                run.interrupted(up_at);
            }
        }
        let all_done = self.goals.iter().all(|run| run.state == State::Done);
        if self.stage != Stage::Gone {
            self.stage = if all_done {
                Stage::Gone
            } else {
                Stage::Absent(up_at + RETRY_AFTER)
            };
        }
    }
}

impl GoalRun {
    /// The transfer ended with its session: it is tried again from `at` on.
    fn interrupted(&mut self, at: Instant) {
        if self.cancelled {
            self.state = State::Done;
            self.result = Some(Err(Failure::SessionLost));
            return;
        }
        self.lost += 1;
        self.wait_until(at);
    }

    /// Nothing has happened yet to the transfer that will be tried then.
    fn wait_until(&mut self, at: Instant) {
        self.state = State::Waiting(at);
        self.accepted = false;
        self.progress = 0;
        self.entry = None;
        self.reports.clear();
        self.listing.clear();
    }
}
