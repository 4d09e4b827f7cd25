use proto_core::{Duration, Instant};

/// Parts of a million.
const MILLION: i128 = 1_000_000;

/// A host's clock: it may run fast or slow, and jump ahead. It never goes back, as a monotonic clock does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Clock {
    /// True time from which the present drift counts.
    since: Instant,
    /// What the clock showed then.
    shown: Instant,
    /// Nanoseconds that it gains in a million.
    drift: i32,
}

impl Clock {
    /// A clock that shows true time.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            since: Instant::ZERO,
            shown: Instant::ZERO,
            drift: 0,
        }
    }

    fn rate(self) -> i128 {
        // A clock that stands still would never reach a deadline.
        (MILLION + i128::from(self.drift)).max(1)
    }

    /// What it shows at the true time `now`, which is not before the last change of the clock.
    #[must_use]
    pub fn shows(self, now: Instant) -> Instant {
        if self.drift == 0 {
            return self.shown + now.since(self.since);
        }
        let passed = now.since(self.since).as_nanos() as i128 * self.rate() / MILLION;
        self.shown + Duration::from_nanos(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// The first true time at which it shows `time` or more.
    #[must_use]
    pub fn reaches(self, time: Instant) -> Instant {
        let wanted = time.since(self.shown);
        if self.drift == 0 {
            return self.since + wanted;
        }
        let rate = self.rate();
        let passed = (wanted.as_nanos() as i128 * MILLION + rate - 1) / rate;
        self.since + Duration::from_nanos(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// From `now` on, `per_million` are gained (or lost) in a million.
    pub fn set_drift(&mut self, now: Instant, per_million: i32) {
        self.shown = self.shows(now);
        self.since = now;
        self.drift = per_million;
    }

    /// From `now` to `until` it stands still, as the monotonic clock of some systems does while the machine is suspended.
    pub fn pause(&mut self, now: Instant, until: Instant) {
        self.shown = self.shows(now);
        self.since = until;
    }

    /// At `now`, the clock goes `by` ahead at once, as after a sleep.
    pub fn jump(&mut self, now: Instant, by: Duration) {
        self.shown = self.shows(now) + by;
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn a_deadline_is_reached_neither_early_nor_late() {
        let mut rng = Rng::new(5, 0);
        for _ in 0..10_000 {
            let mut clock = Clock::new();
            let mut now = Instant::ZERO;
            for _ in 0..4 {
                now += Duration::from_nanos(rng.log_uniform(1 << 50));
                match rng.below(3) {
                    0 => clock.set_drift(now, rng.below(200_001) as i32 - 100_000),
                    1 => clock.jump(now, Duration::from_nanos(rng.log_uniform(1 << 45))),
                    _ => {}
                }
                let time = clock.shows(now) + Duration::from_nanos(rng.log_uniform(1 << 50));
                let reached = clock.reaches(time);
                assert!(clock.shows(reached) >= time);
                // A slow clock may show the same for several nanoseconds, of which this is the first.
                if reached > clock.since {
                    let before = Instant::from_nanos(reached.as_nanos() - 1);
                    assert!(clock.shows(before) < time, "{clock:?} {time:?}");
                }
            }
        }
    }

    #[test]
    fn a_clock_that_stands_still_goes_on_where_it_was() {
        let mut clock = Clock::new();
        let second = |n| Instant::ZERO + Duration::from_secs(n);
        clock.pause(second(10), second(30));
        assert_eq!(clock.shows(second(10)), second(10));
        assert_eq!(clock.shows(second(29)), second(10));
        assert_eq!(clock.shows(second(31)), second(11));
        assert_eq!(clock.reaches(second(11)), second(31));
    }

    #[test]
    fn changes_of_the_clock_lose_no_time() {
        let mut clock = Clock::new();
        let second = |n| Instant::ZERO + Duration::from_secs(n);
        clock.set_drift(second(10), 500_000);
        assert_eq!(clock.shows(second(12)), second(13));
        clock.jump(second(12), Duration::from_secs(7));
        assert_eq!(clock.shows(second(12)), second(20));
        clock.set_drift(second(14), -500_000);
        assert_eq!(clock.shows(second(14)), second(23));
        assert_eq!(clock.shows(second(16)), second(24));
    }
}
