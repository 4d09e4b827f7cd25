//! What the application is told of a transfer, and when.

use super::Transfer;
use super::job::Job;
use crate::event::TransferStats;
use crate::fault::Fault;
use crate::transfer::event::TransferEvent;
use crate::transfer::{Context, Overwrite, Requested};
use crate::wire::RequestKind;

impl Transfer {
    /// Whether the outcome may be told: a stored file when STORED was sent, a failed one when it was removed.
    fn may_tell_outcome(&self, session_lost: bool) -> bool {
        match (&self.job, self.outcome) {
            (_, None) => false,
            (Job::Sink(_) | Job::Change(_) | Job::Digest(_), Some(Ok(_))) => {
                session_lost || self.stored.was_sent()
            }
            (Job::Sink(sink), Some(Err(_))) => sink.is_gone(),
            (Job::TreeSink(sink), Some(Err(_))) => sink.is_gone(),
            _ => true,
        }
    }

    /// Whether nothing follows for the application: the end was told, or the transfer never was.
    pub(in crate::transfer) fn is_told(&self) -> bool {
        self.events.finished
    }

    /// Keeps a listing's entries back, or no more.
    pub(in crate::transfer) fn hold_listing(&mut self, held: bool) {
        if let Job::Reader(reader) = &mut self.job {
            reader.held = held;
        }
    }

    pub(in crate::transfer) fn has_event(&self, admitted: bool, session_lost: bool) -> bool {
        if self.events.requested {
            return admitted;
        }
        let reader = matches!(&self.job, Job::Reader(reader) if reader.has_entries());
        let early = self.events.accepted || self.events.entry.is_some() || self.events.progress;
        let early = early || self.job.has_reports();
        let told = self.events.finished;
        !told && (early || (reader && self.is_open()) || self.may_tell_outcome(session_lost))
    }

    pub(in crate::transfer) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        admitted: bool,
        session_lost: bool,
    ) -> Option<TransferEvent> {
        if !self.has_event(admitted, session_lost) {
            return None;
        }
        let events = &mut self.events;
        if core::mem::take(&mut events.requested) {
            self.decide_by = Some(cx.now + cx.config.limits.decision_timeout);
            return Some(TransferEvent::Requested(self.requested_event()));
        }
        if core::mem::take(&mut events.accepted) {
            return Some(TransferEvent::Accepted);
        }
        if let Some(entry) = events.entry.take() {
            return Some(TransferEvent::Entry(entry));
        }
        if self.is_open()
            && let Job::Reader(reader) = &mut self.job
        {
            let entries = reader.take_entries();
            self.advance(cx);
            return entries.map(TransferEvent::Listing);
        }
        if let Some(files) = self.job.take_reports() {
            return Some(TransferEvent::Files(files));
        }
        if core::mem::take(&mut self.events.progress) {
            let limited_by = self.events.limited_by.take();
            let (bytes, size, resent) = self.job.progress();
            return Some(TransferEvent::Progress {
                bytes,
                had: self.job.had(),
                whole: self.job.whole(),
                size,
                resent,
                files: self.job.files(),
                limited_by: limited_by.unwrap_or_else(|| self.job.limited_by()),
            });
        }
        let result = self.outcome?;
        self.events.finished = !self.faults.strikes(Fault::EventTwice);
        if self.faults.strikes(Fault::EventLost) {
            return None;
        }
        let (bytes, _, resent) = self.job.progress();
        let elapsed = self.ended.since(self.started);
        let stats = TransferStats {
            bytes: bytes.saturating_sub(self.job.had()),
            resent,
            elapsed,
        };
        Some(TransferEvent::Finished { result, stats })
    }

    fn requested_event(&self) -> Requested {
        let put = self.asked.kind == RequestKind::Put;
        Requested {
            kind: self.asked.kind,
            path: self.asked.path.clone(),
            to: self.asked.to.clone(),
            size: if put { self.asked.amount } else { 0 },
            overwrite: match (self.asked.no_clobber, self.asked.compare) {
                (true, _) => Overwrite::Never,
                (false, true) => Overwrite::Compare,
                (false, false) => Overwrite::Replace,
            },
            durability: self.asked.durability,
            tree: self.asked.tree,
        }
    }
}
