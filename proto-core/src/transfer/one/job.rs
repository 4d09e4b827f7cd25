//! What a transfer does, apart from being asked and answered.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::event::LimitedBy;
use crate::file::{Block, FileError, Meta, Operation, Outcome, Pool, Use};
use crate::transfer::change::Change;
use crate::transfer::codes::Fault;
use crate::transfer::delivery::Delivery;
use crate::transfer::digest::Digest;
use crate::transfer::listing::{Lister, Reader};
use crate::transfer::progress::Owed;
use crate::transfer::sink::{Plan, Sink};
use crate::transfer::source::Source;
use crate::transfer::tree::{TreePlan, TreeSink, TreeSource};
use crate::transfer::{Context, FileReport, OpKind, OpTag, Place};
use crate::wire::ErrorCode;

/// The work of one transfer at this end.
#[derive(Debug)]
pub(super) enum Job {
    /// None yet, or no more.
    Nothing,
    /// A sink that waits for memory.
    SinkToBe(Plan),
    /// A source that waits for memory.
    SourceToBe(Place),
    /// A directory's sink that waits for memory.
    TreeSinkToBe(TreePlan),
    Sink(Box<Sink>),
    Source(Box<Source>),
    TreeSink(Box<TreeSink>),
    TreeSource(Box<TreeSource>),
    Lister(Box<Lister>),
    Reader(Box<Reader>),
    /// Answers `Stat`.
    Answer(Answer),
    /// Answers `Hash`.
    Digest(Box<Digest>),
    /// Changes names.
    Change(Box<Change>),
    /// Asked `Stat`, `Hash`, or for a change of names.
    Ask,
}

/// The answer to `Stat`.
#[derive(Debug)]
pub(super) struct Answer {
    place: Place,
    op_out: bool,
    pub(super) meta: Option<Meta>,
    pub(super) entry: Delivery,
}

impl Answer {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            op_out: false,
            meta: None,
            entry: Delivery::Unneeded,
        }
    }
}

impl Job {
    /// Tries to get the memory that the job waits for; true when it waits no more.
    pub(super) fn begin(&mut self, cx: &mut Context<'_>, go: bool) -> bool {
        *self = match core::mem::replace(self, Self::Nothing) {
            Self::SinkToBe(plan) => match Sink::new(cx, plan) {
                Ok(sink) => Self::Sink(Box::new(sink)),
                Err(plan) => Self::SinkToBe(plan),
            },
            Self::SourceToBe(place) => match Source::new(cx, place, go) {
                Ok(source) => Self::Source(Box::new(source)),
                Err(place) => Self::SourceToBe(place),
            },
            Self::TreeSinkToBe(plan) => {
                let blocks = cx.config.limits.credit_blocks_initial;
                match TreeSink::new(cx, plan, blocks) {
                    Ok(sink) => Self::TreeSink(Box::new(sink)),
                    Err(plan) => Self::TreeSinkToBe(plan),
                }
            }
            job => job,
        };
        !matches!(
            self,
            Self::SinkToBe(_) | Self::SourceToBe(_) | Self::TreeSinkToBe(_)
        )
    }

    /// Whether the request may be sent, or accepted.
    pub(super) fn is_prepared(&self) -> bool {
        match self {
            Self::Sink(sink) => sink.is_prepared(),
            Self::Source(source) => source.meta().is_some(),
            Self::TreeSink(_) => true,
            Self::TreeSource(source) => source.is_prepared(),
            Self::Lister(lister) => lister.is_opened(),
            Self::Answer(answer) => answer.meta.is_some(),
            Self::Digest(digest) => digest.meta().is_some(),
            Self::Change(change) => change.is_prepared(),
            Self::Reader(_) | Self::Ask => true,
            Self::Nothing | Self::SinkToBe(_) | Self::SourceToBe(_) | Self::TreeSinkToBe(_) => {
                false
            }
        }
    }

    /// Whether all of an answer was said, perhaps not yet heard.
    pub(super) fn is_answered(&self) -> bool {
        match self {
            Self::Lister(lister) => lister.is_sent(),
            Self::Answer(answer) => answer.meta.is_some(),
            _ => false,
        }
    }

    pub(super) fn has_op(&self, read_ahead: u32) -> bool {
        match self {
            Self::Sink(sink) => sink.has_op(),
            Self::Source(source) => source.has_op(read_ahead),
            Self::TreeSink(sink) => sink.has_op(),
            Self::TreeSource(source) => source.has_op(),
            Self::Lister(lister) => lister.has_op(),
            Self::Answer(answer) => answer.meta.is_none() && !answer.op_out,
            Self::Digest(digest) => digest.has_op(),
            Self::Change(change) => change.has_op(),
            _ => false,
        }
    }

    pub(super) fn poll_op(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Result<Option<(OpTag, Operation)>, Fault> {
        match self {
            Self::Sink(sink) => Ok(sink.poll_op(cx)?.map(of_one)),
            Self::Source(source) => Ok(source.poll_op(cx).map(of_one)),
            Self::TreeSink(sink) => sink.poll_op(cx),
            Self::TreeSource(source) => source.poll_op(cx),
            Self::Lister(lister) => Ok(lister.poll_op().map(of_one)),
            Self::Digest(digest) => Ok(digest.poll_op(cx).map(of_one)),
            Self::Change(change) => Ok(change.poll_op().map(of_one)),
            Self::Answer(answer) if answer.meta.is_none() && !answer.op_out => {
                answer.op_out = true;
                let (root, path) = (answer.place.root, answer.place.path.clone());
                Ok(Some(of_one((OpKind::Step, Operation::Stat { root, path }))))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn handle_done(
        &mut self,
        cx: &mut Context<'_>,
        tag: OpTag,
        block: Option<Block>,
        result: Result<Outcome, FileError>,
    ) -> Result<(), Fault> {
        match self {
            Self::Sink(sink) => sink.handle_done(cx, tag.kind, block, result),
            Self::Source(source) => source.handle_done(cx, tag.kind, block, result),
            Self::TreeSink(sink) => sink.handle_done(cx, tag, block, result),
            Self::TreeSource(source) => source.handle_done(cx, tag, block, result),
            Self::Lister(lister) => lister.handle_done(result),
            Self::Digest(digest) => digest.handle_done(tag.kind, result),
            Self::Change(change) => change.handle_done(result),
            Self::Answer(answer) => match result? {
                Outcome::Meta(meta) => {
                    answer.meta = Some(meta);
                    answer.entry = Delivery::Due;
                    Ok(())
                }
                _ => Err(Fault::Transfer(ErrorCode::Io)),
            },
            _ => {
                give_back(cx.pool, tag, block);
                Ok(())
            }
        }
    }

    /// Gives the work up; false when it is too late, because the file is being stored.
    /// With `keep`, a sink leaves what a later transfer may go on with.
    pub(super) fn abort(&mut self, cx: &mut Context<'_>, keep: bool) -> bool {
        match self {
            Self::Sink(sink) => return sink.abort(cx, keep),
            Self::TreeSink(sink) => return sink.abort(cx, keep),
            Self::Change(change) => return change.abort(),
            Self::Source(source) => source.close(cx),
            Self::Digest(digest) => digest.close(),
            Self::TreeSource(source) => source.close(cx),
            Self::Lister(lister) => lister.close(),
            _ => *self = Self::Nothing,
        }
        true
    }

    /// Frees what is not needed once the outcome is known.
    pub(super) fn finish(&mut self, cx: &mut Context<'_>) {
        match self {
            Self::Source(source) => source.close(cx),
            Self::TreeSource(source) => source.close(cx),
            Self::TreeSink(sink) => sink.finish(cx),
            _ => {}
        }
    }

    /// Whether nothing is open or to be undone any more, apart from operations on loan.
    pub(super) fn is_clean(&self) -> bool {
        match self {
            Self::Sink(sink) => sink.is_gone() || sink.stored().is_some(),
            Self::Source(source) => source.is_closed(),
            Self::Digest(digest) => digest.is_closed(),
            Self::TreeSink(sink) => sink.is_clean(),
            Self::TreeSource(source) => source.is_closed(),
            _ => true,
        }
    }

    /// Whether memory is held that is of no use now.
    pub(super) fn is_idle(&self) -> bool {
        match self {
            Self::Source(source) => source.is_idle(),
            Self::TreeSource(source) => source.is_idle(),
            _ => false,
        }
    }

    /// Gives memory that is of no use now to those that wait for some.
    pub(super) fn yield_memory(&mut self, cx: &mut Context<'_>) {
        match self {
            Self::Source(source) => source.yield_memory(cx),
            Self::TreeSource(source) => source.yield_memory(cx),
            _ => {}
        }
    }

    /// Leaves memory to those that have none, and takes it back when nobody wants it.
    pub(super) fn share_memory(&mut self, cx: &mut Context<'_>) {
        if let Self::Source(source) = self {
            source.share_memory(cx);
        }
    }

    /// Looks for memory that was given away and is needed again, and goes on with what waited for some.
    pub(super) fn regain_memory(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        match self {
            Self::Source(source) => source.regain_memory(cx),
            Self::TreeSource(source) => {
                source.regain_memory(cx);
                source.walk_on(cx)?;
            }
            Self::TreeSink(sink) => sink.begin_large(cx)?,
            _ => {}
        }
        Ok(())
    }

    /// Whether memory was given away and is needed again.
    pub(super) fn needs_memory(&self) -> bool {
        match self {
            Self::Source(source) => source.needs_memory(),
            Self::TreeSource(source) => source.needs_memory(),
            Self::TreeSink(sink) => sink.needs_memory(),
            _ => false,
        }
    }

    /// Whether the peer knows of all that this end stored of a directory.
    pub(super) fn is_heard(&self) -> bool {
        !matches!(self, Self::TreeSink(sink) if !sink.is_heard())
    }

    pub(super) fn has_reports(&self) -> bool {
        match self {
            Self::TreeSource(source) => source.has_reports(),
            Self::TreeSink(sink) => sink.has_reports(),
            _ => false,
        }
    }

    /// What became of files of a directory.
    pub(super) fn take_reports(&mut self) -> Option<Vec<FileReport>> {
        match self {
            Self::TreeSource(source) => source.take_reports(),
            Self::TreeSink(sink) => sink.take_reports(),
            _ => None,
        }
    }

    /// What the peer owes while the transfer runs.
    pub(super) fn owed(&self) -> Owed {
        match self {
            Self::Sink(sink) => sink.owed(),
            Self::Source(source) => source.owed(),
            Self::TreeSink(sink) => sink.owed(),
            Self::TreeSource(source) => source.owed(),
            Self::Lister(lister) => lister.owed(),
            _ => Owed::default(),
        }
    }

    /// Files that were found so far.
    pub(super) fn files(&self) -> u64 {
        match self {
            Self::TreeSource(source) => source.files_found(),
            Self::TreeSink(sink) => sink.files_found(),
            _ => 1,
        }
    }

    /// What holds the transfer up just now.
    pub(super) fn limited_by(&self) -> LimitedBy {
        match self {
            Self::Source(source) => source.limited_by(),
            Self::TreeSource(source) => source.limited_by(),
            Self::Sink(sink) => sink.limited_by(),
            Self::TreeSink(sink) => sink.limited_by(),
            _ => LimitedBy::Network,
        }
    }

    /// Bytes that were at the sink from an earlier transfer.
    pub(super) fn had(&self) -> u64 {
        match self {
            Self::Sink(sink) => sink.had_bytes(),
            Self::TreeSink(sink) => sink.had_bytes(),
            Self::Source(source) => source.had_bytes(),
            // A directory's source counts what travels, and no more.
            _ => 0,
        }
    }

    /// Bytes from the beginning on that are written and verified, of one file.
    pub(super) fn whole(&self) -> u64 {
        match self {
            Self::Sink(sink) => sink.whole(),
            _ => 0,
        }
    }

    /// Bytes at the sink for sure, bytes of the whole, bytes sent again.
    pub(super) fn progress(&self) -> (u64, u64, u64) {
        match self {
            Self::Sink(sink) => {
                let (bytes, size) = sink.progress();
                (bytes, size, 0)
            }
            Self::TreeSink(sink) => {
                let (bytes, size) = sink.progress();
                (bytes, size, 0)
            }
            Self::Source(source) => source.progress(),
            Self::TreeSource(source) => source.progress(),
            Self::Digest(digest) => {
                let (bytes, size) = digest.progress();
                (bytes, size, 0)
            }
            _ => (0, 0, 0),
        }
    }
}

fn of_one((kind, op): (OpKind, Operation)) -> (OpTag, Operation) {
    (OpTag::one(kind), op)
}

/// Sends a block home that belongs to no job any more.
fn give_back(pool: &mut Pool, tag: OpTag, block: Option<Block>) {
    let Some(block) = block else { return };
    let what = match tag.kind {
        OpKind::Write { .. } | OpKind::Verify => Use::Sink,
        _ => Use::Source,
    };
    pool.put(what, block);
}
