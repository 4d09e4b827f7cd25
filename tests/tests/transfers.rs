//! Files, listings and metadata between a client and a server in virtual time.

use std::sync::Arc;
use std::time::Duration;

use proto_core::crypto::PublicKey;
use proto_core::wire::{CloseCode, Durability, Entry, FilePath};
use proto_core::{
    Admission, Config, Decision, Event, Finished, Overwrite, Place, Request, TransferId,
};
use sim::disk::Content;
use sim::null_crypto::NullProvider;
use tests::{Pair, ROOT};

const SIZES: [u64; 13] = [
    0, 1, 999, 1_000, 16_384, 65_535, 65_536, 65_537, 1_048_575, 1_048_576, 1_048_577, 5_000_000,
    20_000_000,
];

fn path(name: &str) -> FilePath {
    FilePath::parse(name.as_bytes()).unwrap()
}

fn place(name: &str) -> Place {
    Place {
        root: ROOT,
        path: path(name),
    }
}

/// A session that both ends have admitted.
fn open() -> Pair {
    open_with(1_200)
}

/// The same, with datagrams of this size.
fn open_with(datagram_size: u16) -> Pair {
    let provider = |n| {
        Arc::new(NullProvider {
            key: PublicKey([n; 32]),
        })
    };
    let client = Config {
        datagram_size,
        datagram_max: datagram_size,
        ..Config::new(provider(1))
    };
    let server = Config {
        datagram_size,
        datagram_max: datagram_size,
        ..Config::server(provider(2))
    };
    let mut pair = Pair::with(client, server);
    let ready = pair.run_until(Duration::from_secs(9), |pair| {
        !pair.client.events.is_empty() && !pair.server.events.is_empty()
    });
    assert!(ready);
    for side in [&mut pair.client, &mut pair.server] {
        let Some(Event::PeerReady { peer, .. }) = side.events.pop_front() else {
            unreachable!()
        };
        side.endpoint
            .admit(pair.now, peer, Admission::Admit)
            .unwrap();
    }
    pair
}

/// Runs the request to its end; the server grants everything. Returns the client's events.
fn run(pair: &mut Pair, request: Request) -> Vec<Event> {
    let id: TransferId = pair
        .client
        .endpoint
        .start(pair.now, pair.peer, request)
        .unwrap();
    let mut told = Vec::new();
    let done = pair.run_until(Duration::from_secs(600), |pair| {
        grant(pair);
        told.extend(pair.client.events.drain(..));
        matches!(told.last(), Some(Event::Finished { transfer, .. }) if *transfer == id)
    });
    assert!(done, "{told:?}");
    told
}

fn grant(pair: &mut Pair) {
    for event in std::mem::take(&mut pair.server.events) {
        if let Event::Requested { transfer, request } = event {
            let place = Place {
                root: ROOT,
                path: request.path,
            };
            let decision = Decision::Grant {
                place,
                may_replace: true,
            };
            pair.server
                .endpoint
                .decide(pair.now, transfer, decision)
                .unwrap();
        }
    }
}

fn get(name: &str) -> Request {
    Request::Get {
        from: path(name),
        to: place(name),
        overwrite: Overwrite::Replace,
        durability: Durability::Full,
        preserve: true,
        keep_top_mode: false,
        tree: false,
    }
}

fn put(name: &str) -> Request {
    Request::Put {
        from: place(name),
        to: path(name),
        overwrite: Overwrite::Replace,
        durability: Durability::Full,
        tree: false,
    }
}

fn assert_stored(told: &[Event], content: &Content) {
    let mut bytes = vec![0; content.len() as usize];
    content.read(0, &mut bytes);
    match told.last() {
        Some(Event::Finished {
            result: Ok(Finished::Stored { root, size, .. }),
            ..
        }) => {
            assert_eq!(*size, content.len());
            assert_eq!(*root, Some(*blake3::hash(&bytes).as_bytes()));
        }
        other => panic!("{other:?}"),
    }
}

fn same(a: Option<&Content>, b: &Content) -> bool {
    let bytes = |content: &Content| {
        let mut bytes = vec![0; content.len() as usize];
        content.read(0, &mut bytes);
        bytes
    };
    a.is_some_and(|a| bytes(a) == bytes(b))
}

#[test]
fn files_of_all_sizes_travel_both_ways() {
    for size in SIZES {
        let content = Content::generated(size, size);
        let mut pair = open();
        pair.server.disk.plant(ROOT, &path("f"), content.clone(), 7);
        let told = run(&mut pair, get("f"));
        assert_stored(&told, &content);
        assert!(
            same(pair.client.disk.content(ROOT, &path("f")), &content),
            "get of {size}"
        );
        assert_eq!(pair.client.disk.meta(ROOT, &path("f")).unwrap().mtime, 7);

        let mut pair = open();
        pair.client.disk.plant(ROOT, &path("f"), content.clone(), 7);
        let told = run(&mut pair, put("f"));
        assert_stored(&told, &content);
        assert!(
            same(pair.server.disk.content(ROOT, &path("f")), &content),
            "put of {size}"
        );
        assert_eq!(
            pair.server.disk.names(ROOT, &FilePath::root()).len(),
            1,
            "no temporary file is left"
        );
    }
}

#[test]
fn datagrams_of_all_sizes_carry_files() {
    for datagram_size in [1_452, 8_972, 16_384, 65_507] {
        let content = Content::generated(1, 5_000_000);
        let mut pair = open_with(datagram_size);
        pair.server.disk.plant(ROOT, &path("f"), content.clone(), 7);
        assert_stored(&run(&mut pair, get("f")), &content);
        let longest = pair.server.sent.iter().map(|(_, bytes)| bytes.len()).max();
        assert_eq!(longest, Some(usize::from(datagram_size)));
    }
}

#[test]
fn files_arrive_through_heavy_loss() {
    for seed in 0..20_usize {
        let content = Content::generated(seed as u64, 300_000);
        let mut pair = open();
        pair.from_client = Box::new(move |n, _| (n * 7 + seed) % 10 > 2);
        pair.from_server = Box::new(move |n, _| (n * 3 + seed) % 10 > 2);
        pair.server.disk.plant(ROOT, &path("f"), content.clone(), 7);
        let told = run(&mut pair, get("f"));
        assert_stored(&told, &content);
    }
}

#[test]
fn a_small_download_takes_one_round_trip_on_an_open_session() {
    let mut pair = open();
    pair.server
        .disk
        .plant(ROOT, &path("f"), Content::generated(1, 10_000), 7);
    pair.run_until(Duration::from_millis(100), |_| false);
    let start = pair.now;
    run(&mut pair, get("f"));
    let took = pair.now.since(start);
    assert!(
        took <= 2 * pair.delay + Duration::from_millis(10),
        "{took:?}"
    );
}

#[test]
fn listings_come_whole() {
    for count in [0, 1, 5_000] {
        let mut pair = open();
        for n in 0..count {
            pair.server.disk.plant(
                ROOT,
                &path(&format!("file {n:05}")),
                Content::generated(n, n),
                n as i64,
            );
        }
        let told = run(
            &mut pair,
            Request::List {
                path: FilePath::root(),
            },
        );
        let mut names = Vec::new();
        for event in &told {
            if let Event::Listing { entries, .. } = event {
                let mut rest = &entries[..];
                while !rest.is_empty() {
                    names.push(Entry::decode(&mut rest).unwrap().name.to_vec());
                }
            }
        }
        names.sort();
        let expected: Vec<_> = (0..count)
            .map(|n| format!("file {n:05}").into_bytes())
            .collect();
        assert_eq!(names, expected);
        assert!(matches!(
            told.last(),
            Some(Event::Finished {
                result: Ok(Finished::Answered),
                ..
            })
        ));
    }
}

#[test]
fn stat_tells_size_and_time() {
    let mut pair = open();
    pair.server
        .disk
        .plant(ROOT, &path("f"), Content::generated(1, 123), 77);
    let told = run(&mut pair, Request::Stat { path: path("f") });
    assert!(told.iter().any(
        |event| matches!(event, Event::Entry { file, .. } if file.size == 123 && file.mtime == 77)
    ));
}

/// The client leaves as soon as it has what it wants; the server must not take that for a failure.
#[test]
fn leaving_right_after_the_end_leaves_no_doubt() {
    for request in [
        Request::Stat { path: path("f") },
        Request::List {
            path: FilePath::root(),
        },
        get("f"),
        put("f"),
    ] {
        let mut pair = open();
        // Acknowledgements of the handshake are out of the way: the next one will wait for company.
        pair.run_until(Duration::from_millis(100), |_| false);
        for side in [&mut pair.client, &mut pair.server] {
            side.disk
                .plant(ROOT, &path("f"), Content::generated(1, 100_000), 7);
        }
        let id = pair
            .client
            .endpoint
            .start(pair.now, pair.peer, request)
            .unwrap();
        let mut told = Vec::new();
        pair.run_until(Duration::from_secs(9), |pair| {
            for event in std::mem::take(&mut pair.server.events) {
                if let Event::Requested { transfer, request } = &event {
                    let place = Place {
                        root: ROOT,
                        path: request.path.clone(),
                    };
                    let decision = Decision::Grant {
                        place,
                        may_replace: true,
                    };
                    pair.server
                        .endpoint
                        .decide(pair.now, *transfer, decision)
                        .unwrap();
                }
                told.push(event);
            }
            let finished =
                pair.client.events.iter().any(
                    |event| matches!(event, Event::Finished { transfer, .. } if *transfer == id),
                );
            if finished {
                let _gone = pair
                    .client
                    .endpoint
                    .close(pair.now, pair.peer, CloseCode::NoError);
            }
            matches!(told.last(), Some(Event::PeerClosed { .. }))
        });
        let ends = told.iter().filter_map(|event| match event {
            Event::Finished { result, .. } => Some(result.is_ok()),
            _ => None,
        });
        assert_eq!(ends.collect::<Vec<_>>(), [true], "{told:?}");
    }
}

/// Beside a final name of one byte there is no room for a temporary one: the operation that cannot be made ends the
/// transfer, and its end is told without waiting for anything else.
#[test]
fn a_target_without_room_for_a_temporary_name_fails_at_once() {
    let mut pair = open();
    let content = Content::generated(1, 9);
    pair.server.disk.plant(ROOT, &path("a"), content, 7);
    let mut deep = "d/".repeat(15).replace('d', &"d".repeat(255));
    deep.push_str(&"e".repeat(240));
    deep.push_str("/x");
    let begun = pair.now;
    let request = Request::Get {
        from: path("a"),
        to: place(&deep),
        overwrite: Overwrite::Replace,
        durability: Durability::None,
        preserve: true,
        keep_top_mode: false,
        tree: false,
    };
    let told = run(&mut pair, request);
    assert!(
        matches!(told.last(), Some(Event::Finished { result: Err(_), .. })),
        "{told:?}"
    );
    assert!(pair.now.since(begun) < Duration::from_secs(1), "{told:?}");
}
