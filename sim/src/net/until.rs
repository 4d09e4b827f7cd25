use proto_core::Instant;

use super::{Fate, Node, QueueStats};

/// A node that heals: from a moment on, everything passes it untouched. What it held before leaves when it was to.
#[derive(Debug)]
pub struct Until<N> {
    node: N,
    healed: Instant,
}

impl<N: Node> Until<N> {
    /// `node` until `healed`, which is not included.
    #[must_use]
    pub fn new(node: N, healed: Instant) -> Self {
        Self { node, healed }
    }
}

impl<N: Node> Node for Until<N> {
    fn pass(&mut self, now: Instant, payload: &mut Vec<u8>) -> Fate {
        if now < self.healed {
            self.node.pass(now, payload)
        } else {
            Fate::At(now)
        }
    }

    fn queue(&self, now: Instant) -> QueueStats {
        self.node.queue(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::run;
    use crate::net::{Corrupt, Loss};
    use crate::rng::Rng;

    #[test]
    fn passes_everything_from_its_moment_on() {
        let loss = Loss::new(1_000_000, Rng::new(0, 0));
        let arrived = run([Until::new(loss, Instant::from_nanos(500))], 100, 4, 10);
        let numbers: Vec<_> = arrived.iter().map(|a| a.number).collect();
        assert_eq!(numbers, (50..100).collect::<Vec<_>>());
    }

    #[test]
    fn changes_nothing_afterwards() {
        let corrupt = Corrupt::new(1_000_000, Rng::new(0, 0));
        let arrived = run([Until::new(corrupt, Instant::from_nanos(500))], 100, 50, 10);
        for (place, arrival) in arrived.iter().enumerate() {
            let mut sent = vec![0; 50];
            sent[..4].copy_from_slice(&(place as u32).to_le_bytes());
            assert_eq!(sent == arrival.payload, place >= 50);
        }
    }
}
