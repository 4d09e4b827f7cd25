//! Whether datagrams are handed over one by one or in trains changes nothing.

use std::num::NonZeroUsize;

use proto_core::{Config, DropReason, Ecn, Event, Instant, Limits};
use sim::disk::Content;
use tests::scenario::{get, hash, lossy, null, open, path, put, run, start, stored_root, tls};
use tests::{Arrivals, Pair, ROOT, Side};

/// What can be seen of an end: what it sent and when, what it asked of its disk, what it dropped, and its figures.
#[derive(PartialEq)]
struct Seen {
    sent: Vec<(Instant, Vec<u8>)>,
    ops: Vec<String>,
    drops: [u64; DropReason::COUNT],
    stats: String,
}

impl Seen {
    fn of(side: &mut Side) -> Self {
        let endpoint = &side.endpoint;
        let stats: Vec<_> = endpoint.peers().map(|peer| endpoint.stats(peer)).collect();
        Self {
            sent: std::mem::take(&mut side.sent),
            ops: side.ops.iter().map(|op| format!("{op:?}")).collect(),
            drops: *endpoint.drops(),
            stats: format!("{stats:?}"),
        }
    }
}

/// What a journey is like.
#[derive(Clone, Copy, Debug)]
struct Plan {
    upload: bool,
    /// Of a million.
    loss: u32,
    /// Some of the server's datagrams are damaged, cut short, or copies of the one before.
    mangled: bool,
    /// A second file in the same session.
    beside: bool,
    /// Codepoints arrive, some of them as CE.
    marks: bool,
    packets_per_key: u64,
}

fn journey(plan: Plan, arrivals: Arrivals) -> ([Seen; 2], Vec<Event>) {
    let config = |config| Config {
        datagram_max: 1_200,
        limits: Limits {
            packets_per_key: plan.packets_per_key,
            ..Limits::default()
        },
        ..config
    };
    let (client, server) = (Config::new(null(1)), Config::server(null(2)));
    let mut pair = Pair::with(config(client), config(server));
    pair.arrivals = arrivals;
    if plan.marks {
        pair.codepoint = |n, ecn| match ecn {
            Ecn::Ect0 if n % 31 == 0 => Ecn::Ce,
            ecn => ecn,
        };
    }
    for side in [&mut pair.client, &mut pair.server] {
        side.batch = NonZeroUsize::new(54).expect("some datagrams");
    }
    pair.from_client = lossy(7, plan.loss);
    pair.from_server = lossy(8, plan.loss);
    let content = Content::generated(9, 1_000_000);
    let (disk, request) = match plan.upload {
        true => (&mut pair.client.disk, put("f")),
        false => (&mut pair.server.disk, get("f")),
    };
    disk.plant(ROOT, &path("f"), content.clone(), 7);
    pair.server
        .disk
        .plant(ROOT, &path("g"), Content::generated(3, 300_000), 7);
    open(&mut pair);
    if plan.mangled {
        let mut before = Vec::new();
        pair.mangle = Box::new(move |n, bytes| {
            let own = bytes.clone();
            match n % 41 {
                7 => *bytes.last_mut().expect("no datagram is empty") ^= 1,
                19 => bytes[0] ^= 0x40,
                23 => bytes[3] ^= 1,
                29 => bytes.truncate(bytes.len() - 1),
                31 => bytes.clone_from(&before),
                _ => {}
            }
            before = own;
        });
    }
    if plan.beside {
        start(&mut pair, get("g"));
    }
    let told = run(&mut pair, request);
    assert_eq!(stored_root(&told), Some(hash(&content)));
    let seen = [Seen::of(&mut pair.client), Seen::of(&mut pair.server)];
    (seen, told)
}

/// The same bytes at the same times, the same file operations, events, drops and figures.
#[test]
fn trains_are_what_single_datagrams_would_be() {
    for upload in [false, true] {
        for (loss, mangled) in [(0, false), (20_000, false), (0, true), (20_000, true)] {
            for (beside, marks) in [(false, false), (true, false), (false, true), (true, true)] {
                let plan = Plan {
                    upload,
                    loss,
                    mangled,
                    beside,
                    marks,
                    packets_per_key: if marks { 300 } else { u64::MAX },
                };
                let [one, many] =
                    [Arrivals::Each, Arrivals::Trains].map(|arrivals| journey(plan, arrivals));
                assert!(one == many, "{plan:?}");
                let dropped: u64 = many.0.iter().flat_map(|side| side.drops).sum();
                assert_eq!(dropped > 0, mangled, "{plan:?}");
            }
        }
    }
}

/// A train of any size is taken in as far as it goes, and one of datagrams without bytes is none.
#[test]
fn trains_of_odd_sizes_change_nothing() {
    let mut pair = Pair::new(tls(1), tls(2));
    open(&mut pair);
    let meta = proto_core::DatagramMeta {
        source: pair.server.address,
        local: None,
        ecn: Ecn::NotEct,
    };
    let before = *pair.client.endpoint.drops();
    for (len, size, datagrams) in [(0, 0, 0), (0, 9, 0), (100, 0, 1), (100, 30, 4), (5, 9, 1)] {
        let dropped = |pair: &Pair| pair.client.endpoint.drops().iter().sum::<u64>();
        let before = dropped(&pair);
        let mut train = vec![0; len];
        pair.client
            .endpoint
            .handle_datagrams(pair.now, meta, &mut train, size);
        assert_eq!(dropped(&pair) - before, datagrams, "{len} {size}");
    }
    assert_ne!(*pair.client.endpoint.drops(), before);
    pair.server
        .disk
        .plant(ROOT, &path("f"), Content::generated(1, 10_000), 7);
    let told = run(&mut pair, get("f"));
    assert!(matches!(
        told.last(),
        Some(Event::Finished { result: Ok(_), .. })
    ));
}
