//! The end of a session.

use super::{Peer, State};
use crate::crypto::Level;
use crate::endpoint::{Admission, Shared};
use crate::event::CloseCause;
use crate::time::{Duration, Instant};
use crate::wire::CloseCode;

impl Peer {
    /// The application's word about the peer. Without effect once given, or too late.
    pub(crate) fn admit(&mut self, now: Instant, shared: &mut Shared, admission: Admission) {
        if !matches!(self.state, State::Unadmitted { .. }) {
            return;
        }
        match admission {
            Admission::Admit => {
                self.state = State::Open;
                self.transfers.admitted();
            }
            Admission::Refuse => self.fail(now, shared, CloseCode::Refused),
        }
    }

    /// The application wants to end: open transfers are given up, what is owed goes out, then CLOSE.
    pub(crate) fn close(&mut self, now: Instant, shared: &mut Shared, code: CloseCode) {
        match self.state {
            State::Open => {
                let mut cx = shared.context(now, self.recovery.rtt().smoothed());
                self.transfers.cancel_all(&mut cx);
                self.state = State::Flushing {
                    until: now + self.farewell_time(),
                    code,
                };
                self.close_when_flushed(now, shared);
            }
            State::Handshaking { .. } | State::Unadmitted { .. } => self.fail(now, shared, code),
            State::Flushing { .. } | State::Closing { .. } | State::Gone => {}
        }
    }

    /// Goes on from Flushing once the peer has acknowledged everything; whether it did.
    pub(crate) fn close_when_flushed(&mut self, now: Instant, shared: &mut Shared) -> bool {
        if let State::Flushing { until, code } = self.state
            && (until <= now || self.transfers.is_idle())
        {
            self.fail(now, shared, code);
            return true;
        }
        false
    }

    /// How long the end of a session may take, each for what is owed and for CLOSE (P4.13): a peer that acknowledges late
    /// makes the round trip look long, and must not hold the session for longer than silence would.
    fn farewell_time(&self) -> Duration {
        (3 * self.recovery.pto()).min(self.idle_timeout)
    }

    /// Ends the session from this side at once.
    pub(super) fn fail(&mut self, now: Instant, shared: &mut Shared, code: CloseCode) {
        if self.state.is_live() {
            self.end(now, shared, CloseCause::Here(code));
            let until = now + self.farewell_time();
            self.state = State::Closing {
                until,
                code,
                frame_due: true,
                arrivals: 0,
            };
        }
    }

    /// Ends the session without a word to the peer.
    pub(super) fn end(&mut self, now: Instant, shared: &mut Shared, cause: CloseCause) {
        if !self.state.is_live() {
            return;
        }
        self.state = State::Gone;
        // Strangers whose handshakes come to nothing are not worth an event each (L3).
        if !self.is_half_open() {
            self.events.closed = Some(cause);
        }
        let mut cx = shared.context(now, self.recovery.rtt().smoothed());
        self.transfers.session_lost(&mut cx);
        for level in Level::ALL {
            self.recovery.discard(level);
        }
    }

    /// The token of the id that this client sends to.
    pub(crate) fn reset_token(&self) -> Option<[u8; 16]> {
        self.path.destination.token.filter(|_| self.state.is_live())
    }

    /// The server does not know the session any more.
    pub(crate) fn reset(&mut self, now: Instant, shared: &mut Shared) {
        self.end(now, shared, CloseCause::Reset);
    }

    /// The peer has not heard CLOSE yet: it is said again, to the 1st, 2nd, 4th, 8th, … packet that arrives.
    pub(super) fn on_packet_while_closing(&mut self) {
        if let State::Closing {
            frame_due,
            arrivals,
            ..
        } = &mut self.state
        {
            *arrivals = arrivals.saturating_add(1);
            *frame_due |= arrivals.is_power_of_two();
        }
    }
}
