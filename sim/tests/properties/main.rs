//! What holds of whole transfers, whatever the file, the link and the disks.
//!
//! Each run is judged by the simulator's world as well: bytes, hashes, durability, what both ends say, what is left on the
//! disks. The cases are the same each time; `DHOW_SEED` draws others.

mod case;

use std::collections::BTreeSet;

use case::{Case, Run, directory, file, get, path, put, run};
use proto_core::{Duration, Overwrite};
use quickcheck::{Gen, QuickCheck, TestResult, Testable};
use sim::scenario::{Goal, GoalPlan, Scenario};

/// What a property says of a case: nothing, or what is wrong.
type Checked = Result<(), String>;

/// Checks a property over `tests` cases.
fn check(tests: u64, property: impl Testable) {
    let seed = std::env::var("DHOW_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    let cases = Gen::from_size_and_seed(60, seed);
    QuickCheck::new()
        .rng(cases)
        .tests(tests)
        .quickcheck(property);
}

fn verdict(checked: Checked) -> TestResult {
    checked.map_or_else(TestResult::error, |()| TestResult::passed())
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(what()) }
}

/// Runs a scenario whose goals must all be met.
fn run_met(scenario: &Scenario) -> Result<Run, String> {
    let run = run(scenario)?;
    let goals = scenario.clients.iter().map(|client| client.goals.len());
    let met = run.report.met == goals.sum::<usize>() as u64;
    ensure(met, || format!("not every goal was met: {run:?}"))?;
    Ok(run)
}

/// What is put can be got, and is what was put: the world compares the bytes.
#[test]
fn what_is_put_can_be_got() {
    fn property(case: Case) -> TestResult {
        let back = GoalPlan {
            in_turn: true,
            ..get(path("there"), path("back"), Overwrite::Never).into()
        };
        let there = put(path("here"), path("there"), Overwrite::Replace);
        let local = vec![file("here", case.content())];
        let scenario = case.scenario(local, Vec::new(), vec![there.into(), back]);
        verdict(run_met(&scenario).map(|_| ()))
    }
    check(80, property as fn(Case) -> TestResult);
}

/// The same bytes arrive, whatever the network does to datagrams, in whatever order the disks work; and the worse the
/// network is, the longer it may take, but no other bytes come of it.
#[test]
fn no_fault_of_the_network_shows_in_the_file() {
    fn property(case: Case) -> TestResult {
        let milder = Case {
            loss: case.loss / 3,
            ..case.clone()
        };
        let checked = [case.clean(), milder, case].iter().try_for_each(|case| {
            let run = run_met(&case.transfer(None, case.goal(Overwrite::Never)))?;
            ensure(run.report.bytes >= case.size, || {
                format!("{} bytes of {}", run.report.bytes, case.size)
            })
        });
        verdict(checked)
    }
    check(60, property as fn(Case) -> TestResult);
}

/// Over a clean link each byte travels once, and what travels beside the bytes is little: a twelfth of them and 24 kB.
#[test]
fn a_clean_link_carries_each_byte_once() {
    fn property(case: Case) -> TestResult {
        let case = case.clean();
        let scenario = case.transfer(None, case.goal(Overwrite::Never));
        verdict(run_met(&scenario).and_then(|Run { report, .. }| {
            let once = (report.bytes, report.resent, report.sessions_lost) == (case.size, 0, 0);
            ensure(once, || format!("more than once: {report:?}"))?;
            let most = case.size + case.size / 12 + 24_000;
            let fits = (case.size..=most).contains(&report.wire_bytes);
            ensure(fits, || format!("{} bytes on the wire", report.wire_bytes))
        }))
    }
    check(120, property as fn(Case) -> TestResult);
}

/// A second download that compares moves no bytes of the file.
#[test]
fn what_is_there_already_is_not_moved_again() {
    fn property(case: Case) -> TestResult {
        let case = Case {
            rate: if case.rate > 0 {
                case.rate.max(2_000)
            } else {
                0
            },
            ..case.clean()
        };
        let first = GoalPlan::from(get(path("there"), path("here"), Overwrite::Compare));
        let second = GoalPlan {
            in_turn: true,
            ..first.clone()
        };
        let remote = vec![file("there", case.content())];
        let scenario = case.scenario(Vec::new(), remote, vec![first, second]);
        verdict(run_met(&scenario).and_then(|Run { report, .. }| {
            ensure(report.bytes == case.size, || {
                format!("{} bytes were moved", report.bytes)
            })
        }))
    }
    check(60, property as fn(Case) -> TestResult);
}

/// Whenever a transfer is cancelled, its target holds what was there before or the whole new file; the world looks for
/// what is left behind.
#[test]
fn cancelling_leaves_old_or_new() {
    fn property(case: Case, moment: u32, exists: bool) -> TestResult {
        // From 0 to 4 s, early moments as likely as late ones.
        let micros = u64::from(moment) >> (moment % 32) >> 10;
        let goal = GoalPlan {
            cancel_after: Some(Duration::from_micros(micros)),
            ..case.goal(Overwrite::Replace)
        };
        let before = exists.then(|| case.other_content());
        verdict(run(&case.transfer(before, goal)).and_then(|run| {
            let ends = run.report.met + run.report.failed;
            ensure(ends == 1, || format!("{ends} ends: {run:?}"))
        }))
    }
    check(100, property as fn(Case, u32, bool) -> TestResult);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    fn property(case: Case) -> TestResult {
        let scenario = case.transfer(Some(case.other_content()), case.goal(Overwrite::Replace));
        let reports = [run(&scenario), run(&scenario)].map(|run| run.map(|run| run.report));
        verdict(match reports {
            [Ok(first), Ok(second)] => {
                ensure(first == second, || format!("{first:?} and {second:?}"))
            }
            [first, second] => first.and(second).map(|_| ()),
        })
    }
    check(40, property as fn(Case) -> TestResult);
}

/// The simulator is no faster than physics, and the protocol not much slower: from the session on, a transfer takes at least
/// a round trip and the time of its bytes on the wire, and at most that of slow start and the overhead of packets more.
#[test]
fn transfers_take_the_time_of_their_link() {
    fn property(case: Case) -> TestResult {
        let case = Case {
            rate: case.rate.max(1),
            disk: 0,
            blocks: 0,
            ..case.clean()
        };
        let scenario = case.transfer(None, case.goal(Overwrite::Never));
        let rate = case.bits_per_second().expect("at least 1");
        let wire = Duration::from_nanos(case.size * 8 * 1_000_000_000 / rate);
        verdict(run_met(&scenario).and_then(|run| {
            ensure(run.ready >= case.rtt(), || {
                format!("ready in {:?}", run.ready)
            })?;
            let took = run.finished - run.ready;
            ensure(took >= wire + case.rtt(), || {
                format!("{took:?} is too fast")
            })?;
            // Slow start doubles from 12,000 bytes on each round trip.
            let doublings = (case.size / 12_000 + 1).ilog2();
            // Once eight full datagrams are sent, the path's MTU is probed with these three sizes (P3.18).
            let searches = case.size > 8 * 1_100;
            let probes = u64::from(searches) * (1_452 + 1_472 + 8_972);
            let probes = Duration::from_nanos(probes * 8 * 1_000_000_000 / rate);
            let most =
                wire * 5 / 4 + probes + case.rtt() * (doublings + 4) + Duration::from_millis(60);
            ensure(took <= most, || format!("{took:?} of at most {most:?}"))
        }))
    }
    check(120, property as fn(Case) -> TestResult);
}

/// A listing names each entry once with its size, and nothing else.
#[test]
fn a_listing_is_what_is_there() {
    fn property(case: Case, names: Vec<(u16, u8)>) -> TestResult {
        let mut remote = vec![directory("shared")];
        let names: BTreeSet<String> = (names.into_iter())
            .map(|(number, len)| format!("{number}{}", "n".repeat(usize::from(len % 240))))
            .collect();
        for (number, name) in names.iter().enumerate() {
            let at = format!("shared/{name}");
            remote.push(match number % 5 {
                4 => directory(&at),
                _ => file(&at, (case.seed, number as u64 * 1_000)),
            });
        }
        let goal = Goal::List(path("shared"));
        let scenario = case.scenario(Vec::new(), remote, vec![goal.into()]);
        verdict(run_met(&scenario).map(|_| ()))
    }
    check(60, property as fn(Case, Vec<(u16, u8)>) -> TestResult);
}
