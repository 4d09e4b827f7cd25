//! Damage done on purpose, for tests and demonstrations.

use std::time::Duration;

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
