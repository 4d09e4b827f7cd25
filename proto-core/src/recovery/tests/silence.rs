//! Persistent congestion (RFC 9002 §7.6), within a packet number space and across them.

use super::*;

/// Three probe time-outs in milliseconds, with a round trip of 100 ms whose variance is still half of it.
const DEAD: u64 = 3 * (100 + 4 * 50 + 25);

/// A round trip of 100 ms is known, the Handshake space is alive, and 1-RTT packets may be sent.
fn handshaking() -> Bench {
    let mut b = Bench::new(true);
    b.send_at(at(0), Level::Initial);
    b.try_ack(at(100), Level::Initial, 0, &[(0, 0)]).unwrap();
    b.recovery.discard(Level::Initial);
    b.fates.clear();
    b
}

fn has_collapsed(b: &Bench) -> bool {
    b.recovery.window() == 2 * 1_200
}

/// RFC 9002 §7.6.2: "two packets that are ack-eliciting are declared lost" — not necessarily at once. Here the first is by
/// an ACK, and the second by the timer.
#[test]
fn losses_that_are_found_one_after_the_other_count_together() {
    let mut b = Bench::confirmed(100);
    b.send(at(1_000));
    b.send(at(1_000 + DEAD + 1));
    b.send(at(1_000 + DEAD + 5));
    b.ack(at(1_000 + DEAD + 105), &[(3, 3)]);
    assert_eq!(b.told(Fate::Lost), [1]);
    assert!(!has_collapsed(&b));
    let (due, timer) = b.recovery.deadline().unwrap();
    assert_eq!(
        (b.timeout(due), timer),
        (OnTimeout::LossDetected, Timer::Loss)
    );
    assert_eq!(b.told(Fate::Lost), [1, 2]);
    assert!(has_collapsed(&b));
}

/// RFC 9002 §7.6.2: the same with one acknowledged between them, which is found out first.
#[test]
fn an_acknowledgement_between_two_searches_keeps_them_apart() {
    let mut b = Bench::confirmed(100);
    b.send(at(1_000));
    b.send(at(1_500));
    b.send(at(1_000 + DEAD + 1));
    b.send(at(1_000 + DEAD + 5));
    b.ack(at(1_000 + DEAD + 105), &[(4, 4), (2, 2)]);
    let (due, _) = b.recovery.deadline().unwrap();
    b.timeout(due);
    assert_eq!(b.told(Fate::Lost), [1, 3]);
    assert!(!has_collapsed(&b));
}

/// RFC 9002 §7.6.2: as before, when the one between them is the oldest of which nothing was heard, and found out second.
#[test]
fn an_acknowledgement_of_the_oldest_keeps_them_apart() {
    let mut b = Bench::confirmed(100);
    for time in [0, DEAD, DEAD + 1, DEAD + 5] {
        b.send(at(1_000 + time));
    }
    b.ack(at(1_000 + DEAD + 105), &[(4, 4)]);
    assert_eq!(b.told(Fate::Lost), [1]);
    b.ack(at(1_000 + DEAD + 130), &[(4, 4), (2, 2)]);
    assert_eq!(b.told(Fate::Lost), [1, 3]);
    assert!(!has_collapsed(&b));
}

/// RFC 9002 §7.6.2: "These two packets MUST be ack-eliciting, since a receiver is required to acknowledge only ack-eliciting
/// packets".
#[test]
fn what_asks_for_no_acknowledgement_proves_nothing() {
    for (first, last, collapses) in [
        (true, true, true),
        (false, true, false),
        (true, false, false),
    ] {
        let mut b = Bench::confirmed(100);
        for (time, ack_eliciting) in [(1_000, first), (1_000 + DEAD + 1, last)] {
            let sent = Sent {
                bytes: 1_200,
                ack_eliciting,
                in_flight: true,
                marked: false,
            };
            let recovery = &mut b.recovery;
            recovery.on_packet_sent(at(time), Level::Data, sent, &[]);
        }
        for _ in 0..3 {
            b.send(at(3_000));
        }
        b.ack(at(3_100), &[(5, 5)]);
        assert_eq!(b.recovery.counters().lost_packets, 2);
        assert_eq!(has_collapsed(&b), collapses, "{first} {last}");
    }
}

/// RFC 9002 §7.6.2: "across all packet number spaces, none of the packets sent between the send times of these two packets
/// are acknowledged": one of another space is, and is not.
#[test]
fn an_acknowledgement_in_another_space_counts() {
    for (between, collapses) in [(true, false), (false, true)] {
        let mut b = handshaking();
        b.send(at(1_000));
        b.send_at(at(1_500), Level::Handshake);
        b.send(at(1_000 + DEAD + 1));
        for _ in 0..3 {
            b.send(at(3_000));
        }
        if between {
            b.try_ack(at(1_600), Level::Handshake, 0, &[(0, 0)])
                .unwrap();
        }
        b.ack(at(3_100), &[(4, 4)]);
        assert_eq!(b.recovery.counters().lost_packets, 2);
        assert_eq!(has_collapsed(&b), collapses, "{between}");
    }
}

/// RFC 9002 §7.6.2: "persistent congestion SHOULD consider packets sent across packet number spaces": the two may be of two
/// spaces, whichever is the first.
#[test]
fn two_spaces_prove_it_together() {
    let spaces = [Level::Handshake, Level::Data];
    for (first, last) in [(0, 1), (1, 0)] {
        let mut b = handshaking();
        b.send_at(at(1_000), spaces[first]);
        b.send_at(at(1_000 + DEAD + 1), spaces[last]);
        for level in spaces {
            b.send_at(at(3_000), level);
            b.try_ack(at(3_100), level, 0, &[(1, 1)]).unwrap();
        }
        assert_eq!(b.recovery.counters().lost_packets, 2);
        assert!(has_collapsed(&b), "{first} before {last}");
    }
}

/// RFC 9002 §7.6.2: as before, with one between them acknowledged in either space.
#[test]
fn two_spaces_prove_nothing_over_what_arrived() {
    let spaces = [Level::Handshake, Level::Data];
    for arrived in spaces {
        let mut b = handshaking();
        b.send_at(at(1_000), Level::Handshake);
        let number = b.send_at(at(1_500), arrived);
        b.try_ack(at(1_600), arrived, 0, &[(number, number)])
            .unwrap();
        b.send_at(at(1_000 + DEAD + 1), Level::Data);
        for level in spaces {
            let number = b.send_at(at(3_000), level);
            b.try_ack(at(3_100), level, 0, &[(number, number)]).unwrap();
        }
        assert_eq!(b.recovery.counters().lost_packets, 2);
        assert!(!has_collapsed(&b), "{arrived:?}");
    }
}

/// RFC 9002 §6.4: packets of a space whose keys are gone have left; those of the others go on as if they were alone.
#[test]
fn a_discarded_space_proves_nothing() {
    let mut b = handshaking();
    b.send_at(at(1_000), Level::Handshake);
    b.send_at(at(2_000), Level::Handshake);
    b.try_ack(at(2_100), Level::Handshake, 0, &[(1, 1)])
        .unwrap();
    assert_eq!(b.recovery.counters().lost_packets, 1);
    b.recovery.discard(Level::Handshake);
    b.send(at(1_000 + 2 * DEAD));
    b.send(at(10_000));
    b.ack(at(10_100), &[(1, 1)]);
    assert_eq!(b.recovery.counters().lost_packets, 2);
    assert!(!has_collapsed(&b));
}

/// RFC 9002 §7.6.2: a packet that was taken for lost and arrives after all was acknowledged, too: the time without one begins behind it.
#[test]
fn what_arrives_late_ends_the_silence() {
    for (late, collapses) in [(false, true), (true, false)] {
        let mut b = Bench::confirmed(100);
        for time in [1_000, 1_400, 1_000 + DEAD + 1, 1_000 + DEAD + 3] {
            b.send(at(time));
        }
        b.ack(at(1_000 + DEAD + 103), &[(4, 4)]);
        assert_eq!(b.told(Fate::Lost), [1, 2]);
        if late {
            b.ack(at(1_000 + DEAD + 104), &[(4, 4), (2, 2)]);
            assert_eq!(b.told(Fate::Late), [2]);
        }
        // Once more where the threshold has grown.
        while b.told(Fate::Lost).len() < 3 {
            let (due, _) = b.recovery.deadline().unwrap();
            assert_eq!(b.timeout(due), OnTimeout::LossDetected);
        }
        assert_eq!(has_collapsed(&b), collapses, "late: {late}");
    }
}

/// RFC 9002 §7.6.2: once it is established, what it was established with is used up; and it takes as long again.
#[test]
fn the_same_losses_collapse_the_window_once() {
    let mut b = Bench::confirmed(100);
    b.send(at(1_000));
    b.send(at(1_000 + DEAD + 1));
    b.send(at(1_000 + DEAD + 100));
    b.send(at(3_000));
    b.ack(at(3_100), &[(4, 4)]);
    assert!(has_collapsed(&b));
    assert_eq!(b.told(Fate::Lost), [1, 2, 3]);
    assert!(!b.recovery.silence.take_persistent(ms(0)));
}

/// T12: a clock that leaps makes no silence longer.
#[test]
fn a_leap_is_no_silence() {
    let mut b = Bench::confirmed(100);
    b.send(at(1_000));
    b.recovery.on_leap(ms(5_000));
    b.send(at(6_001));
    b.send(at(6_200));
    b.ack(at(6_300), &[(3, 3)]);
    assert_eq!(b.told(Fate::Lost), [1, 2]);
    assert!(!has_collapsed(&b));
}
