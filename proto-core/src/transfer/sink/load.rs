//! Going on with an unfinished file: its journal is read, what it knows is taken, and what is missing asked for.

use alloc::vec::Vec;
use core::ops::Range;

use super::commit::numbered_temp;
use super::journal::{self, Header, Record, SLOT, Survey};
use super::log::{Loading, Log, Records, is_journaled, journal_path};
use super::{PIECES_AHEAD, Sink};
use crate::file::{
    BLOCK_SIZE, FileError, HashAs, Operation, Outcome, PIECE_BLOCKS, Use, Value, block_count,
    block_len,
};
use crate::transfer::codes::Fault;
use crate::transfer::delivery::Delivery;
use crate::transfer::{Context, Item, OpKind};
use crate::wire::{ErrorCode, FilePath};

/// Bytes of a journal that are read at once.
const PAGE: u32 = 64 << 10;

/// A HAVE on its way to the source.
#[derive(Debug)]
pub(in crate::transfer) struct Have {
    pub(super) index: u64,
    pub(super) level: u8,
    pub(super) value: Value,
    pub(super) delivery: Delivery,
}

impl Have {
    /// What a packet remembers of the HAVE.
    pub(super) fn item(&self, file: u32) -> Item {
        Item::Have {
            file,
            index: self.index as u32,
        }
    }
}

impl Sink {
    /// The journal's path, for a file that is large enough to have one.
    pub(super) fn journal(&self) -> Option<FilePath> {
        let announced = self.plan.announced.unwrap_or(0);
        let size = self.entry.map_or(announced, |entry| entry.size);
        // Of a download nothing is known before ENTRY.
        let unknown = self.entry.is_none() && self.plan.announced.is_none();
        let large = is_journaled(size, self.journal_min);
        journal_path(&self.plan.to.path).filter(|_| large || unknown)
    }

    /// Whether the source waits for WANT.
    pub(super) fn source_waits(&self) -> bool {
        self.plan.compare || self.plan.waits || self.found
    }

    /// Opens the journal.
    pub(super) fn open_log(&mut self, cx: &mut Context<'_>) -> Option<Operation> {
        let (path, entry) = (self.journal()?, self.entry?);
        let file = cx.allot_file();
        self.log = Some(Log::new(file, cx.config.limits.journal_unsynced));
        let identity = journal::identity(entry.version, entry.size);
        Some(Operation::OpenLog {
            root: self.plan.to.root,
            path,
            file,
            take: (self.plan.may_take && self.source_waits() && !self.is_unchanged())
                .then_some(identity),
        })
    }

    /// The journal was opened, or could not be: then the file is received without one.
    pub(super) fn log_opened(&mut self, result: Result<Outcome, FileError>) {
        match (result, &mut self.log) {
            (Ok(Outcome::Log { boot }), Some(log)) => {
                log.open = true;
                log.boot = boot;
            }
            _ => self.log = None,
        }
    }

    /// The next operation of loading.
    pub(super) fn load(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Result<Option<(OpKind, Operation)>, Fault> {
        let (Some(log), Some(entry)) = (&mut self.log, self.entry) else {
            return Ok(None);
        };
        let root = self.plan.to.root;
        let page = |next: u64| Operation::ReadLog {
            file: log.file,
            offset: next * SLOT as u64,
            max: PAGE,
        };
        let op = match &mut log.loading {
            Loading::Survey { next, .. } => page(*next),
            Loading::Part(_) => {
                let file = cx.allot_file();
                self.temp.file = Some(file);
                let Some(path) = self.temp.path.clone() else {
                    return Ok(None);
                };
                Operation::OpenPart {
                    root,
                    path,
                    file,
                    log: log.file,
                }
            }
            Loading::Records(Records {
                doubt: Some((_, _, next)),
                ..
            }) => {
                let (file, index) = (self.temp.file, *next);
                let block = cx.pool.take(Use::Sink);
                let (Some(file), Some(block)) = (file, block) else {
                    return Err(Fault::Transfer(ErrorCode::Busy));
                };
                self.writes_out += 1;
                let op = Operation::Read {
                    file,
                    offset: index * u64::from(BLOCK_SIZE),
                    len: block_len(entry.size, index),
                    block,
                    hash: HashAs::Subtree,
                };
                return Ok(Some((OpKind::Verify, op)));
            }
            Loading::Records(records) => page(records.next),
            Loading::Discard(path) => Operation::Remove {
                root,
                path: path.clone(),
                log: Some(log.file),
            },
            Loading::Begin => {
                let number = cx.rng.next_u64();
                self.temp.path = Some(numbered_temp(number, &self.plan.to.path)?);
                log.begin(&Header {
                    version: entry.version,
                    size: entry.size,
                    temp: number,
                    salt: cx.rng.next_u64(),
                });
                log.write()
            }
        };
        Ok(Some((OpKind::Step, op)))
    }

    /// An operation of loading came home, perhaps too late.
    pub(super) fn load_done(&mut self, well: bool) {
        match self.log.as_mut().map(|log| (&log.loading, well)) {
            Some((Loading::Part(_), false)) => self.temp.file = None,
            Some((Loading::Begin, _)) => {
                if let Some(log) = &mut self.log {
                    log.written(well);
                }
            }
            _ => {}
        }
    }

    /// What was still to be removed is removed with the rest.
    pub(super) fn drop_discarded(&mut self) {
        if let Some(log) = &mut self.log
            && let Loading::Discard(path) = &log.loading
        {
            self.temp.path = Some(path.clone());
        }
    }

    /// An operation of loading came home. Says whether there is more to load.
    pub(super) fn loaded(&mut self, result: Result<Outcome, FileError>) -> Result<bool, Fault> {
        if result == Err(FileError::TakenOver) {
            return Err(FileError::TakenOver.into());
        }
        let Some(log) = &mut self.log else {
            return Ok(false);
        };
        let loading = core::mem::replace(&mut log.loading, Loading::Begin);
        match loading {
            Loading::Survey { next, found } => {
                let bytes = match result {
                    Ok(Outcome::Bytes(bytes)) => bytes,
                    _ => Vec::new(),
                };
                self.survey(next, found, &bytes);
            }
            Loading::Part(survey) => match result {
                Ok(_) => {
                    let records = Records {
                        survey,
                        page: Vec::new(),
                        taken: 0,
                        next: 0,
                        doubt: None,
                        read_again: false,
                        far: false,
                        cut: None,
                    };
                    log.loading = Loading::Records(records);
                }
                Err(_) => {
                    let path = core::mem::take(&mut self.temp).path;
                    log.loading = path.map_or(Loading::Begin, Loading::Discard);
                }
            },
            Loading::Records(records) => return self.take_records(records, result),
            Loading::Discard(_) => {}
            Loading::Begin => return Ok(false),
        }
        Ok(true)
    }

    /// Looks at the slots from `next` on.
    fn survey(&mut self, next: u64, mut found: Option<(Header, Survey)>, bytes: &[u8]) {
        let (slots, _) = bytes.as_chunks::<SLOT>();
        let waits = self.source_waits();
        let (Some(log), Some(entry)) = (&mut self.log, self.entry) else {
            return;
        };
        let mut rest = slots.iter();
        if found.is_none() {
            let header = rest.next().and_then(Header::decode);
            found = header.map(|(header, chain)| (header, Survey::new(chain)));
        }
        let Some((header, mut survey)) = found else {
            return;
        };
        let ours = header.version == entry.version && header.size == entry.size && waits;
        let more = ours && rest.all(|slot| survey.add(slot)) && bytes.len() == PAGE as usize;
        if more {
            let next = next + slots.len() as u64;
            let found = Some((header, survey));
            log.loading = Loading::Survey { next, found };
            return;
        }
        let Ok(path) = numbered_temp(header.temp, &self.plan.to.path) else {
            return;
        };
        if ours && survey.pieces > 0 && !survey.spoiled {
            log.worth = true;
            self.temp.path = Some(path);
            log.loading = Loading::Part(survey);
        } else {
            log.loading = Loading::Discard(path);
        }
    }

    /// Takes records, up to the end of what was read, or to a piece that must be read again.
    fn take_records(
        &mut self,
        mut records: Records,
        result: Result<Outcome, FileError>,
    ) -> Result<bool, Fault> {
        let (Some(log), Some(entry), Some(pieces)) = (&mut self.log, self.entry, &mut self.pieces)
        else {
            return Ok(false);
        };
        if let Some((piece, value, block)) = records.doubt.take() {
            let len = block_len(entry.size, block);
            let whole = match result {
                Ok(Outcome::Moved {
                    len: read,
                    value: is,
                }) if read == len => pieces.read_again(block, is, value),
                _ => Some(false),
            };
            match whole {
                None => records.doubt = Some((piece, value, block + 1)),
                Some(true) => {}
                Some(false) => {
                    pieces.cut(piece);
                    records.cut = Some(records.cut.map_or(piece, |cut| cut.min(piece)));
                }
            }
            records.read_again = true;
        } else if let Ok(Outcome::Bytes(bytes)) = result {
            (records.page, records.taken) = (bytes, 0);
        }
        while records.doubt.is_none() && records.next < records.survey.slots {
            let page = records.page.get(records.taken..).unwrap_or_default();
            let Some(slot) = page.first_chunk::<SLOT>() else {
                break;
            };
            let (record, number) = (Record::parse(slot), records.next);
            records.taken += SLOT;
            records.next += 1;
            let Some(Record::Piece(piece, value)) = record.filter(|_| number > 0) else {
                continue;
            };
            let cut = records.cut.is_some_and(|cut| piece >= cut);
            if cut || !records.survey.holds(number, piece) || !pieces.misses(piece) {
                continue;
            }
            if piece >= pieces.verified() + PIECES_AHEAD {
                records.far = true;
            } else if records.survey.is_safe(number, log.boot) {
                pieces.insert_had(piece, value);
            } else {
                records.doubt = Some((piece, value, piece * PIECE_BLOCKS));
            }
        }
        if records.doubt.is_none() && records.next >= records.survey.slots {
            log.resume(&records);
            self.resumed();
            return Ok(false);
        }
        if records.doubt.is_none() && records.taken == 0 {
            // What was read a moment ago cannot be read again.
            return Err(Fault::Transfer(ErrorCode::Io));
        }
        log.loading = Loading::Records(records);
        Ok(true)
    }

    /// Counts what was taken from the journal as written.
    fn resumed(&mut self) {
        let (Some(entry), Some(pieces)) = (self.entry, &self.pieces) else {
            return;
        };
        let blocks = block_count(entry.size);
        let mut note = |pieces: Range<u64>| {
            let range = pieces.start * PIECE_BLOCKS..(pieces.end * PIECE_BLOCKS).min(blocks);
            self.assembly.close(range.start, range.end);
            self.had.insert(range);
        };
        note(0..pieces.verified());
        pieces.ahead().for_each(|(piece, _)| note(piece..piece + 1));
        let end = self.had.last().map_or(0, |last| last.end);
        let last = if end == blocks {
            blocks * u64::from(BLOCK_SIZE) - entry.size
        } else {
            0
        };
        self.had_bytes = self.had.sum() * u64::from(BLOCK_SIZE) - last;
        self.written += self.had_bytes;
        if !self.had.is_empty() {
            self.credit.untold();
        }
    }

    /// Tells the source what is there, and asks for the rest.
    pub(super) fn ask(&mut self) {
        let (Some(entry), Some(pieces)) = (self.entry, &self.pieces) else {
            return;
        };
        if self.had.is_empty() {
            return self.want(0, entry.size);
        }
        let have = |(index, level, value): (u64, u32, Value)| Have {
            index,
            level: level as u8,
            value,
            delivery: Delivery::Due,
        };
        let single = |(index, value)| (index, 0, value);
        let all = pieces
            .subtrees()
            .into_iter()
            .chain(pieces.ahead().map(single));
        self.haves = all.map(have).collect();
        let gaps: Vec<_> = self.had.missing(0..block_count(entry.size)).collect();
        for gap in &gaps {
            let end = (gap.end * u64::from(BLOCK_SIZE)).min(entry.size);
            self.want(gap.start * u64::from(BLOCK_SIZE), end);
        }
        if gaps.is_empty() {
            self.want(entry.size, entry.size);
        }
    }

    /// The number of the block of which `rank` are missing before it.
    pub(super) fn block_of_rank(&self, rank: u64) -> u64 {
        let mut at = rank;
        for range in self.had.iter() {
            if range.start > at {
                break;
            }
            at += range.end - range.start;
        }
        at
    }
}
