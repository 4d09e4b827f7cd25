//! The sink's side of a journal: what is known of it, and what is to be written into it.

use alloc::vec::Vec;

use super::commit::hex_name;
use super::journal::{Chain, Header, Record, SLOT, Survey};
use crate::file::{Operation, Value};
use crate::id::FileId;
use crate::wire::{Durability, FilePath};

/// An open journal, or one that is being opened.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) file: FileId,
    /// It is open: it must be closed.
    pub(super) open: bool,
    /// What differs each time that the machine has started; zeros when that is not known.
    pub(super) boot: [u8; 16],
    /// It knows pieces of which bytes are on the disk.
    pub(super) worth: bool,
    /// It could not be written, and is of no use any more.
    pub(super) dead: bool,
    /// How far the reading of an earlier journal has come.
    pub(super) loading: Loading,
    /// What is written behind.
    chain: Option<Chain>,
    /// Slots that are written, or are to be.
    slots: u64,
    /// Records that are to be written.
    pending: Vec<u8>,
    /// A write of records is on loan.
    writing: bool,
    /// A sync is on loan.
    syncing: bool,
    /// Pieces written down since the last sync began, and how many may be.
    unsynced: u32,
    unsynced_max: u32,
    /// Slots before the sync that is on loan.
    mark: u64,
    /// The journal itself is to be synced once its records are written.
    sync_log: bool,
}

/// How far the reading of an earlier journal has come.
#[derive(Debug)]
pub(super) enum Loading {
    /// All of it is looked at, to know what may be believed: the next slot, and what was found.
    Survey {
        next: u64,
        found: Option<(Header, Survey)>,
    },
    /// The temporary file is opened.
    Part(Survey),
    /// Its pieces are taken.
    Records(Records),
    /// The temporary file that an earlier journal knows is removed.
    Discard(FilePath),
    /// The first slot is written.
    Begin,
}

/// The second reading of a journal.
#[derive(Debug)]
pub(super) struct Records {
    pub(super) survey: Survey,
    /// What was read, how much of it was taken, and the next slot.
    pub(super) page: Vec<u8>,
    pub(super) taken: usize,
    pub(super) next: u64,
    /// A piece in doubt that is being read, its value, and its next block.
    pub(super) doubt: Option<(u64, Value, u64)>,
    /// Pieces were read again.
    pub(super) read_again: bool,
    /// Some were not, because they are further ahead than pieces may be.
    pub(super) far: bool,
    /// The lowest piece that was in doubt and is not what it was.
    pub(super) cut: Option<u64>,
}

/// What the journal asks of the disk while bytes come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LogStep {
    Write,
    SyncData,
    SyncLog,
}

impl Log {
    pub(super) fn new(file: FileId, unsynced_max: u32) -> Self {
        Self {
            file,
            open: false,
            boot: [0; 16],
            worth: false,
            dead: false,
            loading: Loading::Survey {
                next: 0,
                found: None,
            },
            chain: None,
            slots: 0,
            pending: Vec::new(),
            writing: false,
            syncing: false,
            unsynced: 0,
            unsynced_max,
            mark: 0,
            sync_log: false,
        }
    }

    /// Goes on behind what a journal holds already.
    pub(super) fn resume(&mut self, records: &Records) {
        self.chain = Some(records.survey.chain);
        self.slots = records.survey.slots;
        self.worth = true;
        let same_boot = records.survey.is_of_boot(self.boot);
        if let Some(piece) = records.cut {
            self.append(Record::Cut(piece));
        }
        if !same_boot {
            // What was read again is on the disk: the machine has stopped since it was written.
            if records.read_again && !records.far && self.boot != [0; 16] {
                self.append(Record::Synced(self.slots));
            }
            self.append(Record::Boot(self.boot));
        }
    }

    /// Begins anew with this slot.
    pub(super) fn begin(&mut self, header: &Header) {
        let (slot, chain) = header.encode();
        self.chain = Some(chain);
        self.slots = 1;
        self.worth = false;
        self.pending = slot.to_vec();
        self.append(Record::Boot(self.boot));
    }

    fn append(&mut self, record: Record) {
        if let Some(chain) = &mut self.chain {
            self.pending.extend_from_slice(&chain.append(record));
            self.slots += 1;
        }
    }

    /// A piece was verified, and all its bytes are written.
    pub(super) fn note(&mut self, piece: u64, value: Value) {
        if !self.dead {
            self.append(Record::Piece(piece, value));
            self.unsynced += 1;
        }
    }

    /// Whether an operation is on loan.
    pub(super) fn is_out(&self) -> bool {
        self.writing || self.syncing
    }

    /// What is to be done next while bytes come.
    pub(super) fn next(&self, durability: Durability) -> Option<LogStep> {
        if self.dead || self.writing {
            None
        } else if !self.pending.is_empty() {
            Some(LogStep::Write)
        } else if self.syncing || durability == Durability::None {
            None
        } else if self.sync_log {
            Some(LogStep::SyncLog)
        } else {
            (self.unsynced >= self.unsynced_max).then_some(LogStep::SyncData)
        }
    }

    /// The operation of a step, of the temporary file `part`.
    pub(super) fn operation(&mut self, step: LogStep, part: FileId) -> Operation {
        match step {
            LogStep::Write => self.write(),
            LogStep::SyncData => {
                self.syncing = true;
                self.unsynced = 0;
                self.mark = self.slots;
                Operation::SyncSoFar { file: part }
            }
            LogStep::SyncLog => {
                self.syncing = true;
                self.sync_log = false;
                Operation::SyncSoFar { file: self.file }
            }
        }
    }

    /// Writes all records that are to be written.
    pub(super) fn write(&mut self) -> Operation {
        self.writing = true;
        let bytes = core::mem::take(&mut self.pending);
        let before = self.slots - (bytes.len() / SLOT) as u64;
        Operation::WriteLog {
            file: self.file,
            offset: before * SLOT as u64,
            bytes,
        }
    }

    /// Whether records are to be written.
    pub(super) fn is_pending(&self) -> bool {
        !self.dead && !self.pending.is_empty()
    }

    /// A write came home.
    pub(super) fn written(&mut self, well: bool) {
        self.writing = false;
        self.dead |= !well;
        self.worth |= well && self.slots > 2;
    }

    /// A sync of the temporary file came home well.
    pub(super) fn data_synced(&mut self) {
        self.syncing = false;
        self.append(Record::Synced(self.mark));
        self.sync_log = true;
    }

    /// A sync of the journal came home.
    pub(super) fn log_synced(&mut self, well: bool) {
        self.syncing = false;
        self.dead |= !well;
    }
}

/// The journal of a target: its name follows from the target's, so that the same command finds it again. `None` for a
/// directory that paths begin in.
pub(super) fn journal_path(target: &FilePath) -> Option<FilePath> {
    let mut number = [0; 8];
    number.copy_from_slice(&blake3::hash(target.name()?).as_bytes()[..8]);
    let name = hex_name(u64::from_be_bytes(number), b".journal");
    target.parent().join(&name).ok()
}
