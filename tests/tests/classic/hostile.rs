//! Messages that no honest client sends: silence, a note for the log, nothing written.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use proto_core::classic::{BadMessage, ClassicIgnored, MESSAGE_LEN, Message};
use proto_core::{DropReason, Event, Failure};
use sim::rng::Rng;

use crate::bench::{Bench, bytes, config, peer};

fn notes(bench: &Bench) -> Vec<ClassicIgnored> {
    let note = |event: &Event| match event {
        Event::ClassicIgnored { why, .. } => Some(*why),
        _ => None,
    };
    bench.events.iter().filter_map(note).collect()
}

#[test]
fn hostile_names_are_refused_in_silence() {
    let mut bench = Bench::new();
    bench.plant("f", b"secret");
    let long = [b'n'; 256];
    let names = [
        &b"."[..],
        b"..",
        b"../f",
        b"/etc/passwd",
        b"a/b",
        b"a/",
        b"a\nb",
        b"\x1b[31m",
        b"\x7f",
        b".dhow-0.part",
        &long,
    ];
    for (number, name) in (0..).zip(names) {
        for message in [
            Message::DownloadRequest { name },
            Message::UploadRequest { name },
        ] {
            assert_eq!(bench.send(peer(number), message), [], "{message:?}");
        }
    }
    assert_eq!(notes(&bench), vec![ClassicIgnored::Name; 2 * names.len()]);
    assert_eq!(
        (bench.names(), bench.endpoint.classic_exchanges()),
        (vec!["f".to_owned()], 0)
    );
}

#[test]
fn bad_fields_are_refused_in_silence() {
    let mut bench = Bench::new();
    bench.ask(peer(1), Message::UploadRequest { name: b"up" });
    let raw = |kind: i32, len: i32, seq: i32, ack: i32| {
        let mut bytes = [0; MESSAGE_LEN];
        for (at, number) in [(0, kind), (2_004, len), (2_008, seq), (2_012, ack)] {
            bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        bytes
    };
    let cases = [
        (raw(4, -1, 0, 0), BadMessage::Length),
        (raw(4, 1_001, 0, 0), BadMessage::Length),
        (raw(4, 10, -1, 0), BadMessage::Offset),
        (raw(4, 1_000, i32::MAX - 5, 0), BadMessage::Offset),
        (raw(9, 0, 0, -1), BadMessage::Offset),
        (raw(6, 0, 0, 0), BadMessage::Type),
        (raw(11, 0, 0, 0), BadMessage::Type),
        (raw(-65, 0, 0, 0), BadMessage::Type),
        (raw(2, 0, 0, 0), BadMessage::Name),
    ];
    for (mut bytes, why) in cases {
        assert_eq!(bench.send_bytes(peer(1), &mut bytes), [], "{why:?}");
        assert_eq!(notes(&bench).last(), Some(&why.into()));
    }
    assert_eq!(
        bench.endpoint.drops()[DropReason::Classic as usize],
        cases.len() as u64
    );
    // The upload goes on as if nothing had been.
    bench.ask(
        peer(1),
        Message::UploadPiece {
            name: b"",
            seq: 0,
            data: b"fine",
            end: true,
        },
    );
    assert_eq!(bench.content("up"), Some(b"fine".to_vec()));
}

#[test]
fn notes_that_nobody_takes_are_counted() {
    let mut bench = Bench::new();
    let mut bytes = [0; MESSAGE_LEN];
    bytes[0] = 6;
    let meta = proto_core::DatagramMeta {
        source: peer(1),
        local: None,
        ecn: proto_core::Ecn::NotEct,
    };
    for _ in 0..100 {
        bench
            .endpoint
            .handle_datagram(bench.now, meta, &mut bytes.clone());
    }
    bench.settle();
    let told: u64 = bench
        .events
        .iter()
        .map(|event| match event {
            Event::ClassicIgnored { untold, .. } => 1 + untold,
            _ => 0,
        })
        .sum();
    assert_eq!((told, bench.events.len()), (100, 16));
}

#[test]
fn nobody_answers_unless_it_is_asked_for() {
    let (mut off, mut client) = (config(), config());
    off.classic = false;
    client.accept = false;
    for config in [off, client] {
        let mut bench = Bench::with(config);
        bench.plant("f", b"x");
        for message in [
            Message::ListRequest,
            Message::DownloadRequest { name: b"f" },
        ] {
            assert_eq!(bench.send(peer(1), message), []);
        }
        assert!(bench.events.is_empty());
    }
}

#[test]
fn one_source_does_not_take_all_places() {
    let mut bench = Bench::new();
    let near = |port| SocketAddr::from(([192, 0, 2, 1], port));
    for port in 1..=32 {
        assert_eq!(
            bench
                .send(near(port), Message::UploadRequest { name: b"up" })
                .len(),
            1
        );
    }
    assert_eq!(
        bench.send(near(99), Message::UploadRequest { name: b"up" }),
        []
    );
    assert_eq!(notes(&bench), [ClassicIgnored::TooMany]);
    assert_eq!(
        bench
            .send(peer(1), Message::UploadRequest { name: b"up" })
            .len(),
        1
    );
    // What only remembers its end makes room.
    let last = Message::UploadPiece {
        name: b"",
        seq: 0,
        data: b"abc",
        end: true,
    };
    bench.ask(near(7), last);
    assert_eq!(
        bench
            .send(near(99), Message::UploadRequest { name: b"up" })
            .len(),
        1
    );
    assert_eq!(bench.send(near(7), last), [], "it was forgotten for that");
    // Networks of 64 bits count as one.
    let six = |low: u16| SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 0, 1, low, 0, 0, low), 9));
    let served = (0..40).filter(|low| {
        !bench
            .send(six(*low), Message::UploadRequest { name: b"x" })
            .is_empty()
    });
    assert_eq!(served.count(), 32);
}

#[test]
fn all_places_together_are_bounded() {
    let mut config = config();
    config.limits.classic_exchanges = 40;
    config.limits.sink_blocks = 20;
    let mut bench = Bench::with(config);
    let served = (0..60).filter(|n| {
        !bench
            .send(peer(*n), Message::UploadRequest { name: b"up" })
            .is_empty()
    });
    assert_eq!(served.count(), 20, "one block each");
    let busy = Err(Failure::Here(proto_core::wire::ErrorCode::Busy));
    assert!(bench.ends().iter().all(|end| *end == busy));
    bench.pass(Duration::from_secs(21));
    assert_eq!(
        (bench.endpoint.classic_exchanges(), bench.names().len()),
        (0, 0)
    );
}

/// Strangers send anything in any order from forged addresses: nobody gets more than three times what came from there,
/// every file that appears was uploaded, and all state is gone in the end.
#[test]
fn arbitrary_messages_amplify_by_three_at_most() {
    for seed in 0..60 {
        let mut rng = Rng::new(seed, 77);
        let mut bench = Bench::new();
        for name in ["a", "b"] {
            bench.plant(name, &bytes(70_500));
        }
        for _ in 0..400 {
            let from = peer(rng.below(6) as u16);
            let name: &[u8] = [&b""[..], b"a", b"b", b"new", b"../a"][rng.below(5) as usize];
            let seq = match rng.below(3) {
                0 => 0,
                1 => rng.below(72) as u32 * 1_000,
                _ => rng.below(80_000) as u32,
            };
            let data = &[9; 1_000][..rng.below(1_001) as usize];
            let end = rng.one_in(4);
            let message = match rng.below(11) {
                0 => Message::ListRequest,
                1 => Message::List { names: b"x\r" },
                2 => Message::UploadRequest { name },
                3 => Message::UploadAgreed { name, ack: seq },
                4 => Message::UploadPiece {
                    name,
                    seq,
                    data,
                    end,
                },
                5 => Message::UploadEnd { name },
                6 => Message::DownloadRequest { name },
                7 => Message::DownloadAgreed { name },
                8 => Message::DownloadPiece {
                    name,
                    seq,
                    data,
                    end,
                },
                9 => Message::DownloadWanted { name, ack: seq },
                _ => Message::DownloadEnd { name },
            };
            bench.send(from, message);
            if rng.one_in(3) {
                bench.pass(Duration::from_millis(rng.log_uniform(5_000)));
            }
        }
        bench.pass(Duration::from_secs(60));
        for (address, (came, went)) in &bench.traffic {
            assert!(
                went <= &(3 * came),
                "seed {seed}, {address}: {went} for {came}"
            );
        }
        assert_eq!(
            (bench.endpoint.classic_exchanges(), bench.disk.open_files()),
            (0, 0),
            "seed {seed}"
        );
        assert!(
            bench
                .names()
                .iter()
                .all(|name| ["a", "b", "new"].contains(&name.as_str()))
        );
    }
}
