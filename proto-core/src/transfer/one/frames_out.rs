//! Which frames a transfer has to send, and what became of those that were sent.

use super::job::Job;
use super::{Farewell, Phase, Transfer};
use crate::fault::Fault;
use crate::file::Meta;
use crate::peer::{PacketWriter, SentFrame};
use crate::slab::Key;
use crate::transfer::delivery::{Delivery, NumberWindow};
use crate::transfer::{Context, Item, Run};
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
        match &self.job {
            Job::Sink(sink) => sink.next_control(),
            Job::Source(source) => source.next_control(),
            Job::Answer(answer) => answer.entry.is_due().then_some(Item::Entry { file: 0 }),
            Job::Digest(digest) => digest.entry.is_due().then_some(Item::Entry { file: 0 }),
            Job::Reader(reader) => reader.credit.is_due().then_some(Item::Credit { file: 0 }),
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
                tree: self.asked.tree,
                resume: self.asked.resume,
                durability: self.asked.durability,
                amount: self.asked.amount,
                path: self.asked.path.as_bytes(),
                argument: &self.asked.argument,
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
            (Item::Stored { .. }, Job::Change(change)) => {
                let (count, durability) = change.result();
                Frame::Done {
                    transfer,
                    count,
                    durability,
                }
            }
            (Item::Want { .. } | Item::Have { .. } | Item::Credit { .. }, Job::Sink(sink)) => {
                sink.frame(transfer, item)?
            }
            (Item::Credit { .. }, Job::Reader(reader)) => Frame::Credit {
                transfer,
                file: 0,
                limit: reader.credit_limit(),
            },
            (Item::Stored { .. }, Job::Digest(digest)) => {
                let (size, root) = digest.result()?;
                Frame::Seal {
                    transfer,
                    file: 0,
                    size,
                    root,
                }
            }
            (Item::Entry { .. }, Job::Answer(answer)) => entry(transfer, answer.meta.as_ref()?),
            (Item::Entry { .. }, Job::Digest(digest)) => entry(transfer, digest.meta()?),
            (_, Job::Source(source)) => source.frame(transfer, item)?,
            _ => return None,
        })
    }

    fn control_sent(&mut self, item: Item) {
        if let (Item::Want { .. } | Item::Have { .. } | Item::Credit { .. }, Job::Sink(sink)) =
            (item, &mut self.job)
        {
            sink.control_sent(item);
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
            (Item::Want { .. } | Item::Have { .. }, Job::Sink(sink)) => sink.delivery(item),
            (Item::Credit { .. }, Job::Reader(reader)) => Some(&mut reader.credit),
            (Item::Entry { .. }, Job::Answer(answer)) => Some(&mut answer.entry),
            (Item::Entry { .. }, Job::Digest(digest)) => Some(&mut digest.entry),
            (_, Job::Source(source)) => source.delivery(item),
            _ => None,
        }
    }

    /// A packet with this item has arrived.
    pub(in crate::transfer) fn handle_acked(&mut self, cx: &mut Context<'_>, item: Item) {
        if is_of_file(item) {
            match &mut self.job {
                Job::TreeSource(source) => {
                    if source.handle_acked(cx, item) {
                        self.events.went_on(source.limited_by());
                    }
                    return;
                }
                Job::TreeSink(sink) => return sink.handle_acked(cx, item),
                _ => {}
            }
        }
        match (item, &mut self.job) {
            (
                Item::Data {
                    again, offset, len, ..
                },
                Job::Source(source),
            ) => {
                // Later, what was read meanwhile would hide that it had to be waited for.
                if source.data_acked(again, offset, len) {
                    self.events.went_on(source.limited_by());
                }
            }
            (Item::Page { offset, len }, Job::Lister(lister)) => lister.page_acked(offset, len),
            // A later CREDIT may be due or on its way.
            (Item::Credit { .. }, _) => {}
            (Item::Want { .. } | Item::Have { .. }, Job::Sink(sink)) => sink.control_acked(item),
            (Item::Piece { .. }, Job::Source(source)) => source.control_acked(item),
            _ => {
                if let Some(delivery) = self.delivery(item) {
                    delivery.acked();
                }
            }
        }
    }

    /// A packet with this item is lost.
    pub(in crate::transfer) fn handle_lost(&mut self, cx: &mut Context<'_>, item: Item) {
        if is_of_file(item) {
            match &mut self.job {
                Job::TreeSource(source) => return source.handle_lost(cx, item),
                Job::TreeSink(sink) => return sink.handle_lost(item),
                _ => {}
            }
        }
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
            (Item::Credit { .. }, Job::Sink(sink)) => sink.credit_lost(),
            _ if self.faults.strikes(Fault::LostControlForgotten) => {}
            _ => {
                if let Some(delivery) = self.delivery(item) {
                    delivery.lost();
                }
            }
        }
    }

    /// This item, which is under way, is to be said once more; false when that would need a disk.
    pub(in crate::transfer) fn handle_copied(&mut self, cx: &mut Context<'_>, item: Item) -> bool {
        match (item, &mut self.job) {
            (
                Item::Data {
                    again, offset, len, ..
                },
                Job::Source(source),
            ) => source.data_copied(again, offset, len),
            _ => {
                self.handle_lost(cx, item);
                true
            }
        }
    }

    /// Whether there will be more to say by its own doing.
    pub(in crate::transfer) fn has_more_to_say(&self) -> bool {
        self.phase != Phase::Ended
            && match &self.job {
                Job::Source(source) => !source.all_was_sent() || !source.is_verified(),
                Job::TreeSource(_) | Job::TreeSink(_) => true,
                Job::Lister(lister) => !lister.is_sent(),
                Job::Answer(answer) => answer.meta.is_none(),
                Job::SourceToBe(_) => true,
                _ => false,
            }
    }

    /// Whether bytes of a file or listing can be sent.
    pub(in crate::transfer) fn has_data(&self) -> bool {
        match &self.job {
            // What became of its files, its source hears after the end, too.
            Job::TreeSink(sink) => self.is_past_request() && sink.has_frame(),
            _ if self.phase != Phase::Running => false,
            Job::Source(source) => source.has_data(),
            Job::TreeSource(source) => source.has_frame(),
            Job::Lister(lister) => lister.has_frame(),
            _ => false,
        }
    }

    /// Writes one frame of bytes; false when there is none, or no room.
    pub(in crate::transfer) fn write_data(
        &mut self,
        cx: &mut Context<'_>,
        key: Key,
        packet: &mut PacketWriter<'_>,
    ) -> bool {
        let may = match &self.job {
            Job::TreeSink(_) => self.is_past_request(),
            _ => self.phase == Phase::Running,
        };
        match (&mut self.job, self.number) {
            _ if !may => false,
            (Job::TreeSource(source), Some(number)) => source.write_frames(cx, key, number, packet),
            (Job::TreeSink(sink), Some(number)) => sink.write_frames(key, number, packet),
            (Job::Source(source), Some(number)) => source.write_data(key, number, packet),
            (Job::Lister(lister), Some(number)) => lister.write_frame(key, number, packet),
            _ => false,
        }
    }

    /// The bytes that come next, if those are all that comes next.
    pub(in crate::transfer) fn run(&self, key: Key) -> Option<Run<'_>> {
        match (&self.job, self.number) {
            (Job::Source(source), Some(number)) if self.phase == Phase::Running => {
                source.run(key, number)
            }
            _ => None,
        }
    }

    /// The first `bytes` of the run were sent.
    pub(in crate::transfer) fn on_run_sent(&mut self, bytes: u64) {
        if let Job::Source(source) = &mut self.job {
            source.on_run_sent(bytes);
        }
    }

    fn is_past_request(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Ended)
    }

    pub(in crate::transfer) fn is_tree(&self) -> bool {
        matches!(self.job, Job::TreeSource(_) | Job::TreeSink(_))
    }
}

/// What the one file of an answer is.
fn entry(transfer: u64, meta: &Meta) -> Frame<'_> {
    Frame::Entry {
        transfer,
        file: 0,
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

/// Whether the item is about a file of a transfer, and not about the transfer.
fn is_of_file(item: Item) -> bool {
    match item {
        Item::Request | Item::Accept | Item::Refuse | Item::Cancel | Item::Page { .. } => false,
        Item::Failed { file } => file != 0,
        _ => true,
    }
}
