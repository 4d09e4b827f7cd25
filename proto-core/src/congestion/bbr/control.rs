//! Rate, quantum and window (draft-ietf-ccwg-bbr §5.6).

use super::params::{
    MIN_PIPE, PACING_MARGIN, PROBE_RTT_CWND_GAIN, QUANTUM_MAX, STARTUP_PACING_GAIN,
};
use super::{Bbr, INFINITE, State, bytes_in, permille};
use crate::congestion::{BYTES_MAX, initial_window};
use crate::time::Duration;

impl Bbr {
    /// BBR.MinPipeCwnd.
    pub(super) fn min_pipe(&self) -> u64 {
        MIN_PIPE * self.datagram
    }

    /// InitPacingRate (§5.6.2): a window a round trip, times the gain of Startup.
    pub(super) fn init_pacing_rate(&mut self, rtt: Duration) {
        let nanos = rtt.as_nanos().max(1_000);
        let rate = u128::from(self.window) * 1_000_000_000 / nanos;
        let rate = u64::try_from(rate).unwrap_or(BYTES_MAX);
        self.pacing_rate = permille(rate.min(BYTES_MAX), STARTUP_PACING_GAIN);
    }

    /// SetPacingRateWithGain (§5.6.2), for what must be sent so that bw arrives.
    pub(super) fn set_pacing_rate_with(&mut self, gain: u64) {
        let paced = permille(permille(self.bw, PACING_MARGIN), gain);
        let rate = self
            .baseline
            .compensate(paced, self.datagram)
            .min(BYTES_MAX);
        if self.full.reached || rate > self.pacing_rate {
            self.pacing_rate = rate;
        }
    }

    pub(super) fn set_pacing_rate(&mut self) {
        self.set_pacing_rate_with(self.state.gains().0);
    }

    /// SetSendQuantum (§5.6.3).
    pub(super) fn quantum(&self, pacing_rate: u64) -> u64 {
        (pacing_rate / 1_000).clamp(2 * self.datagram, QUANTUM_MAX.max(2 * self.datagram))
    }

    /// BDPMultiple (§5.6.4.2), for a bandwidth.
    pub(super) fn bdp(&self, bw: u64, gain: u64) -> u64 {
        match self.min_rtt.get() {
            None => initial_window(self.datagram),
            Some(rtt) => {
                let bdp = permille(bytes_in(bw, rtt), gain);
                self.baseline.compensate(bdp, self.datagram).min(BYTES_MAX)
            }
        }
    }

    /// Inflight, with QuantizationBudget (§5.6.4.2).
    pub(super) fn inflight(&self, bw: u64, gain: u64) -> u64 {
        self.quantize(self.bdp(bw, gain))
    }

    fn quantize(&self, inflight: u64) -> u64 {
        let inflight = inflight
            .max(self.quantum(self.pacing_rate))
            .max(self.min_pipe());
        match self.state {
            State::Up => inflight + 2 * self.datagram,
            _ => inflight,
        }
    }

    /// TargetInflight (§5.3.3.8).
    pub(super) fn target_inflight(&self) -> u64 {
        self.bdp(self.bw, 1_000).min(self.window)
    }

    /// InflightWithHeadroom (§5.3.3.9).
    pub(super) fn inflight_with_headroom(&self) -> u64 {
        if self.inflight_longterm == INFINITE {
            return INFINITE;
        }
        let inflight = self.inflight_longterm.saturating_sub(self.datagram);
        inflight.max(self.min_pipe())
    }

    /// ProbeRTTCwnd (§5.6.4.5).
    pub(super) fn probe_rtt_window(&self) -> u64 {
        self.bdp(self.bw, PROBE_RTT_CWND_GAIN).max(self.min_pipe())
    }

    /// SetCwnd (§5.6.4.6).
    pub(super) fn set_window(&mut self, newly_acked: u64) {
        let gain = self.state.gains().1;
        let most = self.quantize(self.bdp(self.bw, gain) + self.extra_acked.get());
        let grown = self.window.saturating_add(newly_acked).min(BYTES_MAX);
        if self.full.reached {
            self.window = grown.min(most);
        } else if self.window < most || self.delivered < initial_window(self.datagram) {
            self.window = grown;
        }
        self.window = self.window.max(self.min_pipe());
        if self.state == State::ProbeRtt {
            self.window = self.window.min(self.probe_rtt_window());
        }
        self.bound_window();
    }

    /// BoundCwndForModel (§5.6.4.7).
    fn bound_window(&mut self) {
        let cap = match self.state {
            State::Down | State::Refill | State::Up => self.inflight_longterm,
            State::Cruise | State::ProbeRtt => self.inflight_with_headroom(),
            State::Startup | State::Drain => INFINITE,
        };
        let cap = cap.min(self.inflight_shortterm).max(self.min_pipe());
        self.window = self.window.min(cap);
    }

    /// SaveCwnd (§5.6.4.4).
    pub(super) fn save_window(&mut self) {
        self.prior_window = if self.state == State::ProbeRtt || self.loss.in_round {
            self.prior_window.max(self.window)
        } else {
            self.window
        };
    }

    /// RestoreCwnd (§5.6.4.4).
    pub(super) fn restore_window(&mut self) {
        self.window = self.window.max(self.prior_window);
    }
}
