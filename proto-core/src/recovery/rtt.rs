//! Round-trip times (RFC 9002 §5).

use crate::time::Duration;

/// What a timer can resolve (RFC 9002 §6.1.2).
pub const GRANULARITY: Duration = Duration::from_millis(1);

/// The estimate before the first sample (RFC 9002 §6.2.2).
pub const INITIAL_RTT: Duration = Duration::from_millis(333);

/// The estimate of a path's round-trip time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rtt {
    latest: Duration,
    smoothed: Duration,
    variance: Duration,
    min: Option<Duration>,
    sampled: bool,
}

impl Rtt {
    /// No sample yet: `initial` stands for it (RFC 9002 §5.3, §6.2.2).
    #[must_use]
    pub fn new(initial: Duration) -> Self {
        Self {
            latest: initial,
            smoothed: initial,
            variance: initial / 2,
            min: None,
            sampled: false,
        }
    }

    /// One sample came.
    #[cfg(test)]
    pub(crate) const fn measured(sample: Duration) -> Self {
        Self {
            latest: sample,
            smoothed: sample,
            variance: Duration::ZERO,
            min: Some(sample),
            sampled: true,
        }
    }

    /// The last sample, or the initial value.
    #[must_use]
    pub fn latest(&self) -> Duration {
        self.latest
    }

    /// The moving average of samples less the peer's delay.
    #[must_use]
    pub fn smoothed(&self) -> Duration {
        self.smoothed
    }

    /// The mean deviation of samples.
    #[must_use]
    pub fn variance(&self) -> Duration {
        self.variance
    }

    /// The smallest sample since the last persistent congestion, or the initial value.
    #[must_use]
    pub fn min(&self) -> Duration {
        self.min.unwrap_or(self.smoothed)
    }

    /// Whether there was a sample.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// Takes a sample. `ack_delay` is what the peer says it waited, already limited to what it promised.
    pub fn update(&mut self, latest: Duration, ack_delay: Duration) {
        self.latest = latest;
        let min = self.min.map_or(latest, |min| min.min(latest));
        self.min = Some(min);
        if !self.sampled {
            self.sampled = true;
            self.smoothed = latest;
            self.variance = latest / 2;
            return;
        }
        // The peer's word is not taken where it would go below the smallest sample.
        let adjusted = if latest >= min + ack_delay {
            latest - ack_delay
        } else {
            latest
        };
        let deviation = self.smoothed.abs_diff(adjusted);
        self.variance = (self.variance * 3 + deviation) / 4;
        self.smoothed = (self.smoothed * 7 + adjusted) / 8;
    }

    /// The path has changed: the next sample is the smallest one (RFC 9002 §5.2, after persistent congestion).
    pub fn forget_min(&mut self) {
        self.min = None;
    }

    /// `smoothed + max(4 × variance, granularity)`: a probe time-out without the peer's delay (RFC 9002 §6.2.1).
    #[must_use]
    pub fn pto_base(&self) -> Duration {
        self.smoothed + (self.variance * 4).max(GRANULARITY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// RFC 9002 §5.3: the first sample sets everything, whatever the peer says of its delay.
    #[test]
    fn the_first_sample_is_taken_whole() {
        let mut rtt = Rtt::new(INITIAL_RTT);
        assert_eq!(rtt.pto_base(), ms(999));
        rtt.update(ms(100), ms(40));
        assert_eq!(
            (rtt.smoothed(), rtt.variance(), rtt.min()),
            (ms(100), ms(50), ms(100))
        );
        assert_eq!(rtt.pto_base(), ms(300));
    }

    /// RFC 9002 §5.3: by hand, (7 × 100 + (180 - 20)) / 8 = 107.5 and (3 × 50 + |100 - 160|) / 4 = 52.5.
    #[test]
    fn later_samples_are_smoothed_less_the_delay() {
        let mut rtt = Rtt::new(INITIAL_RTT);
        rtt.update(ms(100), ms(0));
        rtt.update(ms(180), ms(20));
        assert_eq!(rtt.smoothed(), Duration::from_micros(107_500));
        assert_eq!(rtt.variance(), Duration::from_micros(52_500));
        assert_eq!((rtt.latest(), rtt.min()), (ms(180), ms(100)));
    }

    /// RFC 9002 §5.3: a delay that would take the sample below the smallest one is not believed.
    #[test]
    fn a_delay_below_the_minimum_is_ignored() {
        let mut rtt = Rtt::new(INITIAL_RTT);
        rtt.update(ms(100), ms(0));
        rtt.update(ms(110), ms(20));
        assert_eq!(rtt.smoothed(), Duration::from_micros(101_250));
    }

    /// RFC 9002 §6.2.1: 4 × variance counts as the timer's granularity at least.
    #[test]
    fn the_probe_time_out_has_a_floor() {
        let mut short = Rtt::new(INITIAL_RTT);
        short.update(Duration::from_micros(10), ms(0));
        assert_eq!(short.pto_base(), Duration::from_micros(1_010));
    }

    /// RFC 9002 §5.2.
    #[test]
    fn the_minimum_can_be_forgotten() {
        let mut rtt = Rtt::new(INITIAL_RTT);
        rtt.update(ms(10), ms(0));
        rtt.forget_min();
        rtt.update(ms(50), ms(0));
        assert_eq!(rtt.min(), ms(50));
    }
}
