//! What a transfer tells the application; the session adds the ids.

use alloc::vec::Vec;

use super::{FileReport, Requested};
use crate::event::{Event, Failure, FileInfo, Finished, LimitedBy, TransferStats};
use crate::id::TransferId;

/// One variant for each of [`Event`](crate::Event)'s that is about a transfer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum TransferEvent {
    Requested(Requested),
    Accepted,
    Entry(FileInfo),
    Listing(Vec<u8>),
    Files(Vec<FileReport>),
    Progress {
        bytes: u64,
        had: u64,
        whole: u64,
        size: u64,
        resent: u64,
        files: u64,
        limited_by: LimitedBy,
    },
    Finished {
        result: Result<Finished, Failure>,
        stats: TransferStats,
    },
}

impl TransferEvent {
    /// The event of this transfer.
    pub(crate) fn with_id(self, transfer: TransferId) -> Event {
        match self {
            Self::Requested(request) => Event::Requested { transfer, request },
            Self::Accepted => Event::Accepted { transfer },
            Self::Entry(file) => Event::Entry { transfer, file },
            Self::Listing(entries) => Event::Listing { transfer, entries },
            Self::Files(files) => Event::Files { transfer, files },
            Self::Progress {
                bytes,
                had,
                whole,
                size,
                resent,
                files,
                limited_by,
            } => Event::Progress {
                transfer,
                bytes,
                had,
                whole,
                size,
                resent,
                files,
                limited_by,
            },
            Self::Finished { result, stats } => Event::Finished {
                transfer,
                result,
                stats,
            },
        }
    }
}

/// What is still to be told. Each is a flag or a value, so that nothing piles up.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) requested: bool,
    pub(super) accepted: bool,
    pub(super) entry: Option<FileInfo>,
    pub(super) progress: bool,
    /// What held the transfer up when it last went on.
    pub(super) limited_by: Option<LimitedBy>,
    /// `Finished` was told, or nobody waits for it.
    pub(super) finished: bool,
}

impl Pending {
    /// The transfer went on.
    pub(super) fn went_on(&mut self, limited_by: LimitedBy) {
        self.progress = true;
        self.limited_by = Some(limited_by);
    }
}
