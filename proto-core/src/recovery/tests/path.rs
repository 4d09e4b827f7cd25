//! A new path, and a clock that leaps.

use super::*;

/// RFC 9000 §9.4, RFC 9002 §6.2.2: initial values, for estimates and for what they lead to.
#[test]
fn a_new_path_begins_anew() {
    let mut b = Bench::confirmed(100);
    let fresh = Bench::new(true);
    for n in 1..9 {
        b.send(at(200 + n));
    }
    b.ack(at(310), &[(1, 6)]);
    assert!(b.recovery.window() > fresh.recovery.window());
    b.recovery.on_new_path(at(320), 1_200);
    assert_eq!(b.recovery.window(), fresh.recovery.window());
    assert_eq!(b.recovery.rtt(), fresh.recovery.rtt());
    assert_eq!(b.recovery.in_flight(), 0);
}

/// RFC 9000 §9.4: packets that were sent on the old path contribute to neither congestion control nor the round trip.
#[test]
fn packets_of_the_old_path_count_for_nothing() {
    let mut b = Bench::confirmed(100);
    for n in 1..6 {
        b.send(at(200 + n));
    }
    b.recovery.on_new_path(at(210), 1_200);
    let window = b.recovery.window();
    // Acknowledged: the frames are told, the estimates are not.
    let outcome = b.ack(at(300), &[(5, 5)]);
    assert_eq!((outcome.acked_bytes, outcome.rtt_sample), (0, None));
    assert!(!b.recovery.rtt().is_sampled());
    // Lost, three packets below: the frames are told, and nothing is cut.
    assert_eq!(b.told(Fate::Acked), [5]);
    assert_eq!(b.told(Fate::Lost), [1, 2]);
    assert_eq!(
        (b.recovery.window(), b.recovery.counters().cuts),
        (window, 0)
    );
    // The new path's own packets count.
    b.send(at(1_000));
    assert_eq!(b.recovery.in_flight(), 1_200);
    let outcome = b.ack(at(1_050), &[(5, 6)]);
    assert_eq!(outcome.rtt_sample, Some(ms(50)));
    assert_eq!((outcome.acked_bytes, b.recovery.in_flight()), (1_200, 0));
    assert_eq!(b.recovery.rtt().smoothed(), ms(50));
}

/// T3: with another port, the estimates stay; what was under way to the old one is no congestion when it is lost.
#[test]
fn a_path_of_the_same_network_keeps_its_estimates() {
    let mut b = Bench::confirmed(100);
    for n in 1..9 {
        b.send(at(200 + n));
    }
    let (window, rtt) = (b.recovery.window(), *b.recovery.rtt());
    b.recovery.leave_path();
    assert_eq!((b.recovery.window(), *b.recovery.rtt()), (window, rtt));
    b.send(at(300));
    b.ack(at(400), &[(9, 9)]);
    assert_eq!(b.told(Fate::Lost), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(b.recovery.counters().cuts, 0);
    assert_eq!(b.recovery.in_flight(), 0);
}

/// T12: while the machine slept, nothing became late and no round trip longer.
#[test]
fn a_leap_proves_no_loss() {
    let hour = ms(3_600_000);
    let mut b = Bench::confirmed(100);
    b.send(at(200));
    b.send(at(210));
    b.send(at(220));
    b.ack(at(315), &[(2, 2)]);
    let (due, _) = b.recovery.deadline().unwrap();
    b.recovery.on_leap(hour);
    assert_eq!(b.recovery.deadline(), Some((due + hour, Timer::Loss)));
    assert_eq!(b.timeout(at(317) + hour), OnTimeout::None);
    let outcome = b.ack(at(317) + hour, &[(1, 3)]);
    assert_eq!((outcome.acked_packets, outcome.lost_packets), (2, 0));
    assert_eq!(outcome.rtt_sample, Some(ms(97)));
    assert!(b.recovery.rtt().smoothed() <= ms(101));
    assert_eq!(b.recovery.counters().cuts, 0);
}

/// RFC 9002 §7.6: the time of a leap is no time in which a path was dead.
#[test]
fn a_leap_proves_no_persistent_congestion() {
    let mut b = Bench::confirmed(100);
    b.send(at(200));
    b.recovery.on_leap(ms(60_000));
    for n in 0..5 {
        b.send(at(60_201 + n));
    }
    b.ack(at(60_310), &[(6, 6)]);
    assert_eq!(b.told(Fate::Lost).len(), 3);
    assert!(b.recovery.window() > 2 * 1_200, "a cut, and no collapse");
}
