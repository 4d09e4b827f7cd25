//! Why transfers and sessions end: what is said to the peer and to the application.

use crate::file::FileError;
use crate::wire::{CloseCode, EntryKind, ErrorCode};

/// Why a step of a transfer could not be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// The transfer fails; the session goes on.
    Transfer(ErrorCode),
    /// The peer broke the protocol; the session ends.
    Session(CloseCode),
}

impl Fault {
    /// A breach of the protocol that has no code of its own.
    pub(super) const VIOLATION: Self = Self::Session(CloseCode::ProtocolViolation);
}

impl From<FileError> for Fault {
    fn from(error: FileError) -> Self {
        Self::Transfer(error_code(error))
    }
}

/// What the peer is told of a failed file operation. That a link leads out of the shared directory is not told apart
/// from other things that are no files (F16).
pub(crate) fn error_code(error: FileError) -> ErrorCode {
    match error {
        FileError::NotFound => ErrorCode::NotFound,
        FileError::Denied => ErrorCode::Denied,
        FileError::OutsideRoot | FileError::NotRegular => ErrorCode::NotRegular,
        FileError::IsDirectory => ErrorCode::IsDirectory,
        FileError::NotDirectory => ErrorCode::NotDirectory,
        FileError::Exists => ErrorCode::Exists,
        FileError::NotEmpty => ErrorCode::NotEmpty,
        FileError::NoSpace => ErrorCode::NoSpace,
        FileError::Quota => ErrorCode::Quota,
        FileError::ReadOnly => ErrorCode::ReadOnly,
        FileError::BadName => ErrorCode::NameRefused,
        FileError::TooLarge => ErrorCode::TooLarge,
        FileError::Exhausted | FileError::InUse => ErrorCode::Busy,
        FileError::TakenOver => ErrorCode::TargetChanged,
        FileError::Changed => ErrorCode::SourceChanged,
        FileError::Mismatch => ErrorCode::Integrity,
        FileError::Io => ErrorCode::Io,
    }
}

/// Whether a transfer that failed with this code may well succeed later, so that it is worth going on with.
pub(super) fn is_passing(code: ErrorCode) -> bool {
    use ErrorCode::{Busy, Cancelled, TimedOut};
    matches!(code, Busy | Cancelled | TimedOut)
}

/// Fails unless `kind` is a regular file.
pub(super) fn check_regular(kind: EntryKind) -> Result<(), Fault> {
    match kind {
        EntryKind::File => Ok(()),
        EntryKind::Directory => Err(Fault::Transfer(ErrorCode::IsDirectory)),
        EntryKind::Symlink | EntryKind::Other => Err(Fault::Transfer(ErrorCode::NotRegular)),
    }
}
