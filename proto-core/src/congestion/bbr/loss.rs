//! What loss says of the path, and taking it back (draft-ietf-ccwg-bbr §5.5.10, §5.5.11).

use super::baseline::Baseline;
use super::params::{BETA, CROWDED, CROWDED_LOST, HEADROOM, HEAVY_LOSS, LOSS_THRESH};
use super::{Bbr, INFINITE, State, permille};
use crate::congestion::{Acked, LostPacket, Marked, RateSample};
use crate::time::Instant;

/// The present loss round: from a loss to the acknowledgement of a packet that was sent after it was found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LossRound {
    /// BBR.is_loss_in_round.
    pub(super) in_round: bool,
    /// BBR.loss_round_start.
    pub(super) round_start: bool,
    /// BBR.loss_round_delivered.
    delivered: u64,
    /// BBR.bw_latest.
    bw_latest: u64,
    /// BBR.inflight_latest.
    pub(super) inflight_latest: u64,
    /// Bytes acknowledged and lost in the round.
    pub(super) acked: u64,
    pub(super) lost: u64,
    /// Gaps in what arrived.
    pub(super) gaps: u32,
    /// The number after that of the last lost packet.
    after: u64,
    /// A router marked packets.
    marked: bool,
}

/// What to return to if nothing was lost (§2.14).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Undo {
    /// When the last congestion event began.
    pub(super) event: Option<Instant>,
    /// BBR.undo_state.
    pub(super) state: Option<State>,
    bw_shortterm: u64,
    inflight_shortterm: u64,
    inflight_longterm: u64,
}

impl Bbr {
    /// UpdateLatestDeliverySignals.
    pub(super) fn update_latest_delivery(&mut self, rate: &RateSample) {
        let loss = &mut self.loss;
        loss.bw_latest = loss.bw_latest.max(rate.rate);
        loss.inflight_latest = loss.inflight_latest.max(rate.delivered);
        loss.round_start = rate.prior_delivered >= loss.delivered;
        if loss.round_start {
            loss.delivered = self.delivered;
        }
    }

    /// AdvanceLatestDeliverySignals, at the end of an acknowledgement.
    pub(super) fn advance_latest_delivery(&mut self, rate: &RateSample) {
        if self.loss.round_start {
            self.loss.bw_latest = rate.rate;
            self.loss.inflight_latest = rate.delivered;
            self.loss.in_round = false;
            self.clear_round();
        }
    }

    /// ResetCongestionSignals.
    pub(super) fn reset_congestion_signals(&mut self) {
        self.loss.in_round = false;
        self.loss.bw_latest = 0;
        self.loss.inflight_latest = 0;
        self.clear_round();
    }

    fn clear_round(&mut self) {
        self.loss.acked = 0;
        self.loss.lost = 0;
        self.loss.gaps = 0;
        self.loss.marked = false;
    }

    /// UpdateCongestionSignals.
    pub(super) fn update_congestion_signals(&mut self, rate: &RateSample) {
        self.update_max_bw(rate);
        if self.loss.round_start && self.loss.in_round {
            self.adapt_lower_bounds();
        }
    }

    /// AdaptLowerBoundsFromCongestion: once a round, toward what was delivered.
    fn adapt_lower_bounds(&mut self) {
        let LossRound {
            acked,
            lost,
            marked,
            ..
        } = self.loss;
        if self.state.is_probing() || !(marked || self.is_too_high(lost, acked + lost)) {
            return;
        }
        // InitLowerBounds.
        if self.bw_shortterm == INFINITE {
            self.bw_shortterm = self.max_bw.get();
        }
        if self.inflight_shortterm == INFINITE {
            self.inflight_shortterm = self.window;
        }
        // LossLowerBounds.
        let least = permille(self.bw_shortterm, BETA);
        self.bw_shortterm = self.loss.bw_latest.max(least);
        let least = permille(self.inflight_shortterm, BETA);
        self.inflight_shortterm = self.loss.inflight_latest.max(least);
    }

    /// ResetShortTermModel.
    pub(super) fn reset_short_term(&mut self) {
        self.bw_shortterm = INFINITE;
        self.inflight_shortterm = INFINITE;
    }

    /// Counts what became of packets, for the rounds of rate and of loss.
    pub(super) fn count_loss(&mut self, acked: &Acked<'_>) {
        self.rounds.acked = self.rounds.acked.saturating_add(acked.newly_acked);
        self.rounds.queued |= self.min_rtt.is_queued();
        if self.loss.in_round {
            self.loss.acked = self.loss.acked.saturating_add(acked.newly_acked);
        }
    }

    /// A packet-timed round is over: does it tell of the path's own loss, or that there is too much of it?
    pub(super) fn end_round(&mut self) {
        let rounds = &mut self.rounds;
        let acked = core::mem::take(&mut rounds.acked);
        let lost = core::mem::take(&mut rounds.lost);
        let queued = core::mem::take(&mut rounds.queued);
        let heavy = Baseline::is_heavy(acked.saturating_add(lost), lost, self.datagram);
        rounds.heavy = if heavy { rounds.heavy + 1 } else { 0 };
        if !queued && self.is_level() {
            self.baseline.on_quiet_round(acked, lost, self.datagram);
        }
    }

    /// More than 15 % were lost in each of the last two rounds (RFC 8085 §3.1).
    pub(super) fn grows_no_more(&self) -> bool {
        self.rounds.heavy >= 2
    }

    /// IsInflightTooHigh (§5.5.10.2), above the baseline.
    pub(super) fn is_too_high(&self, lost: u64, in_flight: u64) -> bool {
        lost > self.baseline.tolerated(in_flight, self.datagram)
            && (self.min_rtt.is_queued() || lost > permille(in_flight, HEAVY_LOSS))
    }

    /// HandleLostPacket (§5.5.10.2).
    pub(super) fn handle_lost_packet(&mut self, packet: &LostPacket) {
        self.note_loss(packet.now, packet.sent);
        self.rounds.lost = self.rounds.lost.saturating_add(packet.bytes);
        self.loss.lost = self.loss.lost.saturating_add(packet.bytes);
        self.loss.gaps += u32::from(packet.number != self.loss.after);
        self.loss.after = packet.number + 1;
        if self.cycle.is_probe_sample && self.is_too_high(packet.lost, packet.tx_in_flight) {
            let in_flight = self.inflight_at_loss(packet);
            let several = packet.lost >= CROWDED_LOST * self.datagram;
            self.cycle.crowded = several && self.found_the_rate();
            self.handle_too_high(packet.now, in_flight, packet.app_limited);
        }
    }

    /// NoteLoss. The state is saved once for all packets that were in flight when the first loss was found
    /// (RFC 9002 §7.3.2), since that is what [`on_spurious_loss`](crate::congestion::Controller::on_spurious_loss) undoes.
    fn note_loss(&mut self, now: Instant, sent: Instant) {
        if self.undo.event.is_none_or(|event| sent > event) {
            self.save_state(now);
        }
        if !self.loss.in_round {
            self.loss.delivered = self.delivered;
        }
        self.loss.in_round = true;
    }

    /// InflightAtLoss: how much was in flight when losses crossed the threshold.
    fn inflight_at_loss(&self, packet: &LostPacket) -> u64 {
        let tolerated = self.baseline.tolerated(packet.tx_in_flight, self.datagram);
        let share = permille_of(tolerated, packet.tx_in_flight).clamp(LOSS_THRESH, 900);
        let before = packet.tx_in_flight.saturating_sub(packet.bytes);
        let lost_before = packet.lost.saturating_sub(packet.bytes);
        let budget = permille(before, share).saturating_sub(lost_before);
        before + budget * 1_000 / (1_000 - share)
    }

    /// The path is about as fast as it was known to be.
    fn found_the_rate(&self) -> bool {
        self.loss.bw_latest >= permille(self.max_bw.get(), CROWDED)
    }

    /// HandleInflightTooHigh.
    fn handle_too_high(&mut self, now: Instant, in_flight: u64, app_limited: bool) {
        self.cycle.too_high = true;
        self.cycle.is_probe_sample = false;
        if !app_limited {
            self.lower_long_term(in_flight);
        }
        if self.state == State::Up {
            self.undo.state = Some(State::Up);
            self.start_down(now);
        }
    }

    /// What a probe overflowed with, less a headroom. The draft keeps it whole. Where the queue was gone at times before, those who
    /// share it give way, too: there more is left, but for what the path holds without a queue, so that shares meet within
    /// fewer probes. Where it always stands (CUBIC in a deep one), more headroom would only be taken.
    fn lower_long_term(&mut self, in_flight: u64) {
        let least = permille(self.target_inflight(), BETA);
        let mut kept = permille(in_flight, 1_000 - HEADROOM);
        if self.cycle.emptied {
            let bdp = self.bdp(self.max_bw.get(), 1_000);
            kept = permille(in_flight, BETA).max(kept.min(bdp));
        }
        self.inflight_longterm = kept.max(least);
    }

    /// A router marked packets (RFC 3168): as loss above the threshold, once a round trip. The draft leaves ECN open (§3.7).
    pub(super) fn handle_mark(&mut self, marked: &Marked) {
        self.note_loss(marked.now, marked.sent);
        self.loss.marked = true;
        match self.state {
            State::Startup => self.full.reached = true,
            _ if self.cycle.is_probe_sample => {
                self.cycle.crowded = self.found_the_rate();
                self.handle_too_high(marked.now, marked.in_flight, false);
            }
            _ => {}
        }
    }

    /// SaveStateUponLoss (§5.5.11.1).
    fn save_state(&mut self, now: Instant) {
        self.save_window();
        self.undo = Undo {
            event: Some(now),
            state: None,
            bw_shortterm: self.bw_shortterm,
            inflight_shortterm: self.inflight_shortterm,
            inflight_longterm: self.inflight_longterm,
        };
    }

    /// HandleSpuriousLossDetection (§5.5.11.2).
    pub(super) fn handle_spurious_loss(&mut self, _now: Instant) {
        self.restore_window();
        self.loss.in_round = false;
        self.full.reset(0);
        self.bw_shortterm = self.bw_shortterm.max(self.undo.bw_shortterm);
        self.inflight_shortterm = self.inflight_shortterm.max(self.undo.inflight_shortterm);
        self.inflight_longterm = self.inflight_longterm.max(self.undo.inflight_longterm);
        match self.undo.state.take() {
            Some(State::Startup) if self.state != State::Startup => {
                self.full.reached = false;
                if self.state != State::ProbeRtt {
                    self.state = State::Startup;
                }
            }
            Some(State::Up) if !matches!(self.state, State::Up | State::ProbeRtt) => {
                self.start_refill();
            }
            _ => {}
        }
    }
}

/// `part` of `whole` in thousandths, at most 1,000.
fn permille_of(part: u64, whole: u64) -> u64 {
    let share = u128::from(part) * 1_000 / u128::from(whole.max(1));
    share.min(1_000) as u64
}
