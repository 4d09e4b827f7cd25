//! Every scenario of `scenarios/` comes to what it demands, and those of quic-interop-runner do so with other seeds too.

use std::path::PathBuf;

use proto_core::wire::{Durability, FilePath};
use proto_core::{Duration, Overwrite};
use sim::lab::Trace;
use sim::scenario::{ClientPlan, Copy, Demands, Goal, Planted, Scenario};
use sim::world::{GoalOutcome, Outcome, observe};

/// Seeds that each interop scenario runs with.
const SEEDS: u64 = 4;

fn names() -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = std::fs::read_dir(folder).expect("the scenarios");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("a name of ASCII"))
        .collect();
    names.sort();
    names
}

fn read(name: &str) -> Scenario {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let text = std::fs::read_to_string(folder.join(name)).expect("a scenario");
    Scenario::from_toml(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn run(name: &str, scenario: &Scenario) -> Outcome {
    let seed = scenario.seed;
    let outcome = observe(scenario, Trace::default());
    outcome.unwrap_or_else(|violation| panic!("{name} with seed {seed}: {violation}"))
}

#[test]
fn every_scenario_comes_to_what_it_demands() {
    let names = names();
    assert!(names.len() >= 20, "{names:?}");
    for name in names {
        let mut scenario = read(&name);
        assert_ne!(scenario.demands, Demands::default(), "{name}");
        run(&name, &scenario);
        if name.starts_with("interop-") {
            // The seed decides what is lost or changed, if the link does that.
            let chance = scenario.clients[0].link.up.loss + scenario.clients[0].link.up.corrupt;
            let seeds = if chance > 0 { SEEDS } else { 0 };
            for seed in 2..2 + seeds {
                scenario.seed = seed;
                run(&name, &scenario);
            }
        }
    }
}

fn only_goal(outcome: &Outcome) -> &GoalOutcome {
    &outcome.users[0].goals[0]
}

#[test]
fn a_long_round_trip_costs_the_handshake_no_more_than_it_must() {
    let outcome = run("long-rtt", &read("interop-long-rtt.toml"));
    let ready = outcome.users[0].ready.expect("connected");
    let rtt = Duration::from_millis(1_500);
    assert!(ready >= rtt && ready < 2 * rtt, "{ready:?}");
}

#[test]
fn the_black_hole_costs_little_more_than_its_time() {
    let with = run("blackhole", &read("interop-blackhole.toml"));
    let mut scenario = read("interop-blackhole.toml");
    scenario.clients[0].link.up.outages.clear();
    scenario.clients[0].link.down.outages.clear();
    let without = run("blackhole", &scenario);
    let time = |of| only_goal(of).time().expect("an end");
    let more = time(&with) - time(&without);
    let (least, most) = (Duration::from_secs(2), Duration::from_secs(4));
    assert!(more > least && more < most, "{more:?}");
}

#[test]
fn two_flows_share_a_link() {
    let outcome = run("cross-traffic", &read("interop-cross-traffic.toml"));
    let goodputs: Vec<u64> = (outcome.users.iter())
        .filter_map(|user| user.goals[0].goodput())
        .collect();
    // The larger one has the link to itself in the end.
    assert!(goodputs[0] + goodputs[1] > 9_000_000, "{goodputs:?}");
}

#[test]
fn thousands_of_files_over_one_connection() {
    let path = |text: String| FilePath::parse(text.as_bytes()).expect("a path");
    let template = read("interop-handshake.toml");
    let files = 0..1_999;
    let get = |number| {
        Goal::Get(Copy {
            local: path(format!("{number}")),
            remote: path(format!("{number}")),
            overwrite: Overwrite::Replace,
            durability: Durability::Full,
            preserve: false,
            tree: false,
        })
    };
    let client = ClientPlan {
        link: template.clients[0].link.clone(),
        remote: (files.clone())
            .map(|number| Planted::file(path(format!("{number}")), number, 32, 0))
            .collect(),
        goals: files.map(|number| get(number).into()).collect(),
        ..ClientPlan::default()
    };
    let scenario = Scenario {
        demands: Demands {
            met: Some(1_999),
            sessions: Some(1),
            within: Some(Duration::from_secs(60)),
            goodput: None,
        },
        clients: vec![client],
        ..template
    };
    run("multiplexing", &scenario);
}

#[test]
fn what_is_demanded_and_not_met_is_a_violation() {
    let refused = |change: fn(&mut Demands)| {
        let mut scenario = read("interop-transfer-loss.toml");
        change(&mut scenario.demands);
        let violation = observe(&scenario, Trace::default()).expect_err("a violation");
        violation.what
    };
    let met = refused(|demands| demands.met = Some(2));
    assert!(met.contains("1 goals were met"), "{met}");
    let sessions = refused(|demands| demands.sessions = Some(0));
    assert!(sessions.contains("1 sessions"), "{sessions}");
    let within = refused(|demands| demands.within = Some(Duration::from_millis(100)));
    assert!(within.contains("after 100ms"), "{within}");
    let goodput = refused(|demands| demands.goodput = Some(10_000_000));
    assert!(goodput.contains("are demanded"), "{goodput}");
}

/// RFC 9000 §10.3: a server that was started again says so at once; without its secret, nobody knows before the time-out.
#[test]
fn a_server_with_a_secret_is_back_at_once() {
    let mut scenario = read("server-restart.toml");
    let last = |outcome: &Outcome| {
        let users = outcome.users.iter();
        let goals = users.flat_map(|user| user.goals.iter().filter_map(|goal| goal.ended));
        goals.max().expect("all goals have ended")
    };
    let with = last(&run("server-restart", &scenario));
    scenario.server.host_secret = false;
    scenario.demands = Demands::default();
    let without = last(&run("server-restart", &scenario));
    println!("{with:?} with the secret, {without:?} without");
    assert!(
        without - with > Duration::from_secs(45),
        "{with:?} {without:?}"
    );
}

/// RFC 8899 §4.3: a path whose MTU shrinks costs what it takes to notice, and no more.
#[test]
fn a_path_that_shrinks_costs_less_than_a_second() {
    let mut scenario = read("shrinking-mtu.toml");
    let times = |scenario: &Scenario| {
        let outcome = run("shrinking-mtu", scenario);
        let goals = outcome.users.iter().map(|user| user.goals[0].time());
        goals.collect::<Option<Vec<_>>>().expect("both have ended")
    };
    let with = times(&scenario);
    for client in &mut scenario.clients {
        for plan in [&mut client.link.up, &mut client.link.down] {
            plan.mtu.as_mut().expect("a size").changes.clear();
        }
    }
    let without = times(&scenario);
    for (way, (with, without)) in ["down", "up"].iter().zip(with.into_iter().zip(without)) {
        println!("{way}: {with:?}, and {without:?} where the path stays");
        assert!(
            with > without && with - without < Duration::from_secs(1),
            "{way}: {with:?} {without:?}"
        );
    }
}
