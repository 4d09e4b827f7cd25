//! A server that goes and comes back: the command goes on by itself.

#![cfg(unix)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::{Ran, Server, World, bytes};
use serde_json::Value;

/// Slow enough to be interrupted.
const SLOW: [&str; 2] = ["--cc", "fixed:10M"];

/// A command under way; its JSON lines so far.
struct Running {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    events: Vec<Value>,
}

impl Running {
    fn start(world: &World, timeout: &str, args: &[&str]) -> Self {
        let mut child = world
            .command("anna")
            .args(["--accept-new", "--json", "--timeout", timeout])
            .args(SLOW)
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            out,
            events: Vec::new(),
        }
    }

    /// Waits for an event.
    fn until(&mut self, name: &str) {
        while self
            .events
            .last()
            .is_none_or(|event| event["event"] != name)
        {
            let mut line = String::new();
            assert!(
                self.out.read_line(&mut line).unwrap() > 0,
                "ended before {name}: {:?}",
                self.events
            );
            self.events.push(serde_json::from_str(&line).unwrap());
        }
    }

    fn finish(mut self) -> (Ran, Vec<Value>) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        self.events.extend(
            rest.lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()),
        );
        (
            Ran::from(self.child.wait_with_output().unwrap()),
            self.events,
        )
    }
}

fn restart(world: &World, server: &Server) -> Server {
    world.serve_as(
        "server",
        &server.address,
        &["--public=rw", SLOW[0], SLOW[1]],
    )
}

/// Nothing in `progress` goes down but round trip and loss.
fn assert_monotone(events: &[Value]) {
    let mut before = [0_u64; 4];
    for event in events.iter().filter(|event| event["event"] == "progress") {
        let now = ["files", "files_total", "bytes", "bytes_total"]
            .map(|key| event[key].as_u64().unwrap());
        assert!(
            now.iter().zip(before).all(|(now, before)| *now >= before),
            "{before:?} {event}"
        );
        before = now;
    }
}

fn names(events: &[Value], name: &str) -> usize {
    events.iter().filter(|event| event["event"] == name).count()
}

#[test]
fn a_killed_server_that_comes_back_gets_the_rest() {
    let world = World::new();
    let mut server = world.serve(&["--public=rw", SLOW[0], SLOW[1]]);
    fs::create_dir(world.local("tree")).unwrap();
    for n in 0..24_u8 {
        fs::write(world.local(format!("tree/{n}")), bytes(1 << 20, n)).unwrap();
    }
    fs::set_permissions(world.local("tree"), fs::Permissions::from_mode(0o750)).unwrap();
    let mut running = Running::start(&world, "20s", &["put", "tree", &server.at("")]);
    running.until("file");
    server.kill();
    let server = restart(&world, &server);
    let (ran, events) = running.finish();
    ran.expect(0, "trying again in");
    // The session that ended the job found the directory there.
    let mode = world
        .shared("tree")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o750);
    assert!(
        names(&events, "reconnecting") >= 1 && names(&events, "connected") >= 2,
        "{events:?}"
    );
    assert_eq!(
        names(&events, "file"),
        24,
        "each file is told of once: {events:?}"
    );
    assert_monotone(&events);
    let directory = events
        .iter()
        .find(|event| event["event"] == "directory")
        .unwrap();
    assert_eq!(
        (
            &directory["files"],
            &directory["unchanged"],
            &directory["bytes"]
        ),
        (&24.into(), &0.into(), &(24 << 20).into())
    );
    for n in 0..24_u8 {
        assert_eq!(
            fs::read(world.shared(format!("tree/{n}"))).unwrap(),
            bytes(1 << 20, n)
        );
    }
    // And down: one file, the server stopping in good order.
    fs::write(world.shared("big"), bytes(30 << 20, 9)).unwrap();
    let mut running = Running::start(&world, "20s", &["get", &server.at("big"), "."]);
    running.until("progress");
    let address = Server::stop_and_address(server);
    let _server = world.serve_as("server", &address, &["--public=rw", SLOW[0], SLOW[1]]);
    let (ran, events) = running.finish();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_monotone(&events);
    assert!(fs::read(world.local("big")).unwrap() == bytes(30 << 20, 9));
}

#[test]
fn a_server_that_stays_away_is_given_up() {
    let world = World::new();
    let mut server = world.serve(&["--public", SLOW[0], SLOW[1]]);
    fs::write(world.shared("big"), bytes(40 << 20, 9)).unwrap();
    let mut running = Running::start(&world, "3s", &["get", &server.at("big"), "."]);
    running.until("progress");
    server.kill();
    let begun = Instant::now();
    let (ran, events) = running.finish();
    ran.expect(75, "to go on, run the same command again: ");
    assert!(
        ran.stderr.contains(&format!("get {} .", server.at("big"))),
        "{ran:?}"
    );
    assert!(names(&events, "reconnecting") >= 2, "{events:?}");
    // 3 s of silence, 3 s of trying, and the last try's end.
    assert!(
        begun.elapsed() < Duration::from_secs(12),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn another_server_in_its_place_gets_nothing() {
    let world = World::new();
    let mut server = world.serve(&["--public=rw", SLOW[0], SLOW[1]]);
    fs::write(world.local("big"), bytes(40 << 20, 9)).unwrap();
    let mut running = Running::start(&world, "5s", &["put", "big", &server.at("")]);
    running.until("progress");
    server.kill();
    let _other = world.serve_as("other", &server.address, &["--public=rw"]);
    let (ran, _) = running.finish();
    ran.expect(4, "key");
    assert!(!world.shared("big").exists());
}

#[test]
fn ctrl_c_ends_the_waiting() {
    let world = World::new();
    let mut server = world.serve(&["--public", SLOW[0], SLOW[1]]);
    fs::write(world.shared("big"), bytes(40 << 20, 9)).unwrap();
    let mut running = Running::start(&world, "5s", &["get", &server.at("big"), "."]);
    running.until("progress");
    server.kill();
    running.until("reconnecting");
    common::signal(&running.child, rustix::process::Signal::INT);
    let begun = Instant::now();
    let (ran, _) = running.finish();
    ran.expect(75, "interrupted");
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
}
