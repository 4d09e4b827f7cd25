use proto_core::Instant;

use super::{Fate, Node};
use crate::rng::Rng;

/// Cuts the end off single datagrams.
#[derive(Debug)]
pub struct Truncate {
    per_million: u32,
    rng: Rng,
}

impl Truncate {
    /// Cuts `per_million` of 1,000,000 datagrams to a length from 0 to one byte less than they had.
    #[must_use]
    pub fn new(per_million: u32, rng: Rng) -> Self {
        Self { per_million, rng }
    }
}

impl Node for Truncate {
    fn pass(&mut self, now: Instant, payload: &mut Vec<u8>) -> Fate {
        if self.rng.chance(self.per_million) {
            let len = self.rng.below(payload.len() as u64);
            payload.truncate(len as usize);
        }
        Fate::At(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::run;

    #[test]
    fn shortens_its_share_to_any_length() {
        let arrived = run([Truncate::new(100_000, Rng::new(8, 0))], 10_000, 100, 10);
        let lengths = arrived.iter().map(|a| a.payload.len());
        let short: Vec<_> = lengths.filter(|&len| len < 100).collect();
        assert!(short.len().abs_diff(1_000) < 120, "{}", short.len());
        assert!(short.contains(&0) && short.contains(&99));
    }
}
