//! A source's control frames: ENTRY, PIECE and SEAL.

use super::Source;
use crate::transfer::Item;
use crate::transfer::delivery::Delivery;
use crate::wire::{Entry, Frame};

impl Source {
    /// The first control frame that is to be sent.
    pub(in crate::transfer) fn next_control(&self) -> Option<Item> {
        let file = self.number;
        if self.entry.is_due() {
            return Some(Item::Entry { file });
        }
        let mut pieces = self.pieces.iter();
        let piece =
            pieces.find(|piece| piece.delivery.is_due() && self.piece_was_sent(piece.index));
        let piece = piece.map(|piece| Item::Piece {
            file,
            index: piece.index as u32,
        });
        let seal = self.seal.is_due() && self.all_was_sent();
        piece.or_else(|| seal.then_some(Item::Seal { file }))
    }

    /// The frame of a control item, from present state.
    pub(in crate::transfer) fn frame(&self, transfer: u64, item: Item) -> Option<Frame<'_>> {
        let file = u64::from(self.number);
        Some(match item {
            Item::Entry { .. } => {
                let meta = self.meta()?;
                Frame::Entry {
                    transfer,
                    file,
                    parent: 0,
                    version: &meta.version,
                    entry: Entry {
                        kind: meta.kind,
                        size: meta.size,
                        mtime: meta.mtime,
                        mode: meta.mode & 0o777,
                        name: b"",
                    },
                }
            }
            Item::Piece { index, .. } => {
                let mut pieces = self.pieces.iter();
                let piece = pieces.find(|piece| piece.index == u64::from(index))?;
                Frame::Piece {
                    transfer,
                    file,
                    index: piece.index,
                    value: &piece.value,
                }
            }
            Item::Seal { .. } => Frame::Seal {
                transfer,
                file,
                size: self.size(),
                root: self.root_ref()?,
            },
            _ => return None,
        })
    }

    /// The state of a control frame.
    pub(in crate::transfer) fn delivery(&mut self, item: Item) -> Option<&mut Delivery> {
        match item {
            Item::Entry { .. } => Some(&mut self.entry),
            Item::Piece { index, .. } => {
                let mut pieces = self.pieces.iter_mut();
                let piece = pieces.find(|piece| piece.index == u64::from(index));
                piece.map(|piece| &mut piece.delivery)
            }
            Item::Seal { .. } => Some(&mut self.seal),
            _ => None,
        }
    }

    /// The sink has a control frame.
    pub(in crate::transfer) fn control_acked(&mut self, item: Item) {
        if let Some(delivery) = self.delivery(item) {
            delivery.acked();
        }
        if let Item::Piece { .. } = item {
            self.pieces.retain(|piece| piece.delivery != Delivery::Done);
        }
    }
}
