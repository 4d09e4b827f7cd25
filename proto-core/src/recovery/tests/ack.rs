//! What acknowledgements do, and the accounts.

use super::*;

/// T4, RFC 9000 §13.1: an acknowledgement of a packet that was not sent is a PROTOCOL_VIOLATION.
#[test]
fn t4_an_ack_of_a_packet_never_sent_is_an_error() {
    let mut b = Bench::confirmed(100);
    b.send(at(200));
    let before = alloc::format!("{:?}", b.recovery);
    assert_eq!(
        b.try_ack(at(300), Level::Data, 0, &[(0, 2)]),
        Err(AckError::NeverSent)
    );
    assert_eq!(
        b.try_ack(at(300), Level::Initial, 0, &[(0, 0)]),
        Err(AckError::NeverSent)
    );
    assert_eq!(
        alloc::format!("{:?}", b.recovery),
        before,
        "and changes nothing"
    );
    assert!(b.fates.is_empty());
}

/// T5, RFC 9000 §21.4: numbers are left out to find out who acknowledges what has not arrived.
#[test]
fn t5_an_ack_of_a_number_left_out_is_an_error() {
    let mut b = Bench::confirmed(100);
    assert_eq!(b.send(at(200)), 1);
    b.recovery.skip_number(Level::Data);
    assert_eq!(b.send(at(200)), 3);
    assert_eq!(
        b.try_ack(at(300), Level::Data, 0, &[(1, 3)]),
        Err(AckError::NeverSent)
    );
    assert_eq!(b.ack(at(300), &[(3, 3), (1, 1)]).acked_packets, 2);
    assert_eq!(
        b.try_ack(at(300), Level::Data, 0, &[(2, 2)]),
        Err(AckError::NeverSent),
        "also later"
    );
}

/// R1, RFC 9000 §12.3: no number is used twice. Peeking does not use a number up; sending and leaving out do.
#[test]
fn r1_numbers_only_grow() {
    let mut b = Bench::new(false);
    assert_eq!(b.recovery.next_number(Level::Data), 0);
    assert_eq!(b.recovery.next_number(Level::Data), 0);
    b.send(at(0));
    b.recovery.discard(Level::Data);
    assert_eq!(b.recovery.next_number(Level::Data), 1);
    assert_eq!(b.recovery.next_number(Level::Initial), 0);
}

/// RFC 9002 §5.1: a sample needs the largest to be new, and something ack-eliciting to be new.
#[test]
fn when_a_sample_is_taken() {
    let mut b = Bench::confirmed(100);
    b.send(at(200));
    b.send(at(200));
    assert_eq!(b.ack(at(290), &[(2, 2)]).rtt_sample, Some(ms(90)));
    assert_eq!(
        b.ack(at(295), &[(1, 2)]).rtt_sample,
        None,
        "the largest is old"
    );
    let only_ack = Sent {
        bytes: 40,
        ack_eliciting: false,
        in_flight: false,
        marked: false,
    };
    b.recovery
        .on_packet_sent(at(300), Level::Data, only_ack, &[]);
    let outcome = b.ack(at(350), &[(1, 3)]);
    assert_eq!((outcome.acked_packets, outcome.acked_bytes), (1, 0));
    assert_eq!(outcome.rtt_sample, None, "nothing ack-eliciting");
    assert_eq!(b.recovery.rtt().latest(), ms(90));
}

/// RFC 9002 §5.3: the peer's delay counts up to its promise once the handshake is confirmed, in full before, and not at
/// all for Initial packets.
#[test]
fn the_peers_delay() {
    for (level, confirmed, adjusted) in [
        (Level::Initial, false, 200),
        (Level::Handshake, false, 160),
        (Level::Data, false, 160),
        (Level::Data, true, 175),
    ] {
        let mut b = Bench::confirmed(100);
        b.recovery.timers.handshake_confirmed = confirmed;
        let n = b.send_at(at(1_000), level);
        b.try_ack(at(1_200), level, 40, &[(n, n)]).unwrap();
        assert_eq!(
            b.recovery.rtt().smoothed(),
            (ms(100) * 7 + ms(adjusted)) / 8,
            "{level:?}"
        );
    }
}

/// RFC 9002 §6.4: discarded packets leave the accounts without a fate.
#[test]
fn discarded_packets_are_forgotten() {
    let mut b = Bench::new(false);
    b.send_at(at(0), Level::Initial);
    b.send_at(at(0), Level::Handshake);
    assert_eq!(b.recovery.in_flight(), 2_400);
    b.recovery.discard(Level::Initial);
    assert_eq!(b.recovery.in_flight(), 1_200);
    assert!(b.fates.is_empty());
    b.try_ack(at(10), Level::Initial, 0, &[(0, 0)]).unwrap();
    assert_eq!(b.recovery.in_flight(), 1_200);
}

/// RFC 9002 §2, §7: packets of only ACK frames are neither counted nor probed.
#[test]
fn acknowledgements_are_not_in_flight() {
    let mut b = Bench::confirmed(100);
    let only_ack = Sent {
        bytes: 40,
        ack_eliciting: false,
        in_flight: false,
        marked: false,
    };
    let room = b.recovery.congestion_room();
    for n in 0..5_000 {
        b.recovery
            .on_packet_sent(at(200), Level::Data, only_ack, &[n]);
    }
    assert_eq!(b.recovery.in_flight(), 0);
    assert_eq!(b.recovery.congestion_room(), room);
    assert_eq!(b.recovery.deadline(), None);
    assert_eq!(b.recovery.spaces[2].len(), 64, "and bounded");
    // A probe behind them is acknowledged: all of them are settled, those that were kept with a fate.
    let n = b.send(at(300));
    assert_eq!(n, 5_001);
    b.ack(at(400), &[(n, n)]);
    assert_eq!(b.told(Fate::Lost).len(), 64);
    assert_eq!(b.recovery.spaces[2].len(), 0);
    assert_eq!(b.recovery.counters().cuts, 0);
}

/// M5.
#[test]
fn m5_at_most_131072_packets() {
    let mut b = Bench::confirmed(100);
    for _ in 0..PACKETS_MAX {
        assert!(b.recovery.has_room());
        b.send(at(200));
    }
    assert!(!b.recovery.has_room());
    b.ack(at(300), &[(1, 1)]);
    assert!(b.recovery.has_room());
}

/// T6: an acknowledgement with 256 ranges over a full window costs what it names, not the window. The rings' order
/// makes this testable by counting the packets that stay behind: none below the largest.
#[test]
fn t6_settled_packets_do_not_stay() {
    let mut b = Bench::confirmed(100);
    for _ in 0..10_000 {
        b.send(at(200));
    }
    let ranges: Vec<_> = (0..256).map(|n| (1_000 - 2 * n, 1_000 - 2 * n)).collect();
    let outcome = b.ack(at(300), &ranges);
    assert_eq!((outcome.acked_packets, outcome.lost_packets), (256, 743));
    assert_eq!(b.recovery.spaces[2].len(), 10_000 - 998);
    assert_eq!(b.recovery.spaces[2].packet(0).map(|p| p.number), Some(999));
    assert_eq!(b.ack(at(300), &ranges), AckOutcome::default());
}

/// Steady state: the rings do not grow, and give their memory back when asked.
#[test]
fn steady_state_allocates_nothing() {
    let mut b = Bench::confirmed(100);
    let mut capacity = None;
    for round in 1..200_u64 {
        for _ in 0..50 {
            b.send(at(100 * round));
        }
        let last = b.recovery.next_number(Level::Data) - 1;
        b.ack(at(100 * round + 100), &[(last - 49, last)]);
        b.fates.clear();
        let now = b.recovery.spaces[2].capacity();
        assert_eq!(*capacity.get_or_insert(now), now);
    }
    b.recovery.shrink();
    assert_eq!(b.recovery.spaces[2].capacity(), (0, 0));
}

/// Real ACK frames, as `wire` writes and reads them.
#[test]
fn an_ack_frame_from_the_wire() {
    let mut b = Bench::confirmed(100);
    let mut peer = Received::new(Level::Data, MAX_ACK_DELAY);
    for n in 1..=9 {
        b.send(at(200));
        if n % 4 != 0 {
            peer.insert(n, at(250), true);
        }
    }
    let mut buffer = [0; 64];
    let micros = peer.delay(at(260)).as_micros() as u64;
    let len = crate::wire::write_ack(&mut buffer, micros, peer.ranges_desc()).unwrap();
    let mut bytes = &buffer[..len];
    let Ok(crate::wire::Frame::Ack(ack)) = crate::wire::Frame::decode(&mut bytes) else {
        panic!("not an ACK frame");
    };
    let mut acked = Vec::new();
    let outcome = b
        .recovery
        .on_ack(at(310), Level::Data, &ack, &mut |fate, frame| {
            acked.push((frame, fate));
        });
    assert_eq!(outcome.unwrap().acked_packets, 7);
    acked.sort_by_key(|(frame, _)| *frame);
    let lost = acked.iter().filter(|(_, fate)| *fate == Fate::Lost);
    assert_eq!(lost.map(|(frame, _)| *frame).collect::<Vec<_>>(), [4]);
    assert_eq!(b.recovery.rtt().smoothed(), (ms(100) * 7 + ms(100)) / 8);
}

/// RFC 9000 §13.2.4: who only acknowledges asks for a word of the peer's now and then, once a round trip.
#[test]
fn a_ping_among_acknowledgements() {
    let mut b = Bench::confirmed(100);
    let only_ack = Sent {
        bytes: 40,
        ack_eliciting: false,
        in_flight: false,
        marked: false,
    };
    for _ in 0..32 {
        assert!(!b.recovery.wants_ping(Level::Data));
        b.recovery
            .on_packet_sent(at(200), Level::Data, only_ack, &[]);
    }
    assert!(b.recovery.wants_ping(Level::Data));
    let ping = b.send(at(200));
    assert!(!b.recovery.wants_ping(Level::Data), "it is under way");
    b.ack(at(300), &[(ping, ping)]);
    assert!(!b.recovery.wants_ping(Level::Data), "and was answered");
}
