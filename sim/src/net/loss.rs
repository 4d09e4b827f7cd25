use proto_core::Instant;

use super::{Datagram, Node};
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
    fn pass(&mut self, now: Instant, datagram: Datagram, out: &mut Vec<(Instant, Datagram)>) {
        if !self.rng.chance(self.per_million) {
            out.push((now, datagram));
        }
    }
}
