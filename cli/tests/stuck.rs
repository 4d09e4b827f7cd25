//! A server whose outputs nobody reads goes on serving, and still ends when it is told to.

#![cfg(unix)]

mod common;

use std::fs;
use std::time::{Duration, Instant};

use common::{Ran, World, wait_until};
use rustix::process::Signal;

/// Sessions that ask for a path of a kibibyte: two lines of the log each, 160 KiB in all. A pipe holds 64.
const SESSIONS: usize = 80;
/// Uploads with names of 200 bytes: an audit line of more than half a kibibyte each.
const FILES: usize = 200;

#[test]
fn outputs_that_nobody_reads_hold_nothing_up() {
    let world = World::new();
    // Both outputs are pipes; after the first line nobody reads them.
    let mut server = world.serve(&["--public=rw", "--timeout", "5s"]);
    let host_key = server.host_key.clone();
    let user = |command: &str| {
        let mut user = world.command("anna");
        user.args([command, "-q", "--timeout", "5s", "--host-key", &host_key]);
        user
    };
    let long = vec!["x".repeat(250); 4].join("/");
    let paths = (0..SESSIONS).map(|number| server.at(&format!("{long}{number}")));
    let ran = Ran::from(user("stat").args(paths).output().unwrap());
    // Not there; a server that does not answer would be 3 or 75.
    ran.expect(5, "no such file");
    let mut put = user("put");
    put.args(["--durability", "none"]);
    for number in 0..FILES {
        let name = format!("{number:0>200}");
        fs::write(world.local(&name), name.as_bytes()).unwrap();
        put.arg(name);
    }
    let ran = Ran::from(put.arg(server.at("")).output().unwrap());
    ran.expect_ok();
    assert_eq!(world.names("shared"), world.names("local"));
    server.signal(Signal::TERM);
    let begun = Instant::now();
    let status = server.wait();
    assert!(status.success(), "{status}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_interrupted_demonstration_leaves_nothing() {
    let world = World::new();
    let scratch = world.path("scratch");
    fs::create_dir(&scratch).unwrap();
    let entries = || fs::read_dir(&scratch).unwrap().count();
    let mut demo = world
        .command("anna")
        .args(["demo", "--loss", "10"])
        .env("TMPDIR", &scratch)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the demonstration has begun", || entries() == 1);
    common::signal(&demo, Signal::INT);
    let status = demo.wait().unwrap();
    assert_eq!(status.code(), Some(75), "{status}");
    assert_eq!(entries(), 0);
}

#[test]
fn interrupted_looks_end_with_75() {
    let world = World::new();
    // A socket that never answers.
    let deaf = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let operand = format!("dhow://{}/", deaf.local_addr().unwrap());
    for command in ["ls", "stat"] {
        let child = world
            .command("anna")
            .args([command, "--accept-new", &operand])
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Its first datagram shows that it has begun.
        deaf.set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        deaf.recv_from(&mut [0; 2048]).unwrap();
        common::signal(&child, Signal::INT);
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(ran.code, 75, "{ran:?}");
        // What it sent before its end is not the next one's.
        deaf.set_nonblocking(true).unwrap();
        while deaf.recv_from(&mut [0; 2048]).is_ok() {}
        deaf.set_nonblocking(false).unwrap();
    }
}
