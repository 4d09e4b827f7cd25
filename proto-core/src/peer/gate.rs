//! What may be sent now: congestion control, pacer, the peer's socket, and whether there is anything to say.

use super::Peer;
use crate::crypto::Level;
use crate::fault::Fault;
use crate::time::{Duration, Instant};

/// Below this least round trip, what is in flight is in the peer's socket rather than in the network.
const NEAR: Duration = Duration::from_millis(2);

/// What [`Fault::PacingLonger`] adds.
const LONGER: Duration = Duration::from_millis(1);

/// What may be sent now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Gate {
    /// Anything.
    Open,
    /// Only what congestion control does not count: acknowledgements, and probes.
    Shut,
}

impl Peer {
    pub(super) fn is_gate_open(&self, now: Instant) -> bool {
        self.recovery.has_room()
            && (self.room() >= self.datagram_size() as u64
                || self.faults.strikes(Fault::WindowUnheeded))
            && self.paced_until.is_none_or(|at| at <= now)
    }

    /// Bytes that may be in flight on top of those that are.
    fn room(&self) -> u64 {
        self.recovery.room(self.most_in_flight())
    }

    /// Bytes that may be in flight whatever the congestion window: on a path without length, where all of them wait in
    /// the peer's socket, what fits there. Half of the buffer goes into the kernel's own accounts.
    pub(super) fn most_in_flight(&self) -> u64 {
        if self.peer_buffer == 0 || self.recovery.rtt().min() >= NEAR {
            return u64::MAX;
        }
        (self.peer_buffer / 2).max(2 * self.datagram_size() as u64)
    }

    /// There is nothing more to send. When more might have been sent, what the path delivers from now on says less of it
    /// than it could (draft-ietf-ccwg-bbr §4.1.2.4): a short last datagram must not hide this.
    pub(crate) fn note_app_limited(&mut self, now: Instant) {
        if self.is_gate_open(now) {
            self.recovery.on_app_limited();
        }
    }

    /// Asks congestion control and pacer for one datagram.
    pub(super) fn gate(&mut self, now: Instant, size: usize) -> Gate {
        if !self.is_gate_open(now) {
            // A window that the peer's socket keeps from being used must not grow (RFC 9002 §7.8).
            if self.room() < size as u64 && self.recovery.congestion_room() >= size as u64 {
                self.recovery.on_app_limited();
            }
            return Gate::Shut;
        }
        self.paced_until = self.recovery.pacing(now, size as u64).err();
        if self.faults.strikes(Fault::PacingLonger) {
            self.paced_until = Some(self.paced_until.unwrap_or(now) + LONGER);
        }
        if self.paced_until.is_some() {
            Gate::Shut
        } else {
            Gate::Open
        }
    }

    /// Whether a challenge or a response is to be sent, which wait for nothing.
    pub(super) fn owes_path_frames(&self) -> bool {
        self.path.owes_challenge() || !self.challenges.is_empty()
    }

    /// Whether the session itself has to say something, in 1-RTT packets, that waits for the gate.
    pub(super) fn owes_control_frames(&self) -> bool {
        self.handshake_done_pending
            || self.issued.owed().is_some()
            || self.destinations.owed().is_some()
            || self.frequency.is_due()
            || self.limit.is_due()
    }

    /// Whether there is something to send at `level` now.
    pub(super) fn wants(&self, now: Instant, level: Level, gate: Gate) -> bool {
        let space = &self.spaces[level as usize];
        if space.discarded || level > self.write_level {
            return false;
        }
        if level == Level::Data && self.state.is_established() && self.owes_path_frames() {
            return true;
        }
        let data = || {
            self.state.is_established()
                && (self.owes_control_frames() || self.transfers.has_frames())
        };
        let counted = || {
            space.crypto_out.has_pending()
                || (level == Level::Data && (data() || self.owes_copies(now)))
        };
        space.probes > 0
            || space.ack_now
            || space.received.ack_due(now)
            || (gate == Gate::Open && counted())
    }
}
