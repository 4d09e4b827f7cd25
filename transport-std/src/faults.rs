//! Damage done on purpose, for tests and demonstrations.

use std::collections::BTreeMap;
use std::time::Duration;

use proto_core::{Instant, Transmit};

use crate::driver::Socket;

/// What happens to outgoing datagrams, drawn from a seed. Rates are probabilities from 0 to 1.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Faults {
    /// Where the draws begin: the same seed and the same datagrams meet the same fate.
    pub seed: u64,
    /// Share of datagrams that are lost.
    pub loss: f64,
    /// Share of datagrams that are held back by [`delay`](Self::delay), so that later ones overtake them.
    pub reorder: f64,
    /// Share of datagrams that are sent twice.
    pub duplicate: f64,
    /// How long held-back datagrams wait.
    pub delay: Duration,
}

impl Faults {
    /// Loses the share `loss` of datagrams and does nothing else.
    #[must_use]
    pub fn loss(seed: u64, loss: f64) -> Self {
        Self {
            seed,
            loss,
            reorder: 0.0,
            duplicate: 0.0,
            delay: Duration::from_millis(5),
        }
    }
}

/// Applies [`Faults`] between an endpoint and its socket. A full socket buffer loses datagrams, too, here.
#[derive(Debug)]
pub(crate) struct Damage {
    faults: Faults,
    random: u64,
    /// Datagrams held back, by their time and a serial number.
    held: BTreeMap<(Instant, u64), (Transmit, Vec<u8>)>,
    serial: u64,
}

impl Damage {
    pub(crate) fn new(faults: Faults) -> Self {
        Self {
            faults,
            random: faults.seed,
            held: BTreeMap::new(),
            serial: 0,
        }
    }

    /// Draws a number from 0 to 1 (the generator is SplitMix64).
    fn draw(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        (bits >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Sends the datagrams of a batch, except those that are lost or held back.
    pub(crate) fn send(&mut self, now: Instant, socket: &Socket, batch: &Transmit, bytes: &[u8]) {
        for datagram in bytes.chunks(batch.segment_size.max(1)) {
            // Always three draws, so that one rate does not change what another one hits.
            let [loss, reorder, duplicate] = [self.draw(), self.draw(), self.draw()];
            if loss < self.faults.loss {
                continue;
            }
            let single = Transmit {
                len: datagram.len(),
                segment_size: datagram.len(),
                ..*batch
            };
            for _ in 0..if duplicate < self.faults.duplicate {
                2
            } else {
                1
            } {
                if reorder < self.faults.reorder {
                    self.serial += 1;
                    let when = (now + self.faults.delay, self.serial);
                    self.held.insert(when, (single, datagram.to_vec()));
                } else {
                    socket.send(&single, datagram);
                }
            }
        }
    }

    /// Sends what was held back long enough.
    pub(crate) fn release(&mut self, now: Instant, socket: &Socket) {
        while let Some(first) = self.held.first_entry()
            && first.key().0 <= now
        {
            let (single, datagram) = first.remove();
            socket.send(&single, &datagram);
        }
    }

    /// When [`release`](Self::release) has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.held.keys().next().map(|(when, _)| *when)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends 1,000 numbered datagrams and returns those that arrive, in their order.
    fn through(faults: Faults) -> Vec<u16> {
        let bind = || Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (from, mut to) = (bind(), bind());
        let destination = to.local_addr().unwrap();
        let mut damage = Damage::new(faults);
        let mut arrived = Vec::new();
        let mut take = || {
            let mut each = |_, train: &mut [u8], size| {
                let numbers = train.chunks(size);
                arrived.extend(numbers.map(|of| u16::from_be_bytes([of[0], of[1]])));
            };
            while to.receive(&mut each).unwrap() {}
        };
        for number in 0..500_u64 {
            let now = Instant::from_nanos(number * 1_000_000);
            damage.release(now, &from);
            let bytes = [
                (2 * number as u16).to_be_bytes(),
                (2 * number as u16 + 1).to_be_bytes(),
            ]
            .concat();
            let batch = Transmit {
                destination,
                source: None,
                len: 4,
                segment_size: 2,
                may_fragment: false,
                ecn: proto_core::Ecn::NotEct,
            };
            damage.send(now, &from, &batch, &bytes);
            take();
        }
        damage.release(Instant::from_nanos(u64::MAX), &from);
        take();
        assert_eq!(damage.deadline(), None);
        arrived
    }

    #[test]
    fn the_seed_decides_what_happens() {
        let faults = Faults {
            reorder: 0.1,
            duplicate: 0.1,
            ..Faults::loss(7, 0.1)
        };
        let arrived = through(faults);
        assert_eq!(through(faults), arrived);
        assert_ne!(through(Faults { seed: 8, ..faults }), arrived);
        let mut unique = arrived.clone();
        unique.sort_unstable();
        unique.dedup();
        assert!(
            (850..950).contains(&unique.len()),
            "{} of 1,000 arrived",
            unique.len()
        );
        assert!(
            (70..130).contains(&(arrived.len() - unique.len())),
            "duplicates"
        );
        assert!(!arrived.is_sorted());
    }

    #[test]
    fn without_rates_nothing_happens() {
        assert_eq!(
            through(Faults::loss(1, 0.0)),
            (0..1_000).collect::<Vec<_>>()
        );
        assert!(through(Faults::loss(1, 1.0)).is_empty());
    }
}
