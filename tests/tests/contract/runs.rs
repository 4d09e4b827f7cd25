//! How many datagrams are asked for at once changes none of them.

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use proto_core::{Config, CongestionControl, Ecn, Instant, Limits};
use sim::disk::Content;
use tests::scenario::{get, hash, lossy, null, open, path, put, run_with, stored_root};
use tests::{Codepoint, Pair, ROOT};

type Sent = Vec<(Instant, Vec<u8>)>;

/// No codepoint arrives, all do, or some of the marked ones as CE.
const NETWORKS: [Codepoint; 3] = [
    |_, _| Ecn::NotEct,
    |_, ecn| ecn,
    |n, ecn| match ecn {
        Ecn::Ect0 if n % 97 == 0 => Ecn::Ce,
        ecn => ecn,
    },
];

#[derive(Clone, Copy, Debug)]
struct Plan {
    control: CongestionControl,
    upload: bool,
    /// Of a million.
    loss: u32,
    codepoint: Codepoint,
    packets_per_key: u64,
}

fn journey(plan: Plan, batch: usize) -> [Sent; 2] {
    let Plan {
        control,
        upload,
        loss,
        codepoint,
        packets_per_key,
    } = plan;
    let config = |config| Config {
        datagram_max: 1_200,
        congestion: control,
        limits: Limits {
            packets_per_key,
            ..Limits::default()
        },
        ..config
    };
    let (client, server) = (Config::new(null(1)), Config::server(null(2)));
    let mut pair = Pair::with(config(client), config(server));
    for side in [&mut pair.client, &mut pair.server] {
        side.batch = NonZeroUsize::new(batch).expect("some datagrams");
    }
    pair.codepoint = codepoint;
    pair.from_client = lossy(7, loss);
    pair.from_server = lossy(8, loss);
    // Bytes are read in blocks, whose borders lie within packets; the last packet is not full.
    let content = Content::generated(9, 1_000_000);
    let (disk, request) = match upload {
        true => (&mut pair.client.disk, put("f")),
        false => (&mut pair.server.disk, get("f")),
    };
    disk.plant(ROOT, &path("f"), content.clone(), 7);
    open(&mut pair);
    let mut moved = false;
    let told = run_with(&mut pair, request, |pair| {
        // A new port: the same path, whose ECN is tested anew.
        if !moved && pair.server.sent.len() + pair.client.sent.len() > 400 {
            moved = true;
            pair.readdress(SocketAddr::from(([10, 0, 0, 1], 3)));
        }
    });
    assert_eq!(stored_root(&told), Some(hash(&content)));
    assert!(moved);
    [pair.client.sent, pair.server.sent]
}

/// A run of packets without anything but DATA is what packet after packet would have been: to the byte, at the same times, with
/// and without losses and marks, for each controller.
#[test]
fn runs_are_what_single_packets_would_be() {
    let controls = [
        CongestionControl::Bbr,
        CongestionControl::Cubic,
        CongestionControl::Background,
        CongestionControl::Fixed(1_000_000),
    ];
    for control in controls {
        for (upload, loss) in [(false, 0), (true, 0), (false, 20_000), (true, 20_000)] {
            for codepoint in NETWORKS {
                let plan = Plan {
                    control,
                    upload,
                    loss,
                    codepoint,
                    packets_per_key: u64::MAX,
                };
                assert_same(plan);
            }
        }
    }
}

/// R3: nor do runs outlast a key.
#[test]
fn runs_end_where_keys_are_changed() {
    for packets_per_key in [1, 100, 300, 301, 302] {
        for (upload, loss) in [(false, 0), (true, 20_000)] {
            let plan = Plan {
                control: CongestionControl::Bbr,
                upload,
                loss,
                codepoint: NETWORKS[1],
                packets_per_key,
            };
            assert_same(plan);
            let unchanged = Plan {
                packets_per_key: u64::MAX,
                ..plan
            };
            assert!(journey(plan, 54) != journey(unchanged, 54), "{plan:?}");
        }
    }
}

fn assert_same(plan: Plan) {
    let one = journey(plan, 1);
    for batch in [3, 10, 54] {
        let many = journey(plan, batch);
        assert!(one == many, "{plan:?} batch {batch}");
    }
}
