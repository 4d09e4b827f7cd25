//! Listings: complete, in pages, without dhow's own files.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::time::Instant;

use proto_core::wire::{Entry, EntryKind};
use proto_core::{FileError, Operation, Outcome, RootId};

use super::{World, path};
use crate::executor::run::Disk;

/// One page: names and kinds, and the next cursor.
fn page(
    disk: &Disk,
    root: RootId,
    name: &str,
    cursor: u64,
    max: u32,
) -> (Vec<(Vec<u8>, EntryKind)>, Option<u64>) {
    let list = Operation::List {
        root,
        path: path(name),
        cursor,
        max,
        versions: false,
        filter: None,
    };
    match disk.perform(list, 0).1.unwrap() {
        Outcome::Page { entries, next, .. } => {
            assert!(entries.len() <= max as usize);
            let mut rest = entries.as_slice();
            let mut found = Vec::new();
            while !rest.is_empty() {
                let entry = Entry::decode(&mut rest).unwrap();
                found.push((entry.name.to_vec(), entry.kind));
            }
            (found, next)
        }
        other => panic!("a page expected: {other:?}"),
    }
}

/// The names of a whole listing, sorted; no name may come twice.
pub(super) fn all(disk: &Disk, root: RootId, name: &str, max: u32) -> Vec<String> {
    let mut names = BTreeSet::new();
    let mut cursor = Some(0);
    while let Some(at) = cursor {
        let (found, next) = page(disk, root, name, at, max);
        for (name, _) in found {
            let name = name.escape_ascii().to_string();
            assert!(names.insert(name.clone()), "{name} comes twice");
        }
        cursor = next;
    }
    names.into_iter().collect()
}

#[test]
fn kinds_are_those_of_the_entries_themselves() {
    let world = World::new();
    fs::write(world.at("file"), b"").unwrap();
    fs::create_dir(world.at("dir")).unwrap();
    std::os::unix::fs::symlink("file", world.at("link")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(world.at("socket")).unwrap();
    let (mut found, next) = page(&world.disk, world.root, "", 0, 65_536);
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let name = |text: &str| text.as_bytes().to_vec();
    assert_eq!(
        found,
        [
            (name("dir"), EntryKind::Directory),
            (name("file"), EntryKind::File),
            (name("link"), EntryKind::Symlink),
            (name("socket"), EntryKind::Other),
        ]
    );
    assert_eq!(next, None);
    drop(socket);
}

#[test]
fn f8_own_files_are_hidden_and_odd_names_are_not() {
    let world = World::new();
    for name in [".dhow-x", ".dhow", ".hidden"] {
        fs::write(world.at(name), b"").unwrap();
    }
    fs::write(world.at("").join(OsStr::from_bytes(b"\xff\n")), b"").unwrap();
    assert_eq!(
        all(&world.disk, world.root, "", 65_536),
        [".dhow", ".hidden", "\\xff\\n"]
    );
}

#[test]
fn every_page_size_gives_the_same_entries() {
    for world in [World::new(), World::walking()] {
        let mut names: Vec<_> = (0..1_000).map(|n| format!("file-{n:04}")).collect();
        for name in &names {
            fs::write(world.at(name), b"").unwrap();
        }
        names.sort();
        for max in [64, 100, 1_000, 65_536] {
            assert_eq!(
                all(&world.disk, world.root, "", max),
                names,
                "pages of {max} bytes"
            );
        }
        let tiny = Operation::List {
            root: world.root,
            path: path(""),
            cursor: 0,
            max: 3,
            versions: false,
            filter: None,
        };
        assert_eq!(world.run(tiny), Err(FileError::Io), "not even one entry");
    }
}

#[test]
fn a_cursor_works_when_its_stream_is_gone() {
    let world = World::new();
    for n in 0..300 {
        fs::write(world.at(&format!("{n:03}")), b"").unwrap();
    }
    // Far more listings at once than streams are kept, in step with each other.
    let mut listings: Vec<_> = (0..100).map(|_| (Some(0), BTreeSet::new())).collect();
    while listings.iter().any(|(cursor, _)| cursor.is_some()) {
        for (cursor, names) in &mut listings {
            if let Some(at) = *cursor {
                let (found, next) = page(&world.disk, world.root, "", at, 600);
                for (name, _) in found {
                    assert!(names.insert(name));
                }
                *cursor = next;
            }
        }
    }
    assert!(listings.iter().all(|(_, names)| names.len() == 300));
}

#[test]
fn a_large_directory_costs_one_pass() {
    let world = World::new();
    let count = 20_000;
    for n in 0..count {
        rustix::fs::mknodat(
            rustix::fs::CWD,
            world.at(&n.to_string()),
            rustix::fs::FileType::RegularFile,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
    }
    let begin = Instant::now();
    assert_eq!(all(&world.disk, world.root, "", 65_536).len(), count);
    let few = begin.elapsed();
    let begin = Instant::now();
    assert_eq!(all(&world.disk, world.root, "", 512).len(), count);
    let many = begin.elapsed();
    // 128 times as many pages: a pass for each would take 1,000 times as long.
    assert!(
        many < few * 20,
        "{few:?} in large pages, {many:?} in small ones"
    );
}
