//! What applications ask of transfers and decide about them.

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
}

/// A request that the peer makes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Requested {
    /// What is asked.
    pub kind: RequestKind,
    /// This end's path.
    pub path: FilePath,
    /// `Put`: bytes announced.
    pub size: u64,
    /// `Put`: if something stands there already.
    pub overwrite: Overwrite,
    /// `Put`: what STORED shall mean.
    pub durability: Durability,
    /// `Put`: it is a directory, whose size is not known. `Get`: it may be one.
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
    /// Do not.
    Refuse(ErrorCode),
}
