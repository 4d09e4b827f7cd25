//! Listings, metadata, and the rules of requests.

use alloc::format;
use alloc::vec::Vec;

use super::ends::*;
use super::world::World;
use crate::endpoint::StartError;
use crate::event::{Failure, Finished};
use crate::limits::Limits;
use crate::time::Duration;
use crate::transfer::{Request, TransferEvent};
use crate::wire::{Entry, ErrorCode, FilePath};

fn names(world: &World) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    for (_, event) in &world.ends[CLIENT].events {
        let TransferEvent::Listing(entries) = event else {
            continue;
        };
        let mut rest = &entries[..];
        while !rest.is_empty() {
            let entry = Entry::decode(&mut rest).expect("whole entries only");
            names.push(entry.name.to_vec());
        }
    }
    names
}

#[test]
fn directories_of_every_size_are_listed() {
    for (seed, link) in [
        (1, PERFECT),
        (2, BAD),
        (
            3,
            Link {
                packet: 8_900,
                ..BAD
            },
        ),
    ] {
        for count in [0, 1, 2, 300, 5_000] {
            for page in [600, 65_536] {
                let mut world = World::new(seed, link, Limits { page, ..limits() });
                let name = |i: usize| format!("file {i:05} {}", "x".repeat(i % 200)).into_bytes();
                for i in 0..count {
                    world.put_file(SERVER, &name(i), 0);
                }
                world.start(Request::List {
                    path: FilePath::root(),
                });
                world.run();
                assert_eq!(world.outcomes(CLIENT), [Ok(Finished::Answered)]);
                assert_eq!(world.outcomes(SERVER), [Ok(Finished::Answered)]);
                assert_eq!(names(&world), (0..count).map(name).collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn a_listing_that_nobody_takes_stops_at_its_window() {
    let mut world = World::new(4, PERFECT, limits());
    for i in 0..5_000 {
        world.put_file(
            SERVER,
            format!("a long enough name of a file {i:05}").as_bytes(),
            0,
        );
    }
    world.ends[CLIENT].deaf = true;
    world.start(Request::List {
        path: FilePath::root(),
    });
    while world.step() {}
    let packets = world.packets;
    assert!(packets < 80, "{packets} packets for a window of 64 KiB");
    world.ends[CLIENT].deaf = false;
    world.run();
    assert_eq!(names(&world).len(), 5_000);
}

#[test]
fn metadata_is_answered() {
    for seed in 0..50 {
        let mut world = World::new(seed, BAD, limits());
        world.put_file(SERVER, b"a", 12_345);
        world.start(Request::Stat { path: path(b"a") });
        world.start(Request::Stat { path: path(b"b") });
        world.run();
        let mut outcomes = world.outcomes(CLIENT);
        outcomes.sort_by_key(|outcome| outcome.is_err());
        assert_eq!(
            outcomes,
            [
                Ok(Finished::Answered),
                Err(Failure::Refused(ErrorCode::NotFound))
            ]
        );
        let sizes: Vec<u64> = world.ends[CLIENT]
            .events
            .iter()
            .filter_map(|(_, event)| match event {
                TransferEvent::Entry(info) => Some(info.size),
                _ => None,
            })
            .collect();
        assert_eq!(sizes, [12_345]);
    }
}

#[test]
fn refusals_name_their_code() {
    let mut world = World::new(5, BAD, limits());
    world.ends[SERVER].refuse = Some(ErrorCode::ReadOnly);
    world.put_file(CLIENT, b"here", 10);
    world.start(super::files::put(crate::transfer::Overwrite::Replace));
    world.start(Request::List {
        path: FilePath::root(),
    });
    world.run();
    assert_eq!(
        world.outcomes(CLIENT),
        [Err(Failure::Refused(ErrorCode::ReadOnly)); 2]
    );
    assert_eq!(
        world.outcomes(SERVER),
        [Err(Failure::Here(ErrorCode::ReadOnly)); 2]
    );
}

#[test]
fn undecided_requests_are_refused_after_a_time() {
    let mut world = World::new(6, PERFECT, limits());
    world.ends[SERVER].answers = false;
    world.start(Request::List {
        path: FilePath::root(),
    });
    world.run();
    assert_eq!(
        world.outcomes(CLIENT),
        [Err(Failure::Refused(ErrorCode::TimedOut))]
    );
    assert!(world.now.since(crate::time::Instant::ZERO) >= Duration::from_secs(10));
}

#[test]
fn f8_own_names_cannot_be_asked_for() {
    let mut world = World::new(7, PERFECT, limits());
    world.put_file(SERVER, b".dhow-secret", 10);
    world.start(Request::Stat {
        path: path(b".dhow-secret"),
    });
    world.run_despite_leftovers();
    assert_eq!(
        world.outcomes(CLIENT),
        [Err(Failure::Refused(ErrorCode::NameRefused))]
    );
    assert!(world.ends[SERVER].events.is_empty());
    world.ends[SERVER].disk.files.clear();
    world.check_drained();
}

#[test]
fn h10_requests_wait_for_admission() {
    let mut world = World::new(8, BAD, limits());
    world.ends[SERVER].transfers =
        crate::transfer::Transfers::new(crate::crypto::Direction::Server, &world.config.limits);
    for _ in 0..20 {
        world.start(Request::Stat { path: path(b"a") });
    }
    for _ in 0..500 {
        world.step();
    }
    assert!(world.ends[SERVER].events.is_empty());
    world.ends[SERVER].transfers.admitted();
    world.run();
    assert_eq!(world.outcomes(CLIENT).len(), 20);
}

#[test]
fn m7_open_transfers_are_counted() {
    let mut world = World::new(
        9,
        BAD,
        Limits {
            transfers_per_session: 4,
            ..limits()
        },
    );
    // The server is stricter than the client knows.
    let mut strict = world.config.limits.clone();
    strict.transfers_per_session = 2;
    world.ends[SERVER].transfers =
        crate::transfer::Transfers::new(crate::crypto::Direction::Server, &strict);
    world.ends[SERVER].transfers.admitted();
    world.ends[SERVER].answers = false;
    let stat = || Request::Stat { path: path(b"a") };
    for _ in 0..4 {
        world.start(stat());
    }
    let fifth = world.with(CLIENT, |transfers, cx| transfers.start(cx, stat()));
    assert_eq!(fifth, Err(StartError::TooMany));
    world.run();
    let busy =
        |outcome: &&Result<Finished, Failure>| **outcome == Err(Failure::Refused(ErrorCode::Busy));
    assert_eq!(world.outcomes(CLIENT).iter().filter(busy).count(), 2);
    let long = FilePath::parse(&[[b'x'; 200], [b'/'; 200]].concat()[..0])
        .and_then(|root| (0..6).try_fold(root, |path, _| path.join(&[b'x'; 200])));
    let request = Request::Stat {
        path: long.expect("a good path"),
    };
    let long = world.with(CLIENT, |transfers, cx| transfers.start(cx, request));
    assert_eq!(long, Err(StartError::PathTooLong));
}

#[test]
fn many_requests_in_a_row_keep_their_numbers_apart() {
    let mut world = World::new(10, BAD, limits());
    world.put_file(SERVER, b"a", 1);
    for _ in 0..2_000 {
        while world
            .with(CLIENT, |transfers, cx| {
                transfers.start(cx, Request::Stat { path: path(b"a") })
            })
            .is_err()
        {
            assert!(world.step());
        }
    }
    world.run();
    assert_eq!(
        world.outcomes(CLIENT),
        [Ok(Finished::Answered); 2_000].to_vec()
    );
}

/// M8: an application that does not want entries now makes the server wait.
#[test]
fn m8_a_listing_that_is_held_back_costs_its_window() {
    let mut world = World::new(11, BAD, limits());
    for number in 0..20_000 {
        world.put_file(SERVER, format!("file {number}").as_bytes(), 0);
    }
    let key = world.start(Request::List {
        path: FilePath::root(),
    });
    let listed = |world: &World| {
        let pages = world.ends[CLIENT].events.iter();
        pages
            .map(|(_, event)| match event {
                TransferEvent::Listing(entries) => entries.len(),
                _ => 0,
            })
            .sum::<usize>()
    };
    while listed(&world) == 0 {
        assert!(world.step());
    }
    let hold = |world: &mut World, held| {
        world.with(CLIENT, |transfers, _| transfers.hold_listing(key, held))
    };
    assert_eq!(hold(&mut world, true), Ok(()));
    let before = listed(&world);
    let packets = world.packets;
    for _ in 0..3_000 {
        world.step();
    }
    assert_eq!(listed(&world), before);
    assert!(world.packets - packets < 200, "the server went on");
    assert_eq!(hold(&mut world, false), Ok(()));
    world.run();
    assert_eq!(world.outcomes(CLIENT), [Ok(Finished::Answered)]);
    assert!(listed(&world) > 20_000 * 20);
}
