//! Congestion control: how much may be in flight, and how fast it is sent.
//!
//! [`Recovery`](crate::recovery::Recovery) tells a [`Controller`] what was sent, acknowledged and lost. It also keeps
//! the rule that is the same for all controllers: losses of packets that were sent before the last cut belong to the same
//! congestion event (RFC 9002 §7.3.2), so that there is one cut per round trip.

mod background;
mod bbr;
mod cubic;
mod fixed;
mod kind;
mod pacer;
mod round;
#[cfg(test)]
mod testing;

use alloc::boxed::Box;
use core::fmt;

pub use background::Background;
pub use bbr::Bbr;
pub use cubic::Cubic;
pub use fixed::Fixed;
pub use kind::{CongestionControl, CongestionControlError, parse_rate};
pub use pacer::Pacer;

use crate::recovery::Rtt;
use crate::time::{Duration, Instant};

/// Windows and rates stay below this many bytes (per second), so that arithmetic on them cannot overflow.
pub const BYTES_MAX: u64 = 1 << 40;

/// A packet that goes out, or several at the same time.
#[derive(Clone, Copy, Debug)]
pub struct SentPacket {
    /// When.
    pub now: Instant,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes in flight before them.
    pub in_flight: u64,
    /// Packets are sent as the application has something to say, and not as fast as they may be.
    pub app_limited: bool,
    /// Bytes that the path has delivered so far.
    pub delivered: u64,
}

/// How fast the path delivered (draft-ietf-ccwg-bbr §4.1.2.1.3), as told by the newest packet that an ACK frame newly
/// acknowledged: P.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateSample {
    /// RS.delivery_rate in bytes per second; 0 when the interval was too short to be believed.
    pub rate: u64,
    /// RS.delivered: bytes delivered since P was sent.
    pub delivered: u64,
    /// RS.interval: the time that they took.
    pub interval: Duration,
    /// RS.prior_delivered: bytes delivered before P was sent, since the path was taken.
    pub prior_delivered: u64,
    /// RS.is_app_limited: there was nothing more to send when P was sent, or the controller held back.
    pub app_limited: bool,
    /// RS.tx_in_flight: bytes in flight once P was sent.
    pub tx_in_flight: u64,
    /// RS.lost: bytes found lost since P was sent.
    pub lost: u64,
}

/// What one ACK frame newly acknowledged.
#[derive(Clone, Copy, Debug)]
pub struct Acked<'a> {
    /// When the frame came.
    pub now: Instant,
    /// When the newest of the acknowledged packets was sent.
    pub sent: Instant,
    /// Bytes acknowledged, without those of packets that were sent before the last cut: they earn no growth
    /// (RFC 9002 §7.3.2). May be 0.
    pub bytes: u64,
    /// All bytes acknowledged.
    pub newly_acked: u64,
    /// Bytes found lost in the light of the frame. [`Controller::on_packet_lost`] was told of each.
    pub newly_lost: u64,
    /// Bytes in flight when the frame came.
    pub prior_in_flight: u64,
    /// Bytes in flight now.
    pub in_flight: u64,
    /// The sender had nothing more to send, although it might have (RFC 9002 §7.8).
    pub app_limited: bool,
    /// Bytes that the path has delivered so far, these included.
    pub delivered: u64,
    /// How fast; none when only packets outside of the congestion accounts were acknowledged.
    pub rate: Option<RateSample>,
    /// The round trip of the newest packet, when the frame was the first to tell of it.
    pub rtt_sample: Option<Duration>,
    /// The path's round-trip time, with this frame's sample.
    pub rtt: &'a Rtt,
}

/// A packet that was found lost. Those of one detection come in the order of their numbers, and then [`Lost`].
#[derive(Clone, Copy, Debug)]
pub struct LostPacket {
    /// When it was found.
    pub now: Instant,
    /// The packet's number, to tell gaps from each other.
    pub number: u64,
    /// When it was sent.
    pub sent: Instant,
    /// Its bytes.
    pub bytes: u64,
    /// Bytes in flight once it was sent.
    pub tx_in_flight: u64,
    /// Bytes found lost since it was sent, its own included.
    pub lost: u64,
    /// There was nothing more to send when it was sent, or the controller held back.
    pub app_limited: bool,
    /// Bytes that the path has delivered so far.
    pub delivered: u64,
    /// Bytes that are still in flight.
    pub in_flight: u64,
}

/// What one detection found lost.
#[derive(Clone, Copy, Debug)]
pub struct Lost {
    /// When it was found.
    pub now: Instant,
    /// When the newest of the lost packets was sent.
    pub sent: Instant,
    /// Bytes lost.
    pub bytes: u64,
    /// Bytes that are still in flight.
    pub in_flight: u64,
    /// A new congestion event: the newest lost packet was sent after the last cut.
    pub new_event: bool,
    /// The path was dead for three probe time-outs (RFC 9002 §7.6).
    pub persistent: bool,
}

/// An ACK frame counted more packets that a router had marked (ECN-CE, RFC 9002 §7.1).
#[derive(Clone, Copy, Debug)]
pub struct Marked {
    /// When the frame came.
    pub now: Instant,
    /// When the newest packet that it acknowledged was sent.
    pub sent: Instant,
    /// Packets marked, beyond those of earlier frames.
    pub packets: u64,
    /// Bytes in flight.
    pub in_flight: u64,
    /// A new congestion event: that packet was sent after the last cut.
    pub new_event: bool,
}

/// A congestion control algorithm. Deterministic: the same calls give the same window on every platform.
pub trait Controller: Send + fmt::Debug {
    /// A packet goes out, or several at the same time: their number must not matter.
    fn on_sent(&mut self, sent: &SentPacket);

    /// Packets were newly acknowledged. What was found lost in the light of the same frame was told before.
    fn on_ack(&mut self, acked: &Acked<'_>);

    /// A packet in flight was lost.
    fn on_packet_lost(&mut self, _lost: &LostPacket) {}

    /// Packets in flight were lost.
    fn on_loss_event(&mut self, lost: &Lost);

    /// Routers marked packets instead of dropping them.
    fn on_ecn_ce(&mut self, marked: &Marked);

    /// All packets of the last congestion event have arrived after all: nothing was lost, and what the event cost is
    /// given back as far as it is known.
    fn on_spurious_loss(&mut self, _now: Instant) {}

    /// The clock went on by `by` while nobody was there: everything happened so much later.
    fn on_leap(&mut self, _by: Duration) {}

    /// The UDP payload of full datagrams changed.
    fn set_datagram_size(&mut self, bytes: u16);

    /// Bytes that may be in flight: never below two full datagrams.
    fn window(&self) -> u64;

    /// Bytes per second to send at, at least 1 and at most [`BYTES_MAX`].
    fn pacing_rate(&self, rtt: &Rtt) -> u64;

    /// Bytes that may leave at once at that pacing rate, and after a pause.
    fn send_quantum(&self, pacing_rate: u64) -> u64;

    /// Less than the path could carry is sent on purpose: rate samples of these packets count as application-limited.
    fn is_holding_back(&self) -> bool {
        false
    }

    /// For people: `cubic`.
    fn name(&self) -> &'static str;
}

/// The controller of that kind, at its initial window.
#[must_use]
pub fn controller(control: CongestionControl, datagram_size: u16) -> Box<dyn Controller> {
    match control {
        CongestionControl::Bbr => Box::new(Bbr::new(datagram_size)),
        CongestionControl::Background => Box::new(Background::new(datagram_size)),
        CongestionControl::Cubic => Box::new(Cubic::new(datagram_size)),
        CongestionControl::Fixed(rate) => Box::new(Fixed::new(rate, datagram_size)),
    }
}

/// RFC 9002 §7.2: ten datagrams, at most 14,720 bytes, at least two datagrams.
fn initial_window(datagram: u64) -> u64 {
    (10 * datagram).min(14_720.max(2 * datagram))
}

/// RFC 9002 §7.2: two datagrams.
fn minimum_window(datagram: u64) -> u64 {
    2 * datagram
}

/// RFC 9002 §7.7: somewhat more than a window per round trip, in bytes per second.
fn window_rate(window: u64, rtt: &Rtt) -> u64 {
    let round = rtt.smoothed().as_nanos().max(1);
    let rate = u128::from(window) * 1_250_000_000 / round;
    u64::try_from(rate).unwrap_or(BYTES_MAX).clamp(1, BYTES_MAX)
}

/// RFC 9002 §7.7: ten datagrams, or what 1 ms is worth.
fn window_quantum(pacing_rate: u64, datagram: u64) -> u64 {
    (pacing_rate / 1_000).max(10 * datagram)
}
