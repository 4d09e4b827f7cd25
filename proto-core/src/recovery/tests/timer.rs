//! Probes.

use super::*;

/// RFC 9002 §6.2.1: srtt + 4 rttvar + max_ack_delay; each probe doubles it; progress resets it.
#[test]
fn probes_back_off() {
    let mut b = Bench::confirmed(100);
    assert_eq!(b.recovery.pto(), ms(100 + 200 + 25));
    b.send(at(1_000));
    assert_eq!(b.recovery.deadline(), Some((at(1_325), Timer::Pto)));
    assert_eq!(b.timeout(at(1_324)), OnTimeout::None);
    assert_eq!(b.timeout(at(1_325)), OnTimeout::Probe(Level::Data));
    b.send(at(1_325));
    assert_eq!(b.recovery.deadline(), Some((at(1_325 + 650), Timer::Pto)));
    assert_eq!(b.timeout(at(1_975)), OnTimeout::Probe(Level::Data));
    b.send(at(1_975));
    assert_eq!(b.recovery.deadline(), Some((at(1_975 + 1_300), Timer::Pto)));
    b.ack(at(2_000), &[(3, 3)]);
    b.timeout(at(3_000));
    b.send(at(3_000));
    let pto = b.recovery.pto();
    assert_eq!(b.recovery.deadline(), Some((at(3_000) + pto, Timer::Pto)));
    assert_eq!(b.recovery.counters().probes, 2);
}

/// RFC 9002 §6.2.1: 1-RTT packets are not probed before the handshake is confirmed, and other levels without the
/// peer's delay.
#[test]
fn probes_before_the_handshake_is_confirmed() {
    let mut b = Bench::new(true);
    b.send(at(0));
    assert_eq!(b.recovery.deadline(), None);
    b.send_at(at(10), Level::Handshake);
    assert_eq!(b.recovery.deadline(), Some((at(10 + 999), Timer::Pto)));
    b.send_at(at(5), Level::Initial);
    assert_eq!(b.recovery.deadline(), Some((at(5 + 999), Timer::Pto)));
    assert_eq!(b.timeout(at(1_004)), OnTimeout::Probe(Level::Initial));
    b.recovery.discard(Level::Initial);
    assert_eq!(
        b.recovery.deadline(),
        Some((at(1_009), Timer::Pto)),
        "backoff is reset"
    );
    b.recovery.discard(Level::Handshake);
    b.recovery.set_handshake_confirmed();
    assert_eq!(b.recovery.deadline(), Some((at(999 + 25), Timer::Pto)));
}

/// RFC 9002 §6.2.2.1: a client probes though nothing is in flight, until it knows that the server may answer.
#[test]
fn a_client_keeps_the_server_from_deadlock() {
    let mut b = Bench::new(false);
    b.send_at(at(0), Level::Initial);
    b.try_ack(at(100), Level::Initial, 0, &[(0, 0)]).unwrap();
    assert_eq!(b.recovery.in_flight(), 0);
    assert_eq!(b.recovery.deadline(), Some((at(100 + 300), Timer::Pto)));
    assert_eq!(b.timeout(at(400)), OnTimeout::Probe(Level::Initial));
    b.recovery.set_handshake_keys();
    assert_eq!(b.recovery.deadline(), Some((at(400 + 600), Timer::Pto)));
    assert_eq!(b.timeout(at(1_000)), OnTimeout::Probe(Level::Handshake));
    // §6.2.1: an acknowledged Initial packet does not reset the client's backoff.
    let n = b.send_at(at(1_000), Level::Initial);
    b.try_ack(at(1_001), Level::Initial, 0, &[(n, n)]).unwrap();
    assert_eq!(b.recovery.timers.backoff(), 2);
    // A Handshake packet does: the server has seen it.
    let n = b.send_at(at(1_001), Level::Handshake);
    b.try_ack(at(1_002), Level::Handshake, 0, &[(n, n)])
        .unwrap();
    assert_eq!(b.recovery.timers.backoff(), 0);
    assert_eq!(b.recovery.deadline(), None);
}

/// RFC 9002 §6.2.2.1: a server at its limit arms nothing, and probes at once when it may send again.
#[test]
fn amplification_stops_a_servers_probes() {
    let mut b = Bench::new(true);
    b.send_at(at(0), Level::Initial);
    b.recovery.set_blocked_by_amplification(true);
    assert_eq!(b.recovery.deadline(), None);
    assert_eq!(b.timeout(at(5_000)), OnTimeout::None);
    b.recovery.set_blocked_by_amplification(false);
    assert_eq!(b.timeout(at(5_000)), OnTimeout::Probe(Level::Initial));
}

/// T12: after a leap of an hour there is one probe, and no deadline stays behind.
#[test]
fn t12_a_leap_of_the_clock() {
    let mut b = Bench::confirmed(100);
    b.send(at(200));
    let leap = at(3_600_200);
    assert_eq!(b.timeout(leap), OnTimeout::Probe(Level::Data));
    assert_eq!(b.timeout(leap), OnTimeout::None);
    assert!(b.recovery.deadline().unwrap().0 > leap, "invariant 19");
    // Back again: the acknowledgement arrives before it was sent.
    b.send(leap);
    b.ack(at(300), &[(2, 2)]);
    assert_eq!(b.recovery.rtt().latest(), Duration::ZERO);
    assert!(b.recovery.pacing(at(300), 1_200).is_ok());
}

/// P9.14: who hears the peer again after unanswered probes asks at once, and not when the backoff of RFC 9002 §6.2.1 is over;
/// the next probe is a whole time-out later.
#[test]
fn a_peer_that_is_back_is_asked_at_once() {
    let mut b = Bench::confirmed(100);
    b.send(at(200));
    for _ in 0..6 {
        let (due, _) = b.recovery.deadline().unwrap();
        assert_eq!(b.timeout(due), OnTimeout::Probe(Level::Data));
        b.send(due);
    }
    let later = b.recovery.last_eliciting(Level::Data) + ms(1_000);
    assert!(b.recovery.deadline().unwrap().0 > later + ms(5_000));
    b.recovery.on_silence_over(later);
    assert_eq!(
        b.recovery.deadline(),
        Some((later, Timer::Pto)),
        "invariant 19"
    );
    assert_eq!(b.timeout(later), OnTimeout::Probe(Level::Data));
    b.send(later);
    let pto = b.recovery.pto();
    assert_eq!(b.recovery.deadline(), Some((later + 2 * pto, Timer::Pto)));
}

/// P9.14: what is sent after the silence is none of its affair, and one probe is enough.
#[test]
fn a_silence_that_is_over_hurries_nothing_that_follows() {
    let mut b = Bench::confirmed(100);
    b.recovery.on_silence_over(at(200));
    assert_eq!(b.recovery.deadline(), None, "nothing is under way");
    b.send(at(200));
    let pto = b.recovery.pto();
    assert_eq!(b.recovery.deadline(), Some((at(200) + pto, Timer::Pto)));
}

/// P9.14, RFC 9002 §5.3: the first acknowledgement after a sleep of the peer's gives a round trip as long as the sleep. What it does
/// not speak of is probed all the same.
#[test]
fn a_round_trip_as_long_as_a_sleep_delays_no_probe() {
    let mut b = Bench::confirmed(100);
    b.send(at(200));
    b.send(at(201));
    let (due, _) = b.recovery.deadline().unwrap();
    assert_eq!(b.timeout(due), OnTimeout::Probe(Level::Data));
    assert!(b.recovery.is_backing_off());
    b.ack(at(30_000), &[(1, 1)]);
    assert!(b.recovery.pto() > ms(20_000) && !b.recovery.is_backing_off());
    b.recovery.on_silence_over(at(30_000));
    assert_eq!(b.recovery.deadline(), Some((at(30_000), Timer::Pto)));
}
