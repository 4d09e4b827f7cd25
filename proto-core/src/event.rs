//! What an endpoint tells its application.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::classic::ClassicIgnored;
use crate::crypto::{Direction, PublicKey};
use crate::id::{PeerId, TransferId};
use crate::time::Duration;
use crate::transfer::{FileReport, Requested, TreeTotals};
use crate::wire::{CloseCode, Durability, EntryKind, ErrorCode, StoredAs};

/// One thing that happened. Untaken events do not pile up: progress coalesces, and a transfer waits for the application
/// where an event of its must not be lost.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// The handshake is complete. Answer with [`Endpoint::admit`](crate::Endpoint::admit).
    PeerReady {
        /// The session.
        peer: PeerId,
        /// This end's role.
        direction: Direction,
        /// The peer's address.
        address: SocketAddr,
        /// The key that the peer proved to hold.
        key: PublicKey,
    },
    /// The peer asks for something. Answer with [`Endpoint::decide`](crate::Endpoint::decide).
    Requested {
        /// The transfer.
        transfer: TransferId,
        /// What is asked.
        request: Requested,
    },
    /// A client of the classic dialect asks for something. Answer with [`Endpoint::decide`](crate::Endpoint::decide). It has no
    /// session and no key; anybody can send from this address. What is refused is not answered.
    ClassicRequested {
        /// The exchange.
        transfer: TransferId,
        /// Where the client is.
        address: SocketAddr,
        /// What is asked. An upload's size is not known before its end.
        request: Requested,
    },
    /// A message of the classic dialect was ignored, for another reason than being late. Coalesced: at most 16 wait.
    ClassicIgnored {
        /// Where it came from.
        address: SocketAddr,
        /// What is wrong with it.
        why: ClassicIgnored,
        /// Such messages that were ignored before and not told of.
        untold: u64,
    },
    /// The peer does as asked.
    Accepted {
        /// The transfer.
        transfer: TransferId,
    },
    /// The answer to `Stat`, or what the file of a transfer is: its bytes begin to travel.
    Entry {
        /// The transfer.
        transfer: TransferId,
        /// The file.
        file: FileInfo,
    },
    /// The next entries of a listing, whole ones, encoded one after the other: read them with
    /// [`Entry::decode`](crate::wire::Entry::decode). Taking the event makes room for more.
    Listing {
        /// The transfer.
        transfer: TransferId,
        /// Encoded entries.
        entries: Vec<u8>,
    },
    /// What became of files of a directory. As long as these are not taken, few more are stored.
    Files {
        /// The transfer.
        transfer: TransferId,
        /// In the order of their ends.
        files: Vec<FileReport>,
    },
    /// Bytes went on. Coalesced: one at a time waits per transfer.
    Progress {
        /// The transfer.
        transfer: TransferId,
        /// Bytes that are at the sink for sure: written (sink) or acknowledged (source).
        bytes: u64,
        /// Of these, the bytes that were there from an earlier transfer.
        had: u64,
        /// Bytes from the beginning of the file on that are written and compared with the source's values (sink of one file).
        whole: u64,
        /// Bytes of the whole; of a directory, as far as it is known.
        size: u64,
        /// Bytes sent again so far (source).
        resent: u64,
        /// Files, links and other things of a directory that were found so far, directories aside; otherwise 1.
        files: u64,
        /// What held the transfer up just now.
        limited_by: LimitedBy,
    },
    /// The transfer's last event.
    Finished {
        /// The transfer; stale from now on.
        transfer: TransferId,
        /// What came of it.
        result: Result<Finished, Failure>,
        /// Figures.
        stats: TransferStats,
    },
    /// The session's last event. Its open transfers were finished before. Sessions that others began, and whose handshake
    /// came to nothing, are not told of.
    PeerClosed {
        /// The session; stale from now on.
        peer: PeerId,
        /// Why.
        cause: CloseCause,
    },
}

/// What holds a transfer up, as one of its ends sees it at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LimitedBy {
    /// At a source: bytes are there to be sent, and the network takes no more of them. At a sink: nothing waits here; whether
    /// the network or the peer is slow, it cannot tell.
    Network,
    /// This end's disk: bytes are being read, or written.
    Disk,
    /// At a source: the peer takes no more, or has not stored yet what it has.
    Peer,
}

/// A file or directory, as its owner tells it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FileInfo {
    /// File, directory or something else.
    pub kind: EntryKind,
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970.
    pub mtime: i64,
    /// Permission bits.
    pub mode: u16,
}

/// How a transfer ended well.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Finished {
    /// A file stands under its name at the sink.
    Stored {
        /// BLAKE3 hash of the whole, the same on both sides; `None` when it was unchanged and nothing was read.
        root: Option<[u8; 32]>,
        /// Bytes.
        size: u64,
        /// Written, or there already.
        how: StoredAs,
        /// What survives a power loss.
        durability: Durability,
    },
    /// All of a listing, or the answer to `Stat`, was given.
    Answered,
    /// A directory went as far as it could: single files may have failed.
    Tree(TreeTotals),
    /// A file was read at the peer (or here, for the peer) and stayed the same meanwhile.
    Hashed {
        /// BLAKE3 hash of the whole.
        root: [u8; 32],
        /// Bytes.
        size: u64,
    },
    /// Names were made, removed or renamed.
    Changed {
        /// How many; 0 when a directory that was to be made was there already.
        count: u64,
        /// What of it survives a power loss.
        durability: Durability,
    },
}

/// How a transfer ended otherwise. No file was touched under its final name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Failure {
    /// This end gave up.
    Here(ErrorCode),
    /// The peer said so.
    Peer(ErrorCode),
    /// The peer refused the request.
    Refused(ErrorCode),
    /// The session ended first.
    SessionLost,
    /// Nobody answered, in the classic dialect: no server is there, or it does not do what was asked, which it cannot say.
    NoAnswer,
}

/// Figures of a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct TransferStats {
    /// File bytes that travelled, each counted once; not those that were there from an earlier transfer.
    pub bytes: u64,
    /// File bytes sent again (source); of a classic download, also those asked for again (sink).
    pub resent: u64,
    /// From the request to the end.
    pub elapsed: Duration,
}

/// Why a session ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CloseCause {
    /// This end closed it.
    Here(CloseCode),
    /// The peer closed it.
    Peer(CloseCode),
    /// Nothing was heard for the idle time-out.
    TimedOut,
    /// The server has forgotten the session: it was restarted (RFC 9000 §10.3).
    Reset,
    /// The handshake was not finished in time: nobody answered, or not to the end.
    HandshakeTimedOut,
}
