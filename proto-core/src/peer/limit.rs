//! What either end lets be sent (`docs/PROTOCOL.md` §6.19).

use super::{PacketWriter, Peer, SentFrame};
use crate::time::Instant;
use crate::wire::Frame;

/// The least limit, bytes a second: a session must be able to say what keeps it alive.
const LEAST: u64 = 1_000;

/// Bytes of UDP payload a second, in each direction; `None` for as fast as the path allows. Less than 1,000 count as 1,000.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RateLimits {
    /// What this end sends.
    pub send: Option<u64>,
    /// What this end wants to be sent: the peer is told, and keeps to it.
    pub receive: Option<u64>,
}

/// What each end has asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limit {
    own: RateLimits,
    /// What the peer wants to be sent.
    peer: Option<u64>,
    /// Of the last frame; they count from 1.
    sequence: u64,
    /// The frame is to be sent.
    due: bool,
    /// The number that the peer's next frame has at least.
    expected: u64,
}

impl Limit {
    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    /// The packet with the frame of that number was lost.
    pub(super) fn on_lost(&mut self, sequence: u64) {
        self.due |= sequence == self.sequence;
    }

    fn least(&self) -> Option<u64> {
        let both = [self.own.send, self.peer];
        both.into_iter().flatten().min().map(|rate| rate.max(LEAST))
    }
}

impl Peer {
    /// Other limits hold from now on.
    pub(crate) fn set_limits(&mut self, now: Instant, limits: RateLimits) {
        if limits.receive != self.limit.own.receive {
            self.limit.sequence += 1;
            self.limit.due = true;
        }
        self.limit.own = limits;
        self.recovery.set_rate_limit(now, self.limit.least());
    }

    pub(super) fn write_rate_limit(&mut self, writer: &mut PacketWriter<'_>) {
        let sequence = self.limit.sequence;
        let rate = self.limit.own.receive.map_or(0, |rate| rate.max(LEAST));
        let frame = Frame::RateLimit { sequence, rate };
        self.limit.due &= !writer.put(&frame, SentFrame::RateLimit { sequence });
    }

    /// The peer asks. A frame that a later one has overtaken changes nothing.
    pub(super) fn on_rate_limit(&mut self, now: Instant, sequence: u64, rate: u64) {
        if sequence < self.limit.expected {
            return;
        }
        self.limit.expected = sequence.saturating_add(1);
        self.limit.peer = (rate > 0).then_some(rate);
        self.recovery.set_rate_limit(now, self.limit.least());
    }
}
