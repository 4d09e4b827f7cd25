//! The network path to a peer: addresses, and what may be sent before the address is proven.

use core::net::{IpAddr, SocketAddr};

/// An unvalidated address is sent at most this many times what came from it (H1, RFC 9000 §8.1).
const AMPLIFICATION: u64 = 3;

/// One path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    pub(crate) remote: SocketAddr,
    pub(crate) local: Option<IpAddr>,
    validated: bool,
    received: u64,
    sent: u64,
}

impl Path {
    /// A path that this end chose (`validated`) or that a stranger came on.
    pub(crate) fn new(remote: SocketAddr, local: Option<IpAddr>, validated: bool) -> Self {
        Self {
            remote,
            local,
            validated,
            received: 0,
            sent: 0,
        }
    }

    /// UDP payload bytes came, valid or not.
    pub(crate) fn on_received(&mut self, bytes: usize) {
        self.received += bytes as u64;
    }

    pub(crate) fn on_sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// The peer proved to receive at this address.
    pub(crate) fn validate(&mut self) {
        self.validated = true;
    }

    /// UDP payload bytes that may be sent now.
    pub(crate) fn budget(&self) -> u64 {
        if self.validated {
            u64::MAX
        } else {
            (AMPLIFICATION * self.received).saturating_sub(self.sent)
        }
    }

    /// Bytes that were sent beyond what an unproven address may get.
    pub(crate) fn excess(&self) -> u64 {
        self.sent.saturating_sub(AMPLIFICATION * self.received)
    }

    pub(crate) fn bytes_sent(&self) -> u64 {
        self.sent
    }

    pub(crate) fn bytes_received(&self) -> u64 {
        self.received
    }
}
