//! The steps from nothing to a file under its final name, one operation each.

use alloc::vec::Vec;

use crate::file::{Operation, Outcome, SameFile, StatFile};
use crate::id::FileId;
use crate::rng::Rng;
use crate::transfer::Place;
use crate::transfer::codes::{Fault, check_regular};
use crate::wire::{Durability, ErrorCode, FilePath};

/// Where a sink stands. `Receive` lasts as long as bytes come, `Load` as long as a journal is read; every other step but the
/// last two is one operation.
///
/// | step | operation | then |
/// |---|---|---|
/// | `Look` | `Stat` of the journal | `AwaitEntry`; of an upload without one `FreeSpace` |
/// | `AwaitEntry` | – | `StatTarget`, when ENTRY comes; `OpenLog`, when it was looked at |
/// | `StatTarget` | `Stat` of the final name | of a large file `OpenLog`, or `Look` before ENTRY; `FreeSpace`; `Stored` when it is unchanged, `SetBits` when it is but for those |
/// | `SetBits` | `StatFiles` of the final name | as `StatTarget` |
/// | `OpenLog` | `OpenLog` | `Load`; without a journal `FreeSpace` |
/// | `Load` | those of a [journal](super::load) | `FreeSpace` |
/// | `FreeSpace` | `FreeSpace` | `Create`; `Receive` into a file that is there; `AwaitEntry` |
/// | `Create` | `Create` of the temporary file | `Receive` |
/// | `Receive` | `Write`s | `SetMeta`, when all is written and verified |
/// | `SetMeta` | `SetMeta` | `Sync`; `Close` without durability |
/// | `Sync` | `Sync` | `Close` |
/// | `Close` | `Close` | `Rename` |
/// | `Rename` | `Rename` to the final name | `SyncDir` for full durability; `Stored` |
/// | `SyncDir` | `SyncDir` | `CloseLog` |
/// | `CloseLog` | `CloseLog`, when there is a journal | `Stored` |
/// | `Stored` | – | the end |
/// | `Gone` | – | the end of a failed sink, whose file was closed and removed |
///
/// The file is closed before it is renamed: a close that fails (D4) must leave nothing under the final name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Step {
    Look,
    AwaitEntry,
    StatTarget,
    SetBits,
    OpenLog,
    Load,
    FreeSpace,
    Create,
    Receive,
    SetMeta,
    Sync,
    Close,
    Rename,
    SyncDir,
    CloseLog,
    Stored,
    Gone,
}

impl Step {
    /// The step after a successful one, from `Create` on.
    pub(super) fn next(self, durability: Durability) -> Self {
        match self {
            Self::Create => Self::Receive,
            Self::Receive => Self::SetMeta,
            Self::SetMeta if durability == Durability::None => Self::Close,
            Self::SetMeta => Self::Sync,
            Self::Sync => Self::Close,
            Self::Close => Self::Rename,
            Self::Rename if durability == Durability::Full => Self::SyncDir,
            Self::Rename | Self::SyncDir => Self::CloseLog,
            Self::CloseLog | Self::Stored => Self::Stored,
            before => before,
        }
    }

    /// Whether the step is one operation.
    pub(super) fn is_operation(self) -> bool {
        !matches!(
            self,
            Self::AwaitEntry | Self::Receive | Self::Stored | Self::Gone
        )
    }
}

/// What a sink was told to do.
#[derive(Debug)]
pub(in crate::transfer) struct Plan {
    /// The final name.
    pub(in crate::transfer) to: Place,
    /// A target of the same size and time is left as it is.
    pub(in crate::transfer) compare: bool,
    /// The source waits for WANT.
    pub(in crate::transfer) waits: bool,
    /// It may turn out to be a directory.
    pub(in crate::transfer) tree: bool,
    /// Another target may be replaced.
    pub(in crate::transfer) may_replace: bool,
    pub(in crate::transfer) durability: Durability,
    /// The source's time and permission bits are kept.
    pub(in crate::transfer) preserve: bool,
    /// As in [`TreePlan`](crate::transfer::tree::TreePlan), if it turns out to be a directory.
    pub(in crate::transfer) keep_top_mode: bool,
    /// It may go on with what another transfer of the same file works on.
    pub(in crate::transfer) may_take: bool,
    /// Bytes announced before ENTRY; ENTRY must not say more.
    pub(in crate::transfer) announced: Option<u64>,
}

/// The file being made: what is open, what must be removed when it all comes to nothing.
#[derive(Debug, Default)]
pub(super) struct TempFile {
    /// Open under this number.
    pub(super) file: Option<FileId>,
    /// Stands under this name.
    pub(super) path: Option<FilePath>,
}

/// What the source said of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::transfer) struct Announced {
    pub(in crate::transfer) size: u64,
    pub(in crate::transfer) mtime: i64,
    pub(in crate::transfer) mode: u16,
    pub(in crate::transfer) version: [u8; 16],
}

impl Announced {
    /// What the target must be to stay, and the bits that it gets then.
    pub(in crate::transfer) fn same(self) -> SameFile {
        SameFile {
            size: self.size,
            mtime: self.mtime,
            mode: self.mode,
        }
    }
}

/// The temporary file of this number in the directory of `path`.
pub(super) fn numbered_temp(number: u64, path: &FilePath) -> Result<FilePath, Fault> {
    let name = path.parent().join(&hex_name(number, b".part"));
    name.map_err(|_| Fault::Transfer(ErrorCode::NameRefused))
}

/// A name for a temporary file that no other file has.
pub(in crate::transfer) fn temp_component(rng: &mut Rng) -> Vec<u8> {
    hex_name(rng.next_u64(), b".part")
}

/// One of dhow's own names.
pub(super) fn hex_name(number: u64, end: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut name = Vec::with_capacity(30);
    name.extend_from_slice(b".dhow-");
    name.extend(
        (0..16)
            .rev()
            .map(|i| DIGITS[(number >> (4 * i)) as usize & 15]),
    );
    name.extend_from_slice(end);
    name
}

/// The operation of a step; `None` when it has none, or its file is not open.
pub(super) fn operation(
    step: Step,
    plan: &Plan,
    temp: &TempFile,
    entry: Option<Announced>,
    log: Option<FileId>,
) -> Option<Operation> {
    let (root, path) = (plan.to.root, plan.to.path.clone());
    match step {
        Step::StatTarget => Some(Operation::Stat { root, path }),
        Step::SetBits => Some(Operation::StatFiles {
            root,
            path: path.parent(),
            files: Vec::from([StatFile {
                name: path.name()?.to_vec(),
                same: entry.map(Announced::same),
            }]),
        }),
        Step::FreeSpace => Some(Operation::FreeSpace { root }),
        Step::Create => Some(Operation::Create {
            root,
            path: temp.path.clone()?,
            file: temp.file?,
            log,
            size: entry
                .map(|entry| entry.size)
                .or(plan.announced)
                .unwrap_or(0),
        }),
        Step::SetMeta => {
            let kept = entry.filter(|_| plan.preserve);
            Some(Operation::SetMeta {
                file: temp.file?,
                mtime: kept.map(|entry| entry.mtime),
                mode: kept.map(|entry| entry.mode),
            })
        }
        Step::Sync => Some(Operation::Sync { file: temp.file? }),
        Step::Close => Some(Operation::Close { file: temp.file? }),
        Step::Rename => Some(Operation::Rename {
            root,
            from: temp.path.clone()?,
            to: path,
            replace: plan.may_replace,
            log,
        }),
        Step::SyncDir => Some(Operation::SyncDir {
            root,
            path: path.parent(),
        }),
        Step::CloseLog => Some(Operation::CloseLog {
            file: log?,
            remove: true,
        }),
        Step::Look
        | Step::AwaitEntry
        | Step::OpenLog
        | Step::Load
        | Step::Receive
        | Step::Stored
        | Step::Gone => None,
    }
}

/// What stands at the target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Target {
    /// Something that is to be replaced.
    Other,
    /// What it should be already.
    Same,
    /// The same, but for its permission bits.
    SameButBits,
}

/// What a look at the target says.
pub(super) fn judge_target(
    plan: &Plan,
    entry: Option<Announced>,
    outcome: &Outcome,
) -> Result<Target, Fault> {
    let Outcome::Meta(target) = outcome else {
        return Err(Fault::Transfer(ErrorCode::Io));
    };
    check_regular(target.kind)?;
    let same = entry.filter(|entry| plan.compare && entry.same().is(target));
    match same {
        Some(entry) if plan.preserve && plan.may_replace && entry.mode != target.mode => {
            Ok(Target::SameButBits)
        }
        Some(_) => Ok(Target::Same),
        None if plan.may_replace => Ok(Target::Other),
        None => Err(Fault::Transfer(ErrorCode::Exists)),
    }
}
