//! BBRv3 (draft-ietf-ccwg-bbr-06), with an estimate of the loss that the path has anyway ([`baseline`]).
//!
//! | file | what | draft |
//! |---|---|---|
//! | `startup` | Startup, Drain | §5.3.1, §5.3.2 |
//! | `probe_bw` | Down, Cruise, Refill, Up | §5.3.3 |
//! | `probe_rtt` | ProbeRTT, idle restart | §5.3.4, §5.4 |
//! | `min_rtt`, `filters`, `full_pipe` | what is measured | §5.3.1.2, §5.5.1 to §5.5.9 |
//! | `loss` | the model on loss; undo | §5.5.10, §5.5.11 |
//! | `control` | rate, quantum, window | §5.6 |
//! | `baseline` | the path's own loss | ours |
//!
//! What differs from the draft: loss counts for congestion only above 1 % + 1.5 × baseline and, up to 15 %, only while
//! round trips show a queue; rate and window make up for the baseline; after a probe that made the queue overflow, headroom
//! is taken at once, more where the queue was gone before, and the next waits three times as long; of what a probe won without
//! loss in a queue that always stands, headroom is taken, too; ProbeRTT puts off no probe that waits so long; a round trip as low
//! as the lowest postpones ProbeRTT; ProbeBW_UP keeps the window gain of 2.
//! All arithmetic is on integers.

mod baseline;
mod control;
mod filters;
mod full_pipe;
mod loss;
mod min_rtt;
mod params;
mod probe_bw;
mod probe_rtt;
mod startup;

use super::{
    Acked, BYTES_MAX, Controller, Lost, LostPacket, Marked, RateSample, SentPacket, initial_window,
    minimum_window,
};
use crate::recovery::Rtt;
use crate::time::{Duration, Instant};
use baseline::Baseline;
use filters::{ExtraAcked, MaxBw};
use full_pipe::FullPipe;
use loss::{LossRound, Undo};
use min_rtt::MinRtt;
use probe_bw::Cycle;

/// A bound that is not known.
const INFINITE: u64 = u64::MAX;

/// BBR.state (§5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Startup,
    Drain,
    Down,
    Cruise,
    Refill,
    Up,
    ProbeRtt,
}

impl State {
    /// Pacing and window gain of each state (§5.6.1).
    const fn gains(self) -> (u64, u64) {
        match self {
            Self::Startup => (params::STARTUP_PACING_GAIN, params::CWND_GAIN),
            Self::Drain => (params::DRAIN_PACING_GAIN, params::CWND_GAIN),
            Self::Down => (params::DOWN_PACING_GAIN, params::CWND_GAIN),
            Self::Cruise | Self::Refill => (1_000, params::CWND_GAIN),
            Self::Up => (params::UP_PACING_GAIN, params::CWND_GAIN),
            Self::ProbeRtt => (1_000, params::PROBE_RTT_CWND_GAIN),
        }
    }

    /// IsInAProbeBWState.
    const fn is_probe_bw(self) -> bool {
        matches!(self, Self::Down | Self::Cruise | Self::Refill | Self::Up)
    }

    /// IsProbingBW.
    const fn is_probing(self) -> bool {
        matches!(self, Self::Startup | Self::Refill | Self::Up)
    }
}

/// Packet-timed rounds (§5.5.1), and what happened in the present one.
#[derive(Clone, Copy, Debug, Default)]
struct Rounds {
    /// BBR.round_count.
    count: u64,
    /// BBR.round_start.
    start: bool,
    /// BBR.next_round_delivered.
    next_delivered: u64,
    acked: u64,
    lost: u64,
    /// Round trips showed a queue.
    queued: bool,
    /// Rounds in a row that lost more than anybody may go on growing with.
    heavy: u32,
}

/// `bbr`.
#[derive(Clone, Copy, Debug)]
pub struct Bbr {
    datagram: u64,
    state: State,
    /// C.pacing_rate.
    pacing_rate: u64,
    /// The pacing rate follows from a round-trip time that was measured.
    has_rtt: bool,
    /// C.cwnd.
    window: u64,
    /// BBR.prior_cwnd.
    prior_window: u64,
    /// Bytes in flight, after the last acknowledgement, loss or sending.
    in_flight: u64,
    /// C.delivered.
    delivered: u64,
    /// The window was used up in this round, and in the one before: C.is_cwnd_limited.
    limited: bool,
    was_limited: bool,
    rounds: Rounds,
    max_bw: MaxBw,
    /// BBR.bw.
    bw: u64,
    /// BBR.bw_shortterm.
    bw_shortterm: u64,
    /// BBR.inflight_shortterm.
    inflight_shortterm: u64,
    /// BBR.inflight_longterm.
    inflight_longterm: u64,
    min_rtt: MinRtt,
    extra_acked: ExtraAcked,
    full: FullPipe,
    cycle: Cycle,
    loss: LossRound,
    baseline: Baseline,
    undo: Undo,
    /// BBR.drain_start_round.
    drain_start: u64,
    /// BBR.probe_rtt_done_stamp.
    probe_rtt_done: Option<Instant>,
    /// BBR.probe_rtt_round_done.
    probe_rtt_round_done: bool,
    /// BBR.idle_restart.
    idle_restart: bool,
}

impl Bbr {
    /// OnInit (§5.2.1).
    #[must_use]
    pub fn new(datagram_size: u16) -> Self {
        let datagram = u64::from(datagram_size);
        let mut bbr = Self {
            datagram,
            state: State::Startup,
            pacing_rate: 1,
            has_rtt: false,
            window: initial_window(datagram),
            prior_window: 0,
            in_flight: 0,
            delivered: 0,
            limited: false,
            was_limited: false,
            rounds: Rounds::default(),
            max_bw: MaxBw::default(),
            bw: 0,
            bw_shortterm: INFINITE,
            inflight_shortterm: INFINITE,
            inflight_longterm: INFINITE,
            min_rtt: MinRtt::new(),
            extra_acked: ExtraAcked::new(),
            full: FullPipe::default(),
            cycle: Cycle::new(),
            loss: LossRound::default(),
            baseline: Baseline::default(),
            undo: Undo::default(),
            drain_start: 0,
            probe_rtt_done: None,
            probe_rtt_round_done: false,
            idle_restart: false,
        };
        bbr.init_pacing_rate(Duration::from_millis(1));
        bbr
    }

    /// UpdateRound (§5.5.1).
    fn update_round(&mut self, prior_delivered: u64) {
        self.rounds.start = prior_delivered >= self.rounds.next_delivered;
        if self.rounds.start {
            self.start_round();
            self.rounds.count += 1;
            self.cycle.rounds_since_up += 1;
            self.was_limited = core::mem::take(&mut self.limited);
            self.extra_acked
                .on_round(self.rounds.count, self.full.reached);
        }
    }

    /// StartRound.
    fn start_round(&mut self) {
        self.rounds.next_delivered = self.delivered;
    }

    /// C.is_cwnd_limited.
    fn is_window_limited(&self) -> bool {
        self.limited || self.was_limited
    }

    /// UpdateMaxBw (§5.5.5).
    fn update_max_bw(&mut self, rate: &RateSample) {
        self.update_round(rate.prior_delivered);
        if rate.rate > 0 && (rate.rate >= self.max_bw.get() || !rate.app_limited) {
            self.max_bw.update(rate.rate);
        }
    }

    /// UpdateModelAndState (§5.2.3).
    fn update_model(&mut self, acked: &Acked<'_>, rate: &RateSample) {
        self.update_latest_delivery(rate);
        self.update_congestion_signals(rate);
        self.extra_acked
            .update(acked.now, acked.newly_acked, self.bw, self.window);
        self.count_loss(acked);
        if self.rounds.start && !rate.app_limited {
            self.full.on_round(rate.rate);
        }
        self.check_startup_done();
        self.check_drain_done(acked.now);
        self.update_probe_bw(acked, rate);
        self.min_rtt.update(acked.now, acked.rtt_sample);
        self.check_probe_rtt(acked.now, rate);
        self.advance_latest_delivery(rate);
        if self.rounds.start {
            self.end_round();
        }
        // BoundBWForModel.
        self.bw = self.max_bw.get().min(self.bw_shortterm);
    }
}

impl Controller for Bbr {
    fn on_sent(&mut self, sent: &SentPacket) {
        self.restart_from_idle(sent);
        self.in_flight = sent.in_flight + sent.bytes;
        self.limited |= self.in_flight + self.datagram > self.window;
    }

    fn on_ack(&mut self, acked: &Acked<'_>) {
        self.in_flight = acked.in_flight;
        self.delivered = acked.delivered;
        if !self.has_rtt && acked.rtt.is_sampled() {
            self.has_rtt = true;
            self.init_pacing_rate(acked.rtt.smoothed());
        }
        let Some(rate) = acked.rate else { return };
        self.update_model(acked, &rate);
        // UpdateControlParameters (§5.2.3).
        self.set_pacing_rate();
        self.set_window(acked.newly_acked);
    }

    fn on_packet_lost(&mut self, lost: &LostPacket) {
        self.in_flight = lost.in_flight;
        self.delivered = lost.delivered;
        self.handle_lost_packet(lost);
    }

    fn on_loss_event(&mut self, lost: &Lost) {
        self.in_flight = lost.in_flight;
        if lost.persistent {
            self.save_window();
            self.window = minimum_window(self.datagram);
        }
    }

    fn on_ecn_ce(&mut self, marked: &Marked) {
        if marked.new_event {
            self.handle_mark(marked);
        }
    }

    fn on_spurious_loss(&mut self, now: Instant) {
        self.handle_spurious_loss(now);
    }

    fn on_leap(&mut self, by: Duration) {
        self.min_rtt.on_leap(by);
        self.extra_acked.on_leap(by);
        self.cycle.on_leap(by);
        self.probe_rtt_done = self.probe_rtt_done.map(|at| at + by);
        self.undo.event = self.undo.event.map(|at| at + by);
    }

    fn set_datagram_size(&mut self, bytes: u16) {
        self.datagram = u64::from(bytes);
        self.window = self.window.max(minimum_window(self.datagram));
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn pacing_rate(&self, rtt: &Rtt) -> u64 {
        // A full datagram a round trip at least: below, probes of a few bytes could take all of a rate that they were measured
        // to be, and no datagram, which may have grown since (RFC 8899), would ever have its turn.
        let least = super::window_rate(self.datagram, rtt);
        self.pacing_rate.max(least).clamp(1, BYTES_MAX)
    }

    fn send_quantum(&self, pacing_rate: u64) -> u64 {
        match self.full.reached {
            true => self.quantum(pacing_rate),
            // What is short leaves at once, as with the other controllers (RFC 9002 §7.7).
            false => super::window_quantum(pacing_rate, self.datagram),
        }
    }

    fn is_holding_back(&self) -> bool {
        // HandleProbeRTT: low rates are not the path's.
        self.state == State::ProbeRtt
    }

    fn name(&self) -> &'static str {
        "bbr"
    }
}

/// Bytes that a rate moves in a time.
fn bytes_in(rate: u64, time: Duration) -> u64 {
    let nanos = time.as_nanos().min(u64::MAX.into());
    let bytes = u128::from(rate) * nanos / 1_000_000_000;
    u64::try_from(bytes).unwrap_or(BYTES_MAX).min(BYTES_MAX)
}

/// Thousandths of an amount that may be unknown.
fn permille(of: u64, part: u64) -> u64 {
    match of {
        INFINITE => INFINITE,
        of => (u128::from(of) * u128::from(part) / 1_000).min(BYTES_MAX.into()) as u64,
    }
}

#[cfg(test)]
mod tests;
