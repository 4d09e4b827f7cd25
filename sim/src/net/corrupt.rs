use proto_core::Instant;

use super::{Fate, Node};
use crate::rng::Rng;

/// Bits that are flipped at most in one datagram.
const FLIPS_MAX: u64 = 4;

/// Flips bits of single datagrams, as a router with bad memory does: the UDP checksum is right afterwards.
#[derive(Debug)]
pub struct Corrupt {
    per_million: u32,
    rng: Rng,
}

impl Corrupt {
    /// Flips 1 to 4 different bits in `per_million` of 1,000,000 datagrams.
    #[must_use]
    pub fn new(per_million: u32, rng: Rng) -> Self {
        Self { per_million, rng }
    }

    fn flip(&mut self, payload: &mut [u8]) {
        let bits = payload.len() as u64 * 8;
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
        if self.rng.chance(self.per_million) && !payload.is_empty() {
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
}
