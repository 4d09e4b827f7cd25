//! Losses that were none: thresholds, undo and bounds.

use super::*;
use crate::recovery::late::LATE_MAX;

/// Packets that have made the window large; those of the tests are counted from here.
const BEFORE: u64 = 100;

/// A server with a round trip of 100 ms and a window of 110 packets, that has sent packets 1 to `sent` at 1 s.
pub(super) fn flight(sent: u64) -> Bench {
    let mut bench = Bench::confirmed(100);
    for _ in 0..BEFORE {
        bench.send(at(500));
    }
    bench.ack(at(600), &[(0, BEFORE)]);
    assert!(bench.recovery.window() > 100 * 1_200);
    bench.fates.clear();
    for _ in 0..sent {
        bench.send(at(1_000));
    }
    bench
}

impl Bench {
    /// Acknowledges packets of the flight; ranges in any order.
    pub(super) fn hear(&mut self, now: u64, ranges: &[(u64, u64)]) -> AckOutcome {
        let mut ranges: Vec<_> = ranges
            .iter()
            .map(|(a, b)| (a + BEFORE, b + BEFORE))
            .collect();
        ranges.sort_unstable_by(|a, b| b.cmp(a));
        self.ack(at(now), &ranges)
    }

    /// The packets of the flight that met `fate`.
    pub(super) fn met(&self, fate: Fate) -> Vec<u64> {
        let told = self.told(fate).into_iter();
        told.map(|frame| u64::from(frame) - BEFORE).collect()
    }
}

/// RFC 9002 §6.1.1: a late acknowledgement of a lost packet shows how far packets overtake each other.
#[test]
fn a_late_acknowledgement_raises_the_packet_threshold() {
    let mut bench = flight(40);
    assert_eq!(bench.thresholds().0, 3);
    // Five numbers ahead: lost.
    assert_eq!(bench.hear(1_100, &[(2, 6)]).lost_packets, 1);
    let outcome = bench.hear(1_101, &[(1, 8)]);
    assert_eq!((outcome.late_packets, outcome.acked_packets), (1, 2));
    assert_eq!(bench.thresholds().0, 6);
    assert_eq!(bench.met(Fate::Late), [1]);
    assert_eq!(bench.recovery.counters().late_packets, 1);
    assert_eq!(bench.recovery.counters().late_bytes, 1_200);
    // The same distance is no loss any more, one more is.
    assert_eq!(bench.hear(1_102, &[(10, 14)]).lost_packets, 0);
    assert_eq!(bench.hear(1_102, &[(15, 15)]).lost_packets, 1);
    assert_eq!(bench.recovery.audit(), Ok(()));
}

/// At most half of the window: beyond, a loss would never be told from reordering by packets.
#[test]
fn the_packet_threshold_is_at_most_half_of_the_window() {
    let mut bench = flight(100);
    bench.hear(1_100, &[(90, 90)]);
    bench.hear(1_101, &[(1, 1), (90, 90)]);
    let window = bench.recovery.window() / 1_200;
    bench.hear(1_102, &[(91, 91)]);
    assert_eq!(bench.thresholds().0, (window / 2).max(3));
}

/// RFC 9002 §6.1.2: an acknowledgement that is later than 9/8 of a round trip raises the time, to two round trips at most.
#[test]
fn a_late_acknowledgement_raises_the_time_threshold() {
    let mut bench = flight(3);
    bench.hear(1_100, &[(2, 2)]);
    let (deadline, timer) = bench.recovery.deadline().unwrap();
    assert_eq!(timer, Timer::Loss);
    assert_eq!(deadline, at(1_000) + Duration::from_micros(112_500));
    assert_eq!(bench.timeout(deadline), OnTimeout::LossDetected);
    assert_eq!(bench.hear(1_140, &[(1, 2)]).late_packets, 1);
    // The sample of packet 2 is 100 ms: twelve eighths are more than 140 ms.
    assert_eq!(bench.thresholds().1, ms(150));
    let mut slow = flight(3);
    slow.hear(1_100, &[(2, 2)]);
    slow.timeout(at(1_200));
    slow.hear(1_390, &[(1, 2)]);
    assert_eq!(slow.thresholds().1, ms(200), "at most two round trips");
}

/// RFC 8985 §6.2: after 16 round trips without reordering, what was learnt is forgotten.
#[test]
fn what_was_learnt_is_forgotten_after_sixteen_rounds() {
    let mut bench = flight(40);
    bench.hear(1_100, &[(2, 6)]);
    bench.hear(1_150, &[(1, 40)]);
    assert!(bench.thresholds().0 > 3);
    let mut now = 2_000;
    for round in 0..16 {
        assert!(bench.thresholds().0 > 3, "round {round}");
        let number = bench.send(at(now));
        bench.ack(at(now + 100), &[(number, number)]);
        now += 100;
    }
    let number = bench.send(at(now));
    bench.ack(at(now + 100), &[(number, number)]);
    let rtt = *bench.recovery.rtt();
    let delay = rtt.latest().max(rtt.smoothed()) * 9 / 8;
    assert_eq!(bench.thresholds(), (3, delay));
}

/// RFC 9438 §4.9.2: the cut is undone once all that it was for has arrived, not before.
#[test]
fn a_cut_is_undone_when_nothing_was_lost() {
    let mut bench = flight(20);
    bench.hear(1_100, &[(5, 8)]);
    assert_eq!(bench.met(Fate::Lost), [1, 2, 3, 4]);
    bench.hear(1_101, &[(1, 3), (5, 8)]);
    assert_eq!(bench.recovery.counters().undone_cuts, 0, "one is missing");
    bench.hear(1_102, &[(1, 9)]);
    let counters = *bench.recovery.counters();
    assert_eq!((counters.cuts, counters.undone_cuts), (1, 1));
    assert_eq!(counters.lost_packets, counters.late_packets);
    // Another word of them changes nothing.
    bench.hear(1_103, &[(1, 10)]);
    assert_eq!(bench.recovery.counters().undone_cuts, 1);
}

/// Losses that join an event later must turn up, too.
#[test]
fn losses_found_later_belong_to_the_same_event() {
    let mut bench = flight(20);
    bench.hear(1_100, &[(4, 4)]);
    assert_eq!(bench.met(Fate::Lost), [1]);
    // 2 is found lost in the same flight.
    bench.hear(1_101, &[(5, 5)]);
    bench.hear(1_102, &[(1, 1)]);
    assert_eq!(bench.recovery.counters().undone_cuts, 0);
    bench.hear(1_103, &[(1, 5)]);
    assert_eq!(bench.recovery.counters().undone_cuts, 1);
}

/// A second event makes the first one final: its cut cannot be told from the second one's any more.
#[test]
fn a_later_event_makes_a_cut_final() {
    let mut bench = flight(8);
    bench.hear(1_100, &[(4, 8)]);
    for _ in 0..8 {
        bench.send(at(1_200));
    }
    bench.hear(1_300, &[(14, 16)]);
    assert_eq!(bench.recovery.counters().cuts, 2);
    bench.hear(1_301, &[(1, 3)]);
    assert_eq!(bench.recovery.counters().undone_cuts, 0);
    bench.hear(1_302, &[(9, 16)]);
    assert_eq!(bench.recovery.counters().undone_cuts, 1);
}

/// RFC 9002 §7.6.2: persistent congestion is not reordering.
#[test]
fn persistent_congestion_is_not_undone() {
    let mut bench = flight(1);
    bench.send(at(3_000));
    bench.send(at(3_500));
    bench.hear(3_600, &[(3, 3)]);
    assert_eq!(bench.recovery.window(), 2_400);
    bench.hear(3_601, &[(1, 3)]);
    let counters = bench.recovery.counters();
    assert_eq!((counters.late_packets, counters.undone_cuts), (2, 0));
}

/// What was lost is known for three probe time-outs: a packet that is later than that is news of another time.
#[test]
fn lost_packets_are_forgotten_after_three_probe_time_outs() {
    for (wait, late) in [(600, 1), (1_000, 0)] {
        let mut bench = flight(8);
        bench.hear(1_100, &[(2, 5)]);
        // PTO: 100 + 4 × (what the samples of 100 ms left of 50) + 25 ms.
        let pto = bench.recovery.pto();
        assert!(ms(225) < pto && pto < ms(300), "{pto:?}");
        bench.hear(1_100 + wait, &[(6, 6)]);
        let outcome = bench.hear(1_101 + wait, &[(1, 6)]);
        assert_eq!(outcome.late_packets, late, "{wait}");
    }
}

/// However much is lost, so many packets are remembered, and with them their frames.
#[test]
fn remembered_losses_are_bounded() {
    let count = LATE_MAX as u64 + 1_000;
    let mut bench = flight(count + 10);
    bench.hear(1_100, &[(count + 4, count + 4)]);
    assert_eq!(bench.recovery.counters().lost_packets, count + 1);
    let space = bench.recovery.space(Level::Data);
    assert_eq!(space.late.len(), (LATE_MAX, LATE_MAX));
    let outcome = bench.hear(1_101, &[(1, count + 4)]);
    assert_eq!(outcome.late_packets, LATE_MAX as u32);
    assert_eq!(bench.recovery.audit(), Ok(()));
}

/// RFC 9000 §9.4: what went along another path teaches nothing about this one.
#[test]
fn packets_of_another_path_raise_no_threshold() {
    let mut bench = flight(10);
    bench.hear(1_100, &[(2, 6)]);
    bench.recovery.on_new_path(at(1_101), 1_200);
    assert_eq!(bench.hear(1_102, &[(1, 6)]).late_packets, 1);
    assert_eq!(bench.thresholds().0, 3);
    assert_eq!(bench.recovery.counters().undone_cuts, 0);
}

/// RFC 9002 §5.1: a packet that was declared lost gives no round-trip sample.
#[test]
fn a_late_packet_is_no_sample() {
    let mut bench = flight(10);
    bench.hear(1_100, &[(2, 6)]);
    let before = *bench.recovery.rtt();
    let outcome = bench.hear(1_190, &[(1, 6)]);
    assert_eq!((outcome.late_packets, outcome.rtt_sample), (1, None));
    assert_eq!(*bench.recovery.rtt(), before);
}
