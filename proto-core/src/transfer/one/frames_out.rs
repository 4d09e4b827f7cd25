//! Which frames a transfer has to send, and what became of those that were sent.

use super::job::Job;
use super::{Farewell, Phase, Transfer};
use crate::fault::Fault;
use crate::peer::{PacketWriter, SentFrame};
use crate::slab::Key;
use crate::transfer::Item;
use crate::transfer::delivery::{Delivery, NumberWindow};
use crate::transfer::sink::Want;
use crate::wire::{Durability, Entry, Frame, StoredAs};

impl Transfer {
    /// The first control frame that is to be sent. `arrived` says which requests the peer has.
    pub(in crate::transfer) fn next_control(&self, arrived: &NumberWindow) -> Option<Item> {
        let number = self.number?;
        if self.request.is_due() {
            // Nothing can be said of a request that may not be sent yet.
            return arrived.admits(number).then_some(Item::Request);
        }
        if self.farewell_delivery.is_due() {
            return match self.farewell {
                Farewell::None => None,
                Farewell::Refuse(_) => Some(Item::Refuse),
                Farewell::Cancel(_) => Some(Item::Cancel),
                Farewell::Failed(_) => Some(Item::Failed { file: 0 }),
            };
        }
        if self.phase == Phase::Ended {
            return self.stored.is_due().then_some(Item::Stored { file: 0 });
        }
        if self.accept.is_due() {
            return Some(Item::Accept);
        }
        if self.phase == Phase::Running {
            self.next_job_control()
        } else {
            None
        }
    }

    fn next_job_control(&self) -> Option<Item> {
        let entry = Item::Entry { file: 0 };
        match &self.job {
            Job::Sink(sink) => {
                let want = sink.wants.iter().find(|want| want.delivery.is_due());
                let want = want.map(Want::item);
                want.or_else(|| sink.credit_is_due().then_some(Item::Credit))
            }
            Job::Source(source) => {
                if source.entry.is_due() {
                    return Some(entry);
                }
                let mut pieces = source.pieces.iter();
                let due = |index| source.piece_was_sent(index);
                let piece = pieces.find(|piece| piece.delivery.is_due() && due(piece.index));
                let piece = piece.map(|piece| Item::Piece {
                    file: 0,
                    index: piece.index as u32,
                });
                let seal = source.seal.is_due() && source.all_was_sent();
                piece.or_else(|| seal.then_some(Item::Seal { file: 0 }))
            }
            Job::Answer(answer) => answer.entry.is_due().then_some(entry),
            Job::Reader(reader) => reader.credit.is_due().then_some(Item::Credit),
            _ => None,
        }
    }

    /// Writes the control frame; false when there is no room.
    pub(in crate::transfer) fn write_control(
        &mut self,
        key: Key,
        item: Item,
        packet: &mut PacketWriter<'_>,
    ) -> bool {
        let frame = self.number.and_then(|number| self.frame(number, item));
        let written =
            frame.is_some_and(|frame| packet.put(&frame, SentFrame::Transfer { key, item }));
        if written {
            self.control_sent(item);
        }
        written
    }

    /// The frame of a control item, from present state.
    fn frame(&self, transfer: u64, item: Item) -> Option<Frame<'_>> {
        Some(match (item, &self.job) {
            (Item::Request, _) => Frame::Request {
                transfer,
                kind: self.asked.kind,
                compare: self.asked.compare,
                no_clobber: self.asked.no_clobber,
                durability: self.asked.durability,
                amount: self.asked.amount,
                path: self.asked.path.as_bytes(),
            },
            (Item::Accept, _) => Frame::Accept {
                transfer,
                credit: self.accept_credit,
            },
            (Item::Refuse | Item::Cancel | Item::Failed { .. }, _) => match self.farewell {
                Farewell::None => return None,
                Farewell::Refuse(code) => Frame::Refuse { transfer, code },
                Farewell::Cancel(code) => Frame::Cancel { transfer, code },
                Farewell::Failed(code) => Frame::Failed {
                    transfer,
                    file: 0,
                    code,
                },
            },
            (Item::Stored { .. }, Job::Sink(sink)) => {
                let (how, durability) = sink
                    .stored()
                    .unwrap_or((StoredAs::Written, Durability::None));
                Frame::Stored {
                    transfer,
                    file: 0,
                    how,
                    durability,
                }
            }
            (Item::Want { .. }, Job::Sink(sink)) => {
                let want = sink.wants.iter().find(|want| want.item() == item)?;
                let (start, end) = (want.start, want.end);
                Frame::Want {
                    transfer,
                    file: 0,
                    start,
                    end,
                }
            }
            (Item::Credit, Job::Sink(sink)) => Frame::Credit {
                transfer,
                limit: sink.credit_limit(),
            },
            (Item::Credit, Job::Reader(reader)) => Frame::Credit {
                transfer,
                limit: reader.credit_limit(),
            },
            (Item::Entry { .. }, job) => {
                let meta = match job {
                    Job::Source(source) => source.meta()?,
                    Job::Answer(answer) => answer.meta.as_ref()?,
                    _ => return None,
                };
                let (kind, size, mtime, mode) =
                    (meta.kind, meta.size, meta.mtime, meta.mode & 0o777);
                let entry = Entry {
                    kind,
                    size,
                    mtime,
                    mode,
                    name: b"",
                };
                Frame::Entry {
                    transfer,
                    file: 0,
                    version: &meta.version,
                    entry,
                }
            }
            (Item::Piece { index, .. }, Job::Source(source)) => {
                let mut pieces = source.pieces.iter();
                let piece = pieces.find(|piece| piece.index == u64::from(index))?;
                Frame::Piece {
                    transfer,
                    file: 0,
                    index: piece.index,
                    value: &piece.value,
                }
            }
            (Item::Seal { .. }, Job::Source(source)) => {
                let (_, size, _) = source.progress();
                Frame::Seal {
                    transfer,
                    file: 0,
                    size,
                    root: source.root_ref()?,
                }
            }
            _ => return None,
        })
    }

    fn control_sent(&mut self, item: Item) {
        if let (Item::Credit, Job::Sink(sink)) = (item, &mut self.job) {
            sink.credit_sent();
        } else if let Some(delivery) = self.delivery(item) {
            *delivery = Delivery::Sent;
        }
    }

    /// The state of a control frame that has one of its own.
    fn delivery(&mut self, item: Item) -> Option<&mut Delivery> {
        match (item, &mut self.job) {
            (Item::Request, _) => Some(&mut self.request),
            (Item::Accept, _) => Some(&mut self.accept),
            (Item::Refuse | Item::Cancel | Item::Failed { .. }, _) => {
                Some(&mut self.farewell_delivery)
            }
            (Item::Stored { .. }, _) => Some(&mut self.stored),
            (Item::Want { .. }, Job::Sink(sink)) => {
                let mut wants = sink.wants.iter_mut();
                wants
                    .find(|want| want.item() == item)
                    .map(|want| &mut want.delivery)
            }
            (Item::Credit, Job::Reader(reader)) => Some(&mut reader.credit),
            (Item::Entry { .. }, Job::Source(source)) => Some(&mut source.entry),
            (Item::Entry { .. }, Job::Answer(answer)) => Some(&mut answer.entry),
            (Item::Piece { index, .. }, Job::Source(source)) => {
                let mut pieces = source.pieces.iter_mut();
                let piece = pieces.find(|piece| piece.index == u64::from(index));
                piece.map(|piece| &mut piece.delivery)
            }
            (Item::Seal { .. }, Job::Source(source)) => Some(&mut source.seal),
            _ => None,
        }
    }

    /// A packet with this item has arrived.
    pub(in crate::transfer) fn handle_acked(&mut self, item: Item) {
        match (item, &mut self.job) {
            (
                Item::Data {
                    again, offset, len, ..
                },
                Job::Source(source),
            ) => {
                self.events.progress |= source.data_acked(again, offset, len);
            }
            (Item::Page { offset, len }, Job::Lister(lister)) => lister.page_acked(offset, len),
            // A later CREDIT may be due or on its way.
            (Item::Credit, _) => {}
            _ => {
                if let Some(delivery) = self.delivery(item) {
                    delivery.acked();
                }
            }
        }
        match (item, &mut self.job) {
            (Item::Want { .. }, Job::Sink(sink)) => {
                sink.wants.retain(|want| want.delivery != Delivery::Done);
            }
            (Item::Piece { .. }, Job::Source(source)) => {
                source
                    .pieces
                    .retain(|piece| piece.delivery != Delivery::Done);
            }
            _ => {}
        }
    }

    /// A packet with this item is lost.
    pub(in crate::transfer) fn handle_lost(&mut self, item: Item) {
        match (item, &mut self.job) {
            (
                Item::Data {
                    again, offset, len, ..
                },
                Job::Source(source),
            ) => {
                source.data_lost(again, offset, len);
            }
            (Item::Page { offset, len }, Job::Lister(lister)) => lister.page_lost(offset, len),
            (Item::Credit, Job::Sink(sink)) => sink.credit_lost(),
            _ if self.faults.strikes(Fault::LostControlForgotten) => {}
            _ => {
                if let Some(delivery) = self.delivery(item) {
                    delivery.lost();
                }
            }
        }
    }

    /// Whether bytes of a file or listing can be sent.
    pub(in crate::transfer) fn has_data(&self) -> bool {
        self.phase == Phase::Running
            && match &self.job {
                Job::Source(source) => source.has_data(),
                Job::Lister(lister) => lister.has_frame(),
                _ => false,
            }
    }

    /// Writes one frame of bytes; false when there is none, or no room.
    pub(in crate::transfer) fn write_data(
        &mut self,
        key: Key,
        packet: &mut PacketWriter<'_>,
    ) -> bool {
        match (&mut self.job, self.number) {
            (Job::Source(source), Some(number)) => source.write_data(key, number, packet),
            (Job::Lister(lister), Some(number)) => lister.write_frame(key, number, packet),
            _ => false,
        }
    }
}
