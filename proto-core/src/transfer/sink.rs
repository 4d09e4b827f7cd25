//! The end that bytes come to: it gathers, writes, verifies and stores one file.

mod assembly;
mod audit;
mod commit;
mod credit;
mod frames;
mod journal;
mod leftover;
mod load;
mod log;
mod ops;
mod pieces;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use assembly::Assembly;
pub(super) use commit::{Announced, Plan, temp_component};
use commit::{Step, Target, TempFile};
use credit::Credit;
use load::Have;
use log::Log;
pub(super) use log::{is_journaled, journal_name};
use pieces::{Pieces, Verdict};

use super::codes::Fault;
use super::delivery::Delivery;
use super::progress::Owed;
use super::{Context, Item};
use crate::event::LimitedBy;
use crate::fault::{Fault as Planted, Faults};
use crate::file::{BLOCK_SIZE, PIECE_BLOCKS, PIECE_SIZE, Value, block_count};
use crate::range_set::RangeSet;
use crate::wire::{CloseCode, Durability, ErrorCode, FilePath, StoredAs};

/// Pieces that may be begun beyond those that are verified with all before them: bounds what a source that holds
/// back bytes or PIECEs makes the sink remember.
const PIECES_AHEAD: u64 = 1_024;

/// A request for bytes, on its way to the source.
#[derive(Debug)]
pub(super) struct Want {
    file: u32,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) delivery: Delivery,
}

impl Want {
    /// What a packet remembers of the WANT. Wants of one start differ in length, or are one.
    pub(super) fn item(&self) -> Item {
        let len = u32::try_from(self.end - self.start).unwrap_or(u32::MAX);
        Item::Want {
            file: self.file,
            start: self.start,
            len,
        }
    }
}

/// One file on its way in.
#[derive(Debug)]
pub(super) struct Sink {
    /// Number of the file in its transfer.
    number: u32,
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
    /// The journal, of a large file.
    log: Option<Log>,
    /// Bytes from which on a file has one.
    journal_min: u64,
    /// There was a journal before ENTRY came: the source waits for WANT.
    found: bool,
    /// Target and free space were looked at before ENTRY came.
    cleared: bool,
    /// Blocks that are there from an earlier transfer, and their bytes.
    had: RangeSet,
    had_bytes: u64,
    haves: Vec<Have>,
    /// What is there stays, for a later transfer to go on with.
    keep: bool,
    /// Blocks to be asked for once more, when there is room.
    again: VecDeque<(u64, u64)>,
    /// Blocks that were asked for once more and are not written.
    owed: RangeSet,
    pub(super) wants: Vec<Want>,
    /// Bytes written for the first time.
    written: u64,
    durability: Durability,
    /// What stands at the target, once it was looked at.
    target: Target,
    /// The temporary file of a journal that is there although the target is what it should be.
    leftover: Option<FilePath>,
    /// That file is there: a command that replaces the target was not done with it.
    leftover_is_there: bool,
    faults: Faults,
}

impl Sink {
    /// A sink with its first credit.
    ///
    /// # Errors
    /// The plan, when the pool has no credit to give now.
    pub(super) fn new(cx: &mut Context<'_>, plan: Plan) -> Result<Self, Plan> {
        let (limits, faults) = (&cx.config.limits, cx.config.faults());
        let least = if plan.tree {
            super::tree::TREE_BLOCKS_MIN
        } else {
            1
        };
        let (mut initial, max) = (limits.credit_blocks_initial, limits.credit_blocks_max);
        if faults.strikes(Planted::CreditNarrow) {
            initial = 1;
        }
        // A directory needs what it needs, whatever one file may have.
        let (initial, max) = (initial.max(least), max.max(least));
        let Some(credit) = Credit::reserve(cx.pool, initial, max, cx.now) else {
            return Err(plan);
        };
        let mut credit = credit;
        if credit.reserved() < least {
            credit.release(cx.pool);
            return Err(plan);
        }
        let at_once = plan.announced.is_some() && !plan.compare;
        // A source that does not wait is asked to when there is something to go on with.
        let looks = !plan.compare && !plan.waits && log::journal_path(&plan.to.path).is_some();
        Ok(Self {
            number: 0,
            step: if at_once {
                Step::StatTarget
            } else if looks {
                Step::Look
            } else {
                Step::AwaitEntry
            },
            step_out: false,
            aborted: false,
            writes_out: 0,
            entry: None,
            credit,
            assembly: Assembly::new(faults.clone()),
            pieces: None,
            seal: None,
            temp: TempFile::default(),
            log: None,
            journal_min: limits.journal_min,
            found: false,
            cleared: false,
            had: RangeSet::new(),
            had_bytes: 0,
            haves: Vec::new(),
            keep: false,
            again: VecDeque::new(),
            owed: RangeSet::new(),
            wants: Vec::new(),
            written: 0,
            durability: plan.durability,
            target: Target::Other,
            leftover: None,
            leftover_is_there: false,
            plan,
            faults,
        })
    }

    /// The same, as file `number` of its transfer, whose source has not been told of any credit.
    pub(super) fn numbered(mut self, number: u32) -> Self {
        self.number = number;
        self.credit.untold();
        self
    }

    /// The file turned out to be a directory: what was planned, and the blocks of the first credit. All memory is given
    /// back.
    pub(super) fn give_way(&mut self, cx: &mut Context<'_>) -> (&Plan, u32) {
        let blocks = self.credit.reserved();
        self.assembly.clear(cx.pool);
        self.credit.release(cx.pool);
        (&self.plan, blocks)
    }

    /// Whether ACCEPT may be said: the target may be written, or is only looked at when ENTRY comes.
    pub(super) fn is_prepared(&self) -> bool {
        matches!(self.step, Step::AwaitEntry) || self.step >= Step::Receive
    }

    /// Blocks that may be begun: those that are there already are passed over.
    pub(super) fn credit_limit(&self) -> u64 {
        self.block_of_rank(self.credit.limit())
    }

    /// The first credit of an upload: none when the source shall wait, because something is there.
    pub(super) fn first_credit(&mut self) -> u64 {
        if self.found {
            self.credit.untold();
            return 0;
        }
        self.credit_limit()
    }

    /// Whether there is something to go on with, so that the source shall wait.
    pub(super) fn has_found(&self) -> bool {
        self.found
    }

    pub(super) fn credit_is_due(&self) -> bool {
        !self.aborted && self.step <= Step::Receive && self.credit.is_due()
    }

    /// CREDIT is being sent.
    pub(super) fn credit_sent(&mut self) {
        self.credit.tell();
    }

    pub(super) fn credit_lost(&mut self) {
        if !self.faults.strikes(Planted::LostCreditForgotten) {
            self.credit.lost();
        }
    }

    /// Bytes written, and bytes of the whole.
    pub(super) fn progress(&self) -> (u64, u64) {
        let announced = self.plan.announced.unwrap_or(0);
        (
            self.written,
            self.entry.map_or(announced, |entry| entry.size),
        )
    }

    /// Bytes that were there from an earlier transfer.
    pub(super) fn had_bytes(&self) -> u64 {
        self.had_bytes
    }

    /// Bytes from the beginning on that are written and agree with the source's values.
    pub(super) fn whole(&self) -> u64 {
        let verified = self.pieces.as_ref().map_or(0, Pieces::verified);
        (verified * PIECE_SIZE).min(self.progress().1)
    }

    /// What holds this file up just now.
    pub(super) fn limited_by(&self) -> LimitedBy {
        let writing = self.writes_out.saturating_mul(2) >= self.credit.reserved();
        if self.step != Step::AwaitEntry && (self.step != Step::Receive || writing) {
            LimitedBy::Disk
        } else {
            LimitedBy::Network
        }
    }

    /// Whether the source has credit for blocks that are not whole, or something to say when all is written; and bytes
    /// that came so far.
    pub(super) fn owed(&self) -> Owed {
        let total = self.entry.map_or(u64::MAX, |entry| block_count(entry.size));
        let owes = match self.step {
            Step::AwaitEntry => true,
            Step::Receive => {
                let writing = self.assembly.has_full() || self.writes_out > 0;
                !writing || !self.assembly.has_whole(self.credit_limit().min(total))
            }
            _ => false,
        };
        Owed {
            owes: owes && !self.aborted,
            moved: self.assembly.received(),
        }
    }

    /// How the file was stored, once it was.
    pub(super) fn stored(&self) -> Option<(StoredAs, Durability)> {
        match self.step {
            Step::Stored if self.is_unchanged() => Some((StoredAs::Unchanged, Durability::None)),
            Step::Stored => Some((StoredAs::Written, self.durability)),
            _ => None,
        }
    }

    /// The hash of the whole, when it was written.
    pub(super) fn root(&self) -> Option<Value> {
        self.seal
            .filter(|_| !self.is_unchanged())
            .map(|(_, root)| root)
    }

    /// Whether ENTRY has come.
    pub(super) fn is_announced(&self) -> bool {
        self.entry.is_some()
    }

    /// Whether a failed file is closed and removed.
    pub(super) fn is_gone(&self) -> bool {
        self.step == Step::Gone
    }

    /// The source says what the file is.
    pub(super) fn handle_entry(&mut self, entry: Announced) -> Result<(), Fault> {
        if self.entry.is_some() {
            return Ok(());
        }
        if self
            .plan
            .announced
            .is_some_and(|announced| entry.size > announced)
        {
            return Err(Fault::Transfer(ErrorCode::TooLarge));
        }
        self.entry = Some(entry);
        self.assembly.set_size(entry.size)?;
        self.pieces = Some(Pieces::new(entry.size, self.faults.clone()));
        if self.step == Step::AwaitEntry {
            self.step = self.following(Step::AwaitEntry);
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
        if offset / u64::from(BLOCK_SIZE) >= self.credit_limit() {
            return Err(Fault::Session(CloseCode::FlowControl));
        }
        if self.step > Step::Receive {
            return Ok(true);
        }
        let room = self.assembly.held() + self.writes_out < self.credit.reserved();
        if self.faults.strikes(Planted::DataRefused) {
            return Ok(false);
        }
        self.assembly.add(cx.pool, room, offset, data)
    }

    /// Takes bytes that only make the newest block longer; false, and nothing is changed, when they are any other.
    pub(super) fn append(&mut self, offset: u64, data: &[u8]) -> bool {
        self.step <= Step::Receive && self.assembly.append(offset, data)
    }

    /// The source says what a piece's value is; false when its file is not known yet.
    pub(super) fn handle_piece(&mut self, index: u64, value: Value) -> Result<bool, Fault> {
        if index.saturating_mul(PIECE_BLOCKS) >= self.credit_limit() {
            return Err(Fault::Session(CloseCode::FlowControl));
        }
        let Some(pieces) = &mut self.pieces else {
            return Ok(false);
        };
        let verdict = pieces.claim(index, value)?;
        self.note_verified();
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

    /// Blocks that may be begun at most, whatever the window, without those that are there already.
    fn credit_cap(&self) -> u64 {
        let verified = self.pieces.as_ref().map_or(0, Pieces::verified);
        let ahead = (verified + PIECES_AHEAD) * PIECE_BLOCKS;
        let cap = self
            .entry
            .map_or(ahead, |entry| ahead.min(block_count(entry.size)));
        cap - self.had.sum_within(0..cap)
    }

    /// Blocks that are not there from an earlier transfer.
    fn missing_blocks(&self) -> u64 {
        let blocks = self.entry.map_or(u64::MAX, |entry| block_count(entry.size));
        blocks - self.had.sum()
    }

    /// Writes down what was verified.
    fn note_verified(&mut self) {
        if let (Some(log), Some(pieces)) = (&mut self.log, &mut self.pieces) {
            for (piece, value) in pieces.take_verified() {
                log.note(piece, value);
            }
        }
    }

    /// Notes what is to be asked for once more, and asks for as much as there is room for.
    fn obey(&mut self, verdict: Verdict) {
        let Some(entry) = self.entry else { return };
        let blocks = block_count(entry.size);
        if let Verdict::Again(piece) = verdict {
            let start = piece * PIECE_BLOCKS;
            self.again
                .push_back((start, (start + PIECE_BLOCKS).min(blocks)));
        }
        let missing = self.missing_blocks();
        while let Some((start, end)) = self.again.front_mut() {
            let granted = self.credit.borrow(*end - *start, missing);
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
            let end = entry.size.min(to * u64::from(BLOCK_SIZE));
            self.want(from * u64::from(BLOCK_SIZE), end);
        }
    }

    /// Asks for bytes, again if need be.
    fn want(&mut self, start: u64, end: u64) {
        let new = Want {
            file: self.number,
            start,
            end,
            delivery: Delivery::Due,
        };
        self.wants.retain(|want| want.item() != new.item());
        self.wants.push(new);
    }

    /// Goes on from `Receive` when all is written and agrees with the source.
    fn finish_receiving(&mut self) -> Result<(), Fault> {
        if self.faults.strikes(Planted::RenameBeforeHash)
            && self.step == Step::Receive
            && self.assembly.is_complete()
            && self.assembly.held() + self.writes_out == 0
        {
            self.step = self.step.next(self.durability);
            return Ok(());
        }
        let (Some(entry), Some((size, root)), Some(pieces)) =
            (self.entry, self.seal, &mut self.pieces)
        else {
            return Ok(());
        };
        if size != entry.size {
            return Err(Fault::VIOLATION);
        }
        let unawaited = self.faults.strikes(Planted::WritesUnawaited);
        let log_out = self.log.as_ref().is_some_and(Log::is_out);
        let written = self.assembly.is_complete()
            && !log_out
            && self.assembly.held() == 0
            && (self.writes_out == 0 || unawaited)
            && self.again.is_empty();
        if self.aborted || self.step != Step::Receive || !written {
            return Ok(());
        }
        if unawaited {
            self.step = self.step.next(self.durability);
            return Ok(());
        }
        if !pieces.is_complete() {
            return Ok(());
        }
        let verdict = pieces.seal(root)?;
        if verdict == Verdict::Fine {
            self.step = self.step.next(self.durability);
        }
        self.obey(verdict);
        Ok(())
    }
}
