//! How many round trips a small download takes: the request rides with the client's last handshake flight, and nothing waits for
//! WANT. With real TLS, over a path of 100 ms and 100 Mbit/s; applications decide at once.

mod pair;

use pair::{Line, ROOT, ROUND, address, ask, lab, path, until_finished};
use proto_core::Duration;
use sim::disk::Content;

const SIZE: u64 = 10_000;
const ALLOWED: Duration = Duration::from_millis(10);

#[test]
fn a_small_file_takes_two_round_trips_on_a_new_session_and_one_on_an_open_one() {
    for seed in 0..20 {
        let (mut lab, hosts) = lab(seed, Line::long(100_000_000), |last, _, disk, rng| {
            if last == 2 {
                let content = Content::generated(rng.next_u64(), SIZE);
                assert!(disk.plant(ROOT, &path("a.bin"), content, 0));
            }
        });
        let (now, endpoint) = lab.endpoint(hosts[0]).unwrap();
        endpoint.connect(now, address(2)).unwrap();
        let (peer, finished) = until_finished(&mut lab, hosts, "a.bin");
        let took = finished.since(now);
        assert!(
            took <= 2 * ROUND + ALLOWED,
            "new session: {took:?}, seed {seed}"
        );
        // At once, and again after a while of silence.
        for wait in [0, 1, 30] {
            let until = finished + Duration::from_secs(wait);
            while lab.next_time().is_some_and(|at| at <= until) && wait > 0 {
                lab.next(until).unwrap();
            }
            let begin = lab.now();
            ask(&mut lab, hosts[0], peer, "a.bin");
            let (_, finished) = until_finished(&mut lab, hosts, "a.bin");
            let took = finished.since(begin);
            assert!(
                took <= ROUND + ALLOWED,
                "open session, {wait} s: {took:?}, seed {seed}"
            );
        }
    }
}
