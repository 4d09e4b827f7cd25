//! What must come of each goal, from what is there and what else is wanted.

use proto_core::Overwrite;
use proto_core::wire::{ErrorCode, FilePath};

use super::{ClientPlan, Copy, Goal, Kind, LOCKED, Planted};

/// What must come of a goal on machines without faults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expect {
    /// It is met.
    Success,
    /// It ends in one of these errors.
    Failure(Vec<ErrorCode>),
    /// It is met, or ends in one of these errors.
    Either(Vec<ErrorCode>),
}

/// What may come of transfers that touch one file.
const CONTESTED: [ErrorCode; 3] = [
    ErrorCode::TargetChanged,
    ErrorCode::SourceChanged,
    ErrorCode::NotFound,
];

impl ClientPlan {
    /// What must come of the goal `index`. `changes` says whether a file at the client (`true`) or at the server changes by
    /// itself.
    pub fn expect(&self, index: usize, changes: impl Fn(bool, &FilePath) -> bool) -> Expect {
        let goal = &self.goals[index].goal;
        let codes = match goal {
            Goal::Put(copy) => copy_errors(
                copy,
                (&self.local, &copy.local),
                (&self.remote, &copy.remote),
            ),
            Goal::Get(copy) => copy_errors(
                copy,
                (&self.remote, &copy.remote),
                (&self.local, &copy.local),
            ),
            Goal::List(path) => list_errors(&self.remote, path),
            Goal::Stat(path) => stat_errors(&self.remote, path),
        };
        let touched = |here: bool, path: &FilePath| {
            changes(here, path) || self.is_target_of_another(index, here, path)
        };
        let contested = match goal {
            Goal::Put(copy) | Goal::Get(copy) => {
                touched(true, &copy.local) || touched(false, &copy.remote)
            }
            Goal::List(path) | Goal::Stat(path) => touched(false, path),
        };
        if contested && !is_locked(goal) {
            let mut codes = [&codes[..], &CONTESTED].concat();
            if goal.overwrite() == Some(Overwrite::Never) {
                codes.push(ErrorCode::Exists);
            }
            Expect::Either(codes)
        } else if codes.is_empty() {
            Expect::Success
        } else {
            Expect::Failure(codes)
        }
    }

    fn is_target_of_another(&self, index: usize, here: bool, path: &FilePath) -> bool {
        let mut others = self.goals.iter().enumerate().filter(|(of, _)| *of != index);
        others.any(|(_, other)| match &other.goal {
            Goal::Put(copy) => !here && copy.remote == *path,
            Goal::Get(copy) => here && copy.local == *path,
            Goal::List(_) | Goal::Stat(_) => false,
        })
    }
}

fn kind(planted: &[Planted], path: &FilePath) -> Option<Kind> {
    if path.is_root() {
        return Some(Kind::Directory);
    }
    let found = planted.iter().rfind(|planted| planted.path == *path);
    found.map(|planted| planted.kind)
}

impl Goal {
    fn overwrite(&self) -> Option<Overwrite> {
        match self {
            Self::Put(copy) | Self::Get(copy) => Some(copy.overwrite),
            Self::List(_) | Self::Stat(_) => None,
        }
    }
}

fn is_locked(goal: &Goal) -> bool {
    let remote = match goal {
        Goal::Put(copy) | Goal::Get(copy) => &copy.remote,
        Goal::List(path) | Goal::Stat(path) => path,
    };
    remote.components().next() == Some(LOCKED)
}

fn copy_errors(
    copy: &Copy,
    (source, from): (&[Planted], &FilePath),
    (target, to): (&[Planted], &FilePath),
) -> Vec<ErrorCode> {
    if copy.remote.components().next() == Some(LOCKED) {
        return vec![ErrorCode::Denied];
    }
    if copy.tree {
        return tree_errors((source, from), (target, to));
    }
    let mut codes = match kind(source, from) {
        None => vec![ErrorCode::NotFound],
        Some(Kind::Directory) => vec![ErrorCode::IsDirectory],
        Some(Kind::Device | Kind::Link) => vec![ErrorCode::NotRegular],
        Some(Kind::File) => vec![],
    };
    match kind(target, to) {
        Some(Kind::Directory) => codes.extend([ErrorCode::IsDirectory, ErrorCode::Exists]),
        Some(Kind::Device | Kind::Link) => {
            codes.extend([ErrorCode::NotRegular, ErrorCode::Exists]);
        }
        Some(Kind::File) if copy.overwrite == Overwrite::Never => codes.push(ErrorCode::Exists),
        Some(Kind::File) | None => {}
    }
    if kind(target, &to.parent()) != Some(Kind::Directory) {
        codes.extend([ErrorCode::NotFound, ErrorCode::NotDirectory]);
    }
    codes
}

/// What keeps all of a directory from being copied. Single files of it fail on their own.
fn tree_errors(
    (source, from): (&[Planted], &FilePath),
    (target, to): (&[Planted], &FilePath),
) -> Vec<ErrorCode> {
    let mut codes = Vec::new();
    if kind(source, from) != Some(Kind::Directory) {
        codes.push(ErrorCode::NotFound);
    }
    if !matches!(kind(target, to), None | Some(Kind::Directory)) {
        codes.extend([
            ErrorCode::NotDirectory,
            ErrorCode::Exists,
            ErrorCode::NotRegular,
        ]);
    }
    if kind(target, &to.parent()) != Some(Kind::Directory) {
        codes.extend([ErrorCode::NotFound, ErrorCode::NotDirectory]);
    }
    codes
}

fn list_errors(remote: &[Planted], path: &FilePath) -> Vec<ErrorCode> {
    if path.components().next() == Some(LOCKED) {
        return vec![ErrorCode::Denied];
    }
    match kind(remote, path) {
        None => vec![ErrorCode::NotFound],
        Some(Kind::Directory) => vec![],
        Some(_) => vec![ErrorCode::NotDirectory],
    }
}

fn stat_errors(remote: &[Planted], path: &FilePath) -> Vec<ErrorCode> {
    if path.components().next() == Some(LOCKED) {
        return vec![ErrorCode::Denied];
    }
    match kind(remote, path) {
        None => vec![ErrorCode::NotFound],
        Some(_) => vec![],
    }
}
