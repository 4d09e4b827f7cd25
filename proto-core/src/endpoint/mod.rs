//! One socket: client and server role, every peer, every transfer.

mod api;

use alloc::sync::Arc;
use core::net::SocketAddr;
use core::num::NonZeroUsize;

pub use api::{
    Admission, ConnectError, DatagramMeta, DropReason, PeerStats, Reason, StaleId, StartError,
    Transmit,
};

use crate::{
    Config, Decision, Event, FileDone, FileOp, Instant, PeerId, Request, TransferId,
    wire::CloseCode,
};

/// One socket: client and server role, every peer, every transfer.
///
/// 1. `handle_*` and the application's calls change state; none blocks, none does I/O.
/// 2. After any of them, poll: up to 16 batches of `poll_transmit`, then `poll_file_op` and `poll_event` until `None`, then
///    `poll_timeout`, and call `handle_timeout` at that time at the latest.
#[derive(Debug)]
pub struct Endpoint {
    _x: (),
}

#[allow(unused, clippy::unimplemented, missing_docs)]
impl Endpoint {
    pub fn new(config: Arc<Config>, seed: [u8; 32], now: Instant) -> Self { unimplemented!() }
    pub fn handle_datagram(&mut self, now: Instant, meta: DatagramMeta, payload: &mut [u8]) { unimplemented!() }
    pub fn handle_timeout(&mut self, now: Instant) { unimplemented!() }
    pub fn handle_file_done(&mut self, now: Instant, done: FileDone) { unimplemented!() }
    /// Opens a session; `PeerReady` follows, or `PeerClosed`.
    pub fn connect(&mut self, now: Instant, address: SocketAddr) -> Result<PeerId, ConnectError> { unimplemented!() }
    pub fn admit(&mut self, now: Instant, peer: PeerId, admission: Admission) -> Result<(), StaleId> { unimplemented!() }
    pub fn start(&mut self, now: Instant, peer: PeerId, request: Request) -> Result<TransferId, StartError> { unimplemented!() }
    pub fn decide(&mut self, now: Instant, transfer: TransferId, decision: Decision) -> Result<(), StaleId> { unimplemented!() }
    pub fn cancel(&mut self, now: Instant, transfer: TransferId) -> Result<(), StaleId> { unimplemented!() }
    /// Ends a session: what is owed to the peer is flushed first (for at most 3 PTO), open transfers are given up.
    pub fn close(&mut self, now: Instant, peer: PeerId, code: CloseCode) -> Result<(), StaleId> { unimplemented!() }
    /// One GSO batch of at most `segments_max` datagrams into `out`.
    pub fn poll_transmit(&mut self, now: Instant, segments_max: NonZeroUsize, out: &mut [u8]) -> Option<Transmit> { unimplemented!() }
    pub fn poll_file_op(&mut self) -> Option<FileOp> { unimplemented!() }
    pub fn poll_event(&mut self) -> Option<Event> { unimplemented!() }
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> { unimplemented!() }
    pub fn stats(&self, peer: PeerId) -> Option<PeerStats> { unimplemented!() }
    /// Datagrams and packets dropped, by reason (index: the reason's number).
    pub fn drops(&self) -> &[u64; DropReason::COUNT] { unimplemented!() }
}
