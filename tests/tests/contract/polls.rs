//! Spurious polls and ticks change nothing; deadlines are never in the past.

use std::num::NonZeroUsize;
use std::time::Duration;

use proto_core::Instant;
use sim::disk::{Content, DiskPlan};
use sim::rng::Rng;
use tests::scenario::{get, hash, lossy, null, open, path, put, run_with, stored_root};
use tests::{Pair, ROOT};

type Sent = Vec<(Instant, Vec<u8>)>;

/// A lossy download and upload; `disturb` is called before each step. Returns what both ends sent.
fn journey(seed: u64, mut disturb: impl FnMut(&mut Pair)) -> [Sent; 2] {
    let mut pair = Pair::new(null(1), null(2));
    pair.from_client = lossy(seed, 30_000);
    pair.from_server = lossy(seed + 1, 30_000);
    let slow = DiskPlan {
        latency_max: Duration::from_millis(3),
        ..DiskPlan::default()
    };
    pair.client.disk.set_plan(slow);
    pair.server.disk.set_plan(slow);
    let content = Content::generated(seed, 700_000);
    pair.server
        .disk
        .plant(ROOT, &path("down"), content.clone(), 7);
    pair.client
        .disk
        .plant(ROOT, &path("up"), content.clone(), 7);
    open(&mut pair);
    for request in [get("down"), put("up")] {
        let told = run_with(&mut pair, request, &mut disturb);
        assert_eq!(stored_root(&told), Some(hash(&content)));
    }
    [pair.client.sent, pair.server.sent]
}

fn assert_same(undisturbed: &[Sent; 2], disturbed: &[Sent; 2]) {
    for (before, after) in undisturbed.iter().zip(disturbed) {
        let same = before.iter().zip(after).take_while(|(a, b)| a == b).count();
        assert!(
            before == after,
            "datagram {same} differs: {:?} and {:?}",
            before.get(same).map(|(at, bytes)| (at, bytes.len())),
            after.get(same).map(|(at, bytes)| (at, bytes.len())),
        );
    }
}

/// Every poll of every output at `now` has nothing to say.
fn poll_in_vain(pair: &mut Pair, now: Instant) {
    let mut out = vec![0; 1 << 16];
    for side in [&mut pair.client, &mut pair.server] {
        let ten = NonZeroUsize::new(10).expect("not zero");
        let sent = side.endpoint.poll_transmit(now, ten, &mut out);
        assert_eq!(sent, None, "after the round all was said");
        assert!(side.endpoint.poll_file_op().is_none());
        assert_eq!(side.endpoint.poll_event(), None);
    }
}

#[test]
fn outputs_polled_twice_change_nothing() {
    for seed in 0..4 {
        let disturbed = journey(seed, |pair| {
            pair.flush();
            let now = pair.now;
            poll_in_vain(pair, now);
        });
        assert_same(&journey(seed, |_| {}), &disturbed);
    }
}

#[test]
fn ticks_before_the_deadline_change_nothing() {
    for seed in 0..4 {
        let mut rng = Rng::new(seed, 77);
        let disturbed = journey(seed, |pair| {
            let Some(next) = pair.next_time() else { return };
            if !pair.client.events.is_empty() {
                // What the application does next, it does at `pair.now`.
                return;
            }
            let until = next.since(pair.now).as_nanos() as u64;
            if until == 0 {
                // Something else happened at the very time of a deadline: a tick now would not be early.
                return;
            }
            let early = pair.now + Duration::from_nanos(rng.below(until.max(1)));
            for at in [pair.now, early] {
                pair.client.endpoint.handle_timeout(at);
                pair.server.endpoint.handle_timeout(at);
                poll_in_vain(pair, at);
            }
        });
        assert_same(&journey(seed, |_| {}), &disturbed);
    }
}

#[test]
fn a_deadline_is_never_in_the_past() {
    let mut checks = 0;
    journey(5, |pair| {
        let now = pair.now;
        for side in [&mut pair.client, &mut pair.server] {
            side.endpoint.handle_timeout(now);
            if let Some((at, reason)) = side.endpoint.poll_timeout() {
                assert!(at > now, "{reason:?} at {at:?}, now {now:?}");
                checks += 1;
            }
        }
    });
    assert!(checks > 1_000, "{checks}");
}
