//! ProbeRTT, and sending again after a pause (draft-ietf-ccwg-bbr §5.3.4, §5.4).

use super::params::PROBE_RTT_DURATION;
use super::probe_bw::AckPhase;
use super::{Bbr, State};
use crate::congestion::{RateSample, SentPacket};
use crate::time::Instant;

impl Bbr {
    /// CheckProbeRTT (§5.3.4.3).
    pub(super) fn check_probe_rtt(&mut self, now: Instant, rate: &RateSample) {
        if self.state != State::ProbeRtt && self.min_rtt.expired && !self.idle_restart {
            self.save_window();
            self.state = State::ProbeRtt;
            self.probe_rtt_done = None;
            self.cycle.ack_phase = AckPhase::Stopping;
            self.start_round();
        }
        if self.state == State::ProbeRtt {
            self.handle_probe_rtt(now);
        }
        if rate.delivered > 0 {
            self.idle_restart = false;
        }
    }

    /// HandleProbeRTT: at half a BDP for 200 ms and a round.
    fn handle_probe_rtt(&mut self, now: Instant) {
        if self.probe_rtt_done.is_none() {
            if self.in_flight <= self.probe_rtt_window() {
                self.probe_rtt_done = Some(now + PROBE_RTT_DURATION);
                self.probe_rtt_round_done = false;
                self.start_round();
            }
            return;
        }
        self.probe_rtt_round_done |= self.rounds.start;
        if self.probe_rtt_round_done {
            self.check_probe_rtt_done(now);
        }
    }

    /// CheckProbeRTTDone.
    fn check_probe_rtt_done(&mut self, now: Instant) {
        if self.probe_rtt_done.is_some_and(|at| now > at) {
            self.min_rtt.on_probed(now);
            self.restore_window();
            self.exit_probe_rtt(now);
        }
    }

    /// ExitProbeRTT (§5.3.4.4).
    fn exit_probe_rtt(&mut self, now: Instant) {
        self.reset_short_term();
        if self.full.reached {
            self.resume_cruise(now);
        } else {
            self.state = State::Startup;
        }
    }

    /// HandleRestartFromIdle (§5.4.1).
    pub(super) fn restart_from_idle(&mut self, sent: &SentPacket) {
        if sent.in_flight > 0 || !sent.app_limited {
            return;
        }
        self.idle_restart = true;
        self.extra_acked.restart(sent.now);
        if self.state.is_probe_bw() {
            self.set_pacing_rate_with(1_000);
        } else if self.state == State::ProbeRtt {
            self.check_probe_rtt_done(sent.now);
        }
    }
}
