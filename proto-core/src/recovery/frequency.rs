//! How often a receiver acknowledges: after the idea of draft-ietf-quic-ack-frequency, with a frame of our own
//! (`docs/PROTOCOL.md` §6.15).
//!
//! Only the sender knows its congestion window. It asks for acknowledgements as rare as the window allows; until it asks, the
//! rules of RFC 9000 §13.2 hold.

use super::{MAX_ACK_DELAY, Recovery};
use crate::time::Duration;

/// Packets that must be acknowledged before fewer acknowledgements are asked for: a window of that size has passed slow start's
/// first rounds, in which each acknowledgement counts.
const PACKETS_BEFORE: u64 = 100;

/// Acknowledgements that a window has at least.
const PER_WINDOW: u64 = 8;

/// Packets that one acknowledgement is for at most.
const PACKETS_MAX: u64 = 64;

/// A receiver is not asked to be quicker: its timer costs it a wake-up.
const DELAY_MIN: Duration = Duration::from_millis(5);

/// When a receiver acknowledges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AckFrequency {
    /// At the latest with so many ack-eliciting packets.
    pub packets: u64,
    /// At the latest so long after an ack-eliciting packet.
    pub delay: Duration,
    /// At once when a missing packet that was not told of is so many numbers below the largest. 1: at once whenever packets come
    /// out of order, old news or not (RFC 9000 §13.2.1).
    pub reordering: u64,
}

impl Default for AckFrequency {
    /// RFC 9000 §13.2.1 and §13.2.2.
    fn default() -> Self {
        Self {
            packets: 2,
            delay: MAX_ACK_DELAY,
            reordering: 1,
        }
    }
}

impl AckFrequency {
    /// Whether it is worth a frame to ask for `self` where `told` holds.
    #[must_use]
    pub fn is_news(&self, told: &Self) -> bool {
        let far = |a: u64, b: u64| a >= b.saturating_mul(2) || b >= a.saturating_mul(2);
        let micros = |of: &Self| u64::try_from(of.delay.as_micros()).unwrap_or(u64::MAX);
        let packets = far(self.packets, told.packets);
        let rest = self.reordering != told.reordering || far(micros(self), micros(told));
        packets || (self.packets > 2 && rest)
    }
}

impl<F: Copy> Recovery<F> {
    /// What the peer should be asked for: at least 8 acknowledgements a window, each for 64 packets at most, none later than an
    /// eighth of a round trip, and word of a missing packet as soon as it counts as lost. The window is the controller's or
    /// `most_in_flight`, in bytes, if less may be in flight for another reason.
    #[must_use]
    pub fn ack_frequency(&self, most_in_flight: u64) -> AckFrequency {
        if self.counters.acked_packets < PACKETS_BEFORE {
            return AckFrequency::default();
        }
        let window = self.control.window().min(most_in_flight) / u64::from(self.datagram_size);
        AckFrequency {
            packets: (window / PER_WINDOW).clamp(2, PACKETS_MAX),
            delay: (self.rtt.smoothed() / 8).max(DELAY_MIN),
            reordering: self.reordering.packets(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_changes_are_no_news() {
        let told = AckFrequency {
            packets: 16,
            delay: Duration::from_millis(12),
            reordering: 3,
        };
        let with = |packets, millis, reordering| AckFrequency {
            packets,
            delay: Duration::from_millis(millis),
            reordering,
        };
        assert!(!with(17, 13, 3).is_news(&told));
        assert!(!with(31, 23, 3).is_news(&told) && !with(9, 7, 3).is_news(&told));
        assert!(with(32, 12, 3).is_news(&told) && with(8, 12, 3).is_news(&told));
        assert!(with(16, 24, 3).is_news(&told) && with(16, 6, 3).is_news(&told));
        assert!(with(16, 12, 4).is_news(&told));
        // Who acknowledges each second packet anyway need not be told how to delay that.
        let default = AckFrequency::default();
        assert!(!with(2, 5, 3).is_news(&default) && with(2, 12, 3).is_news(&told));
    }
}
