//! The JSON lines, the logs, the demonstration.

mod common;

use std::fs;

use common::{World, bytes, wait_until};
use serde_json::Value;

fn keys(event: &Value) -> Vec<&str> {
    event
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn shapes_of_a_client() {
    let world = World::new();
    let server = world.serve(&["--public"]);
    fs::write(world.shared("a"), bytes(100_000, 1)).unwrap();
    let ran = world.run(
        "anna",
        ["get", "--json", "--accept-new", &server.at("a"), "b"],
    );
    ran.expect_ok();
    let events = ran.events();
    assert!(events.iter().all(|event| event["v"] == 1));
    let connected = &ran.named("connected")[0];
    assert_eq!(
        (&connected["addr"], &connected["host_key"]),
        (
            &server.address.clone().into(),
            &server.host_key.clone().into()
        )
    );
    assert_eq!(ran.named("started")[0]["size"], 100_000);
    let file = &ran.named("file")[0];
    let names = [
        "v",
        "event",
        "size",
        "blake3",
        "outcome",
        "durability",
        "seconds",
        "resent_bytes",
        "path",
        "local",
    ];
    assert_eq!(keys(file), names);
    assert_eq!(file["blake3"], blake3::hash(&bytes(100_000, 1)).to_string());
    assert_eq!((&file["path"], &file["local"]), (&"a".into(), &"b".into()));
    let done = events.last().unwrap();
    let names = [
        "v",
        "event",
        "files",
        "failed",
        "bytes",
        "seconds",
        "rtt_ms",
        "loss",
        "resent_bytes",
        "moved_bytes",
        "verified_bytes",
        "limited_by",
    ];
    assert_eq!(keys(done), names);
    assert_eq!(
        (&done["files"], &done["failed"], &done["bytes"]),
        (&1.into(), &0.into(), &100_000.into())
    );
    let ran = world.run("anna", ["get", "--json", &server.at("x"), "b"]);
    let error = &ran.named("error")[0];
    assert_eq!(
        keys(error),
        ["v", "event", "code", "text", "hint", "exit", "path"]
    );
    assert_eq!(
        (&error["code"], &error["exit"]),
        (&"not-found".into(), &5.into())
    );
}

#[cfg(unix)]
#[test]
fn the_audit_of_a_server() {
    let world = World::new();
    let mut server = world.serve(&["--public=rw"]);
    fs::write(world.local("a b"), bytes(3_000_000, 2)).unwrap();
    world
        .run("anna", ["put", "--accept-new", "a b", &server.at("")])
        .expect_ok();
    world
        .run("anna", ["get", &server.at("a b"), "copy"])
        .expect_ok();
    world
        .run("anna", ["get", &server.at("missing"), "x"])
        .expect(5, "");
    let fingerprint = world.run("anna", ["key", "fingerprint"]).stdout;
    for way in ["upload", "download"] {
        let file = server.next_named("file");
        let names = [
            "v",
            "event",
            "session",
            "addr",
            "peer_key",
            "peer",
            "way",
            "path",
            "bytes",
            "resent_bytes",
            "seconds",
            "size",
            "blake3",
            "outcome",
        ];
        assert_eq!(keys(&file), names);
        assert_eq!(
            (&file["way"], &file["path"], &file["outcome"]),
            (&way.into(), &"a b".into(), &"written".into())
        );
        assert_eq!(
            file["blake3"],
            blake3::hash(&bytes(3_000_000, 2)).to_string()
        );
        assert!(fingerprint.starts_with(file["peer_key"].as_str().unwrap()));
    }
    let failed = server.next_named("file");
    assert_eq!(failed["code"], "not-found");
    let (status, _, log) = server.stop();
    assert!(status.success());
    for says in [
        "connected from",
        "asks: upload a b, 2.86 MiB",
        "agreed: upload a b",
        "done: upload a b",
        "done: download a b",
        "left: round trip",
    ] {
        assert!(log.contains(says), "'{says}' is not in\n{log}");
    }
}

#[test]
fn the_log_of_a_client() {
    let world = World::new();
    let server = world.serve(&["--public"]);
    // Large enough that progress is seen on its way.
    fs::write(world.shared("a"), bytes(96 << 20, 1)).unwrap();
    let ran = world.run("anna", ["get", "-v", "--accept-new", &server.at("a"), "."]);
    ran.expect_ok();
    for says in [
        "connecting to",
        "connected to",
        "asks: download a",
        "agreed: download a as ./a, 96.0 MiB",
        "50 %",
        "done: download a",
        "disconnected",
    ] {
        assert!(
            ran.stderr.contains(says),
            "'{says}' is not in\n{}",
            ran.stderr
        );
    }
    assert_eq!(ran.stdout, "");
    let ran = world.run("anna", ["get", "-q", "-f", &server.at("a"), "."]);
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (0, "", "")
    );
}

#[test]
fn a_log_file() {
    let world = World::new();
    let log = world.path("log");
    let server = world.serve(&["-q", "--public", "--log-file", log.to_str().unwrap()]);
    world
        .run("anna", ["ls", "--accept-new", &server.at("")])
        .expect_ok();
    wait_until("the log tells of the request", || {
        let text = fs::read_to_string(&log).unwrap();
        text.contains("listens on") && text.contains("asks: list /")
    });
}

#[test]
fn the_demonstration() {
    let world = World::new();
    let ran = world.run("anna", ["demo", "--loss", "1"]);
    ran.expect_ok();
    for says in [
        "server │",
        "anna   │",
        "ben    │",
        "asks: list /",
        "resent",
        "All 9 files arrived with the bytes they left with.",
    ] {
        assert!(
            ran.stdout.contains(says),
            "'{says}' is not in\n{}",
            ran.stdout
        );
    }
    assert!(!ran.stdout.contains("WRONG") && !ran.stdout.contains('\u{1b}'));
    // It leaves nothing: no key, no known host.
    assert!(!world.path("homes").exists());
}

#[test]
fn help_tells_what_there_is() {
    let world = World::new();
    let ran = world.run("anna", ["--help"]);
    ran.expect_ok();
    for says in [
        "serve",
        "ls",
        "stat",
        "get",
        "put",
        "key",
        "hosts",
        "demo",
        "Exit codes",
    ] {
        assert!(ran.stdout.contains(says), "{says}");
    }
    for command in ["serve", "ls", "stat", "get", "put", "key", "hosts", "demo"] {
        world.run("anna", [command, "--help"]).expect_ok();
    }
}
