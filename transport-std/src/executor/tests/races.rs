//! Someone changes the tree while it is used.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use proto_core::{FileError, HashAs, Operation};

use super::{World, path};

/// F3: `share/d` is by turns a directory and a link to the directory outside; no access ever gets there.
fn swap_race(world: &World, rounds: u32) {
    let outside = world.temp.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("f"), b"outside").unwrap();
    fs::create_dir(world.at("real")).unwrap();
    fs::write(world.at("real/f"), b"in").unwrap();
    symlink(&outside, world.at("link")).unwrap();
    fs::rename(world.at("real"), world.at("d")).unwrap();
    let over = AtomicBool::new(false);
    let inside = AtomicU32::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..rounds {
                fs::rename(world.at("d"), world.at("real")).unwrap();
                fs::rename(world.at("link"), world.at("d")).unwrap();
                fs::rename(world.at("d"), world.at("link")).unwrap();
                fs::rename(world.at("real"), world.at("d")).unwrap();
            }
            over.store(true, Ordering::Relaxed);
        });
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                if world.open("d/f", 1).is_ok() {
                    assert_eq!(world.read(1, 0, HashAs::Nothing).unwrap().0, b"in");
                    world.close(1);
                    inside.fetch_add(1, Ordering::Relaxed);
                }
                let _ = world.run(Operation::SyncDir {
                    root: world.root,
                    path: path("d"),
                });
            }
        });
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                if world.create("d/new", 2).is_ok() {
                    world.close(2);
                }
                let _ = world.rename("d/new", "d/newer", true);
                let _ = world.remove("d/newer");
            }
        });
    });
    assert!(
        inside.load(Ordering::Relaxed) > 0,
        "the race never let anything through"
    );
    let left: Vec<_> = fs::read_dir(&outside)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["f"], "nothing was made, renamed or removed outside");
    assert_eq!(fs::read(outside.join("f")).unwrap(), b"outside");
}

#[test]
fn f3_swapping_a_directory_for_a_link_gains_nothing() {
    swap_race(&World::new(), 5_000);
}

#[test]
fn f3_nor_when_the_path_is_walked() {
    swap_race(&World::walking(), 5_000);
}

#[test]
fn f15_of_many_renames_to_one_name_exactly_one_wins() {
    let world = World::new();
    for round in 0..200 {
        let target = format!("target-{round}");
        for n in 0..4 {
            fs::write(world.at(&format!(".dhow-{n}")), [n]).unwrap();
        }
        let results: Vec<_> = thread::scope(|scope| {
            let racers: Vec<_> = (0..4)
                .map(|n| {
                    let (world, target) = (&world, &target);
                    scope.spawn(move || world.rename(&format!(".dhow-{n}"), target, false))
                })
                .collect();
            racers
                .into_iter()
                .map(|racer| racer.join().unwrap())
                .collect()
        });
        let winner = results.iter().position(Result::is_ok).expect("one wins");
        assert_eq!(fs::read(world.at(&target)).unwrap(), [winner as u8]);
        let losers = results
            .iter()
            .filter(|result| **result == Err(FileError::Exists))
            .count();
        assert_eq!(losers, 3, "{results:?}");
    }
}
