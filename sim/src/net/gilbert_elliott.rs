use proto_core::Instant;
use serde::{Deserialize, Serialize};

use super::{Fate, Node};
use crate::rng::Rng;
use crate::units;

/// The parameters of a [`GilbertElliott`], each of 1,000,000 datagrams.
///
/// A stay in the bad state takes 1,000,000 / `to_good` datagrams on average, and the share of datagrams that meet it is
/// `to_bad` / (`to_bad` + `to_good`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bursts {
    /// How often the good state turns bad.
    #[serde(with = "units::share")]
    pub to_bad: u32,
    /// How often the bad state turns good.
    #[serde(with = "units::share")]
    pub to_good: u32,
    /// Lost in the good state.
    #[serde(with = "units::share")]
    pub loss_good: u32,
    /// Lost in the bad state.
    #[serde(with = "units::share")]
    pub loss_bad: u32,
}

impl Bursts {
    /// What is lost of 1,000,000 datagrams in the long run, rounded down.
    #[must_use]
    pub fn mean_loss(&self) -> u32 {
        let [bad, good] = [self.to_bad, self.to_good].map(u64::from);
        let [loss_bad, loss_good] = [self.loss_bad, self.loss_good].map(u64::from);
        (bad * loss_bad + good * loss_good)
            .checked_div(bad + good)
            .map_or(self.loss_good, |mean| mean as u32)
    }
}

/// Loses datagrams in bursts: a chain of a good and a bad state, each with a loss of its own (Gilbert 1960, Elliott 1963).
/// It begins in the good state and may change state before each datagram.
#[derive(Debug)]
pub struct GilbertElliott {
    bursts: Bursts,
    bad: bool,
    rng: Rng,
}

impl GilbertElliott {
    /// A chain in the good state.
    #[must_use]
    pub fn new(bursts: Bursts, rng: Rng) -> Self {
        let bad = false;
        Self { bursts, bad, rng }
    }
}

impl Node for GilbertElliott {
    fn pass(&mut self, now: Instant, _payload: &mut Vec<u8>) -> Fate {
        let turn = if self.bad {
            self.bursts.to_good
        } else {
            self.bursts.to_bad
        };
        self.bad ^= self.rng.chance(turn);
        let loss = if self.bad {
            self.bursts.loss_bad
        } else {
            self.bursts.loss_good
        };
        if self.rng.chance(loss) {
            Fate::Lost
        } else {
            Fate::At(now)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::run;

    const COUNT: u32 = 400_000;

    /// The lengths of the runs of lost datagrams.
    fn losses(bursts: Bursts) -> Vec<u32> {
        let arrived = run([GilbertElliott::new(bursts, Rng::new(11, 0))], COUNT, 4, 1);
        let mut next = 0;
        let mut lengths = Vec::new();
        for number in arrived.iter().map(|a| a.number).chain([COUNT]) {
            if number > next {
                lengths.push(number - next);
            }
            next = number + 1;
        }
        lengths
    }

    #[test]
    fn all_lost_while_bad_gives_bursts_of_the_mean_length() {
        let bursts = Bursts {
            to_bad: 10_000,
            to_good: 250_000,
            loss_good: 0,
            loss_bad: 1_000_000,
        };
        assert_eq!(bursts.mean_loss(), 38_461);
        let lengths = losses(bursts);
        let lost: u32 = lengths.iter().sum();
        // 400,000 × 3.8461 %.
        assert!(lost.abs_diff(15_384) < 800, "{lost}");
        let mean = f64::from(lost) / lengths.len() as f64;
        assert!((3.8..4.2).contains(&mean), "{mean}");
        // Geometric: a burst of one datagram has the probability 1/4.
        let single = lengths.iter().filter(|&&n| n == 1).count() * 100 / lengths.len();
        assert!((22..=28).contains(&single), "{single}");
    }

    #[test]
    fn both_states_lose_their_share() {
        let bursts = Bursts {
            to_bad: 50_000,
            to_good: 50_000,
            loss_good: 20_000,
            loss_bad: 400_000,
        };
        assert_eq!(bursts.mean_loss(), 210_000);
        let lost: u32 = losses(bursts).iter().sum();
        assert!(lost.abs_diff(84_000) < 2_500, "{lost}");
    }

    #[test]
    fn a_chain_that_never_turns_bad_loses_as_the_good_state() {
        let bursts = Bursts {
            loss_good: 100_000,
            loss_bad: 1_000_000,
            ..Bursts::default()
        };
        assert_eq!(bursts.mean_loss(), 100_000);
        let lost: u32 = losses(bursts).iter().sum();
        assert!(lost.abs_diff(40_000) < 800, "{lost}");
    }
}
