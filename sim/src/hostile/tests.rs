use proto_core::EcnCounts;
use proto_core::crypto::Level;
use proto_core::wire::{Durability, Entry, EntryKind, Frame, RequestKind, StoredAs, write_ack_ecn};

use super::rewrite::{Liar, encode};
use super::{HostilePlan, Lie, Silence, Told};
use crate::rng::Rng;

/// Bytes of the frames of a full packet, and more: as on a path with large datagrams.
const ROOM: usize = 4_000;

/// A packet with a frame of every kind that lies are made from.
fn packet() -> Vec<u8> {
    let mut text = vec![0; 100];
    let counts = EcnCounts {
        ect0: 70,
        ect1: 0,
        ce: 2,
    };
    let len = write_ack_ecn(&mut text, 9, [40..=90, 1..=30].into_iter(), Some(counts));
    text.truncate(len.expect("there is room"));
    let (transfer, file) = (0, 0);
    let entry = Entry {
        kind: EntryKind::File,
        size: 3_000_000,
        mtime: 1,
        mode: 0o644,
        name: b"",
    };
    let frames = [
        Frame::Request {
            transfer,
            kind: RequestKind::Get,
            compare: false,
            no_clobber: false,
            tree: false,
            resume: false,
            durability: Durability::Full,
            amount: 16,
            path: b"f",
            argument: b"",
        },
        Frame::Entry {
            transfer,
            file,
            parent: 0,
            version: &[1; 16],
            entry,
        },
        Frame::Data {
            transfer,
            file,
            offset: 65_536,
            data: &[7; 600],
        },
        Frame::Piece {
            transfer,
            file,
            index: 0,
            value: &[2; 32],
        },
        Frame::Seal {
            transfer,
            file,
            size: 3_000_000,
            root: &[3; 32],
        },
        Frame::Stored {
            transfer,
            file,
            how: StoredAs::Written,
            durability: Durability::Full,
        },
        Frame::Page {
            transfer,
            offset: 0,
            last: false,
            data: &[1; 300],
        },
    ];
    for frame in frames {
        text.extend(encode(&frame).expect("it can be said"));
    }
    text.resize(ROOM, 0);
    text
}

fn rewrite(plan: HostilePlan, seed: u64, level: Level) -> (Vec<u8>, Told, bool) {
    let mut liar = Liar::new(plan, Rng::new(seed, 0));
    let (mut text, mut told) = (packet(), Told::default());
    let mute = liar.rewrite(level, &mut text, &mut told);
    (text, told, mute)
}

#[test]
fn without_lies_nothing_changes() {
    let (text, told, mute) = rewrite(HostilePlan::default(), 1, Level::Data);
    assert_eq!((text, mute), (packet(), false));
    assert_eq!((told.packets, told.rewritten), (1, 0));
    assert_eq!(
        told.sealed.into_iter().collect::<Vec<_>>(),
        [(3_000_000, [3; 32])]
    );
}

#[test]
fn every_lie_is_told_once_and_changes_the_packet() {
    // Transport parameters are no packet's.
    for lie in Lie::ALL.into_iter().filter(|lie| *lie != Lie::Params) {
        let mut told_at_all = 0;
        for seed in 0..20 {
            let (text, told, mute) = rewrite(HostilePlan::only(lie, 1_000_000), seed, Level::Data);
            let count = told.lies.get(&lie).copied().unwrap_or(0);
            assert_eq!((text.len(), mute), (ROOM, false));
            assert_eq!(count > 0, text != packet(), "{lie:?}");
            assert_eq!(told.rewritten, count.min(1));
            assert!(told.lies.keys().all(|other| *other == lie));
            told_at_all += count;
        }
        assert!(told_at_all > 0, "{lie:?}");
    }
}

#[test]
fn the_same_seed_tells_the_same_lies() {
    for seed in 0..200 {
        let plan = HostilePlan::draw(&mut Rng::new(seed, 1));
        let again = HostilePlan::draw(&mut Rng::new(seed, 1));
        assert_eq!(plan, again);
        let first = rewrite(plan, seed, Level::Data);
        assert_eq!(first, rewrite(again, seed, Level::Data));
    }
}

#[test]
fn handshakes_are_spared_unless_asked_for() {
    let spared = HostilePlan::only(Lie::Garbage, 1_000_000);
    let lied = HostilePlan {
        handshake: 1_000_000,
        ..spared.clone()
    };
    assert_eq!(rewrite(spared, 1, Level::Handshake).0, packet());
    assert_ne!(rewrite(lied, 1, Level::Handshake).0, packet());
}

#[test]
fn silences_leave_what_they_say() {
    let frames = |text: &[u8]| {
        let mut rest = text;
        let decode = || (!rest.is_empty()).then(|| Frame::decode(&mut rest).expect("good frames"));
        let names = std::iter::from_fn(decode).map(|frame| frame.name().to_owned());
        names.collect::<Vec<_>>()
    };
    let (text, told, mute) = rewrite(HostilePlan::quiet(0, Silence::Mute), 1, Level::Data);
    assert_eq!((text, mute, told.quiet), (packet(), true, 1));
    let (text, _, mute) = rewrite(HostilePlan::quiet(0, Silence::Deaf), 1, Level::Data);
    assert_eq!(
        (frames(&text), mute),
        (frames(&packet())[1..].to_vec(), false)
    );
    let (text, _, mute) = rewrite(HostilePlan::quiet(0, Silence::Hollow), 1, Level::Data);
    assert!(
        !mute
            && frames(&text)
                .iter()
                .all(|name| name == "PADDING" || name == "PING")
    );
    let (text, told, _) = rewrite(HostilePlan::quiet(1, Silence::Mute), 1, Level::Data);
    assert_eq!(
        (text, told.quiet),
        (packet(), 0),
        "the first packet comes before it"
    );
}
