//! What goes wrong: a clear message, the right exit code, nothing lost and nothing partial.

mod common;

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::{Ran, World, wait_until};

#[test]
fn sources_that_are_not_there() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    fs::write(world.local("a"), "x").unwrap();
    fs::create_dir(world.shared("dir")).unwrap();
    fs::create_dir(world.local("dir")).unwrap();
    let run = |args: &[&str]| {
        let mut all = vec!["--accept-new"];
        all.extend(args);
        world.run("anna", &all)
    };
    run(&["get", &server.at("missing"), "."]).expect(5, "missing: no such file");
    run(&["ls", &server.at("missing")]).expect(5, "no such file");
    run(&["stat", &server.at("missing")]).expect(5, "no such file");
    run(&["put", "missing", &server.at("")]).expect(5, "missing");
    run(&["put", "a", &server.at("nowhere/a")]).expect(5, "the directory 'nowhere' does not exist");
    run(&["get", &server.at("missing/"), "x"]).expect(5, "no such file");
    assert_eq!(world.names("local"), ["a", "dir"]);
    assert_eq!(world.names("shared"), ["dir"]);
}

#[test]
fn some_files_fail_and_the_rest_arrive() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    fs::write(world.shared("a"), "a").unwrap();
    fs::write(world.shared("b"), "b").unwrap();
    let ran = world.run(
        "anna",
        [
            "get",
            "--accept-new",
            &server.at("a"),
            &server.at("x"),
            &server.at("b"),
            ".",
        ],
    );
    ran.expect(8, "2 of 3 files done, 1 failed");
    assert_eq!(world.names("local"), ["a", "b"]);
    let ran = world.run("anna", ["get", &server.at("x"), &server.at("y"), "."]);
    ran.expect(5, "0 of 2 files done, 2 failed");
    fs::write(world.local("c"), "c").unwrap();
    world
        .run("anna", ["put", "missing", "c", &server.at("")])
        .expect(8, "1 of 2 files done, 1 failed");
    assert_eq!(world.names("shared"), ["a", "b", "c"]);
}

#[test]
fn nobody_answers() {
    let world = World::new();
    // A port that was free a moment ago.
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let ran = world.run(
        "anna",
        ["ls", "--timeout", "1s", &format!("dhow://{address}/")],
    );
    ran.expect(3, "UDP");
    drop(socket);
    let ran = world.run(
        "anna",
        [
            "ls",
            "--timeout",
            "1s",
            "--json",
            &format!("dhow://{address}/"),
        ],
    );
    ran.expect(3, "dhow serve");
    assert_eq!(ran.named("error")[0]["code"], "not-reached");
    world
        .run("anna", ["ls", "no-such-host.invalid:"])
        .expect(3, "no address");
}

#[test]
fn usage_errors_touch_nothing() {
    let world = World::new();
    for args in [
        &["get", "a", "b"][..],
        &["put", "a", "b"],
        &["put", "h:a", "h:b"],
        &["get", "h:a", "h:b", "-"],
        &["get", "::1:a", "."],
        &["ls", "./a"],
        &["get", "ftp://h/a", "."],
        &["get", "h:../a", "."],
        &["sync", "a", "b"],
        &["sync", "h:a", "h:b"],
        &["cp", "h:a", "g:b"],
        &["cp", "a", "b"],
        &["cp", "h:a", "b", "g:c"],
        &["serve", "--public", "--listen", "nonsense"],
    ] {
        let ran = world.run("anna", args);
        assert_eq!(ran.code, 2, "{args:?} {ran:?}");
        assert!(!ran.stderr.is_empty());
    }
    assert!(!world.path("homes").exists());
}

#[cfg(unix)]
#[test]
fn files_that_the_server_cannot_read() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let server = world.serve(&["--public"]);
    fs::write(world.shared("locked"), "x").unwrap();
    fs::set_permissions(world.shared("locked"), fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser may read everything: nothing to see then.
    if File::open(world.shared("locked")).is_err() {
        world
            .run("anna", ["get", "--accept-new", &server.at("locked"), "."])
            .expect(6, "denies access");
    }
    std::os::unix::fs::symlink("/etc/passwd", world.shared("link")).unwrap();
    let ran = world.run("anna", ["get", "--accept-new", &server.at("link"), "."]);
    assert!(matches!(ran.code, 5 | 6), "{ran:?}");
    assert!(world.names("local").is_empty());
}

/// A rate at which [`make_sparse`]'s file takes 50 s, far longer than any test: its sender keeps to it.
const SLOW: [&str; 2] = ["--cc", "fixed:20M"];

/// The names in a directory without what waits for the transfer to be resumed.
fn finished(world: &World, directory: &str) -> Vec<String> {
    let mut names = world.names(directory);
    names.retain(|name| !name.starts_with(".dhow-"));
    names
}

/// A file that takes long enough to be interrupted; its receiver needs a gibibyte of room at most.
fn make_sparse(path: &std::path::Path) {
    File::create(path).unwrap().set_len(1 << 30).unwrap();
}

#[expect(
    clippy::zombie_processes,
    reason = "the caller waits; a panic ends the test's process"
)]
/// Starts a command and returns when its first bytes are under way.
fn start_copying(world: &World, args: &[&str]) -> Child {
    let mut child = world
        .command("anna")
        .args(["--accept-new", "--json", "--timeout", "2s"])
        .args(SLOW)
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    loop {
        let line = lines.next().expect("the command ended too soon").unwrap();
        if line.contains("\"event\":\"progress\"") {
            return child;
        }
    }
}

/// Waits for the end, and for no longer than the time-out allows.
fn finish(child: Child) -> Ran {
    let begun = Instant::now();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    ran
}

#[test]
fn the_server_dies_in_mid_download() {
    let world = World::new();
    let mut server = world.serve(&["--public", SLOW[0], SLOW[1]]);
    make_sparse(&world.shared("big"));
    let child = start_copying(&world, &["get", &server.at("big"), "."]);
    server.kill();
    finish(child).expect(75, "run the same command again");
    assert!(
        finished(&world, "local").is_empty(),
        "{:?}",
        world.names("local")
    );
}

#[test]
fn the_server_dies_in_mid_upload() {
    let world = World::new();
    let mut server = world.serve(&["--public=rw"]);
    make_sparse(&world.local("big"));
    let child = start_copying(&world, &["put", "big", &server.at("")]);
    server.kill();
    finish(child).expect(75, "run the same command again");
    assert!(!world.shared("big").exists());
}

#[test]
fn the_client_dies_in_mid_upload() {
    let world = World::new();
    let mut server = world.serve(&["--public=rw", "--timeout", "2s"]);
    make_sparse(&world.local("big"));
    let mut child = start_copying(&world, &["put", "big", &server.at("")]);
    child.kill().unwrap();
    child.wait().unwrap();
    let event = server.next_named("file");
    assert_eq!(
        (event["outcome"].as_str(), event["code"].as_str()),
        (Some("failed"), Some("session-lost"))
    );
    wait_until("the server has tidied up", || {
        finished(&world, "shared").is_empty()
    });
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_nothing_under_a_final_name() {
    let world = World::new();
    let mut server = world.serve(&["--public=rw", SLOW[0], SLOW[1]]);
    make_sparse(&world.shared("big"));
    let child = start_copying(&world, &["get", &server.at("big"), "copy"]);
    common::signal(&child, rustix::process::Signal::INT);
    finish(child).expect(75, "interrupted");
    assert!(
        finished(&world, "local").is_empty(),
        "{:?}",
        world.names("local")
    );
    assert_eq!(server.next_named("file")["outcome"], "failed");
    make_sparse(&world.local("other"));
    let child = start_copying(&world, &["put", "other", &server.at("")]);
    common::signal(&child, rustix::process::Signal::INT);
    finish(child).expect(75, "interrupted");
    wait_until("the server has tidied up", || {
        finished(&world, "shared") == ["big"]
    });
}

#[test]
fn the_exit_code_is_right_when_nobody_reads_stderr() {
    let world = World::new();
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    let status = world
        .command("anna")
        .args(["get", "h:a", "no-such-directory/"])
        .stderr(closed)
        .status();
    assert_eq!(status.unwrap().code(), Some(5));
}

#[cfg(unix)]
#[test]
fn the_server_stops_in_good_order() {
    let world = World::new();
    let server = world.serve(&["--public", SLOW[0], SLOW[1]]);
    make_sparse(&world.shared("big"));
    let child = start_copying(&world, &["get", &server.at("big"), "."]);
    let (status, events, log) = server.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.ends_with("stopped\n"), "{log}");
    assert!(
        events
            .iter()
            .any(|event| event["event"] == "file" && event["outcome"] == "failed")
    );
    finish(child).expect(75, "again");
    assert!(finished(&world, "local").is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_target_that_is_no_file() {
    let world = World::new();
    let server = world.serve(&["--public"]);
    fs::write(world.shared("a"), vec![1; 100_000]).unwrap();
    // A device is not replaced by a file.
    let ran = world.run(
        "anna",
        ["get", "--accept-new", &server.at("a"), "/dev/full"],
    );
    assert!(matches!(ran.code, 1 | 6), "{ran:?}");
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_neither_read_nor_replaced() {
    use std::os::unix::fs::{FileTypeExt, symlink};
    use std::process::Command;
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    fs::write(world.local("a"), "a").unwrap();
    fs::write(world.shared("b"), "b").unwrap();
    fs::create_dir(world.shared("dir")).unwrap();
    for fifo in [world.local("fifo"), world.shared("fifo")] {
        assert!(Command::new("mkfifo").arg(fifo).status().unwrap().success());
    }
    symlink("/etc", world.shared("away")).unwrap();
    symlink("nowhere", world.shared("dangling")).unwrap();
    symlink("dir", world.shared("inside")).unwrap();
    symlink(world.path("outside"), world.local("link")).unwrap();
    let run = |args: &[&str]| {
        let mut all = vec!["--accept-new"];
        all.extend(args);
        world.run("anna", &all)
    };
    run(&["get", &server.at("fifo"), "x"]).expect(6, "fifo: is not a regular file");
    run(&["get", &server.at("away/passwd"), "x"]).expect(6, "link");
    run(&["get", &server.at("dangling"), "x"]).expect(5, "no such file");
    run(&["get", &server.at("b"), "fifo"]).expect(6, "fifo: is a link, a device or");
    run(&["get", &server.at("b"), "link"]).expect(6, "on this side");
    run(&["get", &server.at("b"), "a/x"]).expect(5, "a: ");
    run(&["put", "fifo", &server.at("")]).expect(6, "fifo is not a regular file");
    for target in ["fifo", "away/x", "dangling", "inside/x"] {
        run(&["put", "a", &server.at(target)])
            .expect(6, "not a regular file, or reached through a link");
    }
    run(&["put", "a", &server.at("b/../c")]).expect(2, "`..`");
    assert_eq!(world.names("local"), ["a", "fifo", "link"]);
    assert_eq!(
        world.names("shared"),
        ["away", "b", "dangling", "dir", "fifo", "inside"]
    );
    assert!(world.names("shared/dir").is_empty() && !world.path("outside").exists());
    let kind = fs::symlink_metadata(world.shared("fifo"))
        .unwrap()
        .file_type();
    assert!(kind.is_fifo());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_stdout_is_an_error_and_a_closed_one_is_none() {
    let world = World::new();
    let server = world.serve(&["--public"]);
    fs::write(world.shared("a"), "a").unwrap();
    let address = server.at("");
    let file = server.at("a");
    for args in [
        &["ls", "--accept-new", &address][..],
        &["stat", &file],
        &["key", "show"],
    ] {
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = world.command("anna").args(args).stdout(full).output();
        let ran = common::Ran::from(output.unwrap());
        ran.expect(1, "writing to stdout");
        let (reader, closed) = std::io::pipe().unwrap();
        drop(reader);
        let output = world.command("anna").args(args).stdout(closed).output();
        assert_eq!(common::Ran::from(output.unwrap()).code, 0, "{args:?}");
    }
    assert!(
        world
            .run("anna", ["stat", &server.at("")])
            .stdout
            .starts_with("path: /\n")
    );
}
