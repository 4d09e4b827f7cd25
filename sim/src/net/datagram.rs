use std::net::SocketAddr;

use proto_core::Ecn;

/// One UDP datagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Datagram {
    /// Who sent it.
    pub source: SocketAddr,
    /// Whom it is for.
    pub destination: SocketAddr,
    /// The ECN field of its IP header.
    pub ecn: Ecn,
    /// Its UDP payload.
    pub payload: Vec<u8>,
}
