//! Losses and what they do to the window.

use super::*;

/// RFC 9002 §6.1.1.
#[test]
fn three_later_packets_prove_a_loss() {
    let mut b = Bench::confirmed(100);
    for _ in 0..4 {
        b.send(at(200));
    }
    b.ack(at(300), &[(2, 3)]);
    assert!(b.told(Fate::Lost).is_empty());
    let outcome = b.ack(at(300), &[(4, 4)]);
    assert_eq!(b.told(Fate::Acked), [2, 3, 4]);
    assert_eq!(b.told(Fate::Lost), [1]);
    assert_eq!((outcome.lost_packets, outcome.lost_bytes), (1, 1_200));
    assert_eq!(b.recovery.in_flight(), 0);
    assert_eq!(b.recovery.counters().lost_packets, 1);
}

/// RFC 9002 §6.1.2: 9/8 of the round-trip time after the packet was sent, once a later one is acknowledged.
#[test]
fn time_proves_a_loss() {
    let mut b = Bench::confirmed(100);
    b.send(at(200));
    b.send(at(210));
    b.ack(at(310), &[(2, 2)]);
    assert!(b.fates.iter().all(|(fate, _)| *fate == Fate::Acked));
    let overdue = Instant::from_nanos(312_500_000);
    assert_eq!(b.recovery.deadline(), Some((overdue, Timer::Loss)));
    assert_eq!(b.timeout(at(312)), OnTimeout::None);
    assert_eq!(b.timeout(overdue), OnTimeout::LossDetected);
    assert_eq!(b.told(Fate::Lost), [1]);
    assert_eq!(b.recovery.deadline(), None, "nothing is in flight");
}

/// RFC 9002 §6.1: a packet above the largest acknowledged one is never presumed lost.
#[test]
fn no_loss_without_a_later_acknowledgement() {
    let mut b = Bench::confirmed(100);
    b.send(at(200));
    assert!(matches!(b.recovery.deadline(), Some((_, Timer::Pto))));
    assert_eq!(b.timeout(at(100_000)), OnTimeout::Probe(Level::Data));
    assert!(b.fates.is_empty());
}

/// RFC 9002 §7.3.2, invariant 23: one cut for everything that was in flight when it was made.
#[test]
fn one_cut_per_round_trip() {
    let mut b = Bench::confirmed(100);
    let start = b.recovery.window();
    for _ in 0..10 {
        b.send(at(200));
    }
    b.ack(at(300), &[(4, 4)]);
    let cut = start * 7 / 10;
    assert_eq!(b.recovery.window(), cut);
    b.ack(at(310), &[(10, 10), (4, 4)]);
    assert_eq!(b.recovery.window(), cut, "losses of the same flight");
    assert_eq!(b.recovery.counters().lost_packets, 6);
    assert_eq!(b.recovery.counters().cuts, 1);
    for _ in 0..4 {
        b.send(at(320));
    }
    b.ack(at(420), &[(14, 14)]);
    assert_eq!(b.recovery.counters().cuts, 2);
    assert!(b.recovery.window() < cut);
}

/// RFC 9002 §7.3.2: what was sent before the cut earns no growth when it is acknowledged.
#[test]
fn no_growth_during_recovery() {
    let mut b = Bench::confirmed(100);
    for _ in 0..8 {
        b.send(at(200));
    }
    b.ack(at(300), &[(4, 4)]);
    let cut = b.recovery.window();
    b.ack(at(301), &[(5, 8)]);
    assert_eq!(b.recovery.window(), cut);
}

/// Three probe time-outs in milliseconds, with a variance that a second sample of 100 ms has brought to 37.5 ms.
const DEAD: u64 = 3 * (100 + 4 * 75 / 2 + 25);

/// RFC 9002 §7.6.1: nothing got through for more than three probe time-outs; further cases in `silence`.
#[test]
fn persistent_congestion() {
    let mut b = Bench::confirmed(100);
    b.send(at(1_000));
    b.send(at(1_000 + DEAD + 1));
    for _ in 0..3 {
        b.send(at(3_000));
    }
    b.ack(at(3_100), &[(5, 5)]);
    assert_eq!(b.told(Fate::Lost), [1, 2]);
    assert_eq!(b.recovery.window(), 2_400);
    b.ack(at(3_150), &[(4, 5)]);
    b.send(at(4_000));
    b.ack(at(4_120), &[(6, 6)]);
    assert_eq!(b.recovery.rtt().min(), ms(120), "§5.2");
}

/// RFC 9002 §7.6.1, §7.6.2: not at exactly that time, not over an acknowledged packet, and not by packets from before the
/// first sample.
#[test]
fn what_is_not_persistent_congestion() {
    let mut b = Bench::confirmed(100);
    b.send(at(1_000));
    b.send(at(1_000 + DEAD));
    for _ in 0..3 {
        b.send(at(3_000));
    }
    b.ack(at(3_100), &[(5, 5)]);
    assert!(b.recovery.window() > 2_400, "exactly three time-outs");

    let mut b = Bench::confirmed(100);
    b.send(at(1_000));
    b.send(at(1_500));
    b.send(at(1_000 + DEAD + 1));
    for _ in 0..3 {
        b.send(at(3_000));
    }
    b.ack(at(3_100), &[(6, 6), (2, 2)]);
    assert_eq!(b.told(Fate::Lost), [1, 3]);
    assert!(b.recovery.window() > 2_400, "one between them arrived");

    let mut b = Bench::new(true);
    b.recovery.set_handshake_confirmed();
    b.send(at(0));
    b.send(at(10_000));
    for _ in 0..3 {
        b.send(at(20_000));
    }
    b.ack(at(20_100), &[(4, 4)]);
    assert_eq!(b.told(Fate::Lost), [0, 1]);
    assert!(b.recovery.window() > 2_400, "there was no sample");
}

/// RFC 9002 §7.8.
#[test]
fn an_idle_application_does_not_grow_the_window() {
    let mut b = Bench::confirmed(100);
    let window = b.recovery.window();
    b.send(at(200));
    b.recovery.on_app_limited();
    b.ack(at(300), &[(1, 1)]);
    assert_eq!(b.recovery.window(), window);
    b.send(at(400));
    b.ack(at(500), &[(2, 2)]);
    assert_eq!(
        b.recovery.window(),
        window + 1_200,
        "the next packet ends it"
    );
}
