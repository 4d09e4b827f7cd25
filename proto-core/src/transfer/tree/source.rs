//! The end that has a directory: it walks, announces what it finds, reads, sends, and sends again.

mod audit;
mod ends;
mod find;
mod hear;
mod large;
mod memory;
mod ops;
mod out;
mod read;
mod say;
mod walk;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use memory::Memory;
use out::{Body, Out};
use walk::Walk;

use super::batches::Batches;
use super::totals::{FileReport, TreeTotals};
use super::{REPORTS_MAX, units};
use crate::event::LimitedBy;
use crate::file::{Filter, FilterBelow, Meta};
use crate::transfer::progress::Owed;
use crate::transfer::source::Source;
use crate::transfer::{Context, Place};
use crate::wire::FilePath;

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
    batches: Batches<(u32, u64)>,
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
            batches: Batches::new(),
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

    /// The path of a directory that is not forgotten.
    fn directory_of(&self, file: u32) -> Option<&FilePath> {
        match &self.files.get(&file)?.body {
            Body::Directory { path, .. } => Some(path),
            _ => None,
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
