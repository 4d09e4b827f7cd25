//! One transfer: asked, decided, done, ended.

mod audit;
mod decide;
mod ending;
mod events;
mod frames_in;
mod frames_out;
mod job;
mod start;
mod tree_frames;

use alloc::boxed::Box;
use alloc::vec::Vec;

use job::Job;

use super::codes::Fault;
use super::delivery::Delivery;
use super::event::Pending;
use super::progress::Owed;
use super::tree::TreeSource;
use super::{Context, OpKind, OpTag};
use crate::event::{Failure, FileInfo, Finished};
use crate::fault::{Fault as Planted, Faults};
use crate::file::{Block, FileError, Filter, Meta, Operation, Outcome};
use crate::time::Instant;
use crate::wire::{Durability, ErrorCode, FilePath, RequestKind};

/// Where a transfer stands.
///
/// | phase | at the requester | at the responder | then |
/// |---|---|---|---|
/// | `Requested` | – | the application decides, for a time | `Waiting`, `Preparing`, `Ended` |
/// | `Waiting` | for memory (`Get`, `Put`) | for memory (`Get`, `Put`) | `Preparing`, `Requesting` |
/// | `Preparing` | opens its file (`Put`) | opens, lists, looks | `Requesting`; `Running` |
/// | `Requesting` | REQUEST is out | – | `Running` |
/// | `Running` | accepted | accepted | `Ended` |
/// | `Ended` | the outcome is known | the outcome is known | freed, when the peer knows and all operations are home |
///
/// Any phase ends by a failure, a cancellation by either side, or the loss of the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    Requested,
    Waiting,
    Preparing,
    Requesting,
    Running,
    Ended,
}

/// What REQUEST says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Asked {
    pub(super) kind: RequestKind,
    pub(super) compare: bool,
    pub(super) no_clobber: bool,
    pub(super) tree: bool,
    /// The source waits for WANT, because the sink may have a part.
    pub(super) resume: bool,
    pub(super) durability: Durability,
    pub(super) amount: u64,
    pub(super) path: FilePath,
    /// `Rename`: the new path; otherwise empty.
    pub(super) to: FilePath,
    /// What of a directory is left out.
    pub(super) filter: Option<Filter>,
    /// The new path, or what is left out, as REQUEST says it.
    pub(super) argument: Vec<u8>,
}

/// How the peer is told of an end that is no success.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Farewell {
    None,
    Refuse(ErrorCode),
    Cancel(ErrorCode),
    Failed(ErrorCode),
}

/// One transfer, in either role.
#[derive(Debug)]
pub(super) struct Transfer {
    /// The requester's number, once REQUEST is to be sent.
    pub(super) number: Option<u64>,
    requester: bool,
    asked: Asked,
    phase: Phase,
    job: Job,
    request: Delivery,
    accept: Delivery,
    /// Credit that ACCEPT gives.
    accept_credit: u64,
    farewell: Farewell,
    farewell_delivery: Delivery,
    stored: Delivery,
    outcome: Option<Result<Finished, Failure>>,
    events: Pending,
    ops_out: u32,
    started: Instant,
    ended: Instant,
    /// When a request that the application knows of, but has not decided, is refused; once it is granted, when it is
    /// refused for want of memory.
    decide_by: Option<Instant>,
    /// What the session's progress knows of.
    owed: Owed,
    faults: Faults,
}

impl Transfer {
    fn new(cx: &Context<'_>, asked: Asked, requester: bool, phase: Phase, job: Job) -> Self {
        Self {
            number: None,
            requester,
            asked,
            phase,
            job,
            request: Delivery::Unneeded,
            accept: Delivery::Unneeded,
            accept_credit: 0,
            farewell: Farewell::None,
            farewell_delivery: Delivery::Unneeded,
            stored: Delivery::Unneeded,
            outcome: None,
            events: Pending::default(),
            ops_out: 0,
            started: cx.now,
            ended: cx.now,
            decide_by: None,
            owed: Owed::default(),
            faults: cx.config.faults(),
        }
    }

    fn is_open(&self) -> bool {
        self.outcome.is_none()
    }

    /// Whether the transfer counts against the limit of open ones (M7).
    ///
    /// The requester counts until the peer surely knows the outcome; the responder no longer counts what is wholly
    /// answered, of which it learns the end later than the requester. So an honest requester is never refused.
    pub(super) fn counts_as_open(&self) -> bool {
        if self.requester {
            return !self.is_settled();
        }
        self.is_open() && !self.job.is_answered()
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.phase == Phase::Waiting || self.job.needs_memory()
    }

    /// Whether memory is held that is of no use now.
    pub(super) fn is_idle(&self) -> bool {
        // One that waits for the peer's word, too: the peer may wait for what another transfer of this end would free.
        matches!(self.phase, Phase::Running | Phase::Requesting) && self.job.is_idle()
    }

    /// Gives memory that is of no use now to those that wait for some.
    pub(super) fn yield_memory(&mut self, cx: &mut Context<'_>) {
        if self.is_idle() {
            self.job.yield_memory(cx);
        }
    }

    /// Leaves memory that it can do without to those that have none, and takes it back when nobody wants it.
    pub(super) fn share_memory(&mut self, cx: &mut Context<'_>) {
        if self.phase == Phase::Running {
            self.job.share_memory(cx);
        }
    }

    /// Whether REQUEST is to be sent and needs a number.
    pub(super) fn needs_number(&self) -> bool {
        self.number.is_none() && self.request.is_due()
    }

    /// When the request is refused, if it is not decided before, or finds no memory.
    pub(super) fn decide_by(&self) -> Option<Instant> {
        let open = matches!(self.phase, Phase::Requested | Phase::Waiting);
        self.decide_by.filter(|_| open)
    }

    /// What the peer owed when this was asked last, and owes now.
    pub(super) fn note_owed(&mut self) -> (Owed, Owed) {
        let job = self.job.owed();
        let now = Owed {
            owes: job.owes && self.phase == Phase::Running,
            moved: job.moved.max(self.owed.moved),
        };
        (core::mem::replace(&mut self.owed, now), now)
    }

    /// Goes as far through the phases as what has happened allows.
    pub(super) fn advance(&mut self, cx: &mut Context<'_>) {
        if self.phase == Phase::Waiting
            && !self.faults.strikes(Planted::MemoryShort)
            && self
                .job
                .begin(cx, !self.asked.compare && !self.asked.resume)
        {
            self.phase = Phase::Preparing;
        }
        if self.is_open()
            && let Err(fault) = self.job.regain_memory(cx)
        {
            let code = match fault {
                Fault::Transfer(code) => code,
                Fault::Session(_) => ErrorCode::Io,
            };
            self.fail(cx, code);
        }
        if self.phase == Phase::Preparing && self.job.is_prepared() {
            self.prepared();
        }
        if self.phase == Phase::Running
            && let Some(result) = self.success()
        {
            if let Job::Sink(_) | Job::Change(_) | Job::Digest(_) = self.job {
                self.stored = Delivery::Due;
            }
            self.end(cx, Ok(result));
        }
    }

    fn prepared(&mut self) {
        if self.asked.kind == RequestKind::Put && self.requester {
            self.asked.tree = matches!(self.job, Job::TreeSource(_));
            if let Job::Source(source) = &self.job {
                self.asked.amount = source.progress().1;
            }
        }
        if self.requester {
            if let Job::Sink(sink) = &self.job {
                self.asked.amount = sink.credit_limit();
                self.asked.resume = sink.has_found();
            }
            self.request = Delivery::Due;
            self.phase = Phase::Requesting;
            return;
        }
        self.accept = Delivery::Due;
        self.phase = Phase::Running;
        let amount = self.asked.amount;
        match &mut self.job {
            Job::Sink(sink) => self.accept_credit = sink.first_credit(),
            Job::TreeSink(sink) => self.accept_credit = sink.first_credit(),
            Job::TreeSource(source) => {
                source.accept(amount);
                self.events.entry = source.meta().map(file_info);
            }
            Job::Source(source) => {
                source.accept(amount);
                self.events.entry = source.meta().map(file_info);
            }
            Job::Digest(digest) => self.events.entry = digest.meta().map(file_info),
            _ => {}
        }
    }

    /// The outcome, when all is done.
    fn success(&self) -> Option<Finished> {
        match &self.job {
            Job::Sink(sink) => sink.stored().map(|(how, durability)| Finished::Stored {
                root: sink.root(),
                size: sink.progress().1,
                how,
                durability,
            }),
            Job::TreeSink(sink) => sink.is_complete().then(|| Finished::Tree(sink.totals())),
            Job::TreeSource(source) => source
                .is_complete()
                .then(|| Finished::Tree(source.totals())),
            Job::Lister(lister) => lister.is_complete().then_some(Finished::Answered),
            Job::Reader(reader) => reader.is_complete().then_some(Finished::Answered),
            Job::Answer(answer) => (answer.entry == Delivery::Done).then_some(Finished::Answered),
            Job::Digest(digest) => digest
                .result()
                .map(|(size, root)| Finished::Hashed { root: *root, size }),
            Job::Change(change) if change.is_done() => {
                let (count, durability) = change.result();
                Some(Finished::Changed { count, durability })
            }
            _ => None,
        }
    }

    pub(super) fn has_op(&self, read_ahead: u32) -> bool {
        self.job.has_op(read_ahead)
    }

    pub(super) fn poll_op(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Result<Option<(OpTag, Operation)>, Fault> {
        let op = self.job.poll_op(cx)?;
        self.ops_out += u32::from(op.is_some());
        Ok(op)
    }

    pub(super) fn handle_file_done(
        &mut self,
        cx: &mut Context<'_>,
        tag: OpTag,
        block: Option<Block>,
        result: Result<Outcome, FileError>,
    ) -> Result<(), Fault> {
        self.ops_out = self.ops_out.saturating_sub(1);
        let is_directory =
            tag.kind == OpKind::Open && matches!(result, Err(FileError::IsDirectory));
        let tree = is_directory && self.asked.tree && self.is_open();
        if let Job::Source(source) = &mut self.job
            && tree
        {
            // The error is no error: it goes on as a directory.
            let _ = source.handle_done(cx, tag.kind, block, result);
            let place = source.give_way(cx);
            let source = TreeSource::new(place, self.asked.compare, self.asked.filter.take());
            self.job = Job::TreeSource(Box::new(source));
            return Ok(());
        }
        let before = self.job.progress().0;
        let done = self.job.handle_done(cx, tag, block, result);
        if self.job.progress().0 != before {
            self.events.went_on(self.job.limited_by());
        }
        done
    }
}

fn file_info(meta: &Meta) -> FileInfo {
    FileInfo {
        kind: meta.kind,
        size: meta.size,
        mtime: meta.mtime,
        mode: meta.mode,
    }
}
