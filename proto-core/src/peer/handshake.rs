//! Driving the handshake: bytes between the session and the crypto streams, and what follows from each step.

use alloc::vec::Vec;

use super::mtu::Mtu;
use super::{DATAGRAM_BASE, DATAGRAM_MAX, Peer, State};
use crate::crypto::{CryptoError, Direction, Level};
use crate::endpoint::Shared;
use crate::time::{Duration, Instant};
use crate::wire::{CloseCode, TransportParams};

/// The first 1-RTT number that is left out lies below.
const FIRST_SKIP_BELOW: u64 = 64;

/// Early repetitions of handshake bytes in the life of a session: without a bound, two ends could go on for ever
/// (RFC 9002 §6.2.3).
const HURRIES_MAX: u8 = 8;

impl Peer {
    /// Moves what the handshake has to say into the crypto streams.
    pub(super) fn pump_handshake(&mut self) {
        let mut bytes = Vec::new();
        loop {
            let before = bytes.len();
            let new_level = self.session.write_handshake(&mut bytes);
            let wrote = bytes.len() > before;
            if wrote {
                self.spaces[self.write_level as usize]
                    .crypto_out
                    .push(&bytes);
                bytes.clear();
            }
            match new_level {
                Some(level) => {
                    self.write_level = level;
                    self.recovery.set_handshake_keys();
                }
                None if !wrote => return,
                None => {}
            }
        }
    }

    /// Hands received handshake bytes on, in order, and acts on what comes of them.
    pub(super) fn advance_handshake(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        level: Level,
    ) -> Result<(), CloseCode> {
        while let Some(bytes) = self.space(level).crypto_in.take() {
            self.session.read_handshake(level, &bytes).map_err(alert)?;
            self.pump_handshake();
        }
        if matches!(self.state, State::Handshaking { .. }) && self.session.is_complete() {
            self.on_handshake_complete(now, shared)?;
        }
        Ok(())
    }

    fn on_handshake_complete(
        &mut self,
        now: Instant,
        shared: &mut Shared,
    ) -> Result<(), CloseCode> {
        self.apply_params(shared)?;
        self.issued.replenish();
        let server = self.direction == Direction::Server;
        let until = server.then(|| now + shared.config.limits.admission_timeout);
        self.state = State::Unadmitted { until };
        self.events.ready = true;
        self.announced = true;
        self.next_skip = shared.rng.below(FIRST_SKIP_BELOW);
        if server {
            self.handshake_done_pending = true;
            self.on_confirmed(now);
        }
        // A client may have moved during the handshake.
        self.challenge_paths(now, shared);
        Ok(())
    }

    /// The peer said again what it had said: it did not get all that was answered. That is sent again at once, since probe
    /// time-outs of a handshake are long (RFC 9002 §6.2.3), but not twice for one flight of the peer's.
    pub(super) fn hurry_handshake(&mut self, now: Instant) {
        let enough_time = self.recovery.rtt().smoothed() / 2;
        for level in [Level::Initial, Level::Handshake] {
            let recent = now.since(self.recovery.last_eliciting(level)) < enough_time;
            let space = &mut self.spaces[level as usize];
            let waits = !space.discarded && !space.crypto_out.sent().is_empty();
            if waits && !recent && self.hurries < HURRIES_MAX {
                self.hurries += 1;
                space.crypto_out.resend_all();
                space.probes = space.probes.max(1);
            }
        }
    }

    /// The handshake is confirmed: a server's when it completes, a client's with HANDSHAKE_DONE.
    pub(super) fn on_confirmed(&mut self, now: Instant) {
        self.confirmed = true;
        self.apply_path_mtu(now);
        self.recovery.set_handshake_confirmed();
        self.discard_level(Level::Initial);
        self.discard_level(Level::Handshake);
    }

    /// Takes the peer's transport parameters. The ids in them bind the handshake to the packets it came in
    /// (RFC 9000 §7.3).
    fn apply_params(&mut self, shared: &Shared) -> Result<(), CloseCode> {
        let params = self
            .session
            .peer_params()
            .ok_or(CloseCode::TransportParameter)?;
        let params = TransportParams::decode(params).map_err(|_| CloseCode::TransportParameter)?;
        let original = (self.direction == Direction::Client).then_some(self.ids.original);
        if params.source_id != self.ids.remote || params.original_id != original {
            return Err(CloseCode::TransportParameter);
        }
        let server = self.direction == Direction::Server;
        if server && params.reset_token.is_some() {
            return Err(CloseCode::TransportParameter);
        }
        self.path.destination.token = params.reset_token;
        let theirs = Duration::from_millis(params.max_idle_timeout_ms);
        self.idle_timeout = self.idle_timeout.min(theirs);
        self.peer_ack_delay = Duration::from_micros(params.max_ack_delay_us);
        self.recovery.set_max_ack_delay(self.peer_ack_delay);
        let config = &shared.config;
        let most = params.max_datagram.min(DATAGRAM_MAX);
        let base = config.datagram_size.clamp(DATAGRAM_BASE, most);
        self.mtu = Mtu::new(base, config.datagram_max.min(most));
        self.peer_buffer = params.receive_buffer;
        Ok(())
    }
}

fn alert(error: CryptoError) -> CloseCode {
    match error {
        CryptoError::Alert(alert) => CloseCode::Crypto(alert),
        CryptoError::Open | CryptoError::NoKeys | CryptoError::Config => CloseCode::Internal,
    }
}
