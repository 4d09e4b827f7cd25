//! What applications ask of transfers and decide about them.

use alloc::boxed::Box;

use crate::file::Filter;
use crate::id::RootId;
use crate::wire::{Durability, ErrorCode, FilePath, RequestKind};

/// A file of this machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Where the path begins.
    pub root: RootId,
    /// Which file.
    pub path: FilePath,
}

/// What to do about a target that exists.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Overwrite {
    /// Replace it atomically.
    #[default]
    Replace,
    /// Call it unchanged when size and modification time are the source's; otherwise replace it atomically.
    Compare,
    /// Refuse.
    Never,
}

/// A request that this end makes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// The entries of a directory.
    List {
        /// The peer's path.
        path: FilePath,
    },
    /// The metadata of a path.
    Stat {
        /// The peer's path.
        path: FilePath,
    },
    /// Download a file, or a directory with all that is in it.
    Get {
        /// The peer's path.
        from: FilePath,
        /// Where it shall stand here.
        to: Place,
        /// If something stands there already.
        overwrite: Overwrite,
        /// What must survive a power loss before the transfer counts as finished.
        durability: Durability,
        /// Keep modification time and permission bits.
        preserve: bool,
        /// A directory that stands there keeps its permission bits, if it is the one that is asked for (C2). Those in it get the
        /// source's.
        keep_top_mode: bool,
        /// Directories are meant, too; otherwise they are refused.
        tree: bool,
    },
    /// Upload a file, or a directory with all that is in it.
    Put {
        /// The file here.
        from: Place,
        /// The peer's path.
        to: FilePath,
        /// If something stands there already.
        overwrite: Overwrite,
        /// What must survive a power loss before the transfer counts as finished.
        durability: Durability,
        /// A directory is meant, too, if one stands there; otherwise it is an error.
        tree: bool,
    },
    /// `Get` or `Put` of a directory, without what the filter leaves out.
    Filtered {
        /// What is left out. Together with the path of a `Get`, it has at most 1,023 bytes.
        filter: Filter,
        /// The request.
        request: Box<Request>,
    },
    /// The hash of a file, which the peer reads for it.
    Hash {
        /// The peer's path.
        path: FilePath,
        /// The path is a symbolic link's, and its own target is hashed.
        link: bool,
    },
    /// Make a directory at the peer.
    MakeDir {
        /// The peer's path.
        path: FilePath,
        /// Make those above it, too, where they are missing.
        parents: bool,
        /// Fail when it is there already.
        exclusive: bool,
        /// What must survive a power loss before it counts as done.
        durability: Durability,
    },
    /// Remove a file, a symbolic link or a directory at the peer.
    Remove {
        /// The peer's path.
        path: FilePath,
        /// A directory need not be empty: with all that is in it.
        recursive: bool,
        /// What must survive a power loss before it counts as done.
        durability: Durability,
    },
    /// Give a file, a symbolic link or a directory at the peer another name.
    Rename {
        /// The peer's path.
        from: FilePath,
        /// The new one.
        to: FilePath,
        /// Replace a regular file of that name.
        replace: bool,
        /// What must survive a power loss before it counts as done.
        durability: Durability,
    },
}

impl Request {
    /// Bytes that paths and filter take in REQUEST.
    pub(super) fn len(&self) -> usize {
        let (path, to) = self.paths();
        let paths = path.as_bytes().len() + to.map_or(0, |to| to.as_bytes().len());
        let filter = match self {
            Self::Filtered { filter, request } if matches!(**request, Self::Get { .. }) => {
                1 + filter.rules.len()
            }
            _ => 0,
        };
        paths + filter
    }

    /// The peer's path, and the new one of `Rename`.
    fn paths(&self) -> (&FilePath, Option<&FilePath>) {
        match self {
            Self::List { path }
            | Self::Stat { path }
            | Self::Get { from: path, .. }
            | Self::Put { to: path, .. }
            | Self::Hash { path, .. }
            | Self::MakeDir { path, .. }
            | Self::Remove { path, .. } => (path, None),
            Self::Rename { from, to, .. } => (from, Some(to)),
            Self::Filtered { request, .. } => request.paths(),
        }
    }
}

/// A request that the peer makes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Requested {
    /// What is asked.
    pub kind: RequestKind,
    /// This end's path.
    pub path: FilePath,
    /// `Rename`: the new path; otherwise empty.
    pub to: FilePath,
    /// `Put`: bytes announced.
    pub size: u64,
    /// `Put`, `Rename`, `MakeDir`: if something stands there already.
    pub overwrite: Overwrite,
    /// `Put`, `MakeDir`, `Remove`, `Rename`: what STORED or DONE shall mean.
    pub durability: Durability,
    /// `Put`: it is a directory, whose size is not known. `Get`: it may be one. `MakeDir`: with those above it. `Remove`: with
    /// all that is in it.
    pub tree: bool,
}

/// The application's answer to [`Event::Requested`](crate::Event::Requested).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Do it, with `place` for the requested path.
    Grant {
        /// The file or directory meant.
        place: Place,
        /// Whether an existing file may be replaced (`Put`).
        may_replace: bool,
    },
    /// Do what `Rename` asks, from `place` to `to` of the same root.
    GrantRename {
        /// What is to be renamed.
        place: Place,
        /// Its new path.
        to: FilePath,
        /// Whether an existing file may be replaced.
        may_replace: bool,
    },
    /// Do not.
    Refuse(ErrorCode),
}
