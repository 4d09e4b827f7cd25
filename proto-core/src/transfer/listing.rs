//! Listings: a directory's entries as a stream of bytes, read page by page at one end and cut into whole entries at the
//! other.

use alloc::vec::Vec;

use super::codes::Fault;
use super::delivery::Delivery;
use super::progress::Owed;
use super::{InFlight, Item, OpKind, Place};
use crate::file::{FileError, Operation, Outcome};
use crate::peer::{PacketWriter, SentFrame};
use crate::range_set::RangeSet;
use crate::slab::Key;
use crate::wire::{CloseCode, Entry, ErrorCode, FilePath, Frame, WireError};

/// Bytes of a listing that may be on the way or untaken: the requester's memory for it (M8).
pub(super) const WINDOW: u64 = 64 << 10;

/// Separate ranges that a listing's window may consist of while it gathers. Packets of 1,200 bytes make at most 30; what
/// would make more is dropped, to come again (M1, M3).
const RANGES_MAX: usize = 64;

/// The end that has the directory: one page in memory, the next is read when that one has arrived.
#[derive(Debug)]
pub(super) struct Lister {
    place: Place,
    /// Bytes that a page may have.
    page_max: u32,
    /// Where the next page begins; `None` behind the last entry.
    cursor: Option<u64>,
    op_out: bool,
    /// At least one page was read.
    opened: bool,
    page: Vec<u8>,
    /// Place of the page's first byte in the listing.
    base: u64,
    /// First byte that was never sent.
    next_send: u64,
    lost: RangeSet,
    acked: RangeSet,
    /// The frame that says that nothing follows, when it carries no bytes.
    tail: Delivery,
    credit: u64,
    closed: bool,
}

impl Lister {
    pub(super) fn new(place: Place, page_max: u32) -> Self {
        Self {
            place,
            page_max,
            cursor: Some(0),
            op_out: false,
            opened: false,
            page: Vec::new(),
            base: 0,
            next_send: 0,
            lost: RangeSet::new(),
            acked: RangeSet::new(),
            tail: Delivery::Unneeded,
            credit: WINDOW,
            closed: false,
        }
    }

    /// Whether the directory could be read.
    pub(super) fn is_opened(&self) -> bool {
        self.opened
    }

    fn end(&self) -> u64 {
        self.base + self.page.len() as u64
    }

    /// Whether all of the page has arrived.
    fn page_arrived(&self) -> bool {
        self.acked.covers(self.base..self.end())
    }

    /// Whether the requester has bytes to acknowledge, and bytes that were sent so far.
    pub(super) fn owed(&self) -> Owed {
        Owed {
            owes: !self.closed && !self.acked.covers(self.base..self.next_send),
            moved: self.next_send,
        }
    }

    /// Whether the whole listing has arrived.
    pub(super) fn is_complete(&self) -> bool {
        self.opened
            && self.cursor.is_none()
            && !self.op_out
            && self.page_arrived()
            && !self.tail.is_open()
    }

    /// Whether the whole listing was sent once.
    pub(super) fn is_sent(&self) -> bool {
        self.opened
            && self.cursor.is_none()
            && !self.op_out
            && self.next_send == self.end()
            && !self.tail.is_due()
    }

    pub(super) fn handle_credit(&mut self, limit: u64) {
        self.credit = self.credit.max(limit);
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    pub(super) fn has_op(&self) -> bool {
        !self.closed && !self.op_out && self.cursor.is_some() && self.page_arrived()
    }

    pub(super) fn poll_op(&mut self) -> Option<(OpKind, Operation)> {
        if !self.has_op() {
            return None;
        }
        self.op_out = true;
        let (root, path) = (self.place.root, self.place.path.clone());
        let (cursor, max) = (self.cursor?, self.page_max);
        Some((
            OpKind::Step,
            Operation::List {
                root,
                path,
                cursor,
                max,
                versions: false,
                filter: None,
            },
        ))
    }

    pub(super) fn handle_done(&mut self, result: Result<Outcome, FileError>) -> Result<(), Fault> {
        self.op_out = false;
        if self.closed {
            return Ok(());
        }
        let Outcome::Page { entries, next, .. } = result? else {
            return Err(Fault::Transfer(ErrorCode::Io));
        };
        self.base = self.end();
        self.page = entries;
        self.cursor = next;
        self.opened = true;
        self.acked.remove(0..self.base);
        if self.page.is_empty() && next.is_none() {
            self.tail = Delivery::Due;
        }
        Ok(())
    }

    /// Bytes that can be sent: lost ones before new ones.
    fn next_page(&self) -> Option<(u64, u64)> {
        if self.closed {
            return None;
        }
        if let Some(range) = self.lost.first() {
            return Some((range.start, range.end));
        }
        let end = self.end().min(self.credit);
        (self.next_send < end).then_some((self.next_send, end))
    }

    pub(super) fn has_frame(&self) -> bool {
        self.next_page().is_some() || (!self.closed && self.tail.is_due())
    }

    /// Writes one PAGE frame; false when there is none, or too little room.
    pub(super) fn write_frame(
        &mut self,
        key: Key,
        transfer: u64,
        packet: &mut PacketWriter<'_>,
    ) -> bool {
        let room = |offset| Frame::page_room(transfer, offset, packet.room()) as u64;
        let (offset, end) = match self.next_page() {
            Some((offset, end)) => (offset, end.min(offset + room(offset))),
            None if self.has_frame() => (self.base, self.base),
            None => return false,
        };
        let within = (offset - self.base) as usize..(end - self.base) as usize;
        let Some(data) = self.page.get(within) else {
            return false;
        };
        let last = self.cursor.is_none() && end == self.end();
        if data.is_empty() && !last {
            return false;
        }
        let item = Item::Page {
            offset,
            len: data.len() as u32,
        };
        let frame = Frame::Page {
            transfer,
            offset,
            last,
            data,
        };
        if !packet.put(&frame, SentFrame::Transfer { key, item }) {
            return false;
        }
        if data.is_empty() {
            self.tail = Delivery::Sent;
        }
        self.lost.remove(offset..end);
        self.next_send = self.next_send.max(end);
        true
    }

    /// The first byte of the page that was sent, and is neither in flight nor known to be lost or acknowledged.
    pub(super) fn first_forgotten(&self, flying: &InFlight) -> Option<u64> {
        if self.closed {
            return None;
        }
        flying.missing(0, self.base..self.next_send, &[&self.lost, &self.acked])
    }

    pub(super) fn page_acked(&mut self, offset: u64, len: u32) {
        let range = offset..offset.saturating_add(u64::from(len));
        if len == 0 {
            self.tail.acked();
        } else if offset >= self.base && range.end <= self.next_send {
            self.lost.remove(range.clone());
            self.acked.insert(range);
        }
    }

    pub(super) fn page_lost(&mut self, offset: u64, len: u32) {
        let range = offset..offset.saturating_add(u64::from(len));
        if len == 0 {
            self.tail.lost();
        } else if offset >= self.base && range.end <= self.next_send {
            for gap in self.acked.missing(range) {
                self.lost.insert(gap);
            }
        }
    }
}

/// The end that asked: puts the bytes in order and gives whole entries to the application.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Bytes from `base` on, with gaps.
    bytes: Vec<u8>,
    /// Place of the first byte that the application has not taken.
    base: u64,
    have: RangeSet,
    /// Bytes of the listing, once they are known.
    end: Option<u64>,
    /// Bytes at the front that are whole entries.
    whole: usize,
    /// CREDIT is to be told.
    pub(super) credit: Delivery,
    /// The application does not want entries now.
    pub(super) held: bool,
}

impl Reader {
    /// The offset up to which pages may come.
    pub(super) fn credit_limit(&self) -> u64 {
        self.base.saturating_add(WINDOW)
    }

    /// Whether everything was taken.
    pub(super) fn is_complete(&self) -> bool {
        self.end == Some(self.base)
    }

    /// Takes bytes of the listing; false when there is no room for them.
    pub(super) fn handle_page(
        &mut self,
        offset: u64,
        last: bool,
        data: &[u8],
    ) -> Result<bool, Fault> {
        let end = offset
            .checked_add(data.len() as u64)
            .ok_or(Fault::VIOLATION)?;
        if end > self.credit_limit() {
            return Err(Fault::Session(CloseCode::FlowControl));
        }
        let known = self
            .end
            .is_some_and(|known| end > known || (last && end != known));
        let beyond = last && self.have.last().is_some_and(|range| range.end > end);
        if known || beyond || (last && end < self.base) {
            return Err(Fault::VIOLATION);
        }
        if last {
            self.end = Some(end);
        }
        // What touches a range makes it longer and no more ranges.
        let touched = offset.saturating_sub(1)..end.saturating_add(1);
        if self.have.len() >= RANGES_MAX && !self.have.intersects(touched) {
            return Ok(false);
        }
        for gap in self.have.missing(offset.max(self.base)..end.max(self.base)) {
            let to = (gap.start - self.base) as usize..(gap.end - self.base) as usize;
            let from = (gap.start - offset) as usize..(gap.end - offset) as usize;
            if self.bytes.len() < to.end {
                self.bytes.resize(to.end, 0);
            }
            if let (Some(to), Some(from)) = (self.bytes.get_mut(to), data.get(from)) {
                to.copy_from_slice(from);
            }
        }
        self.have.insert(offset.max(self.base)..end);
        self.find_entries()?;
        Ok(true)
    }

    /// Moves `whole` over the entries that have become whole.
    fn find_entries(&mut self) -> Result<(), Fault> {
        let front = self.have.first().filter(|range| range.start == self.base);
        let known = front.map_or(0, |range| (range.end - self.base) as usize);
        let mut rest = self.bytes.get(self.whole..known).unwrap_or_default();
        while !rest.is_empty() {
            let mut after = rest;
            match Entry::decode(&mut after) {
                Ok(entry) if is_name(entry.name) => {}
                Ok(_) => return Err(Fault::VIOLATION),
                Err(WireError::Truncated) => break,
                Err(_) => return Err(Fault::Session(CloseCode::FrameEncoding)),
            }
            self.whole += rest.len() - after.len();
            rest = after;
        }
        let complete = self.end == Some(self.base + known as u64);
        // An entry that is cut off at the end will never be whole, nor one that is as large as the window.
        let stuck = !rest.is_empty() && (complete || (self.whole == 0 && known as u64 == WINDOW));
        if stuck { Err(Fault::VIOLATION) } else { Ok(()) }
    }

    /// Whether entries wait for the application.
    pub(super) fn has_entries(&self) -> bool {
        self.whole > 0 && !self.held
    }

    /// Takes the whole entries, which makes room for more.
    pub(super) fn take_entries(&mut self) -> Option<Vec<u8>> {
        if self.whole == 0 {
            return None;
        }
        let rest = self.bytes.split_off(self.whole);
        let entries = core::mem::replace(&mut self.bytes, rest);
        self.base += self.whole as u64;
        self.whole = 0;
        self.have.remove(0..self.base);
        if self.end.is_none() {
            self.credit = Delivery::Due;
        }
        Some(entries)
    }
}

/// Whether a listing may hold the name: one component of a path (C1, F5).
fn is_name(name: &[u8]) -> bool {
    let forbidden = |&byte: &u8| byte == 0 || byte == b'/';
    !name.is_empty()
        && name.len() <= FilePath::MAX_NAME
        && name != b"."
        && name != b".."
        && !name.iter().any(forbidden)
}

#[cfg(test)]
mod tests;
