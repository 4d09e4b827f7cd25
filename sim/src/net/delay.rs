use proto_core::{Duration, Instant};

use super::{Datagram, Node};
use crate::rng::Rng;

/// Holds each datagram for a fixed time and a random one on top. The order stays: a datagram that would overtake
/// leaves together with the one before it.
#[derive(Debug)]
pub struct Delay {
    fixed: Duration,
    jitter: Duration,
    last: Instant,
    rng: Rng,
}

impl Delay {
    /// A delay of `fixed` plus 0 to `jitter`, evenly distributed.
    #[must_use]
    pub fn new(fixed: Duration, jitter: Duration, rng: Rng) -> Self {
        Self {
            fixed,
            jitter,
            last: Instant::ZERO,
            rng,
        }
    }
}

impl Node for Delay {
    fn pass(&mut self, now: Instant, datagram: Datagram, out: &mut Vec<(Instant, Datagram)>) {
        let jitter = if self.jitter.is_zero() {
            0
        } else {
            self.rng.between(0, self.jitter.as_nanos() as u64)
        };
        self.last = self
            .last
            .max(now + self.fixed + Duration::from_nanos(jitter));
        out.push((self.last, datagram));
    }
}
