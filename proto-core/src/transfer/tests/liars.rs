//! Peers that break the protocol, or say nonsense.

use alloc::vec;
use alloc::vec::Vec;

use super::ends::*;
use super::files::{get, put};
use super::world::World;
use crate::event::Failure;
use crate::file::Use;
use crate::time::{Duration, Instant};
use crate::transfer::{Overwrite, Request, TransferEvent};
use crate::wire::{
    CloseCode, Durability, Entry, EntryKind, ErrorCode, Frame, RequestKind, StoredAs,
};

pub(super) fn say(world: &mut World, to: usize, frame: &Frame<'_>) -> bool {
    let mut bytes = vec![0; 70_000];
    let len = frame.encode(&mut bytes).expect("room");
    world.receive(to, &bytes[..len])
}

pub(super) fn entry(size: u64) -> Frame<'static> {
    let entry = Entry {
        kind: EntryKind::File,
        size,
        mtime: 0,
        mode: 0o644,
        name: b"",
    };
    Frame::Entry {
        transfer: 0,
        file: 0,
        parent: 0,
        version: &[0; 16],
        entry,
    }
}

fn data(offset: u64, data: &[u8]) -> Frame<'_> {
    Frame::Data {
        transfer: 0,
        file: 0,
        offset,
        data,
    }
}

/// A client that asked for a file, of a server that says what the test wants.
fn asking() -> World {
    let mut world = World::new(1, PERFECT, limits());
    world.cut = true;
    world.start(get(Overwrite::Replace));
    world.step();
    world
}

fn violation(frames: &[Frame<'_>]) -> Option<CloseCode> {
    let mut world = asking();
    for frame in frames {
        say(&mut world, CLIENT, frame);
    }
    world.closed
}

#[test]
fn c3_one_byte_more_than_announced_ends_the_session() {
    assert_eq!(violation(&[entry(1_000), data(999, b"a")]), None);
    assert_eq!(
        violation(&[entry(1_000), data(999, b"ab")]),
        Some(CloseCode::FlowControl)
    );
    assert_eq!(
        violation(&[data(999, b"ab"), entry(1_000)]),
        Some(CloseCode::FlowControl)
    );
}

#[test]
fn data_beyond_credit_ends_the_session() {
    let credit = u64::from(limits().credit_blocks_initial);
    assert_eq!(violation(&[data(credit * BLOCK - 1, b"a")]), None);
    assert_eq!(
        violation(&[data(credit * BLOCK, b"a")]),
        Some(CloseCode::FlowControl)
    );
    let piece = Frame::Piece {
        transfer: 0,
        file: 0,
        index: credit / 16,
        value: &[0; 32],
    };
    assert_eq!(
        violation(&[entry(1 << 40), piece]),
        Some(CloseCode::FlowControl)
    );
}

#[test]
fn breaches_of_the_protocol_end_the_session() {
    let breach = Some(CloseCode::ProtocolViolation);
    assert_eq!(violation(&[data(BLOCK - 1, b"ab")]), breach);
    assert_eq!(
        violation(&[Frame::Data {
            transfer: 1,
            file: 0,
            offset: 0,
            data: b"a"
        }]),
        breach
    );
    assert_eq!(
        violation(&[Frame::Data {
            transfer: 0,
            file: 1,
            offset: 0,
            data: b"a"
        }]),
        breach
    );
    assert_eq!(
        violation(&[Frame::Want {
            transfer: 0,
            file: 0,
            start: 0,
            end: 1
        }]),
        breach
    );
    assert_eq!(
        violation(&[Frame::Page {
            transfer: 0,
            offset: 0,
            last: true,
            data: b""
        }]),
        breach
    );
    let seal = Frame::Seal {
        transfer: 0,
        file: 0,
        size: 9,
        root: &[0; 32],
    };
    assert_eq!(violation(&[entry(10), seal]), breach);
    let named = Entry {
        kind: EntryKind::File,
        size: 1,
        mtime: 0,
        mode: 0,
        name: b"../x",
    };
    let named = Frame::Entry {
        transfer: 0,
        file: 0,
        parent: 0,
        version: &[0; 16],
        entry: named,
    };
    assert_eq!(violation(&[named]), breach);
    let how = StoredAs::Written;
    let stored = Frame::Stored {
        transfer: 0,
        file: 0,
        how,
        durability: Durability::None,
    };
    assert_eq!(violation(&[stored]), breach);
    let request = Frame::Request {
        transfer: 0,
        kind: RequestKind::Stat,
        compare: false,
        no_clobber: false,
        tree: false,
        resume: false,
        durability: Durability::None,
        amount: 0,
        path: b"a",
        argument: b"",
    };
    assert_eq!(violation(&[request]), breach);
}

/// Bytes of one's choice, asked for one by one, would make the source remember a range for each.
#[test]
fn m1_only_whole_blocks_can_be_wanted() {
    let size = 3 * BLOCK + 7;
    for (start, end, good) in [
        (0, BLOCK, true),
        (BLOCK, size, true),
        (size, size, true),
        (1, BLOCK, false),
        (0, BLOCK + 1, false),
    ] {
        let mut world = World::new(1, PERFECT, limits());
        world.put_file(CLIENT, b"here", size);
        world.cut = true;
        world.start(put(Overwrite::Replace));
        for _ in 0..3 {
            world.step();
        }
        let transfer = 0;
        say(
            &mut world,
            CLIENT,
            &Frame::Accept {
                transfer,
                credit: 9,
            },
        );
        say(
            &mut world,
            CLIENT,
            &Frame::Want {
                transfer,
                file: 0,
                start,
                end,
            },
        );
        let breach = (!good).then_some(CloseCode::ProtocolViolation);
        assert_eq!(world.closed, breach, "{start}..{end}");
    }
}

#[test]
fn stored_is_not_believed_before_everything_was_read() {
    let mut world = World::new(1, PERFECT, limits());
    world.put_file(CLIENT, b"here", 9 * BLOCK);
    world.cut = true;
    world.start(put(Overwrite::Replace));
    for _ in 0..3 {
        world.step();
    }
    say(
        &mut world,
        CLIENT,
        &Frame::Accept {
            transfer: 0,
            credit: 1,
        },
    );
    let how = StoredAs::Unchanged;
    say(
        &mut world,
        CLIENT,
        &Frame::Stored {
            transfer: 0,
            file: 0,
            how,
            durability: Durability::Full,
        },
    );
    assert_eq!(world.closed, Some(CloseCode::ProtocolViolation));
}

#[test]
fn what_is_not_known_yet_comes_again_and_what_is_over_is_ignored() {
    let mut world = World::new(2, PERFECT, limits());
    assert!(!say(&mut world, SERVER, &data(0, b"a")));
    world.put_file(SERVER, b"dir/there", 10);
    world.start(get(Overwrite::Replace));
    world.run();
    assert!(say(&mut world, SERVER, &data(0, b"a")) && say(&mut world, CLIENT, &data(0, b"a")));
    let code = crate::wire::ErrorCode::Io;
    assert!(say(
        &mut world,
        CLIENT,
        &Frame::Failed {
            transfer: 0,
            file: 0,
            code
        }
    ));
    assert_eq!(world.closed, None);
}

#[test]
fn m1_a_source_that_never_completes_a_block_holds_its_credit_and_no_more() {
    let mut world = asking();
    say(&mut world, CLIENT, &entry(1 << 50));
    for index in 0..u64::from(limits().credit_blocks_initial) {
        for at in 0..200 {
            say(&mut world, CLIENT, &data(index * BLOCK + 2 * at, b"a"));
        }
    }
    assert_eq!(world.closed, None);
    assert_eq!(
        world.ends[CLIENT].pool.out(Use::Sink),
        limits().credit_blocks_initial
    );
}

/// Runs until the session is closed, or for two minutes.
fn wait(world: &mut World) -> (Option<CloseCode>, Duration) {
    let end = world.now + Duration::from_secs(120);
    while world.closed.is_none() && world.now < end && world.step() {}
    (world.closed, world.now.since(Instant::ZERO))
}

fn is_a_minute(time: Duration) -> bool {
    (60..65).contains(&time.as_secs())
}

#[test]
fn t8_a_source_that_sends_nothing_is_closed() {
    let mut world = asking();
    say(&mut world, CLIENT, &entry(1 << 20));
    for at in 0..500 {
        say(&mut world, CLIENT, &data(at, b"a"));
    }
    let (closed, time) = wait(&mut world);
    assert_eq!(closed, Some(CloseCode::Stalled));
    assert!(is_a_minute(time), "{time:?}");
}

#[test]
fn t8_a_sink_that_acknowledges_nothing_is_closed() {
    let mut world = World::new(1, PERFECT, limits());
    world.put_file(CLIENT, b"here", 9 * BLOCK);
    world.cut = true;
    world.start(put(Overwrite::Replace));
    for _ in 0..3 {
        world.step();
    }
    let accept = Frame::Accept {
        transfer: 0,
        credit: 1,
    };
    say(&mut world, CLIENT, &accept);
    let (closed, time) = wait(&mut world);
    assert_eq!(closed, Some(CloseCode::Stalled));
    assert!(is_a_minute(time), "{time:?}");
}

/// Whether its disk is slow or a pipe full, a sink gives no credit for a while.
#[test]
fn t8_a_sink_without_credit_is_not_closed() {
    let mut world = World::new(1, PERFECT, limits());
    world.put_file(CLIENT, b"here", 9 * BLOCK);
    world.cut = true;
    world.start(put(Overwrite::Replace));
    for _ in 0..3 {
        world.step();
    }
    let accept = Frame::Accept {
        transfer: 0,
        credit: 0,
    };
    say(&mut world, CLIENT, &accept);
    assert_eq!(wait(&mut world).0, None);
}

/// A client's request for a file of the server, with some credit.
fn request(transfer: u64, amount: u64) -> Frame<'static> {
    Frame::Request {
        transfer,
        kind: RequestKind::Get,
        compare: false,
        no_clobber: false,
        tree: false,
        resume: false,
        durability: Durability::None,
        amount,
        path: b"dir/there",
        argument: b"",
    }
}

/// A server with memory for one source only, that two clients' requests reach.
fn small_server(credits: [u64; 2]) -> World {
    let mut limits = limits();
    limits.source_blocks = 3;
    let mut world = World::new(1, PERFECT, limits);
    world.put_file(SERVER, b"dir/there", 9 * BLOCK);
    world.cut = true;
    for (transfer, credit) in (0..).zip(credits) {
        say(&mut world, SERVER, &request(transfer, credit));
        for _ in 0..3 {
            world.step();
        }
    }
    world
}

#[test]
fn a_request_that_finds_no_memory_is_told_so() {
    let mut world = small_server([1, 1]);
    while world.outcomes(SERVER).is_empty() && world.step() {}
    let busy = Err(Failure::Here(ErrorCode::Busy));
    assert_eq!(world.outcomes(SERVER), [busy]);
    let waited = world.now.since(Instant::ZERO).as_secs();
    assert!((10..12).contains(&waited), "{waited}");
}

#[test]
fn m4_a_source_without_credit_gives_its_memory_to_another() {
    let mut world = small_server([0, 1]);
    let begun = |world: &World| {
        let entry = |(_, event): &&(_, TransferEvent)| matches!(event, TransferEvent::Entry(_));
        world.ends[SERVER].events.iter().filter(entry).count()
    };
    assert_eq!(begun(&world), 1);
    while begun(&world) < 2 && world.step() {}
    let waited = world.now.since(Instant::ZERO).as_secs();
    assert!(waited < 3, "{waited}");
    assert_eq!(world.outcomes(SERVER), []);
}

/// Every second byte of a listing's window would make the requester remember 32,768 ranges.
#[test]
fn m1_a_listing_in_crumbs_is_not_taken() {
    let mut world = World::new(1, PERFECT, limits());
    world.cut = true;
    world.start(Request::List { path: path(b"dir") });
    world.step();
    let page = |offset| Frame::Page {
        transfer: 0,
        offset,
        last: false,
        data: &[0],
    };
    let taken = (0..1_000).filter(|n| say(&mut world, CLIENT, &page(2 * n + 1)));
    assert_eq!(taken.count(), 64);
    // What joins ranges is taken nevertheless.
    assert!(say(&mut world, CLIENT, &page(2)) && say(&mut world, CLIENT, &page(4)));
    assert_eq!(world.closed, None);
}

#[test]
fn any_frames_in_any_order_do_no_harm() {
    for seed in 0..3_000 {
        let mut world = World::new(seed, PERFECT, limits());
        let to = (seed & 1) as usize;
        world.put_file(SERVER, b"dir/there", 3 * BLOCK);
        world.put_file(CLIENT, b"here", 2 * BLOCK);
        world.start(if seed & 2 == 0 {
            get(Overwrite::Compare)
        } else {
            put(Overwrite::Replace)
        });
        for _ in 0..40 {
            for _ in 0..world.random(8) {
                world.step();
            }
            nonsense(&mut world, to);
            if world.closed.is_some() {
                break;
            }
        }
        // The session is closed then, and all must come home.
        for end in [CLIENT, SERVER] {
            world.with(end, |transfers, cx| transfers.session_lost(cx));
        }
        world.closed = None;
        world.run();
    }
}

fn nonsense(world: &mut World, to: usize) {
    let transfer = world.random(2);
    let file = world.random(20) / 19;
    let numbers = [
        0,
        1,
        5,
        BLOCK,
        BLOCK - 1,
        2 * BLOCK,
        3 * BLOCK,
        1 << 61,
        world.random(4 * BLOCK),
    ];
    let pick = |world: &mut World| numbers[world.random(9) as usize];
    let (a, b) = (pick(world), pick(world));
    let bytes: Vec<u8> = content(1 + world.random(70), a);
    let code = crate::wire::ErrorCode::Io;
    let frame = match world.random(14) {
        0 => Frame::Request {
            transfer: transfer + 1,
            kind: [
                RequestKind::List,
                RequestKind::Stat,
                RequestKind::Get,
                RequestKind::Put,
                RequestKind::MakeDir,
                RequestKind::Remove,
                RequestKind::Rename,
                RequestKind::Hash,
            ][world.random(8) as usize],
            compare: a % 2 == 0,
            no_clobber: b % 2 == 0,
            tree: false,
            resume: false,
            durability: Durability::Full,
            amount: a,
            path: b"dir/there",
            argument: b"",
        },
        1 => Frame::Accept {
            transfer,
            credit: a,
        },
        2 => Frame::Refuse { transfer, code },
        3 => Frame::Cancel { transfer, code },
        4 => entry(a),
        5 => Frame::Want {
            transfer,
            file,
            start: a.min(b),
            end: a.max(b),
        },
        6 => Frame::Credit {
            transfer,
            file,
            limit: a,
        },
        7 => Frame::Data {
            transfer,
            file,
            offset: a,
            data: &bytes,
        },
        8 => Frame::Piece {
            transfer,
            file,
            index: a,
            value: &[3; 32],
        },
        9 => Frame::Seal {
            transfer,
            file,
            size: a,
            root: &[4; 32],
        },
        10 => Frame::Stored {
            transfer,
            file,
            how: StoredAs::Written,
            durability: Durability::Full,
        },
        11 => Frame::Failed {
            transfer,
            file,
            code,
        },
        12 => Frame::Done {
            transfer,
            count: a,
            durability: Durability::Full,
        },
        _ => Frame::Page {
            transfer,
            offset: a,
            last: b == 1,
            data: &bytes,
        },
    };
    // Some numbers are larger than what the wire can carry.
    if frame.encode(&mut [0; 200]).is_some() {
        say(world, to, &frame);
    }
}
