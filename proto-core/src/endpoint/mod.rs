//! One socket: client and server role, every peer, every transfer.

mod api;
mod audit;
mod classic;
mod deadlines;
mod id_cipher;
mod leap;
mod queue;
mod reset;
mod route;
mod shared;
mod stateless;
mod train;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use core::net::SocketAddr;
use core::num::NonZeroUsize;

pub use api::{
    Admission, ConnectError, DatagramMeta, DropReason, PeerStats, Reason, StaleId, StartError,
    Transmit,
};
pub(crate) use deadlines::Deadlines;
pub(crate) use queue::Queue;
pub(crate) use shared::Shared;

use crate::classic::{Classic, key_of as classic_key};
use crate::config::Config;
use crate::crypto::Direction;
use crate::event::Event;
use crate::fault::Fault;
use crate::file::{FileDone, FileOp};
use crate::id::{OpId, PeerId, TransferId};
use crate::peer::{Opening, Peer, RateLimits};
use crate::slab::{Key, Slab};
use crate::time::Instant;
use crate::transfer::{Decision, OpTag, Request};
use crate::wire::{CloseCode, ConnectionId};
use id_cipher::{Place, SLOTS_MAX};
use reset::Resets;
use stateless::Answers;

/// One socket: client and server role, every peer, every transfer.
///
/// The contract:
///
/// 1. `handle_*` and the application's calls change state. They do no I/O, never block and never panic, whatever the input.
/// 2. After any of them, a driver polls: up to 16 batches of [`poll_transmit`](Self::poll_transmit), then
///    [`poll_file_op`](Self::poll_file_op) until `None`, then [`poll_event`](Self::poll_event) until `None`, then
///    [`poll_timeout`](Self::poll_timeout); at that time at the latest it calls [`handle_timeout`](Self::handle_timeout).
/// 3. Not polling an output is its back-pressure: nothing queues up behind it.
/// 4. A [`FileOp`] is a loan. It comes home in one [`FileDone`] with the same id, in any order, however late; its block comes
///    home with it. Operations on loan at one time are independent of each other.
/// 5. `now` never goes backwards; an earlier time counts as the latest one told. A forward jump is survived.
/// 6. A deadline is never in the past once `handle_timeout(now)` has returned. Spurious calls of `handle_timeout` and of the
///    polls change nothing.
/// 7. The same configuration, seed and inputs give the same outputs, byte for byte, when the
///    [`Provider`](crate::crypto::Provider) is as deterministic.
/// 8. An id is good until the event that ends it was taken ([`Event::Finished`], [`Event::PeerClosed`]); afterwards it is
///    stale: an error, never another's state.
/// 9. A panic is a bug in dhow.
#[derive(Debug)]
pub struct Endpoint {
    /// The latest time told.
    now: Instant,
    shared: Shared,
    peers: Slab<Peer>,
    /// Servers' sessions by the client's address and first destination id, until they are forgotten: a first packet
    /// that comes twice must not open a second session.
    originals: BTreeMap<(SocketAddr, ConnectionId), Key>,
    half_open: BTreeSet<Key>,
    /// Sessions that this end opened, by the server's address.
    servers: BTreeSet<(SocketAddr, Key)>,
    resets: Resets,
    loans: Slab<Loan>,
    answers: Answers,
    classic: Classic,
    deadlines: Deadlines,
    /// Peers with datagrams, file operations and events for the outside.
    sending: Queue,
    working: Queue,
    telling: Queue,
    /// Peers whose queues and deadline are to be brought up to date: once a batch of datagrams, not once a packet.
    touched: Queue,
    /// Some of them by an input, since the last poll.
    has_input: bool,
    /// The latest id that a packet came for, and the place that it names: mostly, the next one comes for it too.
    latest: Option<(ConnectionId, Place)>,
}

/// What a session may be polled for in vain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Output {
    Datagrams,
    FileOps,
}

/// Whose a file operation on loan is.
#[derive(Clone, Copy, Debug)]
struct Loan {
    peer: Key,
    transfer: Key,
    tag: OpTag,
}

impl Endpoint {
    /// An endpoint without sessions. All of its own randomness follows from `seed`, which must be unpredictable to
    /// others.
    #[must_use]
    pub fn new(config: Arc<Config>, seed: [u8; 32], now: Instant) -> Self {
        Self {
            now,
            shared: Shared::new(config, seed),
            peers: Slab::default(),
            originals: BTreeMap::new(),
            half_open: BTreeSet::new(),
            servers: BTreeSet::new(),
            resets: Resets::default(),
            loans: Slab::default(),
            answers: Answers::default(),
            classic: Classic::default(),
            deadlines: Deadlines::default(),
            sending: Queue::default(),
            working: Queue::default(),
            telling: Queue::default(),
            touched: Queue::default(),
            has_input: false,
            latest: None,
        }
    }

    /// Time has come to `now`: does whatever is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.advance(now);
        self.settle_touched();
        self.classic.handle_timeout(now, &mut self.shared);
        while let Some((at, index, _)) = self.deadlines.first() {
            if at > now {
                break;
            }
            self.deadlines.set(index, None);
            let Some(key) = self.peers.key_at(index) else {
                continue;
            };
            if let Some(peer) = self.peers.get_mut(key) {
                peer.handle_timeout(now, &mut self.shared);
            }
            self.settle(key);
        }
    }

    /// A file operation has come home. One that is not on loan is ignored.
    pub fn handle_file_done(&mut self, now: Instant, done: FileDone) {
        let now = self.advance(now);
        let Some(loan) = self.loans.remove(done.id.0) else {
            return;
        };
        if let Some(key) = classic_key(PeerId(loan.peer)) {
            let (classic, shared) = (&mut self.classic, &mut self.shared);
            return classic.handle_file_done(now, shared, key, done.block, done.result);
        }
        if let Some(peer) = self.peers.get_mut(loan.peer) {
            peer.handle_file_done(
                now,
                &mut self.shared,
                loan.transfer,
                loan.tag,
                done.block,
                done.result,
            );
        }
        self.touch(loan.peer);
    }

    /// Opens a session with the endpoint at `address`. [`Event::PeerReady`] follows, or [`Event::PeerClosed`].
    ///
    /// # Errors
    /// When there are as many sessions as there may be, or the provider cannot make one.
    pub fn connect(&mut self, now: Instant, address: SocketAddr) -> Result<PeerId, ConnectError> {
        let now = self.advance(now);
        if self.is_full() {
            return Err(ConnectError::TooMany);
        }
        let key = self.peers.next_key();
        let opening = Opening {
            direction: Direction::Client,
            remote: address,
            local: None,
            original: ConnectionId(self.shared.rng.next_u64().to_be_bytes()),
            key,
            remote_id: None,
        };
        let key = self
            .peers
            .insert(Peer::new(now, &mut self.shared, opening)?);
        self.servers.insert((address, key));
        self.settle(key);
        Ok(PeerId(key))
    }

    /// Says whether the peer of [`Event::PeerReady`] is welcome. Only the first word counts.
    ///
    /// # Errors
    /// When the session is gone.
    pub fn admit(
        &mut self,
        now: Instant,
        peer: PeerId,
        admission: Admission,
    ) -> Result<(), StaleId> {
        self.with_peer(now, peer, |peer, now, shared| {
            peer.admit(now, shared, admission)
        })
    }

    /// Limits how fast the session sends and is sent to, from now on: also while transfers run.
    ///
    /// # Errors
    /// When the session is gone.
    pub fn set_limits(
        &mut self,
        now: Instant,
        peer: PeerId,
        limits: RateLimits,
    ) -> Result<(), StaleId> {
        self.with_peer(now, peer, |peer, now, _| peer.set_limits(now, limits))
    }

    /// Asks the peer for something. [`Event::Finished`] is the last that is heard of it.
    ///
    /// # Errors
    /// When the session is gone or closing, not admitted yet, or has as many transfers as it may.
    pub fn start(
        &mut self,
        now: Instant,
        peer: PeerId,
        request: Request,
    ) -> Result<TransferId, StartError> {
        let started = self.with_peer(now, peer, |peer, now, shared| {
            peer.start(now, shared, request)
        })?;
        started.map(|key| TransferId { peer, key })
    }

    /// Answers [`Event::Requested`].
    ///
    /// # Errors
    /// When the transfer is gone.
    pub fn decide(
        &mut self,
        now: Instant,
        transfer: TransferId,
        decision: Decision,
    ) -> Result<(), StaleId> {
        if let Some(key) = classic_key(transfer.peer) {
            let now = self.advance(now);
            return self.classic.decide(now, &mut self.shared, key, decision);
        }
        self.with_peer(now, transfer.peer, |peer, now, shared| {
            peer.decide(now, shared, transfer.key, decision)
        })?
    }

    /// Gives a transfer up. [`Event::Finished`] follows; it still tells of success when the file was being given its name
    /// already.
    ///
    /// # Errors
    /// When the transfer is gone.
    pub fn cancel(&mut self, now: Instant, transfer: TransferId) -> Result<(), StaleId> {
        if let Some(key) = classic_key(transfer.peer) {
            let now = self.advance(now);
            return self.classic.cancel(now, &mut self.shared, key);
        }
        self.with_peer(now, transfer.peer, |peer, now, shared| {
            peer.cancel(now, shared, transfer.key)
        })?
    }

    /// Keeps the entries of a listing back ([`Event::Listing`] comes no more) or, with `held` false, lets them come again. The
    /// peer sends no more than 64 KiB meanwhile. For an application whose own reader is slower than the network.
    ///
    /// # Errors
    /// When the transfer is gone.
    pub fn hold_listing(
        &mut self,
        now: Instant,
        transfer: TransferId,
        held: bool,
    ) -> Result<(), StaleId> {
        self.with_peer(now, transfer.peer, |peer, now, shared| {
            peer.hold_listing(now, shared, transfer.key, held)
        })?
    }

    /// Ends a session: open transfers are given up, what is owed to the peer goes out (for at most 3 PTO), then CLOSE.
    /// [`Event::PeerClosed`] follows.
    ///
    /// # Errors
    /// When the session is gone.
    pub fn close(&mut self, now: Instant, peer: PeerId, code: CloseCode) -> Result<(), StaleId> {
        self.with_peer(now, peer, |peer, now, shared| peer.close(now, shared, code))
    }

    /// This end's address has changed, or may have: the socket was bound anew, the network is another one. A client goes on
    /// with an id that was not seen on the old path and with fresh estimates of the path, and lets the server know at once;
    /// without this call, the server hears of a new address with the client's next packet. Nothing happens to sessions that
    /// the other end opened: a server's address does not change.
    ///
    /// # Errors
    /// When the session is gone.
    pub fn rebind(&mut self, now: Instant, peer: PeerId) -> Result<(), StaleId> {
        self.with_peer(now, peer, |peer, now, _| peer.rebind(now))
    }

    /// The next batch for the socket: at most `segments_max` datagrams for one address, written to the front of `out`, which
    /// should hold at least one full datagram ([`Config::datagram_max`]; a shorter one bounds what is looked for).
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        segments_max: NonZeroUsize,
        out: &mut [u8],
    ) -> Option<Transmit> {
        let now = self.advance(now);
        if core::mem::take(&mut self.has_input) {
            self.settle_touched();
        }
        if let Some(transmit) = self.answers.poll(out) {
            return Some(transmit);
        }
        // Not before the others' turn for long: each peer is owed one message at most.
        if let Some(transmit) = self.classic.poll_transmit(now, &mut self.shared, out) {
            return Some(transmit);
        }
        while let Some(index) = self.sending.pop() {
            let Some(key) = self.peers.key_at(index) else {
                continue;
            };
            let Some(peer) = self.peers.get_mut(key) else {
                continue;
            };
            let transmit = peer.poll_transmit(now, &mut self.shared, segments_max.get(), out);
            if transmit.is_some() {
                if peer.wants_transmit(now) {
                    self.sending.push(index);
                } else {
                    peer.note_app_limited(now);
                }
                self.touched.push(index);
                return transmit;
            }
            self.settle_but(key, Some(Output::Datagrams));
        }
        None
    }

    /// The next operation for the executor.
    pub fn poll_file_op(&mut self) -> Option<FileOp> {
        self.settle_touched();
        if let Some(op) = self.poll_classic_op() {
            return Some(op);
        }
        while let Some(index) = self.working.pop() {
            let Some(key) = self.peers.key_at(index) else {
                continue;
            };
            let Some(peer) = self.peers.get_mut(key) else {
                continue;
            };
            let op = peer.poll_op(self.now, &mut self.shared);
            if let Some((transfer, tag, what)) = op {
                let id = OpId(self.loans.insert(Loan {
                    peer: key,
                    transfer,
                    tag,
                }));
                self.working.push(index);
                return Some(FileOp { id, what });
            }
            // An operation that could not be made ended its transfer.
            self.settle_but(key, Some(Output::FileOps));
        }
        None
    }

    /// The next event for the application.
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            while let Some(index) = self.telling.pop() {
                let Some(key) = self.peers.key_at(index) else {
                    continue;
                };
                let Some(peer) = self.peers.get_mut(key) else {
                    continue;
                };
                let event = peer.poll_event(self.now, &mut self.shared, PeerId(key));
                if event.is_some() && !peer.is_done() {
                    if peer.has_events() {
                        self.telling.push(index);
                    }
                    self.touched.push(index);
                    // Taking an event may give the session something to say, such as the credit for a page.
                    self.has_input = true;
                } else {
                    // One that is over is stale from here on.
                    self.settle(key);
                }
                if event.is_some() {
                    return event;
                }
            }
            if self.touched.is_empty() {
                break;
            }
            self.settle_touched();
        }
        self.classic.poll_event(self.now, &mut self.shared)
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        let past = self.shared.faults.strikes(Fault::DeadlinePast);
        if !self.touched.is_empty() {
            // Not all was polled after the last input: what it has changed is not known yet.
            return Some((self.now, Reason::Unpolled));
        }
        let sessions = self.deadlines.first().map(|(at, _, reason)| (at, reason));
        let classic = self.classic.deadline().map(|at| (at, Reason::Classic));
        let (at, reason) = sessions.into_iter().chain(classic).min()?;
        Some((if past { Instant::ZERO } else { at }, reason))
    }

    /// Figures of a session; `None` when it is gone.
    #[must_use]
    pub fn stats(&self, peer: PeerId) -> Option<PeerStats> {
        self.peers.get(peer.0).map(Peer::stats)
    }

    /// Datagrams and packets dropped so far; the index is the [`DropReason`]'s number.
    #[must_use]
    pub fn drops(&self) -> &[u64; DropReason::COUNT] {
        &self.shared.drops
    }

    /// Whether there are as many sessions as there may be.
    fn is_full(&self) -> bool {
        self.peers.len() >= self.shared.config.limits.sessions.min(SLOTS_MAX) as usize
    }

    fn with_peer<T>(
        &mut self,
        now: Instant,
        peer: PeerId,
        call: impl FnOnce(&mut Peer, Instant, &mut Shared) -> T,
    ) -> Result<T, StaleId> {
        let now = self.advance(now);
        let result = call(
            self.peers.get_mut(peer.0).ok_or(StaleId)?,
            now,
            &mut self.shared,
        );
        self.settle(peer.0);
        Ok(result)
    }

    /// An input has changed a session.
    fn touch(&mut self, key: Key) {
        if self.peers.get(key).is_some() {
            self.touched.push(key.index);
            self.has_input = true;
        }
    }

    /// Brings queues and deadlines up to date with all sessions that were touched since the last time.
    fn settle_touched(&mut self) {
        while let Some(index) = self.touched.pop() {
            if let Some(key) = self.peers.key_at(index) {
                self.settle(key);
            }
        }
    }

    /// Brings queues and deadlines up to date with a session that was touched.
    fn settle(&mut self, key: Key) {
        self.settle_but(key, None);
    }

    /// The same after a poll that found none of an output: the session is not asked for that again before its next
    /// input, or a deadline.
    fn settle_but(&mut self, key: Key, none: Option<Output>) {
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        peer.settle_transfers(self.now, &mut self.shared);
        // An input can make a deadline of before count again: a probe that waited for the address to be proven.
        let mut deadline = peer.deadline();
        let due = deadline.is_some_and(|(at, _)| at <= self.now);
        if due {
            peer.handle_timeout(self.now, &mut self.shared);
        }
        if peer.close_when_flushed(self.now, &mut self.shared) || due {
            deadline = peer.deadline();
        }
        if !peer.is_half_open() {
            self.half_open.remove(&key);
        }
        if peer.is_done() {
            let original = (peer.first_address(), peer.original_id());
            match peer.direction() {
                Direction::Server => drop(self.originals.remove(&original)),
                Direction::Client => drop(self.servers.remove(&(original.0, key))),
            }
            self.half_open.remove(&key);
            self.peers.remove(key);
            self.deadlines.set(key.index, None);
            return;
        }
        self.deadlines.set(key.index, deadline);
        let none = none.filter(|_| !due);
        if none != Some(Output::Datagrams) && peer.wants_transmit(self.now) {
            self.sending.push(key.index);
        }
        if none != Some(Output::FileOps) && peer.has_ops() {
            self.working.push(key.index);
        }
        if peer.has_events() {
            self.telling.push(key.index);
        }
    }
}
