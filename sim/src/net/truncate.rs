use proto_core::Instant;

use super::{Datagram, Node};
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
    fn pass(&mut self, now: Instant, mut datagram: Datagram, out: &mut Vec<(Instant, Datagram)>) {
        if self.rng.chance(self.per_million) {
            let len = self.rng.below(datagram.payload.len() as u64);
            datagram.payload.truncate(len as usize);
        }
        out.push((now, datagram));
    }
}
