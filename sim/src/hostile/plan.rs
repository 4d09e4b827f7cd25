//! Which lies a hostile peer tells, how often, and when it falls silent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Lie;
use crate::rng::Rng;

/// Rates of lies that are drawn, of 1,000,000 packets.
const RATES: [u32; 4] = [5_000, 50_000, 500_000, 1_000_000];
/// A plan falls silent after at most so many packets.
const QUIET_AFTER_MAX: u64 = 2_000;

/// What a hostile peer does.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostilePlan {
    /// How many of 1,000,000 packets tell each lie. A lie that finds no place in a packet is not told. [`Lie::Params`] is
    /// drawn once a session.
    pub lies: BTreeMap<Lie, u32>,
    /// How many of 1,000,000 packets of the handshake may lie; 1-RTT packets always may.
    pub handshake: u32,
    /// 1-RTT packets of a session that are honest, before the first lie.
    pub honest: u64,
    /// When and how a session falls silent.
    pub quiet: Option<Quiet>,
}

/// A silence that begins after some packets and never ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// 1-RTT packets before it.
    pub after: u64,
    /// What is still to be heard.
    pub how: Silence,
}

/// What is heard of a peer that has fallen silent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Silence {
    /// Nothing: its packets do not open.
    Mute,
    /// PING and PADDING only: the session lives, and holds everything open.
    Hollow,
    /// All but ACK: what it asked for is sent, and sent again.
    Deaf,
}

impl HostilePlan {
    /// A plan with one lie, of `rate` in 1,000,000 packets, after the handshake.
    #[must_use]
    pub fn only(lie: Lie, rate: u32) -> Self {
        Self {
            lies: BTreeMap::from([(lie, rate)]),
            ..Self::default()
        }
    }

    /// A plan that only falls silent.
    #[must_use]
    pub fn quiet(after: u64, how: Silence) -> Self {
        Self {
            quiet: Some(Quiet { after, how }),
            ..Self::default()
        }
    }

    /// Draws a plan: one lie to all of them, each rarely to always.
    pub fn draw(rng: &mut Rng) -> Self {
        let among = Lie::ALL.len() as u64;
        // Few lies more often than many: where many are told, the first that is found out ends the session.
        let wanted = rng.log_uniform(among).max(1);
        let mut lies = BTreeMap::new();
        for lie in Lie::ALL {
            if rng.below(among) < wanted {
                lies.insert(lie, *rng.pick(&RATES));
            }
        }
        let quiet = rng.one_in(4).then(|| Quiet {
            after: rng.log_uniform(QUIET_AFTER_MAX),
            how: *rng.pick(&[Silence::Mute, Silence::Hollow, Silence::Deaf]),
        });
        Self {
            lies,
            handshake: if rng.one_in(8) { *rng.pick(&RATES) } else { 0 },
            honest: rng.log_uniform(64),
            quiet,
        }
    }
}
