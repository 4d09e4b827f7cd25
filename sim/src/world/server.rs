//! The application at the server: admits the users that it knows, gives each a directory, remembers what was served.

use std::collections::{BTreeMap, BTreeSet};

use proto_core::crypto::{Direction, PublicKey};
use proto_core::wire::{CloseCode, ErrorCode, FilePath, RequestKind};
use proto_core::{
    Admission, CloseCause, Decision, Duration, Endpoint, Event, Failure, Finished, Instant, PeerId,
    Place, Requested, RootId, TransferId,
};

use crate::lab::Checked;
use crate::scenario::LOCKED;

/// A request that was made, and its end.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) kind: RequestKind,
    pub(super) path: FilePath,
    pub(super) end: End,
}

/// How a request ended, as the server knows.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// It has not.
    Open,
    /// The server crashed first.
    Forgotten,
    /// It was told.
    Told(Result<Finished, Failure>),
}

/// What the application has to answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Thought {
    Admit(PeerId),
    Decide(TransferId),
}

/// The server's application.
#[derive(Debug, Default)]
pub(super) struct Server {
    users: BTreeMap<PublicKey, usize>,
    /// Who each session is of, and whether it was admitted.
    sessions: BTreeMap<PeerId, (usize, bool)>,
    open: BTreeMap<TransferId, (usize, usize)>,
    /// Requests by user, in order.
    served: Vec<Vec<Served>>,
    /// Users who are no longer welcome.
    revoked: BTreeSet<usize>,
    /// Users who lie.
    hostile: BTreeSet<usize>,
    /// Whether the server itself lies.
    lies: bool,
    /// Whether some disk is so slow that its host looks as if it held everyone up (T8).
    slow_disks: bool,
    admits_after: Duration,
    decides_after: Duration,
    /// What it thinks about, by when it will be done; of two at one time, the earlier first.
    thoughts: BTreeMap<(Instant, u64), Thought>,
    /// Thoughts so far.
    thought: u64,
}

/// The directory of a user.
pub(super) fn root_of(user: usize) -> RootId {
    RootId(user as u32 + 1)
}

impl Server {
    pub(super) fn new(
        lies: bool,
        slow_disks: bool,
        (admits_after, decides_after): (Duration, Duration),
    ) -> Self {
        Self {
            lies,
            slow_disks,
            admits_after,
            decides_after,
            ..Self::default()
        }
    }

    pub(super) fn add_user(&mut self, key: PublicKey, hostile: bool) {
        let user = self.served.len();
        self.users.insert(key, user);
        self.served.push(Vec::new());
        if hostile {
            self.hostile.insert(user);
        }
    }

    /// Every request that `user` made, in order.
    pub(super) fn served(&self, user: usize) -> &[Served] {
        &self.served[user]
    }

    /// The process dies, with all that it knew.
    pub(super) fn crash(&mut self) {
        self.sessions.clear();
        self.thoughts.clear();
        for (_, (user, place)) in std::mem::take(&mut self.open) {
            self.served[user][place].end = End::Forgotten;
        }
    }

    /// `user` is no longer welcome.
    pub(super) fn revoke(&mut self, now: Instant, endpoint: Option<&mut Endpoint>, user: usize) {
        self.revoked.insert(user);
        let Some(endpoint) = endpoint else { return };
        for (peer, (of, _)) in &self.sessions {
            if *of == user {
                // A session that has ended already has its last event under way.
                let _ = endpoint.close(now, *peer, CloseCode::Refused);
            }
        }
    }

    /// Takes an event and answers it.
    pub(super) fn on_event(
        &mut self,
        (now, shown): (Instant, Instant),
        endpoint: &mut Endpoint,
        event: Event,
    ) -> Checked<()> {
        match event {
            Event::PeerReady {
                peer,
                direction,
                key,
                ..
            } => {
                self.ready(peer, direction, key)?;
                self.think(Thought::Admit(peer), (now, shown), endpoint)
            }
            Event::Requested { transfer, request } => {
                self.requested(transfer, request)?;
                self.think(Thought::Decide(transfer), (now, shown), endpoint)
            }
            Event::Accepted { transfer }
            | Event::Entry { transfer, .. }
            | Event::Listing { transfer, .. }
            | Event::Files { transfer, .. }
            | Event::Progress { transfer, .. } => {
                if self.open.contains_key(&transfer) {
                    Ok(())
                } else {
                    Err(format!("server: {transfer:?} is unknown or over"))
                }
            }
            Event::Finished {
                transfer, result, ..
            } => {
                let open = self.open.remove(&transfer);
                let (user, place) =
                    open.ok_or_else(|| format!("server: {transfer:?} ended twice"))?;
                self.served[user][place].end = End::Told(result);
                Ok(())
            }
            Event::PeerClosed { peer, cause } => self.closed(peer, cause),
            Event::ClassicRequested { .. } | Event::ClassicIgnored { .. } => {
                Err(format!("server: the classic dialect is off: {event:?}"))
            }
        }
    }

    fn ready(&mut self, peer: PeerId, direction: Direction, key: PublicKey) -> Checked<()> {
        let user = self.users.get(&key).copied();
        let user = user.ok_or_else(|| format!("server: nobody has the key {key:?}"))?;
        if direction != Direction::Server || self.sessions.insert(peer, (user, false)).is_some() {
            return Err(format!("server: {peer:?} is no new session"));
        }
        Ok(())
    }

    fn requested(&mut self, transfer: TransferId, request: Requested) -> Checked<()> {
        let session = self.sessions.get(&transfer.peer()).copied();
        let (user, admitted) =
            session.ok_or_else(|| format!("server: {transfer:?} before its session"))?;
        if !admitted {
            return Err(format!(
                "server: {transfer:?} is told before its session was admitted"
            ));
        }
        let served = &mut self.served[user];
        let place = (user, served.len());
        if self.open.insert(transfer, place).is_some() {
            return Err(format!("server: {transfer:?} is asked twice"));
        }
        served.push(Served {
            kind: request.kind,
            path: request.path,
            end: End::Open,
        });
        Ok(())
    }

    /// Answers at once, or when it has thought about it.
    fn think(
        &mut self,
        thought: Thought,
        (now, shown): (Instant, Instant),
        endpoint: &mut Endpoint,
    ) -> Checked<()> {
        let takes = match thought {
            Thought::Admit(_) => self.admits_after,
            Thought::Decide(_) => self.decides_after,
        };
        if takes == Duration::ZERO {
            return self.answer(thought, shown, endpoint);
        }
        self.thought += 1;
        self.thoughts.insert((now + takes, self.thought), thought);
        Ok(())
    }

    /// When it has thought about something.
    pub(super) fn next_time(&self) -> Option<Instant> {
        self.thoughts.keys().next().map(|(at, _)| *at)
    }

    /// Says the next thing that it has thought about, unless that is of no interest any more; `endpoint` with what its clock
    /// shows.
    pub(super) fn answer_next(
        &mut self,
        endpoint: Option<(Instant, &mut Endpoint)>,
    ) -> Checked<()> {
        let thought = self.thoughts.pop_first();
        let (Some((_, thought)), Some((shown, endpoint))) = (thought, endpoint) else {
            return Ok(());
        };
        let open = match thought {
            Thought::Admit(peer) => self.sessions.contains_key(&peer),
            Thought::Decide(transfer) => self.open.contains_key(&transfer),
        };
        if open {
            self.answer(thought, shown, endpoint)
        } else {
            Ok(())
        }
    }

    fn answer(&mut self, thought: Thought, shown: Instant, endpoint: &mut Endpoint) -> Checked<()> {
        match thought {
            Thought::Admit(peer) => self.admit(shown, endpoint, peer),
            Thought::Decide(transfer) => self.decide(shown, endpoint, transfer),
        }
    }

    fn admit(&mut self, shown: Instant, endpoint: &mut Endpoint, peer: PeerId) -> Checked<()> {
        let Some((user, admitted)) = self.sessions.get_mut(&peer) else {
            return Ok(());
        };
        let admission = if self.revoked.contains(user) {
            Admission::Refuse
        } else {
            *admitted = true;
            Admission::Admit
        };
        endpoint
            .admit(shown, peer, admission)
            .map_err(|error| format!("server: a new {peer:?}: {error}"))
    }

    fn decide(
        &mut self,
        shown: Instant,
        endpoint: &mut Endpoint,
        transfer: TransferId,
    ) -> Checked<()> {
        let Some((user, place)) = self.open.get(&transfer) else {
            return Ok(());
        };
        let path = &self.served[*user][*place].path;
        let decision = if path.components().next() == Some(LOCKED) {
            Decision::Refuse(ErrorCode::Denied)
        } else {
            let place = Place {
                root: root_of(*user),
                path: path.clone(),
            };
            Decision::Grant {
                place,
                may_replace: true,
            }
        };
        endpoint
            .decide(shown, transfer, decision)
            .map_err(|error| format!("server: a new {transfer:?}: {error}"))
    }

    fn closed(&mut self, peer: PeerId, cause: CloseCause) -> Checked<()> {
        if let Some(transfer) = self.open.keys().find(|id| id.peer() == peer) {
            return Err(format!("server: {peer:?} ended before its {transfer:?}"));
        }
        // A handshake that is not finished was not told of, so that its end need not be either.
        let user = self.sessions.remove(&peer).map(|(user, _)| user);
        let is = |users: &BTreeSet<usize>| user.is_some_and(|user| users.contains(&user));
        match cause {
            CloseCause::Peer(CloseCode::NoError)
            | CloseCause::TimedOut
            | CloseCause::Reset
            | CloseCause::HandshakeTimedOut => Ok(()),
            CloseCause::Here(CloseCode::Refused) if is(&self.revoked) => Ok(()),
            CloseCause::Here(CloseCode::Stalled) | CloseCause::Peer(CloseCode::Stalled)
                if self.slow_disks =>
            {
                Ok(())
            }
            // A liar is thrown out, or its handshake fails before it has a name; and who is lied to leaves.
            CloseCause::Here(_) | CloseCause::Peer(_)
                if self.lies
                    || is(&self.hostile)
                    || (user.is_none() && !self.hostile.is_empty()) =>
            {
                Ok(())
            }
            CloseCause::Here(_) | CloseCause::Peer(_) => {
                Err(format!("server: the session ended with {cause:?}"))
            }
        }
    }

    /// Sessions and transfers whose end was not told.
    pub(super) fn open(&self) -> usize {
        self.sessions.len() + self.open.len()
    }
}
