//! Directories made, things removed and renamed at the peer.

use alloc::format;
use alloc::vec::Vec;

use super::ends::*;
use super::world::World;
use crate::endpoint::StartError;
use crate::event::{Failure, Finished};
use crate::file::FileError;
use crate::limits::Limits;
use crate::transfer::Request;
use crate::wire::{CloseCode, Durability, ErrorCode, FilePath, Frame};

fn path(path: &[u8]) -> FilePath {
    FilePath::parse(path).expect("a good path")
}

fn make(at: &[u8], parents: bool, exclusive: bool) -> Request {
    Request::MakeDir {
        path: path(at),
        parents,
        exclusive,
        durability: Durability::Full,
    }
}

fn remove(at: &[u8], recursive: bool) -> Request {
    Request::Remove {
        path: path(at),
        recursive,
        durability: Durability::Full,
    }
}

fn rename(from: &[u8], to: &[u8], replace: bool) -> Request {
    Request::Rename {
        from: path(from),
        to: path(to),
        replace,
        durability: Durability::Full,
    }
}

/// A world whose server has the directory `d` with the file `d/f`, and the file `g`.
fn world(seed: u64, link: Link) -> World {
    let mut world = World::new(seed, link, Limits::default());
    world.put_file(SERVER, b"d/f", 10);
    world.put_file(SERVER, b"g", 20);
    for dir in [b"".as_slice(), b"d"] {
        world.ends[SERVER]
            .disk
            .dirs
            .insert(dir.to_vec(), (0, 0o755));
    }
    world
}

fn changed(count: u64) -> Result<Finished, Failure> {
    let durability = Durability::Full;
    Ok(Finished::Changed { count, durability })
}

/// What a request comes to at both ends, and the names that the server has afterwards.
fn ask(seed: u64, link: Link, request: Request) -> (Result<Finished, Failure>, Vec<Vec<u8>>) {
    let mut world = world(seed, link);
    world.start(request);
    world.run();
    let (client, server) = (world.outcomes(CLIENT), world.outcomes(SERVER));
    assert_eq!((client.len(), server.len()), (1, 1));
    let same = match (client[0], server[0]) {
        (Err(Failure::Refused(told)), Err(Failure::Here(code))) => told == code,
        (client, server) => client == server,
    };
    assert!(same, "{client:?} and {server:?}");
    let disk = &world.ends[SERVER].disk;
    let mut names: Vec<Vec<u8>> = disk.files.keys().chain(disk.dirs.keys()).cloned().collect();
    names.sort();
    (client[0], names)
}

fn refused(code: ErrorCode) -> Result<Finished, Failure> {
    Err(Failure::Refused(code))
}

/// A request, what it comes to, and the names that are there afterwards.
type Case<'a> = (Request, Result<Finished, Failure>, &'a [&'a [u8]]);

#[test]
fn each_change_is_made_and_counted() {
    let start: [&[u8]; 4] = [b"", b"d", b"d/f", b"g"];
    let cases: [Case<'_>; 14] = [
        (
            make(b"n", false, true),
            changed(1),
            &[b"", b"d", b"d/f", b"g", b"n"],
        ),
        (make(b"d", false, false), changed(0), &start),
        (make(b"d", false, true), refused(ErrorCode::Exists), &start),
        (
            make(b"g", true, false),
            refused(ErrorCode::NotDirectory),
            &start,
        ),
        (
            make(b"x/y", false, false),
            refused(ErrorCode::NotFound),
            &start,
        ),
        (
            make(b"d/x/y", true, true),
            changed(2),
            &[b"", b"d", b"d/f", b"d/x", b"d/x/y", b"g"],
        ),
        (remove(b"g", false), changed(1), &[b"", b"d", b"d/f"]),
        (remove(b"d", false), refused(ErrorCode::NotEmpty), &start),
        (remove(b"d", true), changed(2), &[b"", b"g"]),
        (remove(b"x", true), refused(ErrorCode::NotFound), &start),
        (
            rename(b"g", b"d/g", false),
            changed(1),
            &[b"", b"d", b"d/f", b"d/g"],
        ),
        (
            rename(b"d", b"e", false),
            changed(1),
            &[b"", b"e", b"e/f", b"g"],
        ),
        (
            rename(b"g", b"d/f", false),
            refused(ErrorCode::Exists),
            &start,
        ),
        (rename(b"g", b"d/f", true), changed(1), &[b"", b"d", b"d/f"]),
    ];
    for (seed, (request, expected, names)) in (0..).zip(cases) {
        for link in [PERFECT, BAD] {
            let shown = format!("{request:?}");
            let (outcome, found) = ask(seed, link, request.clone());
            assert_eq!(outcome, expected, "{shown}");
            assert_eq!(found, names, "{shown}");
        }
    }
}

#[test]
fn a_directory_is_never_replaced() {
    let code = ErrorCode::IsDirectory;
    assert_eq!(ask(1, BAD, rename(b"g", b"d", true)).0, refused(code));
    let mut world = world(2, BAD);
    world.ends[SERVER].may_replace = false;
    world.start(rename(b"g", b"d/f", true));
    world.run();
    assert_eq!(world.outcomes(CLIENT), [refused(ErrorCode::Exists)]);
}

/// More names than one operation removes: the disk is asked several times, and the peer hears that it is under way.
#[test]
fn a_large_directory_is_removed_piece_by_piece() {
    let mut world = world(3, BAD);
    for number in 0..3_000 {
        world.put_file(SERVER, format!("d/{number}").as_bytes(), 1);
    }
    let key = world.start(remove(b"d", true));
    world.run();
    assert_eq!(world.outcomes(CLIENT), [changed(3_002)]);
    let log = &world.ends[SERVER].disk.log;
    assert_eq!(log.iter().filter(|name| **name == "RemoveTree").count(), 3);
    let accepted = (key, crate::transfer::TransferEvent::Accepted);
    assert!(world.ends[CLIENT].events.contains(&accepted));
}

#[test]
fn a_removal_that_is_given_up_stops_and_can_be_repeated() {
    let mut world = world(4, PERFECT);
    for number in 0..5_000 {
        world.put_file(SERVER, format!("d/{number}").as_bytes(), 1);
    }
    world.disk_delay = 20_000;
    let key = world.start(remove(b"d", true));
    while world.ends[SERVER].disk.files.len() > 4_000 {
        assert!(world.step());
    }
    let cancelled = world.with(CLIENT, |transfers, cx| {
        transfers.cancel(cx, key, ErrorCode::Cancelled)
    });
    assert_eq!(cancelled, Ok(()));
    world.run();
    let left = world.ends[SERVER].disk.files.len();
    assert!(left > 1, "it went on");
    world.start(remove(b"d", true));
    world.run();
    let last = world.outcomes(CLIENT).pop();
    assert_eq!(last, Some(changed(left as u64)));
}

/// The peer learns of every failure, whichever operation it is that fails; what was done and cannot be synced is done,
/// and less is promised of it.
#[test]
fn failures_at_each_step_are_told() {
    let requests = [
        make(b"d/x/y", true, true),
        remove(b"d", true),
        rename(b"g", b"d/g", false),
    ];
    for request in requests {
        for at in 0..4 {
            let mut world = world(5 + at as u64, BAD);
            world.ends[SERVER].disk.fail = Some((at, FileError::Io));
            world.start(request.clone());
            world.run();
            let log = &world.ends[SERVER].disk.log;
            let failed = log.get(at).copied();
            let (outcome, context) = (world.outcomes(CLIENT)[0], format!("{request:?} {log:?}"));
            match failed {
                None => assert!(matches!(outcome, Ok(Finished::Changed { .. })), "{context}"),
                Some("SyncDir") => assert!(
                    matches!(
                        outcome,
                        Ok(Finished::Changed {
                            durability: Durability::None,
                            ..
                        })
                    ),
                    "{context}"
                ),
                Some(_) => {
                    let told = [
                        Failure::Refused(ErrorCode::Io),
                        Failure::Peer(ErrorCode::Io),
                    ];
                    assert!(told.map(Err).contains(&outcome), "{context}: {outcome:?}");
                }
            }
        }
    }
}

#[test]
fn a_rename_that_is_under_way_is_not_given_up() {
    let mut world = world(9, PERFECT);
    world.disk_delay = 50_000;
    world.start(rename(b"g", b"h", false));
    while world.ends[SERVER].loans.is_empty() {
        assert!(world.step());
    }
    for end in [CLIENT, SERVER] {
        world.with(end, |transfers, cx| transfers.session_lost(cx));
    }
    world.run();
    assert_eq!(world.outcomes(CLIENT), [Err(Failure::SessionLost)]);
    assert_eq!(world.outcomes(SERVER), [changed(1)]);
    assert!(world.ends[SERVER].disk.files.contains_key(b"h".as_slice()));
}

#[test]
fn f8_own_names_cannot_be_changed() {
    for request in [
        make(b"d/.dhow-x", false, false),
        remove(b".dhow-x", true),
        rename(b"g", b".dhow-x/y", false),
        rename(b".dhow-x", b"y", false),
    ] {
        let mut world = world(6, PERFECT);
        world.start(request);
        world.run();
        assert_eq!(world.outcomes(CLIENT), [refused(ErrorCode::NameRefused)]);
        assert!(world.ends[SERVER].events.is_empty());
    }
}

#[test]
fn two_paths_must_fit_one_packet_together() {
    let mut world = world(7, PERFECT);
    let long = |letter: u8| {
        let part = [letter; 200];
        (0..3).try_fold(FilePath::root(), |path, _| path.join(&part))
    };
    let request = Request::Rename {
        from: long(b'a').expect("a good path"),
        to: long(b'b').expect("a good path"),
        replace: false,
        durability: Durability::None,
    };
    let started = world.with(CLIENT, |transfers, cx| transfers.start(cx, request));
    assert_eq!(started, Err(StartError::PathTooLong));
}

/// DONE answers changes of names only, and ENTRY never does.
#[test]
fn other_answers_are_breaches() {
    let done = Frame::Done {
        transfer: 0,
        count: 1,
        durability: Durability::Full,
    };
    let entry = super::liars::entry(3);
    for (request, answer) in [
        (Request::Stat { path: path(b"g") }, done),
        (Request::List { path: path(b"d") }, done),
        (super::files::get(crate::transfer::Overwrite::Replace), done),
        (remove(b"g", false), entry),
    ] {
        let mut world = world(8, PERFECT);
        world.start(request);
        for _ in 0..2 {
            world.step();
        }
        super::liars::say(&mut world, CLIENT, &answer);
        assert_eq!(world.closed, Some(CloseCode::ProtocolViolation));
    }
}
