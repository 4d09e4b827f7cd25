/// What a proxy did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ProxyStats {
    /// Clients that it knows now.
    pub clients: u64,
    /// Clients that it ever took in.
    pub clients_seen: u64,
    /// Datagrams of clients for which there was no room or no socket.
    pub refused: u64,
    /// How often [`Proxy::rebind`](super::Proxy::rebind) has been carried out.
    pub rebinds: u64,
    /// From clients to the server.
    pub up: DirectionStats,
    /// From the server to clients.
    pub down: DirectionStats,
}

/// What came of the datagrams of one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DirectionStats {
    /// Datagrams that came.
    pub received: u64,
    /// Bytes of their payload.
    pub received_bytes: u64,
    /// Datagrams that were sent on, copies included.
    pub sent: u64,
    /// Bytes of their payload.
    pub sent_bytes: u64,
    /// Datagrams that the link lost.
    pub lost: u64,
    /// Copies that the link made.
    pub copied: u64,
    /// Datagrams that came through the link and that the system did not take, or whose client had been forgotten.
    pub unsent: u64,
}
