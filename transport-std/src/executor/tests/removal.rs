//! Removing what a path names, with all below it.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use proto_core::{FileError, Operation, Outcome};

use super::{Result, World, path};

fn remove_tree(world: &World, name: &str, recursive: bool, max: u32) -> Result<(u64, bool)> {
    let what = Operation::RemoveTree {
        root: world.root,
        path: path(name),
        recursive,
        max,
    };
    match world.run(what)? {
        Outcome::Removed { count, more } => Ok((count, more)),
        other => panic!("{other:?}"),
    }
}

/// `d` with 3 directories, 6 files, one of them dhow's own, and links to the outside.
fn plant(world: &World) {
    fs::create_dir_all(world.at("d/a/b")).unwrap();
    for name in [
        "d/1",
        "d/.dhow-1.part",
        "d/a/2",
        "d/a/3",
        "d/a/b/4",
        "d/a/b/5",
    ] {
        fs::write(world.at(name), name).unwrap();
    }
    symlink(world.temp.path(), world.at("d/a/outside")).unwrap();
    symlink(world.temp.path().join("secret"), world.at("d/secret")).unwrap();
}

#[test]
fn a_directory_goes_with_all_below_it() {
    for world in [World::new(), World::walking()] {
        plant(&world);
        assert_eq!(remove_tree(&world, "d", false, 9), Err(FileError::NotEmpty));
        assert_eq!(remove_tree(&world, "d", true, 100), Ok((11, false)));
        assert!(!world.at("d").exists());
        assert_eq!(
            fs::read(world.temp.path().join("secret")).unwrap(),
            b"secret"
        );
        assert_eq!(remove_tree(&world, "d", true, 9), Err(FileError::NotFound));
        assert_eq!(
            remove_tree(&world, "", true, 9),
            Err(FileError::IsDirectory)
        );
    }
}

#[test]
fn it_stops_at_its_maximum_and_goes_on() {
    let world = World::new();
    plant(&world);
    let mut steps = Vec::new();
    while world.at("d").exists() {
        steps.push(remove_tree(&world, "d", true, 4).unwrap());
    }
    assert_eq!(steps, [(4, true), (4, true), (3, false)]);
}

#[test]
fn files_links_and_empty_directories_go_alone() {
    for world in [World::new(), World::walking()] {
        plant(&world);
        fs::create_dir(world.at("empty")).unwrap();
        for name in ["d/1", "d/secret", "d/a/outside", "empty"] {
            assert_eq!(
                remove_tree(&world, name, false, 1),
                Ok((1, false)),
                "{name}"
            );
            assert!(fs::symlink_metadata(world.at(name)).is_err());
        }
        symlink("a", world.at("d/link")).unwrap();
        let through = remove_tree(&world, "d/link/2", true, 9);
        assert_eq!(through, Err(FileError::OutsideRoot));
        assert_eq!(remove_tree(&world, "d/link", true, 9), Ok((1, false)));
        assert!(world.at("d/a/2").exists());
        assert!(world.temp.path().join("secret").exists());
    }
}

#[test]
fn what_is_too_deep_stays() {
    let world = World::new();
    let levels = |count| vec!["d"; count].join("/");
    fs::create_dir_all(world.at(&levels(64))).unwrap();
    assert_eq!(remove_tree(&world, "d", true, 1_000), Ok((64, false)));
    fs::create_dir_all(world.at(&levels(70))).unwrap();
    assert_eq!(
        remove_tree(&world, "d", true, 1_000),
        Err(FileError::BadName)
    );
    assert_eq!(
        remove_tree(&world, "d/d/d/d/d/d/d", true, 1_000),
        Ok((64, false))
    );
    assert_eq!(remove_tree(&world, "d", true, 1_000), Ok((6, false)));
}

/// F3: `share/d/x` is by turns a directory and a link to the directory outside.
fn swap_race(world: &World, rounds: u32) {
    let outside = world.temp.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("f"), b"outside").unwrap();
    fs::create_dir_all(world.at("d")).unwrap();
    symlink(&outside, world.at("link")).unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..rounds {
                // The other side may have removed any of these.
                let _ = fs::create_dir_all(world.at("d/x/y"));
                let _ = fs::write(world.at("d/x/y/f"), b"in");
                let _ = fs::rename(world.at("d/x"), world.at("away"));
                let _ = fs::rename(world.at("link"), world.at("d/x"));
                let _ = fs::rename(world.at("d/x"), world.at("link"));
                let _ = fs::rename(world.at("away"), world.at("d/x"));
                let _ = fs::remove_dir_all(world.at("away"));
                if fs::symlink_metadata(world.at("link")).is_err() {
                    let _ = symlink(&outside, world.at("link"));
                }
            }
            over.store(true, Ordering::Relaxed);
        });
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let _ = remove_tree(world, "d/x", true, 100);
            }
        });
    });
    assert_eq!(fs::read(outside.join("f")).unwrap(), b"outside");
}

#[test]
fn f3_removal_never_follows_a_swapped_link() {
    swap_race(&World::new(), 300);
    swap_race(&World::walking(), 300);
}
