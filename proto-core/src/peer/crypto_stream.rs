//! Handshake bytes of one level: a small reliable stream each way.

use alloc::vec::Vec;

use crate::range_set::RangeSet;
use crate::wire::CloseCode;

/// Gaps that may be open among received handshake bytes (H6).
pub(super) const MAX_GAPS: usize = 8;

/// Handshake bytes to send. All are kept until the level's keys are discarded; a handshake flight is a few KiB.
#[derive(Debug, Default)]
pub(crate) struct CryptoSend {
    bytes: Vec<u8>,
    /// What is not in flight and not acknowledged.
    pending: RangeSet,
    acked: RangeSet,
}

impl CryptoSend {
    /// Adds bytes at the end.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let start = self.bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        self.pending.insert(start..self.bytes.len() as u64);
    }

    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The first pending bytes and their offset.
    pub(crate) fn peek(&self) -> Option<(u64, &[u8])> {
        let range = self.pending.first()?;
        let bytes = self.bytes.get(range.start as usize..range.end as usize)?;
        Some((range.start, bytes))
    }

    /// `len` bytes at `offset` went into a packet.
    pub(crate) fn on_sent(&mut self, offset: u64, len: u64) {
        self.pending.remove(offset..offset + len);
    }

    pub(crate) fn on_acked(&mut self, offset: u64, len: u64) {
        self.pending.remove(offset..offset + len);
        self.acked.insert(offset..offset + len);
    }

    /// The packet that held them was lost.
    pub(crate) fn on_lost(&mut self, offset: u64, len: u64) {
        self.pending.insert(offset..offset + len);
        for done in self.acked.iter() {
            self.pending.remove(done);
        }
    }

    /// The bytes that are neither to be sent nor acknowledged: they must be in flight.
    pub(crate) fn sent(&self) -> RangeSet {
        let mut sent = RangeSet::new();
        sent.insert(0..self.bytes.len() as u64);
        for range in self.pending.iter().chain(self.acked.iter()) {
            sent.remove(range);
        }
        sent
    }

    /// Sends again whatever is not acknowledged: a probe of a handshake carries its data (RFC 9002 §6.2.4).
    pub(crate) fn resend_all(&mut self) {
        self.on_lost(0, self.bytes.len() as u64);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Handshake bytes received, put in order.
#[derive(Debug, Default)]
pub(crate) struct CryptoReceive {
    /// Bytes from `read` on; holes are zeros.
    bytes: Vec<u8>,
    received: RangeSet,
    /// Offset of the first byte that was not handed on.
    read: u64,
}

impl CryptoReceive {
    /// Takes the frame's bytes.
    ///
    /// # Errors
    /// [`CloseCode::CryptoBufferExceeded`] beyond `limit` bytes ahead or too many gaps (H6).
    pub(crate) fn insert(&mut self, offset: u64, data: &[u8], limit: u32) -> Result<(), CloseCode> {
        let end = offset.saturating_add(data.len() as u64);
        if end > self.read.saturating_add(u64::from(limit)) {
            return Err(CloseCode::CryptoBufferExceeded);
        }
        if end <= self.read {
            return Ok(());
        }
        let skip = self.read.saturating_sub(offset);
        let data = &data[skip as usize..];
        let start = (offset + skip - self.read) as usize;
        if self.bytes.len() < start + data.len() {
            self.bytes.resize(start + data.len(), 0);
        }
        self.bytes[start..start + data.len()].copy_from_slice(data);
        self.received.insert(offset + skip..end);
        if self.received.len() > MAX_GAPS {
            Err(CloseCode::CryptoBufferExceeded)
        } else {
            Ok(())
        }
    }

    /// Whether all these bytes came before.
    pub(crate) fn is_known(&self, offset: u64, len: usize) -> bool {
        offset
            .checked_add(len as u64)
            .is_some_and(|end| end <= self.read || self.received.covers(offset.max(self.read)..end))
    }

    /// Bytes that are held, and ranges that they make.
    pub(crate) fn held(&self) -> (usize, usize) {
        (self.bytes.len(), self.received.len())
    }

    /// Takes the bytes that are in order.
    pub(crate) fn take(&mut self) -> Option<Vec<u8>> {
        let ready = self
            .received
            .first()
            .filter(|range| range.start == self.read)?;
        self.received.pop_first();
        let rest = self.bytes.split_off((ready.end - self.read) as usize);
        self.read = ready.end;
        Some(core::mem::replace(&mut self.bytes, rest))
    }

    pub(crate) fn clear(&mut self) {
        self.bytes = Vec::new();
        self.received = RangeSet::default();
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_in_order_whatever_the_order_of_arrival() {
        let mut stream = CryptoReceive::default();
        stream.insert(4, b"EFGH", 100).unwrap();
        assert_eq!(stream.take(), None);
        stream.insert(0, b"ABCDE", 100).unwrap();
        assert_eq!(stream.take().unwrap(), b"ABCDEFGH");
        stream.insert(2, b"CDEFGHIJ", 100).unwrap();
        assert_eq!(stream.take().unwrap(), b"IJ");
        stream.insert(0, b"ABC", 100).unwrap();
        assert_eq!(stream.take(), None);
    }

    #[test]
    fn what_came_before_is_known() {
        let mut stream = CryptoReceive::default();
        stream.insert(0, b"ABCD", 100).unwrap();
        stream.insert(6, b"GH", 100).unwrap();
        assert!(stream.is_known(0, 4) && stream.is_known(6, 2) && !stream.is_known(3, 2));
        assert_eq!(stream.take().unwrap(), b"ABCD");
        assert!(stream.is_known(1, 3) && stream.is_known(7, 1));
        assert!(!stream.is_known(2, 3) && !stream.is_known(u64::MAX, 1));
    }

    #[test]
    fn h6_handshake_bytes_ahead_and_gaps_are_bounded() {
        let mut stream = CryptoReceive::default();
        assert_eq!(
            stream.insert(90, &[0; 11], 100),
            Err(CloseCode::CryptoBufferExceeded)
        );
        let mut result = Ok(());
        for gap in 0..9 {
            result = result.and(stream.insert(1 + gap * 4, b"x", 100));
        }
        assert_eq!(result, Err(CloseCode::CryptoBufferExceeded));
        assert_eq!(
            CryptoReceive::default().insert(u64::MAX, b"x", 100),
            Err(CloseCode::CryptoBufferExceeded)
        );
    }

    #[test]
    fn lost_bytes_are_pending_again_and_acknowledged_ones_never() {
        let mut stream = CryptoSend::default();
        stream.push(b"0123456789");
        stream.on_sent(0, 10);
        assert!(!stream.has_pending());
        stream.on_acked(3, 4);
        stream.on_lost(0, 10);
        assert_eq!(stream.peek(), Some((0, &b"012"[..])));
        stream.on_sent(0, 3);
        assert_eq!(stream.peek(), Some((7, &b"789"[..])));
        stream.resend_all();
        assert_eq!(stream.peek(), Some((0, &b"012"[..])));
    }
}
