//! Edge cases of ACK ranges, reordering and late arrivals: what a row of ACK frames does to packets 1 to 20, all sent at 1 s over a
//! round trip of 100 ms.

use super::reordering::flight;
use super::*;

/// What came of the packets: how many were acknowledged, which were lost, which arrived after all; cuts made and undone.
#[derive(PartialEq, Eq, Debug)]
struct Outcome {
    acked: u64,
    lost: Vec<u64>,
    late: Vec<u64>,
    cuts: (u64, u64),
}

/// Takes in ACK frames, one a millisecond from 1.1 s on.
fn outcome(frames: &[&[(u64, u64)]]) -> Outcome {
    let mut bench = flight(20);
    let acked = bench.recovery.counters().acked_packets;
    for (now, ranges) in (1_100..).zip(frames) {
        bench.hear(now, ranges);
        assert_eq!(bench.recovery.audit(), Ok(()));
    }
    let counters = bench.recovery.counters();
    Outcome {
        acked: counters.acked_packets - acked,
        lost: bench.met(Fate::Lost),
        late: bench.met(Fate::Late),
        cuts: (counters.cuts, counters.undone_cuts),
    }
}

macro_rules! edges {
    ($($(#[doc = $doc:literal])+ $name:ident: [$([$($range:expr),+]),+] => $acked:literal, $lost:expr, $late:expr, $cuts:expr;)+) => {
        $($(#[doc = $doc])+
        #[test]
        fn $name() {
            let frames: &[&[(u64, u64)]] = &[$(&[$($range),+]),+];
            let expected = Outcome {
                acked: $acked,
                lost: $lost.collect(),
                late: $late.collect(),
                cuts: $cuts,
            };
            assert_eq!(outcome(frames), expected);
        })+
    };
}

const NONE: core::ops::Range<u64> = 0..0;

edges! {
    /// RFC 9000 §19.3.1: one range holds all packets from its smallest to its largest number.
    one_range_takes_all: [[(1, 20)]] => 20, NONE, NONE, (0, 0);
    /// RFC 9000 §19.3.1: a range may hold a single packet.
    a_range_of_one: [[(1, 1)]] => 1, NONE, NONE, (0, 0);
    /// RFC 9000 §13.2.3: what is in no range of a frame is not denied by it.
    no_range_denies: [[(1, 10)], [(5, 5)], [(12, 12)]] => 11, NONE, NONE, (0, 0);
    /// RFC 9000 §13.2.3: a frame that says what others said changes nothing.
    the_same_again: [[(1, 10)], [(1, 10)], [(1, 10)]] => 10, NONE, NONE, (0, 0);
    /// RFC 9000 §13.1, RFC 9002 A.7: an older frame that comes later takes nothing back.
    an_older_frame_later: [[(1, 10)], [(1, 5)]] => 10, NONE, NONE, (0, 0);
    /// RFC 9002 §6.1.1: two numbers below the largest is less than kPacketThreshold.
    two_below_is_not_lost: [[(2, 3)]] => 2, NONE, NONE, (0, 0);
    /// RFC 9002 §6.1.1: three is as many.
    three_below_is_lost: [[(2, 4)]] => 3, 1..=1, NONE, (1, 0);
    /// RFC 9002 §6.1.1: the largest acknowledged number counts, not how many were acknowledged.
    the_largest_number_counts: [[(20, 20)]] => 1, 1..=17, NONE, (1, 0);
    /// RFC 9002 §6.1: only packets below one that was acknowledged can be lost.
    above_the_largest_nothing_is_lost: [[(1, 1), (4, 4)]] => 2, NONE, NONE, (0, 0);
    /// RFC 9002 §6.1: all gaps of one frame are judged by its largest number.
    gaps_of_one_frame: [[(3, 3), (6, 6), (10, 10)]] => 3, [1, 2, 4, 5, 7].into_iter(), NONE, (1, 0);
    /// RFC 9000 §19.3.1: every second packet.
    every_second_packet: [[(2, 2), (4, 4), (6, 6), (8, 8), (10, 10)]] => 5, [1, 3, 5, 7].into_iter(), NONE, (1, 0);
    /// RFC 9002 §7.3.2: losses of one flight cut the window once, though found by several frames.
    one_flight_is_cut_once: [[(4, 4)], [(9, 9)], [(20, 20)]] => 3, [1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17].into_iter(), NONE, (1, 0);
    /// RFC 9002 §6.1.1: a gap that is filled before the threshold was reordering, which costs nothing.
    reordering_below_the_threshold: [[(2, 3)], [(1, 3)]] => 3, NONE, NONE, (0, 0);
    /// RFC 9002 §6.1.1, RFC 9438 §4.9.2: one that is filled after it is a loss that was none, and its cut is undone.
    reordering_at_the_threshold: [[(2, 4)], [(1, 4)]] => 3, 1..=1, 1..=1, (1, 1);
    /// RFC 9438 §4.9.2: no cut is undone for a part of the losses.
    a_part_arrives: [[(3, 5)], [(2, 5)]] => 3, 1..=2, 2..=2, (1, 0);
    /// RFC 9438 §4.9.2: nor for a packet that was never lost.
    others_arrive: [[(3, 5)], [(3, 20)]] => 18, 1..=2, NONE, (1, 0);
    /// RFC 9002 §6.1.1: the reverse order. The first frame takes most for lost, the last one takes that back.
    all_in_reverse: [[(20, 20)], [(10, 20)], [(1, 20)]] => 3, 1..=17, [10, 11, 12, 13, 14, 15, 16, 17, 1, 2, 3, 4, 5, 6, 7, 8, 9].into_iter(), (1, 1);
    /// RFC 9002 §6.1.1: what was learnt from reordering by four holds for the next gap of four.
    a_learnt_threshold_holds: [[(2, 5)], [(1, 5)], [(7, 10)], [(6, 10)]] => 9, 1..=1, 1..=1, (1, 1);
    /// RFC 9002 §6.1.1: and not for one of five.
    beyond_a_learnt_threshold: [[(2, 5)], [(1, 5)], [(7, 11)]] => 9, [1, 6].into_iter(), 1..=1, (2, 1);
    /// RFC 9002 §5.1, A.7: late packets are no newly acknowledged ones.
    late_packets_alone: [[(2, 4)], [(1, 1)], [(1, 1)]] => 3, 1..=1, 1..=1, (1, 1);
}
