//! What a client's calls take and give.

use std::time::Duration;

use proto_core::crypto::PublicKey;
use proto_core::wire::{Durability, EntryKind, StoredAs};
use proto_core::{FileInfo, FileReport, Filter, LimitedBy, Overwrite, TransferStats, TreeTotals};

use super::Cancel;
use crate::Tuning;

/// How a client knows its server.
pub enum Trust {
    /// By this key; any other ends the attempt.
    Key(PublicKey),
    /// By asking: the function sees the server's key and says whether it is right. It may take its time, a prompt for
    /// instance, and is called at most once, on the thread that connects.
    Ask(Box<dyn FnMut(&PublicKey) -> bool + Send>),
}

/// Settings of a client.
pub struct ClientOptions {
    /// How the server is known.
    pub trust: Trust,
    /// How long to wait for the server's answer. Default 10 s.
    pub connect_timeout: Duration,
    /// Settings below the protocol's surface.
    pub tuning: Tuning,
}

impl ClientOptions {
    /// Defaults around a way to know the server.
    #[must_use]
    pub fn new(trust: Trust) -> Self {
        Self {
            trust,
            connect_timeout: Duration::from_secs(10),
            tuning: Tuning::default(),
        }
    }
}

/// One entry of a remote directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirEntry {
    /// Its name in the directory. Bytes from a stranger: escape them before they reach a terminal.
    pub name: Vec<u8>,
    /// File, directory, ….
    pub kind: EntryKind,
    /// Bytes; 0 for what is no regular file.
    pub size: u64,
    /// Modification time, nanoseconds since 1970.
    pub mtime: i64,
    /// Permission bits.
    pub mode: u16,
}

/// How to download.
#[derive(Clone, Debug)]
pub struct GetOptions {
    /// If something stands at the target already.
    pub overwrite: Overwrite,
    /// What must survive a power loss before the call returns.
    pub durability: Durability,
    /// Keep modification time and permission bits.
    pub preserve: bool,
    /// A directory that stands at the target keeps its permission bits: the server has no say in how open it is. What is in
    /// it gets the source's, if `preserve` says so.
    pub keep_top_mode: bool,
    /// What of a directory is left out; with the remote path, at most 1,023 bytes of rules.
    pub filter: Option<Filter>,
    /// Ends the job early.
    pub cancel: Option<Cancel>,
}

impl Default for GetOptions {
    fn default() -> Self {
        Self {
            overwrite: Overwrite::Compare,
            durability: Durability::Full,
            preserve: true,
            keep_top_mode: false,
            filter: None,
            cancel: None,
        }
    }
}

/// How to upload.
#[derive(Clone, Debug)]
pub struct PutOptions {
    /// If something stands at the target already.
    pub overwrite: Overwrite,
    /// What must survive a power loss at the server before the call returns.
    pub durability: Durability,
    /// What of a directory is left out.
    pub filter: Option<Filter>,
    /// Ends the job early.
    pub cancel: Option<Cancel>,
}

impl Default for PutOptions {
    fn default() -> Self {
        Self {
            overwrite: Overwrite::Compare,
            durability: Durability::Full,
            filter: None,
            cancel: None,
        }
    }
}

/// What a file at the server holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hashed {
    /// BLAKE3 hash of the whole.
    pub hash: [u8; 32],
    /// Bytes.
    pub size: u64,
}

/// How to make a directory at the server.
#[derive(Clone, Debug, Default)]
pub struct MakeDirOptions {
    /// Make those above it, too, where they are missing.
    pub parents: bool,
    /// Fail ([`ErrorCode::Exists`](crate::ErrorCode::Exists)) when it is there already.
    pub exclusive: bool,
    /// What must survive a power loss at the server before the call returns.
    pub durability: Durability,
    /// Ends the job early.
    pub cancel: Option<Cancel>,
}

/// How to remove something at the server.
#[derive(Clone, Debug, Default)]
pub struct RemoveOptions {
    /// A directory need not be empty: with all that is in it.
    pub recursive: bool,
    /// What must survive a power loss at the server before the call returns.
    pub durability: Durability,
    /// Ends the job early: what is removed by then is gone.
    pub cancel: Option<Cancel>,
}

/// How to rename something at the server.
#[derive(Clone, Debug)]
pub struct RenameOptions {
    /// Replace a regular file of the new name; otherwise that is an error ([`ErrorCode::Exists`](crate::ErrorCode::Exists)).
    pub replace: bool,
    /// What must survive a power loss at the server before the call returns.
    pub durability: Durability,
    /// Ends the job early, unless the server has begun it.
    pub cancel: Option<Cancel>,
}

impl Default for RenameOptions {
    fn default() -> Self {
        Self {
            replace: true,
            durability: Durability::Full,
            cancel: None,
        }
    }
}

/// Names changed at the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Changed {
    /// Names that were made, removed or renamed: 0 when a directory that was to be made was there already.
    pub count: u64,
    /// What of it survives a power loss.
    pub durability: Durability,
}

/// How a job goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Progress {
    /// The server agreed.
    Accepted,
    /// What the file is; its bytes begin to travel.
    Started(FileInfo),
    /// Bytes went on.
    Moved {
        /// Bytes that are at the receiver for sure.
        bytes: u64,
        /// Of these, the bytes that an earlier job had left there.
        had: u64,
        /// Bytes from the beginning of the file on that stand in the temporary file and agree with the source's hashes (downloads
        /// of one file): they stay what they are, unless the source changes.
        whole: u64,
        /// Bytes of the whole.
        size: u64,
        /// Bytes sent again so far (uploads).
        resent: u64,
        /// Files and links of a directory that were found so far; otherwise 1.
        files: u64,
        /// What held the job up just now, as this end sees it.
        limited_by: LimitedBy,
    },
}

/// How the job of a directory goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TreeProgress {
    /// As for a file. The size grows as long as the directory is walked through.
    Step(Progress),
    /// What became of one file, directory or link.
    File(FileReport),
}

/// What came of a directory's job: it went as far as it could, and single files may have failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tree {
    /// Counts. `failed` says whether all is well.
    pub totals: TreeTotals,
    /// It was a file, stored in this way.
    pub file: Option<Stored>,
    /// Figures.
    pub stats: TransferStats,
}

impl From<Stored> for Tree {
    /// A file that went alone.
    fn from(file: Stored) -> Self {
        let written = file.how == StoredAs::Written;
        Self {
            totals: TreeTotals {
                files: written.into(),
                unchanged: (!written).into(),
                bytes: if written { file.size } else { 0 },
                ..TreeTotals::default()
            },
            file: Some(file),
            stats: file.stats,
        }
    }
}

impl From<&Stored> for FileReport {
    /// A file that went alone.
    fn from(file: &Stored) -> Self {
        Self {
            path: Vec::new(),
            kind: EntryKind::File,
            size: file.size,
            root: file.hash,
            durability: file.durability,
            result: Ok(file.how),
        }
    }
}

/// How a file was stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored {
    /// BLAKE3 hash of the whole, the same on both sides; `None` when it was unchanged and nothing was read.
    pub hash: Option<[u8; 32]>,
    /// Bytes.
    pub size: u64,
    /// Written, or there already.
    pub how: StoredAs,
    /// What survives a power loss.
    pub durability: Durability,
    /// Figures.
    pub stats: TransferStats,
}
