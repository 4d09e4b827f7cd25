use proto_core::Instant;

use super::{Datagram, Node};
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
    fn pass(&mut self, now: Instant, datagram: Datagram, out: &mut Vec<(Instant, Datagram)>) {
        if self.rng.chance(self.per_million) {
            out.push((now, datagram.clone()));
        }
        out.push((now, datagram));
    }
}
