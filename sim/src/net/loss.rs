use proto_core::Instant;

use super::{Fate, Node};
use crate::rng::Rng;

/// Loses datagrams independently of each other.
#[derive(Debug)]
pub struct Loss {
    per_million: u32,
    rng: Rng,
}

impl Loss {
    /// Loses `per_million` of 1,000,000 datagrams.
    #[must_use]
    pub fn new(per_million: u32, rng: Rng) -> Self {
        Self { per_million, rng }
    }
}

impl Node for Loss {
    fn pass(&mut self, now: Instant, _payload: &mut Vec<u8>) -> Fate {
        if self.rng.chance(self.per_million) {
            Fate::Lost
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
    fn takes_its_share_independently() {
        let arrived = run([Loss::new(300_000, Rng::new(2, 0))], 100_000, 4, 1);
        // 4 standard deviations are 580.
        assert!(arrived.len().abs_diff(70_000) < 580, "{}", arrived.len());
        // After a lost one, the next is lost as often as any.
        let pairs = (arrived.windows(2))
            .filter(|w| w[1].number == w[0].number + 1)
            .count();
        assert!(pairs.abs_diff(49_000) < 800, "{pairs}");
    }

    #[test]
    fn may_be_certain_or_impossible() {
        let none = Loss::new(0, Rng::new(0, 0));
        assert_eq!(run([none], 1_000, 4, 1).len(), 1_000);
        let all = Loss::new(1_000_000, Rng::new(0, 0));
        assert_eq!(run([all], 1_000, 4, 1).len(), 0);
    }
}
