//! What the core asks of the disk, and what it gets back.
//!
//! Operations out on loan are independent of each other: an executor may run them in any order and
//! in parallel, and completions may come in any order. Barriers are the core's job.

use alloc::vec::Vec;

use super::Block;
use crate::id::{FileId, OpId, RootId};
use crate::wire::{EntryKind, FilePath};

/// One operation on loan to the executor. A copy is for those who keep what was asked, such as a simulated disk.
#[derive(Clone, Debug)]
pub struct FileOp {
    /// Names the loan; goes back in [`FileDone::id`].
    pub id: OpId,
    /// What to do.
    pub what: Operation,
}

/// What to do. Every path is relative to its root, free of `.`, `..` and empty components.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Open an existing regular file for reading, as `file`.
    Open {
        /// Where the path begins.
        root: RootId,
        /// Which file.
        path: FilePath,
        /// The number under which later operations name it.
        file: FileId,
    },
    /// Create a file that must not exist (mode 0600) and open it for reading and writing, as `file`.
    Create {
        /// Where the path begins.
        root: RootId,
        /// Which file.
        path: FilePath,
        /// The number under which later operations name it.
        file: FileId,
    },
    /// Read `len` bytes at `offset` into the front of `block`; fewer only at the end of the file.
    Read {
        /// An open file.
        file: FileId,
        /// First byte, a multiple of the block size.
        offset: u64,
        /// Bytes wanted, at most the block's size.
        len: u32,
        /// Memory for them.
        block: Block,
        /// What to compute of the bytes.
        hash: HashAs,
    },
    /// Write the first `len` bytes of `block` at `offset`, all of them.
    Write {
        /// An open file.
        file: FileId,
        /// First byte, a multiple of the block size.
        offset: u64,
        /// Bytes to write.
        len: u32,
        /// Where they are.
        block: Block,
        /// What to compute of the bytes.
        hash: HashAs,
    },
    /// Set the length of an open file to `size`.
    Truncate {
        /// An open file.
        file: FileId,
        /// Bytes.
        size: u64,
    },
    /// `fsync` an open file.
    Sync {
        /// An open file.
        file: FileId,
    },
    /// `fsync` a directory.
    SyncDir {
        /// Where the path begins.
        root: RootId,
        /// Which directory; empty for the root itself.
        path: FilePath,
    },
    /// Rename within one directory.
    Rename {
        /// Where both paths begin.
        root: RootId,
        /// The present name.
        from: FilePath,
        /// The new name.
        to: FilePath,
        /// Replace a regular file of that name; otherwise fail with [`FileError::Exists`].
        replace: bool,
    },
    /// Unlink a file.
    Remove {
        /// Where the path begins.
        root: RootId,
        /// Which file.
        path: FilePath,
    },
    /// Entries of a directory in the executor's order, encoded one after the other
    /// ([`wire::Entry::encode`](crate::wire::Entry)), as many as fit `max` bytes; without `.`, `..` and dhow's own names.
    List {
        /// Where the path begins.
        root: RootId,
        /// Which directory; empty for the root itself.
        path: FilePath,
        /// 0 to begin; then what the previous page returned.
        cursor: u64,
        /// Bytes that the answer may have.
        max: u32,
    },
    /// Metadata of a path; symbolic links within the root are followed.
    Stat {
        /// Where the path begins.
        root: RootId,
        /// Which file or directory; empty for the root itself.
        path: FilePath,
    },
    /// Metadata of an open file.
    StatOpen {
        /// An open file.
        file: FileId,
    },
    /// Set modification time and permission bits of an open file (`mode & 0o777 & !umask`).
    SetMeta {
        /// An open file.
        file: FileId,
        /// Nanoseconds since 1970; `None` leaves it.
        mtime: Option<i64>,
        /// Permission bits; `None` gives what a new file would have.
        mode: Option<u16>,
    },
    /// Bytes that may still be written below the root.
    FreeSpace {
        /// Which root.
        root: RootId,
    },
    /// Close an open file. Its number is not used again.
    Close {
        /// An open file.
        file: FileId,
    },
}

/// What a `Read` or `Write` computes of its bytes, on the disk's thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HashAs {
    /// The BLAKE3 chaining value of a subtree that is part of a larger file.
    Subtree,
    /// The BLAKE3 root: these bytes are the whole file.
    Root,
    /// Nothing.
    Nothing,
}

/// An operation come home.
#[derive(Debug)]
pub struct FileDone {
    /// The id of the [`FileOp`].
    pub id: OpId,
    /// The block of a `Read` or `Write`; also when the operation failed.
    pub block: Option<Block>,
    /// What came of it.
    pub result: Result<Outcome, FileError>,
}

/// What a successful operation brought.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Nothing to tell: `Truncate`, `Sync`, `SyncDir`, `Rename`, `Remove`, `SetMeta`, `Close`.
    Done,
    /// `Open`, `Create`, `Stat`, `StatOpen`.
    Meta(Meta),
    /// `Read`: bytes now at the block's front. `Write`: bytes written.
    Moved {
        /// How many.
        len: u32,
        /// The value that [`HashAs`] asked for; zeros for `Nothing`.
        value: [u8; 32],
    },
    /// `List`.
    Page {
        /// Encoded entries.
        entries: Vec<u8>,
        /// Where the next page begins; `None` after the last entry.
        next: Option<u64>,
    },
    /// `FreeSpace`: bytes.
    Free(u64),
}

/// What the executor knows of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meta {
    /// File, directory or something else.
    pub kind: EntryKind,
    /// Bytes; 0 for what is no regular file.
    pub size: u64,
    /// Modification time, nanoseconds since 1970.
    pub mtime: i64,
    /// Permission bits, `mode & 0o777`.
    pub mode: u16,
    /// Changes whenever the content may have: size, mtime, ctime and inode, mixed.
    pub version: [u8; 16],
}

/// Why an operation failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FileError {
    /// `ENOENT`, or a component that is no directory.
    #[error("no such file or directory")]
    NotFound,
    /// `EACCES`, `EPERM`.
    #[error("permission denied")]
    Denied,
    /// The path leaves its root, or passes a symbolic link where none may be.
    #[error("the path leaves the shared directory")]
    OutsideRoot,
    /// A directory where a file is needed.
    #[error("is a directory")]
    IsDirectory,
    /// A file where a directory is needed.
    #[error("is not a directory")]
    NotDirectory,
    /// A device, socket, FIFO, …: not a regular file.
    #[error("is not a regular file")]
    NotRegular,
    /// `EEXIST`.
    #[error("exists already")]
    Exists,
    /// `ENOSPC`, `EDQUOT`.
    #[error("no space left")]
    NoSpace,
    /// `EROFS`.
    #[error("read-only file system")]
    ReadOnly,
    /// A name that this file system cannot hold.
    #[error("the file system cannot hold this name")]
    BadName,
    /// `EFBIG`.
    #[error("file too large for the file system")]
    TooLarge,
    /// `EMFILE`, `ENFILE`, `ENOMEM`: try later.
    #[error("out of files or memory")]
    Exhausted,
    /// `EIO` and all else.
    #[error("input/output error")]
    Io,
}
