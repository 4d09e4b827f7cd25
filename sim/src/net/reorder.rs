use proto_core::{Duration, Instant};

use super::{Fate, Node};
use crate::rng::Rng;

/// Holds single datagrams back, so that later ones overtake them.
#[derive(Debug)]
pub struct Reorder {
    per_million: u32,
    extra_max: u64,
    rng: Rng,
}

impl Reorder {
    /// Holds `per_million` of 1,000,000 datagrams for 1 ns to `extra_max`, evenly distributed.
    #[must_use]
    pub fn new(per_million: u32, extra_max: Duration, rng: Rng) -> Self {
        Self {
            per_million,
            extra_max: extra_max.as_nanos() as u64,
            rng,
        }
    }
}

impl Node for Reorder {
    fn pass(&mut self, now: Instant, _payload: &mut Vec<u8>) -> Fate {
        if self.rng.chance(self.per_million) {
            let extra = self.rng.between(1, self.extra_max);
            Fate::At(now + Duration::from_nanos(extra))
        } else {
            Fate::At(now)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::run;

    #[test]
    fn lets_later_datagrams_overtake() {
        let reorder = Reorder::new(100_000, Duration::from_millis(1), Rng::new(5, 0));
        let arrived = run([reorder], 10_000, 4, 10_000);
        assert_eq!(arrived.len(), 10_000);
        let held: Vec<u64> = arrived
            .iter()
            .map(|a| a.at - u64::from(a.number) * 10_000)
            .filter(|&held| held > 0)
            .collect();
        assert!(held.len().abs_diff(1_000) < 120, "{}", held.len());
        assert!(held.iter().all(|&h| h <= 1_000_000));
        assert!(held.iter().any(|&h| h > 900_000));
        assert!(arrived.windows(2).any(|w| w[1].number < w[0].number));
    }
}
