//! Codes that close a session or end a transfer.

/// Why a session is closed (CLOSE).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CloseCode {
    /// 0x00: nothing is wrong.
    NoError,
    /// 0x01: a fault of the closing endpoint.
    Internal,
    /// 0x03: more data than credit.
    FlowControl,
    /// 0x07: a frame that cannot be decoded.
    FrameEncoding,
    /// 0x08: transport parameters that cannot be taken.
    TransportParameter,
    /// 0x09: more connection ids than an end may give.
    ConnectionIdLimit,
    /// 0x0a: any other breach of the protocol.
    ProtocolViolation,
    /// 0x0d: handshake data beyond what is buffered.
    CryptoBufferExceeded,
    /// 0x0e: a key update before its time.
    KeyUpdate,
    /// 0x0f: a key was used as often as it may be.
    AeadLimit,
    /// 0x20: the peer is not admitted; the one code that a stranger sees (L4).
    Refused,
    /// 0x21: too many sessions.
    Busy,
    /// 0x22: the server is going down.
    ShuttingDown,
    /// 0x23: the peer owed bytes and moved next to none for a minute.
    Stalled,
    /// 0x100–0x1ff: TLS alert, as RFC 9001 §4.8.
    Crypto(u8),
    /// Any other.
    Other(u64),
}

impl CloseCode {
    /// The number on the wire.
    #[must_use]
    pub const fn to_wire(self) -> u64 {
        match self {
            Self::NoError => 0x00,
            Self::Internal => 0x01,
            Self::FlowControl => 0x03,
            Self::FrameEncoding => 0x07,
            Self::TransportParameter => 0x08,
            Self::ConnectionIdLimit => 0x09,
            Self::ProtocolViolation => 0x0a,
            Self::CryptoBufferExceeded => 0x0d,
            Self::KeyUpdate => 0x0e,
            Self::AeadLimit => 0x0f,
            Self::Refused => 0x20,
            Self::Busy => 0x21,
            Self::ShuttingDown => 0x22,
            Self::Stalled => 0x23,
            Self::Crypto(alert) => 0x100 | alert as u64,
            Self::Other(code) => code,
        }
    }

    /// The meaning of a number; unassigned ones are [`Other`](Self::Other).
    #[must_use]
    pub const fn from_wire(code: u64) -> Self {
        match code {
            0x00 => Self::NoError,
            0x01 => Self::Internal,
            0x03 => Self::FlowControl,
            0x07 => Self::FrameEncoding,
            0x08 => Self::TransportParameter,
            0x09 => Self::ConnectionIdLimit,
            0x0a => Self::ProtocolViolation,
            0x0d => Self::CryptoBufferExceeded,
            0x0e => Self::KeyUpdate,
            0x0f => Self::AeadLimit,
            0x20 => Self::Refused,
            0x21 => Self::Busy,
            0x22 => Self::ShuttingDown,
            0x23 => Self::Stalled,
            0x100..=0x1ff => Self::Crypto(code as u8),
            _ => Self::Other(code),
        }
    }
}

/// Why a transfer is refused, cancelled or failed (REFUSE, CANCEL, FAILED).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ErrorCode {
    /// 1: no such file or directory, or none that this user may know of.
    NotFound,
    /// 2: the operating system denied access.
    Denied,
    /// 3: a directory where a file is needed.
    IsDirectory,
    /// 4: a file where a directory is needed.
    NotDirectory,
    /// 5: a device, socket, FIFO, …, or a symbolic link that leaves the shared directory.
    NotRegular,
    /// 6: the target exists and may not be replaced.
    Exists,
    /// 7: no space left at the sink.
    NoSpace,
    /// 8: this user may only read.
    ReadOnly,
    /// 9: the name is not allowed.
    NameRefused,
    /// 10: larger than the sink can hold.
    TooLarge,
    /// 11: the user's quota is used up.
    Quota,
    /// 12: the source file changed while it was sent.
    SourceChanged,
    /// 13: the data's hash is wrong.
    Integrity,
    /// 14: input/output error at the peer that says so.
    Io,
    /// 15: out of files, memory or transfers: try later.
    Busy,
    /// 16: the application gave up.
    Cancelled,
    /// 17: no decision in time.
    TimedOut,
    /// 18: a request that this peer does not know.
    Unsupported,
    /// 19: the target was changed by someone else meanwhile.
    TargetChanged,
    /// 20: a symbolic link that may lead out of the copied directory.
    LinkRefused,
    /// 21: a directory that is not empty.
    NotEmpty,
    /// 22: the file system takes the name for that of another file of the job.
    NameCollision,
    /// Any other.
    Other(u64),
}

impl ErrorCode {
    /// The number on the wire.
    #[must_use]
    pub const fn to_wire(self) -> u64 {
        match self {
            Self::NotFound => 1,
            Self::Denied => 2,
            Self::IsDirectory => 3,
            Self::NotDirectory => 4,
            Self::NotRegular => 5,
            Self::Exists => 6,
            Self::NoSpace => 7,
            Self::ReadOnly => 8,
            Self::NameRefused => 9,
            Self::TooLarge => 10,
            Self::Quota => 11,
            Self::SourceChanged => 12,
            Self::Integrity => 13,
            Self::Io => 14,
            Self::Busy => 15,
            Self::Cancelled => 16,
            Self::TimedOut => 17,
            Self::Unsupported => 18,
            Self::TargetChanged => 19,
            Self::LinkRefused => 20,
            Self::NotEmpty => 21,
            Self::NameCollision => 22,
            Self::Other(code) => code,
        }
    }

    /// The meaning of a number; unassigned ones are [`Other`](Self::Other).
    #[must_use]
    pub const fn from_wire(code: u64) -> Self {
        match code {
            1 => Self::NotFound,
            2 => Self::Denied,
            3 => Self::IsDirectory,
            4 => Self::NotDirectory,
            5 => Self::NotRegular,
            6 => Self::Exists,
            7 => Self::NoSpace,
            8 => Self::ReadOnly,
            9 => Self::NameRefused,
            10 => Self::TooLarge,
            11 => Self::Quota,
            12 => Self::SourceChanged,
            13 => Self::Integrity,
            14 => Self::Io,
            15 => Self::Busy,
            16 => Self::Cancelled,
            17 => Self::TimedOut,
            18 => Self::Unsupported,
            19 => Self::TargetChanged,
            20 => Self::LinkRefused,
            21 => Self::NotEmpty,
            22 => Self::NameCollision,
            _ => Self::Other(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_one_meaning() {
        for code in (0..0x400).chain([u64::MAX]) {
            assert_eq!(CloseCode::from_wire(code).to_wire(), code);
            assert_eq!(ErrorCode::from_wire(code).to_wire(), code);
        }
        assert_eq!(CloseCode::from_wire(0x128), CloseCode::Crypto(0x28));
        assert_eq!(CloseCode::from_wire(0x200), CloseCode::Other(0x200));
        assert_eq!(ErrorCode::from_wire(0), ErrorCode::Other(0));
        assert_eq!(ErrorCode::from_wire(19), ErrorCode::TargetChanged);
        assert_eq!(ErrorCode::from_wire(99), ErrorCode::Other(99));
    }
}
