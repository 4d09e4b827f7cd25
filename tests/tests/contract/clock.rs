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

/// A nap that is shorter than the idle time-out costs nothing but its own time: nothing is taken for lost, and nothing leaves
/// in a burst.
#[test]
fn t12_a_nap_loses_nothing() {
    let nap = Duration::from_secs(20);
    let content = Content::generated(1, 400_000);
    let mut plain = pair(&content);
    let begun = plain.now;
    run(&mut plain, get("f"));
    let usual = plain.now.since(begun);
    let stats = plain.client.endpoint.stats(plain.peer).expect("it is open");
    for nap_at in (0..620).step_by(11) {
        let mut pair = pair(&content);
        let begun = pair.now;
        let mut step = 0;
        let told = run_with(&mut pair, get("f"), |pair| {
            if step == nap_at {
                pair.jump(nap);
            }
            step += 1;
        });
        assert_eq!(stored_root(&told), Some(hash(&content)));
        let took = pair.now.since(begun);
        assert!(
            took <= nap + usual + usual / 4,
            "{took:?} with a nap at {nap_at}"
        );
        let resent = pair.server.sent.len() as u64;
        let allowed = plain.server.sent.len() as u64 + 10;
        assert!(
            resent <= allowed,
            "{resent} datagrams with a nap at {nap_at}"
        );
        let after = pair.client.endpoint.stats(pair.peer).expect("it is open");
        assert!(
            after.rtt <= 2 * stats.rtt,
            "{:?} with a nap at {nap_at}",
            after.rtt
        );
        for window in pair.server.sent.windows(30) {
            let burst = window[29].0.since(window[0].0);
            assert!(burst > Duration::ZERO, "30 datagrams at once");
        }
    }
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
