//! Changes of names at the responder: directories made, things removed or renamed. One operation follows the other.

use super::codes::Fault;
use super::{NEW_DIRECTORY_MODE, OpKind, Place};
use crate::file::{FileError, Operation, Outcome};
use crate::id::RootId;
use crate::wire::{Durability, ErrorCode, FilePath};

/// Names that one operation removes at most, so that the disk serves others between two and a requester who gives up is
/// heard.
const REMOVE_MAX: u32 = 1_024;

/// What is to be changed.
#[derive(Debug)]
pub(super) enum Work {
    /// Make the directory, with those above it if `parents`; `exclusive`: it must not be there.
    Make { parents: bool, exclusive: bool },
    /// Remove the name, with all below it if `recursive`.
    Remove { recursive: bool },
    /// Give it the other name.
    Rename { to: FilePath, replace: bool },
}

/// The next operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// `MakeDir` of the first so many components.
    Make(usize),
    /// `SetDirMeta` of these: the permission bits of a new directory.
    Bits(usize),
    /// `RemoveTree`, the first or one more.
    Remove,
    Rename,
    /// `SyncDir` of the directory that holds (or held) the name, and of the one that holds the new name.
    Sync,
    SyncNew,
    Done,
}

/// One request that changes names, at the responder.
#[derive(Debug)]
pub(super) struct Change {
    root: RootId,
    path: FilePath,
    work: Work,
    durability: Durability,
    step: Step,
    op_out: bool,
    /// Names made, removed or renamed.
    count: u64,
    /// Work that takes several operations has begun well.
    begun: bool,
    closed: bool,
}

impl Change {
    pub(super) fn new(place: Place, work: Work, durability: Durability) -> Self {
        let depth = place.path.components().count();
        let step = match &work {
            Work::Make { parents: true, .. } => Step::Make(depth.min(1)),
            Work::Make { .. } => Step::Make(depth),
            Work::Remove { .. } => Step::Remove,
            Work::Rename { .. } => Step::Rename,
        };
        Self {
            root: place.root,
            path: place.path,
            work,
            durability,
            step,
            op_out: false,
            count: 0,
            begun: false,
            closed: false,
        }
    }

    /// Whether it may be accepted: it is done, or on its way.
    pub(super) fn is_prepared(&self) -> bool {
        self.begun || self.is_done()
    }

    /// Whether all is changed.
    pub(super) fn is_done(&self) -> bool {
        self.step == Step::Done
    }

    /// Names made, removed or renamed, and what of that survives a power loss.
    pub(super) fn result(&self) -> (u64, Durability) {
        (self.count, self.durability)
    }

    /// Gives the work up; false when it is too late, because the one step that matters may have been done.
    pub(super) fn abort(&mut self) -> bool {
        let stoppable = match self.step {
            Step::Make(_) | Step::Bits(_) => true,
            Step::Remove => self.begun || !self.op_out,
            Step::Rename => !self.op_out,
            Step::Sync | Step::SyncNew | Step::Done => false,
        };
        self.closed |= stoppable;
        stoppable
    }

    pub(super) fn has_op(&self) -> bool {
        !self.closed && !self.op_out && !self.is_done()
    }

    pub(super) fn poll_op(&mut self) -> Option<(OpKind, Operation)> {
        if !self.has_op() {
            return None;
        }
        self.op_out = true;
        let root = self.root;
        let sync = self.durability == Durability::Full;
        let operation = match (self.step, &self.work) {
            (Step::Make(depth), _) => Operation::MakeDir {
                root,
                path: self.path.first(depth),
                mode: 0,
                open: false,
                sync,
            },
            (Step::Bits(depth), _) => Operation::SetDirMeta {
                root,
                path: self.path.first(depth),
                mtime: None,
                mode: Some(NEW_DIRECTORY_MODE),
                sync,
            },
            (Step::Rename, Work::Rename { to, replace }) => Operation::Rename {
                root,
                from: self.path.clone(),
                to: to.clone(),
                replace: *replace,
                log: None,
            },
            (Step::SyncNew, Work::Rename { to, .. }) => Operation::SyncDir {
                root,
                path: to.parent(),
            },
            (Step::Sync, _) => Operation::SyncDir {
                root,
                path: self.path.parent(),
            },
            (_, work) => Operation::RemoveTree {
                root,
                path: self.path.clone(),
                recursive: matches!(work, Work::Remove { recursive: true }),
                max: REMOVE_MAX,
            },
        };
        Some((OpKind::Step, operation))
    }

    pub(super) fn handle_done(&mut self, result: Result<Outcome, FileError>) -> Result<(), Fault> {
        self.op_out = false;
        if self.closed {
            return Ok(());
        }
        self.step = match self.next(result) {
            Ok(step) => step,
            Err(fault) => {
                // Nothing follows, and nobody need wait for it.
                self.closed = true;
                self.step = Step::Remove;
                return Err(fault);
            }
        };
        Ok(())
    }

    /// The step after one that came to this.
    fn next(&mut self, result: Result<Outcome, FileError>) -> Result<Step, Fault> {
        let full = self.durability == Durability::Full;
        let depth = self.path.components().count();
        Ok(match (self.step, result) {
            (Step::Make(made), Ok(Outcome::Made { new, .. })) => {
                self.begun |= made < depth;
                self.count += u64::from(new);
                match (new, &self.work) {
                    (true, _) => Step::Bits(made),
                    (false, Work::Make { exclusive, .. }) if *exclusive && made == depth => {
                        return Err(Fault::Transfer(ErrorCode::Exists));
                    }
                    (false, _) => Self::after(made, depth),
                }
            }
            (Step::Bits(made), Ok(Outcome::Done)) => Self::after(made, depth),
            (Step::Remove, Ok(Outcome::Removed { count, more })) => {
                self.count = self.count.saturating_add(count);
                self.begun |= more;
                match (more, full) {
                    (true, _) => Step::Remove,
                    (false, true) => Step::Sync,
                    (false, false) => Step::Done,
                }
            }
            (Step::Rename, Ok(Outcome::Done)) => {
                self.count = 1;
                if full { Step::Sync } else { Step::Done }
            }
            (Step::Sync | Step::SyncNew, result) => {
                // It is done, and cannot be undone: less is promised of it.
                if result.is_err() {
                    self.durability = Durability::None;
                }
                match &self.work {
                    Work::Rename { to, .. }
                        if self.step == Step::Sync && to.parent() != self.path.parent() =>
                    {
                        Step::SyncNew
                    }
                    _ => Step::Done,
                }
            }
            (_, Err(error)) => return Err(error.into()),
            (_, Ok(_)) => return Err(Fault::Transfer(ErrorCode::Io)),
        })
    }

    /// The step after the directory of the first `made` components.
    fn after(made: usize, depth: usize) -> Step {
        if made < depth {
            Step::Make(made + 1)
        } else {
            Step::Done
        }
    }
}
