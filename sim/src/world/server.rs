//! The application at the server: admits the users that it knows, gives each a directory, remembers what was served.

use std::collections::BTreeMap;

use proto_core::crypto::{Direction, PublicKey};
use proto_core::wire::{CloseCode, FilePath, RequestKind};
use proto_core::{
    Admission, CloseCause, Decision, Endpoint, Event, Failure, Finished, Instant, PeerId, Place,
    Requested, RootId, TransferId,
};

use crate::scenario::{LOCKED, LOCKED_CODE};

type Checked<T> = Result<T, String>;

/// A request that was made, and its end.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) user: usize,
    pub(super) kind: RequestKind,
    pub(super) path: FilePath,
    pub(super) result: Option<Result<Finished, Failure>>,
}

/// The server's application.
#[derive(Debug, Default)]
pub(super) struct Server {
    users: BTreeMap<PublicKey, usize>,
    sessions: BTreeMap<PeerId, usize>,
    open: BTreeMap<TransferId, usize>,
    served: Vec<Served>,
}

/// The directory of a user.
pub(super) fn root_of(user: usize) -> RootId {
    RootId(user as u32 + 1)
}

impl Server {
    pub(super) fn add_user(&mut self, key: PublicKey) {
        self.users.insert(key, self.users.len());
    }

    /// Every request that was made, in order.
    pub(super) fn served(&self) -> &[Served] {
        &self.served
    }

    /// Takes an event and answers it. For `PeerReady`, the user is returned.
    pub(super) fn on_event(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        event: Event,
    ) -> Checked<Option<usize>> {
        match event {
            Event::PeerReady {
                peer,
                direction,
                key,
                ..
            } => {
                let user = self.users.get(&key).copied();
                let user = user.ok_or_else(|| format!("server: nobody has the key {key:?}"))?;
                if direction != Direction::Server || self.sessions.insert(peer, user).is_some() {
                    return Err(format!("server: {peer:?} is no new session"));
                }
                endpoint
                    .admit(now, peer, Admission::Admit)
                    .map_err(|error| format!("server: a new {peer:?}: {error}"))?;
                return Ok(Some(user));
            }
            Event::Requested { transfer, request } => {
                self.requested(now, endpoint, transfer, request)?;
            }
            Event::Accepted { transfer }
            | Event::Entry { transfer, .. }
            | Event::Listing { transfer, .. }
            | Event::Progress { transfer, .. } => {
                if !self.open.contains_key(&transfer) {
                    return Err(format!("server: {transfer:?} is unknown or over"));
                }
            }
            Event::Finished {
                transfer, result, ..
            } => {
                let open = self.open.remove(&transfer);
                let open = open.ok_or_else(|| format!("server: {transfer:?} ended twice"))?;
                self.served[open].result = Some(result);
            }
            Event::PeerClosed { peer, cause } => self.closed(peer, cause)?,
        }
        Ok(None)
    }

    fn requested(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        transfer: TransferId,
        request: Requested,
    ) -> Checked<()> {
        let user = self.sessions.get(&transfer.peer()).copied();
        let user = user.ok_or_else(|| format!("server: {transfer:?} before its session"))?;
        if self.open.insert(transfer, self.served.len()).is_some() {
            return Err(format!("server: {transfer:?} is asked twice"));
        }
        let decision = if request.path.components().next() == Some(LOCKED) {
            Decision::Refuse(LOCKED_CODE)
        } else {
            let place = Place {
                root: root_of(user),
                path: request.path.clone(),
            };
            Decision::Grant {
                place,
                may_replace: true,
            }
        };
        self.served.push(Served {
            user,
            kind: request.kind,
            path: request.path,
            result: None,
        });
        endpoint
            .decide(now, transfer, decision)
            .map_err(|error| format!("server: a new {transfer:?}: {error}"))
    }

    fn closed(&mut self, peer: PeerId, cause: CloseCause) -> Checked<()> {
        if let Some(transfer) = self.open.keys().find(|id| id.peer() == peer) {
            return Err(format!("server: {peer:?} ended before its {transfer:?}"));
        }
        // A handshake that is not finished was not told of, so that its end need not be either.
        self.sessions.remove(&peer);
        match cause {
            CloseCause::Peer(CloseCode::NoError)
            | CloseCause::TimedOut
            | CloseCause::Reset
            | CloseCause::HandshakeTimedOut => Ok(()),
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
