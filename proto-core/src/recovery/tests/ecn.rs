//! ECN case by case: RFC 9000 §13.4 and A.4, RFC 9002 §7.1.

use super::*;
use crate::ecn::{Ecn, EcnCounts};

fn counts(ect0: u64, ce: u64) -> Option<EcnCounts> {
    Some(EcnCounts { ect0, ect1: 0, ce })
}

impl Bench {
    /// A full 1-RTT datagram as the driver would send it: marked where the path is tested or known to carry marks.
    fn send_marked(&mut self, now: Instant) -> u64 {
        let marked = self.recovery.marks_ecn(now);
        self.send_as(now, Level::Data, marked)
    }

    fn send_as(&mut self, now: Instant, level: Level, marked: bool) -> u64 {
        let number = self.recovery.next_number(level);
        let sent = Sent {
            bytes: 1_200,
            ack_eliciting: true,
            in_flight: true,
            marked,
        };
        self.recovery
            .on_packet_sent(now, level, sent, &[self.next_frame]);
        self.next_frame += 1;
        number
    }

    fn ack_ecn(&mut self, now: Instant, from: u64, to: u64, ecn: Option<EcnCounts>) {
        self.ack_ecn_at(now, Level::Data, from, to, ecn);
    }

    fn ack_ecn_at(
        &mut self,
        now: Instant,
        level: Level,
        from: u64,
        to: u64,
        ecn: Option<EcnCounts>,
    ) {
        let ranges = || [from..=to].into_iter();
        let said = (Duration::ZERO, ecn);
        let done = self
            .recovery
            .on_ack_ranges(now, level, said, ranges, &mut |_, _| {});
        assert!(done.is_ok());
    }

    /// A server with a round trip of 50 ms whose first `marked` packets, from 1 on, are marked and under way since 100 ms.
    fn testing(marked: u64) -> Self {
        let mut bench = Self::confirmed(50);
        for n in 1..=marked {
            assert_eq!(bench.send_marked(at(100)), n);
        }
        bench
    }

    /// The same after ten marked packets have arrived.
    fn capable() -> Self {
        let mut bench = Self::testing(10);
        bench.ack_ecn(at(150), 1, 10, counts(10, 0));
        assert!(bench.recovery.is_ecn_capable());
        bench
    }

    fn marks(&self, millis: u64) -> bool {
        self.recovery.marks_ecn(at(millis))
    }
}

/// RFC 9000 §13.4.2: early packets are marked.
#[test]
fn the_first_packets_are_marked() {
    let bench = Bench::confirmed(50);
    assert!(bench.marks(100));
    assert!(!bench.recovery.is_ecn_capable());
}

/// RFC 9000 A.4: ten packets test a path, and then it is waited for what becomes of them.
#[test]
fn ten_packets_test_the_path() {
    let bench = Bench::testing(9);
    assert!(bench.marks(100));
    let bench = Bench::testing(10);
    assert!(!bench.marks(100));
}

/// RFC 9000 A.4: the test lasts for three probe time-outs at most, of which none is here yet.
#[test]
fn the_test_ends_after_three_probe_time_outs() {
    let bench = Bench::testing(1);
    let span = 3 * bench.recovery.pto();
    let end = at(100) + span;
    assert!(bench.recovery.marks_ecn(end - Duration::from_nanos(1)));
    assert!(!bench.recovery.marks_ecn(end));
}

/// RFC 9000 A.4: a test that is over does not begin again by itself, however long a probe time-out becomes.
#[test]
fn a_test_that_is_over_stays_over() {
    let mut bench = Bench::testing(1);
    bench.send_as(at(5_000), Level::Data, false);
    assert!(!bench.marks(100));
}

/// RFC 9000 §13.4.2.1: counts that can be true validate the path, and marking goes on.
#[test]
fn true_counts_validate_the_path() {
    let bench = Bench::capable();
    assert!(bench.marks(150));
    let mut early = Bench::testing(3);
    early.ack_ecn(at(150), 1, 1, counts(1, 0));
    assert!(early.recovery.is_ecn_capable());
}

/// RFC 9000 §13.4.2.1: an ACK without counts of a packet that was marked: bleached, or a peer that cannot tell.
#[test]
fn no_counts_at_all_fail() {
    let mut bench = Bench::testing(10);
    bench.ack_ecn(at(150), 1, 10, None);
    assert!(!bench.recovery.is_ecn_capable());
    assert!(!bench.marks(150));
    // Nor does what comes later make it right.
    bench.send(at(160));
    bench.ack_ecn(at(210), 11, 11, counts(10, 0));
    assert!(!bench.recovery.is_ecn_capable());
}

/// RFC 9000 §13.4.2.1: where no marked packet is acknowledged, counts need not be there.
#[test]
fn unmarked_packets_need_no_counts() {
    let mut bench = Bench::testing(0);
    bench.send_as(at(100), Level::Data, false);
    bench.ack_ecn(at(150), 1, 1, None);
    assert!(bench.marks(150));
}

/// RFC 9000 §13.4.2.1: fewer counted than marked packets newly acknowledged.
#[test]
fn too_small_counts_fail() {
    let mut bench = Bench::testing(10);
    bench.ack_ecn(at(150), 1, 10, counts(9, 0));
    assert!(!bench.recovery.is_ecn_capable());
    assert!(!bench.marks(150));
}

/// RFC 9000 §13.4.2.1: packets that routers marked count among those that came with ECT(0).
#[test]
fn ce_counts_for_what_was_ect0() {
    let mut bench = Bench::testing(10);
    bench.ack_ecn(at(150), 1, 10, counts(4, 6));
    assert!(bench.recovery.is_ecn_capable());
    assert_eq!(bench.recovery.counters().ecn_ce, 6);
}

/// RFC 9000 §13.4.2.1: a path that bleaches from some time on.
#[test]
fn bleaching_that_begins_late_fails() {
    let mut bench = Bench::capable();
    let number = bench.send_marked(at(160));
    bench.ack_ecn(at(210), number, number, counts(10, 0));
    assert!(!bench.marks(210));
}

/// RFC 9000 §13.4.2.1: more ECT(0) than was ever sent.
#[test]
fn more_marks_than_were_sent_fail() {
    let mut bench = Bench::testing(10);
    bench.ack_ecn(at(150), 1, 10, counts(11, 0));
    assert!(!bench.marks(150));
}

/// RFC 9000 §13.4.2.1: "a non-zero ECN count corresponding to an ECT codepoint that it never applied".
#[test]
fn ect1_that_was_never_sent_fails() {
    let mut bench = Bench::testing(10);
    let ecn = EcnCounts {
        ect0: 10,
        ect1: 1,
        ce: 0,
    };
    bench.ack_ecn(at(150), 1, 10, Some(ecn));
    assert!(!bench.marks(150));
}

/// T11, RFC 9000 §13.4.2.1: more CE than packets that could have been marked.
#[test]
fn more_ce_than_was_sent_fails_without_a_cut() {
    let mut bench = Bench::testing(10);
    bench.ack_ecn(at(150), 1, 10, counts(10, 1));
    assert!(!bench.marks(150));
    assert_eq!(bench.recovery.counters().cuts, 0);
    assert_eq!(bench.recovery.counters().ecn_ce, 0);
}

/// T11, RFC 9000 §13.4.2.1: counts are sums since the session began, and never shrink.
#[test]
fn counts_that_shrink_fail() {
    for (ect0, ce) in [(9, 2), (12, 0)] {
        let mut bench = Bench::testing(10);
        bench.ack_ecn(at(150), 1, 10, counts(9, 1));
        let number = bench.send_marked(at(160));
        bench.send_marked(at(160));
        bench.ack_ecn(
            at(210),
            number,
            number,
            counts(ect0 - u64::from(ce == 2), ce),
        );
        assert!(!bench.recovery.is_ecn_capable(), "{ect0} {ce}");
    }
}

/// T11, RFC 9000 §13.4.2.1: the largest values that a frame can hold.
#[test]
fn the_highest_counts_fail() {
    let most = crate::wire::varint::MAX;
    let mut bench = Bench::testing(10);
    let ecn = EcnCounts {
        ect0: most,
        ect1: most,
        ce: most,
    };
    bench.ack_ecn(at(150), 1, 10, Some(ecn));
    assert!(!bench.marks(150));
    assert_eq!(bench.recovery.counters().cuts, 0);
}

/// RFC 9000 §13.4.2.1: an ACK that does not raise the largest number MUST NOT fail validation.
#[test]
fn overtaken_acks_fail_nothing() {
    let mut bench = Bench::testing(10);
    bench.ack_ecn(at(150), 6, 10, counts(10, 0));
    assert!(bench.recovery.is_ecn_capable());
    bench.ack_ecn(at(151), 1, 5, counts(5, 0));
    assert!(bench.recovery.is_ecn_capable());
    // And their counts are not what later ones are held against.
    let number = bench.send_marked(at(160));
    bench.ack_ecn(at(210), number, number, counts(11, 0));
    assert!(bench.recovery.is_ecn_capable());
}

/// RFC 9000 §13.4.2.1: marks of an ACK that was overtaken are told by the one that overtook it.
#[test]
fn overtaken_acks_tell_of_no_marks() {
    let mut bench = Bench::testing(10);
    bench.ack_ecn(at(150), 6, 10, counts(10, 0));
    bench.ack_ecn(at(151), 1, 5, counts(0, 5));
    assert_eq!(bench.recovery.counters().ecn_ce, 0);
}

/// RFC 9000 §13.4.2.1: ACK frames that were lost: the next one's counts grow by more than it acknowledges.
#[test]
fn lost_acks_make_counts_jump() {
    let mut bench = Bench::testing(10);
    bench.ack_ecn(at(150), 10, 10, counts(10, 0));
    assert!(bench.recovery.is_ecn_capable());
}

/// RFC 9000 A.4: "if all marked packets are lost", what is marked is dropped on the way.
#[test]
fn a_path_that_drops_what_is_marked_fails() {
    let mut bench = Bench::testing(10);
    for _ in 0..5 {
        bench.send(at(120));
    }
    bench.ack_ecn(at(170), 13, 15, None);
    assert_eq!(bench.told(Fate::Acked).len(), 0);
    assert!(bench.recovery.counters().lost_packets >= 10);
    assert!(!bench.marks(170));
    assert!(!bench.recovery.is_ecn_capable());
}

/// RFC 9000 A.4: one of the ten is enough.
#[test]
fn one_marked_packet_that_arrives_is_enough() {
    let mut bench = Bench::testing(10);
    bench.send(at(120));
    bench.ack_ecn(at(170), 10, 11, counts(1, 0));
    assert!(bench.recovery.is_ecn_capable());
}

/// RFC 9000 §19.3.2: each level has counts of its own.
#[test]
fn levels_are_counted_apart() {
    let mut bench = Bench::new(true);
    for _ in 0..2 {
        bench.send_as(at(0), Level::Initial, true);
    }
    bench.send_as(at(0), Level::Handshake, true);
    bench.ack_ecn_at(at(50), Level::Initial, 0, 1, counts(2, 0));
    bench.ack_ecn_at(at(50), Level::Handshake, 0, 0, counts(1, 0));
    assert!(bench.recovery.is_ecn_capable());
    // The other level's two would be too many.
    let mut bench = Bench::new(true);
    for _ in 0..2 {
        bench.send_as(at(0), Level::Initial, true);
    }
    bench.send_as(at(0), Level::Handshake, true);
    bench.ack_ecn_at(at(50), Level::Handshake, 0, 0, counts(2, 0));
    assert!(!bench.recovery.is_ecn_capable());
}

/// RFC 9002 §7.1: a raised CE count is a congestion event.
#[test]
fn ce_cuts_the_window() {
    let mut bench = Bench::testing(10);
    let before = bench.recovery.window();
    bench.ack_ecn(at(150), 1, 10, counts(9, 1));
    assert_eq!(bench.recovery.counters().cuts, 1);
    assert!(bench.recovery.window() < before);
    // Nothing is lost by it.
    assert_eq!(bench.recovery.counters().lost_packets, 0);
}

/// RFC 9002 §7.3.2: one cut for all that was under way when it was made.
#[test]
fn ce_cuts_once_a_round_trip() {
    let mut bench = Bench::testing(10);
    bench.ack_ecn(at(150), 1, 5, counts(1, 4));
    bench.ack_ecn(at(155), 6, 10, counts(1, 9));
    assert_eq!(bench.recovery.counters().cuts, 1);
    assert_eq!(bench.recovery.counters().ecn_ce, 9);
    let number = bench.send_marked(at(160));
    bench.ack_ecn(at(210), number, number, counts(1, 10));
    assert_eq!(bench.recovery.counters().cuts, 2);
}

/// RFC 9002 §7.1, §7.3.2: marks and losses of one round trip are one event.
#[test]
fn marks_and_losses_of_one_round_trip_cut_once() {
    let mut bench = Bench::testing(10);
    bench.ack_ecn(at(150), 1, 1, counts(0, 1));
    let window = bench.recovery.window();
    bench.ack_ecn(at(151), 6, 10, counts(5, 1));
    assert!(bench.recovery.counters().lost_packets > 0);
    assert_eq!(bench.recovery.counters().cuts, 1);
    assert!(bench.recovery.window() <= window);
}

/// RFC 9438 §4.9: only losses can prove spurious; a mark is not taken back by packets that turn up.
#[test]
fn a_cut_for_marks_is_not_undone() {
    let mut bench = Bench::testing(10);
    bench.ack_ecn(at(150), 1, 1, counts(0, 1));
    bench.ack_ecn(at(151), 6, 10, counts(5, 1));
    bench.ack_ecn(at(152), 2, 10, counts(9, 1));
    assert!(bench.recovery.counters().late_packets > 0);
    assert_eq!(bench.recovery.counters().undone_cuts, 0);
}

/// RFC 9002 §7.1: what is counted again and again is no new mark.
#[test]
fn old_marks_cut_nothing() {
    let mut bench = Bench::testing(10);
    bench.ack_ecn(at(150), 1, 10, counts(9, 1));
    let number = bench.send_marked(at(160));
    bench.ack_ecn(at(210), number, number, counts(10, 1));
    assert_eq!(bench.recovery.counters().cuts, 1);
}

/// T11, RFC 9000 §13.4.2.2: marks that a peer claims cost itself speed; after a failure they cost nothing.
#[test]
fn after_a_failure_counts_say_nothing() {
    let mut bench = Bench::testing(10);
    bench.ack_ecn(at(150), 1, 10, counts(0, 0));
    let number = bench.send(at(160));
    bench.ack_ecn(at(210), number, number, counts(0, 5));
    assert_eq!(bench.recovery.counters().cuts, 0);
    assert_eq!(bench.recovery.counters().ecn_ce, 0);
}

/// RFC 9000 §13.4.2.1: "Erroneous application of ECN-CE markings by the network can result in degraded connection performance":
/// where all of ten packets come marked and none as it was sent, that is the path's doing.
#[test]
fn a_path_that_marks_everything_fails() {
    let mut bench = Bench::testing(10);
    bench.ack_ecn(at(150), 1, 9, counts(0, 9));
    assert!(bench.recovery.is_ecn_capable(), "nine prove nothing");
    bench.ack_ecn(at(151), 1, 10, counts(0, 10));
    assert!(!bench.recovery.is_ecn_capable());
    assert!(!bench.marks(151));
    let counters = bench.recovery.counters();
    assert_eq!((counters.ecn_ce, counters.cuts), (0, 0), "none is believed");
}

/// RFC 9000 §13.4.2.1: the same with one that came as it was sent: the queue is full, and the path as it should be.
#[test]
fn a_path_that_marks_nearly_everything_is_heeded() {
    let mut bench = Bench::testing(10);
    bench.ack_ecn(at(150), 1, 10, counts(1, 9));
    assert!(bench.recovery.is_ecn_capable());
    assert_eq!(bench.recovery.counters().ecn_ce, 9);
    for n in 0..20 {
        let number = bench.send_marked(at(160 + n));
        bench.ack_ecn(at(210 + n), number, number, counts(1, 10 + n));
    }
    assert!(bench.recovery.is_ecn_capable());
}

/// RFC 9002 §7.1: the first marks count as soon as one packet shows that not all are marked.
#[test]
fn the_first_marks_are_heeded_later() {
    let mut bench = Bench::testing(10);
    bench.ack_ecn(at(150), 1, 4, counts(0, 4));
    assert_eq!(bench.recovery.counters().cuts, 0);
    bench.ack_ecn(at(151), 1, 5, counts(1, 4));
    let counters = bench.recovery.counters();
    assert_eq!((counters.ecn_ce, counters.cuts), (4, 1));
}

/// RFC 9000 §13.4.2: each path is judged by its own packets.
#[test]
fn marks_of_the_path_before_are_not_counted_again() {
    let mut bench = Bench::testing(9);
    bench.ack_ecn(at(150), 1, 9, counts(0, 9));
    bench.recovery.on_new_path(at(160), 1_200);
    let number = bench.send_marked(at(160));
    bench.ack_ecn(at(210), number, number, counts(0, 10));
    assert!(bench.recovery.is_ecn_capable());
}

/// RFC 9000 §13.4.2: validation begins anew on a new path; counts go on where they were.
#[test]
fn a_new_path_is_tested_anew() {
    let mut bench = Bench::testing(10);
    bench.ack_ecn(at(150), 1, 10, None);
    assert!(!bench.marks(150));
    bench.recovery.on_new_path(at(160), 1_200);
    assert!(bench.marks(160));
    let number = bench.send_marked(at(160));
    bench.ack_ecn(at(210), number, number, counts(1, 0));
    assert!(bench.recovery.is_ecn_capable());
}

/// RFC 9000 §13.4.2, §9.4: what went along the path of before says nothing of the present one.
#[test]
fn packets_of_the_path_before_fail_nothing() {
    let mut bench = Bench::testing(10);
    bench.recovery.on_new_path(at(120), 1_200);
    bench.ack_ecn(at(150), 1, 10, None);
    assert!(bench.marks(150));
    // Nor do they speak for it.
    let mut bench = Bench::testing(10);
    bench.recovery.leave_path();
    bench.ack_ecn(at(150), 1, 10, counts(10, 0));
    assert!(!bench.recovery.is_ecn_capable());
    assert!(bench.marks(150));
}

/// T12: an hour in which nobody lived is not the test's.
#[test]
fn a_leap_of_the_clock_ends_no_test() {
    let mut bench = Bench::testing(1);
    let hour = Duration::from_secs(3_600);
    bench.recovery.on_leap(hour);
    assert!(bench.recovery.marks_ecn(at(101) + hour));
}

mod receiver {
    use super::*;

    fn receive(numbers: &[(u64, Ecn)]) -> Received {
        let mut received = Received::new(Level::Data, MAX_ACK_DELAY);
        for (number, ecn) in numbers {
            if received.insert(*number, at(*number), true) {
                received.count_ecn(*ecn, 1);
            }
        }
        received
    }

    /// RFC 9000 §13.4.1: where no packet came with a codepoint, there is nothing to say: an ACK of type 0x02.
    #[test]
    fn says_nothing_of_unmarked_packets() {
        let received = receive(&[(0, Ecn::NotEct), (1, Ecn::NotEct)]);
        assert_eq!(received.ecn_counts(), None);
    }

    /// RFC 9000 §13.4.1: each codepoint has its count.
    #[test]
    fn counts_each_codepoint() {
        let of = [Ecn::Ect0, Ecn::Ect0, Ecn::NotEct, Ecn::Ce, Ecn::Ect1];
        let numbered: Vec<_> = (0..).zip(of).collect();
        let ecn = EcnCounts {
            ect0: 2,
            ect1: 1,
            ce: 1,
        };
        assert_eq!(receive(&numbered).ecn_counts(), Some(ecn));
    }

    /// RFC 9000 §13.4.1: a packet counts once, however often it comes.
    #[test]
    fn counts_no_duplicates() {
        let received = receive(&[(0, Ecn::Ect0), (0, Ecn::Ce), (0, Ecn::Ect0)]);
        assert_eq!(received.ecn_counts(), counts(1, 0));
    }

    /// RFC 9000 §19.3.2: counts are sums since the session began, whatever was told.
    #[test]
    fn goes_on_counting_after_an_ack() {
        let mut received = receive(&[(0, Ecn::Ect0), (1, Ecn::Ce)]);
        received.on_ack_sent();
        received.on_ack_acked(1);
        assert_eq!(received.ecn_counts(), counts(1, 1));
    }

    /// RFC 9000 §13.2.1: a CE mark is acknowledged at once; of a run of them, the first (draft-ietf-quic-ack-frequency §6.4).
    #[test]
    fn answers_the_first_mark_at_once() {
        let mut received = receive(&[(0, Ecn::Ect0)]);
        assert!(!received.ack_due(at(0)));
        received.on_ack_sent();
        received.insert(1, at(1), true);
        received.count_ecn(Ecn::Ce, 1);
        assert!(received.ack_due(at(1)));
        received.on_ack_sent();
        received.insert(2, at(2), true);
        received.count_ecn(Ecn::Ce, 1);
        assert!(!received.ack_due(at(2)));
    }

    /// RFC 9000 §13.2.1: a packet that asks for no acknowledgement gets none, marked or not.
    #[test]
    fn owes_nothing_for_a_mark_alone() {
        let mut received = Received::new(Level::Data, MAX_ACK_DELAY);
        received.insert(0, at(0), false);
        received.count_ecn(Ecn::Ce, 1);
        assert!(!received.ack_due(at(0)));
        assert!(received.audit().is_ok());
    }
}
