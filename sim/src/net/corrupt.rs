use proto_core::Instant;

use super::chance::Chance;
use super::{Fate, Node};
use crate::rng::Rng;

/// Bits that are flipped at most in one datagram.
const FLIPS_MAX: u64 = 4;

/// Flips bits of single datagrams, as a router with bad memory does: the UDP checksum is right afterwards.
#[derive(Debug)]
pub struct Corrupt {
    chance: Chance,
    /// Bytes from a datagram's first that may change.
    within: usize,
    rng: Rng,
}

impl Corrupt {
    /// Flips 1 to 4 different bits in `per_million` of 1,000,000 datagrams.
    #[must_use]
    pub fn new(per_million: u32, rng: Rng) -> Self {
        Self {
            chance: Chance::new(per_million),
            within: usize::MAX,
            rng,
        }
    }

    /// Changes at most `run_max` in a row: the next one passes as it is.
    #[must_use]
    pub fn with_run_max(self, run_max: u32) -> Self {
        let chance = self.chance.with_run_max(run_max);
        Self { chance, ..self }
    }

    /// Changes only the first `bytes` of each, where the headers are.
    #[must_use]
    pub fn with_within(self, bytes: u32) -> Self {
        let within = bytes as usize;
        Self { within, ..self }
    }

    fn flip(&mut self, payload: &mut [u8]) {
        let bits = payload.len().min(self.within) as u64 * 8;
        let mut flipped = [u64::MAX; FLIPS_MAX as usize];
        for at in 0..self.rng.between(1, FLIPS_MAX.min(bits)) as usize {
            let bit = self.rng.below(bits);
            if !flipped.contains(&bit) {
                flipped[at] = bit;
                payload[(bit / 8) as usize] ^= 1 << (bit % 8);
            }
        }
    }
}

impl Node for Corrupt {
    fn pass(&mut self, now: Instant, payload: &mut Vec<u8>) -> Fate {
        if self.chance.hits(&mut self.rng) && !payload.is_empty() {
            self.flip(payload);
        }
        Fate::At(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::run;

    #[test]
    fn flips_one_to_four_bits() {
        let arrived = run([Corrupt::new(200_000, Rng::new(7, 0))], 10_000, 100, 10);
        let mut counts = [0_u32; 6];
        for (place, arrival) in arrived.iter().enumerate() {
            let mut sent = [0; 100];
            sent[..4].copy_from_slice(&(place as u32).to_le_bytes());
            let flips: u32 = sent
                .iter()
                .zip(&arrival.payload)
                .map(|(a, b)| (a ^ b).count_ones())
                .sum();
            counts[flips as usize] += 1;
        }
        assert!(counts[0].abs_diff(8_000) < 160, "{counts:?}");
        let even = counts[1..5].iter().all(|n| n.abs_diff(500) < 100);
        assert!(even, "{counts:?}");
        assert_eq!(counts[5], 0);
    }

    #[test]
    fn spares_one_after_a_run_and_what_lies_behind() {
        let corrupt = Corrupt::new(1_000_000, Rng::new(7, 0));
        let corrupt = corrupt.with_run_max(2).with_within(6);
        let arrived = run([corrupt], 300, 100, 10);
        for (place, arrival) in arrived.iter().enumerate() {
            let changed = arrival.payload[..4] != (place as u32).to_le_bytes()
                || arrival.payload[4..6] != [0; 2];
            assert_eq!(changed, place % 3 != 2, "{place}");
            assert_eq!(arrival.payload[6..], [0; 94]);
        }
    }
}
