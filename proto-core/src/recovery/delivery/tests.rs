//! draft-ietf-ccwg-bbr §4.1, with packets of 1,000 bytes.

use core::slice;

use super::super::space::State;
use super::*;

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

struct Path {
    delivery: Delivery,
    next: u64,
    in_flight: u64,
}

impl Path {
    fn new() -> Self {
        Self {
            delivery: Delivery::new(at(0)),
            next: 0,
            in_flight: 0,
        }
    }

    fn send(&mut self, now: u64) -> Packet {
        let app_limited = self.delivery.is_app_limited();
        let snapshot = self.delivery.on_sent(at(now), 1_000, self.in_flight);
        self.in_flight += 1_000;
        self.next += 1;
        Packet::of(self.next - 1, at(now), 1_000, snapshot, app_limited)
    }

    fn ack(&mut self, now: u64, packets: &[Packet]) -> Option<RateSample> {
        for packet in packets {
            assert_eq!(packet.state, State::Outstanding);
            self.in_flight -= 1_000;
            self.delivery.on_acked(at(now), slice::from_ref(packet));
        }
        self.delivery.sample(ms(50))
    }
}

/// §4.1.1.2.4: the slower of sending and acknowledging, for the time since the packet was sent.
#[test]
fn the_slower_of_two_rates() {
    let mut path = Path::new();
    let first = path.send(0);
    let second = path.send(100);
    let third = path.send(110);
    // Sent over 110 ms, acknowledged within 60 ms of the first.
    assert_eq!(path.ack(100, &[first]).unwrap().rate, 1_000_000 / 100);
    let sample = path.ack(160, &[second, third]).unwrap();
    // From the first's sending to the third's is 110 ms; from the start of the flight to now 160.
    assert_eq!((sample.delivered, sample.interval), (3_000, ms(160)));
    assert_eq!(sample.rate, 3_000_000 / 160);
    assert_eq!((sample.prior_delivered, sample.tx_in_flight), (0, 3_000));
    // Of a packet sent after the acknowledgement of the first, the sample begins there.
    let fourth = path.send(170);
    let fifth = path.send(175);
    let sample = path.ack(300, &[fourth, fifth]).unwrap();
    assert_eq!((sample.prior_delivered, sample.delivered), (3_000, 2_000));
    // Nothing was in flight at 170: the flight starts anew.
    assert_eq!(sample.interval, ms(130));
}

/// §4.1.1.2.2: acknowledgements that come in a heap do not tell more than what was sent in the time.
#[test]
fn compressed_acknowledgements() {
    let mut path = Path::new();
    let packets: Vec<_> = (0..100).map(|n| path.send(n)).collect();
    for packet in &packets[..50] {
        path.ack(150, &[*packet]);
    }
    let late: Vec<_> = (0..50).map(|n| path.send(200 + n)).collect();
    path.ack(250, &packets[50..]);
    // 50 packets sent in 49 ms; they were acknowledged at once, but since the last acknowledgement 10 ms have passed.
    let sample = path.ack(260, &late).unwrap();
    assert_eq!(
        (sample.prior_delivered, sample.delivered),
        (50_000, 100_000)
    );
    // Sent: from packet 49 (at 49 ms) to the last (at 249 ms).
    assert_eq!(sample.interval, ms(200));
    assert_eq!(sample.rate, 500_000);
}

/// §4.1.2.3: the newest packet is the one that was sent last, whatever the order in the frame.
#[test]
fn the_newest_packet_counts() {
    let mut path = Path::new();
    let packets: Vec<_> = (0..4).map(|n| path.send(n)).collect();
    let sample = path
        .ack(100, &[packets[3], packets[0], packets[1]])
        .unwrap();
    assert_eq!(sample.tx_in_flight, 4_000);
    // One that comes late tells of its own time.
    let sample = path.ack(120, &[packets[2]]).unwrap();
    assert_eq!((sample.tx_in_flight, sample.delivered), (3_000, 4_000));
    assert_eq!(path.ack(130, &[]), None);
}

/// What comes of packets that were acknowledged together comes of them one by one.
#[test]
fn packets_that_were_sent_in_a_row_may_be_told_of_together() {
    let mut path = Path::new();
    let mut packets: Vec<_> = (0..9).map(|n| path.send(n / 2)).collect();
    packets[8].in_flight = false;
    packets[2].in_flight = false;
    let mut together = path.delivery;
    together.on_acked(at(100), &packets);
    for packet in packets.iter().filter(|packet| packet.in_flight) {
        path.delivery.on_acked(at(100), slice::from_ref(packet));
    }
    assert_eq!(format!("{together:?}"), format!("{:?}", path.delivery));
    assert_eq!(together.delivered(), 7_000);
    let before = format!("{together:?}");
    together.on_acked(at(200), &packets[8..]);
    assert_eq!(format!("{together:?}"), before);
}

/// §4.1.2.3: faster than the fastest round trip is not believed.
#[test]
fn intervals_below_the_least_round_trip_give_no_rate() {
    let mut path = Path::new();
    let packet = path.send(0);
    let sample = path.ack(49, &[packet]).unwrap();
    assert_eq!((sample.rate, sample.delivered), (0, 1_000));
}

/// §4.1.2.4: the bubble ends once what was in flight at its end is delivered.
#[test]
fn app_limited_until_the_bubble_is_gone() {
    let mut path = Path::new();
    let first = path.send(0);
    path.delivery.on_app_limited(path.in_flight);
    let second = path.send(10);
    assert!(!first.app_limited && second.app_limited);
    path.ack(100, &[first]);
    assert!(path.delivery.is_app_limited());
    let third = path.send(101);
    assert!(path.ack(110, &[second]).unwrap().app_limited);
    assert!(!path.delivery.is_app_limited());
    let fourth = path.send(111);
    assert!(path.ack(200, &[third]).unwrap().app_limited);
    assert!(!path.ack(211, &[fourth]).unwrap().app_limited);
    // With nothing in flight, too.
    path.delivery.on_app_limited(0);
    assert!(path.send(300).app_limited);
}

/// RS.lost: what was lost since the packet was sent.
#[test]
fn losses_since_a_packet() {
    let mut path = Path::new();
    path.delivery.lost = u64::from(u32::MAX) - 500;
    let first = path.send(0);
    path.delivery.on_lost(1_000);
    let second = path.send(1);
    path.delivery.on_lost(3_000);
    assert_eq!(path.delivery.lost_since(&first.snapshot), 4_000);
    assert_eq!(path.ack(100, &[second]).unwrap().lost, 3_000);
}

#[test]
fn a_leap_of_the_clock_makes_no_path_slow() {
    let mut path = Path::new();
    let mut first = path.send(0);
    path.delivery.on_leap(ms(3_600_000));
    first.time += ms(3_600_000);
    let sample = path.ack(3_600_100, &[first]).unwrap();
    assert_eq!(sample.interval, ms(100));
}

/// T12, and flights that last longer than an age can be.
#[test]
fn no_time_breaks_it() {
    let mut path = Path::new();
    let mut packets = vec![path.send(0), path.send(1)];
    packets.push(path.send(1_000_000));
    let sample = path.ack(1_000_001, &packets[2..]).unwrap();
    assert!(sample.interval >= ms(274_000));
    path.ack(0, &packets[..2]);
    let back = path.send(0);
    assert!(path.ack(0, &[back]).is_some());
}
