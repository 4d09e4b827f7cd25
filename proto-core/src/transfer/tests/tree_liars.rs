//! Peers that lie about directories.

use alloc::format;
use alloc::vec::Vec;

use super::ends::*;
use super::trees::{self, plant_empty};
use super::world::World;
use crate::transfer::{Overwrite, Taken};
use crate::wire::{CloseCode, Entry, EntryKind, ErrorCode, Frame};

/// A sink at the server that knows of its directory, and whose client says nothing by itself.
fn sink() -> World {
    let mut world = World::new(1, PERFECT, limits());
    plant_empty(&mut world.ends[CLIENT].disk, "here");
    plant_empty(&mut world.ends[SERVER].disk, "elsewhere");
    world.start(trees::request(true, Overwrite::Replace));
    while world.ends[SERVER].transfers.keys().is_empty() {
        world.step();
    }
    world.step();
    world.link.window = 0;
    let said = say(&mut world, &entry(0, 0, EntryKind::Directory, 0, b""));
    assert_eq!(said, Ok(Taken::Yes));
    while !world.ends[SERVER].disk.dirs.contains_key(&b"there"[..]) {
        assert!(world.step());
    }
    world
}

fn entry(file: u64, parent: u64, kind: EntryKind, size: u64, name: &[u8]) -> Frame<'_> {
    let entry = Entry {
        kind,
        size,
        mtime: 0,
        mode: 0o644,
        name,
    };
    Frame::Entry {
        transfer: 0,
        file,
        parent,
        version: &[0; 16],
        entry,
    }
}

fn say(world: &mut World, frame: &Frame<'_>) -> Result<Taken, CloseCode> {
    world.with(SERVER, |transfers, cx| transfers.handle_frame(cx, frame))
}

const FILE: EntryKind = EntryKind::File;

#[test]
fn c1_names_that_escape_break_the_protocol() {
    let long = [b'n'; 256];
    for name in [
        &b".."[..],
        b".",
        b"",
        b"a/b",
        b"/",
        b"/etc",
        b"../x",
        b"a\0",
        &long,
    ] {
        for kind in [FILE, EntryKind::Directory, EntryKind::Symlink] {
            let said = say(&mut sink(), &entry(9, 0, kind, 0, name));
            assert_eq!(
                said,
                Err(CloseCode::ProtocolViolation),
                "{}",
                name.escape_ascii()
            );
        }
    }
}

#[test]
fn f7_f8_names_are_refused_for_their_file() {
    for name in [&b".dhow-x"[..], b"a\nb", b"\x7f"] {
        let mut world = sink();
        assert_eq!(say(&mut world, &entry(9, 0, FILE, 0, name)), Ok(Taken::Yes));
        world.step();
        let refused = trees::reports(&world, SERVER);
        assert_eq!(
            refused.last().map(|report| report.result),
            Some(Err(ErrorCode::NameRefused))
        );
    }
}

#[test]
fn parents_are_directories_that_came_before() {
    let mut world = sink();
    assert_eq!(
        say(&mut world, &entry(5, 9, FILE, 0, b"a")),
        Err(CloseCode::ProtocolViolation)
    );
    let mut world = sink();
    assert_eq!(say(&mut world, &entry(5, 0, FILE, 3, b"a")), Ok(Taken::Yes));
    assert_eq!(
        say(&mut world, &entry(6, 5, FILE, 0, b"b")),
        Err(CloseCode::ProtocolViolation)
    );
}

#[test]
fn entries_beyond_credit_close_the_session() {
    let mut world = sink();
    let mut said = Ok(Taken::Yes);
    let mut count = 0_u64;
    while said == Ok(Taken::Yes) && count < 100_000 {
        count += 1;
        let name = format!("n{count}").into_bytes();
        said = say(&mut world, &entry(count + 1, 0, FILE, 1, &name));
    }
    assert_eq!(said, Err(CloseCode::FlowControl));
    // A unit for the entry and one for its byte.
    assert!(count < 64 * 16, "{count} entries were taken");
}

#[test]
fn bytes_beyond_a_small_file_close_the_session() {
    let data = |file, offset, data| Frame::Data {
        transfer: 0,
        file,
        offset,
        data,
    };
    let mut world = sink();
    assert_eq!(say(&mut world, &entry(5, 0, FILE, 3, b"a")), Ok(Taken::Yes));
    assert_eq!(
        say(&mut world, &data(5, 1, b"abc")),
        Err(CloseCode::FlowControl)
    );
    // Before its ENTRY.
    assert_eq!(
        say(&mut sink(), &data(7, 65_530, &[1; 7])),
        Err(CloseCode::FlowControl)
    );
}

#[test]
fn one_number_twice_changes_nothing() {
    let mut world = sink();
    assert_eq!(say(&mut world, &entry(5, 0, FILE, 1, b"a")), Ok(Taken::Yes));
    assert_eq!(
        say(&mut world, &entry(5, 0, EntryKind::Directory, 0, b"b")),
        Ok(Taken::Yes)
    );
    let data = Frame::Data {
        transfer: 0,
        file: 5,
        offset: 0,
        data: b"x",
    };
    let root = *blake3::hash(b"x").as_bytes();
    let seal = Frame::Seal {
        transfer: 0,
        file: 5,
        size: 1,
        root: &root,
    };
    for frame in [data, seal, data, seal] {
        assert_eq!(say(&mut world, &frame), Ok(Taken::Yes));
    }
    for _ in 0..200 {
        world.step();
    }
    let stored: Vec<_> = world.ends[SERVER].disk.files.keys().collect();
    assert_eq!(stored, [b"there/a"]);
}

#[test]
fn i1_bytes_with_another_hash_are_not_stored() {
    let mut world = sink();
    let seal = Frame::Seal {
        transfer: 0,
        file: 5,
        size: 0,
        root: &[7; 32],
    };
    assert_eq!(say(&mut world, &entry(5, 0, FILE, 0, b"a")), Ok(Taken::Yes));
    assert_eq!(say(&mut world, &seal), Ok(Taken::Yes));
    for _ in 0..200 {
        world.step();
    }
    let told = trees::reports(&world, SERVER);
    assert!(
        told.iter()
            .any(|report| report.path == b"a" && report.result == Err(ErrorCode::Integrity))
    );
    assert!(world.ends[SERVER].disk.files.is_empty());
}

#[test]
fn c6_a_tree_ends_at_a_million_entries() {
    let mut world = sink();
    let said = say(&mut world, &entry(1_000_000, 0, FILE, 0, b"a"));
    assert_eq!(said, Ok(Taken::Yes));
    world.link.window = 64;
    world.run();
    assert_eq!(
        world.outcomes(SERVER),
        [Err(crate::event::Failure::Here(ErrorCode::TooLarge))]
    );
}
