//! Frames of one packet that is being built, and the record of what it holds.

use alloc::vec::Vec;

use super::mtu::ProbeId;
use crate::crypto::Level;
use crate::recovery::Received;
use crate::slab::Key;
use crate::transfer::Item;
use crate::wire::{Frame, write_ack_ecn};

/// Frames that a packet holds at most, padding apart (T10).
pub(crate) const MAX_FRAMES: usize = 64;

/// What a sent packet carried, for the day that it is acknowledged or lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SentFrame {
    /// Acknowledged, the receiver need not be told again of what is at or below `largest`.
    Ack {
        level: Level,
        largest: u64,
    },
    Ping,
    /// PING in a probe of the path's MTU.
    MtuProbe(ProbeId),
    Crypto {
        level: Level,
        offset: u32,
        len: u16,
    },
    HandshakeDone,
    /// PATH_CHALLENGE and PATH_RESPONSE, which are never sent again.
    Path,
    /// NEW_CONNECTION_ID.
    NewId {
        sequence: u16,
    },
    /// RETIRE_CONNECTION_ID.
    RetireId {
        sequence: u64,
    },
    /// ACK_FREQUENCY.
    AckFrequency {
        sequence: u64,
    },
    /// RATE_LIMIT.
    RateLimit {
        sequence: u64,
    },
    Transfer {
        key: Key,
        item: Item,
    },
}

/// Fills a packet's payload with frames.
#[derive(Debug)]
pub(crate) struct PacketWriter<'a> {
    payload: &'a mut [u8],
    len: usize,
    sent: &'a mut Vec<SentFrame>,
}

impl<'a> PacketWriter<'a> {
    /// Writes into `payload`; what is written is remembered in `sent`, which is emptied first.
    pub(crate) fn new(payload: &'a mut [u8], sent: &'a mut Vec<SentFrame>) -> Self {
        sent.clear();
        Self {
            payload,
            len: 0,
            sent,
        }
    }

    /// Bytes left for a frame; 0 when the packet holds as many frames as it may.
    pub(crate) fn room(&self) -> usize {
        if self.sent.len() >= MAX_FRAMES {
            0
        } else {
            self.payload.len() - self.len
        }
    }

    /// Bytes written.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds the frame; false when it does not fit, and then nothing has changed.
    #[must_use]
    pub(crate) fn put(&mut self, frame: &Frame<'_>, sent: SentFrame) -> bool {
        let written = self.free().and_then(|free| frame.encode(free));
        self.commit(written, Some(sent))
    }

    /// Adds an ACK frame of what was received, `largest` being the highest number.
    #[must_use]
    pub(crate) fn put_ack(
        &mut self,
        level: Level,
        delay_micros: u64,
        largest: u64,
        received: &Received,
    ) -> bool {
        let (ranges, ecn) = (received.ranges_desc(), received.ecn_counts());
        let written = self
            .free()
            .and_then(|free| write_ack_ecn(free, delay_micros, ranges, ecn));
        self.commit(written, Some(SentFrame::Ack { level, largest }))
    }

    /// Adds a frame that is never sent again.
    #[must_use]
    pub(crate) fn put_once(&mut self, frame: &Frame<'_>) -> bool {
        let written = self.free().and_then(|free| frame.encode(free));
        self.commit(written, None)
    }

    fn free(&mut self) -> Option<&mut [u8]> {
        if self.room() == 0 {
            None
        } else {
            self.payload.get_mut(self.len..)
        }
    }

    fn commit(&mut self, written: Option<usize>, sent: Option<SentFrame>) -> bool {
        let Some(written) = written else { return false };
        self.len += written;
        self.sent.extend(sent);
        true
    }
}
