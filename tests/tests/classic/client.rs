//! The client's role, against servers that are written by hand.

use std::time::Duration;

use proto_core::classic::Message;
use proto_core::wire::{Entry, ErrorCode, FilePath};
use proto_core::{Event, Failure, Finished, Overwrite, Request, StartError};
use sim::disk::Content;

use crate::bench::{Bench, ROOT, Sent, bytes, path, peer};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn one(sent: Vec<Sent>) -> Sent {
    assert_eq!(sent.len(), 1, "{sent:?}");
    sent.into_iter().next().expect("one")
}

fn begin_get(bench: &mut Bench, name: &str) -> Vec<Sent> {
    let asked = one(bench.get(peer(1), name, Overwrite::Replace));
    assert_eq!(
        asked.message(),
        Message::DownloadRequest {
            name: name.as_bytes()
        }
    );
    bench.send(peer(1), Message::DownloadAgreed { name: b"" })
}

fn piece(content: &[u8], seq: usize) -> Message<'_> {
    let data = &content[seq..content.len().min(seq + 1_000)];
    Message::DownloadPiece {
        name: b"",
        seq: seq as u32,
        data,
        end: data.len() < 1_000,
    }
}

#[test]
fn downloads_of_all_sizes() {
    for size in [0, 1, 999, 1_000, 1_001, 65_000, 65_536, 66_000, 131_072] {
        let (mut bench, content) = (Bench::new(), bytes(size));
        let mut sent = begin_get(&mut bench, "f");
        let mut seq = 0;
        loop {
            let wanted = Message::DownloadWanted {
                name: b"f",
                ack: seq as u32,
            };
            assert_eq!(one(sent).message(), wanted, "{size}");
            assert_eq!(bench.content("f"), None);
            sent = bench.send(peer(1), piece(&content, seq));
            if seq + 1_000 > size {
                break;
            }
            seq += 1_000;
        }
        assert_eq!(one(sent).message(), Message::DownloadEnd { name: b"f" });
        assert_eq!(bench.content("f"), Some(content.clone()), "{size}");
        // The end was lost: the last piece comes again.
        let again = bench.send(peer(1), piece(&content, seq));
        assert_eq!(one(again).message(), Message::DownloadEnd { name: b"f" });
        assert!(matches!(
            bench.ends()[..],
            [Ok(Finished::Stored { root: Some(_), .. })]
        ));
        assert_eq!(bench.pass(21 * SECOND), []);
        assert_eq!(
            (bench.endpoint.classic_exchanges(), bench.names().len()),
            (0, 1)
        );
    }
}

#[test]
fn uploads_of_all_sizes() {
    for size in [0, 1, 999, 1_000, 1_001, 65_000, 65_536, 66_000, 131_072] {
        let (mut bench, content) = (Bench::new(), bytes(size));
        bench.plant("f", &content);
        assert_eq!(
            one(bench.put(peer(1), "f")).message(),
            Message::UploadRequest { name: b"f" }
        );
        let mut got = Vec::new();
        loop {
            let sent = bench.ask(
                peer(1),
                Message::UploadAgreed {
                    name: b"",
                    ack: got.len() as u32,
                },
            );
            let Message::UploadPiece {
                name: b"f",
                seq,
                data,
                end,
            } = sent.message()
            else {
                panic!("{:?}", sent.message())
            };
            assert_eq!(seq as usize, got.len());
            assert_eq!(end, data.len() < 1_000);
            got.extend_from_slice(data);
            if end {
                break;
            }
        }
        assert_eq!(got, content, "{size}");
        assert!(bench.ends().is_empty());
        assert_eq!(bench.send(peer(1), Message::UploadEnd { name: b"" }), []);
        assert!(matches!(bench.ends()[..], [Ok(_)]));
        assert_eq!(
            (bench.endpoint.classic_exchanges(), bench.disk.open_files()),
            (0, 0)
        );
    }
}

#[test]
fn a_list_gives_the_names_that_can_be_asked_for() {
    let mut bench = Bench::new();
    let request = Request::List {
        path: FilePath::root(),
    };
    bench
        .endpoint
        .start_classic(bench.now, peer(1), request)
        .unwrap();
    assert_eq!(one(bench.settle()).message(), Message::ListRequest);
    bench.send(
        peer(1),
        Message::List {
            names: b".\r..\ra\rfol/der\rb c\rcut",
        },
    );
    let [
        Event::Listing { entries, .. },
        Event::Finished {
            result: Ok(Finished::Answered),
            ..
        },
    ] = &bench.events[..]
    else {
        panic!("{:?}", bench.events)
    };
    let (mut rest, mut names) = (&entries[..], Vec::new());
    while !rest.is_empty() {
        names.push(Entry::decode(&mut rest).unwrap().name);
    }
    assert_eq!(names, [&b"a"[..], b"b c"]);
    assert_eq!(bench.endpoint.classic_exchanges(), 0);
}

#[test]
fn ten_tries_two_seconds_apart_and_then_no_answer() {
    let mut bench = Bench::new();
    let first = one(bench.get(peer(1), "f", Overwrite::Replace));
    let sent = bench.pass(60 * SECOND);
    let expected: Vec<_> = (1..10).map(|n| (2 * n * SECOND, first.clone())).collect();
    assert_eq!(sent, expected);
    assert_eq!(bench.ends(), [Err(Failure::NoAnswer)]);
    let ended = bench.events.iter().find_map(|event| match event {
        Event::Finished { stats, .. } => Some(stats.elapsed),
        _ => None,
    });
    assert_eq!(ended, Some(20 * SECOND));
    assert!(bench.names().is_empty());
    assert_eq!(
        (bench.endpoint.classic_exchanges(), bench.disk.open_files()),
        (0, 0)
    );
}

#[test]
fn a_server_that_falls_silent_is_a_lost_one() {
    let mut bench = Bench::new();
    begin_get(&mut bench, "f");
    bench.send(peer(1), piece(&bytes(5_000), 0));
    assert_eq!(bench.pass(60 * SECOND).len(), 9);
    assert_eq!(bench.ends(), [Err(Failure::SessionLost)]);
    assert!(bench.names().is_empty());
}

/// When the second message of the next piece goes out.
fn second_try(bench: &mut Bench) -> Duration {
    bench.pass(10 * SECOND).first().expect("it asks again").0
}

#[test]
fn the_time_out_adapts_once_the_server_has_proven_itself() {
    let (mut bench, content) = (Bench::new(), bytes(50_000));
    begin_get(&mut bench, "f");
    for n in 0..20 {
        bench.pass(50 * MS);
        bench.send(peer(1), piece(&content, n * 1_000));
    }
    assert_eq!(
        second_try(&mut bench),
        2 * SECOND,
        "measured, but not proven"
    );
    // It answers the repeated START as it should.
    bench.send(peer(1), piece(&content, 20_000));
    let quick = second_try(&mut bench);
    assert!((50 * MS..100 * MS).contains(&quick), "{quick:?}");
    bench.send(peer(1), piece(&content, 21_000));
    for n in 22..50 {
        bench.send(peer(1), piece(&content, n * 1_000));
    }
    let quick = second_try(&mut bench);
    assert!(
        (20 * MS..50 * MS).contains(&quick),
        "never below 20 ms: {quick:?}"
    );
}

#[test]
fn a_server_that_reads_on_is_found_out() {
    // The original's: each START is answered with the next piece, whatever its ACK says.
    let (mut bench, content) = (Bench::new(), bytes(9_500));
    begin_get(&mut bench, "f");
    bench.send(peer(1), piece(&content, 0));
    // The piece at 1,000 is lost; the repeated START gets the one at 2,000.
    for n in 2..9 {
        bench.pass(2 * SECOND);
        assert_eq!(
            bench.send(peer(1), piece(&content, n * 1_000)),
            [],
            "stale or early"
        );
    }
    bench.pass(20 * SECOND);
    assert_eq!(bench.ends(), [Err(Failure::SessionLost)]);
    assert!(bench.names().is_empty(), "nothing is written");
}

#[test]
fn a_server_that_counts_a_piece_twice_is_found_out() {
    let mut bench = Bench::new();
    bench.plant("f", &bytes(9_500));
    bench.put(peer(1), "f");
    bench.send(peer(1), Message::UploadAgreed { name: b"", ack: 0 });
    bench.send(
        peer(1),
        Message::UploadAgreed {
            name: b"",
            ack: 2_000,
        },
    );
    assert_eq!(bench.ends(), [Err(Failure::Peer(ErrorCode::Integrity))]);
}

#[test]
fn stale_messages_are_ignored() {
    let (mut bench, content) = (Bench::new(), bytes(9_500));
    begin_get(&mut bench, "f");
    assert_eq!(
        one(bench.send(peer(1), piece(&content, 0))).message(),
        Message::DownloadWanted {
            name: b"f",
            ack: 1_000
        }
    );
    for stale in [
        piece(&content, 0),
        piece(&content, 9_000),
        Message::DownloadAgreed { name: b"" },
        Message::UploadEnd { name: b"" },
        Message::UploadAgreed {
            name: b"",
            ack: 1_000,
        },
        Message::List { names: b"x\r" },
        Message::DownloadPiece {
            name: b"other",
            seq: 1_000,
            data: b"x",
            end: true,
        },
    ] {
        assert_eq!(bench.send(peer(1), stale), [], "{stale:?}");
    }
    assert_eq!(
        bench.send(peer(2), piece(&content, 1_000)),
        [],
        "another server"
    );
    bench.plant("up", &bytes(2_500));
    bench.put(peer(3), "up");
    assert_eq!(bench.send(peer(3), Message::UploadEnd { name: b"" }), []);
    assert_eq!(
        bench.send(
            peer(3),
            Message::UploadAgreed {
                name: b"",
                ack: 1_000
            }
        ),
        []
    );
    bench.ask(peer(3), Message::UploadAgreed { name: b"", ack: 0 });
    assert_eq!(
        bench.send(peer(3), Message::UploadAgreed { name: b"", ack: 0 }),
        []
    );
    assert_eq!(
        bench.send(peer(3), Message::UploadEnd { name: b"" }),
        [],
        "before the end was sent"
    );
    assert!(bench.ends().is_empty());
}

#[test]
fn local_reasons_to_fail_are_found_before_the_server_is_asked() {
    let mut bench = Bench::new();
    bench
        .disk
        .plant(ROOT, &path("huge"), Content::generated(1, 1 << 31), 5);
    bench.plant("there", b"old");
    assert_eq!(bench.put(peer(1), "huge"), []);
    assert_eq!(bench.put(peer(2), "missing"), []);
    assert_eq!(bench.get(peer(3), "there", Overwrite::Never), []);
    let codes = [ErrorCode::TooLarge, ErrorCode::NotFound, ErrorCode::Exists];
    assert_eq!(bench.ends(), codes.map(|code| Err(Failure::Here(code))));
    assert_eq!(
        one(bench.get(peer(4), "new", Overwrite::Never)).message(),
        Message::DownloadRequest { name: b"new" }
    );
    for name in ["a/b", "a\nb", ".dhow-x"] {
        let request = Request::Stat { path: path(name) };
        let started = bench.endpoint.start_classic(bench.now, peer(5), request);
        assert_eq!(started, Err(StartError::NotClassic));
    }
    let list = || Request::List {
        path: FilePath::root(),
    };
    let started = bench.endpoint.start_classic(bench.now, peer(4), list());
    assert_eq!(started, Err(StartError::TooMany), "one at a time");
}

#[test]
fn a_cancelled_exchange_leaves_nothing() {
    let mut bench = Bench::new();
    begin_get(&mut bench, "f");
    bench.send(peer(1), piece(&bytes(5_000), 0));
    let Some(Event::Accepted { transfer }) = bench.events.first().cloned() else {
        panic!()
    };
    bench.endpoint.cancel(bench.now, transfer).unwrap();
    assert_eq!(bench.settle(), []);
    assert_eq!(bench.ends(), [Err(Failure::Here(ErrorCode::Cancelled))]);
    assert!(bench.names().is_empty());
    assert!(bench.endpoint.cancel(bench.now, transfer).is_err(), "stale");
}
