//! Startup and Drain (draft-ietf-ccwg-bbr §5.3.1, §5.3.2).

use super::params::{DRAIN_ROUNDS, STARTUP_FULL_LOSS_COUNT};
use super::{Bbr, State};
use crate::time::Instant;

impl Bbr {
    /// CheckStartupDone.
    pub(super) fn check_startup_done(&mut self) {
        if self.state != State::Startup {
            return;
        }
        self.check_startup_high_loss();
        if self.full.reached {
            // EnterDrain.
            self.state = State::Drain;
            self.drain_start = self.rounds.count;
        }
    }

    /// CheckStartupHighLoss (§5.3.1.3): a full round of loss, in several places, above the threshold. While the rate still
    /// grows and no queue stands, loss is the path's own.
    fn check_startup_high_loss(&mut self) {
        let lost = self.loss.lost;
        let ended = self.loss.round_start && self.loss.in_round;
        let sent = self.loss.acked + lost;
        let high = lost > self.baseline.tolerated(sent, self.datagram)
            && self.loss.gaps >= STARTUP_FULL_LOSS_COUNT
            && (self.min_rtt.is_queued() || !self.full.grows());
        if (ended && high) || self.grows_no_more() {
            self.undo.state = Some(State::Startup);
            self.full.reached = true;
            let safe = self.bdp(self.bw, 1_000).max(self.loss.inflight_latest);
            if high {
                self.inflight_longterm = safe;
            }
        }
    }

    /// CheckDrainDone (§5.3.2).
    pub(super) fn check_drain_done(&mut self, now: Instant) {
        if self.state == State::Drain
            && (self.in_flight <= self.inflight(self.bw, 1_000)
                || self.rounds.count > self.drain_start + DRAIN_ROUNDS)
        {
            self.start_down(now);
        }
    }
}
