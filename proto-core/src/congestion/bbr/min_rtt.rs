//! BBR.min_rtt, and when to look for it (draft-ietf-ccwg-bbr §5.3.4.3, §5.5.7).

use super::params::{MIN_RTT_FILTER, PROBE_RTT_INTERVAL, PROBE_RTT_ROUNDS};
use crate::time::{Duration, Instant};

/// Below this, a difference between round trips is the noise of bursts and delayed acknowledgements.
const NOISE: Duration = Duration::from_millis(1);

/// The least round trips of 10 s and of 5 s.
#[derive(Clone, Copy, Debug)]
pub(super) struct MinRtt {
    /// BBR.min_rtt.
    min: Option<Duration>,
    stamp: Instant,
    /// BBR.probe_rtt_min_delay.
    probed: Option<Duration>,
    /// BBR.probe_rtt_min_stamp.
    probed_at: Instant,
    /// BBR.probe_rtt_expired.
    pub(super) expired: bool,
    /// The last samples, each a quarter.
    recent: Option<Duration>,
}

impl MinRtt {
    pub(super) fn new() -> Self {
        Self {
            min: None,
            stamp: Instant::ZERO,
            probed: None,
            probed_at: Instant::ZERO,
            expired: false,
            recent: None,
        }
    }

    pub(super) fn get(&self) -> Option<Duration> {
        self.min
    }

    /// UpdateMinRTT.
    ///
    /// The draft takes a lower sample as proof that the queue is gone. So is one that is as low as the lowest, but for
    /// 1/64: who shares the path with nobody finds it in each cruise, and need not pay for ProbeRTT.
    pub(super) fn update(&mut self, now: Instant, sample: Option<Duration>) {
        self.expired = self.probed.is_some() && now > self.probed_at + self.interval();
        if let Some(sample) = sample {
            self.recent = Some(self.recent.map_or(sample, |r| (r * 3 + sample) / 4));
            let lower = self.probed.is_none_or(|least| sample < least);
            if lower || self.expired {
                self.probed = Some(sample);
                self.probed_at = now;
            } else if self
                .probed
                .is_some_and(|least| sample <= least + least / 64)
            {
                self.probed_at = now;
            }
        }
        let min_expired = now > self.stamp + MIN_RTT_FILTER;
        if let Some(probed) = self.probed
            && (min_expired || self.min.is_none_or(|min| probed < min))
        {
            self.min = Some(probed);
            self.stamp = self.probed_at;
        }
    }

    /// From one ProbeRTT to the next: 5 s, on long paths more, as one takes more time there.
    fn interval(&self) -> Duration {
        let rounds = self.probed.unwrap_or_default() * PROBE_RTT_ROUNDS;
        PROBE_RTT_INTERVAL.max(rounds.min(MIN_RTT_FILTER))
    }

    /// ProbeRTT is over: the next is due after an interval.
    pub(super) fn on_probed(&mut self, now: Instant) {
        self.probed_at = now;
    }

    /// The last round trips were longer than the path is: something waits in a queue.
    pub(super) fn is_queued(&self) -> bool {
        match (self.recent, self.min) {
            (Some(recent), Some(min)) => recent > min + (min / 32).max(NOISE),
            _ => false,
        }
    }

    pub(super) fn on_leap(&mut self, by: Duration) {
        self.stamp += by;
        self.probed_at += by;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::testing::ms;

    fn millis(n: u64) -> Option<Duration> {
        Some(Duration::from_millis(n))
    }

    /// §5.3.4.3.
    #[test]
    fn a_lower_sample_counts_at_once_and_a_higher_one_after_ten_seconds() {
        let mut rtt = MinRtt::new();
        rtt.update(ms(0), millis(100));
        rtt.update(ms(100), millis(80));
        assert_eq!(rtt.get(), millis(80));
        rtt.update(ms(5_100), millis(120));
        assert!(!rtt.expired);
        rtt.update(ms(5_101), millis(120));
        assert!(rtt.expired, "ProbeRTT is due");
        assert_eq!(rtt.get(), millis(80), "until it is over, the old value");
        rtt.update(ms(10_000), millis(130));
        assert!(!rtt.expired);
        rtt.update(ms(10_101), millis(130));
        assert_eq!(rtt.get(), millis(120));
    }

    #[test]
    fn a_sample_as_low_as_the_lowest_is_proof_too() {
        let mut rtt = MinRtt::new();
        rtt.update(ms(0), millis(100));
        rtt.update(ms(4_000), millis(101));
        rtt.update(ms(8_000), millis(110));
        assert!(!rtt.expired);
        rtt.update(ms(9_001), millis(110));
        assert!(rtt.expired);
    }

    #[test]
    fn long_paths_are_probed_less_often() {
        for (rtt, due) in [(100, 5_000), (200, 6_000), (300, 9_000), (900, 10_000)] {
            let mut min = MinRtt::new();
            min.update(ms(0), millis(rtt));
            min.update(ms(due), millis(2 * rtt));
            assert!(!min.expired, "{rtt}");
            min.update(ms(due + 1), millis(2 * rtt));
            assert!(min.expired, "{rtt}");
        }
    }

    #[test]
    fn a_queue_shows_in_the_round_trips() {
        let mut rtt = MinRtt::new();
        assert!(!rtt.is_queued());
        rtt.update(ms(0), millis(100));
        rtt.update(ms(1), millis(103));
        assert!(!rtt.is_queued());
        for _ in 0..8 {
            rtt.update(ms(2), millis(110));
        }
        assert!(rtt.is_queued());
    }

    /// T12.
    #[test]
    fn no_time_breaks_it() {
        let mut rtt = MinRtt::new();
        for now in [u64::MAX, 0, 5] {
            for sample in [
                None,
                Some(Duration::ZERO),
                Some(Duration::from_secs(u64::from(u32::MAX))),
            ] {
                rtt.update(Instant::from_nanos(now), sample);
                let _queued = rtt.is_queued();
            }
        }
        assert_eq!(rtt.get(), Some(Duration::ZERO));
    }
}
