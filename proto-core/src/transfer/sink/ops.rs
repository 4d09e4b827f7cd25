//! A sink's file operations: lent, come home, undone.

use super::Sink;
use super::commit::{self, Step, Target, TempFile};
use super::log::{Log, LogStep};
use crate::fault::Fault as Planted;
use crate::file::{BLOCK_SIZE, Block, FileError, Operation, Outcome, Use, block_hash, block_len};
use crate::transfer::codes::Fault;
use crate::transfer::{Context, OpKind};
use crate::wire::{Durability, ErrorCode};

impl Sink {
    /// Whether [`poll_op`](Self::poll_op) has something.
    pub(in crate::transfer) fn has_op(&self) -> bool {
        if self.aborted {
            let out = self.log.as_ref().is_some_and(Log::is_out);
            return !self.step_out && !out && self.writes_out == 0 && self.step != Step::Gone;
        }
        match self.step {
            Step::Receive => {
                self.entry.is_some() && (self.assembly.has_full() || self.log_step().is_some())
            }
            step => step.is_operation() && !self.step_out,
        }
    }

    /// The next operation to lend.
    pub(in crate::transfer) fn poll_op(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Result<Option<(OpKind, Operation)>, Fault> {
        if !self.has_op() {
            return Ok(None);
        }
        if self.aborted {
            return Ok(self.clean_up());
        }
        if self.step == Step::Receive {
            let log = self.log_step().and_then(|step| self.write_log(step));
            return Ok(log.or_else(|| self.write()));
        }
        if self.step == Step::Load {
            let op = self.load(cx)?;
            self.step_out = op.is_some();
            return Ok(op);
        }
        if self.step == Step::Create {
            if self.temp.path.is_none() {
                let number = cx.rng.next_u64();
                self.temp.path = Some(commit::numbered_temp(number, &self.plan.to.path)?);
            }
            self.temp.file = Some(cx.allot_file());
        }
        let log = self.log.as_ref().map(|log| log.file);
        let op = match self.step {
            Step::Look => self.journal().map(|path| Operation::Stat {
                root: self.plan.to.root,
                path,
            }),
            Step::OpenLog => self.open_log(cx),
            Step::ReadHeader | Step::StatPart | Step::CloseLog if self.is_unchanged() => {
                self.leftover_op()
            }
            step => commit::operation(step, &self.plan, &self.temp, self.entry, log),
        };
        self.step_out = op.is_some();
        if self.step == Step::SyncDir && self.faults.strikes(Planted::StoredEarly) {
            self.step = Step::Stored;
        }
        Ok(op.map(|op| (OpKind::Step, op)))
    }

    fn write(&mut self) -> Option<(OpKind, Operation)> {
        let (size, file) = (self.entry?.size, self.temp.file?);
        let (index, block) = self.assembly.pop_full()?;
        self.writes_out += 1;
        let op = Operation::Write {
            file,
            offset: index * u64::from(BLOCK_SIZE),
            len: block_len(size, index),
            block,
            hash: block_hash(size),
        };
        Some((OpKind::Write { index }, op))
    }

    /// What the journal asks for while bytes come.
    fn log_step(&self) -> Option<LogStep> {
        self.log.as_ref()?.next(self.durability)
    }

    fn write_log(&mut self, step: LogStep) -> Option<(OpKind, Operation)> {
        let (log, file) = (self.log.as_mut()?, self.temp.file?);
        let kind = match step {
            LogStep::Write => OpKind::WriteLog,
            LogStep::SyncData => OpKind::SyncData,
            LogStep::SyncLog => OpKind::SyncLog,
        };
        Some((kind, log.operation(step, file)))
    }

    /// What the journal asked for came home.
    fn log_done(&mut self, tag: OpKind, result: Result<Outcome, FileError>) -> Result<(), Fault> {
        let Some(log) = &mut self.log else {
            return Ok(());
        };
        let taken = result == Err(FileError::TakenOver);
        match (tag, result) {
            (OpKind::SyncData, Ok(_)) => log.data_synced(),
            (OpKind::SyncLog, result) => log.log_synced(result.is_ok()),
            (OpKind::WriteLog, result) => log.written(result.is_ok()),
            // A sync that failed is not tried again (D4).
            (_, Ok(_)) => log.log_synced(false),
            (_, Err(error)) => {
                log.log_synced(false);
                return if self.aborted {
                    Ok(())
                } else {
                    Err(error.into())
                };
            }
        }
        if self.aborted {
            return Ok(());
        }
        if taken {
            return Err(FileError::TakenOver.into());
        }
        self.finish_receiving()
    }

    /// Close, then remove or keep: the steps of a file that comes to nothing now. Their outcome changes nothing.
    fn clean_up(&mut self) -> Option<(OpKind, Operation)> {
        if let Some(log) = self
            .log
            .as_mut()
            .filter(|log| self.keep && log.is_pending())
        {
            return Some((OpKind::WriteLog, log.write()));
        }
        if self.keep {
            self.temp.path = None;
        }
        let log = self.log.as_ref().map(|log| log.file);
        let op = if let Some(file) = self.temp.file.take() {
            Operation::Close { file }
        } else if let Some(path) = self.temp.path.take() {
            Operation::Remove {
                root: self.plan.to.root,
                path,
                log,
            }
        } else {
            self.log = None;
            Operation::CloseLog {
                file: log?,
                remove: !self.keep,
            }
        };
        self.step_out = true;
        Some((OpKind::Close, op))
    }

    /// An operation came home.
    pub(in crate::transfer) fn handle_done(
        &mut self,
        cx: &mut Context<'_>,
        tag: OpKind,
        block: Option<Block>,
        result: Result<Outcome, FileError>,
    ) -> Result<(), Fault> {
        if let Some(block) = block.filter(|_| !self.faults.strikes(Planted::BlockLeaked)) {
            cx.pool.put(Use::Sink, block);
        }
        if let OpKind::Write { index } = tag {
            self.writes_out = self.writes_out.saturating_sub(1);
            let outcome = if self.aborted {
                Ok(())
            } else {
                self.written(cx, index, result)
            };
            self.settle(cx);
            return outcome;
        }
        if matches!(tag, OpKind::WriteLog | OpKind::SyncData | OpKind::SyncLog) {
            let outcome = self.log_done(tag, result);
            self.settle(cx);
            return outcome;
        }
        self.step_out = false;
        let outcome = match tag {
            OpKind::Step => self.step_done(result),
            OpKind::Verify => {
                self.writes_out = self.writes_out.saturating_sub(1);
                self.step_done(result)
            }
            _ => Ok(()),
        };
        self.settle(cx);
        outcome
    }

    /// A write came home: its block counts, its value is judged, credit rises.
    fn written(
        &mut self,
        cx: &mut Context<'_>,
        index: u64,
        result: Result<Outcome, FileError>,
    ) -> Result<(), Fault> {
        let (Some(entry), Some(pieces)) = (self.entry, &mut self.pieces) else {
            return Ok(());
        };
        let expected = block_len(entry.size, index);
        let value = match result? {
            Outcome::Moved { len, value } if len == expected => value,
            _ => return Err(Fault::Transfer(ErrorCode::Io)),
        };
        let verdict = pieces.block(index, value)?;
        self.note_verified();
        let cap = self.credit_cap();
        if self.owed.remove(index..index + 1) > 0 {
            self.credit.repay(cap);
        } else {
            self.written += u64::from(expected);
            self.credit.complete(cx.pool, cx.now, cx.rtt, cap);
            if self.faults.strikes(Planted::CreditCountedTwice) {
                self.credit.complete(cx.pool, cx.now, cx.rtt, cap);
            }
        }
        self.obey(verdict);
        self.finish_receiving()
    }

    fn step_done(&mut self, result: Result<Outcome, FileError>) -> Result<(), Fault> {
        match (self.step, &result) {
            // What was not created need not be removed; what could not be closed is closed.
            (Step::Create, Err(_)) => self.temp = TempFile::default(),
            (Step::Close, _) => self.temp.file = None,
            (Step::Rename, Ok(_)) => self.temp.path = None,
            (Step::OpenLog, _) => {
                self.log_opened(result);
                return if self.aborted { Ok(()) } else { self.advance() };
            }
            (Step::Load, result) => self.load_done(result.is_ok()),
            (Step::ReadHeader | Step::StatPart, _) => {
                self.leftover_done(&result);
                return if self.aborted { Ok(()) } else { self.advance() };
            }
            (Step::CloseLog, _) => {
                self.log = None;
                return self.advance();
            }
            _ => {}
        }
        if self.aborted {
            return Ok(());
        }
        if self.step == Step::Load {
            let more = self.loaded(result)?;
            return if more { Ok(()) } else { self.advance() };
        }
        match (self.step, result) {
            (Step::StatTarget, Err(FileError::NotFound)) => {}
            (Step::Look, result) => self.found = result.is_ok(),
            (Step::StatTarget, Ok(outcome)) => {
                self.plan.may_replace |= self.faults.strikes(Planted::TargetReplaced);
                self.target = commit::judge_target(&self.plan, self.entry, &outcome)?;
            }
            (Step::SetBits, Ok(Outcome::Metas(metas))) => {
                self.target = Target::Same;
                for meta in metas {
                    meta?;
                }
            }
            (Step::FreeSpace, Ok(Outcome::Free(free)))
                if free < self.progress().1 - self.had_bytes =>
            {
                return Err(Fault::Transfer(ErrorCode::NoSpace));
            }
            // A random name that is taken is not the target that exists.
            (Step::Create, Err(FileError::Exists)) => return Err(Fault::Transfer(ErrorCode::Io)),
            // The file stands under its name and is whole: only the name may not survive a power loss.
            (Step::SyncDir, Err(_)) => self.durability = Durability::File,
            (Step::Sync, Err(_)) if self.faults.strikes(Planted::SyncFailureIgnored) => {}
            (_, result) => {
                result?;
            }
        }
        self.advance()
    }

    fn advance(&mut self) -> Result<(), Fault> {
        self.cleared |= self.step == Step::FreeSpace && self.entry.is_none();
        self.step = self.astray(self.following(self.step));
        if self.step == Step::CloseLog && self.log.is_none() {
            self.step = Step::Stored;
        }
        if self.step != Step::Receive {
            return Ok(());
        }
        if let (Some(_), Some(pieces)) = (&self.log, &mut self.pieces) {
            pieces.keep_verified();
        }
        if self.source_waits() {
            self.ask();
        }
        self.finish_receiving()
    }

    /// The target stays as it is, but perhaps for its permission bits.
    pub(super) fn is_unchanged(&self) -> bool {
        self.target != Target::Other
    }

    /// The step after `step`.
    pub(super) fn following(&self, step: Step) -> Step {
        let early = self.entry.is_none() && self.plan.announced.is_some();
        let journal = || self.journal().is_some();
        match step {
            Step::StatTarget if self.target == Target::SameButBits => Step::SetBits,
            // A journal that was not removed when the file was stored.
            Step::StatTarget | Step::SetBits if self.is_unchanged() && journal() => Step::Look,
            Step::Look if self.is_unchanged() && self.found => Step::OpenLog,
            Step::OpenLog if self.is_unchanged() && self.log.is_some() => Step::ReadHeader,
            Step::ReadHeader if self.leftover.is_some() => Step::StatPart,
            Step::OpenLog | Step::ReadHeader if self.is_unchanged() => Step::CloseLog,
            Step::StatPart => Step::CloseLog,
            Step::StatTarget | Step::SetBits | Step::Look if self.is_unchanged() => Step::Stored,
            Step::Look if early && !self.found => Step::FreeSpace,
            Step::Look => Step::AwaitEntry,
            Step::AwaitEntry if self.found || self.cleared => match self.plan.announced {
                Some(_) if journal() => Step::OpenLog,
                _ => Step::StatTarget,
            },
            Step::AwaitEntry => Step::StatTarget,
            Step::StatTarget if early && journal() => Step::Look,
            Step::StatTarget if journal() => Step::OpenLog,
            Step::StatTarget => Step::FreeSpace,
            Step::OpenLog if self.log.is_some() => Step::Load,
            Step::FreeSpace if early && journal() => Step::AwaitEntry,
            Step::OpenLog | Step::Load if self.cleared => Step::Create,
            Step::OpenLog | Step::Load => Step::FreeSpace,
            Step::FreeSpace if self.temp.file.is_some() => Step::Receive,
            Step::FreeSpace => Step::Create,
            step => step.next(self.durability),
        }
    }

    /// Where planted bugs go instead of `step`.
    fn astray(&self, step: Step) -> Step {
        match step {
            Step::Sync if self.faults.strikes(Planted::SyncSkipped) => Step::Close,
            Step::Close if self.faults.strikes(Planted::SinkFileLeftOpen) => Step::Rename,
            Step::SyncDir if self.faults.strikes(Planted::DirectorySyncSkipped) => Step::Stored,
            step => step,
        }
    }

    /// Frees what the last step has no use for.
    fn settle(&mut self, cx: &mut Context<'_>) {
        let removed = self.temp.path.is_none() || self.faults.strikes(Planted::TempFileLeft);
        let clean = self.temp.file.is_none() && removed && self.log.is_none();
        if self.aborted && clean && !self.step_out && self.writes_out == 0 {
            self.step = Step::Gone;
        }
        if matches!(self.step, Step::Stored | Step::Gone) {
            self.assembly.clear(cx.pool);
            self.credit.release(cx.pool);
        }
    }

    /// The file shall come to nothing; false when it is too late for that: it is being given its name, or has it.
    /// With `keep`, what is there stays for a later transfer, if it is worth it.
    pub(in crate::transfer) fn abort(&mut self, cx: &mut Context<'_>, keep: bool) -> bool {
        let renaming = self.step == Step::Rename && self.step_out;
        if renaming || matches!(self.step, Step::SyncDir | Step::CloseLog | Step::Stored) {
            return false;
        }
        self.aborted = true;
        let worth = self.log.as_ref().is_some_and(|log| log.worth && !log.dead);
        // The journal of what another command began is not this one's to remove, before it is known that nothing is left of that.
        self.keep = self.is_unchanged() || (keep && worth);
        self.drop_discarded();
        self.wants.clear();
        self.haves.clear();
        self.assembly.clear(cx.pool);
        self.settle(cx);
        true
    }
}
