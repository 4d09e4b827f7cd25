//! Hashes of files at the peer.

use super::ends::*;
use super::world::World;
use crate::event::{Failure, Finished};
use crate::file::FileError;
use crate::limits::Limits;
use crate::time::{Duration, Instant};
use crate::transfer::{Request, TransferEvent};
use crate::wire::{CloseCode, ErrorCode, FilePath, Frame};

fn hash(at: &[u8]) -> Request {
    let path = FilePath::parse(at).expect("a good path");
    Request::Hash { path, link: false }
}

#[test]
fn the_hash_is_blake3s_whatever_the_size() {
    let (block, piece) = (65_536, 1 << 20);
    let borders = [
        0,
        1,
        block,
        block + 1,
        piece,
        4 * piece,
        4 * piece + 1,
        33 * piece + 5,
    ];
    for (seed, size) in (1..).zip(borders) {
        let mut world = World::new(seed, BAD, Limits::default());
        let content = world.put_file(SERVER, b"f", size);
        world.start(hash(b"f"));
        world.run();
        let root = *blake3::hash(&content).as_bytes();
        let expected = [Ok(Finished::Hashed { root, size })];
        assert_eq!(world.outcomes(CLIENT), expected);
        assert_eq!(world.outcomes(SERVER), expected);
    }
}

#[test]
fn of_a_link_itself_what_is_written_there() {
    let ask = |name: &[u8]| {
        let mut world = World::new(1, BAD, Limits::default());
        world.put_file(SERVER, b"d/to", 5);
        world.put_link(SERVER, b"d/link", b"../a/b");
        let path = FilePath::parse(name).expect("a good path");
        world.start(Request::Hash { path, link: true });
        world.run();
        assert_eq!(world.outcomes(CLIENT).len(), 1);
        world.outcomes(CLIENT)[0]
    };
    let root = *blake3::hash(b"../a/b").as_bytes();
    let expected = Ok(Finished::Hashed { root, size: 6 });
    assert_eq!(ask(b"d/link"), expected);
    for (name, code) in [
        (b"d/to".as_slice(), ErrorCode::SourceChanged),
        (b"d/none", ErrorCode::NotFound),
    ] {
        assert_eq!(ask(name), Err(Failure::Refused(code)), "{name:?}");
    }
}

#[test]
fn what_is_no_file_or_cannot_be_read_is_told() {
    for (at, path, error, failure) in [
        (
            9,
            b"none".as_slice(),
            FileError::Io,
            Failure::Refused(ErrorCode::NotFound),
        ),
        (
            9,
            b"d",
            FileError::Io,
            Failure::Refused(ErrorCode::IsDirectory),
        ),
        (
            0,
            b"f",
            FileError::Denied,
            Failure::Refused(ErrorCode::Denied),
        ),
        (2, b"f", FileError::Io, Failure::Peer(ErrorCode::Io)),
        (4, b"f", FileError::Io, Failure::Peer(ErrorCode::Io)),
    ] {
        let mut world = World::new(3, BAD, Limits::default());
        world.put_file(SERVER, b"f", 12 << 20);
        world.ends[SERVER]
            .disk
            .dirs
            .insert(b"d".to_vec(), (0, 0o755));
        world.ends[SERVER].disk.fail = Some((at, error));
        world.start(hash(path));
        world.run();
        assert_eq!(world.outcomes(CLIENT), [Err(failure)], "{path:?} {at}");
    }
}

/// I2: a file that is written while it is read has no hash, one that shrinks neither.
#[test]
fn i2_a_file_that_changes_meanwhile_has_no_hash() {
    for shrinks in [false, true] {
        let mut world = World::new(4, PERFECT, Limits::default());
        world.put_file(SERVER, b"f", 40 << 20);
        world.start(hash(b"f"));
        while !world.ends[SERVER].disk.log.contains(&"Hash") {
            assert!(world.step());
        }
        let file = world.ends[SERVER].disk.files.get_mut(b"f".as_slice());
        let file = file.expect("it is there");
        file.changes += 1;
        if shrinks {
            file.content.truncate(20 << 20);
        }
        world.run();
        let changed = Failure::Peer(ErrorCode::SourceChanged);
        assert_eq!(world.outcomes(CLIENT), [Err(changed)]);
    }
}

/// P10.18: a disk may be as slow as it likes, and who gives up is heard.
#[test]
fn a_slow_disk_is_waited_for_and_a_cancelled_hash_stops() {
    let mut world = World::new(5, PERFECT, Limits::default());
    world.put_file(SERVER, b"f", 80 << 20);
    world.disk_delay = 300_000_000;
    world.start(hash(b"f"));
    world.run();
    assert!(world.now.since(Instant::ZERO) > Duration::from_secs(300));
    assert!(matches!(
        world.outcomes(CLIENT)[..],
        [Ok(Finished::Hashed { .. })]
    ));
    let ops = world.ends[SERVER].disk.log.len();
    let key = world.start(hash(b"f"));
    while world.ends[SERVER].disk.log.len() < ops + 3 {
        assert!(world.step());
    }
    let code = ErrorCode::Cancelled;
    let cancelled = world.with(CLIENT, |transfers, cx| transfers.cancel(cx, key, code));
    assert_eq!(cancelled, Ok(()));
    world.run();
    assert!(world.ends[SERVER].disk.log.len() < ops + 10, "it read on");
    assert_eq!(world.outcomes(SERVER)[1], Err(Failure::Peer(code)));
}

/// ENTRY tells what the file is, before its hash is known; SEAL alone is the answer.
#[test]
fn entry_comes_first_and_seal_ends() {
    let mut world = World::new(6, PERFECT, Limits::default());
    world.put_file(SERVER, b"f", 10 << 20);
    world.start(hash(b"f"));
    world.run();
    let kinds = |event: &TransferEvent| match event {
        TransferEvent::Accepted => 'a',
        TransferEvent::Entry(info) if info.size == 10 << 20 => 'e',
        TransferEvent::Finished { .. } => 'f',
        _ => '?',
    };
    let events: alloc::string::String = world.ends[CLIENT]
        .events
        .iter()
        .map(|(_, event)| kinds(event))
        .collect();
    assert_eq!(events, "aef");
    for (request, breach) in [
        (hash(b"f"), false),
        (
            Request::Stat {
                path: FilePath::root(),
            },
            true,
        ),
    ] {
        let mut world = World::new(7, PERFECT, Limits::default());
        world.cut = true;
        world.start(request);
        world.step();
        let seal = Frame::Seal {
            transfer: 0,
            file: 0,
            size: 3,
            root: &[8; 32],
        };
        super::liars::say(&mut world, CLIENT, &seal);
        assert_eq!(world.closed, breach.then_some(CloseCode::ProtocolViolation));
    }
}
