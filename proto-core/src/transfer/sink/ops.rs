//! A sink's file operations: lent, come home, undone.

use super::Sink;
use super::commit::{self, Step, TempFile};
use crate::fault::Fault as Planted;
use crate::file::{BLOCK_SIZE, Block, FileError, Operation, Outcome, Use, block_hash, block_len};
use crate::transfer::codes::Fault;
use crate::transfer::{Context, OpKind};
use crate::wire::{Durability, ErrorCode};

impl Sink {
    /// Whether [`poll_op`](Self::poll_op) has something.
    pub(in crate::transfer) fn has_op(&self) -> bool {
        if self.aborted {
            return !self.step_out && self.writes_out == 0 && self.step != Step::Gone;
        }
        match self.step {
            Step::Receive => self.assembly.has_full() && self.entry.is_some(),
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
            return Ok(self.write());
        }
        if self.step == Step::Create {
            self.temp.path = Some(commit::temp_name(cx.rng, &self.plan.to.path)?);
            self.temp.file = Some(cx.allot_file());
        }
        let op = commit::operation(self.step, &self.plan, &self.temp, self.entry);
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

    /// Close, then remove: the steps of a file that comes to nothing. Their outcome changes nothing.
    fn clean_up(&mut self) -> Option<(OpKind, Operation)> {
        let op = match (self.temp.file.take(), &mut self.temp.path) {
            (Some(file), _) => Operation::Close { file },
            (None, path) => Operation::Remove {
                root: self.plan.to.root,
                path: path.take()?,
            },
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
        self.step_out = false;
        let outcome = if tag == OpKind::Step {
            self.step_done(result)
        } else {
            Ok(())
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
            _ => {}
        }
        if self.aborted {
            return Ok(());
        }
        match (self.step, result) {
            (Step::StatTarget, Err(FileError::NotFound)) => {}
            (Step::StatTarget, Ok(outcome)) => {
                self.plan.may_replace |= self.faults.strikes(Planted::TargetReplaced);
                if commit::judge_target(&self.plan, self.entry, &outcome)? {
                    self.unchanged = true;
                    self.step = Step::Stored;
                    return Ok(());
                }
            }
            (Step::FreeSpace, Ok(Outcome::Free(free))) if free < self.progress().1 => {
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
        self.step = self.astray(self.step.next(self.durability));
        if self.step != Step::Receive {
            return Ok(());
        }
        if let Some(entry) = self.entry.filter(|_| self.plan.compare || self.plan.waits) {
            self.want(0, entry.size);
        }
        self.finish_receiving()
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
        let clean = self.temp.file.is_none() && removed;
        if self.aborted && clean && !self.step_out && self.writes_out == 0 {
            self.step = Step::Gone;
        }
        if matches!(self.step, Step::Stored | Step::Gone) {
            self.assembly.clear(cx.pool);
            self.credit.release(cx.pool);
        }
    }

    /// The file shall come to nothing; false when it is too late for that: it is being given its name, or has it.
    pub(in crate::transfer) fn abort(&mut self, cx: &mut Context<'_>) -> bool {
        let renaming = self.step == Step::Rename && self.step_out;
        if renaming || matches!(self.step, Step::SyncDir | Step::Stored) {
            return false;
        }
        self.aborted = true;
        self.wants.clear();
        self.assembly.clear(cx.pool);
        self.settle(cx);
        true
    }
}
