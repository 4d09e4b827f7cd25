//! What a transfer does, apart from being asked and answered.

use alloc::boxed::Box;

use crate::file::{Block, FileError, Meta, Operation, Outcome, Pool, Use};
use crate::transfer::codes::Fault;
use crate::transfer::delivery::Delivery;
use crate::transfer::listing::{Lister, Reader};
use crate::transfer::progress::Owed;
use crate::transfer::sink::{Plan, Sink};
use crate::transfer::source::Source;
use crate::transfer::{Context, OpTag, Place};
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
    Sink(Box<Sink>),
    Source(Box<Source>),
    Lister(Box<Lister>),
    Reader(Box<Reader>),
    /// Answers `Stat`.
    Answer(Answer),
    /// Asked `Stat`.
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
            job => job,
        };
        !matches!(self, Self::SinkToBe(_) | Self::SourceToBe(_))
    }

    /// Whether the request may be sent, or accepted.
    pub(super) fn is_prepared(&self) -> bool {
        match self {
            Self::Sink(sink) => sink.is_prepared(),
            Self::Source(source) => source.meta().is_some(),
            Self::Lister(lister) => lister.is_opened(),
            Self::Answer(answer) => answer.meta.is_some(),
            Self::Reader(_) | Self::Ask => true,
            Self::Nothing | Self::SinkToBe(_) | Self::SourceToBe(_) => false,
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
            Self::Lister(lister) => lister.has_op(),
            Self::Answer(answer) => answer.meta.is_none() && !answer.op_out,
            _ => false,
        }
    }

    pub(super) fn poll_op(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Result<Option<(OpTag, Operation)>, Fault> {
        match self {
            Self::Sink(sink) => sink.poll_op(cx),
            Self::Source(source) => Ok(source.poll_op(cx)),
            Self::Lister(lister) => Ok(lister.poll_op()),
            Self::Answer(answer) if answer.meta.is_none() && !answer.op_out => {
                answer.op_out = true;
                let (root, path) = (answer.place.root, answer.place.path.clone());
                Ok(Some((OpTag::Step, Operation::Stat { root, path })))
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
            Self::Sink(sink) => sink.handle_done(cx, tag, block, result),
            Self::Source(source) => source.handle_done(cx, tag, block, result),
            Self::Lister(lister) => lister.handle_done(result),
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
    pub(super) fn abort(&mut self, cx: &mut Context<'_>) -> bool {
        match self {
            Self::Sink(sink) => return sink.abort(cx),
            Self::Source(source) => source.close(cx),
            Self::Lister(lister) => lister.close(),
            _ => *self = Self::Nothing,
        }
        true
    }

    /// Frees what is not needed once the outcome is known.
    pub(super) fn finish(&mut self, cx: &mut Context<'_>) {
        if let Self::Source(source) = self {
            source.close(cx);
        }
    }

    /// Whether nothing is open or to be undone any more, apart from operations on loan.
    pub(super) fn is_clean(&self) -> bool {
        match self {
            Self::Sink(sink) => sink.is_gone() || sink.stored().is_some(),
            Self::Source(source) => source.is_closed(),
            _ => true,
        }
    }

    /// Whether memory is held that is of no use now.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self, Self::Source(source) if source.is_idle())
    }

    /// Gives memory that is of no use now to those that wait for some.
    pub(super) fn yield_memory(&mut self, cx: &mut Context<'_>) {
        if let Self::Source(source) = self {
            source.yield_memory(cx);
        }
    }

    /// Leaves memory to those that have none, and takes it back when nobody wants it.
    pub(super) fn share_memory(&mut self, cx: &mut Context<'_>) {
        if let Self::Source(source) = self {
            source.share_memory(cx);
        }
    }

    /// Looks for memory that was given away and is needed again.
    pub(super) fn regain_memory(&mut self, cx: &mut Context<'_>) {
        if let Self::Source(source) = self {
            source.regain_memory(cx);
        }
    }

    /// Whether memory was given away and is needed again.
    pub(super) fn needs_memory(&self) -> bool {
        matches!(self, Self::Source(source) if source.needs_memory())
    }

    /// What the peer owes while the transfer runs.
    pub(super) fn owed(&self) -> Owed {
        match self {
            Self::Sink(sink) => sink.owed(),
            Self::Source(source) => source.owed(),
            Self::Lister(lister) => lister.owed(),
            _ => Owed::default(),
        }
    }

    /// Bytes at the sink for sure, bytes of the whole, bytes sent again.
    pub(super) fn progress(&self) -> (u64, u64, u64) {
        match self {
            Self::Sink(sink) => {
                let (bytes, size) = sink.progress();
                (bytes, size, 0)
            }
            Self::Source(source) => source.progress(),
            _ => (0, 0, 0),
        }
    }
}

/// Sends a block home that belongs to no job any more.
fn give_back(pool: &mut Pool, tag: OpTag, block: Option<Block>) {
    let Some(block) = block else { return };
    let what = match tag {
        OpTag::Write { .. } => Use::Sink,
        _ => Use::Source,
    };
    pool.put(what, block);
}
