//! A disk in memory that carries out the core's file operations: each takes a drawn time and takes effect at its end, so
//! that operations overtake each other; some fail; a power loss leaves what was synced and any part of the rest.

mod access;
mod change;
mod content;
mod crash;
mod device;
mod execute;
mod loan;
mod plan;
mod survival;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;

use proto_core::wire::FilePath;
use proto_core::{FileId, Instant, Meta, RootId};

use access::Access;
pub use change::Change;
pub use content::{Content, generate};
use device::Device;
use loan::Loan;
pub use plan::{DiskPlan, Latency, SlowPhase};
use tree::{Ino, Tree};

use crate::queue::Queue;
use crate::rng::Rng;

/// Begin of the simulated time as a wall clock shows it: nanoseconds since 1970.
pub const WALL_CLOCK: i64 = 1_700_000_000_000_000_000;

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
    /// A bit of it has flipped in memory.
    flipped: bool,
    /// The journal with which it was opened; a journal's own number.
    log: Option<FileId>,
    /// Another transfer has taken it over.
    over: bool,
}

/// The disk of one host. A copy goes its own way from then on.
#[derive(Clone, Debug)]
pub struct Disk {
    plan: DiskPlan,
    rng: Rng,
    tree: Tree,
    roots: BTreeMap<RootId, Ino>,
    open: BTreeMap<FileId, Handle>,
    /// Who has which journal.
    locks: BTreeMap<Ino, FileId>,
    /// Counts the starts of the machine.
    boot: u64,
    device: Device,
    loans: Queue<Loan>,
    /// When the last operation ends that was ever taken.
    ends_at: Instant,
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
            locks: BTreeMap::new(),
            boot: 1,
            device: Device::default(),
            loans: Queue::default(),
            ends_at: Instant::ZERO,
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

    /// Puts a symbolic link there. False when its directory is missing.
    pub fn plant_link(&mut self, root: RootId, path: &FilePath, to: &[u8], mtime: i64) -> bool {
        let Some((parent, name)) = self.place(root, path) else {
            return false;
        };
        self.tree.plant_link(parent, name, to, mtime);
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

    /// Where a symbolic link leads; `None` when there is none.
    #[must_use]
    pub fn link(&self, root: RootId, path: &FilePath) -> Option<&[u8]> {
        self.tree.link(self.find(root, path)?)
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
        if self.plan.is_mended(self.now) {
            return u64::MAX - self.tree.used();
        }
        self.plan.capacity.saturating_sub(self.tree.used())
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
}
