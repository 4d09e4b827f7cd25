//! What is told of a file or directory.

/// The kind of a directory entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum EntryKind {
    /// A regular file.
    File = 0,
    /// A directory.
    Directory = 1,
    /// A symbolic link.
    Symlink = 2,
    /// A device, socket, FIFO or another kind.
    Other = 3,
}

/// One directory entry, or one file of a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// File, directory, ….
    pub kind: EntryKind,
    /// Bytes; 0 for what is no regular file.
    pub size: u64,
    /// Modification time, nanoseconds since 1970, negative before.
    pub mtime: i64,
    /// Permission bits, `mode & 0o777`.
    pub mode: u16,
    /// In a listing, the name in its directory; in a transfer, the path below the requested one, empty for that one itself.
    pub name: &'a [u8],
}
