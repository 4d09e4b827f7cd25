//! M: limits narrow what an honest peer may do, and never end its session.

use std::time::Duration;

use proto_core::crypto::Level;
use proto_core::wire::{Durability, Entry, FilePath, Frame, RequestKind};
use proto_core::{Config, Event, Finished, Request, StartError};
use sim::disk::{Content, DiskPlan};
use tests::scenario::{
    get, grant, hash, lossy, null, open, path, put, run, run_with, start, stored_root,
};
use tests::{Pair, ROOT};

use crate::server::Alone;

/// 1 Gbit/s × 300 ms × 5 % loss; the queue before the line is endless.
#[test]
fn m3_loss_on_a_long_fat_line_ends_well() {
    let content = Content::generated(3, 6 << 20);
    for request in [get("f"), put("f")] {
        let mut pair = Pair::new(null(1), null(2));
        pair.delay = Duration::from_millis(150);
        pair.from_client = lossy(1, 50_000);
        pair.from_server = lossy(2, 50_000);
        pair.server.disk.plant(ROOT, &path("f"), content.clone(), 7);
        pair.client.disk.plant(ROOT, &path("f"), content.clone(), 7);
        open(&mut pair);
        let begun = pair.now;
        let told = run(&mut pair, request);
        assert_eq!(stored_root(&told), Some(hash(&content)));
        println!("6 MiB in {:?} of virtual time", pair.now.since(begun));
    }
}

/// Many transfers share a pool of eight blocks.
#[test]
fn m4_a_small_pool_serves_everyone() {
    for slow in [Duration::ZERO, Duration::from_millis(5)] {
        let mut server = Config::server(null(2));
        server.limits.sink_blocks = 8;
        server.limits.source_blocks = 8;
        let mut pair = Pair::with(Config::new(null(1)), server);
        let plan = DiskPlan {
            latency_max: slow,
            ..DiskPlan::default()
        };
        pair.server.disk.set_plan(plan);
        open(&mut pair);
        let mut open_transfers = 0;
        for n in 0..60_u64 {
            let name = format!("file {n}");
            let content = Content::generated(n, 150_000 + n);
            let side = if n % 2 == 0 {
                &mut pair.client
            } else {
                &mut pair.server
            };
            side.disk.plant(ROOT, &path(&name), content, 7);
            start(&mut pair, if n % 2 == 0 { put(&name) } else { get(&name) });
            open_transfers += 1;
        }
        pair.run_until(Duration::from_secs(600), |pair| {
            grant(pair);
            for event in pair.client.events.drain(..) {
                if let Event::Finished { result, .. } = event {
                    assert!(matches!(result, Ok(Finished::Stored { .. })), "{result:?}");
                    open_transfers -= 1;
                }
            }
            open_transfers == 0
        });
        assert_eq!(open_transfers, 0);
        for n in 0..60_u64 {
            let there = |side: &tests::Side| {
                side.disk
                    .content(ROOT, &path(&format!("file {n}")))
                    .map(hash)
            };
            assert_eq!(there(&pair.client), there(&pair.server));
        }
    }
}

/// Downloads to a disk that takes seconds, from a server with memory for two of them: a source without credit gives its
/// memory to another, and reads again what it had read ahead.
#[test]
fn m4_idle_sources_lend_their_memory() {
    let mut server = Config::server(null(2));
    server.limits.source_blocks = 20;
    let mut client = Config::new(null(1));
    client.limits.credit_blocks_initial = 2;
    client.limits.credit_blocks_max = 2;
    let mut pair = Pair::with(client, server);
    pair.client.disk.set_plan(DiskPlan {
        latency_min: Duration::from_secs(2),
        latency_max: Duration::from_secs(4),
        ..DiskPlan::default()
    });
    open(&mut pair);
    let name = |n: u64| format!("file {n}");
    for n in 0..12 {
        let content = Content::generated(n, 1_500_000 + n);
        pair.server.disk.plant(ROOT, &path(&name(n)), content, 7);
        start(&mut pair, get(&name(n)));
    }
    let mut open_transfers = 12;
    pair.run_until(Duration::from_secs(3_600), |pair| {
        grant(pair);
        for event in pair.client.events.drain(..) {
            if let Event::Finished { result, .. } = event {
                assert!(matches!(result, Ok(Finished::Stored { .. })), "{result:?}");
                open_transfers -= 1;
            }
        }
        open_transfers == 0
    });
    assert_eq!(open_transfers, 0);
    for n in 0..12 {
        let there = |side: &tests::Side| side.disk.content(ROOT, &path(&name(n))).map(hash);
        assert_eq!(there(&pair.client), there(&pair.server));
    }
    // Without lending, each block is read once.
    let reads = pair.server.ops.iter().filter(|op| op.kind == "Read");
    assert!(reads.count() > 12 * 23, "nothing was lent");
}

#[test]
fn m7_a_session_has_64_open_transfers() {
    let mut pair = Pair::new(null(1), null(2));
    open(&mut pair);
    for n in 0..64 {
        start(&mut pair, get(&format!("{n}")));
    }
    let one_more = pair.client.endpoint.start(pair.now, pair.peer, get("more"));
    assert_eq!(one_more, Err(StartError::TooMany));
    pair.run_until(Duration::from_secs(1), |_| false);
    let asked = |event: &&Event| matches!(event, Event::Requested { .. });
    assert_eq!(pair.server.events.iter().filter(asked).count(), 64);
}

/// A client that asks for more all the same is told that the server is busy, and its session lives.
#[test]
fn m7_a_greedy_client_gets_no_more() {
    let mut alone = Alone::open();
    for transfer in 0..300 {
        alone.say(
            Level::Data,
            &[Frame::Request {
                transfer,
                kind: RequestKind::List,
                compare: false,
                no_clobber: false,
                tree: false,
                resume: false,
                durability: Durability::Full,
                amount: 0,
                path: b"",
                argument: b"",
            }],
        );
    }
    let asked = |event: &&Event| matches!(event, Event::Requested { .. });
    assert_eq!(alone.events.iter().filter(asked).count(), 64);
    assert_eq!(alone.closed(), None);
}

#[test]
fn m7_a_server_has_so_many_sessions() {
    let mut config = Config::server(std::sync::Arc::new(tests::hand_made::provider()));
    config.limits.sessions = 4;
    let now = proto_core::Instant::from_nanos(1);
    let config = std::sync::Arc::new(config);
    let mut server = proto_core::Endpoint::new(config, [3; 32], now);
    for n in 0..10 {
        let (_, first) = tests::hand_made::Client::new();
        let meta = proto_core::DatagramMeta {
            source: std::net::SocketAddr::from(([10, 0, 0, n], 2)),
            local: None,
            ecn: proto_core::Ecn::NotEct,
        };
        server.handle_datagram(now, meta, &mut first[0].clone());
    }
    assert_eq!(server.sessions(), 4);
}

/// Pages of a listing come one after the other, 64 KiB at most.
#[test]
fn m8_one_page_of_a_listing_at_a_time() {
    let mut pair = Pair::new(null(1), null(2));
    let slow = DiskPlan {
        latency_max: Duration::from_millis(5),
        ..DiskPlan::default()
    };
    pair.server.disk.set_plan(slow);
    for n in 0..4_000 {
        let name = format!("an entry with a name of some length, number {n:06}");
        pair.server
            .disk
            .plant(ROOT, &path(&name), Content::generated(n, n), 7);
    }
    open(&mut pair);
    let mut names = 0;
    let list = Request::List {
        path: FilePath::root(),
    };
    let told = run_with(&mut pair, list, |pair| {
        let open_lists = pair
            .server
            .ops
            .iter()
            .filter(|op| op.ended.is_none())
            .count();
        assert!(open_lists <= 1);
    });
    for event in &told {
        if let Event::Listing { entries, .. } = event {
            assert!(entries.len() <= 64 << 10, "{} bytes", entries.len());
            let mut rest = &entries[..];
            while !rest.is_empty() {
                Entry::decode(&mut rest).expect("whole entries");
                names += 1;
            }
        }
    }
    assert_eq!(names, 4_000);
    let pages = pair
        .server
        .ops
        .iter()
        .filter(|op| op.kind == "List")
        .count();
    assert!(pages >= 4, "{pages} pages");
}
