//! T12: time that goes backwards, or jumps.

use std::time::Duration;

use proto_core::{Event, Instant};
use sim::disk::Content;
use tests::scenario::{get, hash, null, open, path, run, run_with, start, stored_root};
use tests::{Pair, ROOT};

fn pair(content: &Content) -> Pair {
    let mut pair = Pair::new(null(1), null(2));
    pair.server.disk.plant(ROOT, &path("f"), content.clone(), 7);
    open(&mut pair);
    pair
}

#[test]
fn t12_a_clock_that_goes_backwards_changes_nothing() {
    let content = Content::generated(1, 400_000);
    let mut plain = pair(&content);
    run(&mut plain, get("f"));
    let mut disturbed = pair(&content);
    let told = run_with(&mut disturbed, get("f"), |pair| {
        for side in [&mut pair.client, &mut pair.server] {
            side.endpoint.handle_timeout(Instant::ZERO);
        }
    });
    assert_eq!(stored_root(&told), Some(hash(&content)));
    assert!(plain.client.sent == disturbed.client.sent);
    assert!(plain.server.sent == disturbed.server.sent);
}

/// An hour is longer than the idle time-out: the transfer ends, one way or the other, and the endpoints live on.
#[test]
fn t12_an_hour_at_once_breaks_nothing() {
    let content = Content::generated(1, 400_000);
    for jump_at in 0..40 {
        let mut pair = pair(&content);
        let id = start(&mut pair, get("f"));
        for _ in 0..jump_at * 5 {
            tests::scenario::grant(&mut pair);
            pair.step();
        }
        pair.jump(Duration::from_secs(3_600));
        let done = pair.run_until(Duration::from_secs(7_300), |pair| {
            tests::scenario::grant(pair);
            pair.client
                .events
                .iter()
                .any(|event| matches!(event, Event::Finished { transfer, .. } if *transfer == id))
        });
        assert!(done, "jump after {jump_at}: {:?}", pair.client.events);
        pair.run_until(Duration::from_secs(200), |_| false);
        for side in [&pair.client, &pair.server] {
            assert_eq!(side.endpoint.sessions(), 0, "jump after {jump_at}");
            assert_eq!(side.disk.open_files(), 0, "jump after {jump_at}");
        }
    }
}
