//! Directories that a command had begun when it was killed, and that the same command goes on with.

#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use common::{Server, World, bytes, look, run, signal, wait_until};
use rustix::process::Signal;

/// A directory that was being made when the client died is the one that the same command goes on with, though it is there by then; it
/// has the source's bits and times in the end, and so has all in it.
#[test]
fn the_same_command_goes_on_with_its_directory() {
    let world = World::new();
    let server = world.serve(&["--public=rw", "--timeout", "1s"]);
    let up = ("put", "src".to_owned(), server.at("made"));
    let down = ("get", server.at("made"), "back".to_owned());
    plant_slowly(&world.local("src"));
    for (way, target) in [(up, world.shared("made")), (down, world.local("back"))] {
        let (command, from, to) = way;
        for how in [Signal::KILL, Signal::INT, Signal::KILL] {
            let mut child = start_slowly(&world, &server, [command, &from, &to]);
            wait_until("something of it is there", || target.join("a/b").exists());
            signal(&child, how);
            assert!(matches!(child.wait().unwrap().code(), None | Some(75)));
        }
        let ran = run(&world, &[command, &from, &to]);
        ran.expect(0, "going on with what was begun");
        assert_eq!(look(&world.local("src")), look(&target));
        // Now it is there as any other: what comes next is put into it.
        run(&world, &[command, &from, &to]).expect_ok();
        let name = if command == "put" { "src" } else { "made" };
        assert!(target.join(name).is_dir());
        fs::remove_dir_all(target.join(name)).unwrap();
        run(&world, &["sync", "src/", &server.at("made")]).expect_ok();
    }
    assert_eq!(
        fs::read_dir(world.path("homes/anna/begun"))
            .unwrap()
            .count(),
        0
    );
}

/// A directory of somebody else that a download would only have made is not taken for one that it began.
#[test]
fn what_was_never_begun_is_not_gone_on_with() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    fs::write(world.shared("f"), "f").unwrap();
    plant_slowly(&world.local("src"));
    // There is nothing to be made, or it may not be.
    run(&world, &["get", &server.at("missing"), "t"]).expect(5, "no such");
    run(&world, &["put", "src", &server.at("missing/t")]).expect(5, "does not exist");
    run(&world, &["get", &server.at("f"), "t"]).expect_ok();
    assert_eq!(
        fs::read_dir(world.path("homes/anna/begun"))
            .unwrap()
            .count(),
        0
    );
}

/// A directory in a directory, and a file that takes a while at a megabyte a second.
fn plant_slowly(root: &Path) {
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::write(root.join("a/b/large"), bytes(6 << 20, 3)).unwrap();
    fs::write(root.join("small"), "small").unwrap();
    for (path, mode) in [
        ("a/b/large", 0o640),
        ("a/b", 0o750),
        ("a", 0o711),
        ("", 0o755),
    ] {
        let path = root.join(path);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let past = std::time::UNIX_EPOCH + Duration::from_secs(1_234_567_890 + u64::from(mode));
        fs::File::open(path).unwrap().set_modified(past).unwrap();
    }
}

fn start_slowly(world: &World, server: &Server, args: [&str; 3]) -> Child {
    let trust = ["--host-key", &server.host_key, "--limit", "1M"];
    let mut command = world.command("anna");
    command.args(trust).args(args).args(["--timeout", "1s"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}
