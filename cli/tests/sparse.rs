//! What is sparse at the source takes no more room at the target: files and directories, both ways, also when a job goes on.

#![cfg(target_os = "linux")]

mod common;

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use common::{World, bytes, run, wait_until};

/// Bytes that the file system has allotted: what `du` tells.
fn allotted(path: &Path) -> u64 {
    path.metadata().unwrap().blocks() * 512
}

/// A file of `size` bytes with 64 KiB of data at each of these places.
fn make(path: &Path, size: u64, places: &[u64]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = File::create(path).unwrap();
    file.set_len(size).unwrap();
    for (seed, &place) in (1..).zip(places) {
        file.seek(SeekFrom::Start(place)).unwrap();
        file.write_all(&bytes(65_536, seed)).unwrap();
    }
}

/// The same bytes, and no more room than at the source, but for a block or two at the ends of what is data.
#[track_caller]
fn check(source: &Path, target: &Path) {
    assert!(fs::read(source).unwrap() == fs::read(target).unwrap());
    let (before, after) = (allotted(source), allotted(target));
    assert!(
        after <= before + (128 << 10),
        "{}: {before} bytes are allotted at the source, {after} at the target",
        target.display()
    );
}

const MIB: u64 = 1 << 20;

/// Whether the tests' directory can tell a hole at all.
fn has_holes(world: &World) -> bool {
    make(&world.path("try"), 8 * MIB, &[0]);
    let has = allotted(&world.path("try")) < MIB;
    if !has {
        println!("left out: the file system of the temporary directory keeps no holes");
    }
    has
}

#[test]
fn files_and_directories_stay_sparse() {
    let world = World::new();
    if !has_holes(&world) {
        return;
    }
    let server = world.serve(&["--public=rw"]);
    // Begins, or ends, or is nothing but a hole; in one block, in one piece, with a journal and without.
    let files: [(&str, u64, &[u64]); 7] = [
        ("all", 64 * MIB, &[]),
        ("begin", 40 * MIB, &[39 * MIB + 983_040]),
        ("end", 40 * MIB + 5, &[0]),
        (
            "middle",
            96 * MIB,
            &[0, 3 * MIB, 17 * MIB + 65_536, 80 * MIB],
        ),
        ("medium", 3 * MIB, &[MIB]),
        ("small", 60_000, &[]),
        ("tiny", 3, &[]),
    ];
    for (name, size, places) in files {
        make(&world.shared(format!("d/{name}")), size, places);
        make(&world.local(format!("u/{name}")), size, places);
    }
    run(
        &world,
        &["get", &server.at("d/middle"), &server.at("d/medium"), "."],
    )
    .expect_ok();
    run(&world, &["get", &server.at("d"), "."]).expect_ok();
    run(&world, &["put", "u/middle", "u/all", &server.at("")]).expect_ok();
    run(&world, &["put", "u", &server.at("")]).expect_ok();
    for name in ["middle", "medium"] {
        check(&world.shared(format!("d/{name}")), &world.local(name));
    }
    for name in ["middle", "all"] {
        check(&world.local(format!("u/{name}")), &world.shared(name));
    }
    for (name, ..) in files {
        check(
            &world.shared(format!("d/{name}")),
            &world.local(format!("d/{name}")),
        );
        check(
            &world.local(format!("u/{name}")),
            &world.shared(format!("u/{name}")),
        );
    }
}

#[test]
fn a_file_that_goes_on_stays_sparse() {
    let world = World::new();
    if !has_holes(&world) {
        return;
    }
    let server = world.serve(&["--public=rw", "--timeout", "2s", "--cc", "fixed:60M"]);
    // Some data in every piece, so that it takes its time.
    let places: Vec<u64> = (0..96).map(|piece| piece * MIB).collect();
    for upload in [false, true] {
        let (source, target, directory) = match upload {
            true => (world.local("up"), world.shared("up"), "shared"),
            false => (world.shared("down"), world.local("down"), "local"),
        };
        make(&source, 96 * MIB, &places);
        let operands = match upload {
            true => ["put".into(), "up".to_owned(), server.at("")],
            false => ["get".into(), server.at("down"), ".".to_owned()],
        };
        let command = || {
            let mut command = world.command("anna");
            command.args(["--accept-new", "-q", "--cc", "fixed:60M", "--timeout", "2s"]);
            command.args(&operands);
            command
        };
        let mut child = command().spawn().unwrap();
        wait_until("a part is there", || {
            world.names(directory).iter().any(|name| {
                let path = world.path(&format!("{directory}/{name}"));
                name.ends_with(".part") && fs::metadata(path).is_ok_and(|it| it.len() > 24 * MIB)
            })
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!target.exists(), "it was killed in mid-transfer");
        assert!(command().status().unwrap().success());
        check(&source, &target);
        wait_until("nothing is left over", || {
            let names = world.names(directory);
            !names.iter().any(|name| name.starts_with(".dhow-"))
        });
    }
}
