use crate::rng::Rng;

/// Draws which datagrams a fault hits: each with the same share, but at most so many in a row.
#[derive(Debug)]
pub(super) struct Chance {
    per_million: u32,
    run_max: u32,
    run: u32,
}

impl Chance {
    /// `per_million` of 1,000,000, however many in a row.
    pub(super) fn new(per_million: u32) -> Self {
        Self {
            per_million,
            run_max: u32::MAX,
            run: 0,
        }
    }

    /// After `run_max` in a row the next one is spared.
    pub(super) fn with_run_max(self, run_max: u32) -> Self {
        Self { run_max, ..self }
    }

    /// Whether the next datagram is hit.
    pub(super) fn hits(&mut self, rng: &mut Rng) -> bool {
        let hit = self.run < self.run_max && rng.chance(self.per_million);
        self.run = if hit { self.run.saturating_add(1) } else { 0 };
        hit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_cut() {
        let mut chance = Chance::new(900_000).with_run_max(3);
        let rng = &mut Rng::new(1, 1);
        let hits: Vec<bool> = (0..10_000).map(|_| chance.hits(rng)).collect();
        let runs = hits.split(|hit| !hit).map(<[bool]>::len);
        assert_eq!(runs.max(), Some(3));
        // A cycle is a run of 0 to 3 hits and one spared: 2.439 hits of 3.439.
        let count = hits.iter().filter(|hit| **hit).count();
        assert!(count.abs_diff(7_092) < 150, "{count}");
    }

    #[test]
    fn runs_are_as_long_as_they_come() {
        let mut chance = Chance::new(1_000_000);
        let rng = &mut Rng::new(1, 1);
        assert!((0..10_000).all(|_| chance.hits(rng)));
    }
}
