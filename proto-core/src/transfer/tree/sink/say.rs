//! What a directory on its way in says: WANT, CREDIT, STORED and FAILED, and what became of these.

use super::{ROOT, TreeSink};
use crate::peer::{PacketWriter, SentFrame};
use crate::slab::Key;
use crate::transfer::delivery::Delivery;
use crate::transfer::{Context, Item};
use crate::wire::{Durability, Frame, StoredAs};

impl TreeSink {
    fn credit_is_due(&self) -> bool {
        !self.aborted && !self.root_settled && self.units.is_due()
    }

    /// Whether a frame can be sent.
    pub(in crate::transfer) fn has_frame(&self) -> bool {
        !self.aborted && (!self.due.is_empty() || self.credit_is_due())
    }

    /// Writes frames of one file; false when there are none, or too little room.
    pub(in crate::transfer) fn write_frames(
        &mut self,
        key: Key,
        transfer: u64,
        packet: &mut PacketWriter<'_>,
    ) -> bool {
        if self.aborted {
            return false;
        }
        let before = packet.len();
        if self.credit_is_due() {
            let frame = Frame::Credit {
                transfer,
                file: ROOT.into(),
                limit: self.units.limit(),
            };
            let item = Item::Credit { file: ROOT };
            if packet.put(&frame, SentFrame::Transfer { key, item }) {
                self.units.tell();
            }
        }
        if let Some(&file) = self.due.first() {
            self.write_file(key, transfer, file, packet);
            self.touch(file);
        }
        packet.len() > before
    }

    fn write_file(&mut self, key: Key, transfer: u64, file: u32, packet: &mut PacketWriter<'_>) {
        let mut put =
            |frame: &Frame<'_>, item| packet.put(frame, SentFrame::Transfer { key, item });
        if let Some(sink) = self.large.get_mut(&file) {
            while let Some(item) = sink.next_control() {
                let frame = sink.frame(transfer, item);
                if !frame.is_some_and(|frame| put(&frame, item)) {
                    return;
                }
                sink.control_sent(item);
            }
        }
        let Some(node) = self.nodes.get_mut(&file) else {
            return;
        };
        let number = u64::from(file);
        if node.want.is_due() {
            let item = Item::Want {
                file,
                start: 0,
                len: node.size as u32,
            };
            let frame = Frame::Want {
                transfer,
                file: number,
                start: 0,
                end: node.size,
            };
            if !put(&frame, item) {
                return;
            }
            node.want = Delivery::Sent;
        }
        if !node.told.is_due() {
            return;
        }
        let (frame, item) = match node.outcome.unwrap_or(Ok(StoredAs::Unchanged)) {
            Ok(how) => {
                let durability = match how {
                    StoredAs::Written => node.durability,
                    StoredAs::Unchanged => Durability::None,
                };
                let frame = Frame::Stored {
                    transfer,
                    file: number,
                    how,
                    durability,
                };
                (frame, Item::Stored { file })
            }
            Err(code) => {
                let frame = Frame::Failed {
                    transfer,
                    file: number,
                    code,
                };
                (frame, Item::Failed { file })
            }
        };
        if put(&frame, item) {
            node.told = Delivery::Sent;
        }
    }

    /// A packet with this item has arrived.
    pub(in crate::transfer) fn handle_acked(&mut self, cx: &mut Context<'_>, item: Item) {
        match item {
            Item::Stored { file } | Item::Failed { file } => {
                if let Some(node) = self.nodes.get_mut(&file)
                    && node.told.is_open()
                {
                    self.remove(cx, file);
                }
            }
            Item::Want { file, .. } | Item::Have { file, .. } => {
                if let Some(sink) = self.large.get_mut(&file) {
                    sink.control_acked(item);
                } else if let Some(node) = self.nodes.get_mut(&file) {
                    node.want.acked();
                }
                self.touch(file);
            }
            _ => {}
        }
    }

    /// A packet with this item is lost.
    pub(in crate::transfer) fn handle_lost(&mut self, item: Item) {
        match item {
            Item::Credit { file: ROOT } => self.units.lost(),
            Item::Credit { file } => {
                if let Some(sink) = self.large.get_mut(&file) {
                    sink.credit_lost();
                }
                self.touch(file);
            }
            Item::Stored { file } | Item::Failed { file } => {
                if let Some(node) = self.nodes.get_mut(&file) {
                    node.told.lost();
                }
                self.touch(file);
            }
            Item::Want { file, .. } | Item::Have { file, .. } => {
                if let Some(sink) = self.large.get_mut(&file) {
                    if let Some(delivery) = sink.delivery(item) {
                        delivery.lost();
                    }
                } else if let Some(node) = self.nodes.get_mut(&file) {
                    node.want.lost();
                }
                self.touch(file);
            }
            _ => {}
        }
    }
}
