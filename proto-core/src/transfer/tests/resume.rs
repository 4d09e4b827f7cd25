//! Transfers that end early, and those that go on where they ended.

use core::mem;

use super::disk::Disk;
use super::ends::*;
use super::files::{ends, request};
use super::liars::say;
use super::world::World;
use crate::event::{Failure, Finished};
use crate::file::FileError;
use crate::limits::Limits;
use crate::time::Duration;
use crate::transfer::Overwrite;
use crate::wire::{CloseCode, Durability, ErrorCode, Frame, StoredAs};

const MIB: u64 = 1 << 20;
/// Not a whole number of blocks.
const SIZE: u64 = 12 * MIB + 70_001;

fn limits() -> Limits {
    Limits {
        journal_min: 2 * MIB,
        ..Limits::default()
    }
}

/// A world with what `before` left on the disks, after both processes have ended.
fn restarted(seed: u64, mut before: World) -> World {
    let mut world = World::new(seed, PERFECT, limits());
    for end in [CLIENT, SERVER] {
        let mut disk = mem::take(&mut before.ends[end].disk);
        disk.process_ends();
        disk.log.clear();
        disk.read = 0;
        world.ends[end].disk = disk;
        // No two processes draw the same names.
        for _ in 0..=seed {
            world.ends[end].rng.next_u64();
        }
    }
    world
}

fn temp_bytes(disk: &Disk) -> u64 {
    let temps = disk.files.iter();
    let temp = temps.filter(|(name, _)| name.ends_with(b".part"));
    temp.map(|(_, file)| file.content.len() as u64).sum()
}

/// Runs until the sink has written so many bytes.
fn run_until(world: &mut World, to: usize, bytes: u64) {
    while temp_bytes(&world.ends[to].disk) < bytes {
        assert!(world.step(), "it ended before");
    }
}

fn check_stored(world: &World, up: bool, content: &[u8]) {
    let expected = Ok(Finished::Stored {
        root: Some(*blake3::hash(content).as_bytes()),
        size: content.len() as u64,
        how: StoredAs::Written,
        durability: Durability::Full,
    });
    assert_eq!(world.outcomes(CLIENT), [expected], "up {up}");
    assert_eq!(world.outcomes(SERVER), [expected], "up {up}");
    let (_, _, to, target) = ends(up);
    assert!(world.ends[to].disk.files[target].content == content);
}

/// Bytes that were read anew at source and sink once the transfer went on.
fn killed_and_resumed(
    seed: u64,
    up: bool,
    overwrite: Overwrite,
    at: u64,
    reboot: bool,
) -> (u64, u64) {
    let (from, name, to, _) = ends(up);
    let mut world = World::new(seed, PERFECT, limits());
    let content = world.put_file(from, name, SIZE);
    world.start(request(up, overwrite));
    run_until(&mut world, to, at);
    let mut world = restarted(seed + 1, world);
    world.ends[to].disk.boot += u8::from(reboot);
    world.start(request(up, overwrite));
    world.run();
    check_stored(&world, up, &content);
    (world.ends[from].disk.read, world.ends[to].disk.read)
}

#[test]
fn i3_what_was_verified_is_neither_sent_nor_read_again() {
    for up in [false, true] {
        for overwrite in [Overwrite::Compare, Overwrite::Replace] {
            for at in [3 * MIB, 7 * MIB + 5, 11 * MIB, SIZE] {
                let (sent, checked) = killed_and_resumed(at, up, overwrite, at, false);
                // In flight are 2 MiB at most, and a piece was not whole.
                let most = SIZE - at + 4 * MIB;
                assert!(
                    sent <= most,
                    "{sent} of {most}: up {up} {overwrite:?} at {at}"
                );
                assert_eq!(checked, 0);
            }
        }
    }
}

/// A source that sends what it was not asked for yet, while the sink still reads what it has: the bytes that were verified stay.
#[test]
fn i4_bytes_before_their_time_touch_nothing() {
    for up in [false, true] {
        let (from, name, to, _) = ends(up);
        let mut world = World::new(3, PERFECT, limits());
        let content = world.put_file(from, name, SIZE);
        world.start(request(up, Overwrite::Compare));
        run_until(&mut world, to, 7 * MIB);
        let mut world = restarted(4, world);
        world.start(request(up, Overwrite::Compare));
        while world.ends[from].disk.read == 0 && world.step() {
            let junk = Frame::Data {
                transfer: 0,
                file: 0,
                offset: 0,
                data: &[7; 65_536],
            };
            say(&mut world, to, &junk);
        }
        world.run();
        if up {
            // Nor is an upload accepted yet.
            assert_eq!(world.closed, Some(CloseCode::ProtocolViolation));
            continue;
        }
        check_stored(&world, up, &content);
        let again = world.ends[from].disk.read;
        assert!(again < 8 * MIB, "{again} bytes were read again");
    }
}

/// Nothing was synced when the machine stopped: what was written down is read again, and not sent.
#[test]
fn d5_after_an_unclean_stop_what_is_in_doubt_is_read_again() {
    for up in [false, true] {
        let at = 9 * MIB;
        let (sent, checked) = killed_and_resumed(4, up, Overwrite::Compare, at, true);
        assert!(
            sent <= SIZE - at + 4 * MIB && checked >= at - 4 * MIB,
            "{sent} {checked}"
        );
    }
}

/// What was synced before the machine stopped is believed.
#[test]
fn d5_what_was_synced_is_not_read_again() {
    let (from, name, to, _) = ends(false);
    let often = Limits {
        journal_unsynced: 1,
        ..limits()
    };
    let mut world = World::new(4, PERFECT, often);
    let content = world.put_file(from, name, SIZE);
    world.start(request(false, Overwrite::Compare));
    run_until(&mut world, to, 9 * MIB);
    let mut world = restarted(5, world);
    world.ends[to].disk.boot += 1;
    world.start(request(false, Overwrite::Compare));
    world.run();
    check_stored(&world, false, &content);
    let (sent, checked) = (world.ends[from].disk.read, world.ends[to].disk.read);
    assert!(
        sent <= SIZE - 5 * MIB && checked <= 2 * MIB,
        "{sent} {checked}"
    );
}

/// The process ended when the file had its name and its journal was not removed.
#[test]
fn a_journal_that_was_left_is_removed() {
    for up in [false, true] {
        let (from, name, to, target) = ends(up);
        let mut world = World::new(14, PERFECT, limits());
        world.put_file(from, name, SIZE);
        world.start(request(up, Overwrite::Compare));
        while !world.ends[to].disk.files.contains_key(target) {
            assert!(world.step(), "it ended before");
        }
        assert_eq!(world.ends[to].disk.temp_files(), 1);
        let mut world = restarted(15, world);
        world.start(request(up, Overwrite::Compare));
        world.run();
        assert_eq!(world.ends[to].disk.log.last(), Some(&"CloseLog"));
    }
}

/// The same of a file in a directory.
#[test]
fn a_journal_that_was_left_in_a_directory_is_removed() {
    for up in [false, true] {
        let (from, source, to, target) = match up {
            true => (CLIENT, "here", SERVER, "there"),
            false => (SERVER, "there", CLIENT, "here"),
        };
        let mut world = World::new(14, PERFECT, limits());
        super::trees::plant_empty(&mut world.ends[from].disk, source);
        super::trees::plant_empty(&mut world.ends[to].disk, "elsewhere");
        let name = |end: &str| alloc::format!("{end}/large").into_bytes();
        world.put_file(from, &name(source), SIZE);
        world.start(super::trees::request(up, Overwrite::Compare));
        while !world.ends[to].disk.files.contains_key(&name(target)) {
            assert!(world.step(), "it ended before");
        }
        assert_eq!(world.ends[to].disk.temp_files(), 1);
        let mut world = restarted(15, world);
        world.start(super::trees::request(up, Overwrite::Compare));
        world.run();
        assert_eq!(world.ends[to].disk.temp_files(), 0);
        assert!(!world.ends[from].disk.log.contains(&"Read"));
        let outcome = world.outcomes(CLIENT)[0];
        assert!(
            matches!(outcome, Ok(Finished::Tree(totals)) if (totals.unchanged, totals.failed) == (1, 0)),
            "{outcome:?}"
        );
    }
}

/// A command that replaces the file whatever it is, was not done; one that compares finds the file as it should be. What the
/// first one left stays, and it goes on.
#[test]
fn what_a_replacing_copy_began_outlasts_a_compare() {
    for (up, tree) in [(false, false), (true, false), (false, true), (true, true)] {
        let (from, single, to, target) = ends(up);
        let (name, at) = match (tree, up) {
            (false, _) => (single.to_vec(), target.to_vec()),
            (true, true) => (b"here/large".to_vec(), b"there/large".to_vec()),
            (true, false) => (b"there/large".to_vec(), b"here/large".to_vec()),
        };
        let ask = |overwrite| match tree {
            true => super::trees::request(up, overwrite),
            false => request(up, overwrite),
        };
        let mut world = World::new(21, PERFECT, limits());
        if tree {
            let (source, elsewhere) = if up {
                ("here", "elsewhere")
            } else {
                ("there", "elsewhere")
            };
            super::trees::plant_empty(&mut world.ends[from].disk, source);
            super::trees::plant_empty(&mut world.ends[to].disk, elsewhere);
        }
        world.put_file(from, &name, SIZE);
        world.start(ask(Overwrite::Compare));
        world.run();
        assert_eq!(world.ends[to].disk.temp_files(), 0);
        let mut world = restarted(22, world);
        world.start(ask(Overwrite::Replace));
        run_until(&mut world, to, 8 * MIB);
        let mut world = restarted(23, world);
        world.start(ask(Overwrite::Compare));
        world.run_despite_leftovers();
        assert_eq!(world.ends[to].disk.open_files(), 0);
        assert!(!world.ends[from].disk.log.contains(&"Read"), "{up} {tree}");
        assert_eq!(world.ends[to].disk.temp_files(), 2, "{up} {tree}");
        let mut world = restarted(24, world);
        world.start(ask(Overwrite::Replace));
        world.run();
        assert!(world.ends[to].disk.files.contains_key(&at));
        assert_eq!(world.ends[to].disk.temp_files(), 0, "{up} {tree}");
        let read = world.ends[from].disk.read;
        assert!(
            read < SIZE - 5 * MIB,
            "{up} {tree}: {read} bytes read again"
        );
    }
}

/// What was in doubt and is not what it was comes again, and all behind it.
#[test]
fn d5_what_was_lost_is_sent_again() {
    for lost in [0, 3, 5] {
        let (from, name, to, _) = ends(false);
        let mut world = World::new(9, PERFECT, limits());
        let content = world.put_file(from, name, SIZE);
        world.start(request(false, Overwrite::Compare));
        run_until(&mut world, to, 8 * MIB);
        for round in 0..2 {
            world = restarted(10 + round, world);
            let disk = &mut world.ends[to].disk;
            disk.boot += 1;
            let part = disk
                .files
                .iter_mut()
                .find(|(name, _)| name.ends_with(b".part"));
            let (_, file) = part.unwrap();
            // The second time, another piece is lost, and what followed the first is there anew.
            let byte = (lost + round) * MIB + 77;
            file.content[byte as usize] ^= 1;
            world.start(request(false, Overwrite::Compare));
            if round == 0 {
                run_until(&mut world, to, 11 * MIB);
            }
        }
        world.run();
        check_stored(&world, false, &content);
    }
}

#[test]
fn i2_another_version_is_sent_anew() {
    for up in [false, true] {
        for overwrite in [Overwrite::Compare, Overwrite::Replace] {
            let (from, name, to, _) = ends(up);
            let mut world = World::new(5, PERFECT, limits());
            world.put_file(from, name, SIZE);
            world.start(request(up, overwrite));
            run_until(&mut world, to, 8 * MIB);
            let mut world = restarted(6, world);
            let file = world.ends[from].disk.files.get_mut(name).unwrap();
            file.changes += 1;
            file.content[5] ^= 1;
            let content = file.content.clone();
            world.start(request(up, overwrite));
            world.run();
            check_stored(&world, up, &content);
            assert!(world.ends[from].disk.read >= SIZE);
        }
    }
}

/// Without a journal nothing waits: it takes no round trip more than a file that has none.
#[test]
fn a_first_transfer_does_not_wait() {
    for up in [false, true] {
        let time = |journal_min| {
            let limits = Limits {
                journal_min,
                ..Limits::default()
            };
            let (from, name, ..) = ends(up);
            let mut world = World::new(7, PERFECT, limits);
            world.disk_delay = 0;
            let content = world.put_file(from, name, SIZE);
            world.start(request(up, Overwrite::Replace));
            world.run();
            check_stored(&world, up, &content);
            world.now
        };
        let (with, without) = (time(2 * MIB), time(u64::MAX));
        assert!(
            with < without + Duration::from_micros(PERFECT.delay),
            "{with:?} {without:?}"
        );
    }
}

/// However a transfer ends that may be tried again, what it has stays; what is over for good goes.
#[test]
fn what_is_worth_it_stays() {
    for up in [false, true] {
        let (from, name, to, _) = ends(up);
        for (code, stays) in [
            (ErrorCode::Cancelled, true),
            (ErrorCode::Busy, true),
            (ErrorCode::Integrity, false),
            (ErrorCode::SourceChanged, false),
        ] {
            for end in [CLIENT, SERVER] {
                let mut world = World::new(8, PERFECT, limits());
                let content = world.put_file(from, name, SIZE);
                world.start(request(up, Overwrite::Compare));
                run_until(&mut world, to, 8 * MIB);
                let key = world.ends[end].transfers.keys()[0];
                let cancelled = world.with(end, |transfers, cx| transfers.cancel(cx, key, code));
                assert_eq!(cancelled, Ok(()));
                world.run_despite_leftovers();
                assert_eq!(world.outcomes(end), [Err(Failure::Here(code))]);
                assert_eq!(world.ends[to].disk.open_files(), 0);
                let names = if stays { 2 } else { 0 };
                assert_eq!(world.ends[to].disk.temp_files(), names, "{code:?} up {up}");
                if stays {
                    let mut world = restarted(9, world);
                    world.start(request(up, Overwrite::Compare));
                    world.run();
                    check_stored(&world, up, &content);
                    assert!(world.ends[from].disk.read <= SIZE - 4 * MIB);
                }
            }
        }
    }
}

/// The client's process died and came back before the server has noticed: the new transfer goes on with what the old one
/// works on, which can do no harm any more.
#[test]
fn a_later_upload_takes_over() {
    let (_, name, to, _) = ends(true);
    for at in [5 * MIB, SIZE] {
        let mut world = World::new(11, PERFECT, limits());
        let content = world.put_file(CLIENT, name, SIZE);
        world.start(request(true, Overwrite::Compare));
        run_until(&mut world, to, at);
        world.ends[CLIENT].disk.read = 0;
        world.start(request(true, Overwrite::Compare));
        world.run();
        let outcomes = world.outcomes(CLIENT);
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert!(won >= 1 && outcomes.len() == 2, "{outcomes:?}");
        if at < SIZE {
            let lost = Err(Failure::Peer(ErrorCode::TargetChanged));
            assert!(outcomes.contains(&lost), "{outcomes:?}");
        }
        assert!(world.ends[to].disk.files[&b"dir/there"[..]].content == content);
    }
}

/// A download does not disturb another one of the same file.
#[test]
fn two_downloads_to_one_name_are_both_right() {
    let mut world = World::new(12, PERFECT, limits());
    let content = world.put_file(SERVER, b"dir/there", SIZE);
    for _ in 0..2 {
        world.start(request(false, Overwrite::Compare));
    }
    world.run();
    assert!(world.outcomes(CLIENT).iter().all(Result::is_ok));
    assert!(world.ends[CLIENT].disk.files[&b"here"[..]].content == content);
}

/// A journal that cannot be opened, read or written costs no transfer.
#[test]
fn a_broken_journal_is_no_failure() {
    for up in [false, true] {
        let (from, name, to, _) = ends(up);
        let mut world = World::new(13, PERFECT, limits());
        let content = world.put_file(from, name, SIZE);
        world.start(request(up, Overwrite::Compare));
        world.run();
        let ops = world.ends[to].disk.log.clone();
        check_stored(&world, up, &content);
        let is_log = |name: &&str| name.ends_with("Log");
        for number in (0..ops.len()).filter(|number| is_log(&ops[*number])) {
            let mut world = World::new(13, PERFECT, limits());
            let content = world.put_file(from, name, SIZE);
            world.ends[to].disk.fail = Some((number, FileError::Io));
            world.start(request(up, Overwrite::Compare));
            world.run_despite_leftovers();
            check_stored(&world, up, &content);
        }
    }
}

/// Killed again and again, at any moment, on bad links.
#[test]
fn i3_many_kills_in_a_row() {
    for seed in 0..12u64 {
        let up = seed % 2 == 0;
        let (from, name, to, _) = ends(up);
        let mut world = World::new(seed, BAD, limits());
        let content = world.put_file(from, name, SIZE);
        let mut read = 0;
        for kill in 0..8 {
            world.start(request(up, Overwrite::Compare));
            let steps = world.random(9_000);
            for _ in 0..steps {
                world.step();
            }
            read += world.ends[from].disk.read;
            let done = world.outcomes(CLIENT).iter().any(Result::is_ok);
            if done {
                break;
            }
            world = restarted(100 * seed + kill, world);
            world.link = BAD;
            world.ends[to].disk.boot += u8::from(kill % 3 == 0);
        }
        world.start(request(up, Overwrite::Compare));
        world.run();
        assert_eq!(world.closed, None);
        assert!(world.ends[to].disk.files[ends(up).3].content == content);
        assert_eq!(world.ends[to].disk.temp_files(), 0);
        assert!(read <= SIZE + 9 * 8 * MIB, "{read}");
    }
}

/// A larger file of a directory, too; what is small is sent again.
#[test]
fn i3_larger_files_of_a_directory_go_on() {
    for up in [false, true] {
        let (from, to) = if up {
            (CLIENT, SERVER)
        } else {
            (SERVER, CLIENT)
        };
        let (source, target): (&[u8], &[u8]) = if up {
            (b"here", b"there")
        } else {
            (b"there", b"here")
        };
        let mut world = World::new(21, PERFECT, limits());
        let large = [source, b"/large"].concat();
        let content = world.put_file(from, &large, SIZE);
        let small = world.put_file(from, &[source, b"/small"].concat(), 5_000);
        super::trees::plant_empty(
            &mut world.ends[from].disk,
            core::str::from_utf8(source).unwrap(),
        );
        super::trees::plant_empty(&mut world.ends[to].disk, "elsewhere");
        world.start(super::trees::request(up, Overwrite::Compare));
        run_until(&mut world, to, 9 * MIB);
        let mut world = restarted(22, world);
        world.start(super::trees::request(up, Overwrite::Compare));
        world.run();
        assert!(
            world.outcomes(CLIENT).iter().all(Result::is_ok),
            "{:?}",
            world.outcomes(CLIENT)
        );
        let files = &world.ends[to].disk.files;
        assert!(files[&[target, b"/large"].concat()].content == content);
        assert!(files[&[target, b"/small"].concat()].content == small);
        let sent = world.ends[from].disk.read;
        assert!(sent <= SIZE - 5 * MIB, "{sent}");
    }
}

/// What a server says of an upload that waits, and how the session ends.
fn said(credit: u64, frames: &[Frame<'_>]) -> (Option<CloseCode>, u64) {
    let mut world = World::new(1, PERFECT, limits());
    world.put_file(CLIENT, b"here", SIZE);
    world.cut = true;
    world.start(request(true, Overwrite::Replace));
    for _ in 0..3 {
        world.step();
    }
    let before = world.ends[CLIENT].disk.read;
    let transfer = 0;
    say(&mut world, CLIENT, &Frame::Accept { transfer, credit });
    for frame in frames {
        say(&mut world, CLIENT, frame);
    }
    for _ in 0..200 {
        world.step();
    }
    (world.closed, world.ends[CLIENT].disk.read - before)
}

fn have(index: u64, level: u8) -> Frame<'static> {
    Frame::Have {
        transfer: 0,
        file: 0,
        index,
        level,
        value: &[9; 32],
    }
}

fn want(start: u64, end: u64) -> Frame<'static> {
    Frame::Want {
        transfer: 0,
        file: 0,
        start,
        end,
    }
}

/// Nothing is read before all is said; then what is missing, and nothing else.
#[test]
fn a_source_waits_for_the_whole_picture() {
    let credit = Frame::Credit {
        transfer: 0,
        file: 0,
        limit: 1_000,
    };
    let (tail, rest) = (want(8 * MIB + MIB, SIZE), want(8 * MIB, 9 * MIB));
    assert_eq!(said(0, &[credit, tail]), (None, 0));
    assert_eq!(said(0, &[credit, tail, have(0, 3)]), (None, 0));
    let (closed, read) = said(0, &[credit, tail, have(0, 3), rest, have(0, 3)]);
    assert!(
        closed.is_none() && read > 0 && read <= SIZE - 8 * MIB,
        "{read}"
    );
    // A sink that has everything, or says so: the file is looked at, and not read.
    let all = [
        credit,
        have(8, 2),
        have(0, 3),
        have(12, 0),
        want(SIZE, SIZE),
    ];
    assert_eq!(said(0, &all), (None, 0));
}

#[test]
fn lies_about_what_is_there_end_the_session() {
    let breach = Some(CloseCode::ProtocolViolation);
    let whole = want(0, SIZE);
    for frames in [
        // Behind the end; the last piece with others; twice; what is wanted, too.
        &[have(16, 4)][..],
        &[have(12, 2)],
        &[have(0, 3), have(4, 0)],
        &[have(0, 3), whole],
        &[whole, have(0, 3)],
    ] {
        assert_eq!(said(0, frames).0, breach, "{frames:?}");
    }
    // Nobody waits.
    assert_eq!(said(32, &[have(0, 3)]).0, breach);
}
