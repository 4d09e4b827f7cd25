//! Directories up and down, over good links and bad ones.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::disk::{Disk, File};
use super::ends::*;
use super::world::World;
use crate::event::{Failure, Finished};
use crate::file::{FileError, Filter};
use crate::limits::Limits;
use crate::transfer::{FileReport, Overwrite, Request, TransferEvent, TreeTotals};
use crate::wire::{Durability, EntryKind, ErrorCode, StoredAs};

pub(super) fn request(up: bool, overwrite: Overwrite) -> Request {
    match up {
        true => Request::Put {
            from: place(b"here"),
            to: path(b"there"),
            overwrite,
            durability: Durability::Full,
            tree: true,
        },
        false => Request::Get {
            from: path(b"there"),
            to: place(b"here"),
            overwrite,
            durability: Durability::Full,
            preserve: true,
            keep_top_mode: false,
            tree: true,
        },
    }
}

/// The ends that have and want the directory, and its name at each.
fn ends(up: bool) -> (usize, &'static str, usize, &'static str) {
    match up {
        true => (CLIENT, "here", SERVER, "there"),
        false => (SERVER, "there", CLIENT, "here"),
    }
}

fn file(size: u64, seed: u64) -> File {
    File {
        content: content(size, seed),
        mtime: 1_700_000_000_000_000_000 + seed as i64,
        mode: 0o600 + (seed as u16 & 0o77),
        link: false,
        changes: seed,
    }
}

fn link(target: &[u8]) -> File {
    File {
        content: target.to_vec(),
        link: true,
        ..file(0, 7)
    }
}

fn dir(disk: &mut Disk, name: &str, seed: u64) {
    let meta = (
        1_600_000_000_000_000_000 + seed as i64,
        0o700 + (seed as u16 & 0o77),
    );
    disk.dirs.insert(name.as_bytes().to_vec(), meta);
}

/// A directory that the source has not read to its end when the sink makes it: it has more than a page.
pub(super) fn plant_empty(disk: &mut Disk, root: &str) {
    dir(disk, root, 1);
}

/// Directories in directories, empty ones, small and larger files, a link.
fn plant(disk: &mut Disk, root: &str, scale: u64) {
    dir(disk, root, 1);
    dir(disk, &format!("{root}/empty"), 2);
    for d in 0..4 {
        let name = format!("{root}/d{d}");
        dir(disk, &name, d + 3);
        dir(disk, &format!("{name}/deep"), d + 9);
        for f in 0..scale {
            let at = format!("{name}/deep/f{f}");
            disk.files
                .insert(at.into_bytes(), file(f * 397 % 9_000, f + d));
        }
    }
    for (at, size) in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 300_000, 1_500_000]
        .into_iter()
        .enumerate()
    {
        disk.files
            .insert(format!("{root}/s{at}").into_bytes(), file(size, size));
    }
    disk.files.insert(
        format!("{root}/d1/link").into_bytes(),
        link(b"../d2/deep/f0"),
    );
}

/// What stands below `root`, by the path below it.
#[derive(PartialEq, Eq, Debug)]
struct Tree {
    files: BTreeMap<Vec<u8>, (Vec<u8>, i64, u16, bool)>,
    dirs: BTreeMap<Vec<u8>, (i64, u16)>,
}

fn tree(disk: &Disk, root: &str) -> Tree {
    let below = |name: &[u8]| Some(name.strip_prefix(root.as_bytes())?.to_vec());
    let what = |file: &File| {
        let mode = if file.link { 0 } else { file.mode };
        (file.content.clone(), file.mtime, mode, file.link)
    };
    Tree {
        files: disk
            .files
            .iter()
            .filter_map(|(name, file)| Some((below(name)?, what(file))))
            .collect(),
        dirs: disk
            .dirs
            .iter()
            .filter_map(|(name, meta)| Some((below(name)?, *meta)))
            .collect(),
    }
}

fn totals(world: &World, end: usize) -> TreeTotals {
    match world.outcomes(end)[..] {
        [Ok(Finished::Tree(totals))] => totals,
        ref other => panic!("{other:?}"),
    }
}

pub(super) fn reports(world: &World, end: usize) -> Vec<FileReport> {
    let files = world.ends[end]
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            TransferEvent::Files(files) => Some(files.clone()),
            _ => None,
        });
    files.flatten().collect()
}

fn world(seed: u64, link: Link, up: bool, limits: Limits, scale: u64) -> World {
    let mut world = World::new(seed, link, limits);
    let (from, root, to, _) = ends(up);
    plant(&mut world.ends[from].disk, root, scale);
    dir(&mut world.ends[to].disk, "elsewhere", 0);
    world
}

fn travel(seed: u64, link: Link, up: bool, overwrite: Overwrite, scale: u64) -> World {
    let mut world = world(seed, link, up, limits(), scale);
    let (from, root, to, target) = ends(up);
    world.start(request(up, overwrite));
    world.run();
    assert_eq!(world.closed, None);
    let (sent, came) = (
        tree(&world.ends[from].disk, root),
        tree(&world.ends[to].disk, target),
    );
    assert!(sent == came, "seed {seed} up {up}: {came:#?}");
    let counts = totals(&world, CLIENT);
    assert_eq!(counts, totals(&world, SERVER), "seed {seed} up {up}");
    assert_eq!((counts.failed, counts.unchanged), (0, 0));
    assert_eq!(counts.files, 4 * scale + 7);
    assert_eq!((counts.directories, counts.links), (10, 1));
    let mut told = [reports(&world, CLIENT), reports(&world, SERVER)];
    for reports in &mut told {
        reports.sort_by(|a, b| a.path.cmp(&b.path));
    }
    assert_eq!(told[0], told[1]);
    for end in [CLIENT, SERVER] {
        // Files are known of before they are done.
        let found = world.ends[end]
            .events
            .iter()
            .filter_map(|(_, event)| match event {
                TransferEvent::Progress { files, .. } => Some(*files),
                _ => None,
            });
        assert_eq!(found.max(), Some(counts.files + counts.links));
    }
    world
}

#[test]
fn trees_arrive_over_a_perfect_link() {
    for up in [false, true] {
        for overwrite in [Overwrite::Replace, Overwrite::Compare, Overwrite::Never] {
            travel(1, PERFECT, up, overwrite, 30);
        }
    }
}

#[test]
fn trees_arrive_over_a_bad_link() {
    for seed in 0..12 {
        for up in [false, true] {
            travel(seed, BAD, up, Overwrite::Replace, 20);
            travel(seed, BAD, up, Overwrite::Compare, 20);
        }
    }
}

/// No round trip a file: 2,000 small files in a few of them.
#[test]
fn small_files_are_packed_together() {
    for up in [false, true] {
        let mut world = World::new(
            1,
            Link {
                delay: 50_000,
                window: 1_000,
                ..PERFECT
            },
            limits(),
        );
        let (from, root, to, _) = ends(up);
        dir(&mut world.ends[from].disk, root, 1);
        dir(&mut world.ends[to].disk, "elsewhere", 0);
        for f in 0..2_000 {
            let name = format!("{root}/f{f}");
            world.ends[from]
                .disk
                .files
                .insert(name.into_bytes(), file(100, f));
        }
        world.start(request(up, Overwrite::Replace));
        world.run();
        assert_eq!(totals(&world, CLIENT).files, 2_000);
        let trips = world.now.as_nanos() / 100_000_000;
        assert!(
            trips <= 12,
            "{trips} round trips, {} packets",
            world.packets
        );
        let stores = world.ends[to]
            .disk
            .log
            .iter()
            .filter(|name| **name == "StoreFiles")
            .count();
        assert!(stores < 200, "{stores} loans");
    }
}

#[test]
fn what_is_the_same_is_unchanged() {
    for up in [false, true] {
        let mut world = travel(3, PERFECT, up, Overwrite::Compare, 10);
        let (from, root, to, target) = ends(up);
        let changed = format!("{root}/d2/deep/f3").into_bytes();
        world.ends[from].disk.files.insert(changed, file(4_321, 99));
        for end in &mut world.ends {
            end.events.clear();
        }
        let packets = world.packets;
        world.start(request(up, Overwrite::Compare));
        world.run();
        assert_eq!(
            tree(&world.ends[from].disk, root),
            tree(&world.ends[to].disk, target)
        );
        let counts = totals(&world, CLIENT);
        assert_eq!((counts.files, counts.bytes, counts.failed), (1, 4_321, 0));
        // The link is made anew.
        assert_eq!((counts.unchanged, counts.links), (46, 1));
        assert!(
            world.packets - packets < 60,
            "{} packets",
            world.packets - packets
        );
    }
}

#[test]
fn files_fail_alone() {
    for up in [false, true] {
        let mut world = world(5, PERFECT, up, limits(), 5);
        let (from, root, to, target) = ends(up);
        for bad in [&b"/etc/passwd"[..], b"../../up", b"x/../y"] {
            let name = format!("{root}/bad{}", bad.len()).into_bytes();
            world.ends[from].disk.files.insert(name, link(bad));
        }
        // A file stands where a directory shall, a directory where a file shall.
        dir(&mut world.ends[to].disk, target, 1);
        let file_there = format!("{target}/d3").into_bytes();
        world.ends[to].disk.files.insert(file_there, file(3, 3));
        dir(&mut world.ends[to].disk, &format!("{target}/s1"), 1);
        world.start(request(up, Overwrite::Replace));
        world.run();
        for end in [CLIENT, SERVER] {
            let failed: BTreeMap<_, _> = reports(&world, end)
                .into_iter()
                .filter_map(|report| Some((report.path, report.result.err()?)))
                .collect();
            let expected =
                |path: &[u8], code| assert_eq!(failed.get(path), Some(&code), "{failed:?}");
            for bad in [&b"bad11"[..], b"bad8", b"bad6"] {
                expected(bad, ErrorCode::LinkRefused);
            }
            expected(b"d3", ErrorCode::NotDirectory);
            expected(b"s1", ErrorCode::IsDirectory);
            assert_eq!(totals(&world, end).failed as usize, failed.len());
        }
        assert!(
            world.ends[to]
                .disk
                .files
                .contains_key(format!("{target}/s6").as_bytes())
        );
        // What was there has the source's time, too.
        assert_eq!(
            world.ends[to].disk.dirs[target.as_bytes()],
            world.ends[from].disk.dirs[root.as_bytes()]
        );
    }
}

/// A directory that was there has the source's time and bits in the end, be anything else to do in it or not.
#[test]
fn the_directory_itself_is_as_the_source() {
    for up in [false, true] {
        let mut world = world(7, PERFECT, up, limits(), 2);
        let (from, root, to, target) = ends(up);
        dir(&mut world.ends[to].disk, target, 50);
        for _ in 0..2 {
            for end in &mut world.ends {
                end.events.clear();
            }
            world.start(request(up, Overwrite::Compare));
            world.run();
            assert_eq!(totals(&world, CLIENT).failed, 0);
            assert!(tree(&world.ends[from].disk, root) == tree(&world.ends[to].disk, target));
            dir(&mut world.ends[to].disk, target, 51);
        }
    }
}

/// Directories that may not be written, there before, take what is new in them, and are closed again.
#[test]
fn closed_directories_are_opened_while_in_work() {
    for up in [false, true] {
        let mut world = world(7, PERFECT, up, limits(), 2);
        let (from, root, to, target) = ends(up);
        for end in [(from, root), (to, target)] {
            for name in ["", "/d1", "/d1/deep"] {
                let name = format!("{}{name}", end.1).into_bytes();
                world.ends[end.0].disk.dirs.insert(name, (9, 0o555));
            }
        }
        world.start(request(up, Overwrite::Compare));
        world.run();
        assert_eq!(totals(&world, CLIENT).failed, 0);
        assert!(tree(&world.ends[from].disk, root) == tree(&world.ends[to].disk, target));
    }
}

/// Bits are not set where they say who may come in at all: of a shared directory, and where the client asks for that (C2).
#[test]
fn c2_some_directories_keep_their_bits() {
    for up in [false, true] {
        let mut world = world(7, PERFECT, up, limits(), 2);
        let (from, root, to, target) = match up {
            true => (CLIENT, "here", SERVER, ""),
            false => ends(false),
        };
        world.ends[to].disk.dirs.insert(target.into(), (5, 0o710));
        let mut wanted = request(up, Overwrite::Compare);
        match &mut wanted {
            Request::Put { to, .. } => *to = path(b""),
            Request::Get { keep_top_mode, .. } => *keep_top_mode = true,
            other => panic!("{other:?}"),
        }
        world.start(wanted);
        world.run();
        assert_eq!(totals(&world, CLIENT).failed, 0);
        let disk = &world.ends[to].disk;
        let time = world.ends[from].disk.dirs[root.as_bytes()].0;
        assert_eq!(disk.dirs[target.as_bytes()], (time, 0o710));
        let (inner, source) = match up {
            true => ("d1".to_owned(), format!("{root}/d1")),
            false => (format!("{target}/d1"), format!("{root}/d1")),
        };
        assert_eq!(
            disk.dirs[inner.as_bytes()],
            world.ends[from].disk.dirs[source.as_bytes()]
        );
    }
}

/// Whatever operation fails, both ends come to an end and agree, and nothing is left behind.
#[test]
fn any_operation_may_fail() {
    for up in [false, true] {
        for side in [CLIENT, SERVER] {
            for at in 0..60 {
                let mut world = world(at, PERFECT, up, limits(), 3);
                world.ends[side].disk.fail = Some((at as usize, FileError::NoSpace));
                world.start(request(up, Overwrite::Compare));
                world.run_despite_leftovers();
                assert_eq!(world.closed, None);
                let outcomes = [world.outcomes(CLIENT), world.outcomes(SERVER)];
                let stored = |outcome: &[Result<Finished, Failure>]| match outcome {
                    [Ok(Finished::Tree(totals))] => Some(*totals),
                    [] | [Err(_)] => None,
                    other => panic!("up {up} side {side} at {at}: {other:?}"),
                };
                assert_eq!(
                    stored(&outcomes[0]),
                    stored(&outcomes[1]),
                    "up {up} side {side} at {at}"
                );
                assert_eq!(
                    world.ends[CLIENT].disk.open_files(),
                    0,
                    "up {up} side {side} at {at}"
                );
                assert_eq!(
                    world.ends[SERVER].disk.open_files(),
                    0,
                    "up {up} side {side} at {at}"
                );
            }
        }
    }
}

#[test]
fn a_cancelled_tree_leaves_nothing_open() {
    for up in [false, true] {
        for side in [CLIENT, SERVER] {
            for steps in (10..400).step_by(13) {
                let mut world = world(steps, BAD, up, limits(), 20);
                world.start(request(up, Overwrite::Replace));
                for _ in 0..steps {
                    world.step();
                }
                for key in world.ends[side].transfers.keys() {
                    let cancelled =
                        |transfers: &mut crate::transfer::Transfers,
                         cx: &mut crate::transfer::Context<'_>| {
                            transfers.cancel(cx, key, ErrorCode::Cancelled)
                        };
                    assert_eq!(world.with(side, cancelled), Ok(()));
                }
                world.run();
            }
        }
    }
}

#[test]
fn little_memory_is_enough() {
    for up in [false, true] {
        for seed in 0..4 {
            let few = Limits {
                sink_blocks: 8,
                source_blocks: 4,
                credit_blocks_initial: 2,
                credit_blocks_max: 3,
                ..Limits::default()
            };
            let mut world = world(seed, BAD, up, few, 8);
            let (from, root, to, target) = ends(up);
            world.start(request(up, Overwrite::Compare));
            world.run();
            assert_eq!(
                tree(&world.ends[from].disk, root),
                tree(&world.ends[to].disk, target)
            );
        }
    }
}

/// A file is asked for as one that may be a directory.
#[test]
fn a_file_is_a_file() {
    for up in [false, true] {
        for seed in 0..6 {
            let mut world = World::new(seed, BAD, limits());
            let (from, name, to, target) = ends(up);
            let content = world.put_file(from, name.as_bytes(), 100_000);
            world.start(request(up, Overwrite::Replace));
            world.run();
            assert_eq!(
                world.ends[to].disk.files[target.as_bytes()].content,
                content
            );
            let root = Some(*blake3::hash(&content).as_bytes());
            let how = StoredAs::Written;
            assert!(
                matches!(world.outcomes(CLIENT)[..], [Ok(Finished::Stored { root: r, how: h, .. })] if r == root && h == how)
            );
        }
    }
}

#[test]
fn kinds_are_told() {
    let world = travel(1, PERFECT, false, Overwrite::Replace, 1);
    let kinds = reports(&world, CLIENT);
    let of = |path: &[u8]| {
        kinds
            .iter()
            .find(|report| report.path == path)
            .map(|report| report.kind)
    };
    assert_eq!(of(b""), Some(EntryKind::Directory));
    assert_eq!(of(b"d1/link"), Some(EntryKind::Symlink));
    assert_eq!(of(b"d3/deep/f0"), Some(EntryKind::File));
}

/// What a filter leaves out does not travel, and does not count; a directory is not looked into.
#[test]
fn a_filter_leaves_out() {
    for up in [true, false] {
        let (source, from, sink, to) = ends(up);
        let mut world = World::new(40 + u64::from(up), BAD, limits());
        plant(&mut world.ends[source].disk, from, 3);
        dir(&mut world.ends[sink].disk, "", 1);
        let filter = Filter {
            rules: b"d1\nd2/deep\ns6".to_vec(),
            gitignore: false,
        };
        world.start(Request::Filtered {
            filter,
            request: Box::new(request(up, Overwrite::Replace)),
        });
        world.run();
        let mut expected = tree(&world.ends[source].disk, from);
        let kept = |name: &Vec<u8>| {
            let out = [b"/d1".as_slice(), b"/d2/deep", b"/s6"];
            !out.iter().any(|out| name.starts_with(out))
        };
        expected.files.retain(|name, _| kept(name));
        expected.dirs.retain(|name, _| kept(name));
        assert_eq!(tree(&world.ends[sink].disk, to), expected, "up: {up}");
        let Ok(Finished::Tree(totals)) = world.outcomes(CLIENT)[0] else {
            panic!("{:?}", world.outcomes(CLIENT));
        };
        assert_eq!((totals.files, totals.failed), (2 * 3 + 6, 0));
        assert_eq!(world.outcomes(SERVER), world.outcomes(CLIENT));
    }
}

/// A filter travels in REQUEST, and must fit with the path.
#[test]
fn a_filter_is_bounded() {
    for (up, fits) in [(true, true), (false, false)] {
        let mut world = World::new(50, PERFECT, limits());
        plant(&mut world.ends[CLIENT].disk, "here", 1);
        let filter = Filter {
            rules: vec![b'x'; 1_020],
            gitignore: false,
        };
        let request = Request::Filtered {
            filter,
            request: Box::new(request(up, Overwrite::Replace)),
        };
        let started = world.with(CLIENT, |transfers, cx| transfers.start(cx, request));
        assert_eq!(started.is_ok(), fits);
    }
}

/// F10: where the file system takes two names for one, the second fails before anything is done with it; elsewhere both are kept.
#[test]
fn f10_names_that_collide_are_found_before_anything_is_written() {
    for (seed, folds) in [(60, true), (61, false), (62, true), (63, true)] {
        let up = seed % 2 == 0;
        let overwrite = if seed == 62 {
            Overwrite::Compare
        } else {
            Overwrite::Replace
        };
        let (source, from, sink, to) = ends(up);
        let mut world = World::new(seed, BAD, limits());
        let disk = &mut world.ends[source].disk;
        for name in ["", "/d", "/D", "/e"] {
            dir(disk, &format!("{from}{name}"), 1);
        }
        for (name, size) in [
            ("/a", 10),
            ("/A", 20),
            ("/b", 900_000),
            ("/B", 800_000),
            ("/d/x", 5),
            ("/D/y", 6),
            ("/e/a", 7),
        ] {
            let at = format!("{from}{name}").into_bytes();
            disk.files.insert(at, file(size, size));
        }
        disk.files
            .insert(format!("{from}/E").into_bytes(), link(b"a"));
        dir(&mut world.ends[sink].disk, "", 1);
        world.ends[sink].disk.folds = folds;
        world.start(request(up, overwrite));
        world.run();
        let Ok(Finished::Tree(totals)) = world.outcomes(CLIENT)[0] else {
            panic!("{:?}", world.outcomes(CLIENT));
        };
        // Of a/A, b/B, d/D and e/E one each fails, and what is in a directory that failed.
        let reports = world.ends[CLIENT]
            .events
            .iter()
            .flat_map(|(_, event)| match event {
                TransferEvent::Files(files) => files.clone(),
                _ => Vec::new(),
            });
        let collisions = reports.filter(|report| report.result == Err(ErrorCode::NameCollision));
        assert_eq!(collisions.count(), if folds { 4 } else { 0 }, "{seed}");
        assert_eq!(totals.failed == 0, !folds);
        let stored = tree(&world.ends[sink].disk, to);
        let planted = tree(&world.ends[source].disk, from);
        assert!(
            stored
                .files
                .iter()
                .all(|(name, file)| planted.files.get(name) == Some(file))
        );
        assert_eq!(stored.files.len() as u64, totals.files + totals.links);
    }
}
