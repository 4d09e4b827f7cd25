//! A disk in memory that carries out the core's file operations: each takes a drawn time and takes effect at its end, so
//! that operations overtake each other; some fail; a power loss leaves what was synced and any part of the rest.

mod access;
mod content;
mod execute;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;

use proto_core::wire::FilePath;
use proto_core::{Duration, FileDone, FileId, FileOp, Instant, Meta, Operation, RootId};

use access::Access;
pub use content::{Content, generate};
use tree::{Ino, Tree};

use crate::queue::Queue;
use crate::rng::Rng;

/// Begin of the simulated time as a wall clock shows it: nanoseconds since 1970.
pub const WALL_CLOCK: i64 = 1_700_000_000_000_000_000;

/// How a disk behaves.
#[derive(Clone, Copy, Debug)]
pub struct DiskPlan {
    /// Least time of an operation.
    pub latency_min: Duration,
    /// Most time of an operation.
    pub latency_max: Duration,
    /// Bytes that all files together may take.
    pub capacity: u64,
    /// Reads, writes, renames and the like that fail with `Io`, of 1,000,000.
    pub io_errors: u32,
    /// Writes that fail with `NoSpace` although there is room, of 1,000,000.
    pub space_errors: u32,
    /// Syncs that fail and lose what they should keep, of 1,000,000.
    pub sync_errors: u32,
    /// Opens that fail with `Exhausted`, of 1,000,000.
    pub open_errors: u32,
}

impl Default for DiskPlan {
    /// Immediate, endless and without errors.
    fn default() -> Self {
        Self {
            latency_min: Duration::ZERO,
            latency_max: Duration::ZERO,
            capacity: u64::MAX,
            io_errors: 0,
            space_errors: 0,
            sync_errors: 0,
            open_errors: 0,
        }
    }
}

impl DiskPlan {
    /// Whether operations fail, or may for want of room.
    #[must_use]
    pub fn has_faults(&self) -> bool {
        let errors = self.io_errors + self.space_errors + self.sync_errors + self.open_errors;
        errors > 0 || self.capacity != u64::MAX
    }
}

/// What a disk did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DiskStats {
    /// Operations carried out.
    pub operations: u64,
    /// Errors that the plan asked for.
    pub injected: u64,
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
}

/// An open file.
#[derive(Clone, Copy, Debug)]
struct Handle {
    ino: Ino,
    writable: bool,
}

/// The disk of one host.
#[derive(Debug)]
pub struct Disk {
    plan: DiskPlan,
    rng: Rng,
    tree: Tree,
    roots: BTreeMap<RootId, Ino>,
    open: BTreeMap<FileId, Handle>,
    loans: Queue<FileOp>,
    busy: BTreeMap<FileId, Vec<Access>>,
    now: Instant,
    stats: DiskStats,
    appeared: Vec<(RootId, FilePath)>,
    breaches: Vec<String>,
}

impl Disk {
    /// An empty disk.
    #[must_use]
    pub fn new(plan: DiskPlan, rng: Rng) -> Self {
        Self {
            plan,
            rng,
            tree: Tree::default(),
            roots: BTreeMap::new(),
            open: BTreeMap::new(),
            loans: Queue::default(),
            busy: BTreeMap::new(),
            now: Instant::ZERO,
            stats: DiskStats::default(),
            appeared: Vec::new(),
            breaches: Vec::new(),
        }
    }

    /// Makes an empty directory that `root` names.
    pub fn add_root(&mut self, root: RootId) {
        let ino = self.tree.new_root();
        self.roots.insert(root, ino);
    }

    fn place<'a>(&mut self, root: RootId, path: &'a FilePath) -> Option<(Ino, &'a [u8])> {
        let root = *self.roots.get(&root)?;
        self.tree.parent(root, path).ok()
    }

    /// Puts a file there, before anything runs: durable, and free of faults. False when its directory is missing.
    pub fn plant(&mut self, root: RootId, path: &FilePath, content: Content, mtime: i64) -> bool {
        let Some((parent, name)) = self.place(root, path) else {
            return false;
        };
        self.tree.plant(parent, name, content, mtime);
        true
    }

    /// Puts a directory there. False when its directory is missing.
    pub fn plant_directory(&mut self, root: RootId, path: &FilePath) -> bool {
        let Some((parent, name)) = self.place(root, path) else {
            return false;
        };
        self.tree.plant_directory(parent, name);
        true
    }

    /// Puts something there that is neither file nor directory. False when its directory is missing.
    pub fn plant_device(&mut self, root: RootId, path: &FilePath) -> bool {
        let Some((parent, name)) = self.place(root, path) else {
            return false;
        };
        self.tree.plant_device(parent, name);
        true
    }

    fn find(&self, root: RootId, path: &FilePath) -> Option<Ino> {
        self.tree.resolve(*self.roots.get(&root)?, path).ok()
    }

    /// The content of a file; `None` when there is no such file.
    #[must_use]
    pub fn content(&self, root: RootId, path: &FilePath) -> Option<&Content> {
        self.tree.content(self.find(root, path)?)
    }

    /// Metadata of a path; `None` when there is nothing.
    #[must_use]
    pub fn meta(&self, root: RootId, path: &FilePath) -> Option<Meta> {
        self.tree.meta(self.find(root, path)?).ok()
    }

    /// Names in a directory, in order, dhow's own ones included.
    #[must_use]
    pub fn names(&self, root: RootId, path: &FilePath) -> Vec<Vec<u8>> {
        let entries = self.find(root, path).map(|ino| self.tree.names(ino));
        let entries = entries.unwrap_or_default().into_iter();
        entries.map(|(name, _)| name).collect()
    }

    /// Every path below `root`, directories included.
    #[must_use]
    pub fn walk(&self, root: RootId) -> Vec<FilePath> {
        let mut found = Vec::new();
        let mut todo = Vec::new();
        todo.extend(self.roots.get(&root).map(|ino| (FilePath::root(), *ino)));
        while let Some((path, ino)) = todo.pop() {
            for (name, ino) in self.tree.names(ino) {
                if let Ok(below) = path.join(&name) {
                    found.push(below.clone());
                    todo.push((below, ino));
                }
            }
        }
        found
    }

    /// Bytes that may still be written.
    #[must_use]
    pub fn free(&self) -> u64 {
        self.plan.capacity.saturating_sub(self.tree.used())
    }

    /// Takes an operation; it ends later.
    pub fn submit(&mut self, now: Instant, op: FileOp) {
        self.mark_busy(&op.what);
        let low = self.plan.latency_min.as_nanos() as u64;
        let high = self.plan.latency_max.as_nanos() as u64;
        let takes = Duration::from_nanos(self.rng.between(low, high));
        self.loans.push(now + takes, op);
    }

    /// When the next operation ends.
    #[must_use]
    pub fn next_time(&self) -> Option<Instant> {
        self.loans.next_time()
    }

    /// Carries out the next operation that ends at `now`, and hands it back. Call until `None`.
    pub fn complete(&mut self, now: Instant) -> Option<FileDone> {
        let (_, FileOp { id, what }) = self.loans.pop_due(now)?;
        self.now = self.now.max(now);
        self.mark_done(&what);
        let (block, result) = self.execute(what);
        Some(FileDone { id, block, result })
    }

    /// Notes what is on loan, and a breach if it conflicts with what already is.
    fn mark_busy(&mut self, what: &Operation) {
        if let Some((file, access)) = Access::of(what) {
            let busy = self.busy.entry(file).or_default();
            if let Some(other) = busy.iter().find(|other| access.conflicts(**other)) {
                let breach = format!("{what:?} while {other:?} of {file:?} is on loan");
                self.breaches.push(breach);
            }
            busy.push(access);
        }
    }

    fn mark_done(&mut self, what: &Operation) {
        if let Some((file, access)) = Access::of(what)
            && let Some(busy) = self.busy.get_mut(&file)
        {
            if let Some(place) = busy.iter().position(|other| *other == access) {
                busy.swap_remove(place);
            }
            if busy.is_empty() {
                self.busy.remove(&file);
            }
        }
    }

    /// Operations on loan.
    #[must_use]
    pub fn on_loan(&self) -> usize {
        self.loans.len()
    }

    /// Files open.
    #[must_use]
    pub fn open_files(&self) -> usize {
        self.open.len()
    }

    /// Sets how the disk behaves from now on.
    pub fn set_plan(&mut self, plan: DiskPlan) {
        self.plan = plan;
    }

    /// Names that a rename has brought since the last call.
    pub fn take_appeared(&mut self) -> Vec<(RootId, FilePath)> {
        std::mem::take(&mut self.appeared)
    }

    /// Where the core broke the contract of file operations, since the last call.
    pub fn take_breaches(&mut self) -> Vec<String> {
        std::mem::take(&mut self.breaches)
    }

    /// Figures.
    #[must_use]
    pub fn stats(&self) -> DiskStats {
        self.stats
    }

    /// The power goes and comes back: operations on loan are carried out or not, and never come home; what was not
    /// synced is kept or not, change by change.
    pub fn power_loss(&mut self) {
        let mut last = Queue::default();
        std::mem::swap(&mut last, &mut self.loans);
        while let Some((_, op)) = last.pop_due(Instant::from_nanos(u64::MAX)) {
            if self.rng.one_in(2) {
                drop(self.execute(op.what));
            }
        }
        self.busy.clear();
        self.open.clear();
        self.appeared.clear();
        self.tree.power_loss(&mut self.rng);
    }
}
