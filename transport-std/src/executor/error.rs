//! What the operating system's errors mean to the core: the only place where one becomes the other.

use std::io;

use proto_core::FileError;

/// The operating system's error in the core's words.
pub(crate) fn file_error(error: &io::Error) -> FileError {
    #[cfg(unix)]
    if let Some(number) = error.raw_os_error() {
        return from_errno(rustix::io::Errno::from_raw_os_error(number));
    }
    from_kind(error.kind())
}

#[cfg(unix)]
fn from_errno(errno: rustix::io::Errno) -> FileError {
    use rustix::io::Errno as E;
    match errno {
        E::NOENT | E::NOTDIR => FileError::NotFound,
        E::ACCESS | E::PERM => FileError::Denied,
        // openat2 says XDEV for a path that leaves its root and LOOP for a symbolic link where none may be.
        E::XDEV | E::LOOP => FileError::OutsideRoot,
        E::ISDIR => FileError::IsDirectory,
        // Opening a socket, a FIFO without a reader, or a device without a driver.
        E::NXIO | E::NODEV => FileError::NotRegular,
        E::EXIST => FileError::Exists,
        E::NOTEMPTY => FileError::NotEmpty,
        E::NOSPC => FileError::NoSpace,
        E::DQUOT => FileError::Quota,
        E::ROFS => FileError::ReadOnly,
        E::NAMETOOLONG | E::ILSEQ => FileError::BadName,
        E::FBIG | E::OVERFLOW => FileError::TooLarge,
        E::MFILE | E::NFILE | E::NOMEM | E::AGAIN => FileError::Exhausted,
        _ => FileError::Io,
    }
}

/// For systems without errno, and for errors that the standard library made up itself.
fn from_kind(kind: io::ErrorKind) -> FileError {
    use io::ErrorKind as K;
    match kind {
        K::NotFound | K::NotADirectory => FileError::NotFound,
        // cap-std reports a path that leaves its directory as permission denied, too.
        K::PermissionDenied => FileError::Denied,
        K::IsADirectory => FileError::IsDirectory,
        K::AlreadyExists => FileError::Exists,
        K::DirectoryNotEmpty => FileError::NotEmpty,
        K::StorageFull => FileError::NoSpace,
        K::QuotaExceeded => FileError::Quota,
        K::ReadOnlyFilesystem => FileError::ReadOnly,
        K::InvalidFilename | K::InvalidInput => FileError::BadName,
        K::FileTooLarge => FileError::TooLarge,
        K::OutOfMemory => FileError::Exhausted,
        _ => FileError::Io,
    }
}
