//! How long a client waits for an answer: 2 s, or what was measured (`docs/CLASSIC.md`, K4).

use crate::time::Duration;

/// The first time-out, the longest one, and the only one of a server.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);

/// The shortest time-out.
pub(super) const TIMEOUT_MIN: Duration = Duration::from_millis(20);

/// A message is sent so many times; then the peer is given up.
pub(super) const TRIES: u32 = 10;

/// Of these, so many may follow each other faster than every 2 s.
const QUICK_TRIES: u32 = 3;

/// Round trips seen, as RFC 6298 smooths them.
#[derive(Debug, Default)]
pub(super) struct Rtt {
    estimate: Option<(Duration, Duration)>,
    /// The peer has answered a repeated START as it should: it can be asked again without harm.
    proven: bool,
}

impl Rtt {
    /// An answer came `elapsed` after the message was sent last, which was sent `tries` times in all. With more than one, it is
    /// not known which of them is answered: no sample (Karn), but a proof when the message was a START.
    pub(super) fn answered(&mut self, elapsed: Duration, tries: u32, is_start: bool) {
        if tries > 1 {
            self.proven |= is_start;
            return;
        }
        self.estimate = Some(match self.estimate {
            None => (elapsed, elapsed / 2),
            Some((smoothed, deviation)) => (
                (smoothed * 7 + elapsed) / 8,
                (deviation * 3 + smoothed.abs_diff(elapsed)) / 4,
            ),
        });
    }

    /// How long to wait after a message was sent for the `tries`th time: what was measured, twice and four times that, then
    /// 2 s. A server asks again after 2 s, so that most of the tries must leave it the time to.
    pub(super) fn timeout(&self, tries: u32) -> Duration {
        let measured = self
            .estimate
            .filter(|_| self.proven && tries <= QUICK_TRIES);
        let Some((smoothed, deviation)) = measured else {
            return TIMEOUT;
        };
        let first = (smoothed + deviation * 4).clamp(TIMEOUT_MIN, TIMEOUT);
        (first * (1 << tries.saturating_sub(1))).min(TIMEOUT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn two_seconds_until_the_peer_has_proven_itself() {
        let mut rtt = Rtt::default();
        assert_eq!(rtt.timeout(1), TIMEOUT);
        rtt.answered(50 * MS, 1, true);
        assert_eq!((rtt.timeout(1), rtt.timeout(9)), (TIMEOUT, TIMEOUT));
        // A request that was repeated proves nothing.
        rtt.answered(50 * MS, 2, false);
        assert_eq!(rtt.timeout(1), TIMEOUT);
        rtt.answered(90 * MS, 2, true);
        assert_eq!(rtt.timeout(1), 150 * MS);
        assert_eq!(
            [rtt.timeout(2), rtt.timeout(3), rtt.timeout(4)],
            [300 * MS, 600 * MS, TIMEOUT]
        );
        assert_eq!(rtt.timeout(u32::MAX), TIMEOUT);
    }

    #[test]
    fn it_follows_the_round_trip_within_bounds() {
        let mut rtt = Rtt::default();
        rtt.answered(MS, 1, true);
        rtt.answered(MS, 2, true);
        for _ in 0..100 {
            rtt.answered(MS, 1, true);
        }
        assert_eq!(rtt.timeout(1), TIMEOUT_MIN);
        for _ in 0..100 {
            rtt.answered(300 * MS, 1, true);
        }
        assert!(
            (290 * MS..350 * MS).contains(&rtt.timeout(1)),
            "{:?}",
            rtt.timeout(1)
        );
        rtt.answered(Duration::from_secs(3_600), 1, true);
        assert_eq!(rtt.timeout(1), TIMEOUT);
    }
}
