//! What the core asks of the disk, and what it gets back.
//!
//! Operations out on loan are independent of each other: an executor may run them in any order and
//! in parallel, and completions may come in any order. Barriers are the core's job.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Block, FilterBelow};
use crate::id::{FileId, OpId, RootId};
use crate::wire::{Durability, EntryKind, FilePath, StoredAs};

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
        /// The journal that knows the file. When that is [taken over](FileError::TakenOver), this file is, too.
        log: Option<FileId>,
        /// Bytes that it shall have, as far as that is known: a quota is charged with them at once.
        size: u64,
    },
    /// Open an existing regular file of this user's, made by an earlier `Create`, for reading and writing, as `file`. No
    /// symbolic link is followed.
    OpenPart {
        /// Where the path begins.
        root: RootId,
        /// Which file.
        path: FilePath,
        /// The number under which later operations name it.
        file: FileId,
        /// The journal that knows the file, as in `Create`.
        log: FileId,
    },
    /// Open a journal, or create an empty one (mode 0600), for reading and writing, as `file`, and lock it against every other
    /// process and transfer until it is closed. It must be a regular file of this user's; no symbolic link is followed.
    OpenLog {
        /// Where the path begins.
        root: RootId,
        /// Which file.
        path: FilePath,
        /// The number under which later operations name it.
        file: FileId,
        /// A transfer of this process that holds the lock loses it, when the journal begins with these bytes: its operations
        /// on the journal, and on files that were opened with it, fail with [`FileError::TakenOver`] from then on.
        /// Otherwise a locked journal is [`FileError::InUse`].
        take: Option<[u8; 32]>,
    },
    /// Read up to `max` bytes of a journal; fewer only at its end.
    ReadLog {
        /// An open journal.
        file: FileId,
        /// First byte.
        offset: u64,
        /// Bytes that the answer may have.
        max: u32,
    },
    /// Write all of `bytes` into a journal.
    WriteLog {
        /// An open journal.
        file: FileId,
        /// Where.
        offset: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// Close a journal and give its lock up; with `remove`, unlink it first, unless it was taken over.
    CloseLog {
        /// An open journal. Its number is not used again.
        file: FileId,
        /// It is of no use any more.
        remove: bool,
    },
    /// `fsync` an open file, while writes to it may be on loan: what came home before is durable afterwards.
    SyncSoFar {
        /// An open file.
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
    /// Read `len` bytes at `offset` and hash them, block by block. Fewer only at the end of the file.
    Hash {
        /// An open file.
        file: FileId,
        /// First byte, a multiple of the block size.
        offset: u64,
        /// Bytes to read: many blocks, a few MiB.
        len: u32,
        /// What to compute of each block.
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
    /// Rename a file, a symbolic link or a directory, also into another directory.
    Rename {
        /// Where both paths begin.
        root: RootId,
        /// The present name.
        from: FilePath,
        /// The new name.
        to: FilePath,
        /// Replace a regular file of that name; otherwise fail with [`FileError::Exists`].
        replace: bool,
        /// The journal that knows the file: nothing is done once that is [taken over](FileError::TakenOver).
        log: Option<FileId>,
    },
    /// Unlink a file.
    Remove {
        /// Where the path begins.
        root: RootId,
        /// Which file.
        path: FilePath,
        /// As in `Rename`.
        log: Option<FileId>,
    },
    /// Remove what the path names: a file, a symbolic link, another thing that is no directory, or an empty directory. With
    /// `recursive`, a directory with all below it, depth first, dhow's own files in it, too; no symbolic link is followed. It
    /// stops after `max` names, or at the first that cannot be removed: a repetition goes on.
    RemoveTree {
        /// Where the path begins.
        root: RootId,
        /// What to remove; not the root.
        path: FilePath,
        /// A directory need not be empty.
        recursive: bool,
        /// Names to remove at most; at least 1.
        max: u32,
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
        /// The answer tells each entry's version, too.
        versions: bool,
        /// What is left out; its base is the directory or one above it.
        filter: Option<Arc<FilterBelow>>,
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
    /// Make a directory. One that exists stays as it is but for `open`, the root, too; a symbolic link is none.
    MakeDir {
        /// Where the path begins.
        root: RootId,
        /// Which directory.
        path: FilePath,
        /// Permission bits until `SetDirMeta` (`(mode | 0o700) & !umask`).
        mode: u16,
        /// One that exists gets `0o700` besides what it has, until `SetDirMeta`, if it is this process's to change: names shall be
        /// made in it.
        open: bool,
        /// `fsync` the directory that holds it, too.
        sync: bool,
    },
    /// Set modification time and permission bits (`mode & 0o777 & !umask`) of a directory.
    SetDirMeta {
        /// Where the path begins.
        root: RootId,
        /// Which directory.
        path: FilePath,
        /// Nanoseconds since 1970; `None` leaves it.
        mtime: Option<i64>,
        /// Permission bits; `None` leaves them.
        mode: Option<u16>,
        /// `fsync` it afterwards: its entries, too, are durable then.
        sync: bool,
    },
    /// Metadata of names in one directory, and permission bits for those that are the same otherwise; symbolic links are not
    /// followed.
    StatFiles {
        /// Where the path begins.
        root: RootId,
        /// Which directory.
        path: FilePath,
        /// Names in it.
        files: Vec<StatFile>,
    },
    /// Read small regular files and symbolic links of one directory, whole.
    ReadFiles {
        /// Where the path begins.
        root: RootId,
        /// Which directory.
        path: FilePath,
        /// What to read.
        files: Vec<ReadFile>,
    },
    /// Store small files and symbolic links in one directory: of each, compare the bytes with their hash, write a temporary
    /// file, set time and permission bits; then, unless `durability` is `None`, `fsync` these; then rename each; then, if
    /// it is `Full`, `fsync` the directory. One that fails leaves no temporary file, and the others go on.
    StoreFiles {
        /// Where the path begins.
        root: RootId,
        /// Which directory.
        path: FilePath,
        /// What to store; names are distinct.
        files: Vec<StoreFile>,
        /// What must survive a power loss afterwards.
        durability: Durability,
    },
    /// Close an open file. Its number is not used again.
    Close {
        /// An open file.
        file: FileId,
    },
}

/// One name of `StatFiles`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatFile {
    /// Its name in the directory.
    pub name: Vec<u8>,
    /// A regular file of this size and modification time gets these permission bits (`mode & 0o777 & !umask`), if it has others.
    pub same: Option<SameFile>,
}

/// What tells that a file need not be copied, and what it shall have then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SameFile {
    /// Bytes.
    pub size: u64,
    /// Modification time, nanoseconds since 1970.
    pub mtime: i64,
    /// Permission bits.
    pub mode: u16,
}

impl SameFile {
    /// Whether `meta` is that of such a file.
    #[must_use]
    pub fn is(&self, meta: &Meta) -> bool {
        meta.kind == EntryKind::File && meta.size == self.size && meta.mtime == self.mtime
    }
}

/// One file of `ReadFiles`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadFile {
    /// Its name in the directory.
    pub name: Vec<u8>,
    /// A symbolic link is expected, and its target read; otherwise a regular file.
    pub link: bool,
    /// A larger one is not read: it fails with [`FileError::Changed`].
    pub max: u32,
}

/// A small file as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SmallFile {
    /// What it was before and after its bytes were read.
    pub meta: Meta,
    /// All its bytes; of a symbolic link its target.
    pub bytes: Vec<u8>,
    /// Their BLAKE3 hash.
    pub value: [u8; 32],
}

/// One file of `StoreFiles`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreFile {
    /// Its name in the directory.
    pub name: Vec<u8>,
    /// The temporary name, which must not exist.
    pub temp: Vec<u8>,
    /// Make a symbolic link to `bytes`; otherwise a regular file that holds them.
    pub link: bool,
    /// All its bytes.
    pub bytes: Vec<u8>,
    /// The BLAKE3 hash that they must have; otherwise nothing is written, and it fails with [`FileError::Mismatch`].
    pub value: [u8; 32],
    /// Nanoseconds since 1970; `None` leaves it.
    pub mtime: Option<i64>,
    /// Permission bits (`mode & 0o777 & !umask`); `None` gives what a new file would have. Links have none.
    pub mode: Option<u16>,
    /// Replace a regular file or symbolic link of that name; otherwise fail with [`FileError::Exists`].
    pub replace: bool,
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
    /// Nothing to tell: `Truncate`, `Sync`, `SyncSoFar`, `SyncDir`, `Rename`, `Remove`, `SetMeta`, `SetDirMeta`, `WriteLog`,
    /// `CloseLog`, `Close`.
    Done,
    /// `Open`, `Create`, `OpenPart`, `Stat`, `StatOpen`.
    Meta(Meta),
    /// `OpenLog`.
    Log {
        /// Differs each time that the machine has started; zeros when that is not known.
        boot: [u8; 16],
    },
    /// `ReadLog`.
    Bytes(Vec<u8>),
    /// `Read`: bytes now at the block's front. `Write`: bytes written.
    Moved {
        /// How many.
        len: u32,
        /// The value that [`HashAs`] asked for; zeros for `Nothing`.
        value: [u8; 32],
    },
    /// `Hash`: the value of each block, of the last one perhaps in part.
    Values(Vec<[u8; 32]>),
    /// `List`.
    Page {
        /// Encoded entries.
        entries: Vec<u8>,
        /// Their versions, in the same order, where they were asked for.
        versions: Vec<[u8; 16]>,
        /// Where the next page begins; `None` after the last entry.
        next: Option<u64>,
    },
    /// `FreeSpace`: bytes.
    Free(u64),
    /// `MakeDir`.
    Made {
        /// It was not there before.
        new: bool,
        /// Its file system takes names for one that differ in case, or in Unicode's form.
        folds: bool,
    },
    /// `RemoveTree`.
    Removed {
        /// Names that are gone.
        count: u64,
        /// It stopped at its `max`: there may be more.
        more: bool,
    },
    /// `StatFiles`: of each name, in order.
    Metas(Vec<Result<Meta, FileError>>),
    /// `ReadFiles`: of each file, in order.
    Contents(Vec<Result<SmallFile, FileError>>),
    /// `StoreFiles`.
    Stored {
        /// Of each file, in order. A link that was there with this target may have been left as it is, but for its time.
        files: Vec<Result<StoredAs, FileError>>,
        /// What survives a power loss: less than was asked for when the directory could not be synced.
        durability: Durability,
    },
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
    /// `ENOTEMPTY`.
    #[error("directory not empty")]
    NotEmpty,
    /// `ENOSPC`.
    #[error("no space left")]
    NoSpace,
    /// `EROFS`.
    #[error("read-only file system")]
    ReadOnly,
    /// A name that this file system cannot hold.
    #[error("the file system cannot hold this name")]
    BadName,
    /// The user's quota is used up, or that of the system (`EDQUOT`).
    #[error("the user's quota is used up")]
    Quota,
    /// `EFBIG`.
    #[error("file too large for the file system")]
    TooLarge,
    /// `EMFILE`, `ENFILE`, `ENOMEM`: try later.
    #[error("out of files or memory")]
    Exhausted,
    /// It is not what it was when it was listed, or was written while it was read.
    #[error("the file changed while it was read")]
    Changed,
    /// The bytes do not have the hash that they must have.
    #[error("the bytes have another hash")]
    Mismatch,
    /// Another process or transfer has locked it.
    #[error("another transfer works on it")]
    InUse,
    /// A later transfer of the same file goes on with it.
    #[error("a later transfer has taken it over")]
    TakenOver,
    /// `EIO` and all else.
    #[error("input/output error")]
    Io,
}
