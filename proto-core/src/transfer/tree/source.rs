//! The end that has a directory: it walks, announces what it finds, reads, sends, and sends again.

mod audit;
mod memory;
mod ops;
mod out;
mod say;
mod walk;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use memory::Memory;
use out::{Body, Out};
use walk::Walk;

use super::totals::{FileReport, TreeTotals};
use super::{REPORTS_MAX, units};
use crate::event::LimitedBy;
use crate::file::{Filter, FilterBelow, Meta, Value};
use crate::transfer::codes::Fault;
use crate::transfer::delivery::Delivery;
use crate::transfer::progress::Owed;
use crate::transfer::source::{Picture, Source};
use crate::transfer::{Context, Place};
use crate::wire::{Durability, EntryKind, ErrorCode, StoredAs};

/// The number of the directory that was asked for.
const ROOT: u32 = 0;

/// Entries that are found and not announced yet: the walk waits when there are as many.
const FOUND_MAX: usize = 256;

/// Entries that are not settled, whatever the sink's credit.
const FILES_MAX: usize = 65_536;

/// A directory on its way out.
#[derive(Debug)]
pub(in crate::transfer) struct TreeSource {
    place: Place,
    /// Bodies wait for WANT.
    compare: bool,
    accepted: bool,
    closing: bool,
    ops_out: u32,
    /// What the root is, once it was looked at.
    meta: Option<Meta>,
    looked: bool,
    walk: Walk,
    /// What the walk leaves out.
    filter: Option<Arc<FilterBelow>>,
    /// What was found and is not settled, by number.
    files: BTreeMap<u32, Out>,
    /// The number of what is found next.
    next: u32,
    /// Found, and neither announced nor read.
    found: usize,
    /// To be announced, in turn.
    ready: VecDeque<u32>,
    /// Small ones to be read, in turn.
    to_read: VecDeque<u32>,
    /// Larger ones that the sink wants, in turn.
    wanted: VecDeque<u32>,
    /// Larger ones at work, and those that are being closed.
    large: BTreeMap<u32, Box<Source>>,
    /// Of these: which have a file operation, which hold memory that is of no use now or need some, and whose bytes the sink
    /// has to acknowledge.
    working: BTreeSet<u32>,
    idle: BTreeSet<u32>,
    owing: BTreeSet<u32>,
    /// Which have something to say.
    due: BTreeSet<u32>,
    /// Loans of small files, and the memory of each.
    batches: BTreeMap<u32, Vec<(u32, u64)>>,
    next_batch: u32,
    memory: Memory,
    /// Units that the sink lets be taken, and those that are.
    credit: u64,
    charged: u64,
    /// Files and links that were found.
    files_found: u64,
    /// Bytes of all that was found; bytes that have arrived, those sent and acknowledged again included; bytes sent again.
    known_bytes: u64,
    acked: u64,
    resent: u64,
    /// Bytes of small files that were sent and of which nothing was heard.
    flying: u64,
    totals: TreeTotals,
    reports: Vec<FileReport>,
    root_settled: bool,
}

impl TreeSource {
    pub(in crate::transfer) fn new(place: Place, compare: bool, filter: Option<Filter>) -> Self {
        let base = place.path.clone();
        Self {
            filter: filter.map(|filter| Arc::new(FilterBelow { base, filter })),
            compare,
            accepted: false,
            closing: false,
            ops_out: 0,
            meta: None,
            looked: false,
            walk: Walk::new(place.path.clone()),
            place,
            files: BTreeMap::new(),
            next: 0,
            found: 0,
            ready: VecDeque::new(),
            to_read: VecDeque::new(),
            wanted: VecDeque::new(),
            large: BTreeMap::new(),
            working: BTreeSet::new(),
            idle: BTreeSet::new(),
            owing: BTreeSet::new(),
            due: BTreeSet::new(),
            batches: BTreeMap::new(),
            next_batch: 0,
            memory: Memory::default(),
            credit: 0,
            charged: 0,
            files_found: 0,
            known_bytes: 0,
            acked: 0,
            resent: 0,
            flying: 0,
            totals: TreeTotals::default(),
            reports: Vec::new(),
            root_settled: false,
        }
    }

    /// Whether the directory could be looked at and read.
    pub(in crate::transfer) fn is_prepared(&self) -> bool {
        self.meta.is_some() && self.walk.is_begun()
    }

    /// What the directory is.
    pub(in crate::transfer) fn meta(&self) -> Option<&Meta> {
        self.meta.as_ref()
    }

    /// The request was accepted, with a first credit in blocks.
    pub(in crate::transfer) fn accept(&mut self, blocks: u64) {
        self.accepted = true;
        self.credit = self.credit.max(units::of_credit(blocks, self.compare));
    }

    /// Whether everything is settled.
    pub(in crate::transfer) fn is_complete(&self) -> bool {
        self.root_settled && self.files.is_empty() && self.reports.is_empty()
    }

    pub(in crate::transfer) fn totals(&self) -> TreeTotals {
        self.totals
    }

    /// Bytes that have arrived, bytes of all that was found so far, bytes sent again.
    pub(in crate::transfer) fn progress(&self) -> (u64, u64, u64) {
        (
            self.acked.min(self.known_bytes),
            self.known_bytes,
            self.resent,
        )
    }

    /// Files, links and other things that were found so far.
    pub(in crate::transfer) fn files_found(&self) -> u64 {
        self.files_found
    }

    /// What holds the directory up just now.
    pub(in crate::transfer) fn limited_by(&self) -> LimitedBy {
        if self.has_frame() {
            LimitedBy::Network
        } else if self.ops_out > 0
            || self
                .large
                .values()
                .any(|source| source.limited_by() == LimitedBy::Disk)
        {
            LimitedBy::Disk
        } else if self.flying > 0 || !self.owing.is_empty() {
            LimitedBy::Network
        } else {
            LimitedBy::Peer
        }
    }

    pub(in crate::transfer) fn owed(&self) -> Owed {
        Owed {
            owes: (self.flying > 0 || !self.owing.is_empty()) && !self.closing,
            moved: self.acked + 1_024 * self.totals.count(),
        }
    }

    /// What became of files since the last call.
    pub(in crate::transfer) fn take_reports(&mut self) -> Option<Vec<FileReport>> {
        let reports = core::mem::take(&mut self.reports);
        (!reports.is_empty()).then_some(reports)
    }

    pub(in crate::transfer) fn has_reports(&self) -> bool {
        !self.reports.is_empty()
    }

    /// The sink lets more be announced, or more blocks of a larger file begin.
    pub(in crate::transfer) fn handle_credit(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        limit: u64,
    ) {
        if file == ROOT {
            self.credit = self.credit.max(limit);
            return;
        }
        match self.files.get_mut(&file).map(|out| &mut out.body) {
            Some(Body::Large { credit, .. }) => *credit = limit.max(*credit),
            _ => return,
        }
        if let Some(source) = self.large.get_mut(&file) {
            source.handle_credit(limit);
        }
        self.touch(cx, file);
    }

    /// The sink wants a file, or a part of it once more; false when it must ask again.
    pub(in crate::transfer) fn handle_want(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        start: u64,
        end: u64,
    ) -> Result<bool, Fault> {
        let Some(out) = self.files.get_mut(&file) else {
            return self.past(file).map(|()| true);
        };
        if start > end || end > out.size {
            return Err(Fault::VIOLATION);
        }
        // It was said again, or before the sink heard that this end cannot.
        if out.settled || out.failed.is_some() {
            return Ok(true);
        }
        match &mut out.body {
            Body::Unread { wanted } => {
                if !core::mem::replace(wanted, true) {
                    self.to_read.push_back(file);
                }
            }
            Body::Large {
                picture, wanted, ..
            } if !*wanted => {
                picture.want(out.size, start, end)?;
                *wanted = picture.is_whole(out.size)?;
                if *wanted {
                    self.wanted.push_back(file);
                }
            }
            Body::Large { .. } => {
                if let Some(source) = self.large.get_mut(&file)
                    && source.meta().is_some()
                {
                    let taken = source.handle_want(cx.pool, start, end)?;
                    self.touch(cx, file);
                    return Ok(taken);
                }
            }
            Body::Small(_) | Body::Reading => {}
            Body::Nothing | Body::Directory { .. } => return Err(Fault::VIOLATION),
        }
        self.touch(cx, file);
        Ok(true)
    }

    /// The sink has pieces of a file from an earlier transfer.
    pub(in crate::transfer) fn handle_have(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        (index, level): (u64, u8),
        value: Value,
    ) -> Result<(), Fault> {
        let Some(out) = self.files.get_mut(&file) else {
            return self.past(file);
        };
        match (&mut out.body, self.large.get_mut(&file)) {
            (Body::Large { .. }, Some(source)) => source.handle_have(index, level, value)?,
            (
                Body::Large {
                    picture, wanted, ..
                },
                None,
            ) => {
                if *wanted {
                    let known = picture.repeats(index, level, value);
                    return if known { Ok(()) } else { Err(Fault::VIOLATION) };
                }
                picture.have(out.size, index, level, value)?;
                *wanted = picture.is_whole(out.size)?;
                if *wanted {
                    self.wanted.push_back(file);
                }
            }
            // It is settled, or has failed.
            (Body::Nothing, _) => {}
            _ => return Err(Fault::VIOLATION),
        }
        self.touch(cx, file);
        Ok(())
    }

    /// A frame about a file that is settled, or was never announced.
    fn past(&self, file: u32) -> Result<(), Fault> {
        if file < self.next {
            Ok(())
        } else {
            Err(Fault::VIOLATION)
        }
    }

    /// The sink has stored a file, or cannot.
    pub(in crate::transfer) fn handle_outcome(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        result: Result<(StoredAs, Durability), ErrorCode>,
    ) -> Result<(), Fault> {
        let Some(out) = self.files.get(&file) else {
            return self.past(file);
        };
        if !out.entry.is_begun() {
            return Err(Fault::VIOLATION);
        }
        // It was said again, while ENTRY still waits for its acknowledgement.
        if out.settled {
            return Ok(());
        }
        // Nobody can have stored what was not sent to the end.
        let known = match &out.body {
            Body::Small(small) => small.is_sent(),
            Body::Large { .. } => self
                .large
                .get(&file)
                .is_some_and(|source| source.is_verified()),
            Body::Directory { count, .. } => count.is_some(),
            Body::Unread { .. } | Body::Reading | Body::Nothing => false,
        };
        if matches!(result, Ok((StoredAs::Written, _))) && !known {
            return Err(Fault::VIOLATION);
        }
        self.settle(cx, file, result);
        Ok(())
    }

    /// Nothing more is to be done for a file.
    fn settle(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        outcome: Result<(StoredAs, Durability), ErrorCode>,
    ) {
        let result = outcome.map(|(how, _)| how);
        let path = self.path_of(file);
        let Some(out) = self.files.get_mut(&file) else {
            return;
        };
        if core::mem::replace(&mut out.settled, true) {
            return;
        }
        let root = match (&out.body, out.kind) {
            (Body::Small(small), EntryKind::File) => Some(small.root),
            (Body::Large { .. }, _) => self.large.get(&file).and_then(|source| source.root()),
            _ => None,
        };
        let report = FileReport {
            path,
            kind: out.kind,
            size: out.size,
            durability: outcome.map_or(Durability::None, |(_, durability)| durability),
            root: root.filter(|_| result == Ok(StoredAs::Written)),
            result,
        };
        self.totals.add(&report);
        self.reports.push(report);
        if let Body::Small(small) = &out.body {
            self.flying = self.flying.saturating_sub(small.flying());
        }
        self.memory.free(out.body.held());
        if let Body::Directory { .. } = out.body {
            if result.is_err() {
                out.lost = true;
                self.walk.leave(file);
            }
        } else if !matches!(out.body, Body::Reading) {
            out.body = Body::Nothing;
        }
        if let Some(source) = self.large.get_mut(&file) {
            source.close(cx);
        }
        self.touch(cx, file);
        if file == ROOT {
            self.settle_lost(cx);
        }
        self.forget(file);
    }

    /// The sink is done, and answers no more: what it has not heard of lies in directories that failed.
    fn settle_lost(&mut self, cx: &mut Context<'_>) {
        let open = self.files.iter().filter(|(_, out)| !out.settled);
        let open = open.map(|(file, out)| (*file, out.parent));
        let lost: Vec<u32> = open
            .filter(|(_, parent)| self.is_lost(*parent))
            .map(|(file, _)| file)
            .collect();
        for file in lost {
            self.settle(cx, file, Err(ErrorCode::NotFound));
        }
    }

    /// Whether a directory failed, or one above it.
    fn is_lost(&self, directory: u32) -> bool {
        let mut at = directory;
        while let Some(out) = self.files.get(&at) {
            if out.lost || at == ROOT {
                return out.lost;
            }
            at = out.parent;
        }
        false
    }

    /// Forgets what is settled and has no children that are not.
    fn forget(&mut self, file: u32) {
        let mut file = file;
        while let Some(out) = self.files.get(&file) {
            if !out.settled || out.children > 0 {
                return;
            }
            let parent = out.parent;
            self.files.remove(&file);
            self.due.remove(&file);
            if file == ROOT {
                self.root_settled = true;
                return;
            }
            if let Some(above) = self.files.get_mut(&parent) {
                above.children -= 1;
            }
            file = parent;
        }
    }

    /// The path of a file below the root.
    fn path_of(&self, file: u32) -> Vec<u8> {
        let mut names: Vec<&[u8]> = Vec::new();
        let mut at = file;
        while at != ROOT
            && let Some(out) = self.files.get(&at)
        {
            names.push(&out.name);
            at = out.parent;
        }
        names.reverse();
        names.join(&b'/')
    }

    /// This end cannot send a file.
    fn fail(&mut self, cx: &mut Context<'_>, file: u32, code: ErrorCode) {
        if let Some(out) = self.files.get_mut(&file)
            && out.failed.is_none()
            && !out.settled
        {
            out.failed = Some(code);
            out.farewell = Delivery::Due;
            if out.entry == Delivery::Unneeded && !out.queued {
                out.queued = true;
                self.ready.push_back(file);
            }
            self.memory.free(out.body.held());
            if let Some(source) = self.large.get_mut(&file) {
                source.close(cx);
            }
            self.touch(cx, file);
        }
    }

    /// Nothing more is read or sent; all is closed.
    pub(in crate::transfer) fn close(&mut self, cx: &mut Context<'_>) {
        if core::mem::replace(&mut self.closing, true) {
            return;
        }
        self.files.clear();
        self.ready.clear();
        self.to_read.clear();
        self.wanted.clear();
        self.due.clear();
        self.walk.close();
        for source in self.large.values_mut() {
            source.close(cx);
        }
        let all: Vec<u32> = self.large.keys().copied().collect();
        for file in all {
            self.touch(cx, file);
        }
        self.settle_memory(cx);
    }

    fn settle_memory(&mut self, cx: &mut Context<'_>) {
        if self.closing && self.ops_out == 0 && self.large.is_empty() {
            self.memory.release(cx.pool);
        }
    }

    /// Whether everything is home and closed.
    pub(in crate::transfer) fn is_closed(&self) -> bool {
        self.closing && self.ops_out == 0 && self.large.is_empty()
    }

    /// Brings the queues up to date with one file.
    fn touch(&mut self, cx: &mut Context<'_>, file: u32) {
        let read_ahead = cx.config.limits.read_ahead_blocks;
        if let Some(source) = self.large.get_mut(&file) {
            if source.is_closed() {
                self.large.remove(&file);
                self.memory.regain_spare(cx.pool);
            } else {
                source.regain_memory(cx);
                source.share_memory(cx);
            }
        }
        let (mut works, mut idles, mut owes) = (false, false, false);
        if let Some(source) = self.large.get(&file) {
            works = source.has_op(read_ahead);
            idles = source.is_idle() || source.needs_memory();
            owes = source.owed().owes;
        }
        set(&mut self.working, file, works);
        set(&mut self.idle, file, idles);
        set(&mut self.owing, file, owes);
        let says = self.says(file);
        set(&mut self.due, file, says);
    }

    /// Whether memory is held that may be of no use now, or was given to others.
    pub(in crate::transfer) fn is_idle(&self) -> bool {
        let memory = self.memory.promised() > 0 || self.memory.is_patient();
        !self.closing && (!self.idle.is_empty() || memory)
    }

    /// Whether memory is needed that is not there.
    pub(in crate::transfer) fn needs_memory(&self) -> bool {
        let large = !self.wanted.is_empty() && self.large.len() < super::LARGE_MAX;
        !self.closing && (large || self.memory.is_short())
    }

    /// Looks for memory that is needed.
    pub(in crate::transfer) fn regain_memory(&mut self, cx: &mut Context<'_>) {
        if !self.closing {
            self.memory.regain(cx.pool);
            self.begin_large(cx);
        }
    }

    /// Gives memory that is of no use now to those that wait for some.
    pub(in crate::transfer) fn yield_memory(&mut self, cx: &mut Context<'_>) {
        let idle: Vec<u32> = self.idle.iter().copied().collect();
        for file in idle {
            if let Some(source) = self.large.get_mut(&file) {
                source.yield_memory(cx);
            }
            self.touch(cx, file);
        }
        if cx.pool.is_source_wanted() {
            self.drop_bodies();
        }
        self.memory.shrink(cx.pool);
    }

    /// Begins larger files that the sink wants, as far as there is memory.
    fn begin_large(&mut self, cx: &mut Context<'_>) {
        while self.large.len() < super::LARGE_MAX
            && let Some(&file) = self.wanted.front()
        {
            let (Some(out), Some(place)) = (self.files.get(&file), self.place_of(file)) else {
                self.wanted.pop_front();
                continue;
            };
            let (version, credit) = match &out.body {
                Body::Large { credit, .. } if !out.settled && out.failed.is_none() => {
                    (out.version, *credit)
                }
                _ => {
                    self.wanted.pop_front();
                    continue;
                }
            };
            self.memory.lend_spare(cx.pool);
            let source = Source::of_tree(cx, place, file, (out.size, version), credit);
            let Some(source) = source else { return };
            self.wanted.pop_front();
            let picture = match self.files.get_mut(&file).map(|out| &mut out.body) {
                Some(Body::Large { picture, .. }) => core::mem::take(picture),
                _ => Picture::default(),
            };
            let source = Box::new(source.with_picture(picture));
            self.large.insert(file, source);
            self.touch(cx, file);
        }
    }

    fn place_of(&self, file: u32) -> Option<Place> {
        let out = self.files.get(&file)?;
        let directory = self.directory_of(out.parent)?;
        Some(Place {
            root: self.place.root,
            path: directory.join(&out.name).ok()?,
        })
    }

    fn has_room_for_reports(&self) -> bool {
        self.reports.len() < REPORTS_MAX
    }
}

fn set(set: &mut BTreeSet<u32>, file: u32, to: bool) {
    if to {
        set.insert(file);
    } else {
        set.remove(&file);
    }
}
