//! Asking the peer for fewer acknowledgements, and doing what it asks (`docs/PROTOCOL.md` §6.15).

use super::{PacketWriter, Peer, SentFrame};
use crate::crypto::Level;
use crate::recovery::AckFrequency;
use crate::time::{Duration, Instant};
use crate::wire::Frame;

/// The longest delay that a peer is taken at its word for (P6.22).
const DELAY_MAX: Duration = Duration::from_secs(1);

/// What each end has asked of the other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frequency {
    /// What holds once the peer has the last frame.
    told: AckFrequency,
    /// Of the last frame; they count from 0.
    sequence: u64,
    /// The frame is to be sent.
    due: bool,
    told_at: Instant,
    /// The number that the peer's next frame has at least.
    expected: u64,
}

impl Frequency {
    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    /// The packet with the frame of that number was lost.
    pub(super) fn on_lost(&mut self, sequence: u64) {
        self.due |= sequence == self.sequence;
    }
}

impl Peer {
    /// The window may have changed: asks for another frequency, at most once a round trip.
    pub(super) fn adapt_ack_frequency(&mut self, now: Instant) {
        let wanted = self.recovery.ack_frequency(self.most_in_flight());
        let of = &mut self.frequency;
        let recent = now.since(of.told_at) < self.recovery.rtt().smoothed();
        if recent || of.due || !wanted.is_news(&of.told) {
            return;
        }
        *of = Frequency {
            told: wanted,
            sequence: of.sequence + 1,
            due: true,
            told_at: now,
            expected: of.expected,
        };
        // Until the peer has the frame, it keeps to what it promised before.
        let longest = wanted.delay.max(self.peer_ack_delay);
        self.recovery.set_max_ack_delay(longest);
    }

    pub(super) fn write_ack_frequency(&mut self, writer: &mut PacketWriter<'_>) {
        let of = &mut self.frequency;
        let frame = Frame::AckFrequency {
            sequence: of.sequence,
            packets: of.told.packets,
            delay: of.told.delay.as_micros() as u64,
            reordering: of.told.reordering,
        };
        let sent = SentFrame::AckFrequency {
            sequence: of.sequence,
        };
        of.due &= !writer.put(&frame, sent);
    }

    /// The peer asks. A frame that a later one has overtaken changes nothing.
    pub(super) fn on_ack_frequency(&mut self, sequence: u64, asked: AckFrequency) {
        if sequence < self.frequency.expected {
            return;
        }
        self.frequency.expected = sequence + 1;
        let delay = asked.delay.clamp(Duration::from_millis(1), DELAY_MAX);
        let space = &mut self.spaces[Level::Data as usize];
        space
            .received
            .set_frequency(AckFrequency { delay, ..asked });
    }
}
