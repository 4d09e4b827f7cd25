//! What a directory on its way out says, and what became of it.

use super::out::Body;
use super::{ROOT, TreeSource};
use crate::peer::{PacketWriter, SentFrame};
use crate::slab::Key;
use crate::transfer::delivery::Delivery;
use crate::transfer::tree::units;
use crate::transfer::{Context, Item};
use crate::wire::{Entry, EntryKind, Frame};

/// A DATA frame that would carry less than this, and less than all there is, waits for the next packet.
const WORTHWHILE: u64 = 32;

impl TreeSource {
    /// Whether a file has something to say.
    pub(super) fn says(&self, file: u32) -> bool {
        let Some(out) = self.files.get(&file) else {
            return false;
        };
        if out.entry == Delivery::Unneeded {
            return false;
        }
        if out.entry.is_due() || out.farewell.is_due() {
            return true;
        }
        if out.settled || out.failed.is_some() {
            return false;
        }
        match &out.body {
            Body::Small(small) => small.next_range().is_some() || out.seal.is_due(),
            Body::Directory { count, .. } => count.is_some() && out.seal.is_due(),
            Body::Large { .. } => self
                .large
                .get(&file)
                .is_some_and(|source| source.next_control().is_some() || source.has_data()),
            _ => false,
        }
    }

    /// The next file to be announced, and its units, when the sink's credit allows it.
    fn next_ready(&self) -> Option<(u32, u64)> {
        let &file = self.ready.front()?;
        let units = self.files.get(&file).map_or(0, |out| {
            let travels = match &out.body {
                Body::Small(_) => !self.compare || out.kind == EntryKind::Symlink,
                _ => false,
            };
            1 + if travels { units::of_body(out.size) } else { 0 }
        });
        (self.charged + units <= self.credit).then_some((file, units))
    }

    /// Whether a frame can be sent.
    pub(in crate::transfer) fn has_frame(&self) -> bool {
        self.accepted && !self.closing && (!self.due.is_empty() || self.next_ready().is_some())
    }

    /// Writes frames of one file; false when there are none, or too little room.
    pub(in crate::transfer) fn write_frames(
        &mut self,
        cx: &mut Context<'_>,
        key: Key,
        transfer: u64,
        packet: &mut PacketWriter<'_>,
    ) -> bool {
        if !self.has_frame() {
            return false;
        }
        let file = match self.due.first() {
            Some(&file) => file,
            None => {
                let Some((file, units)) = self.next_ready() else {
                    return false;
                };
                self.ready.pop_front();
                self.found = self.found.saturating_sub(1);
                if let Some(out) = self.files.get_mut(&file) {
                    out.entry = Delivery::Due;
                    self.charged += units;
                }
                file
            }
        };
        let before = packet.len();
        self.write_file(key, transfer, file, packet);
        self.touch(cx, file);
        packet.len() > before
    }

    fn write_file(&mut self, key: Key, transfer: u64, file: u32, packet: &mut PacketWriter<'_>) {
        let Some(out) = self.files.get_mut(&file) else {
            return;
        };
        let number = u64::from(file);
        let mut put =
            |frame: &Frame<'_>, item| packet.put(frame, SentFrame::Transfer { key, item });
        if out.entry.is_due() {
            let frame = Frame::Entry {
                transfer,
                file: number,
                parent: out.parent.into(),
                version: &out.version,
                entry: Entry {
                    kind: out.kind,
                    size: out.size,
                    mtime: out.mtime,
                    mode: out.mode,
                    name: &out.name,
                },
            };
            if !put(&frame, Item::Entry { file }) {
                return;
            }
            out.entry = Delivery::Sent;
        }
        if let (true, Some(code)) = (out.farewell.is_due(), out.failed) {
            let frame = Frame::Failed {
                transfer,
                file: number,
                code,
            };
            if !put(&frame, Item::Failed { file }) {
                return;
            }
            out.farewell = Delivery::Sent;
        }
        if out.failed.is_some() || out.settled {
            return;
        }
        match &mut out.body {
            Body::Directory {
                count: Some(count), ..
            } if out.seal.is_due() => {
                let frame = Frame::Seal {
                    transfer,
                    file: number,
                    size: u64::from(*count),
                    root: &[0; 32],
                };
                if put(&frame, Item::Seal { file }) {
                    out.seal = Delivery::Sent;
                }
            }
            Body::Large { .. } => {
                if let Some(source) = self.large.get_mut(&file) {
                    while let Some(item) = source.next_control() {
                        let frame = source.frame(transfer, item);
                        if !frame.is_some_and(|frame| put(&frame, item)) {
                            return;
                        }
                        if let Some(delivery) = source.delivery(item) {
                            *delivery = Delivery::Sent;
                        }
                    }
                    let before = source.progress().2;
                    source.write_data(key, transfer, packet);
                    self.resent += source.progress().2 - before;
                }
            }
            Body::Small(_) => self.write_small(key, transfer, file, packet),
            _ => {}
        }
    }

    fn write_small(&mut self, key: Key, transfer: u64, file: u32, packet: &mut PacketWriter<'_>) {
        let Some(out) = self.files.get_mut(&file) else {
            return;
        };
        let Body::Small(small) = &mut out.body else {
            return;
        };
        let number = u64::from(file);
        while let Some((start, end)) = small.next_range() {
            let room = Frame::data_room(transfer, number, start, packet.room()) as u64;
            let len = room.min(end - start);
            if len == 0 || (len < (end - start).min(WORTHWHILE) && packet.len() > 0) {
                return;
            }
            let Some(data) = small.bytes.get(start as usize..(start + len) as usize) else {
                return;
            };
            let frame = Frame::Data {
                transfer,
                file: number,
                offset: start,
                data,
            };
            let item = Item::Data {
                file,
                again: false,
                offset: start,
                len: len as u32,
            };
            if !packet.put(&frame, SentFrame::Transfer { key, item }) {
                return;
            }
            self.resent += small.sent(start, start + len);
            self.flying += len;
        }
        if out.seal.is_due() {
            let frame = Frame::Seal {
                transfer,
                file: number,
                size: out.size,
                root: &small.root,
            };
            let item = Item::Seal { file };
            if packet.put(&frame, SentFrame::Transfer { key, item }) {
                out.seal = Delivery::Sent;
            }
        }
    }

    /// A packet with this item has arrived; true when the progress grew.
    pub(in crate::transfer) fn handle_acked(&mut self, cx: &mut Context<'_>, item: Item) -> bool {
        let Some(file) = file_of(item) else {
            return false;
        };
        let Some(out) = self.files.get_mut(&file) else {
            return false;
        };
        let mut grew = 0;
        match (item, &mut out.body) {
            (Item::Entry { .. }, _) => out.entry.acked(),
            (Item::Failed { .. }, _) => {
                out.farewell.acked();
            }
            (Item::Data { offset, len, .. }, Body::Small(small)) => {
                let (new, flew) = small.arrived(offset, offset + u64::from(len));
                self.flying = self.flying.saturating_sub(flew);
                if small.has_arrived() {
                    self.memory.free(core::mem::take(&mut small.units));
                }
                grew = new;
            }
            (Item::Seal { .. }, Body::Small(_) | Body::Directory { .. }) => out.seal.acked(),
            (
                Item::Data {
                    again, offset, len, ..
                },
                Body::Large { .. },
            ) => {
                if let Some(source) = self.large.get_mut(&file) {
                    let before = source.owed().moved;
                    source.data_acked(again, offset, len);
                    grew = source.owed().moved - before;
                }
            }
            (_, Body::Large { .. }) => {
                if let Some(source) = self.large.get_mut(&file) {
                    source.control_acked(item);
                }
            }
            _ => {}
        }
        self.acked += grew;
        let told = out.farewell == Delivery::Done && out.entry == Delivery::Done;
        if let (true, Some(code)) = (told, out.failed) {
            self.settle(cx, file, Err(code));
        } else {
            self.touch(cx, file);
        }
        grew > 0
    }

    /// A packet with this item is lost.
    pub(in crate::transfer) fn handle_lost(&mut self, cx: &mut Context<'_>, item: Item) {
        let Some(file) = file_of(item) else { return };
        let Some(out) = self.files.get_mut(&file) else {
            return;
        };
        match (item, &mut out.body) {
            (Item::Entry { .. }, _) => out.entry.lost(),
            (Item::Failed { .. }, _) => out.farewell.lost(),
            (Item::Data { offset, len, .. }, Body::Small(small)) => {
                let flew = small.missed(offset, offset + u64::from(len));
                self.flying = self.flying.saturating_sub(flew);
            }
            (Item::Seal { .. }, Body::Small(_) | Body::Directory { .. }) => out.seal.lost(),
            (
                Item::Data {
                    again, offset, len, ..
                },
                Body::Large { .. },
            ) => {
                if let Some(source) = self.large.get_mut(&file) {
                    source.data_lost(again, offset, len);
                }
            }
            (_, Body::Large { .. }) => {
                if let Some(delivery) = self
                    .large
                    .get_mut(&file)
                    .and_then(|source| source.delivery(item))
                {
                    delivery.lost();
                }
            }
            _ => {}
        }
        self.touch(cx, file);
    }
}

/// The file that a source's item is about.
fn file_of(item: Item) -> Option<u32> {
    match item {
        Item::Failed { file: ROOT } => None,
        Item::Entry { file }
        | Item::Data { file, .. }
        | Item::Piece { file, .. }
        | Item::Seal { file }
        | Item::Failed { file } => Some(file),
        _ => None,
    }
}
