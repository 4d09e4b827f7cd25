//! The end that a directory comes to: it makes directories, gathers small files, stores them in batches, and runs a sink for
//! each larger one.

mod arrive;
mod audit;
mod ends;
mod failed;
mod fold;
mod large;
mod node;
mod ops;
mod say;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use failed::FailedDirectories;
use node::{Directory, Node, State};

use super::batches::Batches;
use super::totals::{FileReport, TreeTotals};
use super::units::Units;
use super::{LARGE_MAX, REPORTS_MAX};
use crate::event::LimitedBy;
use crate::range_set::RangeSet;
use crate::transfer::delivery::Delivery;
use crate::transfer::progress::Owed;
use crate::transfer::sink::Sink;
use crate::transfer::{Context, Place};
use crate::wire::{Durability, FilePath};

pub(in crate::transfer) use super::units::BLOCKS_MIN;

/// The number of the directory that was asked for.
const ROOT: u32 = 0;

/// What a tree's sink was told to do.
#[derive(Debug)]
pub(in crate::transfer) struct TreePlan {
    /// The directory to make or to fill.
    pub(in crate::transfer) to: Place,
    /// Files of the same size and time are left as they are; bodies wait for WANT.
    pub(in crate::transfer) compare: bool,
    /// Other files may be replaced.
    pub(in crate::transfer) may_replace: bool,
    pub(in crate::transfer) durability: Durability,
    /// The source's times and permission bits are kept.
    pub(in crate::transfer) preserve: bool,
    /// The directory itself keeps its permission bits if it was there before (C2).
    pub(in crate::transfer) keep_top_mode: bool,
    /// Names with control characters are refused (F7).
    pub(in crate::transfer) plain_names: bool,
}

/// A directory on its way in.
#[derive(Debug)]
pub(in crate::transfer) struct TreeSink {
    plan: TreePlan,
    aborted: bool,
    ops_out: u32,
    units: Units,
    /// What was announced, or of which something came, and of whose end the source does not know.
    nodes: BTreeMap<u32, Node>,
    /// Numbers of those that are done with.
    over: RangeSet,
    /// What waits for a directory that is not there yet, by its number.
    orphans: BTreeMap<u32, Vec<u32>>,
    /// Directories that failed.
    failed: FailedDirectories,
    /// Directories to be made.
    make: VecDeque<u32>,
    /// Files whose targets are to be looked at.
    look: VecDeque<u32>,
    /// Small files that are to be asked for.
    want: VecDeque<u32>,
    /// Small files and links that are whole.
    ready: VecDeque<u32>,
    /// Larger files that wait for memory.
    begin: VecDeque<u32>,
    /// Directories whose entries are all settled.
    finish: VecDeque<u32>,
    /// Larger files at work, and those that are being cleaned up.
    large: BTreeMap<u32, Box<Sink>>,
    /// Of these: which have a file operation, and whose source owes bytes.
    working: BTreeSet<u32>,
    owing: BTreeSet<u32>,
    /// Small files that are announced and not whole.
    gathering: BTreeSet<u32>,
    /// Which have something to say.
    due: BTreeSet<u32>,
    /// Loans of small files.
    batches: Batches<u32>,
    received: u64,
    /// Files and links that were announced.
    files_found: u64,
    /// Bytes of files that are stored, or written of larger ones; bytes of all that was announced.
    written: u64,
    /// Of these, bytes of larger ones that were there from an earlier transfer.
    had: u64,
    known_bytes: u64,
    totals: TreeTotals,
    reports: Vec<FileReport>,
    root_settled: bool,
}

impl TreeSink {
    /// A sink with its first credit.
    ///
    /// # Errors
    /// The plan, when the pool has too little to give now.
    pub(in crate::transfer) fn new(
        cx: &mut Context<'_>,
        plan: TreePlan,
        blocks: u32,
    ) -> Result<Self, TreePlan> {
        let Some(units) = Units::reserve(cx.pool, blocks, plan.compare, cx.now) else {
            return Err(plan);
        };
        Ok(Self {
            plan,
            aborted: false,
            ops_out: 0,
            units,
            nodes: BTreeMap::new(),
            over: RangeSet::new(),
            orphans: BTreeMap::new(),
            failed: FailedDirectories::default(),
            make: VecDeque::new(),
            look: VecDeque::new(),
            want: VecDeque::new(),
            ready: VecDeque::new(),
            begin: VecDeque::new(),
            finish: VecDeque::new(),
            large: BTreeMap::new(),
            working: BTreeSet::new(),
            owing: BTreeSet::new(),
            gathering: BTreeSet::new(),
            due: BTreeSet::new(),
            batches: Batches::new(),
            received: 0,
            files_found: 0,
            written: 0,
            had: 0,
            known_bytes: 0,
            totals: TreeTotals::default(),
            reports: Vec::new(),
            root_settled: false,
        })
    }

    /// The first credit, in blocks.
    pub(in crate::transfer) fn first_credit(&self) -> u64 {
        self.units.first_credit()
    }

    /// Whether everything is settled and was said.
    pub(in crate::transfer) fn is_complete(&self) -> bool {
        self.root_settled && self.due.is_empty() && self.reports.is_empty()
    }

    /// Whether the source knows of all of it, too.
    pub(in crate::transfer) fn is_heard(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Whether the directory is done with, well or not, and nothing is left open.
    pub(in crate::transfer) fn is_clean(&self) -> bool {
        (self.root_settled || self.aborted) && self.is_gone()
    }

    /// Whether nothing is open or to be removed.
    pub(in crate::transfer) fn is_gone(&self) -> bool {
        self.ops_out == 0 && self.large.is_empty()
    }

    /// Whether it is known what the directory itself is.
    pub(in crate::transfer) fn is_begun(&self) -> bool {
        let known = self.nodes.get(&ROOT).is_some_and(Node::is_known);
        known || self.aborted || self.over.contains(ROOT.into())
    }

    pub(in crate::transfer) fn totals(&self) -> TreeTotals {
        self.totals
    }

    /// Bytes written, and bytes of all that was announced so far.
    pub(in crate::transfer) fn progress(&self) -> (u64, u64) {
        (self.written.min(self.known_bytes), self.known_bytes)
    }

    /// Bytes of files that were there, in part, from an earlier transfer.
    pub(in crate::transfer) fn had_bytes(&self) -> u64 {
        self.had
    }

    /// Files and links that were announced so far.
    pub(in crate::transfer) fn files_found(&self) -> u64 {
        self.files_found
    }

    /// What holds the directory up just now.
    pub(in crate::transfer) fn limited_by(&self) -> LimitedBy {
        let waiting = !self.ready.is_empty() || !self.look.is_empty() || !self.make.is_empty();
        let large = self
            .large
            .values()
            .any(|sink| sink.limited_by() == LimitedBy::Disk);
        if (waiting && self.ops_out > 0) || large {
            LimitedBy::Disk
        } else {
            LimitedBy::Network
        }
    }

    /// Whether the source has something to say: what it began to tell of, or, while nothing is in work here, more.
    pub(in crate::transfer) fn owed(&self) -> Owed {
        let begun = !self.gathering.is_empty() || !self.owing.is_empty();
        let idle = self.ops_out == 0 && self.large.is_empty() && self.due.is_empty();
        Owed {
            owes: !self.aborted && !self.root_settled && (begun || idle),
            moved: self.received,
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

    fn has_room_for_reports(&self) -> bool {
        self.reports.len() < REPORTS_MAX
    }

    /// The directory that a file is in, when it is made.
    fn directory(&self, file: u32) -> Option<&Directory> {
        match &self.nodes.get(&file)?.state {
            State::Directory(directory) => Some(directory),
            _ => None,
        }
    }

    /// Where a file shall stand.
    fn path_of(&self, node: &Node) -> Option<FilePath> {
        self.directory(node.parent)?.path.join(&node.name).ok()
    }

    /// The path of a file below the root, as the application is told it.
    fn shown_path(&self, file: u32) -> Vec<u8> {
        let Some(node) = self.nodes.get(&file).filter(|_| file != ROOT) else {
            return Vec::new();
        };
        let root = self.plan.to.path.as_bytes().len();
        let above = match self.directory(node.parent) {
            Some(directory) => directory.path.as_bytes().get(root..).unwrap_or_default(),
            None => self.failed.path(node.parent).unwrap_or_default(),
        };
        let above = above.strip_prefix(b"/").unwrap_or(above);
        let parts: [&[u8]; 2] = [above, &node.name];
        let skip = usize::from(above.is_empty());
        parts[skip..].join(&b'/')
    }

    /// Asks for small files, as far as there is room for them.
    fn want_more(&mut self) {
        while let Some(&file) = self.want.front() {
            let open = self
                .nodes
                .get_mut(&file)
                .filter(|node| node.outcome.is_none());
            if let Some(node) = open {
                let units = super::units::of_body(node.size);
                if !self.units.may_want(units) {
                    return;
                }
                node.wanted = units;
                self.units.wanted += units;
                node.want = Delivery::Due;
                self.gathering.insert(file);
                self.touch(file);
            }
            self.want.pop_front();
        }
    }

    /// Brings the queues up to date with one file.
    fn touch(&mut self, file: u32) {
        let (mut works, mut owes, mut says) = (false, false, false);
        if let Some(sink) = self.large.get(&file) {
            works = sink.has_op();
            owes = sink.owed().owes;
            says = sink.next_control().is_some();
        }
        if let Some(node) = self.nodes.get(&file) {
            says |= node.want.is_due() || node.told.is_due();
        }
        let set = |set: &mut BTreeSet<u32>, to| match to {
            true => set.insert(file),
            false => set.remove(&file),
        };
        set(&mut self.working, works);
        set(&mut self.owing, owes);
        set(&mut self.due, says);
    }

    /// Nobody is there any more to be told of what is settled.
    pub(in crate::transfer) fn fall_silent(&mut self) {
        self.due.clear();
    }

    /// The rest shall come to nothing; false when all is stored.
    pub(in crate::transfer) fn abort(&mut self, cx: &mut Context<'_>, keep: bool) -> bool {
        if self.root_settled {
            return false;
        }
        self.aborted = true;
        self.nodes.clear();
        self.units.forget();
        self.orphans.clear();
        for queue in [
            &mut self.make,
            &mut self.look,
            &mut self.want,
            &mut self.ready,
            &mut self.begin,
            &mut self.finish,
        ] {
            queue.clear();
        }
        self.gathering.clear();
        let all: Vec<u32> = self.large.keys().copied().collect();
        for file in all {
            self.end_large(cx, file, keep);
        }
        self.settle_memory(cx);
        true
    }

    /// Gives memory back that is not needed once all is stored.
    pub(in crate::transfer) fn finish(&mut self, cx: &mut Context<'_>) {
        self.settle_memory(cx);
    }

    fn settle_memory(&mut self, cx: &mut Context<'_>) {
        if self.is_clean() {
            self.units.release(cx.pool);
        }
    }

    /// Whether a larger file waits for memory.
    pub(in crate::transfer) fn needs_memory(&self) -> bool {
        !self.aborted && !self.begin.is_empty() && self.large.len() < LARGE_MAX
    }
}
