use proto_core::Instant;

use super::{Fate, Node};
use crate::rng::Rng;

/// Sends single datagrams twice. The nodes behind it treat the two on their own.
#[derive(Debug)]
pub struct Duplicate {
    per_million: u32,
    rng: Rng,
}

impl Duplicate {
    /// Doubles `per_million` of 1,000,000 datagrams.
    #[must_use]
    pub fn new(per_million: u32, rng: Rng) -> Self {
        Self { per_million, rng }
    }
}

impl Node for Duplicate {
    fn pass(&mut self, now: Instant, _payload: &mut Vec<u8>) -> Fate {
        if self.rng.chance(self.per_million) {
            Fate::Twice(now, now)
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
    fn copies_come_with_the_same_bytes() {
        let arrived = run([Duplicate::new(50_000, Rng::new(6, 0))], 20_000, 8, 10);
        assert!(arrived.len().abs_diff(21_000) < 130, "{}", arrived.len());
        let doubled = arrived.windows(2).filter(|w| w[0] == w[1]).count();
        assert_eq!(doubled, arrived.len() - 20_000);
    }

    #[test]
    fn two_in_a_row_make_four() {
        let twice = || Duplicate::new(1_000_000, Rng::new(0, 0));
        assert_eq!(run([twice(), twice()], 10, 8, 10).len(), 40);
    }
}
