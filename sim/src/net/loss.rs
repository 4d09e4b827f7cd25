use proto_core::Instant;

use super::chance::Chance;
use super::{Fate, Node};
use crate::rng::Rng;

/// Loses datagrams independently of each other.
#[derive(Debug)]
pub struct Loss {
    chance: Chance,
    rng: Rng,
}

impl Loss {
    /// Loses `per_million` of 1,000,000 datagrams.
    #[must_use]
    pub fn new(per_million: u32, rng: Rng) -> Self {
        let chance = Chance::new(per_million);
        Self { chance, rng }
    }

    /// Loses at most `run_max` in a row: the next one passes.
    #[must_use]
    pub fn with_run_max(self, run_max: u32) -> Self {
        let chance = self.chance.with_run_max(run_max);
        Self { chance, ..self }
    }
}

impl Node for Loss {
    fn pass(&mut self, now: Instant, _payload: &mut Vec<u8>) -> Fate {
        if self.chance.hits(&mut self.rng) {
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
    fn spares_one_after_a_run() {
        let loss = Loss::new(1_000_000, Rng::new(0, 0)).with_run_max(3);
        let numbers: Vec<_> = run([loss], 10, 4, 1).iter().map(|of| of.number).collect();
        assert_eq!(numbers, [3, 7]);
    }

    #[test]
    fn may_be_certain_or_impossible() {
        let none = Loss::new(0, Rng::new(0, 0));
        assert_eq!(run([none], 1_000, 4, 1).len(), 1_000);
        let all = Loss::new(1_000_000, Rng::new(0, 0));
        assert_eq!(run([all], 1_000, 4, 1).len(), 0);
    }
}
