//! The classic dialect: the protocol of the system that dhow grew out of, both roles, stop and wait (`docs/CLASSIC.md`).
//!
//! It has no encryption and no identity; [`Config::classic`](field@crate::Config::classic) switches it on. `Classic` holds all
//! exchanges of an endpoint and routes messages, operations and events; an `exchange` is a list, an upload or a download, whose
//! bytes go into a `sink` or come from a `source`, in either role; `server` and `client` say what is made of the peer's
//! messages.

mod audit;
mod client;
mod exchange;
mod listing;
mod message;
mod names;
mod rtt;
mod server;
mod sink;
mod source;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};

pub use message::{BadMessage, FILE_MAX, MESSAGE_LEN, Message, NAME_MAX, PIECE_LEN, is_classic};

use crate::ecn::Ecn;
use crate::endpoint::{
    DatagramMeta, Deadlines, DropReason, Queue, Shared, StaleId, StartError, Transmit,
};
use crate::event::{Event, Failure};
use crate::file::{Block, FileError, Operation, Outcome};
use crate::id::{PeerId, TransferId};
use crate::slab::{Key, Slab};
use crate::time::Instant;
use crate::transfer::{Decision, OpKind, OpTag, Overwrite, Request};
use crate::wire::{Durability, ErrorCode, FilePath, RequestKind};
use exchange::{Exchange, Side, Work};
use listing::Listing;
use server::Again;
use sink::Sink;
use source::Source;

/// Set in the slot numbers of classic ids, so that none is ever a session's.
const CLASSIC: u32 = 1 << 31;

/// Events about ignored messages that wait at most; more are counted.
const NOTES_MAX: usize = 16;

/// Why a message was ignored that somebody should know of. What is only late is not told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, thiserror::Error)]
pub enum ClassicIgnored {
    /// It is no message.
    #[error("a message {0}")]
    Bad(#[from] BadMessage),
    /// Its file name is none that may be asked for: a path, `.` or `..`, control bytes, one of dhow's own.
    #[error("a request for a name that is not allowed")]
    Name,
    /// There are as many exchanges as there may be, over all or with this source.
    #[error("a request beyond the number of exchanges at once")]
    TooMany,
}

/// A client's address as it is counted: IPv4 addresses, and the /64 networks of IPv6.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Network(IpAddr);

impl Network {
    fn of(address: SocketAddr) -> Self {
        Self(match address.ip().to_canonical() {
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            four => four,
        })
    }
}

/// All exchanges of an endpoint.
#[derive(Debug, Default)]
pub(crate) struct Classic {
    exchanges: Slab<Box<Exchange>>,
    /// Clients' exchanges: one list and one file at a time for each address.
    served: BTreeMap<(SocketAddr, bool), Key>,
    /// Servers that this end has asked: one exchange at a time for each.
    asked: BTreeMap<SocketAddr, Key>,
    /// Exchanges of clients, by where they are.
    networks: BTreeMap<Network, u32>,
    notes: VecDeque<(SocketAddr, ClassicIgnored)>,
    /// Notes that found no place.
    unnoted: u64,
    deadlines: Deadlines,
    sending: Queue,
    working: Queue,
    telling: Queue,
}

/// The key of a classic id; `None` for a session's.
pub(crate) fn key_of(peer: PeerId) -> Option<Key> {
    let Key { index, generation } = peer.0;
    (index & CLASSIC != 0).then_some(Key {
        index: index & !CLASSIC,
        generation,
    })
}

/// The id that the outside knows an exchange by.
fn transfer_of(Key { index, generation }: Key) -> TransferId {
    let key = Key {
        index: index | CLASSIC,
        generation,
    };
    TransferId {
        peer: PeerId(key),
        key,
    }
}

impl Classic {
    /// A datagram that [`is_classic`].
    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        meta: DatagramMeta,
        payload: &[u8],
    ) {
        let handled = match Message::decode(payload) {
            Err(bad) => {
                self.note(meta.source, bad.into());
                false
            }
            Ok(message) if !message.is_from_client() => {
                self.take_answer(now, shared, meta, &message)
            }
            Ok(message) if shared.config.accept => self.serve(now, shared, meta, &message),
            Ok(_) => false,
        };
        if !handled {
            shared.drop_packet(DropReason::Classic);
        }
    }

    /// A server's message, to this end as a client.
    fn take_answer(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        meta: DatagramMeta,
        message: &Message<'_>,
    ) -> bool {
        let Some(&key) = self.asked.get(&meta.source) else {
            return false;
        };
        let exchange = self.exchanges.get_mut(key);
        let handled =
            exchange.is_some_and(|exchange| exchange.handle_as_client(now, shared, message));
        self.settle(now, shared, key);
        handled
    }

    /// A client's message, to this end as a server.
    fn serve(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        meta: DatagramMeta,
        message: &Message<'_>,
    ) -> bool {
        let kind = match message {
            Message::ListRequest => Some(RequestKind::List),
            Message::UploadRequest { .. } => Some(RequestKind::Put),
            Message::DownloadRequest { .. } => Some(RequestKind::Get),
            _ => None,
        };
        let place = (meta.source, kind == Some(RequestKind::List));
        let key = self.served.get(&place).copied();
        if let Some(key) = key
            && let Some(exchange) = self.exchanges.get_mut(key)
        {
            let (handled, replaced) = match kind {
                None => (exchange.handle_as_server(now, shared, message), false),
                Some(_) => (true, exchange.on_request(now, message) == Again::New),
            };
            if replaced {
                // Forgotten if it was over; otherwise its client has given it up.
                exchange.fail(now, shared, Failure::SessionLost);
                exchange.lapse();
                self.served.remove(&place);
            }
            self.settle(now, shared, key);
            if !replaced {
                return handled;
            }
        }
        match kind {
            Some(kind) => self.welcome(now, shared, meta, kind, message.name()),
            None => false,
        }
    }

    /// Begins an exchange with a client.
    fn welcome(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        meta: DatagramMeta,
        kind: RequestKind,
        name: &[u8],
    ) -> bool {
        let name = match kind {
            RequestKind::List => Some(FilePath::root()),
            _ => names::file_name(name),
        };
        let Some(name) = name else {
            self.note(meta.source, ClassicIgnored::Name);
            return false;
        };
        let network = Network::of(meta.source);
        if !self.make_room(now, shared, network) {
            self.note(meta.source, ClassicIgnored::TooMany);
            return false;
        }
        let exchange = Exchange::new(now, Side::Server, kind, meta.source, meta.local, name);
        let key = self.exchanges.insert(Box::new(exchange));
        let place = (meta.source, kind == RequestKind::List);
        self.served.insert(place, key);
        *self.networks.entry(network).or_default() += 1;
        self.settle(now, shared, key);
        true
    }

    /// Whether there is room for one more client's exchange. One that only remembers its end makes room.
    fn make_room(&mut self, now: Instant, shared: &mut Shared, network: Network) -> bool {
        let limits = &shared.config.limits;
        let all = self.exchanges.len() >= limits.classic_exchanges as usize;
        let here = self.networks.get(&network).copied().unwrap_or(0);
        let here = here >= limits.classic_exchanges_per_source;
        if !all && !here {
            return true;
        }
        let done = self.exchanges.iter().filter(|(_, exchange)| {
            let near = !here || Network::of(exchange.remote) == network;
            exchange.side == Side::Server && exchange.is_done() && near
        });
        let oldest = done.min_by_key(|(key, exchange)| (exchange.heard_at, *key));
        let Some((key, _)) = oldest else {
            return false;
        };
        if let Some(exchange) = self.exchanges.get_mut(key) {
            exchange.lapse();
        }
        self.settle(now, shared, key);
        self.exchanges.get(key).is_none()
    }

    /// Asks the server at `address` for something.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        address: SocketAddr,
        request: Request,
    ) -> Result<TransferId, StartError> {
        if self.asked.contains_key(&address) {
            return Err(StartError::TooMany);
        }
        let single = |path: FilePath| match names::file_name(path.as_bytes()) {
            Some(name) => Ok(name),
            None => Err(StartError::NotClassic),
        };
        let (kind, name) = match &request {
            Request::List { path } if path.is_root() => (RequestKind::List, path.clone()),
            // The dialect knows nothing else.
            Request::List { .. }
            | Request::Stat { .. }
            | Request::Hash { .. }
            | Request::Filtered { .. }
            | Request::MakeDir { .. }
            | Request::Remove { .. }
            | Request::Rename { .. } => return Err(StartError::NotClassic),
            Request::Get { from, .. } => (RequestKind::Get, single(from.clone())?),
            Request::Put { to, .. } => (RequestKind::Put, single(to.clone())?),
        };
        let mut exchange = Exchange::new(now, Side::Client, kind, address, None, name);
        exchange.work = match request {
            Request::Get {
                to,
                overwrite,
                durability,
                ..
            } => {
                let replace = overwrite != Overwrite::Never;
                let sink = Sink::new(shared, to, replace, durability);
                Work::Sink(Box::new(sink.ok_or(StartError::TooMany)?))
            }
            Request::Put { from, .. } => {
                let source = Source::new(shared, from);
                Work::Source(Box::new(source.ok_or(StartError::TooMany)?))
            }
            _ => Work::Entries(Vec::new()),
        };
        if kind == RequestKind::List {
            exchange.ask();
        }
        let key = self.exchanges.insert(Box::new(exchange));
        self.asked.insert(address, key);
        self.settle(now, shared, key);
        Ok(transfer_of(key))
    }

    /// The application's answer to a client's request.
    pub(crate) fn decide(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        key: Key,
        decision: Decision,
    ) -> Result<(), StaleId> {
        let exchange = self.exchanges.get_mut(key).ok_or(StaleId)?;
        if !exchange.is_undecided() {
            return Ok(());
        }
        match decision {
            Decision::Refuse(_) | Decision::GrantRename { .. } => exchange.refuse(now, shared),
            Decision::Grant { place, may_replace } => {
                let work = match exchange.kind {
                    RequestKind::Put => Sink::new(shared, place, may_replace, Durability::Full)
                        .map(|sink| Work::Sink(Box::new(sink))),
                    RequestKind::Get => {
                        Source::new(shared, place).map(|source| Work::Source(Box::new(source)))
                    }
                    _ => Some(Work::Listing(Box::new(Listing::new(place)))),
                };
                match work {
                    Some(work) => exchange.prepare(work),
                    None => exchange.fail(now, shared, Failure::Here(ErrorCode::Busy)),
                }
            }
        }
        self.settle(now, shared, key);
        Ok(())
    }

    /// Gives an exchange up.
    pub(crate) fn cancel(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        key: Key,
    ) -> Result<(), StaleId> {
        let exchange = self.exchanges.get_mut(key).ok_or(StaleId)?;
        exchange.fail(now, shared, Failure::Here(ErrorCode::Cancelled));
        self.settle(now, shared, key);
        Ok(())
    }

    /// Time has come to `now`.
    pub(crate) fn handle_timeout(&mut self, now: Instant, shared: &mut Shared) {
        while let Some((at, index, _)) = self.deadlines.first()
            && at <= now
        {
            self.deadlines.set(index, None);
            if let Some(key) = self.exchanges.key_at(index) {
                self.settle(now, shared, key);
            }
        }
    }

    /// The next deadline.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, ..)| at)
    }

    /// An operation has come home.
    pub(crate) fn handle_file_done(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        key: Key,
        block: Option<Block>,
        result: Result<Outcome, FileError>,
    ) {
        if let Some(exchange) = self.exchanges.get_mut(key) {
            exchange.handle_file_done(now, shared, block, result);
        }
        self.settle(now, shared, key);
    }

    /// The next message for the socket.
    pub(crate) fn poll_transmit(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        out: &mut [u8],
    ) -> Option<Transmit> {
        let out = out.first_chunk_mut::<MESSAGE_LEN>()?;
        while let Some(index) = self.sending.pop() {
            let Some(key) = self.exchanges.key_at(index) else {
                continue;
            };
            let exchange = self.exchanges.get_mut(key)?;
            let sent = exchange.transmit(now, out);
            let (destination, source) = (exchange.remote, exchange.local);
            self.settle(now, shared, key);
            if sent {
                return Some(Transmit {
                    destination,
                    source,
                    len: MESSAGE_LEN,
                    segment_size: MESSAGE_LEN,
                    may_fragment: true,
                    ecn: Ecn::NotEct,
                });
            }
        }
        None
    }

    /// The next operation for the executor, with whose it is.
    pub(crate) fn poll_file_op(
        &mut self,
        now: Instant,
        shared: &mut Shared,
    ) -> Option<(TransferId, OpTag, Operation)> {
        while let Some(index) = self.working.pop() {
            let Some(key) = self.exchanges.key_at(index) else {
                continue;
            };
            let op = self.exchanges.get_mut(key)?.poll_op(now, shared);
            self.settle(now, shared, key);
            if let Some(op) = op {
                let kind = match op {
                    Operation::Read { .. } => OpKind::Read {
                        index: 0,
                        again: true,
                    },
                    Operation::Write { .. } => OpKind::Write { index: 0 },
                    _ => OpKind::Step,
                };
                return Some((transfer_of(key), OpTag::one(kind), op));
            }
        }
        None
    }

    /// The next event for the application.
    pub(crate) fn poll_event(&mut self, now: Instant, shared: &mut Shared) -> Option<Event> {
        if let Some((address, why)) = self.notes.pop_front() {
            let untold = core::mem::take(&mut self.unnoted);
            return Some(Event::ClassicIgnored {
                address,
                why,
                untold,
            });
        }
        while let Some(index) = self.telling.pop() {
            let Some(key) = self.exchanges.key_at(index) else {
                continue;
            };
            let event = self.exchanges.get_mut(key)?.poll_event(transfer_of(key));
            self.settle(now, shared, key);
            if event.is_some() {
                return event;
            }
        }
        None
    }

    fn note(&mut self, source: SocketAddr, why: ClassicIgnored) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push_back((source, why));
        } else {
            self.unnoted = self.unnoted.saturating_add(1);
        }
    }

    /// Brings queues and deadlines up to date with an exchange that was touched.
    fn settle(&mut self, now: Instant, shared: &mut Shared, key: Key) {
        let Some(exchange) = self.exchanges.get_mut(key) else {
            return;
        };
        exchange.handle_timeout(now, shared);
        if exchange.is_over() {
            return self.forget(key);
        }
        let deadline = exchange.deadline();
        self.deadlines.set(
            key.index,
            deadline.map(|at| (at, crate::endpoint::Reason::Classic)),
        );
        if exchange.wants_transmit() {
            self.sending.push(key.index);
        }
        if exchange.has_op() {
            self.working.push(key.index);
        }
        if exchange.has_event() {
            self.telling.push(key.index);
        }
    }

    fn forget(&mut self, key: Key) {
        let Some(exchange) = self.exchanges.remove(key) else {
            return;
        };
        self.deadlines.set(key.index, None);
        match exchange.side {
            Side::Client => drop(self.asked.remove(&exchange.remote)),
            Side::Server => {
                let place = (exchange.remote, exchange.kind == RequestKind::List);
                // Another one may have its place.
                if self.served.get(&place) == Some(&key) {
                    self.served.remove(&place);
                }
                let network = Network::of(exchange.remote);
                if let Some(count) = self.networks.get_mut(&network) {
                    *count -= 1;
                    if *count == 0 {
                        self.networks.remove(&network);
                    }
                }
            }
        }
    }
}
