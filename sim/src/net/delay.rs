use proto_core::{Duration, Instant};

use super::{Fate, Node};

/// Holds every datagram for the same time: the length of the way.
#[derive(Debug)]
pub struct Delay(Duration);

impl Delay {
    /// A delay.
    #[must_use]
    pub fn new(delay: Duration) -> Self {
        Self(delay)
    }
}

impl Node for Delay {
    fn pass(&mut self, now: Instant, _payload: &mut Vec<u8>) -> Fate {
        Fate::At(now + self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::run;

    #[test]
    fn is_exact() {
        for arrival in run([Delay::new(Duration::from_millis(40))], 100, 10, 12_345) {
            assert_eq!(arrival.at, u64::from(arrival.number) * 12_345 + 40_000_000);
        }
    }
}
