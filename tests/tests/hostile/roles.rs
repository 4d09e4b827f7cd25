//! A server's application and its users.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use proto_core::wire::{CloseCode, ErrorCode, RequestKind};
use proto_core::{
    Admission, CloseCause, Decision, Event, Failure, Finished, Instant, PeerId, Place, Request,
    RootId, TransferId,
};

use crate::arena::Arena;

/// A user's own files, at the user's machine.
pub(crate) const LOCAL: RootId = RootId(0);

/// The user's directory at the server.
pub(crate) fn root_of(user: u8) -> RootId {
    RootId(100 + u32::from(user))
}

/// Admits those whom it knows and gives each a directory; others wait for a word that never comes.
pub(crate) struct Server {
    machine: usize,
    users: BTreeSet<u8>,
    sessions: BTreeMap<PeerId, u8>,
    /// Requests of each user.
    pub(crate) asked: BTreeMap<u8, u64>,
}

impl Server {
    /// The application of the server at `machine`, which knows `users`.
    pub(crate) fn new(machine: usize, users: &[u8]) -> Self {
        Self {
            machine,
            users: users.iter().copied().collect(),
            sessions: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    pub(crate) fn act(&mut self, arena: &mut Arena) {
        let now = arena.now;
        let machine = &mut arena.machines[self.machine];
        while let Some(event) = machine.events.pop_front() {
            match event {
                Event::PeerReady { peer, key, .. } => {
                    self.sessions.insert(peer, key.0[0]);
                    if self.users.contains(&key.0[0]) {
                        let _gone = machine.endpoint.admit(now, peer, Admission::Admit);
                    }
                }
                Event::Requested { transfer, request } => {
                    let user = self.sessions[&transfer.peer()];
                    assert!(self.users.contains(&user), "invariant 8: {request:?}");
                    *self.asked.entry(user).or_default() += 1;
                    let changes = [RequestKind::Remove, RequestKind::Rename];
                    let decision = if request.path.is_reserved() {
                        Decision::Refuse(ErrorCode::NameRefused)
                    } else if changes.contains(&request.kind) {
                        // What users have must still be there in the end.
                        Decision::Refuse(ErrorCode::ReadOnly)
                    } else {
                        Decision::Grant {
                            place: Place {
                                root: root_of(user),
                                path: request.path,
                            },
                            may_replace: true,
                        }
                    };
                    let _gone = machine.endpoint.decide(now, transfer, decision);
                }
                Event::PeerClosed { peer, .. } => {
                    self.sessions.remove(&peer);
                }
                _ => {}
            }
        }
    }
}

/// A user to whom nothing has happened for so long gives up. A peer that does not answer, gives no credit, or does not
/// store is never hurried: its disk may be slow.
const WEARY: Duration = Duration::from_secs(900);

/// How a request ended.
pub(crate) type Ended = Result<Finished, Failure>;

/// Makes requests over sessions, anew when one is lost.
pub(crate) struct User {
    pub(crate) machine: usize,
    pub(crate) server: SocketAddr,
    pub(crate) goals: Vec<Request>,
    pub(crate) ends: Vec<Option<Ended>>,
    open: BTreeMap<TransferId, usize>,
    pub(crate) peer: Option<PeerId>,
    ready: bool,
    /// Sessions that may still be begun.
    pub(crate) sessions: u32,
    pub(crate) causes: Vec<CloseCause>,
    /// When the machine told something last.
    told_at: Instant,
    /// A busy server, and a lost session, is asked again.
    pub(crate) patient: bool,
}

impl User {
    pub(crate) fn new(machine: usize, server: SocketAddr, goals: Vec<Request>) -> Self {
        Self {
            machine,
            server,
            ends: vec![None; goals.len()],
            goals,
            open: BTreeMap::new(),
            peer: None,
            ready: false,
            sessions: 1,
            causes: Vec::new(),
            told_at: Instant::ZERO,
            patient: true,
        }
    }

    /// Whether an end is no reason to try again.
    fn is_final(&self, end: &Ended) -> bool {
        use Failure::{Here, Peer, Refused, SessionLost};
        !self.patient
            || !matches!(
                end,
                Err(SessionLost
                    | Here(ErrorCode::Busy | ErrorCode::TimedOut)
                    | Peer(ErrorCode::Busy | ErrorCode::TimedOut)
                    | Refused(ErrorCode::Busy | ErrorCode::TimedOut))
            )
    }

    /// Whether every goal has come to an end that is worth no further try.
    pub(crate) fn is_done(&self) -> bool {
        let ends = self.ends.iter().flatten();
        ends.filter(|end| self.is_final(end)).count() == self.goals.len()
    }

    /// Whether nothing is under way, and no further session will be.
    pub(crate) fn is_over(&self) -> bool {
        self.peer.is_none() && (self.sessions == 0 || self.is_done())
    }

    pub(crate) fn act(&mut self, arena: &mut Arena) {
        let now = arena.now;
        let machine = &mut arena.machines[self.machine];
        while let Some(event) = machine.events.pop_front() {
            self.told_at = now;
            match event {
                Event::PeerReady { peer, .. } => {
                    let _gone = machine.endpoint.admit(now, peer, Admission::Admit);
                    self.ready = true;
                }
                Event::Finished {
                    transfer, result, ..
                } => {
                    let goal = self.open.remove(&transfer).expect("it ends once");
                    self.ends[goal] = Some(result);
                }
                Event::PeerClosed { cause, .. } => {
                    self.causes.push(cause);
                    assert!(self.open.is_empty(), "{:?} never ended", self.open);
                    self.peer = None;
                    self.ready = false;
                }
                _ => {}
            }
        }
        if self.peer.is_none() && self.sessions > 0 && !self.is_done() {
            self.sessions -= 1;
            self.peer = machine.endpoint.connect(now, self.server).ok();
        }
        let Some(peer) = self.peer.filter(|_| self.ready) else {
            return;
        };
        for (goal, request) in self.goals.iter().enumerate() {
            let again = self.ends[goal]
                .as_ref()
                .is_none_or(|end| !self.is_final(end));
            if again && !self.open.values().any(|open| *open == goal) {
                match machine.endpoint.start(now, peer, request.clone()) {
                    Ok(id) => self.open.insert(id, goal),
                    Err(_) => break,
                };
            }
        }
        let weary = now.since(self.told_at) > WEARY;
        if weary || (self.is_done() && self.open.is_empty()) {
            let _gone = machine.endpoint.close(now, peer, CloseCode::NoError);
            self.ready = false;
        }
    }
}
