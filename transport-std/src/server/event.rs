//! What a server tells about itself.

use std::net::SocketAddr;
use std::sync::Arc;

use proto_core::classic::ClassicIgnored;
use proto_core::crypto::PublicKey;
use proto_core::wire::{ErrorCode, FilePath, RequestKind};
use proto_core::{CloseCause, Failure, FileInfo, FileReport, Finished, PeerStats, TransferStats};

/// What a user may do in a share. The lesser of the share's and the user's rights counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rights {
    /// Nothing: every request ends as if nothing were there.
    None,
    /// List, look at and download.
    Read,
    /// Upload, make directories, remove and rename, too.
    ReadWrite,
}

/// One user's session, as events show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionInfo {
    /// Counts the server's sessions from 1; 0 for a classic client, which has none.
    pub number: u64,
    /// Where the user is.
    pub address: SocketAddr,
    /// The key that the user proved to hold; `None` for a classic client, who may be anybody.
    pub key: Option<PublicKey>,
    /// What the user may do.
    pub rights: Rights,
}

/// One request of a user, as events show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Job {
    /// Counts the server's requests from 1.
    pub number: u64,
    /// List, look, download (`Get`), upload (`Put`), hash, or a change of names.
    pub kind: RequestKind,
    /// What is asked for. Bytes from a stranger: escape them before they reach a terminal or a log.
    pub path: FilePath,
    /// `Rename`: the new path; otherwise empty.
    pub to: FilePath,
}

/// One thing that happened at a server.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum ServerEvent {
    /// A user was let in.
    Opened {
        /// The session.
        session: Arc<SessionInfo>,
    },
    /// What a user may do is another now, for the requests that follow: see [`Reviewer::review`](crate::Reviewer::review).
    RightsChanged {
        /// The session, with the new rights.
        session: Arc<SessionInfo>,
    },
    /// A stranger was turned away.
    Refused {
        /// Where the stranger is.
        address: SocketAddr,
        /// The stranger's key.
        key: PublicKey,
    },
    /// A session ended. Its jobs were finished before.
    Closed {
        /// The session.
        session: Arc<SessionInfo>,
        /// Why.
        cause: CloseCause,
        /// The last figures that are known.
        stats: Option<PeerStats>,
    },
    /// A user asks for something.
    Requested {
        /// The session.
        session: Arc<SessionInfo>,
        /// The request.
        job: Arc<Job>,
        /// `Put`: bytes announced.
        size: u64,
    },
    /// The request is refused; its last event.
    RequestRefused {
        /// The session.
        session: Arc<SessionInfo>,
        /// The request.
        job: Arc<Job>,
        /// Why.
        code: ErrorCode,
    },
    /// A classic client's request is granted. What a download is follows ([`Started`](Self::Started)); an upload's size is known at
    /// its end.
    Granted {
        /// The client.
        session: Arc<SessionInfo>,
        /// The request.
        job: Arc<Job>,
    },
    /// A message of the classic dialect was ignored, and not for being late.
    Ignored {
        /// Where it came from.
        address: SocketAddr,
        /// What is wrong with it.
        why: ClassicIgnored,
        /// Such messages before it that are not told of.
        untold: u64,
    },
    /// What the file is; its bytes begin to travel.
    Started {
        /// The session.
        session: Arc<SessionInfo>,
        /// The request.
        job: Arc<Job>,
        /// The file.
        file: FileInfo,
    },
    /// What became of files of a directory.
    Files {
        /// The session.
        session: Arc<SessionInfo>,
        /// The request.
        job: Arc<Job>,
        /// Their paths are below the job's.
        files: Vec<FileReport>,
    },
    /// Bytes went on; told at most ten times a second for each job.
    Progress {
        /// The session.
        session: Arc<SessionInfo>,
        /// The request.
        job: Arc<Job>,
        /// Bytes that are at the receiver for sure.
        bytes: u64,
        /// Bytes of the whole.
        size: u64,
        /// Bytes sent again so far (`Get`).
        resent: u64,
    },
    /// The job is over.
    Finished {
        /// The session.
        session: Arc<SessionInfo>,
        /// The request.
        job: Arc<Job>,
        /// What came of it.
        result: Result<Finished, Failure>,
        /// Figures.
        stats: TransferStats,
    },
}
