//! Operations out on loan must be independent of each other: who touches what of an open file.

use proto_core::{FileId, Operation};

/// What an operation does to an open file while it is on loan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Access {
    /// Looks at metadata.
    Look,
    /// Reads bytes from the first number to the second.
    Read(u64, u64),
    /// Writes bytes from the first number to the second.
    Write(u64, u64),
    /// Sets metadata.
    Meta,
    /// Makes durable.
    Sync,
    /// Makes durable what was written before.
    SyncSoFar,
    /// Opens, truncates or closes.
    Whole,
}

impl Access {
    /// The open file that `operation` touches, and how.
    pub(super) fn of(operation: &Operation) -> Option<(FileId, Self)> {
        let span = |offset: u64, len: u32| (offset, offset.saturating_add(len.into()));
        Some(match operation {
            Operation::Read {
                file, offset, len, ..
            } => {
                let (start, end) = span(*offset, *len);
                (*file, Self::Read(start, end))
            }
            Operation::Hash {
                file, offset, len, ..
            } => {
                let (start, end) = span(*offset, *len);
                (*file, Self::Read(start, end))
            }
            Operation::Write {
                file, offset, len, ..
            } => {
                let (start, end) = span(*offset, *len);
                (*file, Self::Write(start, end))
            }
            Operation::StatOpen { file } => (*file, Self::Look),
            Operation::SetMeta { file, .. } => (*file, Self::Meta),
            Operation::Sync { file } => (*file, Self::Sync),
            Operation::SyncSoFar { file } => (*file, Self::SyncSoFar),
            Operation::ReadLog { file, offset, max } => {
                let (start, end) = span(*offset, *max);
                (*file, Self::Read(start, end))
            }
            Operation::WriteLog {
                file,
                offset,
                bytes,
            } => {
                let (start, end) = span(*offset, bytes.len() as u32);
                (*file, Self::Write(start, end))
            }
            Operation::Open { file, .. }
            | Operation::Create { file, .. }
            | Operation::OpenPart { file, .. }
            | Operation::OpenLog { file, .. }
            | Operation::CloseLog { file, .. }
            | Operation::Truncate { file, .. }
            | Operation::Close { file } => (*file, Self::Whole),
            Operation::SyncDir { .. }
            | Operation::Rename { .. }
            | Operation::Remove { .. }
            | Operation::RemoveTree { .. }
            | Operation::List { .. }
            | Operation::Stat { .. }
            | Operation::FreeSpace { .. }
            | Operation::MakeDir { .. }
            | Operation::SetDirMeta { .. }
            | Operation::StatFiles { .. }
            | Operation::ReadFiles { .. }
            | Operation::StoreFiles { .. } => return None,
        })
    }

    /// Whether the order of the two matters.
    pub(super) fn conflicts(self, other: Self) -> bool {
        use Access::{Look, Meta, Read, Sync, SyncSoFar, Whole, Write};
        match (self, other) {
            (Whole, _) | (_, Whole) => true,
            (Meta, SyncSoFar) | (SyncSoFar, Meta) => true,
            (SyncSoFar, _) | (_, SyncSoFar) => false,
            (Write(a, b), Write(c, d) | Read(c, d)) | (Read(a, b), Write(c, d)) => a < d && c < b,
            (Meta, Write(..) | Meta | Sync) | (Write(..) | Sync, Meta) => true,
            (Sync, Write(..)) | (Write(..), Sync) => true,
            (Look | Read(..) | Sync, Look | Read(..) | Sync)
            | (Look | Read(..), Meta)
            | (Meta, Look | Read(..))
            | (Look, Write(..))
            | (Write(..), Look) => false,
        }
    }
}
