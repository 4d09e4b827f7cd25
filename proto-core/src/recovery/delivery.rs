//! Delivery rate samples (draft-ietf-ccwg-bbr §4.1): how fast the path delivered what was in flight.
//!
//! Each packet remembers how much had been delivered, and when, at the time it was sent. When it is acknowledged, what was
//! delivered since then over the time that took is a sample: the slower of the rates of sending and of acknowledging.

use crate::congestion::RateSample;
use crate::time::{Duration, Instant};

use super::space::Packet;

/// Ages are kept in units of 2^6 ns: a `u32` of them is 4.5 minutes, and the error at 20 µs is 0.3 %.
const AGE_SHIFT: u32 = 6;

/// The longest age, when an older one is meant.
const AGE_MAX: u64 = u32::MAX as u64;

/// What a packet remembers of the time it was sent (draft-ietf-ccwg-bbr §4.1.2.1.2).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Snapshot {
    /// P.delivered.
    pub(super) delivered: u64,
    /// P.send_time - P.delivered_time.
    delivered_age: u32,
    /// P.send_time - P.first_send_time.
    first_sent_age: u32,
    /// P.lost, modulo 2^32.
    lost: u32,
    /// P.tx_in_flight: with the packet itself.
    in_flight: u32,
}

impl Snapshot {
    /// That of a packet that leaves at the same time, with so many bytes more in flight.
    pub(super) fn with_more(self, bytes: u64) -> Self {
        let in_flight = self.in_flight() + bytes;
        Self {
            in_flight: u32::try_from(in_flight).unwrap_or(u32::MAX),
            ..self
        }
    }

    /// Bytes in flight once the packet was sent.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.into()
    }
}

/// The newest packet that an ACK frame newly acknowledged.
#[derive(Clone, Copy, Debug)]
struct Newest {
    number: u64,
    sent: Instant,
    snapshot: Snapshot,
    app_limited: bool,
}

/// A path's deliveries (draft-ietf-ccwg-bbr §4.1.2.1.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery {
    /// C.delivered.
    delivered: u64,
    /// C.delivered_time.
    delivered_time: Instant,
    /// C.first_send_time.
    first_sent: Instant,
    /// C.lost.
    lost: u64,
    /// C.app_limited: what will be delivered when the last packet of a pause is; 0 for none.
    app_limited: u64,
    newest: Option<Newest>,
}

impl Delivery {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            delivered: 0,
            delivered_time: now,
            first_sent: now,
            lost: 0,
            app_limited: 0,
            newest: None,
        }
    }

    /// Bytes delivered so far.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Whether samples of packets that are sent now tell of the application and not of the path.
    pub(super) fn is_app_limited(&self) -> bool {
        self.app_limited != 0
    }

    /// Bytes that had been declared lost have arrived. They make no sample: when they came is not known.
    pub(super) fn on_late(&mut self, bytes: u64) {
        self.delivered += bytes;
    }

    /// Bytes lost since a packet was sent.
    pub(super) fn lost_since(&self, packet: &Snapshot) -> u64 {
        (self.lost as u32).wrapping_sub(packet.lost).into()
    }

    /// OnPacketSent of §4.1.2.2; `in_flight` counts the bytes before the packet.
    pub(super) fn on_sent(&mut self, now: Instant, bytes: u64, in_flight: u64) -> Snapshot {
        if in_flight == 0 {
            self.first_sent = now;
            self.delivered_time = now;
        }
        Snapshot {
            delivered: self.delivered,
            delivered_age: age(now, self.delivered_time),
            first_sent_age: age(now, self.first_sent),
            lost: self.lost as u32,
            in_flight: u32::try_from(in_flight + bytes).unwrap_or(u32::MAX),
        }
    }

    /// UpdateRateSample of §4.1.2.3, for packets that were sent one after the other.
    pub(super) fn on_acked(&mut self, now: Instant, packets: &[Packet]) {
        let in_flight = || packets.iter().filter(|packet| packet.in_flight);
        let Some(packet) = in_flight().next_back() else {
            return;
        };
        let bytes = in_flight().map(|packet| u64::from(packet.bytes));
        self.delivered += bytes.sum::<u64>();
        self.delivered_time = now;
        let order = (packet.time, packet.number);
        if self.newest.is_none_or(|of| order > (of.sent, of.number)) {
            self.newest = Some(Newest {
                number: packet.number,
                sent: packet.time,
                snapshot: packet.snapshot,
                app_limited: packet.app_limited,
            });
            self.first_sent = packet.time;
        }
    }

    pub(super) fn on_lost(&mut self, bytes: u64) {
        self.lost += bytes;
    }

    /// MarkConnectionAppLimited of §4.1.2.4.
    pub(super) fn on_app_limited(&mut self, in_flight: u64) {
        self.app_limited = (self.delivered + in_flight).max(1);
    }

    /// GenerateRateSample of §4.1.2.3: what the packets acknowledged since the last call say. Packets that were lost must
    /// have been told of before.
    pub(super) fn sample(&mut self, min_rtt: Duration) -> Option<RateSample> {
        if self.delivered > self.app_limited {
            self.app_limited = 0;
        }
        let of = self.newest.take()?;
        let sending = span(of.snapshot.first_sent_age);
        let acknowledging = self.delivered_time.since(of.sent) + span(of.snapshot.delivered_age);
        let interval = sending.max(acknowledging);
        let delivered = self.delivered.saturating_sub(of.snapshot.delivered);
        let rate = match interval.as_nanos() {
            0 => 0,
            // Faster than the fastest packet: not reliable.
            _ if interval < min_rtt => 0,
            nanos => u128::from(delivered) * 1_000_000_000 / nanos,
        };
        Some(RateSample {
            rate: u64::try_from(rate).unwrap_or(u64::MAX),
            delivered,
            interval,
            prior_delivered: of.snapshot.delivered,
            app_limited: of.app_limited,
            tx_in_flight: of.snapshot.in_flight(),
            lost: self.lost_since(&of.snapshot),
        })
    }

    /// Everything happened `by` later.
    pub(super) fn on_leap(&mut self, by: Duration) {
        self.delivered_time += by;
        self.first_sent += by;
    }
}

fn age(now: Instant, earlier: Instant) -> u32 {
    let units = now.since(earlier).as_nanos() >> AGE_SHIFT;
    units.min(AGE_MAX.into()) as u32
}

fn span(age: u32) -> Duration {
    Duration::from_nanos(u64::from(age) << AGE_SHIFT)
}

#[cfg(test)]
mod tests;
