//! Congestion control: how much may be in flight, and how fast it is sent.
//!
//! [`Recovery`](crate::recovery::Recovery) tells a [`Controller`] what was sent, acknowledged and lost. It also keeps
//! the rule that is the same for all controllers: losses of packets that were sent before the last cut belong to the same
//! congestion event (RFC 9002 §7.3.2), so that there is one cut per round trip.

mod cubic;
mod pacer;

use alloc::boxed::Box;
use core::fmt;

pub use cubic::Cubic;
pub use pacer::Pacer;

use crate::config::CongestionControl;
use crate::recovery::Rtt;
use crate::time::Instant;

/// Windows and rates stay below this many bytes (per second), so that arithmetic on them cannot overflow.
pub const BYTES_MAX: u64 = 1 << 40;

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
    /// Bytes in flight when the frame came.
    pub prior_in_flight: u64,
    /// Bytes in flight now.
    pub in_flight: u64,
    /// The sender had nothing more to send, although it might have (RFC 9002 §7.8).
    pub app_limited: bool,
    /// The path's round-trip time, with this frame's sample.
    pub rtt: &'a Rtt,
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

/// A congestion control algorithm. Deterministic: the same calls give the same window on every platform.
pub trait Controller: Send + fmt::Debug {
    /// A packet goes out; `in_flight` counts the bytes before it.
    fn on_sent(&mut self, now: Instant, bytes: u64, in_flight: u64);

    /// Packets were newly acknowledged.
    fn on_ack(&mut self, acked: &Acked<'_>);

    /// Packets in flight were lost.
    fn on_loss_event(&mut self, lost: &Lost);

    /// All packets of the last congestion event have arrived after all: its cut is undone.
    fn on_spurious_loss(&mut self, _now: Instant) {}

    /// The UDP payload of full datagrams changed.
    fn set_datagram_size(&mut self, bytes: u16);

    /// Bytes that may be in flight: never below two full datagrams.
    fn window(&self) -> u64;

    /// Bytes per second to send at, at least 1 and at most [`BYTES_MAX`].
    fn pacing_rate(&self, rtt: &Rtt) -> u64;

    /// For people: `cubic`.
    fn name(&self) -> &'static str;
}

/// The controller of that name, at its initial window.
#[must_use]
pub fn controller(control: CongestionControl, datagram_size: u16) -> Box<dyn Controller> {
    match control {
        CongestionControl::Cubic => Box::new(Cubic::new(datagram_size)),
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
