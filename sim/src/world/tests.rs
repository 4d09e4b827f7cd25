use std::sync::{Arc, Mutex};

use quickcheck::{QuickCheck, TestResult};

use super::*;
use crate::explore::{Plan, explore};
use crate::lab::Crash;
use crate::link::{Link, LinkPlan};
use crate::scenario::{ClientPlan, Copy, Goal, Incident, Misfortune, Planted, Who};
use proto_core::Overwrite;
use proto_core::wire::Durability;

fn run(scenario: &Scenario) -> Result<Report, Violation> {
    run_scenario(scenario, Trace::default())
}

fn few(start: u64, count: u64, tls: bool) -> crate::explore::Summary {
    let plan = Plan {
        start,
        count,
        tls,
        failures_max: 1,
    };
    explore(plan, |_| {}, |_| {})
}

/// Scenarios that once broke an invariant, each with its reason in the first line.
#[test]
fn kept_scenarios_stay_good() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/kept");
    let files = std::fs::read_dir(folder).expect("the folder");
    let mut count = 0;
    for file in files {
        let path = file.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(
            text.starts_with("# ") && !text.starts_with("# \n"),
            "{path:?}"
        );
        let scenario = Scenario::from_toml(&text).expect("a scenario");
        let report = run(&scenario);
        assert!(report.is_ok(), "{path:?}: {report:?}");
        count += 1;
    }
    assert!(count >= 5, "{count}");
}

#[test]
fn a_few_hundred_seeds() {
    let summary = few(10_000_000, 400, false);
    assert_eq!(summary.failed, []);
    assert_eq!(summary.seeds, 400);
    let total = summary.total;
    assert!(total.met > 1_000 && total.crashes > 10, "{total:?}");
    assert!(total.bytes > 50 << 20, "{total:?}");
}

#[test]
fn a_few_seeds_with_real_cryptography() {
    assert_eq!(few(20_000_000, 20, true).failed, []);
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
            for link in [&mut client.link.up, &mut client.link.down] {
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

fn path(text: &str) -> FilePath {
    FilePath::parse(text.as_bytes()).expect("a path")
}

/// A scenario with one download of `size` bytes over 10 ms.
fn download(size: u64) -> Scenario {
    let copy = Copy {
        local: path("here"),
        remote: path("there"),
        overwrite: Overwrite::Replace,
        durability: Durability::Full,
        preserve: false,
        tree: false,
    };
    let client = ClientPlan {
        link: Link::symmetric(LinkPlan::with_delay(Duration::from_millis(5))),
        remote: vec![Planted::file(path("there"), 7, size, 0)],
        goals: vec![Goal::Get(copy).into()],
        ..ClientPlan::default()
    };
    Scenario {
        clients: vec![client],
        ..Scenario::default()
    }
}

#[test]
fn a_network_that_loses_everything_is_a_violation() {
    let mut scenario = download(1_000);
    scenario.clients[0].link.up.loss = 1_000_000;
    let violation = run(&scenario).expect_err("nobody can connect");
    assert!(violation.what.contains("does not end"), "{violation}");
}

#[test]
fn a_wrong_end_is_a_violation() {
    let mut scenario = download(1_000);
    // The world is told that the file is not there.
    let mut world = World::new(&scenario).expect("a world");
    scenario.clients[0].remote.clear();
    world.users[0].goals[0].expect = scenario.clients[0].expect(0, |_, _| false);
    let violation = world.run().expect_err("it succeeds");
    assert!(violation.what.contains("must not succeed"), "{violation}");
}

#[test]
fn wrong_bytes_are_a_violation() {
    let mut world = World::new(&download(1_000)).expect("a world");
    // The server's file is another than the scenario says.
    let other = crate::disk::Content::generated(77, 1_001);
    let disk = world.lab.disk(SERVER);
    assert!(disk.plant(server::root_of(0), &path("there"), other, 0));
    let violation = world.run().expect_err("other bytes");
    assert!(violation.what.contains("other bytes"), "{violation}");
}

#[test]
fn what_is_lost_after_it_was_stored_for_good_is_a_violation() {
    let mut scenario = download(1_000);
    // A second goal, later, keeps the user there.
    let mut later = scenario.clients[0].goals[0].clone();
    later.starts = Duration::from_secs(20);
    scenario.clients[0].goals.push(later);
    scenario.incidents.push(Incident {
        at: Duration::from_secs(10),
        who: Who(1),
        what: Misfortune::Crash {
            how: Crash::Power,
            down: Duration::from_secs(1),
        },
    });
    run(&scenario).expect("a disk that keeps what it was told to");
    scenario.clients[0].host.disk.ignore_sync = true;
    scenario.clients[0].host.disk.ignore_sync_dir = true;
    // What a power loss leaves of writes that were not synced is chance: it may be all.
    let violation = (1..=16)
        .find_map(|seed| {
            scenario.seed = seed;
            run(&scenario).err()
        })
        .expect("a disk that lies");
    assert!(violation.what.contains("stored for good"), "{violation}");
}

#[test]
fn a_large_file_costs_no_memory() {
    let size = 40 << 20;
    let report = run(&download(size)).expect("a good run");
    assert_eq!(report.bytes, size);
}

#[test]
fn a_thousand_users_at_once() {
    let mut scenario = download(1_000);
    scenario.clients[0].count = 1_000;
    let report = run(&scenario).expect("a good run");
    assert_eq!((report.met, report.connections), (1_000, 1_000));
}

#[test]
fn a_server_that_crashes_is_found_again() {
    let mut scenario = download(3 << 20);
    scenario.incidents.push(Incident {
        at: Duration::from_millis(60),
        who: Who::SERVER,
        what: Misfortune::Crash {
            how: Crash::Process,
            down: Duration::from_secs(2),
        },
    });
    let report = run(&scenario).expect("a good run");
    assert_eq!(
        (report.met, report.crashes, report.sessions_lost),
        (1, 1, 1)
    );
}
