//! Which bytes of a file go into the next packet, and what became of those in earlier ones.

use core::ops::Range;

use super::{LOST_BLOCKS_SEEN, RANGES_MAX, Source};
use crate::event::LimitedBy;
use crate::fault::Fault;
use crate::file::BLOCK_SIZE;
use crate::peer::{PacketWriter, SentFrame};
use crate::slab::Key;
use crate::transfer::{Item, Run};
use crate::wire::Frame;

/// A DATA frame that would carry less than this, and less than all there is, waits for the next packet.
const WORTHWHILE: u64 = 32;

impl Source {
    /// Bytes of one block that can be sent: lost ones before new ones.
    fn next_data(&self) -> Option<(Range<u64>, &[u8])> {
        if self.closing || !self.accepted || !self.go {
            return None;
        }
        let lost = || {
            let lost = self.lost.iter().flat_map(by_block).take(LOST_BLOCKS_SEEN);
            let mut ready = lost.filter_map(|part| Some((part.clone(), self.bytes(part)?)));
            ready.next()
        };
        // Mostly, nothing is lost.
        let again = if self.lost.is_empty() { None } else { lost() };
        again.or_else(|| {
            let block = self.first_unsent();
            let credit = block < self.credit || self.faults.strikes(Fault::CreditUnheeded);
            if self.next_send >= self.size() || !credit || self.ranges() >= RANGES_MAX {
                return None;
            }
            let end = ((block + 1) * u64::from(BLOCK_SIZE)).min(self.size());
            let part = self.next_send..end;
            Some((part.clone(), self.bytes(part)?))
        })
    }

    /// The bytes of a part of one block, when that block is here.
    fn bytes(&self, part: Range<u64>) -> Option<&[u8]> {
        let block = u64::from(BLOCK_SIZE);
        let bytes = self.held.get(part.start / block)?;
        let start = (part.start % block) as usize;
        bytes.get(start..start + (part.end - part.start) as usize)
    }

    /// What holds this file up just now.
    pub(in crate::transfer) fn limited_by(&self) -> LimitedBy {
        if self.has_data() {
            LimitedBy::Network
        } else if self.next_send >= self.size() {
            // All was sent: what was not heard of is on its way, the rest is the sink's to store.
            match self.acked_bytes < self.size() {
                true => LimitedBy::Network,
                false => LimitedBy::Peer,
            }
        } else if self.first_unsent() >= self.credit {
            LimitedBy::Peer
        } else {
            LimitedBy::Disk
        }
    }

    /// Whether DATA can be sent now.
    pub(in crate::transfer) fn has_data(&self) -> bool {
        self.next_data().is_some()
    }

    /// The rest of the block that is being sent, when nothing is to be sent again.
    pub(in crate::transfer) fn run(&self, key: Key, transfer: u64) -> Option<Run<'_>> {
        if !self.lost.is_empty() || !self.wanted_again.is_empty() {
            return None;
        }
        let (part, bytes) = self.next_data()?;
        Some(Run {
            key,
            transfer,
            file: self.number,
            offset: part.start,
            bytes,
        })
    }

    /// The first `bytes` of the run were sent. The block is not at its end.
    pub(in crate::transfer) fn on_run_sent(&mut self, bytes: u64) {
        self.next_send += bytes;
        self.held.expect(self.first_unsent());
    }

    /// Writes one DATA frame; false when there is nothing to send, or too little room.
    pub(in crate::transfer) fn write_data(
        &mut self,
        key: Key,
        transfer: u64,
        packet: &mut PacketWriter<'_>,
    ) -> bool {
        let Some((part, bytes)) = self.next_data() else {
            return false;
        };
        let (offset, all) = (part.start, part.end - part.start);
        let room = Frame::data_room(transfer, u64::from(self.number), offset, packet.room()) as u64;
        let len = room.min(all);
        if len == 0 || (len < all.min(WORTHWHILE) && packet.len() > 0) {
            return false;
        }
        let Some(data) = bytes.get(..len as usize) else {
            return false;
        };
        let again = offset < self.next_send;
        let wrong = again && self.faults.strikes(Fault::ResentOffsetWrong);
        let frame = Frame::Data {
            transfer,
            file: u64::from(self.number),
            offset: offset + u64::from(wrong),
            data,
        };
        let item = Item::Data {
            file: self.number,
            again: self.wanted_again.intersects(offset..offset + len),
            offset,
            len: len as u32,
        };
        if !packet.put(&frame, SentFrame::Transfer { key, item }) {
            return false;
        }
        if again {
            self.lost.remove(offset..offset + len);
            self.resent += len;
        } else {
            self.next_send += len;
            self.skip_sending();
            self.held.expect(self.first_unsent());
        }
        true
    }

    /// Bytes have arrived; true when the progress grew by a block or more, or to the end.
    pub(in crate::transfer) fn data_acked(&mut self, again: bool, offset: u64, len: u32) -> bool {
        let range = offset..offset.saturating_add(u64::from(len));
        if self.closing || range.end > self.next_send || self.is_stale(again, &range) {
            return false;
        }
        self.lost.remove(range.clone());
        self.wanted_again.remove(range.clone());
        let new = self.acked.insert(range);
        self.acked_bytes += new;
        self.moved += new;
        let before = self.acked_most;
        self.acked_most = before.max(self.acked_bytes);
        let block = u64::from(BLOCK_SIZE);
        before / block != self.acked_most / block
            || (before != self.acked_most && self.acked_most == self.size())
    }

    /// Bytes that are under way are sent once more, if they are in memory; whether they will be.
    pub(in crate::transfer) fn data_copied(&mut self, again: bool, offset: u64, len: u32) -> bool {
        let range = offset..offset.saturating_add(u64::from(len));
        let here = || by_block(range.clone()).all(|part| self.bytes(part).is_some());
        if self.closing || range.end > self.next_send || self.is_stale(again, &range) || !here() {
            return false;
        }
        let mut any = false;
        for gap in self.acked.missing(range) {
            any |= self.lost.insert(gap) > 0;
        }
        any
    }

    /// Bytes are lost: what has not arrived by another packet is sent again.
    pub(in crate::transfer) fn data_lost(&mut self, again: bool, offset: u64, len: u32) {
        let range = offset..offset.saturating_add(u64::from(len));
        if self.closing || range.end > self.next_send || self.is_stale(again, &range) {
            return;
        }
        if self.faults.strikes(Fault::LostRangeForgotten) {
            return;
        }
        for gap in self.acked.missing(range) {
            self.lost.insert(gap);
        }
        self.needs_check();
    }
}

/// The parts of a range that lie in one block each.
fn by_block(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let block = u64::from(BLOCK_SIZE);
    let mut at = range.start;
    core::iter::from_fn(move || {
        let start = at;
        at = ((start / block + 1) * block).min(range.end);
        (start < range.end).then_some(start..at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    #[test]
    fn ranges_are_cut_at_block_borders() {
        let parts: Vec<_> = by_block(65_000..65_536 * 2 + 7).collect();
        assert_eq!(
            parts,
            vec![65_000..65_536, 65_536..131_072, 131_072..131_079]
        );
        assert_eq!(by_block(65_536..65_536).count(), 0);
        assert_eq!(by_block(0..65_536).count(), 1);
    }
}
