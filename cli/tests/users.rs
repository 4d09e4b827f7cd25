//! `dhow serve` reads its users anew at SIGHUP.
#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Ran, Server, World, bytes, wait_until};
use rustix::process::Signal;

fn write(path: &Path, lines: &[&str]) {
    fs::write(path, lines.join("\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// SIGHUP, and the event that it brings.
fn reload(server: &mut Server, brings: &str) -> serde_json::Value {
    server.signal(Signal::HUP);
    server.next_named(brings)
}

#[test]
fn users_come_and_go() {
    let world = World::new();
    let (anna, ben) = (world.key_line("anna"), world.key_line("ben"));
    let keys = world.path("keys");
    write(&keys, &[&anna]);
    fs::write(world.shared("f"), "x").unwrap();
    let mut server = world.serve(&["--authorized-keys", keys.to_str().unwrap()]);
    let ls = |name| world.run(name, ["--accept-new", "ls", &server.at("")]).code;
    assert_eq!([ls("anna"), ls("ben")], [0, 4]);

    write(&keys, &[&anna, &ben]);
    let told = reload(&mut server, "users");
    assert_eq!((&told["users"], &told["added"]), (&2.into(), &1.into()));
    let ls = |name| world.run(name, ["--accept-new", "ls", &server.at("")]).code;
    assert_eq!([ls("anna"), ls("ben")], [0, 0]);

    // A file that cannot be used changes nothing: empty, writable by others, gone.
    write(&keys, &[]);
    assert_eq!(reload(&mut server, "error")["code"], "usage");
    write(&keys, &[&anna]);
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o622)).unwrap();
    assert_eq!(reload(&mut server, "error")["code"], "permissions");
    fs::remove_file(&keys).unwrap();
    assert_eq!(reload(&mut server, "error")["code"], "not-found");
    let ls = |name| world.run(name, ["--accept-new", "ls", &server.at("")]).code;
    assert_eq!([ls("anna"), ls("ben")], [0, 0]);

    write(&keys, &[&format!("read-only {anna}")]);
    assert_eq!(reload(&mut server, "users")["removed"], 1);
    let put = |name| {
        let file = world.local("g");
        fs::write(&file, "y").unwrap();
        let args = ["--accept-new", "put", "g", &server.at("g")];
        world.run(name, args).code
    };
    assert_eq!([put("anna"), put("ben")], [6, 4]);
    let (status, _, log) = server.stop();
    assert!(status.success());
    for line in [
        "is read anew: 2 users, 1 new",
        "is not taken over, the users are as before: nobody could come in",
        "is read anew: 1 users, 1 changed, 1 gone",
    ] {
        assert!(log.contains(line), "{line} is not in {log}");
    }
}

/// A download that would take a minute at its limit ends soon after the limit is lifted.
#[test]
fn limits_change_in_mid_transfer() {
    let world = World::new();
    let anna = world.key_line("anna");
    let keys = world.path("keys");
    write(&keys, &[&format!("limit=200K {anna}")]);
    fs::write(world.shared("f"), bytes(12_000_000, 1)).unwrap();
    let mut server = world.serve(&["--authorized-keys", keys.to_str().unwrap()]);
    let begun = Instant::now();
    let mut client = world.command("anna");
    let args = ["--accept-new", "get", &server.at("f"), "f"];
    let client = client.args(args).stderr(Stdio::piped()).spawn().unwrap();
    server.next_named("connected");
    std::thread::sleep(Duration::from_secs(1));
    write(&keys, &[&anna]);
    assert_eq!(reload(&mut server, "users")["changed"], 1);
    let ended = client.wait_with_output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(1), "the limit held: {took:?}");
    assert!(took < Duration::from_secs(30), "{took:?}");
}

/// Who is not listed any more is thrown out of a running transfer, and not let in again.
#[test]
fn open_sessions_are_looked_at() {
    let world = World::new();
    let (anna, ben) = (world.key_line("anna"), world.key_line("ben"));
    let keys = world.path("keys");
    write(&keys, &[&format!("limit=200K {anna}"), &ben]);
    fs::write(world.shared("f"), bytes(12_000_000, 1)).unwrap();
    let mut server = world.serve(&["--authorized-keys", keys.to_str().unwrap()]);
    let mut client = world.command("anna");
    let args = ["--accept-new", "get", &server.at("f"), "f"];
    let client = client.args(args).stderr(Stdio::piped()).spawn().unwrap();
    server.next_named("connected");

    wait_until("the download has begun", || {
        !world.names("local").is_empty()
    });
    write(&keys, &[&format!("read-only,limit=200K {anna}"), &ben]);
    server.signal(Signal::HUP);
    assert_eq!(server.next_named("rights-changed")["rights"], "r");
    write(&keys, &[&ben]);
    assert_eq!(reload(&mut server, "users")["removed"], 1);
    let left = server.next_named("disconnected");
    let name = left["peer"].as_str().unwrap();
    assert!(name.starts_with("anna"), "by the name that it had: {left}");
    let ended = client.wait_with_output().unwrap();
    Ran::from(ended).expect(4, "does not let your key in any more");
    let again = ["--accept-new", "get", &server.at("f"), "f"];
    assert_eq!(world.run("anna", again).code, 4, "not let in");
}
