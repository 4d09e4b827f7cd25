//! A user at a client: comes, connects, pursues goals, leaves.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use proto_core::crypto::{Direction, PublicKey};
use proto_core::wire::{CloseCode, ErrorCode};
use proto_core::{
    Admission, CloseCause, Duration, Endpoint, Event, Failure, FileInfo, Finished, Instant, PeerId,
    RootId, StartError, TransferId,
};

use super::request::request;
use crate::scenario::GoalPlan;

/// The one directory of a client.
pub(super) const LOCAL_ROOT: RootId = RootId(0);

/// Sessions that may be lost before the user calls the path unusable.
const SESSIONS_MAX: u32 = 40;
/// From a lost session to the next try.
const RETRY_AFTER: Duration = Duration::from_millis(500);

type Checked<T> = Result<T, String>;

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
    state: State,
    /// Transfers that ended with their session.
    pub(super) lost: u32,
    pub(super) cancelled: bool,
    accepted: bool,
    progress: u64,
    /// What `Entry` said.
    pub(super) entry: Option<FileInfo>,
    /// What all `Listing`s said.
    pub(super) listing: Vec<u8>,
    /// The end.
    pub(super) result: Option<Result<Finished, Failure>>,
}

/// A transfer of a goal has ended otherwise than with its session: judge it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended(pub(super) usize);

/// One user.
#[derive(Debug)]
pub(super) struct User {
    name: String,
    server: SocketAddr,
    server_key: PublicKey,
    stage: Stage,
    pub(super) goals: Vec<GoalRun>,
    transfers: BTreeMap<TransferId, usize>,
    /// There was no room for one more transfer.
    full: bool,
    /// The server has room for fewer transfers than this user has goals: `Busy` means to try later.
    server_may_be_busy: bool,
    /// Sessions that ended before their time.
    pub(super) sessions_lost: u32,
    /// Transfers that were begun.
    pub(super) started: u32,
    pub(super) bytes: u64,
    pub(super) resent: u64,
}

impl User {
    pub(super) fn new(
        name: String,
        server: SocketAddr,
        server_key: PublicKey,
        joins: Instant,
        goals: &[GoalPlan],
        server_transfers: u32,
    ) -> Self {
        let server_may_be_busy = goals.len() > server_transfers as usize;
        let goal = |plan: &GoalPlan| GoalRun {
            state: State::Waiting(joins + plan.starts),
            plan: plan.clone(),
            lost: 0,
            cancelled: false,
            accepted: false,
            progress: 0,
            entry: None,
            listing: Vec::new(),
            result: None,
        };
        Self {
            name,
            server,
            server_key,
            stage: Stage::Absent(joins),
            goals: goals.iter().map(goal).collect(),
            transfers: BTreeMap::new(),
            full: false,
            server_may_be_busy,
            sessions_lost: 0,
            started: 0,
            bytes: 0,
            resent: 0,
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.stage == Stage::Gone
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
                let times = self.goals.iter().filter_map(|run| match run.state {
                    State::Waiting(at) => (!self.full).then_some(at),
                    State::Running { cancel_at, .. } => cancel_at,
                    State::Done => None,
                });
                times.min()
            }
            Stage::Connecting(_) | Stage::Leaving(_) | Stage::Gone => None,
        }
    }

    /// Does what is due; says whether anything was.
    pub(super) fn act(&mut self, now: Instant, endpoint: &mut Endpoint) -> Checked<bool> {
        if self.next_time().is_none_or(|at| at > now) {
            return Ok(false);
        }
        match self.stage {
            Stage::Absent(_) => {
                let peer = endpoint
                    .connect(now, self.server)
                    .map_err(|error| format!("{}: cannot connect: {error}", self.name))?;
                self.stage = Stage::Connecting(peer);
            }
            Stage::Ready(peer) => {
                for goal in 0..self.goals.len() {
                    self.pursue(now, endpoint, peer, goal)?;
                }
            }
            Stage::Connecting(_) | Stage::Leaving(_) | Stage::Gone => {}
        }
        Ok(true)
    }

    fn pursue(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        peer: PeerId,
        goal: usize,
    ) -> Checked<()> {
        let run = &mut self.goals[goal];
        match &mut run.state {
            State::Waiting(at) if *at <= now && !self.full => {
                match endpoint.start(now, peer, request(&run.plan.goal)) {
                    Ok(transfer) => {
                        let cancel_at = run.plan.cancel_after.map(|after| now + after);
                        run.state = State::Running {
                            transfer,
                            cancel_at,
                        };
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
                endpoint
                    .cancel(now, *transfer)
                    .map_err(|error| format!("{}: {transfer:?} of a goal: {error}", self.name))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes an event; the transfer that it ended is to be judged.
    pub(super) fn on_event(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        event: Event,
    ) -> Checked<Option<Ended>> {
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
                endpoint
                    .admit(now, peer, Admission::Admit)
                    .map_err(|error| format!("{}: a new {peer:?}: {error}", self.name))?;
                self.stage = Stage::Ready(peer);
                self.full = false;
                Ok(None)
            }
            Event::Requested { transfer, .. } => {
                Err(format!("{}: a server asks for {transfer:?}", self.name))
            }
            Event::PeerClosed { peer, cause } => {
                self.closed(now, peer, cause)?;
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
                self.bytes += stats.bytes;
                self.resent += stats.resent;
                Ok(self.finished(now, transfer, result)?)
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
        self.run(transfer)?;
        let Some(goal) = self.transfers.remove(&transfer) else {
            return Ok(None);
        };
        self.full = false;
        let run = &mut self.goals[goal];
        if result == Err(Failure::SessionLost) && !run.cancelled {
            run.lost += 1;
            run.state = State::Waiting(now);
            run.accepted = false;
            run.progress = 0;
            run.entry = None;
            run.listing.clear();
            // The session's end follows; only a new one makes room.
            self.full = true;
            return Ok(None);
        }
        if result == Err(Failure::Refused(ErrorCode::Busy)) && self.server_may_be_busy {
            run.state = State::Waiting(now + RETRY_AFTER);
            return Ok(None);
        }
        run.state = State::Done;
        run.result = Some(result);
        Ok(Some(Ended(goal)))
    }

    /// Leaves when all goals are done. Says whether that was just decided.
    pub(super) fn leave(&mut self, now: Instant, endpoint: &mut Endpoint) -> Checked<bool> {
        let done = self.goals.iter().all(|run| run.state == State::Done);
        match self.stage {
            Stage::Ready(peer) if done => {
                self.stage = Stage::Leaving(peer);
                // A session that is closing already has its last event under way.
                let _ = endpoint.close(now, peer, CloseCode::NoError);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn closed(&mut self, now: Instant, peer: PeerId, cause: CloseCause) -> Checked<()> {
        if !self.transfers.is_empty() {
            return Err(format!(
                "{}: {peer:?} ended before its transfers",
                self.name
            ));
        }
        let lost = matches!(
            cause,
            CloseCause::TimedOut | CloseCause::Reset | CloseCause::HandshakeTimedOut
        );
        match self.stage {
            Stage::Leaving(of) if of == peer => {
                if !lost && cause != CloseCause::Here(CloseCode::NoError) {
                    return Err(format!("{}: the session ended with {cause:?}", self.name));
                }
                self.stage = Stage::Gone;
            }
            Stage::Connecting(of) | Stage::Ready(of) if of == peer => {
                if !lost {
                    return Err(format!("{}: the session ended with {cause:?}", self.name));
                }
                self.sessions_lost += 1;
                if self.sessions_lost > SESSIONS_MAX {
                    return Err(format!("{}: {SESSIONS_MAX} sessions were lost", self.name));
                }
                let all_done = self.goals.iter().all(|run| run.state == State::Done);
                self.stage = if all_done {
                    Stage::Gone
                } else {
                    Stage::Absent(now + RETRY_AFTER)
                };
            }
            _ => return Err(format!("{}: {peer:?} is no session of it", self.name)),
        }
        Ok(())
    }
}
