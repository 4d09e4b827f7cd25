//! How much reordering is no loss yet: thresholds that learn from losses that were none.
//!
//! RFC 9002 §6.1.1 and §6.1.2 set the least and allow more for a sender that has seen packets overtake each other. After
//! [`ROUNDS`] round trips without such a sight they are what they were, as in RFC 8985 §6.2.

use super::rtt::{GRANULARITY, Rtt};
use crate::time::Duration;

/// A packet is lost once one that was sent this many later is acknowledged (RFC 9002 §6.1.1).
const PACKETS: u64 = 3;

/// Eighths of a round trip that an acknowledgement may be late (RFC 9002 §6.1.2): to begin with, and at most.
const EIGHTHS: u32 = 9;
const EIGHTHS_MAX: u32 = 16;

/// Round trips after which what was learnt is forgotten.
const ROUNDS: u32 = 16;

/// The thresholds of one path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reordering {
    packets: u64,
    /// Half of the congestion window in packets: more than that is loss in any case.
    limit: u64,
    eighths: u32,
    /// Round trips since the last loss that was none.
    rounds: u32,
    /// The round trip is over when a number from here on is acknowledged.
    round_end: u64,
}

impl Default for Reordering {
    fn default() -> Self {
        Self {
            packets: PACKETS,
            limit: PACKETS,
            eighths: EIGHTHS,
            rounds: 0,
            round_end: 0,
        }
    }
}

impl Reordering {
    /// The congestion window has room for so many packets now.
    pub(super) fn set_window(&mut self, packets: u64) {
        self.limit = (packets / 2).max(PACKETS);
    }

    /// How many numbers a packet may be below the largest acknowledged one before it is lost.
    pub(super) fn packets(&self) -> u64 {
        self.packets.min(self.limit)
    }

    /// How long after it was sent a packet is lost, once a later one was acknowledged.
    pub(super) fn delay(&self, rtt: &Rtt) -> Duration {
        let round = rtt.latest().max(rtt.smoothed());
        (round * self.eighths / 8).max(GRANULARITY)
    }

    /// A packet that had been declared lost has arrived: `distance` numbers below what was acknowledged before, and `took`
    /// after it was sent. Had the thresholds been what they are from now on, it would not have been declared lost.
    pub(super) fn on_spurious(&mut self, distance: u64, took: Duration, rtt: &Rtt) {
        self.rounds = 0;
        self.packets = self.packets.max(distance.saturating_add(1));
        while took > self.delay(rtt) && self.eighths < EIGHTHS_MAX {
            self.eighths += 1;
        }
    }

    /// `acked` is the highest 1-RTT number acknowledged, `next` the next to be sent.
    pub(super) fn on_ack(&mut self, acked: u64, next: u64) {
        if acked < self.round_end {
            return;
        }
        self.round_end = next;
        self.rounds = self.rounds.saturating_add(1);
        if self.rounds > ROUNDS {
            (self.packets, self.eighths) = (PACKETS, EIGHTHS);
        }
    }
}
