//! Acting on the peer's frames about one transfer.

use super::job::Job;
use super::{Farewell, Phase, Transfer};
use crate::event::{Failure, FileInfo, Finished};
use crate::transfer::Context;
use crate::transfer::codes::{Fault, check_regular};
use crate::transfer::sink::Announced;
use crate::wire::{Data, Durability, Entry, Frame, RequestKind, StoredAs};

impl Transfer {
    /// Acts on a frame for this transfer; false when it cannot be taken now and must come again.
    pub(in crate::transfer) fn handle_frame(
        &mut self,
        cx: &mut Context<'_>,
        frame: &Frame<'_>,
    ) -> Result<bool, Fault> {
        if self.requester {
            // Whatever the peer says of the transfer, it knows the request.
            self.request.acked();
        }
        if self.phase == Phase::Ended {
            return Ok(true);
        }
        match frame {
            Frame::Accept { credit, .. } => self.handle_accept(*credit)?,
            Frame::Refuse { code, .. } if self.requester => {
                self.give_up(cx, Failure::Refused(*code), Farewell::None);
            }
            Frame::Cancel { code, .. } | Frame::Failed { file: 0, code, .. } => {
                self.give_up(cx, Failure::Peer(*code), Farewell::None);
            }
            _ => return self.handle_file_frame(cx, frame),
        }
        Ok(true)
    }

    /// Acts on bytes when this is a running transfer of one file whose sink is here; `None` otherwise.
    pub(in crate::transfer) fn handle_data(
        &mut self,
        cx: &mut Context<'_>,
        data: &Data<'_>,
    ) -> Option<Result<bool, Fault>> {
        match &mut self.job {
            Job::Sink(sink) if self.phase == Phase::Running && data.file == 0 => {
                Some(sink.handle_data(cx, data.offset, data.data))
            }
            _ => None,
        }
    }

    /// Takes bytes that only make a block longer that was begun, if this is a running transfer of one file whose sink is here.
    pub(in crate::transfer) fn append(&mut self, data: &Data<'_>) -> bool {
        match &mut self.job {
            Job::Sink(sink) => {
                self.phase == Phase::Running
                    && self.number == Some(data.transfer)
                    && data.file == 0
                    && sink.append(data.offset, data.data)
            }
            _ => false,
        }
    }

    fn handle_accept(&mut self, credit: u64) -> Result<(), Fault> {
        if !self.requester {
            return Err(Fault::VIOLATION);
        }
        if let Job::Source(source) = &mut self.job
            && self.phase == Phase::Requesting
        {
            source.accept(credit);
            self.events.entry = source.meta().map(super::file_info);
        }
        if let Job::TreeSource(source) = &mut self.job
            && self.phase == Phase::Requesting
        {
            source.accept(credit);
            self.events.entry = source.meta().map(super::file_info);
        }
        self.accepted();
        Ok(())
    }

    fn accepted(&mut self) {
        if self.phase == Phase::Requesting {
            self.phase = Phase::Running;
            self.events.accepted = true;
        }
    }

    /// Frames between source and sink, and between the two ends of a listing.
    fn handle_file_frame(
        &mut self,
        cx: &mut Context<'_>,
        frame: &Frame<'_>,
    ) -> Result<bool, Fault> {
        // What only an accepting responder says arrives before its ACCEPT, too. A source begins after ACCEPT only.
        let from_responder =
            self.requester && !matches!(self.job, Job::Source(_) | Job::TreeSource(_));
        if from_responder {
            self.accepted();
        }
        if self.phase != Phase::Running {
            return Err(Fault::VIOLATION);
        }
        if let Some(taken) = self.handle_tree_frame(cx, frame)? {
            return Ok(taken);
        }
        match &mut self.job {
            Job::Ask => self.handle_answer(cx, frame)?,
            Job::Sink(_) => return self.handle_as_sink(cx, frame),
            Job::Source(_) => return self.handle_as_source(cx, frame),
            Job::Lister(lister) => match frame {
                Frame::Credit { limit, .. } => lister.handle_credit(*limit),
                _ => return Err(Fault::VIOLATION),
            },
            Job::Reader(reader) => match frame {
                Frame::Page {
                    offset, last, data, ..
                } => return reader.handle_page(*offset, *last, data),
                _ => return Err(Fault::VIOLATION),
            },
            _ => return Err(Fault::VIOLATION),
        }
        Ok(true)
    }

    /// The answer to a question, or to a change of names.
    fn handle_answer(&mut self, cx: &mut Context<'_>, frame: &Frame<'_>) -> Result<(), Fault> {
        let kind = self.asked.kind;
        match *frame {
            Frame::Done {
                count, durability, ..
            } if kind.changes_names() => {
                self.end(cx, Ok(Finished::Changed { count, durability }));
            }
            Frame::Entry {
                file: 0, ref entry, ..
            } if !kind.changes_names() => {
                self.events.entry = Some(info(entry)?);
                if kind == RequestKind::Stat {
                    self.end(cx, Ok(Finished::Answered));
                }
            }
            Frame::Seal {
                file: 0,
                size,
                root,
                ..
            } if kind == RequestKind::Hash => {
                self.end(cx, Ok(Finished::Hashed { root: *root, size }));
            }
            _ => return Err(Fault::VIOLATION),
        }
        Ok(())
    }

    /// What the source of the one file says.
    fn handle_as_sink(&mut self, cx: &mut Context<'_>, frame: &Frame<'_>) -> Result<bool, Fault> {
        let Job::Sink(sink) = &mut self.job else {
            return Err(Fault::VIOLATION);
        };
        match *frame {
            Frame::Data {
                file: 0,
                offset,
                data,
                ..
            } => return sink.handle_data(cx, offset, data),
            Frame::Piece {
                file: 0,
                index,
                value,
                ..
            } => return sink.handle_piece(index, *value),
            Frame::Seal {
                file: 0,
                size,
                root,
                ..
            } => sink.handle_seal(size, *root)?,
            Frame::Entry {
                file: 0,
                version,
                ref entry,
                ..
            } => {
                let info = info(entry)?;
                check_regular(info.kind)?;
                let known = sink.is_announced();
                sink.handle_entry(Announced {
                    size: info.size,
                    mtime: info.mtime,
                    mode: info.mode,
                    version: *version,
                })?;
                if !known {
                    self.events.entry = Some(info);
                }
            }
            _ => return Err(Fault::VIOLATION),
        }
        Ok(true)
    }

    /// What the sink of the one file says.
    fn handle_as_source(&mut self, cx: &mut Context<'_>, frame: &Frame<'_>) -> Result<bool, Fault> {
        let Job::Source(source) = &mut self.job else {
            return Err(Fault::VIOLATION);
        };
        match *frame {
            Frame::Want {
                file: 0,
                start,
                end,
                ..
            } => return source.handle_want(cx.pool, start, end),
            Frame::Have {
                file: 0,
                index,
                level,
                value,
                ..
            } => source.handle_have(index, level, *value)?,
            Frame::Credit { limit, file: 0, .. } => source.handle_credit(limit),
            Frame::Stored {
                file: 0,
                how,
                durability,
                ..
            } => self.handle_stored(cx, how, durability)?,
            _ => return Err(Fault::VIOLATION),
        }
        Ok(true)
    }

    fn handle_stored(
        &mut self,
        cx: &mut Context<'_>,
        how: StoredAs,
        durability: Durability,
    ) -> Result<(), Fault> {
        let Job::Source(source) = &mut self.job else {
            return Err(Fault::VIOLATION);
        };
        let root = match how {
            StoredAs::Written if source.is_verified() => source.root(),
            StoredAs::Unchanged if self.asked.compare => None,
            _ => return Err(Fault::VIOLATION),
        };
        if how == StoredAs::Written {
            self.events.progress |= source.all_arrived();
        }
        let size = source.progress().1;
        self.end(
            cx,
            Ok(Finished::Stored {
                root,
                size,
                how,
                durability,
            }),
        );
        Ok(())
    }
}

/// What ENTRY says of the one file of a transfer: whose name is empty, since the requester chose it (C1).
fn info(entry: &Entry<'_>) -> Result<FileInfo, Fault> {
    if !entry.name.is_empty() {
        return Err(Fault::VIOLATION);
    }
    let Entry {
        kind,
        size,
        mtime,
        mode,
        ..
    } = *entry;
    Ok(FileInfo {
        kind,
        size,
        mtime,
        mode,
    })
}
