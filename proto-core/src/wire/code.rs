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
    /// 0x100–0x1ff: TLS alert, as RFC 9001 §4.8.
    Crypto(u8),
    /// Any other.
    Other(u64),
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
    /// Any other.
    Other(u64),
}
