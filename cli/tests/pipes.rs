//! A large file to stdout: in order, as it comes, whatever becomes of the session.

#![cfg(unix)]

mod common;

use std::fs;
use std::io::Read;
use std::process::{Child, ChildStdout, Stdio};

use common::{Ran, Server, World, bytes};

const SLOW: [&str; 2] = ["--cc", "fixed:10M"];
const SIZE: usize = 30 << 20;

fn start(world: &World, server: &Server) -> (Child, ChildStdout) {
    let mut child = world
        .command("anna")
        .args(["get", "--accept-new", "--timeout", "10s"])
        .args([server.at("f").as_str(), "-"])
        .env("TMPDIR", world.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    (child, out)
}

/// Reads so many bytes, and makes sure that the command is not done by then.
fn read_some(child: &mut Child, out: &mut ChildStdout, count: usize) -> Vec<u8> {
    let mut begin = vec![0; count];
    out.read_exact(&mut begin).unwrap();
    assert!(child.try_wait().unwrap().is_none(), "all at once");
    begin
}

#[test]
fn bytes_come_as_they_arrive_also_in_a_later_session() {
    let world = World::new();
    let content = bytes(SIZE, 1);
    fs::write(world.shared("f"), &content).unwrap();
    let mut server = world.serve(&["--public", SLOW[0], SLOW[1]]);
    let (mut child, mut out) = start(&world, &server);
    let mut all = read_some(&mut child, &mut out, 3 << 20);
    server.kill();
    let server = world.serve_as("server", &server.address, &["--public", SLOW[0], SLOW[1]]);
    all.extend(read_some(&mut child, &mut out, 7 << 20));
    out.read_to_end(&mut all).unwrap();
    Ran::from(child.wait_with_output().unwrap()).expect(0, "trying again");
    assert!(all == content);
    drop(server);
}

#[test]
fn a_source_that_changes_is_told_of() {
    let world = World::new();
    fs::write(world.shared("f"), bytes(SIZE, 1)).unwrap();
    let mut server = world.serve(&["--public", SLOW[0], SLOW[1]]);
    let (mut child, mut out) = start(&world, &server);
    read_some(&mut child, &mut out, 3 << 20);
    server.kill();
    fs::write(world.shared("f"), bytes(SIZE, 2)).unwrap();
    let _server = world.serve_as("server", &server.address, &["--public"]);
    out.read_to_end(&mut Vec::new()).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    ran.expect(1, "the file changed while it was sent");
}

#[test]
fn a_reader_that_has_enough_ends_the_download() {
    let world = World::new();
    fs::write(world.shared("f"), bytes(SIZE, 1)).unwrap();
    let server = world.serve(&["--public", SLOW[0], SLOW[1]]);
    let (mut child, mut out) = start(&world, &server);
    read_some(&mut child, &mut out, 1 << 20);
    drop(out);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.stderr.contains("interrupted"), "{ran:?}");
    let (_, events, log) = server.stop();
    let file = events.iter().find(|event| event["event"] == "file");
    let bytes = file.unwrap_or_else(|| panic!("{log}"))["bytes"].as_u64();
    assert!(bytes.unwrap() < SIZE as u64 / 2, "{bytes:?}");
    let names: Vec<_> = fs::read_dir(world.path("")).unwrap().collect();
    assert_eq!(names.len(), 3, "shared, local and homes: {names:?}");
}
