use proto_core::{Duration, Instant};

use super::{Fate, Node};
use crate::rng::Rng;

/// Holds each datagram for a time of its own, evenly distributed from 0 to a maximum.
#[derive(Debug)]
pub struct Jitter {
    max: u64,
    /// When the last one leaves, if the order stays.
    last: Option<Instant>,
    rng: Rng,
}

impl Jitter {
    /// Keeps the order: a datagram that would overtake leaves together with the one before it, as where a shared medium
    /// is granted late. That lifts the mean above the middle when datagrams come close together.
    #[must_use]
    pub fn in_order(max: Duration, rng: Rng) -> Self {
        Self {
            max: max.as_nanos() as u64,
            last: Some(Instant::ZERO),
            rng,
        }
    }

    /// Datagrams overtake each other, as on ways of different length.
    #[must_use]
    pub fn reordering(max: Duration, rng: Rng) -> Self {
        Self {
            max: max.as_nanos() as u64,
            last: None,
            rng,
        }
    }
}

impl Node for Jitter {
    fn pass(&mut self, now: Instant, _payload: &mut Vec<u8>) -> Fate {
        let mut leaves = now + Duration::from_nanos(self.rng.between(0, self.max));
        if let Some(last) = &mut self.last {
            leaves = leaves.max(*last);
            *last = leaves;
        }
        Fate::At(leaves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::{Arrival, run};

    const MAX: Duration = Duration::from_millis(5);

    fn held(arrival: &Arrival, gap: u64) -> u64 {
        arrival.at - u64::from(arrival.number) * gap
    }

    #[test]
    fn in_order_stays_in_its_range() {
        let arrived = run(
            [Jitter::in_order(MAX, Rng::new(1, 0))],
            10_000,
            10,
            1_000_000,
        );
        let mut mean = 0;
        for (place, arrival) in arrived.iter().enumerate() {
            assert_eq!(arrival.number as usize, place);
            let held = held(arrival, 1_000_000);
            assert!(held <= 5_000_000, "{held}");
            mean += held / 10_000;
        }
        assert!((2_500_000..4_500_000).contains(&mean), "{mean}");
    }

    #[test]
    fn reordering_is_even_in_its_range() {
        let jitter = Jitter::reordering(MAX, Rng::new(2, 0));
        let arrived = run([jitter], 10_000, 10, 100_000);
        assert_eq!(arrived.len(), 10_000);
        let mean = arrived.iter().map(|a| held(a, 100_000)).sum::<u64>() / 10_000;
        assert!(mean.abs_diff(2_500_000) < 60_000, "{mean}");
        assert!(arrived.iter().all(|a| held(a, 100_000) <= 5_000_000));
        // Neighbours are 0.1 ms apart: about half of them change places.
        let swapped = (arrived.windows(2))
            .filter(|w| w[1].number < w[0].number)
            .count();
        assert!((4_000..6_000).contains(&swapped), "{swapped}");
    }
}
