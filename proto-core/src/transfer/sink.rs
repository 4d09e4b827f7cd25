//! The end that bytes come to: it gathers, writes, verifies and stores one file.

mod assembly;
mod commit;
mod credit;
mod pieces;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use assembly::Assembly;
use commit::{Step, TempFile};
pub(super) use commit::{Announced, Plan};
use credit::Credit;
use pieces::{Pieces, Verdict};

use super::codes::Fault;
use super::delivery::Delivery;
use super::{Context, OpTag};
use crate::file::{
    BLOCK_SIZE, Block, FileError, Operation, Outcome, PIECE_BLOCKS, Use, Value, block_count,
    block_hash, block_len,
};
use crate::range_set::RangeSet;
use crate::wire::{CloseCode, Durability, ErrorCode, StoredAs};

/// Pieces that may be begun beyond those that are verified with all before them: bounds what a source that holds
/// back bytes or PIECEs makes the sink remember.
const PIECES_AHEAD: u64 = 1_024;

/// A request for bytes, on its way to the source.
#[derive(Debug)]
pub(super) struct Want {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) delivery: Delivery,
}

/// One file on its way in.
#[derive(Debug)]
pub(super) struct Sink {
    plan: Plan,
    step: Step,
    /// The step's operation is on loan.
    step_out: bool,
    /// The file comes to nothing: what is on loan is awaited, then all is closed and removed.
    aborted: bool,
    writes_out: u32,
    entry: Option<Announced>,
    credit: Credit,
    assembly: Assembly,
    pieces: Option<Pieces>,
    seal: Option<(u64, Value)>,
    temp: TempFile,
    /// Blocks to be asked for once more, when there is room.
    again: VecDeque<(u64, u64)>,
    /// Blocks that were asked for once more and are not written.
    owed: RangeSet,
    pub(super) wants: Vec<Want>,
    /// Bytes written for the first time.
    written: u64,
    durability: Durability,
    unchanged: bool,
}

impl Sink {
    /// A sink with its first credit.
    ///
    /// # Errors
    /// The plan, when the pool has no credit to give now.
    pub(super) fn new(cx: &mut Context<'_>, plan: Plan) -> Result<Self, Plan> {
        let limits = &cx.config.limits;
        let (initial, max) = (limits.credit_blocks_initial, limits.credit_blocks_max);
        let Some(credit) = Credit::reserve(cx.pool, initial, max, cx.now) else {
            return Err(plan);
        };
        let at_once = plan.announced.is_some() && !plan.compare;
        Ok(Self {
            step: if at_once { Step::StatTarget } else { Step::AwaitEntry },
            step_out: false,
            aborted: false,
            writes_out: 0,
            entry: None,
            credit,
            assembly: Assembly::default(),
            pieces: None,
            seal: None,
            temp: TempFile::default(),
            again: VecDeque::new(),
            owed: RangeSet::new(),
            wants: Vec::new(),
            written: 0,
            durability: plan.durability,
            unchanged: false,
            plan,
        })
    }

    /// Whether ACCEPT may be said: the target may be written, or is only looked at when ENTRY comes.
    pub(super) fn is_prepared(&self) -> bool {
        matches!(self.step, Step::AwaitEntry) || self.step >= Step::Receive
    }

    pub(super) fn credit_limit(&self) -> u64 {
        self.credit.limit()
    }

    pub(super) fn credit_is_due(&self) -> bool {
        !self.aborted && self.step <= Step::Receive && self.credit.is_due()
    }

    /// CREDIT is being sent.
    pub(super) fn credit_sent(&mut self) {
        self.credit.tell();
    }

    pub(super) fn credit_lost(&mut self) {
        self.credit.lost();
    }

    /// Bytes written, and bytes of the whole.
    pub(super) fn progress(&self) -> (u64, u64) {
        let announced = self.plan.announced.unwrap_or(0);
        (self.written, self.entry.map_or(announced, |entry| entry.size))
    }

    /// How the file was stored, once it was.
    pub(super) fn stored(&self) -> Option<(StoredAs, Durability)> {
        match self.step {
            Step::Stored if self.unchanged => Some((StoredAs::Unchanged, Durability::None)),
            Step::Stored => Some((StoredAs::Written, self.durability)),
            _ => None,
        }
    }

    /// The hash of the whole, when it was written.
    pub(super) fn root(&self) -> Option<Value> {
        self.seal.filter(|_| !self.unchanged).map(|(_, root)| root)
    }

    /// Whether ENTRY has come.
    pub(super) fn is_announced(&self) -> bool {
        self.entry.is_some()
    }

    /// Whether a failed file is closed and removed.
    pub(super) fn is_gone(&self) -> bool {
        self.step == Step::Gone
    }

    /// Times that bytes came again with another content (I4).
    pub(super) fn conflicts(&self) -> u64 {
        self.assembly.conflicts()
    }

    /// The source says what the file is.
    pub(super) fn handle_entry(&mut self, entry: Announced) -> Result<(), Fault> {
        if self.entry.is_some() {
            return Ok(());
        }
        if self.plan.announced.is_some_and(|announced| entry.size > announced) {
            return Err(Fault::Transfer(ErrorCode::TooLarge));
        }
        self.entry = Some(entry);
        self.assembly.set_size(entry.size)?;
        self.pieces = Some(Pieces::new(entry.size));
        if self.step == Step::AwaitEntry {
            self.step = self.step.next(self.durability);
        }
        self.finish_receiving()
    }

    /// Bytes came; false when there is no room for them.
    pub(super) fn handle_data(
        &mut self,
        cx: &mut Context<'_>,
        offset: u64,
        data: &[u8],
    ) -> Result<bool, Fault> {
        if offset / u64::from(BLOCK_SIZE) >= self.credit.limit() {
            return Err(Fault::Session(CloseCode::FlowControl));
        }
        if self.step > Step::Receive {
            return Ok(true);
        }
        let room = self.assembly.held() + self.writes_out < self.credit.reserved();
        self.assembly.add(cx.pool, room, offset, data)
    }

    /// The source says what a piece's value is; false when its file is not known yet.
    pub(super) fn handle_piece(&mut self, index: u64, value: Value) -> Result<bool, Fault> {
        if index.saturating_mul(PIECE_BLOCKS) >= self.credit.limit() {
            return Err(Fault::Session(CloseCode::FlowControl));
        }
        let Some(pieces) = &mut self.pieces else {
            return Ok(false);
        };
        let verdict = pieces.claim(index, value)?;
        self.obey(verdict);
        self.credit.raise(self.credit_cap());
        self.finish_receiving()?;
        Ok(true)
    }

    /// The source has read all of the file.
    pub(super) fn handle_seal(&mut self, size: u64, root: Value) -> Result<(), Fault> {
        let known = self.entry.map(|entry| entry.size);
        if known.is_some_and(|known| known != size) {
            return Err(Fault::VIOLATION);
        }
        self.seal.get_or_insert((size, root));
        self.finish_receiving()
    }

    /// Blocks that may be begun at most, whatever the window.
    fn credit_cap(&self) -> u64 {
        let verified = self.pieces.as_ref().map_or(0, Pieces::verified);
        let ahead = (verified + PIECES_AHEAD) * PIECE_BLOCKS;
        self.entry.map_or(ahead, |entry| ahead.min(block_count(entry.size)))
    }

    /// Notes what is to be asked for once more, and asks for as much as there is room for.
    fn obey(&mut self, verdict: Verdict) {
        let Some(entry) = self.entry else { return };
        let blocks = block_count(entry.size);
        if let Verdict::Again(piece) = verdict {
            let start = piece * PIECE_BLOCKS;
            self.again.push_back((start, (start + PIECE_BLOCKS).min(blocks)));
        }
        while let Some((start, end)) = self.again.front_mut() {
            let granted = self.credit.borrow(*end - *start, blocks);
            if granted == 0 {
                return;
            }
            let from = *start;
            *start += granted;
            let to = *start;
            if *start == *end {
                self.again.pop_front();
            }
            self.assembly.reopen(from, to);
            self.owed.insert(from..to);
            self.wants.push(Want {
                start: from * u64::from(BLOCK_SIZE),
                end: entry.size.min(to * u64::from(BLOCK_SIZE)),
                delivery: Delivery::Due,
            });
        }
    }

    /// Goes on from `Receive` when all is written and agrees with the source.
    fn finish_receiving(&mut self) -> Result<(), Fault> {
        let (Some(entry), Some((size, root)), Some(pieces)) =
            (self.entry, self.seal, &mut self.pieces)
        else {
            return Ok(());
        };
        if size != entry.size {
            return Err(Fault::VIOLATION);
        }
        let written = self.assembly.is_complete()
            && self.assembly.held() == 0
            && self.writes_out == 0
            && self.again.is_empty();
        if self.aborted || self.step != Step::Receive || !written || !pieces.is_complete() {
            return Ok(());
        }
        let verdict = pieces.seal(root)?;
        if verdict == Verdict::Fine {
            self.step = self.step.next(self.durability);
        }
        self.obey(verdict);
        Ok(())
    }

    /// Whether [`poll_op`](Self::poll_op) has something.
    pub(super) fn has_op(&self) -> bool {
        if self.aborted {
            return !self.step_out && self.writes_out == 0 && self.step != Step::Gone;
        }
        match self.step {
            Step::Receive => self.assembly.has_full() && self.entry.is_some(),
            step => step.is_operation() && !self.step_out,
        }
    }

    /// The next operation to lend.
    pub(super) fn poll_op(&mut self, cx: &mut Context<'_>) -> Result<Option<(OpTag, Operation)>, Fault> {
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
        Ok(op.map(|op| (OpTag::Step, op)))
    }

    fn write(&mut self) -> Option<(OpTag, Operation)> {
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
        Some((OpTag::Write { index }, op))
    }

    /// Close, then remove: the steps of a file that comes to nothing. Their outcome changes nothing.
    fn clean_up(&mut self) -> Option<(OpTag, Operation)> {
        let op = match (self.temp.file.take(), &mut self.temp.path) {
            (Some(file), _) => Operation::Close { file },
            (None, path) => Operation::Remove { root: self.plan.to.root, path: path.take()? },
        };
        self.step_out = true;
        Some((OpTag::Close, op))
    }

    /// An operation came home.
    pub(super) fn handle_done(
        &mut self,
        cx: &mut Context<'_>,
        tag: OpTag,
        block: Option<Block>,
        result: Result<Outcome, FileError>,
    ) -> Result<(), Fault> {
        if let Some(block) = block {
            cx.pool.put(Use::Sink, block);
        }
        if let OpTag::Write { index } = tag {
            self.writes_out = self.writes_out.saturating_sub(1);
            let outcome = if self.aborted { Ok(()) } else { self.written(cx, index, result) };
            self.settle(cx);
            return outcome;
        }
        self.step_out = false;
        let outcome = if tag == OpTag::Step { self.step_done(result) } else { Ok(()) };
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
            (_, result) => {
                result?;
            }
        }
        self.advance()
    }

    fn advance(&mut self) -> Result<(), Fault> {
        self.step = self.step.next(self.durability);
        if self.step != Step::Receive {
            return Ok(());
        }
        if let Some(entry) = self.entry.filter(|_| self.plan.compare) {
            self.wants.push(Want { start: 0, end: entry.size, delivery: Delivery::Due });
        }
        self.finish_receiving()
    }

    /// Frees what the last step has no use for.
    fn settle(&mut self, cx: &mut Context<'_>) {
        let clean = self.temp.file.is_none() && self.temp.path.is_none();
        if self.aborted && clean && !self.step_out && self.writes_out == 0 {
            self.step = Step::Gone;
        }
        if matches!(self.step, Step::Stored | Step::Gone) {
            self.assembly.clear(cx.pool);
            self.credit.release(cx.pool);
        }
    }

    /// The file shall come to nothing; false when it is too late for that: it is being given its name, or has it.
    pub(super) fn abort(&mut self, cx: &mut Context<'_>) -> bool {
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
