use std::sync::{Arc, Mutex};

use quickcheck::{QuickCheck, TestResult};

use super::*;
use crate::explore::explore;
use crate::scenario::{LinkPlan, PlantedKind};

fn run(scenario: &Scenario) -> Result<Report, Violation> {
    World::new(scenario)?.run()
}

/// The seeds of `seeds.txt`.
fn kept() -> Vec<u64> {
    let lines = include_str!("../../seeds.txt").lines();
    let seeds = lines.filter(|line| !line.starts_with('#'));
    seeds
        .map(|line| {
            let (seed, why) = line.split_once(' ').expect("a seed and a reason");
            assert!(!why.is_empty());
            seed.parse().expect("a number")
        })
        .collect()
}

#[test]
fn kept_seeds_stay_good() {
    for seed in kept() {
        let report = run_seed(seed, false, Trace::default());
        assert!(report.is_ok(), "seed {seed}: {report:?}");
    }
}

#[test]
fn a_few_hundred_seeds() {
    let summary = explore(10_000_000, 400, false, 1, |_| {});
    assert_eq!(summary.failed, []);
    assert_eq!(summary.seeds, 400);
    assert!(summary.total.met > 1_000, "{:?}", summary.total);
    assert!(summary.total.bytes > 50 << 20, "{:?}", summary.total);
}

#[test]
fn a_few_seeds_with_real_cryptography() {
    let summary = explore(20_000_000, 20, true, 1, |_| {});
    assert_eq!(summary.failed, []);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..40 {
        let tls = seed % 10 == 0;
        let lines = Arc::new(Mutex::new(0_u64));
        let counter = lines.clone();
        let trace = Trace::new(move |_| *counter.lock().expect("one thread") += 1);
        let first = run_seed(seed, tls, trace).expect("a good seed");
        // Looking on changes nothing.
        let second = run_seed(seed, tls, Trace::default()).expect("a good seed");
        assert_eq!(first, second, "seed {seed}");
        assert!(*lines.lock().expect("one thread") > 10);
        let other = run_seed(seed + 1, tls, Trace::default()).expect("a good seed");
        assert_ne!(first.digest, other.digest);
    }
}

/// Any bytes lost, doubled, changed, cut and held back in any degree: every run ends, and well.
#[test]
fn any_link_is_survived() {
    fn property(seed: u64, faults: [u8; 5]) -> TestResult {
        let mut scenario = Scenario::draw(seed % 1_000_000, false);
        let [loss, reorder, duplicate, corrupt, truncate] = faults.map(u32::from);
        for client in &mut scenario.clients {
            for link in [&mut client.up, &mut client.down] {
                *link = LinkPlan {
                    loss: loss * 1_000,
                    reorder: reorder * 3_000,
                    duplicate: duplicate * 3_000,
                    corrupt: corrupt * 300,
                    truncate: truncate * 100,
                    ..link.clone()
                };
            }
        }
        match run(&scenario) {
            Ok(_) => TestResult::passed(),
            Err(violation) => TestResult::error(format!("seed {seed} {faults:?}: {violation}")),
        }
    }
    let check = property as fn(u64, [u8; 5]) -> TestResult;
    QuickCheck::new().tests(60).quickcheck(check);
}

/// A scenario with one download of a generated file.
fn download() -> Scenario {
    (0..)
        .map(|seed| Scenario::draw(seed, false))
        .find(|scenario| {
            let [client] = &scenario.clients[..] else {
                return false;
            };
            let [plan] = &client.goals[..] else {
                return false;
            };
            let get = matches!(plan.goal, crate::scenario::Goal::Get { .. });
            let faults = scenario.server.disk.has_faults() || client.host.disk.has_faults();
            let wanted = plan.expect == crate::scenario::Expect::Success;
            get && wanted && plan.cancel_after.is_none() && !faults
        })
        .expect("there are endless seeds")
}

#[test]
fn a_network_that_loses_everything_is_a_violation() {
    let mut scenario = download();
    scenario.clients[0].up.loss = 1_000_000;
    let violation = run(&scenario).expect_err("nobody can connect");
    assert!(violation.what.contains("sessions were lost"), "{violation}");
}

#[test]
fn a_wrong_expectation_is_a_violation() {
    let mut scenario = download();
    scenario.clients[0].goals[0].expect = crate::scenario::Expect::Failure(&[]);
    let violation = run(&scenario).expect_err("it succeeds");
    assert!(violation.what.contains("must not succeed"), "{violation}");
}

#[test]
fn wrong_bytes_are_a_violation() {
    let scenario = download();
    let mut world = World::new(&scenario).expect("a world");
    // The server's file is another than the scenario says.
    for planted in &scenario.clients[0].remote {
        if let PlantedKind::File(content, mtime) = &planted.what {
            let other = crate::disk::Content::generated(77, content.len() + 1);
            let disk = &mut world.hosts[SERVER_HOST].disk;
            assert!(disk.plant(server::root_of(0), &planted.path, other, *mtime));
        }
    }
    let violation = world.run().expect_err("other bytes");
    assert!(violation.what.contains("other bytes"), "{violation}");
}

#[test]
fn a_large_file_costs_no_memory() {
    let mut scenario = download();
    let size = 40 << 20;
    let client = &mut scenario.clients[0];
    for planted in &mut client.remote {
        if let PlantedKind::File(content, _) = &mut planted.what {
            *content = crate::disk::Content::generated(5, size);
        }
    }
    (client.up, client.down) = (LinkPlan::default(), LinkPlan::default());
    client.up.delay = proto_core::Duration::from_millis(5);
    client.down.delay = proto_core::Duration::from_millis(5);
    let report = run(&scenario).expect("a good run");
    assert_eq!(report.bytes, size);
}
