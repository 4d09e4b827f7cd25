//! The cycle of Down, Cruise, Refill and Up (draft-ietf-ccwg-bbr §5.3.3).

use super::params::{HEADROOM, OVERFLOW_WAITS, PROBE_WAIT, PROBE_WAIT_SPREAD, RENO_ROUNDS};
use super::{Bbr, INFINITE, State, permille};
use crate::congestion::{Acked, BYTES_MAX, RateSample};
use crate::time::{Duration, Instant};

/// BBR.ack_phase: what acknowledgements tell of (§2.13).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum AckPhase {
    Init,
    Refilling,
    Starting,
    Feedback,
    Stopping,
}

/// The state of the cycle (§2.13).
#[derive(Clone, Copy, Debug)]
pub(super) struct Cycle {
    pub(super) ack_phase: AckPhase,
    /// BBR.is_bw_probe_sample.
    pub(super) is_probe_sample: bool,
    /// BBR.cycle_stamp.
    stamp: Instant,
    /// BBR.bw_probe_wait.
    wait: Duration,
    /// BBR.rounds_since_probe_up.
    pub(super) rounds_since_up: u64,
    /// BBR.bw_probe_up_rounds.
    up_rounds: u32,
    /// BBR.bw_probe_up_acked.
    up_acked: u64,
    /// BBR.probe_up_acked_per_inc.
    acked_per_inc: u64,
    /// BBR.prev_probe_too_high.
    pub(super) too_high: bool,
    /// The probe that went too high found the rate that was known: somebody else may have been in the queue.
    pub(super) crowded: bool,
    /// BBR.prev_probe_precautionary.
    precautionary: bool,
    /// The round in which Cruise began.
    cruise_start: u64,
    /// Since Down began, the queue was gone for a moment;
    drained: bool,
    /// and so it was in the cycle before the last probe.
    pub(super) emptied: bool,
    /// BBR.inflight_longterm when Up began.
    bound_before: u64,
}

impl Cycle {
    pub(super) fn new() -> Self {
        Self {
            ack_phase: AckPhase::Init,
            is_probe_sample: false,
            stamp: Instant::ZERO,
            wait: Duration::ZERO,
            rounds_since_up: 0,
            up_rounds: 0,
            up_acked: 0,
            acked_per_inc: INFINITE,
            too_high: false,
            crowded: false,
            precautionary: false,
            cruise_start: 0,
            drained: false,
            emptied: false,
            bound_before: INFINITE,
        }
    }

    pub(super) fn on_leap(&mut self, by: Duration) {
        self.stamp += by;
    }
}

impl Bbr {
    /// StartProbeBW_DOWN.
    pub(super) fn start_down(&mut self, now: Instant) {
        self.reset_congestion_signals();
        self.cycle.acked_per_inc = INFINITE;
        self.pick_wait(now);
        self.cycle.stamp = now;
        self.cycle.ack_phase = AckPhase::Stopping;
        self.start_round();
        self.cycle.drained = false;
        self.state = State::Down;
    }

    /// StartProbeBW_CRUISE.
    pub(super) fn start_cruise(&mut self) {
        self.state = State::Cruise;
        self.cycle.cruise_start = self.rounds.count;
    }

    /// Cruise after ProbeRTT, which does not put off a probe that comes late anyway, nor one that came due meanwhile.
    pub(super) fn resume_cruise(&mut self, now: Instant) {
        let before = self.cycle;
        self.start_down(now);
        self.start_cruise();
        if before.too_high {
            self.cycle.stamp = before.stamp;
            self.cycle.wait = before.wait;
            self.cycle.rounds_since_up = before.rounds_since_up;
        }
    }

    /// StartProbeBW_REFILL.
    pub(super) fn start_refill(&mut self) {
        self.baseline.on_probe();
        self.reset_short_term();
        self.cycle.emptied = core::mem::take(&mut self.cycle.drained);
        self.cycle.up_rounds = 0;
        self.cycle.up_acked = 0;
        self.cycle.precautionary = false;
        self.cycle.ack_phase = AckPhase::Refilling;
        self.start_round();
        self.state = State::Refill;
    }

    /// StartProbeBW_UP.
    fn start_up(&mut self, rate: &RateSample) {
        self.cycle.ack_phase = AckPhase::Starting;
        self.start_round();
        self.full.reset(rate.rate);
        self.cycle.bound_before = self.inflight_longterm;
        self.state = State::Up;
        self.raise_slope();
    }

    /// UpdateProbeBWCyclePhase (§5.3.3.9).
    pub(super) fn update_probe_bw(&mut self, acked: &Acked<'_>, rate: &RateSample) {
        if !self.full.reached || self.adapt_long_term(acked, rate) {
            return;
        }
        if matches!(self.state, State::Down | State::Cruise) {
            self.cycle.drained |= !self.min_rtt.is_queued();
        }
        match self.state {
            State::Down => {
                if self.is_time_to_probe(acked.now) {
                    self.start_refill();
                } else if self.is_time_to_cruise() {
                    self.start_cruise();
                }
            }
            State::Cruise => {
                if self.is_time_to_probe(acked.now) {
                    self.start_refill();
                }
            }
            State::Refill => {
                if self.rounds.start {
                    self.cycle.is_probe_sample = true;
                    self.start_up(rate);
                }
            }
            State::Up => {
                if self.is_time_to_go_down(rate) {
                    self.cycle.too_high = false;
                    self.leave_headroom();
                    self.start_down(acked.now);
                }
            }
            State::Startup | State::Drain | State::ProbeRtt => {}
        }
    }

    /// Ours: of what a probe has won without loss where the queue always stands, a headroom is left: others fill that queue. The
    /// bound is not less than before, as nothing was lost; and none is made where there was none, since what held such a probe is
    /// not the path but two BDP of a round trip that was measured before the queue stood.
    fn leave_headroom(&mut self) {
        if self.full.now && !self.cycle.emptied && self.inflight_longterm != INFINITE {
            let kept = permille(self.in_flight, 1_000 - HEADROOM);
            self.inflight_longterm = kept.max(self.cycle.bound_before);
        }
    }

    /// IsTimeToCruise.
    fn is_time_to_cruise(&self) -> bool {
        self.in_flight <= self.inflight_with_headroom()
            && self.in_flight <= self.inflight(self.max_bw.get(), 1_000)
    }

    /// IsTimeToGoDown (§5.3.3.7).
    fn is_time_to_go_down(&mut self, rate: &RateSample) -> bool {
        if self.cycle.too_high && self.in_flight >= self.inflight_longterm {
            self.cycle.precautionary = true;
            return true;
        }
        if self.is_window_limited() && self.window >= self.inflight_longterm {
            self.full.reset(rate.rate);
            return self.grows_no_more();
        }
        self.full.now || self.grows_no_more()
    }

    /// How many times as long as usual the next probe is waited for: loss may tell of an overflow when the probe has ended.
    fn waits(&self) -> u32 {
        match self.cycle.too_high && self.cycle.crowded {
            true => OVERFLOW_WAITS,
            false => 1,
        }
    }

    /// IsTimeToProbeBW (§5.3.3.8): after 2 to 3 s, or as many rounds as Reno needs to regain its window.
    pub(super) fn is_time_to_probe(&self, now: Instant) -> bool {
        let reno = (self.target_inflight() / self.datagram.max(1)).min(RENO_ROUNDS);
        now > self.cycle.stamp + self.cycle.wait * self.waits()
            || self.cycle.rounds_since_up >= reno * u64::from(self.waits())
    }

    /// PickProbeWait. Chance comes from the time, which no two flows share to the nanosecond.
    fn pick_wait(&mut self, now: Instant) {
        let mixed = (now.as_nanos() ^ self.delivered.rotate_left(32))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
            .wrapping_mul(0xbf58_476d_1ce4_e5b9);
        self.cycle.rounds_since_up = mixed >> 63;
        let chance = Duration::from_nanos((mixed >> 16) % PROBE_WAIT_SPREAD);
        self.cycle.wait = PROBE_WAIT + chance;
    }

    /// RaiseInflightLongtermSlope.
    fn raise_slope(&mut self) {
        let growth = 1_u64 << self.cycle.up_rounds;
        self.cycle.up_rounds = (self.cycle.up_rounds + 1).min(30);
        self.cycle.acked_per_inc = (self.window / growth).max(self.datagram);
    }

    /// ProbeInflightLongtermUpward.
    fn probe_upward(&mut self, newly_acked: u64) {
        if !self.is_window_limited() || self.window < self.inflight_longterm {
            return;
        }
        let cycle = &mut self.cycle;
        cycle.up_acked = cycle.up_acked.saturating_add(newly_acked);
        let steps = cycle.up_acked / cycle.acked_per_inc.max(1);
        if steps > 0 {
            cycle.up_acked -= steps * cycle.acked_per_inc;
            let raised = steps
                .saturating_mul(self.datagram)
                .saturating_add(self.inflight_longterm);
            self.inflight_longterm = raised.min(BYTES_MAX);
        }
        if self.rounds.start {
            self.raise_slope();
        }
    }

    /// AdaptLongTermModel; whether it decided what comes next.
    fn adapt_long_term(&mut self, acked: &Acked<'_>, rate: &RateSample) -> bool {
        if self.cycle.ack_phase == AckPhase::Starting && self.rounds.start {
            self.cycle.ack_phase = AckPhase::Feedback;
        }
        if self.cycle.ack_phase == AckPhase::Stopping && self.rounds.start {
            self.cycle.is_probe_sample = false;
            self.cycle.ack_phase = AckPhase::Init;
            if self.state.is_probe_bw() && !rate.app_limited {
                self.max_bw.advance();
            }
            // §5.3.3.6: acceleration.
            if self.state.is_probe_bw() && self.cycle.precautionary && !self.cycle.too_high {
                self.start_refill();
                return true;
            }
        }
        let safe = !self.is_too_high(rate.lost, rate.tx_in_flight);
        let rising = matches!(self.state, State::Refill | State::Up);
        if safe && rising && self.inflight_longterm != INFINITE {
            self.inflight_longterm = self.inflight_longterm.max(rate.tx_in_flight);
            if self.state == State::Up {
                self.probe_upward(acked.newly_acked);
            }
        }
        false
    }

    /// What is sent now fits the path: the loss of such a round is the path's own, if no queue stood.
    pub(super) fn is_level(&self) -> bool {
        match self.state {
            State::Cruise => self.rounds.count > self.cycle.cruise_start + 1,
            State::Refill => true,
            State::Startup => self.full.grows(),
            _ => false,
        }
    }
}
