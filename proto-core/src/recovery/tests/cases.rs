use super::*;

/// T4.
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

/// T5.
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

/// R1: peeking does not use a number up; sending and leaving out do.
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

/// RFC 9002 §7.6: nothing got through for more than three probe time-outs.
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

/// RFC 9002 §7.6.1, §7.6.2: not at exactly that time, not over an acknowledged packet, not by what is not ack-eliciting,
/// and not by packets from before the first sample.
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

/// RFC 9002 §2, §7: packets of only ACK frames are neither counted nor probed.
#[test]
fn acknowledgements_are_not_in_flight() {
    let mut b = Bench::confirmed(100);
    let only_ack = Sent {
        bytes: 40,
        ack_eliciting: false,
        in_flight: false,
    };
    let room = b.recovery.congestion_room();
    for n in 0..5_000 {
        b.recovery
            .on_packet_sent(at(200), Level::Data, only_ack, &[n]);
    }
    assert_eq!(b.recovery.in_flight(), 0);
    assert_eq!(b.recovery.congestion_room(), room);
    assert_eq!(b.recovery.deadline(), None);
    assert_eq!(b.recovery.spaces[2].len(), 1_024, "and bounded");
    // A probe behind them is acknowledged: all of them are settled, those that were kept with a fate.
    let n = b.send(at(300));
    assert_eq!(n, 5_001);
    b.ack(at(400), &[(n, n)]);
    assert_eq!(b.told(Fate::Lost).len(), 1_024);
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
