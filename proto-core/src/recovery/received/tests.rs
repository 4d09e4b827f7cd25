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

/// The delay counts from the arrival of the largest number, whatever came after it.
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

/// R2.
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

/// T6.
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
