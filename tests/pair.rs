//! Two endpoints and a network between them that only delays.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use proto_core::crypto::Provider;
use proto_core::{Config, DatagramMeta, Endpoint, Event, Instant, OpId, Operation, PeerId, RootId};
use sim::disk::{Disk, DiskPlan};
use sim::rng::Rng;

/// The one root of each side's disk.
pub const ROOT: RootId = RootId(0);

/// One end of a [`Pair`].
#[derive(Debug)]
pub struct Side {
    /// The endpoint itself.
    pub endpoint: Endpoint,
    /// Where the other end sees it. What goes to another address is lost; see [`Pair::readdress`].
    pub address: SocketAddr,
    /// Events that it told, in order.
    pub events: VecDeque<Event>,
    /// Its disk, with [`ROOT`].
    pub disk: Disk,
    /// Every datagram that it sent, with its time.
    pub sent: Vec<(Instant, Vec<u8>)>,
    /// Where each of them went.
    pub destinations: Vec<SocketAddr>,
    /// Every file operation that it asked for, in order.
    pub ops: Vec<Asked>,
    /// Datagrams that it is asked for at once.
    pub batch: NonZeroUsize,
}

/// What drivers can hand to the system in one call.
const BATCH: NonZeroUsize = NonZeroUsize::new(10).expect("not zero");

/// A file operation and its times.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its loan.
    pub id: OpId,
    /// The operation without its block and other fields: `Write`, `Sync`, …
    pub kind: String,
    /// When the endpoint handed it out.
    pub begun: Instant,
    /// When it came home.
    pub ended: Option<Instant>,
}

impl Asked {
    fn new(now: Instant, id: OpId, what: &Operation) -> Self {
        let debug = format!("{what:?}");
        let name = debug.split([' ', '{']).next();
        Self {
            id,
            kind: name.unwrap_or_default().to_owned(),
            begun: now,
            ended: None,
        }
    }
}

/// How datagrams are handed over that arrive at the same time from the same end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrivals {
    /// One; what it brings about happens before the next.
    Single,
    /// One after the other, all before anything is polled.
    Each,
    /// The same in [trains](Endpoint::handle_datagrams) of datagrams of one size, the last perhaps shorter.
    Trains,
}

/// What the network does to the n-th datagram of a side: false drops it.
pub type Filter = Box<dyn FnMut(usize, &[u8]) -> bool>;

/// Changes the n-th datagram of a side on its way.
pub type Mangle = Box<dyn FnMut(usize, &mut Vec<u8>)>;

/// Sees each datagram just before the endpoint that it is for.
pub type Tamper = Box<dyn FnMut(&mut Endpoint, Instant, DatagramMeta, &[u8])>;

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
    /// What happens to the server's datagrams that get through.
    pub mangle: Mangle,
    /// What an attacker on the path does.
    pub tamper: Tamper,
    /// Whether both endpoints' state is checked after each step.
    pub audits: bool,
    /// How datagrams arrive.
    pub arrivals: Arrivals,
    wire: BTreeMap<(Instant, u64), OnTheWay>,
    count: u64,
}

/// A datagram between the two.
#[derive(Debug)]
struct OnTheWay {
    from_client: bool,
    source: SocketAddr,
    destination: SocketAddr,
    bytes: Vec<u8>,
}

impl OnTheWay {
    fn is_beside(&self, other: &Self) -> bool {
        let of = |it: &Self| (it.from_client, it.source, it.destination);
        of(self) == of(other)
    }
}

impl Side {
    fn new(config: Config, seed: u8, port: u16) -> Self {
        let mut disk = Disk::new(DiskPlan::default(), Rng::new(u64::from(seed), 0));
        disk.add_root(ROOT);
        Self {
            endpoint: Endpoint::new(Arc::new(config), [seed; 32], Instant::ZERO),
            address: SocketAddr::from(([10, 0, 0, 1], port)),
            events: VecDeque::new(),
            disk,
            sent: Vec::new(),
            destinations: Vec::new(),
            ops: Vec::new(),
            batch: BATCH,
        }
    }

    fn poll(&mut self, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut out = vec![0; 1 << 16];
        let mut datagrams = Vec::new();
        while let Some(batch) = self.endpoint.poll_transmit(now, self.batch, &mut out) {
            for datagram in out[..batch.len].chunks(batch.segment_size) {
                self.sent.push((now, datagram.to_vec()));
                self.destinations.push(batch.destination);
                datagrams.push((batch.destination, datagram.to_vec()));
            }
        }
        while let Some(op) = self.endpoint.poll_file_op() {
            self.ops.push(Asked::new(now, op.id, &op.what));
            self.disk.submit(now, op);
        }
        self.events
            .extend(std::iter::from_fn(|| self.endpoint.poll_event()));
        datagrams
    }
}

impl Pair {
    /// A client that has begun to connect to a server, 10 ms away. Datagrams keep their 1,200 bytes, so that tests can count them.
    pub fn new(client: Arc<dyn Provider>, server: Arc<dyn Provider>) -> Self {
        let fixed = |config| Config {
            datagram_max: 1_200,
            ..config
        };
        Self::with(fixed(Config::new(client)), fixed(Config::server(server)))
    }

    /// The same with configurations of one's own.
    pub fn with(client: Config, server: Config) -> Self {
        let mut client = Side::new(client, 1, 1);
        let server = Side::new(server, 2, 2);
        let now = Instant::from_nanos(1);
        let peer = client
            .endpoint
            .connect(now, server.address)
            .expect("a fresh endpoint has room");
        Self {
            now,
            client,
            server,
            peer,
            delay: Duration::from_millis(10),
            from_client: Box::new(|_, _| true),
            from_server: Box::new(|_, _| true),
            mangle: Box::new(|_, _| {}),
            tamper: Box::new(|_, _, _, _| {}),
            audits: true,
            arrivals: Arrivals::Single,
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
            let sent = side.sent.len();
            for (n, (destination, mut bytes)) in (sent..).zip(side.poll(self.now)) {
                if filter(n, &bytes) {
                    if !is_client {
                        (self.mangle)(n, &mut bytes);
                    }
                    self.count += 1;
                    let datagram = OnTheWay {
                        from_client: is_client,
                        source: side.address,
                        destination,
                        bytes,
                    };
                    self.wire
                        .insert((self.now + self.delay, self.count), datagram);
                }
            }
        }
    }

    /// When the next thing happens.
    pub fn next_time(&mut self) -> Option<Instant> {
        self.flush();
        let sides = [&self.client, &self.server];
        let timeouts = sides.map(|side| side.endpoint.poll_timeout().map(|(at, _)| at));
        let disks = sides.map(|side| side.disk.next_time());
        let datagram = self.wire.keys().next().map(|(at, _)| *at);
        timeouts
            .into_iter()
            .chain(disks)
            .flatten()
            .chain(datagram)
            .min()
    }

    /// Goes on to the next thing that happens; false when nothing ever will.
    pub fn step(&mut self) -> bool {
        let Some(next) = self.next_time() else {
            return false;
        };
        assert!(
            next >= self.now,
            "{next:?} is in the past at {:?}",
            self.now
        );
        self.now = next;
        if self.wire.keys().next().is_some_and(|(at, _)| *at == next)
            && let Some((_, datagram)) = self.wire.pop_first()
        {
            let mut together = vec![datagram];
            while self.arrivals != Arrivals::Single
                && let Some(entry) = self.wire.first_entry()
                && entry.key().0 == next
                && entry.get().is_beside(&together[0])
            {
                together.push(entry.remove());
            }
            self.arrive(together);
        } else {
            self.tick();
        }
        self.flush();
        if self.audits {
            self.audit();
        }
        true
    }

    /// Datagrams between the same two addresses arrive.
    fn arrive(&mut self, datagrams: Vec<OnTheWay>) {
        let first = &datagrams[0];
        let to = match first.from_client {
            true => &mut self.server,
            false => &mut self.client,
        };
        if first.destination != to.address {
            return;
        }
        let meta = DatagramMeta {
            source: first.source,
            local: None,
            ecn: proto_core::Ecn::NotEct,
        };
        let mut datagrams = datagrams.into_iter().map(|of| of.bytes).peekable();
        while let Some(mut train) = datagrams.next() {
            (self.tamper)(&mut to.endpoint, self.now, meta, &train);
            if self.arrivals != Arrivals::Trains {
                to.endpoint.handle_datagram(self.now, meta, &mut train);
                continue;
            }
            let size = train.len();
            while train.len().is_multiple_of(size)
                && let Some(next) = datagrams.next_if(|next| next.len() <= size)
            {
                train.extend(next);
            }
            to.endpoint
                .handle_datagrams(self.now, meta, &mut train, size);
        }
    }

    /// Both ends keep their own rules.
    fn audit(&self) {
        for side in [&self.client, &self.server] {
            if let Err(breach) = side.endpoint.audit() {
                panic!("{:?} at {:?}: {breach}", side.address, self.now);
            }
        }
    }

    fn tick(&mut self) {
        for side in [&mut self.client, &mut self.server] {
            while let Some(done) = side.disk.complete(self.now) {
                let asked = side.ops.iter_mut().rev().find(|op| op.id == done.id);
                asked.expect("it was asked for").ended = Some(self.now);
                side.endpoint.handle_file_done(self.now, done);
            }
            side.endpoint.handle_timeout(self.now);
        }
    }

    /// From now on the server sees the client at another address, and nothing reaches it at the old one: what a NAT does that
    /// forgets, or a client that changes its network.
    pub fn readdress(&mut self, address: SocketAddr) {
        self.flush();
        self.client.address = address;
    }

    /// Both clocks jump forward; what is on the way arrives as much later.
    pub fn jump(&mut self, by: Duration) {
        self.now += by;
        let wire = std::mem::take(&mut self.wire).into_iter();
        self.wire = wire.map(|((at, n), sent)| ((at + by, n), sent)).collect();
        self.tick();
        self.flush();
    }

    /// Steps until the condition holds; false when `within` passes first.
    pub fn run_until(&mut self, within: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now + within;
        for _ in 0..1_000_000 {
            if done(self) {
                return true;
            }
            if self.next_time().is_none_or(|at| at > end) {
                self.now = end;
                return done(self);
            }
            self.step();
        }
        panic!("a busy loop at {:?}", self.now);
    }
}
