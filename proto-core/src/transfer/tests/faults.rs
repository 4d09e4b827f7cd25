//! Failures at every operation, cancellation and loss of the session at every moment.

use super::ends::*;
use super::files::{ends, request};
use super::world::World;
use crate::event::{Failure, Finished};
use crate::file::FileError;
use crate::transfer::Overwrite;
use crate::wire::{ErrorCode, StoredAs};

type Outcome = Result<Finished, Failure>;

/// Whether the two ends may have come to these outcomes; `crossed` when an end may have given up while the other was
/// done.
fn agree(client: &[Outcome], server: &[Outcome], crossed: bool) -> bool {
    match (client, server) {
        ([Ok(a)], [Ok(b)]) => a == b,
        ([Err(a)], [Err(b)]) => {
            let code = |failure: &Failure| match failure {
                Failure::Here(code) | Failure::Peer(code) | Failure::Refused(code) => Some(*code),
                Failure::SessionLost | Failure::NoAnswer => None,
            };
            crossed || code(a) == code(b)
        }
        // The server never heard of it.
        ([Err(_)], []) => true,
        ([Ok(_)], [Err(_)]) | ([Err(_)], [Ok(_)]) => crossed,
        _ => false,
    }
}

fn check_target(world: &World, up: bool, old: bool, context: &str) {
    let (from, name, to, target) = ends(up);
    let stored = world.outcomes(to).iter().any(|outcome| {
        matches!(
            outcome,
            Ok(Finished::Stored {
                how: StoredAs::Written,
                ..
            })
        )
    });
    let now = world.ends[to]
        .disk
        .files
        .get(target)
        .map(|file| &file.content);
    if stored {
        assert_eq!(
            now,
            Some(&world.ends[from].disk.files[name].content),
            "{context}"
        );
    } else if old {
        assert_eq!(now.map(Vec::len), Some(10), "{context}");
    } else {
        assert_eq!(now, None, "{context}");
    }
}

use alloc::format;
use alloc::vec::Vec;

const ERRORS: [FileError; 6] = [
    FileError::Io,
    FileError::NoSpace,
    FileError::Denied,
    FileError::NotFound,
    FileError::Exists,
    FileError::Exhausted,
];

#[test]
fn d2_every_failure_at_every_operation_leaves_no_trace() {
    for up in [false, true] {
        for overwrite in [Overwrite::Replace, Overwrite::Compare] {
            for (end, error) in [CLIENT, SERVER]
                .into_iter()
                .flat_map(|end| ERRORS.map(|error| (end, error)))
            {
                for number in 0.. {
                    let mut world = World::new(number as u64, BAD, limits());
                    let (from, name, to, target) = ends(up);
                    world.put_file(from, name, 2 * BLOCK + 5);
                    let old = number % 2 == 0;
                    if old {
                        world.put_file(to, target, 10);
                    }
                    world.ends[end].disk.fail = Some((number, error));
                    world.start(request(up, overwrite));
                    world.run_despite_leftovers();
                    let log = &world.ends[end].disk.log;
                    let context = format!("{error:?} at {number} of {log:?}, end {end}, up {up}");
                    assert_eq!(world.closed, None, "{context}");
                    assert!(
                        world.ends.iter().all(|end| end.transfers.is_drained()),
                        "{context}"
                    );
                    let (client, server) = (world.outcomes(CLIENT), world.outcomes(SERVER));
                    assert!(
                        agree(&client, &server, false),
                        "{context}: {client:?} {server:?}"
                    );
                    assert!(
                        world.ends.iter().all(|end| end.disk.open_files() == 0),
                        "{context}"
                    );
                    let removal = log.get(number) == Some(&"Remove");
                    assert!(
                        removal || world.ends[to].disk.temp_files() == 0,
                        "{context}"
                    );
                    check_target(&world, up, old, &context);
                    if log.len() <= number {
                        break;
                    }
                }
            }
        }
    }
}

#[test]
fn a_directory_that_cannot_be_synced_is_said_so() {
    let mut world = World::new(1, PERFECT, limits());
    world.put_file(CLIENT, b"here", 1);
    world.ends[SERVER].disk.fail = Some((8, FileError::Io));
    world.start(request(true, Overwrite::Replace));
    world.run();
    assert_eq!(world.ends[SERVER].disk.log.last(), Some(&"SyncDir"));
    let file_only = |outcome: &Outcome| {
        matches!(
            outcome,
            Ok(Finished::Stored {
                durability: crate::wire::Durability::File,
                ..
            })
        )
    };
    assert!(
        world.outcomes(CLIENT).iter().all(file_only)
            && world.outcomes(SERVER).iter().all(file_only)
    );
}

/// A world in the middle of a transfer, `steps` after its start.
fn midway(seed: u64, up: bool, old: bool) -> World {
    let mut world = World::new(seed, BAD, limits());
    let (from, name, to, target) = ends(up);
    let size = world.random(3 * BLOCK);
    world.put_file(from, name, size);
    if old {
        world.put_file(to, target, 10);
    }
    let overwrite = if seed.is_multiple_of(3) {
        Overwrite::Compare
    } else {
        Overwrite::Replace
    };
    world.start(request(up, overwrite));
    for _ in 0..world.random(400) {
        world.step();
    }
    world
}

#[test]
fn cancellation_at_any_moment_by_either_end() {
    for seed in 0..2_000 {
        let (up, old, end) = (seed & 1 == 0, seed & 2 == 0, (seed >> 2 & 1) as usize);
        let mut world = midway(seed, up, old);
        for key in world.with(end, |transfers, _| transfers.keys()) {
            let done = world.with(end, |transfers, cx| {
                transfers.cancel(cx, key, ErrorCode::Cancelled)
            });
            assert_eq!(done, Ok(()));
        }
        world.run();
        assert_eq!(world.closed, None);
        let (client, server) = (world.outcomes(CLIENT), world.outcomes(SERVER));
        assert!(
            agree(&client, &server, true),
            "seed {seed}: {client:?} {server:?}"
        );
        check_target(&world, up, old, &format!("seed {seed}"));
    }
}

#[test]
fn loss_of_the_session_at_any_moment() {
    for seed in 0..2_000 {
        let (up, old) = (seed & 1 == 0, seed & 2 == 0);
        let mut world = midway(seed, up, old);
        world.cut = true;
        for end in [CLIENT, SERVER] {
            for _ in 0..world.random(20) {
                world.step();
            }
            world.with(end, |transfers, cx| transfers.session_lost(cx));
            assert!(world.ends[end].transfers.is_idle() && !world.ends[end].transfers.has_frames());
        }
        // The session's own last event may follow as soon as all is told: nothing comes after that.
        let mut told = [None; 2];
        for _ in 0..100 {
            world.step();
            for (told, end) in told.iter_mut().zip(&world.ends) {
                let now = end.transfers.is_told().then_some(end.events.len());
                *told = told.or(now);
            }
        }
        world.run();
        let events = [CLIENT, SERVER].map(|end| Some(world.ends[end].events.len()));
        assert_eq!(told, events, "seed {seed}");
        check_target(&world, up, old, &format!("seed {seed}"));
    }
}

#[test]
fn all_transfers_can_be_given_up_at_once() {
    let mut world = midway(77, true, false);
    world.put_file(SERVER, b"dir/there", 5 * BLOCK);
    world.start(request(false, Overwrite::Replace));
    world.step();
    world.with(CLIENT, |transfers, cx| transfers.cancel_all(cx));
    assert!(!world.ends[CLIENT].transfers.is_drained());
    world.run();
}

#[test]
fn i2_a_source_that_changes_is_noticed() {
    for seed in 0..200 {
        let mut world = World::new(seed, BAD, limits());
        let up = seed & 1 == 0;
        let (from, name, to, target) = ends(up);
        world.put_file(from, name, 20 * BLOCK);
        world.start(request(up, Overwrite::Replace));
        for _ in 0..world.random(200) {
            world.step();
        }
        let file = world.ends[from].disk.files.get_mut(name).unwrap();
        let before = file.content.clone();
        file.changes += 1;
        match seed % 3 {
            0 => file.content.truncate(3 * BLOCK as usize),
            1 => file.content.push(1),
            _ => file.content.fill(9),
        }
        world.run();
        let now = world.ends[to]
            .disk
            .files
            .get(target)
            .map(|file| &file.content);
        match world.outcomes(to)[..] {
            // It was opened after the change, or everything had been read before it.
            [Ok(_)] => assert!(
                now == Some(&before) || now == Some(&world.ends[from].disk.files[name].content)
            ),
            [Err(Failure::Peer(ErrorCode::SourceChanged))] => assert_eq!(now, None),
            ref other => unreachable!("{other:?}"),
        }
    }
}

/// The source reads it again, for it may be what it holds in memory that is wrong; and what it hears of packets from before
/// says nothing of what it sends again.
#[test]
fn a_piece_that_is_spoiled_at_either_end_comes_once_more_over_any_link() {
    for seed in 0..200 {
        for end in [CLIENT, SERVER] {
            let mut world = World::new(seed, BAD, limits());
            let content = world.put_file(CLIENT, b"here", 3 * BLOCK);
            world.ends[end].disk.spoil = Some((seed % 3, 1));
            world.start(request(true, Overwrite::Replace));
            world.run();
            assert!(world.outcomes(CLIENT)[0].is_ok(), "seed {seed}, end {end}");
            let stored = &world.ends[SERVER].disk.files[&b"dir/there"[..]];
            assert!(stored.content == content, "seed {seed}, end {end}");
        }
    }
}

#[test]
fn a_spoiled_piece_comes_once_more() {
    for size in [BLOCK - 5, 3 * BLOCK, 40 * BLOCK] {
        for index in [0, (size / BLOCK).min(17)] {
            for (times, fails) in [(1, false), (2, true)] {
                let mut world = World::new(
                    times.into(),
                    BAD,
                    Limits {
                        sink_blocks: 4,
                        ..limits()
                    },
                );
                let content = world.put_file(CLIENT, b"here", size);
                world.ends[SERVER].disk.spoil = Some((index.min((size - 1) / BLOCK), times));
                world.start(request(true, Overwrite::Replace));
                world.run();
                if fails {
                    assert_eq!(
                        world.outcomes(CLIENT),
                        [Err(Failure::Peer(ErrorCode::Integrity))]
                    );
                    assert!(
                        !world.ends[SERVER]
                            .disk
                            .files
                            .contains_key(&b"dir/there"[..])
                    );
                } else {
                    assert!(world.outcomes(CLIENT)[0].is_ok());
                    assert!(world.ends[SERVER].disk.files[&b"dir/there"[..]].content == content);
                }
            }
        }
    }
}

use crate::limits::Limits;
