//! Hostile servers.

use std::collections::BTreeMap;

use sim::hostile::{HostilePlan, Lie, Silence};
use sim::rng::Rng;

use crate::worlds::{add, server_lies};

#[test]
fn each_lie_alone() {
    for lie in Lie::ALL {
        let mut sum = BTreeMap::new();
        for (seed, rate) in [20_000, 300_000, 1_000_000].into_iter().enumerate() {
            add(
                &mut sum,
                &server_lies(&HostilePlan::only(lie, rate), seed as u64),
            );
        }
        assert!(sum.contains_key(&lie), "{lie:?} was never told");
    }
}

#[test]
fn silences() {
    for how in [Silence::Mute, Silence::Hollow, Silence::Deaf] {
        for after in [0, 1, 3, 10, 50, 200, 1_000] {
            server_lies(&HostilePlan::quiet(after, how), after);
        }
    }
}

#[test]
fn all_lies_together() {
    let mut sum = BTreeMap::new();
    for seed in 0..200 {
        let plan = HostilePlan::draw(&mut Rng::new(seed, 3));
        add(&mut sum, &server_lies(&plan, seed));
    }
    for lie in Lie::ALL {
        assert!(sum.contains_key(&lie), "{lie:?} was never told");
    }
}
