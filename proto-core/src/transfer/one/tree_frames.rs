//! Acting on the peer's frames about the files of a directory.

use alloc::boxed::Box;

use super::Transfer;
use super::job::Job;
use crate::event::FileInfo;
use crate::transfer::Context;
use crate::transfer::codes::Fault;
use crate::transfer::tree::{TreePlan, TreeSink};
use crate::wire::{EntryKind, ErrorCode, Frame};

impl Transfer {
    /// Acts on a frame if it is about a directory, or may be: `None` says that it is not. False when the frame must come
    /// again.
    pub(super) fn handle_tree_frame(
        &mut self,
        cx: &mut Context<'_>,
        frame: &Frame<'_>,
    ) -> Result<Option<bool>, Fault> {
        if let Job::Sink(sink) = &mut self.job
            && self.asked.tree
            && !sink.is_announced()
        {
            match frame {
                Frame::Entry { file: 0, entry, .. } if entry.kind == EntryKind::Directory => {
                    let (plan, blocks) = sink.give_way(cx);
                    let plan = TreePlan {
                        to: plan.to.clone(),
                        compare: plan.compare,
                        may_replace: plan.may_replace,
                        durability: plan.durability,
                        preserve: plan.preserve,
                        keep_top_mode: plan.keep_top_mode,
                        plain_names: false,
                    };
                    let tree = TreeSink::new(cx, plan, blocks);
                    let tree = tree.map_err(|_| Fault::Transfer(ErrorCode::Busy))?;
                    self.job = Job::TreeSink(Box::new(tree));
                }
                Frame::Entry { file: 0, .. }
                | Frame::Data { file: 0, .. }
                | Frame::Piece { file: 0, .. } => return Ok(None),
                // Whether these are about a directory is not known yet.
                _ => return Ok(Some(false)),
            }
        }
        match &mut self.job {
            Job::TreeSink(sink) => sink_frame(cx, sink, frame).map(|(taken, entry)| {
                self.events.entry = self.events.entry.take().or(entry);
                Some(taken)
            }),
            Job::TreeSource(source) => {
                let file = |file: u64| u32::try_from(file).map_err(|_| Fault::VIOLATION);
                match *frame {
                    Frame::Want {
                        file: number,
                        start,
                        end,
                        ..
                    } => return source.handle_want(cx, file(number)?, start, end).map(Some),
                    Frame::Have {
                        file: number,
                        index,
                        level,
                        value,
                        ..
                    } => source.handle_have(cx, file(number)?, (index, level), *value)?,
                    Frame::Credit {
                        file: number,
                        limit,
                        ..
                    } => source.handle_credit(cx, file(number)?, limit),
                    Frame::Stored {
                        file: number,
                        how,
                        durability,
                        ..
                    } => source.handle_outcome(cx, file(number)?, Ok((how, durability)))?,
                    Frame::Failed {
                        file: number, code, ..
                    } => source.handle_outcome(cx, file(number)?, Err(code))?,
                    _ => return Err(Fault::VIOLATION),
                }
                Ok(Some(true))
            }
            _ => Ok(None),
        }
    }
}

/// Whether the frame was taken, and what the directory is, if it says so.
fn sink_frame(
    cx: &mut Context<'_>,
    sink: &mut TreeSink,
    frame: &Frame<'_>,
) -> Result<(bool, Option<FileInfo>), Fault> {
    let mut info = None;
    let taken = match *frame {
        Frame::Entry {
            file,
            parent,
            version,
            ref entry,
            ..
        } => {
            let is_new = file == 0 && !sink.is_begun();
            sink.handle_entry(cx, file, parent, version, entry)?;
            info = is_new.then_some(FileInfo {
                kind: entry.kind,
                size: 0,
                mtime: entry.mtime,
                mode: entry.mode,
            });
            true
        }
        Frame::Data {
            file, offset, data, ..
        } => sink.handle_data(cx, file, offset, data)?,
        Frame::Piece {
            file, index, value, ..
        } => sink.handle_piece(cx, file, index, *value)?,
        Frame::Seal {
            file, size, root, ..
        } => {
            sink.handle_seal(cx, file, size, *root)?;
            true
        }
        Frame::Failed { file, code, .. } => {
            sink.handle_failed(cx, file, code)?;
            true
        }
        _ => return Err(Fault::VIOLATION),
    };
    Ok((taken, info))
}
