use proto_core::{Duration, Instant};

use super::{Datagram, Node};
use crate::rng::Rng;

/// Holds single datagrams back, so that later ones overtake them.
#[derive(Debug)]
pub struct Reorder {
    per_million: u32,
    extra_max: Duration,
    rng: Rng,
}

impl Reorder {
    /// Holds `per_million` of 1,000,000 datagrams for 1 ns to `extra_max`, evenly distributed.
    #[must_use]
    pub fn new(per_million: u32, extra_max: Duration, rng: Rng) -> Self {
        Self {
            per_million,
            extra_max,
            rng,
        }
    }
}

impl Node for Reorder {
    fn pass(&mut self, now: Instant, datagram: Datagram, out: &mut Vec<(Instant, Datagram)>) {
        let extra = if self.rng.chance(self.per_million) {
            self.rng.between(1, self.extra_max.as_nanos() as u64)
        } else {
            0
        };
        out.push((now + Duration::from_nanos(extra), datagram));
    }
}
