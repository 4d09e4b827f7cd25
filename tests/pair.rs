//! Two endpoints and a network between them that only delays.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use proto_core::crypto::Provider;
use proto_core::{Config, DatagramMeta, Endpoint, Event, FileOp, Instant, PeerId};

/// One end of a [`Pair`].
#[derive(Debug)]
pub struct Side {
    /// The endpoint itself.
    pub endpoint: Endpoint,
    /// Where the other end sees it.
    pub address: SocketAddr,
    /// Events that it told, in order.
    pub events: VecDeque<Event>,
    /// Operations that it lent and that nobody has done.
    pub ops: VecDeque<FileOp>,
    /// Every datagram that it sent, with its time.
    pub sent: Vec<(Instant, Vec<u8>)>,
}

/// What the network does to the n-th datagram of a side: false drops it.
pub type Filter = Box<dyn FnMut(usize, &[u8]) -> bool>;

/// A client and a server in virtual time.
pub struct Pair {
    /// The virtual clock.
    pub now: Instant,
    /// The client.
    pub client: Side,
    /// The server.
    pub server: Side,
    /// The client's session.
    pub peer: PeerId,
    /// One way.
    pub delay: Duration,
    /// Which datagrams of the client get through.
    pub from_client: Filter,
    /// Which datagrams of the server get through.
    pub from_server: Filter,
    wire: BTreeMap<(Instant, u64), (bool, Vec<u8>)>,
    count: u64,
}

impl Side {
    fn new(config: Config, seed: u8, port: u16) -> Self {
        Self {
            endpoint: Endpoint::new(Arc::new(config), [seed; 32], Instant::ZERO),
            address: SocketAddr::from(([10, 0, 0, 1], port)),
            events: VecDeque::new(),
            ops: VecDeque::new(),
            sent: Vec::new(),
        }
    }

    fn poll(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut out = vec![0; 1 << 16];
        let mut datagrams = Vec::new();
        while let Some(batch) =
            self.endpoint.poll_transmit(now, NonZeroUsize::new(10).expect("not zero"), &mut out)
        {
            for datagram in out[..batch.len].chunks(batch.segment_size) {
                self.sent.push((now, datagram.to_vec()));
                datagrams.push(datagram.to_vec());
            }
        }
        self.ops.extend(std::iter::from_fn(|| self.endpoint.poll_file_op()));
        self.events.extend(std::iter::from_fn(|| self.endpoint.poll_event()));
        datagrams
    }
}

impl Pair {
    /// A client that has begun to connect to a server, 10 ms away.
    pub fn new(client: Arc<dyn Provider>, server: Arc<dyn Provider>) -> Self {
        let mut client = Side::new(Config::new(client), 1, 1);
        let server = Side::new(Config::server(server), 2, 2);
        let now = Instant::from_nanos(1);
        let peer = client.endpoint.connect(now, server.address).expect("a fresh endpoint has room");
        Self {
            now,
            client,
            server,
            peer,
            delay: Duration::from_millis(10),
            from_client: Box::new(|_, _| true),
            from_server: Box::new(|_, _| true),
            wire: BTreeMap::new(),
            count: 0,
        }
    }

    /// Lets both ends send what they have at this time.
    pub fn flush(&mut self) {
        for is_client in [true, false] {
            let (side, filter) = match is_client {
                true => (&mut self.client, &mut self.from_client),
                false => (&mut self.server, &mut self.from_server),
            };
            let mut n = side.sent.len();
            for datagram in side.poll(self.now) {
                if filter(n, &datagram) {
                    self.count += 1;
                    self.wire.insert((self.now + self.delay, self.count), (is_client, datagram));
                }
                n += 1;
            }
        }
    }

    /// Goes on to the next thing that happens; false when nothing ever will.
    pub fn step(&mut self) -> bool {
        self.flush();
        let datagram = self.wire.keys().next().map(|(at, _)| *at);
        let timeouts = [&self.client, &self.server].map(|side| side.endpoint.poll_timeout());
        let next = timeouts.iter().flatten().map(|(at, _)| *at).chain(datagram).min();
        let Some(next) = next else { return false };
        assert!(next >= self.now, "a deadline in the past: {timeouts:?} at {:?}", self.now);
        self.now = next;
        if datagram == Some(next)
            && let Some((_, (from_client, mut bytes))) = self.wire.pop_first()
        {
            let (to, from) = match from_client {
                true => (&mut self.server, self.client.address),
                false => (&mut self.client, self.server.address),
            };
            let meta = DatagramMeta { source: from, local: None };
            to.endpoint.handle_datagram(self.now, meta, &mut bytes);
        } else {
            self.client.endpoint.handle_timeout(self.now);
            self.server.endpoint.handle_timeout(self.now);
        }
        self.flush();
        true
    }

    /// Steps until the condition holds; false when `within` passes first.
    pub fn run_until(&mut self, within: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now + within;
        for _ in 0..1_000_000 {
            if done(self) {
                return true;
            }
            if self.now > end || !self.step() {
                return done(self);
            }
        }
        panic!("a busy loop at {:?}", self.now);
    }
}
