//! The loss detection timer (RFC 9002 §6.2, A.8, A.9).

use super::loss::Losses;
use super::rtt::GRANULARITY;
use super::{Fate, Recovery};
use crate::crypto::Level;
use crate::fault::Fault;
use crate::time::{Duration, Instant};

/// Backoff stops doubling here, at 2^16 probe time-outs; the idle time-out is over long before.
const BACKOFF_MAX: u32 = 16;

/// What a deadline is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// Packets will be presumed lost.
    Loss,
    /// A probe will be due.
    Pto,
}

/// What a time-out asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnTimeout {
    /// Nothing.
    None,
    /// Packets were lost; their frames were told.
    LossDetected,
    /// One or two ack-eliciting packets must be sent at this level, whatever window and pacer say (RFC 9002 §6.2.4).
    Probe(Level),
}

/// What the timer depends on besides the packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timers {
    is_server: bool,
    pub(super) handshake_confirmed: bool,
    has_handshake_keys: bool,
    /// A client's Handshake packet was acknowledged: the server takes its address for valid.
    handshake_acked: bool,
    pub(super) blocked: bool,
    /// Probe time-outs since the last progress.
    backoff: u32,
    /// When something last happened: a client's probes without anything in flight count from here.
    restarted: Instant,
    /// What was sent before this is to be probed then.
    hurry: Option<Instant>,
    /// No probe falls due before: a leap of the clock makes one probe, not a row of them.
    not_before: Instant,
}

impl Timers {
    pub(super) fn new(is_server: bool, now: Instant) -> Self {
        Self {
            is_server,
            handshake_confirmed: false,
            has_handshake_keys: false,
            handshake_acked: false,
            blocked: false,
            backoff: 0,
            restarted: now,
            hurry: None,
            not_before: Instant::ZERO,
        }
    }

    pub(super) fn restart(&mut self, now: Instant) {
        self.restarted = now;
    }

    pub(super) fn on_leap(&mut self, by: Duration) {
        self.restarted += by;
        self.hurry = self.hurry.map(|at| at + by);
    }

    pub(super) fn reset_backoff(&mut self) {
        self.backoff = 0;
    }

    #[cfg(test)]
    pub(super) fn backoff(&self) -> u32 {
        self.backoff
    }

    /// Something was newly acknowledged. A client that does not know whether the server may answer keeps its backoff
    /// (RFC 9002 §6.2.1).
    pub(super) fn on_progress(&mut self, now: Instant, level: Level) {
        self.restart(now);
        self.handshake_acked |= level == Level::Handshake;
        if self.peer_validated() {
            self.reset_backoff();
        }
    }

    /// PeerCompletedAddressValidation of RFC 9002 A.8.
    fn peer_validated(&self) -> bool {
        self.is_server || self.handshake_acked || self.handshake_confirmed
    }
}

impl<F: Copy> Recovery<F> {
    /// The handshake is confirmed (RFC 9001 §4.1.2): 1-RTT packets are probed from now on.
    pub fn set_handshake_confirmed(&mut self) {
        self.timers.handshake_confirmed = true;
    }

    /// Whether probes went unanswered.
    #[must_use]
    pub fn is_backing_off(&self) -> bool {
        self.timers.backoff > 0
    }

    /// The peer is heard again after a silence in which probes went unanswered: what was sent before is probed now, neither when the
    /// backoff is over nor when a time-out is that a round trip as long as the silence has made. To be called once a silence, so that a
    /// path that is cut one way is not flooded.
    pub fn on_silence_over(&mut self, now: Instant) {
        self.timers.reset_backoff();
        self.timers.hurry = Some(now);
    }

    /// There are Handshake keys: a client that has nothing in flight probes with them.
    pub fn set_handshake_keys(&mut self) {
        self.timers.has_handshake_keys = true;
    }

    /// A server that has sent three times what it received arms no probe, since it could not send it
    /// (RFC 9002 §6.2.2.1).
    pub fn set_blocked_by_amplification(&mut self, blocked: bool) {
        self.timers.blocked = blocked;
    }

    /// When [`on_timeout`](Self::on_timeout) has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<(Instant, Timer)> {
        let loss = self.spaces.iter().filter_map(|s| s.loss_time).min();
        match loss.filter(|_| !self.faults.strikes(Fault::LossTimerForgotten)) {
            Some(at) => Some((at, Timer::Loss)),
            None => self.probe_deadline().map(|(at, _)| (at, Timer::Pto)),
        }
    }

    /// The deadline has passed. Call until it says `None`: a probe may fall due right after a loss. Earlier calls
    /// change nothing.
    pub fn on_timeout(&mut self, now: Instant, fate: &mut impl FnMut(Fate, F)) -> OnTimeout {
        match self.deadline() {
            Some((at, _)) if at > now => OnTimeout::None,
            None => OnTimeout::None,
            Some((_, Timer::Loss)) => {
                let mut losses = Losses::default();
                for level in Level::ALL {
                    if self.space(level).loss_time.is_some_and(|at| at <= now) {
                        self.detect_losses(now, level, &mut losses, fate);
                    }
                }
                self.on_losses(now, &losses);
                self.timers.restart(now);
                OnTimeout::LossDetected
            }
            Some((_, Timer::Pto)) => {
                let level = self
                    .probe_deadline()
                    .map_or(Level::Data, |(_, level)| level);
                self.counters.probes += 1;
                self.timers.backoff += 1;
                self.timers.restart(now);
                self.timers.hurry = None;
                self.timers.not_before = now + GRANULARITY;
                OnTimeout::Probe(level)
            }
        }
    }

    /// GetPtoTimeAndSpace of RFC 9002 A.8.
    fn probe_deadline(&self) -> Option<(Instant, Level)> {
        if self.timers.blocked || self.faults.strikes(Fault::ProbeTimerForgotten) {
            return None;
        }
        let back_off =
            |time: Duration| time.saturating_mul(1 << self.timers.backoff.min(BACKOFF_MAX));
        let base = self.rtt.pto_base();
        let due = if self.spaces.iter().all(|space| space.eliciting == 0) {
            if self.timers.peer_validated() {
                return None;
            }
            // RFC 9002 §6.2.2.1: the server may be at its limit, waiting for a datagram of ours.
            let level = match self.timers.has_handshake_keys {
                true => Level::Handshake,
                false => Level::Initial,
            };
            (self.timers.restarted + back_off(base), level)
        } else {
            Level::ALL
                .into_iter()
                .filter(|level| self.space(*level).eliciting > 0)
                .filter(|level| *level != Level::Data || self.timers.handshake_confirmed)
                .map(|level| {
                    let delay = match level {
                        Level::Data => self.max_ack_delay,
                        _ => Duration::ZERO,
                    };
                    let sent = self.space(level).last_ack_eliciting;
                    let due = sent + back_off(base + delay);
                    let hurry = self.timers.hurry.filter(|at| sent < *at);
                    (hurry.unwrap_or(due), level)
                })
                .min_by_key(|(at, _)| *at)?
        };
        Some((due.0.max(self.timers.not_before), due.1))
    }
}
