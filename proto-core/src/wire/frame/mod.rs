//! Frames: what an opened packet's payload is made of.

mod ack;
mod codec;
mod data;
mod file;
pub(super) mod kind;
mod path;
mod request;
mod session;
#[cfg(test)]
mod tests;

pub use ack::{Ack, write_ack, write_ack_ecn};
pub use data::Data;

use super::{CloseCode, ConnectionId, Entry, ErrorCode, WireError};

/// One frame. Borrowed parts point into the packet.
///
/// `transfer` is the requester's number of a transfer within the session, counted from 0; `file` numbers the files of
/// a transfer from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frame<'a> {
    /// One or more zero bytes.
    Padding,
    /// Asks for an acknowledgement.
    Ping,
    /// Packets received.
    Ack(Ack<'a>),
    /// TLS handshake bytes of the packet's level.
    Crypto {
        /// Place of the first byte in the level's stream.
        offset: u64,
        /// The bytes.
        data: &'a [u8],
    },
    /// The receiver may send to this id, too.
    NewConnectionId {
        /// Which id of the sender's: they are numbered from 0, the one of the handshake, without gaps.
        sequence: u64,
        /// Ids below shall no longer be used; at most `sequence`.
        retire_prior_to: u64,
        /// The id.
        id: ConnectionId,
        /// What a stateless reset of a session with this id ends with.
        token: &'a [u8; 16],
    },
    /// The sender will no longer send to this id.
    RetireConnectionId {
        /// Which id of the receiver's.
        sequence: u64,
    },
    /// Asks for PATH_RESPONSE on the same path.
    PathChallenge {
        /// Unpredictable.
        data: [u8; 8],
    },
    /// Shows that PATH_CHALLENGE arrived.
    PathResponse {
        /// That of the challenge.
        data: [u8; 8],
    },
    /// Asks the receiver to send no faster.
    RateLimit {
        /// They count from 1; of two, the one with the higher number holds.
        sequence: u64,
        /// Bytes of UDP payload a second; 0 for no limit.
        rate: u64,
    },
    /// Asks the receiver to acknowledge more or less often.
    AckFrequency {
        /// They count from 1; of two, the one with the higher number holds.
        sequence: u64,
        /// An acknowledgement is for so many ack-eliciting packets at most.
        packets: u64,
        /// Microseconds that one is held back at most.
        delay: u64,
        /// A missing packet is told of at once when it is so many numbers below the largest; 0: never, 1: with any that come
        /// out of order.
        reordering: u64,
    },
    /// Server to client: the handshake is confirmed.
    HandshakeDone,
    /// The session ends.
    Close {
        /// Why.
        code: CloseCode,
        /// For people; at most 1,024 bytes.
        reason: &'a [u8],
    },
    /// Opens a transfer.
    Request {
        /// The requester's next number.
        transfer: u64,
        /// What is asked.
        kind: RequestKind,
        /// The sink stays silent about bytes until it has compared ENTRY with what it has, then says WANT or STORED.
        compare: bool,
        /// An existing target is not replaced.
        no_clobber: bool,
        /// `Put`: file 0 is a directory. `Get`: it may be one. `MakeDir`: with those above it. `Remove`: with all that is in it.
        tree: bool,
        /// `Get`: the source stays silent about bytes until WANT, because the sink may have some of them.
        resume: bool,
        /// What STORED or DONE must mean (all but `List`, `Stat` and `Get`).
        durability: Durability,
        /// `Put`: the file's size as far as known. `Get`: credit, in blocks. Otherwise 0.
        amount: u64,
        /// Path, to be checked by [`FilePath::parse`](super::FilePath::parse).
        path: &'a [u8],
        /// `Rename`: the new path, to be checked likewise. `Get`: what of a directory is left out, if anything. Otherwise empty.
        argument: &'a [u8],
    },
    /// The responder does as asked.
    Accept {
        /// Which transfer.
        transfer: u64,
        /// `Put`: credit, in blocks. Otherwise 0.
        credit: u64,
    },
    /// The responder does not.
    Refuse {
        /// Which transfer.
        transfer: u64,
        /// Why.
        code: ErrorCode,
    },
    /// Either side gives the transfer up.
    Cancel {
        /// Which transfer.
        transfer: u64,
        /// Why.
        code: ErrorCode,
    },
    /// Source to sink: what a file is. The whole answer to `Stat`, half of that to `Hash`.
    Entry {
        /// Which transfer.
        transfer: u64,
        /// Which file.
        file: u64,
        /// Number of the directory that holds it; 0 for file 0 itself.
        parent: u64,
        /// Opaque; changes when the content may have.
        version: &'a [u8; 16],
        /// What it is.
        entry: Entry<'a>,
    },
    /// Sink to source: send these bytes (again).
    Want {
        /// Which transfer.
        transfer: u64,
        /// Which file.
        file: u64,
        /// First byte.
        start: u64,
        /// One past the last byte.
        end: u64,
    },
    /// Sink to source: blocks of a file that may be begun. For a directory: units of 1 KiB that entries and small bodies
    /// may take, counted from the beginning of the transfer. For `List`: the offset up to which pages may be sent.
    Credit {
        /// Which transfer.
        transfer: u64,
        /// Which file; 0 for a listing.
        file: u64,
        /// The new limit; lower values than one before change nothing.
        limit: u64,
    },
    /// Source to sink: bytes of a file, never across a block's border.
    Data {
        /// Which transfer.
        transfer: u64,
        /// Which file.
        file: u64,
        /// Place of the first byte in the file.
        offset: u64,
        /// The bytes, at least one.
        data: &'a [u8],
    },
    /// Source to sink: BLAKE3 chaining value of a whole piece of a file that has more than one.
    Piece {
        /// Which transfer.
        transfer: u64,
        /// Which file.
        file: u64,
        /// Which piece: offset divided by the piece size.
        index: u64,
        /// Chaining value.
        value: &'a [u8; 32],
    },
    /// Sink to source: BLAKE3 chaining value of 2^`level` pieces that it has from an earlier transfer.
    Have {
        /// Which transfer.
        transfer: u64,
        /// Which file.
        file: u64,
        /// The first piece, a multiple of 2^`level`.
        index: u64,
        /// At most 41.
        level: u8,
        /// Chaining value.
        value: &'a [u8; 32],
    },
    /// Source to sink: all of the file was read, unchanged. The end of the answer to `Hash`.
    Seal {
        /// Which transfer.
        transfer: u64,
        /// Which file.
        file: u64,
        /// Bytes.
        size: u64,
        /// BLAKE3 hash of the whole.
        root: &'a [u8; 32],
    },
    /// Sink to source: the file stands under its name.
    Stored {
        /// Which transfer.
        transfer: u64,
        /// Which file.
        file: u64,
        /// How.
        how: StoredAs,
        /// What survives a power loss.
        durability: Durability,
    },
    /// Either side: this file will not arrive.
    Failed {
        /// Which transfer.
        transfer: u64,
        /// Which file.
        file: u64,
        /// Why.
        code: ErrorCode,
    },
    /// Responder to requester: names were changed as asked. The whole answer to `MakeDir`, `Remove` and `Rename`.
    Done {
        /// Which transfer.
        transfer: u64,
        /// Names that were made, removed or renamed.
        count: u64,
        /// What of it survives a power loss.
        durability: Durability,
    },
    /// Source to sink: bytes of a listing.
    Page {
        /// Which transfer.
        transfer: u64,
        /// Place of the first byte in the listing.
        offset: u64,
        /// Nothing follows.
        last: bool,
        /// Encoded entries, cut anywhere.
        data: &'a [u8],
    },
}

/// What a REQUEST asks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum RequestKind {
    /// The entries of a directory.
    List = 0,
    /// The metadata of one path.
    Stat = 1,
    /// A file, from the responder.
    Get = 2,
    /// A file, to the responder.
    Put = 3,
    /// Make a directory.
    MakeDir = 4,
    /// Remove a file, a symbolic link or a directory.
    Remove = 5,
    /// Give a file, a symbolic link or a directory another name.
    Rename = 6,
    /// The hash of a file's bytes.
    Hash = 7,
}

impl RequestKind {
    /// Whether it changes names at the responder, and moves no bytes.
    #[must_use]
    pub const fn changes_names(self) -> bool {
        matches!(self, Self::MakeDir | Self::Remove | Self::Rename)
    }

    fn from_wire(byte: u8) -> Result<Self, WireError> {
        match byte {
            0 => Ok(Self::List),
            1 => Ok(Self::Stat),
            2 => Ok(Self::Get),
            3 => Ok(Self::Put),
            4 => Ok(Self::MakeDir),
            5 => Ok(Self::Remove),
            6 => Ok(Self::Rename),
            7 => Ok(Self::Hash),
            _ => Err(WireError::BadValue),
        }
    }
}

/// What survives a power loss once STORED was said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum Durability {
    /// Nothing is promised.
    None = 0,
    /// The file's bytes.
    File = 1,
    /// The file's bytes and its name.
    #[default]
    Full = 2,
}

impl Durability {
    fn from_wire(byte: u8) -> Result<Self, WireError> {
        match byte {
            0 => Ok(Self::None),
            1 => Ok(Self::File),
            2 => Ok(Self::Full),
            _ => Err(WireError::BadValue),
        }
    }
}

/// What STORED says of the file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum StoredAs {
    /// It was written.
    Written = 0,
    /// Size and time were the same already.
    Unchanged = 1,
}

impl StoredAs {
    fn from_wire(byte: u8) -> Result<Self, WireError> {
        match byte {
            0 => Ok(Self::Written),
            1 => Ok(Self::Unchanged),
            _ => Err(WireError::BadValue),
        }
    }
}
