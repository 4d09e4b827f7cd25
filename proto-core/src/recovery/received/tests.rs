use super::*;
use alloc::vec::Vec;

fn ms(n: u64) -> Instant {
    Instant::from_nanos(n * 1_000_000)
}

fn data() -> Received {
    Received::new(Level::Data, MAX_ACK_DELAY)
}

fn ranges(received: &Received) -> Vec<RangeInclusive<u64>> {
    received.ranges_desc().collect()
}

/// RFC 9000 §13.2.1, §13.2.2: a lone packet waits for the promised time, a second one for nothing.
#[test]
fn every_second_ack_eliciting_packet_is_answered_at_once() {
    let mut r = data();
    r.insert(0, ms(10), true);
    assert!(!r.ack_due(ms(10)) && r.ack_owed());
    assert_eq!(r.ack_deadline(), Some(ms(35)));
    assert!(!r.ack_due(ms(34)) && r.ack_due(ms(35)));
    r.insert(1, ms(20), true);
    assert!(r.ack_due(ms(20)));
    assert_eq!(r.ack_deadline(), Some(ms(35)), "counted from the first");
    r.on_ack_sent();
    assert!(!r.ack_due(ms(1_000)) && !r.ack_owed());
    assert_eq!(r.ack_deadline(), None);
}

/// RFC 9000 §13.2: what is not ack-eliciting is never answered, but reported.
#[test]
fn acknowledgements_are_not_acknowledged() {
    let mut r = data();
    for n in 0..10 {
        r.insert(n, ms(n), false);
    }
    assert!(!r.ack_due(ms(1_000)) && !r.ack_owed());
    assert_eq!(r.ack_deadline(), None);
    assert_eq!(ranges(&r), [0..=9]);
}

/// RFC 9000 §13.2.1: a new gap, and a packet that comes late, at once; an old gap is no news.
#[test]
fn gaps_and_stragglers_are_reported_at_once() {
    let mut r = data();
    r.insert(0, ms(0), true);
    r.on_ack_sent();
    r.insert(2, ms(1), true);
    assert!(r.ack_due(ms(1)), "a gap");
    r.on_ack_sent();
    r.insert(3, ms(2), true);
    assert!(!r.ack_due(ms(2)), "the same gap");
    r.on_ack_sent();
    r.insert(1, ms(3), true);
    assert!(r.ack_due(ms(3)), "a straggler");
}

/// RFC 9000 §13.2.1: a packet that is not ack-eliciting fills no promise but fills the gap.
#[test]
fn what_is_not_ack_eliciting_leaves_no_gap() {
    let mut r = data();
    r.insert(0, ms(0), true);
    r.on_ack_sent();
    r.insert(1, ms(1), false);
    r.insert(2, ms(2), true);
    assert!(!r.ack_due(ms(2)));
}

/// RFC 9000 §13.2.1.
#[test]
fn handshake_levels_are_answered_at_once() {
    for level in [Level::Initial, Level::Handshake] {
        let mut r = Received::new(level, MAX_ACK_DELAY);
        r.insert(0, ms(5), true);
        assert!(r.ack_due(ms(5)));
    }
}

/// RFC 9000 §13.2.5: the delay counts from the arrival of the largest number, whatever came after it.
#[test]
fn the_delay_is_that_of_the_largest() {
    let mut r = data();
    r.insert(7, ms(10), true);
    r.insert(6, ms(14), true);
    assert_eq!(r.delay(ms(15)), Duration::from_millis(5));
    assert_eq!(r.delay(ms(3)), Duration::ZERO, "T12: the clock went back");
    assert_eq!(r.largest(), Some(7));
}

/// RFC 9000 §13.2.4.
#[test]
fn what_the_peer_knows_is_not_told_again() {
    let mut r = data();
    for n in [0, 1, 2, 4, 5, 8] {
        r.insert(n, ms(n), true);
    }
    assert_eq!(ranges(&r), [8..=8, 4..=5, 0..=2]);
    r.on_ack_sent();
    r.on_ack_acked(4);
    assert_eq!(ranges(&r), [8..=8, 5..=5]);
    r.on_ack_acked(8);
    assert_eq!(ranges(&r), [8..=8], "the newest always stands");
    assert!(!r.is_new(1) && r.is_new(3), "and replays are still refused");
    r.insert(3, ms(9), true);
    assert_eq!(ranges(&r), [8..=8, 3..=5], "a straggler is told");
    r.on_ack_acked(8);
    assert_eq!(ranges(&r), [8..=8, 3..=5], "at least once");
    r.on_ack_sent();
    r.on_ack_acked(1 << 62);
    assert_eq!(ranges(&r), [8..=8]);
}

/// R2, RFC 9000 §13.2.3: what is no longer tracked is not taken either.
#[test]
fn r2_the_window_is_8192_behind_what_the_peer_knows() {
    let mut r = data();
    r.insert(0, ms(0), true);
    r.insert(20_000, ms(0), true);
    assert!(
        r.is_new(1),
        "nothing was told: the window reaches back to the start"
    );
    r.on_ack_sent();
    r.on_ack_acked(20_000);
    assert!(!r.is_new(20_000 - REPLAY_WINDOW - 1));
    assert!(r.is_new(20_000 - REPLAY_WINDOW));
}

/// T6, RFC 9000 §13.2.3: "A receiver limits the number of ACK Ranges it remembers", and discards the oldest.
#[test]
fn t6_512_ranges_are_kept_and_the_floor_rises() {
    let mut r = data();
    for n in 0..600 {
        r.insert(2 * n, ms(n), true);
    }
    let kept = ranges(&r);
    assert_eq!(kept.len(), RANGES_MAX);
    assert_eq!(kept.first(), Some(&(1_198..=1_198)));
    assert_eq!(kept.last(), Some(&(176..=176)));
    assert!(!r.is_new(174) && !r.is_new(0));
    // What cannot be remembered as a range is remembered by the floor.
    assert!(r.is_new(175));
    r.insert(175, ms(700), true);
    assert!(!r.is_new(175));
}

#[test]
fn numbers_beyond_the_wire_are_refused() {
    let mut r = data();
    assert!(r.is_new(NUMBER_MAX) && !r.is_new(NUMBER_MAX + 1) && !r.is_new(u64::MAX));
    r.insert(u64::MAX, ms(0), true);
    assert_eq!(r.largest(), None);
    r.insert(NUMBER_MAX, ms(0), true);
    assert_eq!(r.largest(), Some(NUMBER_MAX));
}

/// As a sender asks for it: an ACK for each 10th packet, after 8 ms at the latest, gaps when they are 3 numbers old.
fn rare() -> Received {
    let mut r = data();
    r.set_frequency(AckFrequency {
        packets: 10,
        delay: Duration::from_millis(8),
        reordering: 3,
    });
    r
}

/// draft-ietf-quic-ack-frequency §6: by count or by time, whichever comes first.
#[test]
fn acknowledgements_are_as_rare_as_asked() {
    let mut r = rare();
    for n in 0..9 {
        r.insert(n, ms(n / 2), true);
        assert!(!r.ack_due(ms(n / 2)), "{n}");
    }
    assert_eq!(r.ack_deadline(), Some(ms(8)));
    r.insert(9, ms(5), true);
    assert!(r.ack_due(ms(5)));
    r.on_ack_sent();
    r.insert(10, ms(6), true);
    assert!(!r.ack_due(ms(13)) && r.ack_due(ms(14)));
}

/// draft-ietf-quic-ack-frequency §6.2.1: its example, with a threshold of 3. (The draft's table acknowledges with 5, 9 and 11.)
#[test]
fn missing_numbers_are_told_of_at_the_threshold() {
    let mut r = rare();
    r.insert(0, ms(0), true);
    r.on_ack_sent();
    let mut told = Vec::new();
    for n in [1, 3, 4, 5, 8, 9, 10] {
        r.insert(n, ms(1), true);
        if r.ack_due(ms(1)) {
            told.push(n);
            r.on_ack_sent();
        }
    }
    // 2 is missing, 3 below 5; then 6, 3 below 9; then 7, 3 below 10.
    assert_eq!(told, [5, 9, 10]);
}

/// A packet that fills a gap before the threshold is no news.
#[test]
fn reordering_below_the_threshold_is_no_news() {
    let mut r = rare();
    for n in [0, 2, 3, 1, 6, 5, 4] {
        r.insert(n, ms(0), true);
        assert!(!r.ack_due(ms(0)), "{n}");
    }
}

/// The packet that arrives may itself be what was missing.
#[test]
fn a_straggler_is_not_missing() {
    let mut r = rare();
    for n in [0, 2, 3] {
        r.insert(n, ms(0), true);
    }
    r.insert(1, ms(0), true);
    assert!(!r.ack_due(ms(0)));
    // With 4, 1 would be 3 below.
    r.insert(4, ms(0), true);
    assert!(!r.ack_due(ms(0)));
}

/// draft-ietf-quic-ack-frequency §4: 0 asks for no word of missing packets.
#[test]
fn word_of_missing_packets_can_be_waived() {
    let mut r = rare();
    r.set_frequency(AckFrequency {
        packets: 100,
        delay: Duration::from_millis(8),
        reordering: 0,
    });
    for n in (0..160).step_by(2) {
        r.insert(n, ms(0), true);
        assert!(!r.ack_due(ms(0)));
    }
    assert!(r.ack_due(ms(8)));
}

/// One packet an acknowledgement, and none: each packet is answered.
#[test]
fn an_acknowledgement_for_every_packet() {
    for packets in [0, 1] {
        let mut r = data();
        r.set_frequency(AckFrequency {
            packets,
            ..AckFrequency::default()
        });
        r.insert(0, ms(0), true);
        assert!(r.ack_due(ms(0)));
    }
}

mod rare_model {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    proptest! {
        /// Against the draft's definitions, word by word (§6.2), over sets of numbers.
        #[test]
        fn word_of_missing_packets_is_that_of_the_draft(
            distance in 2..8_u64,
            steps in prop::collection::vec((0..4_u64, 0..12_u64), 1..120),
        ) {
            let mut r = data();
            let frequency = AckFrequency { packets: 1_000, reordering: distance, ..AckFrequency::default() };
            r.set_frequency(frequency);
            let mut came = BTreeSet::new();
            let mut acked = None;
            for (ahead, back) in steps {
                let top = came.last().map_or(0, |n| n + 1);
                let number = (top + ahead).saturating_sub(back);
                if !came.insert(number) {
                    continue;
                }
                r.insert(number, ms(0), true);
                let largest_unacked = *came.last().unwrap();
                let largest_reported: u64 = acked.map_or(0, |n: u64| (n + 1).saturating_sub(distance));
                let missing = (largest_reported..largest_unacked).find(|n| !came.contains(n));
                let due = missing.is_some_and(|n| largest_unacked - n >= distance);
                prop_assert_eq!(r.ack_due(ms(0)), due, "{} of {:?}", number, came);
                if due {
                    r.on_ack_sent();
                    acked = Some(largest_unacked);
                }
            }
        }
    }
}

mod run {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;

    proptest! {
        /// What comes of packets taken in as a run comes of them one by one, to the last field.
        #[test]
        fn a_run_is_its_packets(
            reordering in 0..5_u64,
            packets in 1..30_u64,
            steps in prop::collection::vec((0..4_u64, 0..12_u64, 0..20_u64, 0..4_u8, any::<bool>()), 1..60),
        ) {
            let mut both = [data(), data()];
            let frequency = AckFrequency { packets, reordering, ..AckFrequency::default() };
            both.iter_mut().for_each(|r| r.set_frequency(frequency));
            let mut now = 0;
            for (ahead, back, count, ecn, answers) in steps {
                now += 1;
                let ecn = [Ecn::NotEct, Ecn::Ect1, Ecn::Ect0, Ecn::Ce][usize::from(ecn)];
                let [one, run] = &mut both;
                let number = (one.largest().map_or(0, |n| n + 1) + ahead).saturating_sub(back);
                for received in [&mut *one, run] {
                    received.insert(number, ms(now), count % 2 == 0);
                }
                let first = one.largest().unwrap() + 1;
                for number in first..first + count {
                    one.insert(number, ms(now + 1), true);
                    one.count_ecn(ecn, 1);
                    prop_assert!(run.is_next(number) && !run.is_next(number + 1));
                    run.insert_next();
                }
                run.on_run(count, ms(now + 1), ecn);
                prop_assert_eq!(format!("{one:?}"), format!("{run:?}"));
                if answers {
                    one.on_ack_sent();
                    run.on_ack_sent();
                }
            }
        }
    }
}
