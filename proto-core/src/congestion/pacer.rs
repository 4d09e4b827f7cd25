//! Pacing: a token bucket (RFC 9002 §7.7).

use crate::time::{Duration, Instant};

/// Tokens are counted in byte-nanoseconds, so that elapsed time times rate needs no rounding.
const PER_BYTE: i64 = 1_000_000_000;

/// Spreads packets over time.
///
/// The bucket holds what is sent in 1 ms, or the controller's quantum if that is more. A batch larger than the bucket may leave when
/// the bucket is full; it then owes the difference.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    tokens: i64,
    filled: Instant,
    rate: u64,
    quantum: u64,
}

impl Pacer {
    /// A full bucket. `rate` is in bytes per second; `quantum` bytes may leave at once.
    #[must_use]
    pub fn new(now: Instant, rate: u64, quantum: u64) -> Self {
        let mut pacer = Self {
            tokens: 0,
            filled: now,
            rate: rate.max(1),
            quantum,
        };
        pacer.tokens = tokens(pacer.capacity());
        pacer
    }

    /// Changes the rate, in bytes per second, and what may leave at once, from `now` on.
    pub fn set_rate(&mut self, now: Instant, rate: u64, quantum: u64) {
        self.fill(now);
        self.rate = rate.max(1);
        self.quantum = quantum;
        self.tokens = self.tokens.min(tokens(self.capacity()));
    }

    /// Whether `bytes` may leave now.
    ///
    /// # Errors
    /// When to ask again. The wait is long enough that half a millisecond's worth can leave then, since a wake-up per
    /// packet would cost more than the packet.
    pub fn ready(&mut self, now: Instant, bytes: u64) -> Result<(), Instant> {
        self.fill(now);
        let capacity = self.capacity();
        let needed = bytes.min(capacity);
        if self.tokens >= tokens(needed) {
            return Ok(());
        }
        let worth_waking = needed.max(self.rate / 2_000).min(capacity);
        let missing = tokens(worth_waking).saturating_sub(self.tokens);
        let wait = u64::try_from(missing).unwrap_or(0).div_ceil(self.rate);
        Err(now + Duration::from_nanos(wait))
    }

    /// How many datagrams of `bytes` each may leave now, one after the other.
    pub fn how_many(&mut self, now: Instant, bytes: u64) -> u64 {
        self.fill(now);
        let last = tokens(bytes.min(self.capacity()));
        let before = u64::try_from(self.tokens.saturating_sub(last));
        before.map_or(0, |before| 1 + before / tokens(bytes.max(1)).unsigned_abs())
    }

    /// Whether the bucket is full, so that what comes next will not wait for what leaves now.
    ///
    /// # Errors
    /// When it will be.
    pub fn is_full(&mut self, now: Instant) -> Result<(), Instant> {
        self.fill(now);
        let missing = tokens(self.capacity()).saturating_sub(self.tokens);
        let wait = u64::try_from(missing).unwrap_or(0).div_ceil(self.rate);
        match wait {
            0 => Ok(()),
            _ => Err(now + Duration::from_nanos(wait)),
        }
    }

    /// Takes out what was sent; probes may leave a debt.
    pub fn on_sent(&mut self, now: Instant, bytes: u64) {
        self.fill(now);
        self.tokens = self.tokens.saturating_sub(tokens(bytes));
    }

    /// Adds what the time since the last call is worth. A clock that went back adds nothing.
    fn fill(&mut self, now: Instant) {
        if now == self.filled {
            return;
        }
        let elapsed = u64::try_from(now.since(self.filled).as_nanos()).unwrap_or(u64::MAX);
        let earned = i64::try_from(elapsed.saturating_mul(self.rate)).unwrap_or(i64::MAX);
        self.tokens = self
            .tokens
            .saturating_add(earned)
            .min(tokens(self.capacity()));
        self.filled = now;
    }

    fn capacity(&self) -> u64 {
        (self.rate / 1_000).max(self.quantum)
    }
}

fn tokens(bytes: u64) -> i64 {
    i64::try_from(bytes)
        .unwrap_or(i64::MAX)
        .saturating_mul(PER_BYTE)
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MB: u64 = 1_000_000;

    fn us(n: u64) -> Instant {
        Instant::from_nanos(n * 1_000)
    }

    /// RFC 9002 §7.7: an initial burst, then the rate.
    #[test]
    fn ten_datagrams_then_the_rate() {
        let mut pacer = Pacer::new(us(0), MB, 12_000);
        for _ in 0..10 {
            assert_eq!(pacer.ready(us(0), 1_200), Ok(()));
            pacer.on_sent(us(0), 1_200);
        }
        // 1,200 bytes at 1 byte per microsecond.
        assert_eq!(pacer.ready(us(0), 1_200), Err(us(1_200)));
        assert!(pacer.ready(us(1_199), 1_200).is_err());
        assert_eq!(pacer.ready(us(1_200), 1_200), Ok(()));
    }

    #[test]
    fn fast_paths_burst_a_millisecond_and_wake_for_half_of_one() {
        let mut pacer = Pacer::new(us(0), 100 * MB, 12_000);
        assert_eq!(pacer.ready(us(0), 100_000), Ok(()));
        pacer.on_sent(us(0), 100_000);
        assert_eq!(pacer.ready(us(0), 1_200), Err(us(500)));
        // Asking earlier is allowed.
        assert_eq!(pacer.ready(us(12), 1_200), Ok(()));
    }

    #[test]
    fn a_batch_larger_than_the_bucket_leaves_a_debt() {
        let mut pacer = Pacer::new(us(0), MB, 12_000);
        assert_eq!(pacer.ready(us(0), 60_000), Ok(()));
        pacer.on_sent(us(0), 60_000);
        assert_eq!(pacer.ready(us(0), 1_200), Err(us(48_000 + 1_200)));
    }

    #[test]
    fn a_full_bucket() {
        let mut pacer = Pacer::new(us(0), MB, 12_000);
        assert_eq!(pacer.is_full(us(0)), Ok(()));
        pacer.on_sent(us(0), 1_200);
        assert_eq!(pacer.is_full(us(200)), Err(us(1_200)));
        assert_eq!(pacer.is_full(us(1_200)), Ok(()));
    }

    /// T12.
    #[test]
    fn a_clock_that_goes_back_or_leaps_breaks_nothing() {
        let mut pacer = Pacer::new(us(5_000), MB, 12_000);
        pacer.on_sent(us(5_000), 12_000);
        assert_eq!(pacer.ready(us(0), 1_200), Err(us(1_200)));
        assert_eq!(pacer.ready(us(1_200), 1_200), Ok(()));
        pacer.on_sent(us(1_200), 1_200);
        let leap = us(3_600 * MB);
        for _ in 0..10 {
            assert_eq!(pacer.ready(leap, 1_200), Ok(()));
            pacer.on_sent(leap, 1_200);
        }
        assert!(pacer.ready(leap, 1_200).is_err());
        let end = Instant::from_nanos(u64::MAX);
        assert_eq!(pacer.ready(end, u64::MAX), Ok(()));
        pacer.on_sent(end, u64::MAX);
        assert!(pacer.ready(us(0), 1).is_err());
    }

    proptest! {
        /// As many as leave one after the other when each is asked for.
        #[test]
        fn how_many_may_leave(
            rate in 1..20_000 * MB, quantum in 0..90_000_u64, bytes in 1..9_000_u64, debt in 0..200_000_u64,
            wait in 0..3_000_000_u64,
        ) {
            let now = Instant::from_nanos(wait);
            let mut pacer = Pacer::new(us(0), rate, quantum);
            pacer.on_sent(us(0), debt);
            let many = pacer.how_many(now, bytes);
            let mut one = pacer;
            for _ in 0..many.min(1_000) {
                prop_assert_eq!(one.ready(now, bytes), Ok(()));
                one.on_sent(now, bytes);
            }
            prop_assert!(many >= 1_000 || one.ready(now, bytes).is_err());
        }

        /// Invariant 22: in any span, no more leaves than rate × span + burst.
        #[test]
        fn no_span_exceeds_rate_and_burst(
            rate in 10_000..200 * MB,
            steps in prop::collection::vec((0..3_000_000_u64, 1..12_000_u64), 1..200),
        ) {
            let mut pacer = Pacer::new(us(0), rate, 12_000);
            let burst = pacer.capacity();
            let mut now = 0;
            let mut sent = Vec::new();
            for (wait, bytes) in steps {
                now += wait;
                let at = Instant::from_nanos(now);
                match pacer.ready(at, bytes) {
                    Ok(()) => {
                        pacer.on_sent(at, bytes);
                        sent.push((now, bytes));
                    }
                    Err(later) => {
                        prop_assert!(later > at);
                        prop_assert_eq!(pacer.ready(later, bytes), Ok(()));
                        pacer.on_sent(later, bytes);
                        now = later.as_nanos();
                        sent.push((now, bytes));
                    }
                }
            }
            for from in 0..sent.len() {
                let mut sum = 0_u128;
                for (at, bytes) in &sent[from..] {
                    sum += u128::from(*bytes);
                    let earned = u128::from(at - sent[from].0) * u128::from(rate) / 1_000_000_000;
                    prop_assert!(sum <= earned + u128::from(burst) + 1);
                }
            }
        }
    }
}
