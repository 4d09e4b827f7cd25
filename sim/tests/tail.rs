//! Copies of the unacknowledged tail (P9.13): what they gain where short transfers lose packets, and what they may cost.

use proto_core::{CongestionControl, Duration};
use sim::measure::{Amount, Depth, End, FlowPlan, Measurement, Point, Way, measure};

const SEEDS: u64 = 100;

/// Mean time to completion in milliseconds, and bytes on the wire per thousand of the file, over 100 Mbit/s and 100 ms.
fn mean(loss: u32, size: u64) -> (u64, u64) {
    let (mut time, mut wire) = (Duration::ZERO, 0);
    for seed in 1..=SEEDS {
        let point = Point {
            rate: 100_000_000,
            rtt: Duration::from_millis(100),
            loss,
            reorder: 0,
        };
        let flow = FlowPlan {
            start: Duration::ZERO,
            amount: Amount::Bytes(size),
            way: Way::Down,
            congestion: CongestionControl::Bbr,
            extra_delay: Duration::ZERO,
        };
        let outcome = measure(&Measurement {
            link: point.link(Depth::Bdp(1_000)),
            flows: vec![flow],
            seed,
            sample_every: Duration::from_millis(100),
            datagram_size: 1_472,
            time_max: Duration::from_secs(60),
        });
        let flow = outcome.unwrap().flows.remove(0);
        let End::Completed(took) = flow.end else {
            panic!("seed {seed}: {:?}", flow.end)
        };
        time += took;
        wire += flow.wire_bytes;
    }
    let millis = time.as_millis() as u64 / SEEDS;
    (millis, wire * 1_000 / (SEEDS * size))
}

/// Without copies, the same seeds take 326, 505, 658, 861, 1,094 and 1,401 ms. The first loss must be noticed before there are any, so
/// that ten kilobytes gain next to nothing.
#[test]
fn p9_13_short_transfers_gain_where_packets_are_lost() {
    for (loss, size, most) in [
        (50_000, 10_000, 335),
        (100_000, 10_000, 500),
        (50_000, 100_000, 635),
        (100_000, 100_000, 810),
        (50_000, 1_000_000, 1_040),
        (100_000, 1_000_000, 1_280),
    ] {
        let (took, wire) = mean(loss, size);
        assert!(took <= most, "{took} ms of {most} for {size} bytes, {loss}");
        // Half of a window at most, and no more than was sent.
        assert!(wire <= 3_000, "{wire} for {size} bytes, {loss}");
    }
}

/// On a path that has lost nothing, none.
#[test]
fn p9_13_copies_are_few_where_nothing_is_lost() {
    let (_, wire) = mean(0, 10_000);
    assert!(wire <= 1_360, "{wire}");
    let (_, wire) = mean(0, 1_000_000);
    assert!(wire <= 1_055, "{wire}");
}
