//! When a session wants to be woken, and what it does then.

use super::{Peer, State};
use crate::crypto::{Direction, Level};
use crate::endpoint::{Reason, Shared};
use crate::event::CloseCause;
use crate::fault::Fault;
use crate::recovery::Timer;
use crate::time::{Duration, Instant};
use crate::wire::CloseCode;

/// The longest silence that three probe time-outs can ask for (P4.12).
const PROBED_SILENCE_MAX: Duration = Duration::from_secs(60);

/// How long a session stays whose peer is silent: the idle time-out, or what three probes take where the path is slower
/// (RFC 9000 §10.1). The probe time-out is in part the peer's choice, by when it acknowledges, so that what it adds has a bound.
pub(super) fn silence_max(idle_timeout: Duration, pto: Duration) -> Duration {
    idle_timeout.max((3 * pto).min(PROBED_SILENCE_MAX))
}

impl Peer {
    /// The earliest time at which something is to be done, and what.
    pub(crate) fn deadline(&self) -> Option<(Instant, Reason)> {
        let phase = match self.state {
            State::Gone if self.faults.strikes(Fault::TimerAfterEnd) => {
                return Some((Instant::from_nanos(u64::MAX), Reason::Idle));
            }
            State::Gone => return None,
            State::Closing { until, .. } => return Some((until, Reason::Closing)),
            State::Handshaking { until } => Some((until, Reason::Handshake)),
            State::Unadmitted { until } => until.map(|until| (until, Reason::Decision)),
            State::Flushing { until, .. } => Some((until, Reason::Closing)),
            State::Open => None,
        };
        let acks = self
            .spaces
            .iter()
            .filter(|space| !space.ack_now && !space.discarded);
        let ack = acks.filter_map(|space| space.received.ack_deadline()).min();
        let ack = ack.filter(|_| !self.faults.strikes(Fault::AckTimerForgotten));
        let recovery = self.recovery.deadline().map(|(at, timer)| match timer {
            Timer::Loss => (at, Reason::LossDetection),
            Timer::Pto => (at, Reason::ProbeTimeout),
        });
        let pto = self.recovery.pto();
        let mut first = (self.idle_at(pto), Reason::Idle);
        let mut consider = |at: Option<Instant>, reason| {
            if let Some(at) = at {
                first = first.min((at, reason));
            }
        };
        consider(ack, Reason::AckDelay);
        consider(self.paced_until, Reason::Pacing);
        consider(self.copy_at(), Reason::Pacing);
        consider(self.path_deadline(), Reason::PathValidation);
        consider(self.keep_alive_at(pto), Reason::KeepAlive);
        consider(self.transfers.deadline(), Reason::Decision);
        consider(self.keys.deadline(), Reason::KeyUpdate);
        Some(
            [phase, recovery]
                .into_iter()
                .flatten()
                .fold(first, Ord::min),
        )
    }

    /// Does whatever is due at `now`. Doing it twice changes nothing.
    pub(crate) fn handle_timeout(&mut self, now: Instant, shared: &mut Shared) {
        match self.state {
            State::Gone => return,
            State::Closing { until, .. } => {
                if until <= now {
                    self.state = State::Gone;
                }
                return;
            }
            State::Handshaking { until } if until <= now => {
                return self.end(now, shared, CloseCause::HandshakeTimedOut);
            }
            State::Unadmitted { until: Some(until) } if until <= now => {
                return self.fail(now, shared, CloseCode::Refused);
            }
            State::Flushing { .. } => drop(self.close_when_flushed(now, shared)),
            _ => {}
        }
        let pto = self.recovery.pto();
        if self.idle_at(pto) <= now {
            return self.end(now, shared, CloseCause::TimedOut);
        }
        for space in &mut self.spaces {
            space.ack_now |=
                !space.discarded && space.received.ack_deadline().is_some_and(|at| at <= now);
        }
        if self.paced_until.is_some_and(|at| at <= now) {
            self.paced_until = None;
        }
        self.handle_copy_timeout(now);
        if self.keep_alive_at(pto).is_some_and(|at| at <= now) {
            self.last_ping = now;
            self.quiet_pings = self.quiet_pings.saturating_add(1);
            let space = &mut self.spaces[Level::Data as usize];
            space.probes = space.probes.max(1);
        }
        if self.path_deadline().is_some_and(|at| at <= now) {
            self.handle_path_timeout(now, shared);
        }
        if self.keys.deadline().is_some_and(|at| at <= now) {
            self.session.discard_previous_keys();
            self.keys.on_previous_discarded();
        }
        if self.transfers.deadline().is_some_and(|at| at <= now) {
            let mut cx = shared.context(now, self.recovery.rtt().smoothed());
            self.transfers.handle_timeout(&mut cx);
            // A peer that is silent is the idle time-out's affair.
            if self.transfers.is_stalled(now) && (self.is_silent(now) || self.is_unheard(now)) {
                self.transfers.excuse_silence(now);
            }
            if self.transfers.is_stalled(now) {
                return self.fail(now, shared, CloseCode::Stalled);
            }
        }
        if self.recovery.deadline().is_some_and(|(at, _)| at <= now) {
            self.handle_recovery_timeout(now, shared);
        }
        if self.confirmed && self.state.is_live() && self.faults.strikes(Fault::ProbeEarly) {
            self.probe(now, shared, Level::Data);
        }
    }

    /// Whether the path may be cut: each end says something every third of the time-out.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        now.since(self.last_heard) > self.idle_timeout / 2
    }

    /// Whether the way to the peer may be cut although the peer is heard.
    fn is_unheard(&self, now: Instant) -> bool {
        let oldest = self.recovery.oldest_sent(Level::Data);
        oldest.is_some_and(|sent| now.since(sent) > self.idle_timeout / 2)
    }

    /// When silence has lasted too long (RFC 9000 §10.1).
    fn idle_at(&self, pto: Duration) -> Instant {
        if self.faults.strikes(Fault::IdleTimerForgotten) {
            return Instant::from_nanos(u64::MAX);
        }
        self.last_heard + silence_max(self.idle_timeout, pto)
    }

    /// When a PING keeps the session alive: while a transfer is open, or the user is asked whether to trust the peer (T8).
    ///
    /// A client with an open transfer says it earlier: when the server falls silent it may be because a NAT between them has
    /// forgotten the client, and only a packet of the client's tells the server where it is now. The first goes out after one
    /// probe time-out, further ones after twice the time each, until the server has something to say again.
    fn keep_alive_at(&self, pto: Duration) -> Option<Instant> {
        if self.faults.strikes(Fault::KeepAliveForgotten) {
            return None;
        }
        let wanted = match self.state {
            State::Unadmitted { until } => until.is_none(),
            State::Open => !self.transfers.is_idle(),
            _ => false,
        };
        let mut every: Duration = self.idle_timeout / 3;
        if self.direction == Direction::Client && self.state == State::Open {
            every = every.min(pto.saturating_mul(1 << self.quiet_pings.min(16)));
        }
        wanted.then(|| self.last_heard.max(self.last_ping) + every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P4.12: three probes get their time on a slow path, and a peer that acknowledges late gets no more than a minute by it.
    #[test]
    fn late_acknowledgements_do_not_prolong_a_session_without_end() {
        let seconds = Duration::from_secs;
        for (idle, pto, longest) in [
            (60, 1, 60),
            (60, 50, 60),
            (10, 3, 10),
            (10, 4, 12),
            (10, 20, 60),
            (10, 50, 60),
            (600, 250, 600),
        ] {
            let found = silence_max(seconds(idle), seconds(pto));
            assert_eq!(found, seconds(longest), "{idle} s, PTO {pto} s");
        }
    }
}
