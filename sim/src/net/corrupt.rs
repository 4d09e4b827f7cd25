use proto_core::Instant;

use super::{Datagram, Node};
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
    fn pass(&mut self, now: Instant, mut datagram: Datagram, out: &mut Vec<(Instant, Datagram)>) {
        if self.rng.chance(self.per_million) && !datagram.payload.is_empty() {
            self.flip(&mut datagram.payload);
        }
        out.push((now, datagram));
    }
}
