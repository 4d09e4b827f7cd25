//! Hostile clients.

use std::collections::BTreeMap;

use sim::disk::Content;
use sim::hostile::{Hostile, HostilePlan, Lie, Silence};
use sim::rng::Rng;
use tests::scenario::{get, hash, open, path, run, seeded, stored_root};
use tests::{Pair, ROOT};

use crate::worlds::{add, client_lies, stranger_lies};

/// Lies that only a server has occasion for.
const SERVERS: [Lie; 4] = [
    Lie::PageMoved,
    Lie::PageIslands,
    Lie::PageLast,
    Lie::PageNames,
];

#[test]
fn each_lie_alone() {
    for lie in Lie::ALL {
        let mut sum = BTreeMap::new();
        for (seed, rate) in [20_000, 300_000, 1_000_000].into_iter().enumerate() {
            add(
                &mut sum,
                &client_lies(&HostilePlan::only(lie, rate), seed as u64),
            );
        }
        assert!(
            sum.contains_key(&lie) || SERVERS.contains(&lie),
            "{lie:?} was never told"
        );
    }
}

#[test]
fn silences() {
    for how in [Silence::Mute, Silence::Hollow, Silence::Deaf] {
        for after in [0, 1, 3, 10, 50, 200, 1_000] {
            client_lies(&HostilePlan::quiet(after, how), after);
        }
    }
}

#[test]
fn all_lies_together() {
    let mut sum = BTreeMap::new();
    for seed in 0..200 {
        let plan = HostilePlan::draw(&mut Rng::new(seed, 1));
        add(&mut sum, &client_lies(&plan, seed));
    }
    for lie in Lie::ALL {
        assert!(
            sum.contains_key(&lie) || SERVERS.contains(&lie),
            "{lie:?} was never told"
        );
    }
}

#[test]
fn h10_a_stranger_gets_nothing_by_lies() {
    for seed in 0..200 {
        let plan = HostilePlan::draw(&mut Rng::new(seed, 2));
        stranger_lies(&plan, seed);
    }
}

/// Lies are sealed with whatever keys there are; these ones do no harm.
#[test]
fn lies_travel_over_tls() {
    let content = Content::generated(5, 300_000);
    let plan = HostilePlan {
        lies: [
            Lie::AckDelay,
            Lie::PingFlood,
            Lie::Duplicate,
            Lie::CreditLess,
        ]
        .map(|lie| (lie, 300_000))
        .into(),
        ..HostilePlan::default()
    };
    let provider = Hostile::new(seeded(1), plan, 3);
    let mut pair = Pair::new(provider.clone(), seeded(2));
    pair.server.disk.plant(ROOT, &path("f"), content.clone(), 7);
    open(&mut pair);
    assert_eq!(stored_root(&run(&mut pair, get("f"))), Some(hash(&content)));
    assert!(provider.told().rewritten > 10);
}
