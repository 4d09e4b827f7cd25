//! Frames of one packet that is being built, and the record of what it holds.

use alloc::vec::Vec;

use crate::slab::Key;
use crate::transfer::Item;
use crate::wire::Frame;

/// What a sent packet carried, for the day that it is acknowledged or lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SentFrame {
    /// Acknowledged, the receiver need not be told again of what is at or below `largest`.
    Ack {
        largest: u64,
    },
    Ping,
    Crypto {
        offset: u32,
        len: u16,
    },
    HandshakeDone,
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

    /// Bytes left.
    pub(crate) fn room(&self) -> usize {
        self.payload.len() - self.len
    }

    /// Bytes written.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds the frame; false when it does not fit, and then nothing has changed.
    #[must_use]
    pub(crate) fn put(&mut self, frame: &Frame<'_>, sent: SentFrame) -> bool {
        match frame.encode(&mut self.payload[self.len..]) {
            Some(written) => {
                self.len += written;
                self.sent.push(sent);
                true
            }
            None => false,
        }
    }
}
