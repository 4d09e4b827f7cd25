//! T6: the work for an ACK frame grows with its ranges and with the packets that it newly acknowledges, and with nothing else.
//! Counted are the entries of lists that are looked at; a search by halves counts as one.

use super::*;
use crate::recovery::skips::steps;

/// 256 ranges of one packet each, every second one down from `newest`.
fn alternating(newest: u64) -> Vec<(u64, u64)> {
    (0..256).map(|n| (newest - 2 * n, newest - 2 * n)).collect()
}

/// Steps of one ACK frame, and what it did.
fn work(bench: &mut Bench, now: u64, ranges: &[(u64, u64)]) -> (u64, AckOutcome) {
    steps::take();
    let outcome = bench.ack(at(now), ranges);
    (steps::take(), outcome)
}

/// `count` packets in flight, and thresholds that let them all be reordered.
fn wide_open(count: u64) -> Bench {
    let mut bench = Bench::confirmed(100);
    for _ in 0..count {
        bench.send(at(500));
    }
    bench.ack(at(600), &[(1, count)]);
    for _ in 0..count {
        bench.send(at(1_000));
    }
    let rtt = *bench.recovery.rtt();
    bench
        .recovery
        .reordering
        .on_spurious(u64::MAX, Duration::ZERO, &rtt);
    bench
}

#[test]
fn t6_the_work_grows_with_ranges_and_news() {
    for in_flight in [2_000, 10_000, 60_000] {
        let mut bench = wide_open(in_flight);
        let newest = in_flight + 520;
        let ranges = alternating(newest);
        // Each range: found, its packet settled, and the next one looked at.
        let (first, outcome) = work(&mut bench, 1_100, &ranges);
        assert_eq!((outcome.acked_packets, outcome.lost_packets), (256, 0));
        assert!(first <= 3 * 256 + 8, "{first} steps, {in_flight} in flight");
        // The same again, as receivers say things again: nothing is news.
        for _ in 0..10 {
            let (again, outcome) = work(&mut bench, 1_101, &ranges);
            assert_eq!(outcome.acked_packets, 0);
            assert!(again <= 3 * 256 + 8, "{again} steps, {in_flight} in flight");
        }
        // One more packet within the first gap.
        let mut more = ranges.clone();
        more.splice(0..2, [(newest - 2, newest)]);
        let (one, outcome) = work(&mut bench, 1_102, &more);
        assert_eq!(outcome.acked_packets, 1);
        assert!(one <= 3 * 256 + 8, "{one} steps, {in_flight} in flight");
    }
}

/// The packets between, found lost, cost a step each, once.
#[test]
fn t6_losses_cost_a_step_each() {
    let mut bench = Bench::confirmed(100);
    for _ in 0..2_000 {
        bench.send(at(1_000));
    }
    let ranges = alternating(600);
    let (first, outcome) = work(&mut bench, 1_100, &ranges);
    let resolved = u64::from(outcome.acked_packets + outcome.lost_packets);
    assert!(resolved > 590);
    assert!(first <= 3 * 256 + 2 * resolved, "{first}");
    let (again, _) = work(&mut bench, 1_100, &ranges);
    assert!(again <= 3 * 256 + 8, "{again}");
    // All of them turn up.
    let (late, outcome) = work(&mut bench, 1_101, &[(1, 600)]);
    let turned_up = u64::from(outcome.late_packets);
    assert!(turned_up > 300);
    assert!(late <= turned_up + 16, "{late}");
    let (again, _) = work(&mut bench, 1_101, &[(1, 600)]);
    assert!(again <= 16, "{again}");
}

/// A whole window is acknowledged front to back, a frame for every second packet, each telling of all that came, while the
/// first packet is missing and may still be late.
#[test]
fn t6_a_missing_packet_at_the_front_costs_nothing_extra() {
    let count = 10_000;
    let mut bench = wide_open(count);
    let mut steps = 0;
    for newest in (count + 3..2 * count).step_by(2) {
        let (of_frame, outcome) = work(&mut bench, 1_100, &[(count + 2, newest)]);
        assert_eq!(outcome.lost_packets, 0);
        steps += of_frame;
    }
    assert!(steps < 6 * count, "{steps} steps for {count} packets");
}
