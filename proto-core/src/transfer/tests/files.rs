//! Files up and down, over good links and bad ones.

use alloc::vec::Vec;

use super::ends::*;
use super::world::World;
use crate::event::{Failure, Finished, LimitedBy};
use crate::file::{FileError, Use};
use crate::limits::Limits;
use crate::transfer::{Overwrite, Request, TransferEvent};
use crate::wire::{Durability, ErrorCode, StoredAs};

pub(super) fn get(overwrite: Overwrite) -> Request {
    Request::Get {
        from: path(b"dir/there"),
        to: place(b"here"),
        overwrite,
        durability: Durability::Full,
        preserve: true,
        keep_top_mode: false,
        tree: false,
    }
}

pub(super) fn put(overwrite: Overwrite) -> Request {
    Request::Put {
        from: place(b"here"),
        to: path(b"dir/there"),
        overwrite,
        durability: Durability::Full,
        tree: false,
    }
}

/// The ends that have and want the file, and its name at each.
pub(super) fn ends(up: bool) -> (usize, &'static [u8], usize, &'static [u8]) {
    if up {
        (CLIENT, b"here", SERVER, b"dir/there")
    } else {
        (SERVER, b"dir/there", CLIENT, b"here")
    }
}

pub(super) fn request(up: bool, overwrite: Overwrite) -> Request {
    if up { put(overwrite) } else { get(overwrite) }
}

/// One file through a fresh world; returns the world afterwards.
pub(super) fn travel(
    seed: u64,
    link: Link,
    limits: Limits,
    up: bool,
    size: u64,
    overwrite: Overwrite,
) -> World {
    let mut world = World::new(seed, link, limits);
    let (from, name, to, target) = ends(up);
    let content = world.put_file(from, name, size);
    world.start(request(up, overwrite));
    world.run();
    assert_eq!(world.closed, None);
    let root = Some(*blake3::hash(&content).as_bytes());
    let expected = Ok(Finished::Stored {
        root,
        size,
        how: StoredAs::Written,
        durability: Durability::Full,
    });
    assert_eq!(
        world.outcomes(CLIENT),
        [expected],
        "size {size} up {up} seed {seed}"
    );
    assert_eq!(
        world.outcomes(SERVER),
        [expected],
        "size {size} up {up} seed {seed}"
    );
    let stored = &world.ends[to].disk.files[target];
    assert!(
        stored.content == content,
        "other bytes: size {size} up {up} seed {seed}"
    );
    assert_eq!(
        (stored.mtime, stored.mode),
        (1_700_000_000_000_000_123, 0o640)
    );
    world
}

const MIB: u64 = 1 << 20;
const SIZES: [u64; 10] = [
    0,
    1,
    999,
    1_000,
    BLOCK - 1,
    BLOCK,
    BLOCK + 1,
    MIB - 1,
    MIB,
    MIB + 1,
];

#[test]
fn files_of_every_size_arrive_over_a_perfect_link() {
    for up in [false, true] {
        for size in SIZES.into_iter().chain([5 * MIB]) {
            let world = travel(1, PERFECT, limits(), up, size, Overwrite::Replace);
            let resent: u64 = world
                .ends
                .iter()
                .flat_map(|end| &end.events)
                .map(|(_, event)| match event {
                    TransferEvent::Finished { stats, .. } => stats.resent,
                    _ => 0,
                })
                .sum();
            assert_eq!(resent, 0);
        }
    }
}

#[test]
fn files_of_every_size_arrive_over_a_bad_link() {
    for seed in 0..6 {
        for up in [false, true] {
            for size in SIZES {
                travel(seed, BAD, limits(), up, size, Overwrite::Replace);
            }
        }
    }
    for up in [false, true] {
        travel(
            9,
            Link {
                packet: 8_900,
                ..BAD
            },
            limits(),
            up,
            5 * MIB,
            Overwrite::Replace,
        );
    }
}

#[test]
fn small_files_arrive_whatever_the_link_does() {
    for seed in 0..1_500 {
        let mut dice = World::new(seed, PERFECT, limits());
        let link = Link {
            loss: dice.random(45),
            duplicate: dice.random(20),
            spurious: dice.random(20),
            jitter: dice.random(10),
            packet: [60, 500, 1_150, 8_900, 65_000][dice.random(5) as usize],
            window: 1 + dice.random(40) as usize,
            ..PERFECT
        };
        let size = match link.packet {
            60 => dice.random(5_000),
            _ => dice.random(3 * BLOCK),
        };
        let overwrite =
            [Overwrite::Replace, Overwrite::Compare, Overwrite::Never][dice.random(3) as usize];
        travel(seed, link, limits(), dice.random(2) == 0, size, overwrite);
    }
}

#[test]
fn the_least_memory_is_enough() {
    let least = Limits {
        sink_blocks: 1,
        source_blocks: 2,
        credit_blocks_max: 1,
        credit_blocks_initial: 1,
        read_ahead_blocks: 1,
        ..Limits::default()
    };
    for seed in 0..4 {
        for up in [false, true] {
            travel(
                seed,
                BAD,
                least.clone(),
                up,
                2 * MIB + 77,
                Overwrite::Replace,
            );
        }
    }
}

#[test]
fn m4_credit_never_exceeds_the_pool() {
    let small = Limits {
        sink_blocks: 6,
        source_blocks: 8,
        credit_blocks_initial: 4,
        ..limits()
    };
    let mut world = World::new(3, BAD, small);
    let contents: Vec<Vec<u8>> = (0..8u8)
        .map(|i| world.put_file(SERVER, &[b'a' + i], 9 * BLOCK + u64::from(i)))
        .collect();
    for i in 0..8u8 {
        world.start(Request::Get {
            from: path(&[b'a' + i]),
            to: place(&[b'a' + i]),
            overwrite: Overwrite::Replace,
            durability: Durability::None,
            preserve: false,
            keep_top_mode: false,
            tree: false,
        });
    }
    while world.step() {
        let begun = world.ends[CLIENT].pool.out(Use::Sink);
        assert!(begun <= 6 - world.ends[CLIENT].pool.unreserved(Use::Sink));
        if world.ends.iter().all(|end| end.transfers.is_drained()) {
            break;
        }
    }
    world.check_drained();
    for (i, content) in contents.iter().enumerate() {
        assert!(world.ends[CLIENT].disk.files[&[b'a' + i as u8][..]].content == *content);
    }
}

#[test]
fn two_transfers_share_fairly() {
    let mut world = World::new(
        4,
        Link {
            window: 16,
            ..PERFECT
        },
        limits(),
    );
    world.disk_delay = 20;
    for name in [b"a", b"b"] {
        world.put_file(SERVER, name, 4 * MIB);
        world.start(Request::Get {
            from: path(name),
            to: place(name),
            overwrite: Overwrite::Replace,
            durability: Durability::None,
            preserve: false,
            keep_top_mode: false,
            tree: false,
        });
    }
    let mut bytes = [0, 0];
    let mut most_apart = 0;
    while world.step() {
        for (key, event) in world.ends[CLIENT].events.drain(..) {
            match event {
                TransferEvent::Progress { bytes: now, .. } => {
                    bytes[key.index as usize] = now;
                    most_apart = most_apart.max(bytes[0].abs_diff(bytes[1]));
                }
                TransferEvent::Finished { .. } if most_apart > 0 => {
                    assert!(most_apart <= MIB / 2, "{most_apart} bytes apart");
                    return;
                }
                _ => {}
            }
        }
    }
    unreachable!("nothing finished");
}

/// How often each end said that the network held an upload up, and how often something else did.
fn limits_seen(window: usize, slower_by: [u64; 2]) -> [(usize, usize); 2] {
    let mut world = World::new(4, Link { window, ..PERFECT }, limits());
    (world.disk_delay, world.slower_by) = (1, slower_by);
    world.put_file(CLIENT, b"a", 8 * MIB);
    world.start(Request::Put {
        from: place(b"a"),
        to: path(b"a"),
        overwrite: Overwrite::Replace,
        durability: Durability::None,
        tree: false,
    });
    world.run();
    [CLIENT, SERVER].map(|end| {
        let events = world.ends[end].events.iter();
        let limits = events.filter_map(|(_, event)| match event {
            TransferEvent::Progress { limited_by, .. } => Some(*limited_by == LimitedBy::Network),
            _ => None,
        });
        let (network, other): (Vec<_>, Vec<_>) = limits.partition(|is_network| *is_network);
        (network.len(), other.len())
    })
}

#[test]
fn what_holds_a_transfer_up_is_told() {
    for (network, other) in limits_seen(4, [0, 0]) {
        assert!(network > 3 * other, "{network} {other}");
    }
    let [(network, other), sink] = limits_seen(100_000, [100_000, 0]);
    assert!(other > 3 * network, "{network} {other}");
    assert!(sink.0 > sink.1, "{sink:?}");
    // The sink's disk is what the source waits for, too.
    for (network, other) in limits_seen(100_000, [0, 100_000]) {
        assert!(other > network, "{network} {other}");
    }
}

/// A file that is the same but for its permission bits gets the source's, and nothing travels.
#[test]
fn bits_alone_follow() {
    for up in [false, true] {
        for size in [0, 3 * BLOCK] {
            let mut world = World::new(5, BAD, limits());
            let (from, name, to, target) = ends(up);
            world.put_file(from, name, size);
            let source = world.ends[from].disk.files[name].clone();
            let mut old = source.clone();
            old.mode = 0o604;
            world.ends[to].disk.files.insert(target.to_vec(), old);
            world.start(request(up, Overwrite::Compare));
            world.run();
            let how = |end: usize| match world.outcomes(end)[..] {
                [Ok(Finished::Stored { how, .. })] => how,
                ref other => panic!("{other:?}"),
            };
            assert_eq!(
                [how(CLIENT), how(SERVER)],
                [StoredAs::Unchanged, StoredAs::Unchanged]
            );
            assert_eq!(world.ends[to].disk.files[target].mode, source.mode);
            assert!(!world.ends[from].disk.log.contains(&"Read"));
            // A disk that cannot is told of.
            world.ends[to].disk.files.get_mut(target).unwrap().mode = 0o604;
            for end in &mut world.ends {
                end.events.clear();
            }
            let at = world.ends[to].disk.log.len() + 1;
            world.ends[to].disk.fail = Some((at, FileError::Denied));
            world.start(request(up, Overwrite::Compare));
            world.run_despite_leftovers();
            assert!(world.outcomes(CLIENT)[0].is_err());
        }
    }
}

#[test]
fn an_unchanged_target_is_left_alone() {
    for up in [false, true] {
        let mut world = World::new(5, BAD, limits());
        let (from, name, to, target) = ends(up);
        world.put_file(from, name, 3 * BLOCK);
        let mut old = world.ends[from].disk.files[name].clone();
        old.content.fill(7);
        world.ends[to]
            .disk
            .files
            .insert(target.to_vec(), old.clone());
        world.start(request(up, Overwrite::Compare));
        world.run();
        let unchanged = Ok(Finished::Stored {
            root: None,
            size: 3 * BLOCK,
            how: StoredAs::Unchanged,
            durability: Durability::None,
        });
        assert_eq!(world.outcomes(CLIENT), [unchanged]);
        assert_eq!(world.outcomes(SERVER), [unchanged]);
        assert_eq!(world.ends[to].disk.files[target], old);
        assert!(!world.ends[from].disk.log.contains(&"Read"));
        // Another time: it is replaced.
        world.ends[to].disk.files.get_mut(target).unwrap().mtime += 1;
        world.start(request(up, Overwrite::Compare));
        world.run();
        assert_eq!(
            world.ends[to].disk.files[target].content,
            world.ends[from].disk.files[name].content
        );
    }
}

#[test]
fn f14_an_existing_target_is_kept_when_asked() {
    for (up, overwrite, may_replace) in [
        (false, Overwrite::Never, true),
        (true, Overwrite::Never, true),
        (true, Overwrite::Replace, false),
    ] {
        let mut world = World::new(6, BAD, limits());
        let (from, name, to, target) = ends(up);
        world.put_file(from, name, 1_000);
        world.put_file(to, target, 10);
        world.ends[SERVER].may_replace = may_replace;
        world.start(request(up, overwrite));
        world.run();
        let client = if up {
            Failure::Refused(ErrorCode::Exists)
        } else {
            Failure::Here(ErrorCode::Exists)
        };
        assert_eq!(world.outcomes(CLIENT), [Err(client)]);
        assert_eq!(world.ends[to].disk.files[target].content.len(), 10);
    }
}

#[test]
fn the_steps_of_an_upload_are_in_order() {
    let world = travel(7, PERFECT, limits(), true, 1, Overwrite::Replace);
    let log = &world.ends[SERVER].disk.log;
    let steps = [
        "Stat",
        "FreeSpace",
        "Create",
        "Write",
        "SetMeta",
        "Sync",
        "Close",
        "Rename",
        "SyncDir",
    ];
    assert_eq!(log[..], steps);
}

#[test]
fn what_is_larger_than_the_free_space_is_refused() {
    for up in [false, true] {
        let mut world = World::new(8, PERFECT, limits());
        let (from, name, to, _) = ends(up);
        world.put_file(from, name, 1_001);
        world.ends[to].disk.free = 1_000;
        world.start(request(up, Overwrite::Replace));
        world.run();
        let client = if up {
            Failure::Refused(ErrorCode::NoSpace)
        } else {
            Failure::Here(ErrorCode::NoSpace)
        };
        assert_eq!(world.outcomes(CLIENT), [Err(client)]);
        assert!(!world.ends[to].disk.log.contains(&"Create"));
    }
}
