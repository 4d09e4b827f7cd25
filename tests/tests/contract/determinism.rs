//! The same seed and inputs give the same bytes.

use std::sync::Arc;

use proto_core::Instant;
use proto_core::crypto::Provider;
use sim::disk::Content;
use tests::scenario::{get, hash, lossy, null, open, path, run, seeded, stored_root};
use tests::{Pair, ROOT};

type Make = fn(u8) -> Arc<dyn Provider>;

fn journey(make: Make, seed: u64) -> [Vec<(Instant, Vec<u8>)>; 2] {
    let mut pair = Pair::new(make(1), make(2));
    pair.from_client = lossy(seed, 50_000);
    pair.from_server = lossy(seed + 1, 50_000);
    let content = Content::generated(seed, 300_000);
    pair.server.disk.plant(ROOT, &path("f"), content.clone(), 7);
    open(&mut pair);
    assert_eq!(stored_root(&run(&mut pair, get("f"))), Some(hash(&content)));
    [pair.client.sent, pair.server.sent]
}

#[test]
fn lossy_runs_repeat_byte_for_byte() {
    for make in [null as Make, seeded] {
        for seed in 0..5 {
            assert!(journey(make, seed) == journey(make, seed), "seed {seed}");
        }
        assert!(journey(make, 1) != journey(make, 2));
    }
}
