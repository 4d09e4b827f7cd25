//! Acknowledgements and losses for the tests of controllers.

use super::{Acked, Lost, RateSample};
use crate::recovery::Rtt;
use crate::time::{Duration, Instant};

/// 100 ms, measured.
pub(super) static RTT: Rtt = Rtt::measured(Duration::from_millis(100));

/// Milliseconds after the epoch.
pub(super) fn ms(n: u64) -> Instant {
    Instant::from_nanos(n * 1_000_000)
}

/// A rate sample of a packet before which `prior_delivered` bytes were delivered, when it is `delivered`.
pub(super) fn sample(prior_delivered: u64, delivered: u64) -> RateSample {
    RateSample {
        rate: 0,
        delivered: delivered.saturating_sub(prior_delivered),
        interval: Duration::from_millis(100),
        prior_delivered,
        app_limited: false,
        tx_in_flight: 0,
        lost: 0,
    }
}

/// An acknowledgement of `bytes`, of a packet before which `prior_delivered` were delivered, after which `delivered` are.
pub(super) fn ack(prior_delivered: u64, delivered: u64, bytes: u64) -> Acked<'static> {
    Acked {
        now: ms(0),
        sent: ms(0),
        bytes,
        newly_acked: bytes,
        newly_lost: 0,
        prior_in_flight: bytes,
        in_flight: 0,
        app_limited: false,
        delivered,
        rate: Some(sample(prior_delivered, delivered)),
        rtt_sample: None,
        rtt: &RTT,
    }
}

/// One lost datagram, a new congestion event.
pub(super) fn loss(now: Instant) -> Lost {
    Lost {
        now,
        sent: now,
        bytes: 1_000,
        in_flight: 0,
        new_event: true,
        persistent: false,
    }
}
