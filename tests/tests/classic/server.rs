//! The server's role, message by message.

use std::time::Duration;

use proto_core::classic::Message;
use proto_core::wire::{ErrorCode, RequestKind};
use proto_core::{Event, Failure, Finished};
use sim::disk::{Change, Content};

use crate::bench::{Bench, ROOT, bytes, path, peer};

const SECOND: Duration = Duration::from_secs(1);

/// Downloads a file as the original client does: names only in the request. The end is told by the message `end`.
fn download(bench: &mut Bench, number: u16, name: &[u8], end: bool) -> Vec<u8> {
    let from = peer(number);
    let agreed = bench.ask(from, Message::DownloadRequest { name });
    assert_eq!(agreed.message(), Message::DownloadAgreed { name });
    let mut content = Vec::new();
    loop {
        let ack = content.len() as u32;
        let sent = bench.ask(from, Message::DownloadWanted { name: b"", ack });
        let Message::DownloadPiece {
            seq,
            data,
            end: last,
            ..
        } = sent.message()
        else {
            panic!("{:?}", sent.message())
        };
        assert_eq!(seq, ack);
        assert_eq!(last, data.len() < 1_000);
        content.extend_from_slice(data);
        if last {
            break;
        }
    }
    let end = match end {
        true => Message::DownloadEnd { name: b"" },
        false => Message::DownloadWanted {
            name: b"",
            ack: content.len() as u32,
        },
    };
    assert_eq!(bench.send(from, end), []);
    content
}

/// Uploads a file as the original client does.
fn upload(bench: &mut Bench, number: u16, name: &[u8], content: &[u8]) {
    let from = peer(number);
    let agreed = bench.ask(from, Message::UploadRequest { name });
    assert_eq!(agreed.message(), Message::UploadAgreed { name, ack: 0 });
    let mut seq = 0;
    loop {
        let data = &content[seq..content.len().min(seq + 1_000)];
        let end = data.len() < 1_000;
        let piece = Message::UploadPiece {
            name: b"",
            seq: seq as u32,
            data,
            end,
        };
        let sent = bench.ask(from, piece);
        seq += data.len();
        if end {
            assert_eq!(sent.message(), Message::UploadEnd { name });
            return;
        }
        assert_eq!(
            sent.message(),
            Message::UploadAgreed {
                name,
                ack: seq as u32
            }
        );
    }
}

#[test]
fn files_of_all_sizes_travel_both_ways() {
    let sizes = [
        0, 1, 999, 1_000, 1_001, 2_000, 64_999, 65_000, 65_536, 65_537, 66_000, 131_072, 200_000,
    ];
    let mut bench = Bench::new();
    for (number, size) in (0..).zip(sizes) {
        let (down, up) = (format!("down {size}"), format!("up {size}"));
        bench.plant(&down, &bytes(size));
        let end = number % 2 == 0;
        assert_eq!(
            download(&mut bench, number, down.as_bytes(), end),
            bytes(size),
            "{size}"
        );
        upload(&mut bench, 100 + number, up.as_bytes(), &bytes(size));
        assert_eq!(bench.content(&up), Some(bytes(size)), "{size}");
        let [
            ..,
            Ok(Finished::Stored {
                root: one, size: a, ..
            }),
            Ok(Finished::Stored {
                root: two, size: b, ..
            }),
        ] = bench.ends()[..]
        else {
            panic!("{:?}", bench.ends())
        };
        assert_eq!([a, b], [size as u64; 2]);
        assert_eq!(
            (one, two),
            (Some(*blake3::hash(&bytes(size)).as_bytes()), one)
        );
    }
    assert!(bench.names().iter().all(|name| !name.starts_with(".dhow-")));
    bench.pass(31 * SECOND);
    assert_eq!(bench.endpoint.classic_exchanges(), 0);
    assert_eq!(bench.disk.open_files(), 0);
}

#[test]
fn the_list_holds_files_only_each_with_its_return() {
    let mut bench = Bench::new();
    bench.plant("a", b"");
    bench.plant("b c", b"");
    bench.disk.plant_directory(ROOT, &path("folder"));
    bench.disk.plant_device(ROOT, &path("device"));
    let sent = bench.ask(peer(1), Message::ListRequest);
    let Message::List { names } = sent.message() else {
        panic!()
    };
    let mut names: Vec<_> = names.split(|&b| b == b'\r').collect();
    names.sort_unstable();
    assert_eq!(names, [&b""[..], b"a", b"b c"]);
    assert_eq!(bench.ends(), [Ok(Finished::Answered)]);
    assert_eq!(bench.endpoint.classic_exchanges(), 0);
}

#[test]
fn nine_for_ten_ends_a_download_once_and_then_asks_again() {
    for size in [2_500, 2_000, 0] {
        let mut bench = Bench::new();
        bench.plant("f", &bytes(size));
        download(&mut bench, 1, b"f", false);
        assert!(
            matches!(bench.ends()[..], [Ok(_)]),
            "the first such 9 is the end"
        );
        let whole = Message::DownloadWanted {
            name: b"",
            ack: size as u32,
        };
        for _ in 0..3 {
            bench.pass(2 * SECOND);
            let sent = bench.ask(peer(1), whole);
            let Message::DownloadPiece {
                seq,
                data,
                end: true,
                ..
            } = sent.message()
            else {
                panic!()
            };
            assert_eq!(seq as usize + data.len(), size, "the end piece again");
        }
        assert_eq!(bench.ends().len(), 1);
        bench.pass(20 * SECOND);
        assert_eq!(bench.send(peer(1), whole), [], "after 20 s it is forgotten");
        assert_eq!(bench.endpoint.classic_exchanges(), 0);
    }
}

#[test]
fn data_is_always_that_at_the_offset_asked_for() {
    let mut bench = Bench::new();
    let content = bytes(150_000);
    bench.plant("f", &content);
    bench.ask(peer(1), Message::DownloadRequest { name: b"f" });
    for ack in [0, 1_000, 1_000, 65_100, 7, 149_500, 3_000, 131_000, 149_001] {
        bench.pass(Duration::from_millis(20));
        let sent = bench.ask(peer(1), Message::DownloadWanted { name: b"", ack });
        let Message::DownloadPiece { seq, data, .. } = sent.message() else {
            panic!()
        };
        assert_eq!(seq, ack);
        let from = ack as usize;
        assert_eq!(data, &content[from..content.len().min(from + 1_000)]);
    }
    for beyond in [150_001, i32::MAX as u32] {
        assert_eq!(
            bench.send(
                peer(1),
                Message::DownloadWanted {
                    name: b"",
                    ack: beyond
                }
            ),
            []
        );
    }
}

#[test]
fn a_doubled_message_is_answered_once() {
    let mut bench = Bench::new();
    bench.plant("f", &bytes(5_000));
    let request = Message::DownloadRequest { name: b"f" };
    bench.ask(peer(1), request);
    assert_eq!(bench.send(peer(1), request), []);
    let wanted = Message::DownloadWanted { name: b"", ack: 0 };
    let first = bench.ask(peer(1), wanted);
    bench.pass(Duration::from_millis(19));
    assert_eq!(bench.send(peer(1), wanted), []);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.ask(peer(1), wanted), first);
}

#[test]
fn silence_is_met_with_two_repeats_and_then_the_end() {
    let mut bench = Bench::new();
    bench.plant("f", &bytes(5_000));
    bench.ask(peer(1), Message::DownloadRequest { name: b"f" });
    let piece = bench.ask(peer(1), Message::DownloadWanted { name: b"", ack: 0 });
    let agreed = bench.ask(peer(2), Message::UploadRequest { name: b"up" });
    let sent = bench.pass(19 * SECOND);
    let expected = [(2, &piece), (2, &agreed), (4, &piece), (4, &agreed)];
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(at, sent)| (at * SECOND, sent.clone()))
        .collect();
    assert_eq!(sent, expected);
    assert_eq!(bench.names().len(), 2, "a temporary file");
    assert_eq!(bench.pass(SECOND), []);
    assert_eq!(bench.ends(), [Err(Failure::SessionLost); 2]);
    assert_eq!(bench.names(), ["f"]);
    assert_eq!(
        (bench.endpoint.classic_exchanges(), bench.disk.open_files()),
        (0, 0)
    );
}

#[test]
fn every_message_allows_two_more_repeats() {
    let mut bench = Bench::new();
    let from = peer(1);
    bench.ask(from, Message::UploadRequest { name: b"up" });
    bench.ask(
        from,
        Message::UploadPiece {
            name: b"",
            seq: 0,
            data: &bytes(1_000),
            end: false,
        },
    );
    let stale = Message::UploadPiece {
        name: b"",
        seq: 0,
        data: &bytes(1_000),
        end: false,
    };
    assert_eq!(bench.pass(5 * SECOND).len(), 2);
    for _ in 0..5 {
        // Not answered by itself, but the timer may ask again, and is overdue.
        let at_once = bench.send(from, stale).len();
        assert_eq!(bench.send(from, stale), []);
        let later = bench.pass(Duration::from_millis(7_500)).len();
        assert_eq!((at_once, later), if at_once == 0 { (0, 2) } else { (1, 2) });
    }
    for (address, (came, went)) in &bench.traffic {
        assert!(went <= &(3 * came), "{address}: {went} for {came}");
    }
}

#[test]
fn stale_and_wrong_pieces_change_nothing() {
    let mut bench = Bench::new();
    let (from, content) = (peer(1), bytes(2_500));
    bench.ask(from, Message::UploadRequest { name: b"up" });
    let piece = |seq: u32, end: bool| Message::UploadPiece {
        name: b"",
        seq,
        data: &content[seq as usize..content.len().min(seq as usize + 1_000)],
        end,
    };
    for wrong in [piece(1_000, false), piece(2_000, true), piece(500, true)] {
        assert_eq!(bench.send(from, wrong), [], "{wrong:?}");
    }
    bench.ask(from, piece(0, false));
    for stale in [piece(0, false), piece(0, true), piece(2_000, true)] {
        assert_eq!(bench.send(from, stale), [], "{stale:?}");
    }
    let other = Message::UploadPiece {
        name: b"other",
        seq: 1_000,
        data: b"x",
        end: true,
    };
    assert_eq!(bench.send(from, other), []);
    assert_eq!(bench.send(peer(2), piece(1_000, false)), [], "another peer");
    bench.ask(from, piece(1_000, false));
    assert_eq!(bench.content("up"), None, "whole or not at all");
    let end = bench.ask(from, piece(2_000, true));
    assert_eq!(end.message(), Message::UploadEnd { name: b"up" });
    assert_eq!(bench.content("up"), Some(content.clone()));
    // Its last piece is answered for 30 s.
    for _ in 0..3 {
        bench.pass(9 * SECOND);
        assert_eq!(bench.ask(from, piece(2_000, true)), end);
    }
    assert_eq!(bench.send(from, piece(1_000, false)), []);
    bench.pass(4 * SECOND);
    assert_eq!(bench.send(from, piece(2_000, true)), []);
    assert_eq!(bench.content("up"), Some(content));
}

#[test]
fn late_requests_do_not_disturb_and_repeated_ones_begin_anew() {
    let mut bench = Bench::new();
    let (from, name) = (peer(1), &b"up"[..]);
    let piece = |seq| Message::UploadPiece {
        name: b"",
        seq,
        data: &[1; 1_000],
        end: false,
    };
    bench.ask(from, Message::UploadRequest { name });
    bench.ask(from, piece(0));
    for late in [
        Message::UploadRequest { name },
        Message::DownloadRequest { name: b"f" },
    ] {
        assert_eq!(bench.send(from, late), []);
    }
    bench.pass(Duration::from_millis(1_999));
    assert_eq!(
        bench.send(from, Message::UploadRequest { name }),
        [],
        "once, late"
    );
    assert_eq!(
        bench.send(from, Message::UploadRequest { name }),
        [],
        "doubled"
    );
    let agreed = bench.ask(from, piece(1_000));
    assert_eq!(agreed.message(), Message::UploadAgreed { name, ack: 2_000 });
    // A client that has begun anew asks every 2 s.
    bench.pass(2 * SECOND);
    assert_eq!(bench.send(from, Message::UploadRequest { name }), []);
    bench.pass(2 * SECOND);
    let agreed = bench.ask(from, Message::UploadRequest { name });
    assert_eq!(agreed.message(), Message::UploadAgreed { name, ack: 0 });
    assert_eq!(bench.ends(), [Err(Failure::SessionLost)]);
    bench.ask(
        from,
        Message::UploadPiece {
            name,
            seq: 0,
            data: b"new",
            end: true,
        },
    );
    assert_eq!(bench.content("up"), Some(b"new".to_vec()));
    assert_eq!(bench.names(), ["up"]);
}

#[test]
fn a_late_request_does_not_make_the_last_piece_of_an_upload_unknown() {
    let mut bench = Bench::new();
    upload(&mut bench, 1, b"up", b"abc");
    assert_eq!(
        bench.send(peer(1), Message::UploadRequest { name: b"up" }),
        []
    );
    let last = Message::UploadPiece {
        name: b"",
        seq: 0,
        data: b"abc",
        end: true,
    };
    assert_eq!(
        bench.ask(peer(1), last).message(),
        Message::UploadEnd { name: b"up" }
    );
    // Another file begins at once.
    upload(&mut bench, 1, b"next", b"def");
    bench.plant("f", b"x");
    assert_eq!(download(&mut bench, 1, b"f", true), b"x");
    assert_eq!(
        download(&mut bench, 1, b"f", true),
        b"x",
        "downloads may follow at once"
    );
}

#[test]
fn every_peer_has_its_own_state() {
    let mut bench = Bench::new();
    let content = |n: u16| bytes(3_000 + usize::from(n) * 700);
    for n in 0..8 {
        bench.plant(&format!("f{n}"), &content(n));
        bench.ask(
            peer(n),
            Message::DownloadRequest {
                name: format!("f{n}").as_bytes(),
            },
        );
        bench.ask(
            peer(100 + n),
            Message::UploadRequest {
                name: format!("u{n}").as_bytes(),
            },
        );
    }
    for round in 0..10_u32 {
        for n in 0..8 {
            let (content, at) = (content(n), round as usize * 1_000);
            if at > content.len() {
                continue;
            }
            let data = &content[at..content.len().min(at + 1_000)];
            let end = data.len() < 1_000;
            let sent = bench.ask(
                peer(n),
                Message::DownloadWanted {
                    name: b"",
                    ack: round * 1_000,
                },
            );
            let name = format!("f{n}");
            let piece = Message::DownloadPiece {
                name: name.as_bytes(),
                seq: round * 1_000,
                data,
                end,
            };
            assert_eq!(sent.message(), piece);
            bench.ask(
                peer(100 + n),
                Message::UploadPiece {
                    name: b"",
                    seq: round * 1_000,
                    data,
                    end,
                },
            );
        }
    }
    for n in 0..8 {
        assert_eq!(bench.content(&format!("u{n}")), Some(content(n)));
    }
    assert!(bench.ends().iter().all(Result::is_ok));
}

#[test]
fn what_cannot_be_served_is_met_with_silence() {
    let mut bench = Bench::new();
    bench
        .disk
        .plant(ROOT, &path("huge"), Content::generated(1, 1 << 31), 5);
    bench.disk.plant(
        ROOT,
        &path("largest"),
        Content::generated(1, (1 << 31) - 1),
        5,
    );
    bench.disk.plant_directory(ROOT, &path("folder"));
    let ask =
        |bench: &mut Bench, n, name: &[u8]| bench.send(peer(n), Message::DownloadRequest { name });
    assert_eq!(ask(&mut bench, 1, b"missing"), []);
    assert_eq!(ask(&mut bench, 2, b"huge"), []);
    assert_eq!(ask(&mut bench, 3, b"folder"), []);
    let codes = [
        ErrorCode::NotFound,
        ErrorCode::TooLarge,
        ErrorCode::IsDirectory,
    ];
    assert_eq!(bench.ends(), codes.map(|code| Err(Failure::Here(code))));
    assert_eq!(ask(&mut bench, 4, b"largest").len(), 1);
    let last = Message::DownloadWanted {
        name: b"",
        ack: i32::MAX as u32 - 647,
    };
    let sent = bench.ask(peer(4), last);
    assert!(
        matches!(sent.message(), Message::DownloadPiece { data, end: true, .. } if data.len() == 647)
    );
    bench.refuse = Some(ErrorCode::ReadOnly);
    assert_eq!(
        bench.send(peer(5), Message::UploadRequest { name: b"up" }),
        []
    );
    assert_eq!(
        bench
            .pass(5 * SECOND)
            .iter()
            .filter(|(_, sent)| sent.to != peer(4))
            .count(),
        0
    );
    assert_eq!(bench.disk.open_files(), 1, "only the largest");
}

#[test]
fn a_file_that_changes_is_never_ended() {
    let mut bench = Bench::new();
    bench.plant("f", &bytes(1_500));
    bench.ask(peer(1), Message::DownloadRequest { name: b"f" });
    bench.ask(peer(1), Message::DownloadWanted { name: b"", ack: 0 });
    bench.now += SECOND;
    assert!(bench.disk.change(
        bench.now,
        ROOT,
        &path("f"),
        Change::Write(3, b"other".to_vec())
    ));
    assert_eq!(
        bench.send(
            peer(1),
            Message::DownloadWanted {
                name: b"",
                ack: 1_000
            }
        ),
        []
    );
    assert_eq!(bench.ends(), [Err(Failure::Here(ErrorCode::SourceChanged))]);
}

#[test]
fn events_come_in_order() {
    let mut bench = Bench::new();
    bench.plant("f", &bytes(1_500));
    download(&mut bench, 1, b"f", true);
    let order: Vec<_> = bench
        .events
        .iter()
        .map(|event| match event {
            Event::ClassicRequested {
                address, request, ..
            } => {
                assert_eq!((*address, request.kind), (peer(1), RequestKind::Get));
                "requested"
            }
            Event::Entry { file, .. } => {
                assert_eq!(file.size, 1_500);
                "entry"
            }
            Event::Progress { bytes, size, .. } => {
                assert!(bytes <= size);
                "progress"
            }
            Event::Finished { stats, .. } => {
                assert_eq!(stats.bytes, 1_500);
                "finished"
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        order,
        ["requested", "entry", "progress", "progress", "finished"]
    );
}
