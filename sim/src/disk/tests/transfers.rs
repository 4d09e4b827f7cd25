//! What becomes of whole transfers when a disk has faults: the right error, and never wrong bytes.

use std::collections::BTreeMap;

use proto_core::wire::{Durability, ErrorCode};
use proto_core::{Duration, Failure, Finished, Overwrite, Place, Request};

use super::*;
use crate::crash::exchange::{self, CLIENT, Exchange, SERVER, Setup};

const SIZE: u64 = 3 << 20;

/// An upload between disks with these plans, and a mtime that is not the present.
fn exchange(seed: u64, source: DiskPlan, sink: DiskPlan) -> Exchange {
    let mut rng = Rng::new(seed, 7);
    let disks = [source, sink].map(|plan| {
        let mut disk = Disk::new(plan, rng.fork());
        disk.add_root(exchange::ROOT);
        disk
    });
    let setup = Setup {
        datagram_size: 8_952,
        sink_blocks: 16,
        journal_min: u64::MAX,
        bug: None,
    };
    let mut exchange = Exchange::new(setup, &mut rng, disks).unwrap();
    let content = Content::generated(1, SIZE);
    let source = &mut exchange.sides[CLIENT].disk;
    assert!(source.plant(exchange::ROOT, &path("here"), content, 5));
    exchange
}

fn upload() -> Request {
    Request::Put {
        from: Place {
            root: exchange::ROOT,
            path: path("here"),
        },
        to: path("there"),
        overwrite: Overwrite::Replace,
        durability: Durability::Full,
        tree: false,
    }
}

type Outcomes = BTreeMap<String, u32>;

/// Uploads over disks with these plans: what came of how many. A stored file must be whole, another must not be there.
fn uploads(source: DiskPlan, sink: DiskPlan) -> Outcomes {
    let mut outcomes = Outcomes::new();
    for seed in 0..40 {
        let mut exchange = exchange(seed, source, sink);
        let result = exchange.finish(upload(), |_| {}).unwrap();
        let stored = exchange.sides[SERVER]
            .disk
            .content(exchange::ROOT, &path("there"));
        let whole = Content::generated(1, SIZE);
        let outcome = match result {
            Ok(Finished::Stored { .. }) => {
                assert_eq!(stored, Some(&whole));
                "stored".to_owned()
            }
            Ok(other) => panic!("an upload ended as {other:?}"),
            Err(failure) => {
                assert_eq!(stored, None, "{failure:?}");
                format!("{failure:?}")
            }
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    outcomes
}

fn expect(outcomes: &Outcomes, failure: Failure) {
    let failed = outcomes.get(&format!("{failure:?}")).copied().unwrap_or(0);
    let stored = outcomes.get("stored").copied().unwrap_or(0);
    // Both come up, and nothing else does.
    assert!(
        failed > 4 && stored > 4 && outcomes.len() == 2,
        "{failure:?}: {outcomes:?}"
    );
}

#[test]
fn each_fault_ends_a_transfer_with_its_error() {
    let good = DiskPlan::default();
    let at_source = |plan, code| expect(&uploads(plan, good), Failure::Here(code));
    let at_sink = |plan, code| expect(&uploads(good, plan), Failure::Peer(code));
    at_source(
        DiskPlan {
            short_reads: 15_000,
            ..good
        },
        ErrorCode::SourceChanged,
    );
    at_sink(
        DiskPlan {
            short_writes: 15_000,
            ..good
        },
        ErrorCode::Io,
    );
    at_sink(
        DiskPlan {
            space_errors: 15_000,
            ..good
        },
        ErrorCode::NoSpace,
    );
    at_sink(
        DiskPlan {
            close_errors: 500_000,
            ..good
        },
        ErrorCode::Io,
    );
}

#[test]
fn a_source_that_changes_while_it_is_read_is_stored_whole_or_not_at_all() {
    let slow = DiskPlan {
        latency_max: Duration::from_millis(3),
        ..DiskPlan::default()
    };
    let (mut changed, mut stored_new) = (0, 0);
    for seed in 0..60 {
        let mut rng = Rng::new(seed, 8);
        let mut exchange = exchange(seed, slow, slow);
        let at = Instant::ZERO + Duration::from_nanos(rng.below(40_000_000));
        let change = match rng.below(4) {
            0 => Change::Write(rng.below(SIZE), vec![9; 2_000]),
            1 => Change::SetLen(rng.below(SIZE)),
            2 => Change::SetLen(SIZE + 1 + rng.below(1 << 20)),
            _ => Change::Replace(Content::generated(2, rng.below(SIZE))),
        };
        let mut change = Some(change);
        let here = path("here");
        let result = exchange.finish(upload(), |exchange| {
            let now = exchange.now;
            if now >= at
                && let Some(change) = change.take()
            {
                let disk = &mut exchange.sides[CLIENT].disk;
                assert!(disk.change(now, exchange::ROOT, &here, change));
            }
        });
        let [client, server] = &exchange.sides;
        let stored = server.disk.content(exchange::ROOT, &path("there"));
        match result.unwrap() {
            Ok(_) => {
                let now = client.disk.content(exchange::ROOT, &here);
                let old = Content::generated(1, SIZE);
                assert!(stored == now || stored == Some(&old), "seed {seed}");
                stored_new += i32::from(stored != Some(&old));
            }
            Err(failure) => {
                assert_eq!(
                    failure,
                    Failure::Here(ErrorCode::SourceChanged),
                    "seed {seed}"
                );
                assert_eq!(stored, None);
                changed += 1;
            }
        }
    }
    assert!(changed > 10 && stored_new > 2, "{changed} {stored_new}");
}
