//! Maxima over the recent past (draft-ietf-ccwg-bbr §5.5.3, §5.5.9), and what is measured to feed them.

use super::bytes_in;
use super::params::EXTRA_ACKED_HALF;
use crate::congestion::BYTES_MAX;
use crate::time::Instant;

/// BBR.max_bw_filter: the largest samples of the present probing cycle and of the one before (§5.5.6).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MaxBw {
    previous: u64,
    present: u64,
}

impl MaxBw {
    pub(super) fn update(&mut self, rate: u64) {
        self.present = self.present.max(rate.min(BYTES_MAX));
    }

    /// AdvanceMaxBwFilter. A cycle without samples does not count.
    pub(super) fn advance(&mut self) {
        if self.present > 0 {
            self.previous = core::mem::take(&mut self.present);
        }
    }

    /// BBR.max_bw, bytes per second.
    pub(super) fn get(&self) -> u64 {
        self.previous.max(self.present)
    }
}

/// BBR.extra_acked: what acknowledgements that come in heaps tell at once beyond what the rate explains (§5.5.9).
#[derive(Clone, Copy, Debug)]
pub(super) struct ExtraAcked {
    interval_start: Instant,
    delivered: u64,
    previous: u64,
    present: u64,
    /// The round in which `present` began.
    since: u64,
}

impl ExtraAcked {
    pub(super) fn new() -> Self {
        Self {
            interval_start: Instant::ZERO,
            delivered: 0,
            previous: 0,
            present: 0,
            since: 0,
        }
    }

    /// After a pause the interval begins anew (§5.4).
    pub(super) fn restart(&mut self, now: Instant) {
        self.interval_start = now;
    }

    /// UpdateACKAggregation: `bw` is BBR.bw, `most` the window.
    pub(super) fn update(&mut self, now: Instant, acked: u64, bw: u64, most: u64) {
        let mut expected = bytes_in(bw, now.since(self.interval_start));
        if self.delivered <= expected {
            self.delivered = 0;
            self.interval_start = now;
            expected = 0;
        }
        self.delivered = self.delivered.saturating_add(acked).min(BYTES_MAX);
        let extra = self.delivered.saturating_sub(expected).min(most);
        self.present = self.present.max(extra);
    }

    /// A round began; until the pipe was filled once, one round is remembered, then ten.
    pub(super) fn on_round(&mut self, round: u64, filled: bool) {
        let half = if filled { EXTRA_ACKED_HALF } else { 1 };
        if round.saturating_sub(self.since) >= half {
            self.previous = if filled { self.present } else { 0 };
            self.present = 0;
            self.since = round;
        }
    }

    pub(super) fn get(&self) -> u64 {
        self.previous.max(self.present)
    }

    pub(super) fn on_leap(&mut self, by: crate::time::Duration) {
        self.interval_start += by;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::testing::ms;

    /// §5.5.6: the last cycle and this one.
    #[test]
    fn bandwidth_is_remembered_for_two_cycles() {
        let mut filter = MaxBw::default();
        filter.update(100);
        filter.update(50);
        assert_eq!(filter.get(), 100);
        filter.advance();
        filter.update(60);
        assert_eq!(filter.get(), 100);
        filter.advance();
        assert_eq!(filter.get(), 60);
        // A cycle in which nothing was measured forgets nothing.
        filter.advance();
        assert_eq!(filter.get(), 60);
    }

    /// §5.5.9.
    #[test]
    fn heaps_of_acknowledgements_are_measured() {
        let mut extra = ExtraAcked::new();
        extra.restart(ms(0));
        // 1 MB/s and 10,000 bytes each 10 ms: as expected, but for the first heap.
        for n in 1..=20 {
            extra.update(ms(10 * n), 10_000, 1_000_000, 1_000_000);
        }
        assert_eq!(extra.get(), 10_000);
        // 50 ms of silence, and then all at once.
        extra.update(ms(250), 50_000, 1_000_000, 1_000_000);
        assert_eq!(extra.get(), 50_000);
        extra.update(ms(250), 50_000, 1_000_000, 70_000);
        assert_eq!(extra.get(), 70_000, "the window is the bound");
        // Ten rounds later it is forgotten.
        for round in 1..=11 {
            extra.on_round(round, true);
        }
        assert_eq!(extra.get(), 0);
    }

    #[test]
    fn startup_remembers_one_round() {
        let mut extra = ExtraAcked::new();
        extra.update(ms(1), 9_000, 0, 100_000);
        assert_eq!(extra.get(), 9_000);
        extra.on_round(1, false);
        assert_eq!(extra.get(), 0);
    }
}
