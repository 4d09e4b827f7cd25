//! The lies that a hostile peer knows.

use serde::{Deserialize, Serialize};

/// What a hostile peer can say or leave out, one kind each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lie {
    /// Random bytes in the place of all frames.
    Garbage,
    /// Nothing but PADDING.
    Hollow,
    /// A last frame that claims more bytes than the packet has.
    Truncated,
    /// More frames than a packet may hold.
    ManyFrames,
    /// Frames of earlier packets, once more.
    Replay,
    /// A frame of the packet twice.
    Duplicate,
    /// A frame is left out, and the liar believes that it was sent.
    Omit,
    /// A frame of any type with random fields.
    Invent,
    /// Transport parameters with changed fields, or that are none.
    Params,
    /// CRYPTO with random bytes at a wild offset.
    Crypto,
    /// HANDSHAKE_DONE, whoever says it.
    HandshakeDone,
    /// CLOSE with a random code, after which the liar goes on.
    Close,
    /// Dozens of PINGs.
    PingFlood,
    /// ACK of a number far beyond what was sent.
    AckNeverSent,
    /// ACK of what is perhaps on its way, not received (optimistic ACK).
    AckOptimistic,
    /// ACK of every second number, 256 ranges of them, received or not.
    AckAlternating,
    /// ACK of every second number of those that were received.
    AckEverySecond,
    /// ACK with another delay.
    AckDelay,
    /// No ACK.
    AckWithheld,
    /// ACK_ECN that counts more packets with ECT(0) than were ever sent.
    EcnInflated,
    /// ACK_ECN with smaller counts than before.
    EcnBack,
    /// ACK_ECN that says that all were marked on the way.
    EcnMarked,
    /// ACK_ECN that counts ECT(1), which nobody sends.
    EcnOther,
    /// ACK in the place of ACK_ECN.
    EcnWithheld,
    /// DATA beyond the credit.
    DataBeyondCredit,
    /// DATA at another offset.
    DataMoved,
    /// DATA with other bytes, which overlap with the right ones when these come again.
    DataOther,
    /// DATA at and beyond the announced end.
    DataBeyondSize,
    /// DATA of a transfer or file that nobody asked for.
    DataUnasked,
    /// DATA of single bytes with gaps between them.
    DataIslands,
    /// ENTRY is left out: DATA comes before it, and it never does.
    EntryWithheld,
    /// ENTRY with a name: `..`, absolute, NUL, too long, reserved, escape sequences.
    EntryName,
    /// ENTRY with another size, up to the largest.
    EntrySize,
    /// ENTRY of a directory, a link or a device.
    EntryKind,
    /// A second ENTRY with another size, time and version.
    EntryAgain,
    /// PIECE with another value or index.
    Piece,
    /// SEAL with another root.
    SealRoot,
    /// SEAL with another size.
    SealSize,
    /// STORED of what was not.
    StoredUndone,
    /// FAILED of some transfer.
    Failed,
    /// CANCEL and REFUSE of every known transfer.
    CancelAll,
    /// WANT of random ranges: whole blocks, parts of them, beyond the end.
    Want,
    /// CREDIT and ACCEPT of the largest number there is.
    CreditAll,
    /// CREDIT of less than before.
    CreditLess,
    /// REQUESTs, as many as fit, for random things.
    RequestFlood,
    /// REQUEST with a hostile path: others' names, `..`, reserved ones.
    RequestPath,
    /// REQUEST with a number beyond the window.
    RequestAhead,
    /// PAGE at another offset, overlapping or beyond the credit.
    PageMoved,
    /// PAGE of single bytes with gaps between them.
    PageIslands,
    /// PAGE that says to be the last, and is not.
    PageLast,
    /// PAGE of entries with hostile names.
    PageNames,
}

impl Lie {
    /// Every lie.
    pub const ALL: [Self; 51] = [
        Self::Garbage,
        Self::Hollow,
        Self::Truncated,
        Self::ManyFrames,
        Self::Replay,
        Self::Duplicate,
        Self::Omit,
        Self::Invent,
        Self::Params,
        Self::Crypto,
        Self::HandshakeDone,
        Self::Close,
        Self::PingFlood,
        Self::AckNeverSent,
        Self::AckOptimistic,
        Self::AckAlternating,
        Self::AckEverySecond,
        Self::AckDelay,
        Self::AckWithheld,
        Self::EcnInflated,
        Self::EcnBack,
        Self::EcnMarked,
        Self::EcnOther,
        Self::EcnWithheld,
        Self::DataBeyondCredit,
        Self::DataMoved,
        Self::DataOther,
        Self::DataBeyondSize,
        Self::DataUnasked,
        Self::DataIslands,
        Self::EntryWithheld,
        Self::EntryName,
        Self::EntrySize,
        Self::EntryKind,
        Self::EntryAgain,
        Self::Piece,
        Self::SealRoot,
        Self::SealSize,
        Self::StoredUndone,
        Self::Failed,
        Self::CancelAll,
        Self::Want,
        Self::CreditAll,
        Self::CreditLess,
        Self::RequestFlood,
        Self::RequestPath,
        Self::RequestAhead,
        Self::PageMoved,
        Self::PageIslands,
        Self::PageLast,
        Self::PageNames,
    ];
}
