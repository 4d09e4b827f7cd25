//! A peer whose address changes: following it, proving the new path, and going back (RFC 9000 §9).
//!
//! ```text
//!            newest packet, not probing,                PATH_RESPONSE
//! ┌───────┐  from another address     ┌──────────────┐  of 1,200 bytes
//! │ one   │ ────────────────────────▶ │ new path,    │ ─────────────────▶ one path, the new one
//! │ path  │                           │ at most 3 ×; │
//! └───────┘ ◀──────────────────────── │ previous one │
//!            the old address again,   └──────────────┘
//!            or no response
//! ```
//!
//! Only servers follow: a client's packets are taken from one address only. Both paths are challenged; the answer to the old
//! one's brings a server back whose newest packet was copied by someone on the way (§9.3.3).

use core::net::SocketAddr;

use super::path::{Arrival, Path, Proof, Validation};
use super::{DATAGRAM_BASE, Peer};
use crate::crypto::{Direction, Level};
use crate::endpoint::Shared;
use crate::time::{Duration, Instant};

/// What is known of a packet that was opened and whose frames were acted on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newest {
    /// Its number is the highest of its level.
    pub(super) is_newest: bool,
    /// It holds probing frames only.
    pub(super) is_probing: bool,
}

impl Peer {
    /// Whether a packet from there is read at all: a client takes them from its server only (RFC 9000 §9). A server that was
    /// reached as "any address" answers from one of its own.
    pub(super) fn accepts_from(&self, source: SocketAddr) -> bool {
        self.direction == Direction::Server
            || self.path.remote == source
            || (self.path.remote.ip().is_unspecified() && self.path.remote.port() == source.port())
    }

    /// Every datagram that reached this session, valid or not, counts for the path that it came on (H1, T2).
    pub(crate) fn on_datagram(&mut self, arrival: &Arrival) {
        if arrival.counted {
            return;
        }
        self.bytes_received += arrival.size as u64;
        if let Some(path) = [Some(&mut self.path), self.previous.as_mut()]
            .into_iter()
            .flatten()
            .find(|path| path.remote == arrival.source)
        {
            path.on_received(arrival.size);
        }
        self.note_amplification();
    }

    /// Follows a peer that has moved (RFC 9000 §9.3).
    pub(super) fn follow(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        arrival: &Arrival,
        packet: Newest,
    ) {
        if !packet.is_newest || !self.state.is_live() {
            return;
        }
        if self.direction == Direction::Client {
            return self.note_local(now, arrival);
        }
        if arrival.source == self.path.remote || packet.is_probing {
            return;
        }
        if let Some(previous) = self.previous.take_if(|path| path.remote == arrival.source) {
            self.go_to(previous);
        } else {
            // A path gets an id that no other has had (T1). When there is none, during the handshake or in a row of moves
            // within a round trip, the session is worth more than that nobody can tell the two paths belong together.
            let unused = self.destinations.take_unused();
            let destination = unused.unwrap_or(self.path.destination);
            let mut path = Path::new(arrival.source, arrival.local, false, destination);
            path.on_received(arrival.size);
            let left = core::mem::replace(&mut self.path, path);
            if left.is_validated() {
                let before = self.previous.replace(left);
                before.into_iter().for_each(|path| self.leave(&path));
            } else {
                self.leave(&left);
            }
            self.challenge_paths(now, shared);
        }
        self.note_amplification();
    }

    /// Begins to validate the present path and the one before it, once the peer can be asked.
    pub(super) fn challenge_paths(&mut self, now: Instant, shared: &mut Shared) {
        if !self.state.is_established() || self.path.is_validated() {
            return;
        }
        let pto = self.recovery.pto();
        for path in [Some(&mut self.path), self.previous.as_mut()]
            .into_iter()
            .flatten()
        {
            path.validation = Some(Validation::new(now, pto, &mut shared.rng));
        }
    }

    /// PATH_RESPONSE came, on whatever path (RFC 9000 §8.2.3).
    pub(super) fn on_path_response(&mut self, now: Instant, shared: &mut Shared, data: [u8; 8]) {
        if let Some(previous) = &mut self.previous
            && previous
                .validation
                .is_some_and(|under_way| under_way.check(data).is_some())
        {
            previous.validation = None;
        }
        let Some(proof) = self
            .path
            .validation
            .and_then(|under_way| under_way.check(data))
        else {
            return;
        };
        self.path.validate();
        self.on_address_proven(now);
        self.path.validation = match proof {
            // RFC 9000 §8.2.1: the path is yet to show that it carries 1,200 bytes.
            Proof::Address => Some(Validation::new(now, self.recovery.pto(), &mut shared.rng)),
            Proof::AddressAndSize => None,
        };
        if proof == Proof::AddressAndSize {
            let left = self.previous.take();
            left.into_iter().for_each(|path| self.leave(&path));
        }
        self.note_amplification();
    }

    /// The peer is where the path leads: estimates of another network no longer hold (T3, RFC 9000 §9.4). Another port alone
    /// is most likely the same network behind a NAT that forgot; but what was under way to the old one says nothing of congestion
    /// when it does not arrive.
    fn on_address_proven(&mut self, now: Instant) {
        let known = core::mem::replace(&mut self.estimated_for, self.path.remote);
        if known.ip() != self.path.remote.ip() {
            self.restart_estimates(now);
        } else if known != self.path.remote {
            self.recovery.leave_path();
        }
    }

    fn restart_estimates(&mut self, now: Instant) {
        self.mtu.restart(DATAGRAM_BASE);
        self.recovery.on_new_path(now, DATAGRAM_BASE);
        self.paced_until = None;
    }

    /// Challenges are sent again, or given up.
    pub(super) fn handle_path_timeout(&mut self, now: Instant, shared: &mut Shared) {
        if let Some(path) = &mut self.previous
            && let Some(under_way) = &mut path.validation
            && under_way.on_timeout(now)
        {
            path.validation = None;
        }
        let Some(under_way) = &mut self.path.validation else {
            return;
        };
        if !under_way.on_timeout(now) {
            return;
        }
        match self.previous.take() {
            Some(previous) => self.go_to(previous),
            // There is nowhere else to go; the idle time-out ends it.
            None if self.path.is_validated() => self.path.validation = None,
            None => self.challenge_paths(now, shared),
        }
        self.note_amplification();
    }

    /// When [`handle_path_timeout`](Self::handle_path_timeout) has something to do.
    pub(super) fn path_deadline(&self) -> Option<Instant> {
        let paths = [Some(&self.path), self.previous.as_ref()];
        paths.into_iter().flatten().filter_map(Path::deadline).min()
    }

    /// Back to a path whose address was proven before.
    fn go_to(&mut self, mut path: Path) {
        path.validation = None;
        let left = core::mem::replace(&mut self.path, path);
        self.leave(&left);
    }

    /// A path is done with, and so is its id.
    fn leave(&mut self, path: &Path) {
        let sequence = path.destination.sequence;
        let mut paths = [Some(&self.path), self.previous.as_ref()]
            .into_iter()
            .flatten();
        if paths.all(|path| path.destination.sequence != sequence) {
            self.destinations.retire(sequence);
        }
    }

    /// The peer has asked for its ids back: paths that used them get others.
    pub(super) fn replace_retired_ids(&mut self) {
        let gone =
            |path: &Path, peer: &Self| !peer.destinations.is_active(path.destination.sequence);
        if self.previous.is_some_and(|path| gone(&path, self)) {
            self.previous = None;
        }
        if gone(&self.path, self)
            && let Some(destination) = self.destinations.take_unused()
        {
            self.path.destination = destination;
        }
    }

    /// A client's packets leave from where the last one arrived; when that changes, the client has moved.
    fn note_local(&mut self, now: Instant, arrival: &Arrival) {
        let Some(local) = arrival.local else { return };
        if self
            .came_to
            .replace(local)
            .is_some_and(|before| before != local)
        {
            self.rebind(now);
        }
    }

    /// A client's own address has changed.
    pub(crate) fn rebind(&mut self, now: Instant) {
        if self.direction == Direction::Server || !self.state.is_live() {
            return;
        }
        // RFC 9000 §9: nobody moves before the handshake is confirmed. The server hears of the new address all the same.
        if self.confirmed {
            if let Some(destination) = self.destinations.take_unused() {
                let old = core::mem::replace(&mut self.path.destination, destination);
                self.destinations.retire(old.sequence);
            }
            self.restart_estimates(now);
        }
        let level = self.write_level;
        let space = self.space(level);
        space.probes = space.probes.max(1);
    }

    /// The machine slept: what was sent before did not become late by that. The peer, which may wait for longer and longer before
    /// it asks again, is told that somebody is here.
    pub(crate) fn on_leap(&mut self, by: Duration) {
        self.recovery.on_leap(by);
        if self.confirmed && self.state.is_live() {
            let space = self.space(Level::Data);
            space.probes = space.probes.max(1);
        }
    }
}
