//! What is said in a handshake, at which level, in how many bytes.

use proto_core::crypto::Level;

/// Bytes of type and length before a message's body.
pub(super) const HEADER: usize = 4;

/// The handshake's messages, in order. The flights stand for all of TLS's messages at the Handshake level.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    ClientHello = 1,
    ServerHello = 2,
    ServerFlight = 3,
    ClientFlight = 4,
}

impl Message {
    pub(super) fn level(self) -> Level {
        match self {
            Self::ClientHello | Self::ServerHello => Level::Initial,
            Self::ServerFlight | Self::ClientFlight => Level::Handshake,
        }
    }

    /// Bytes of the whole message while the parameters fit: what TLS takes with raw keys, X25519MLKEM768 and parameters
    /// of 60 bytes.
    pub(super) fn size(self) -> usize {
        match self {
            Self::ClientHello => 1_412,
            Self::ServerHello => 1_178,
            Self::ServerFlight => 273,
            Self::ClientFlight => 165,
        }
    }
}
