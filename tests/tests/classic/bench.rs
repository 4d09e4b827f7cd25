//! One endpoint whose peers are written by hand, message by message.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use proto_core::classic::{MESSAGE_LEN, Message};
use proto_core::crypto::PublicKey;
use proto_core::wire::{ErrorCode, FilePath};
use proto_core::{
    Config, DatagramMeta, Decision, Endpoint, Event, Instant, Overwrite, Place, Request, RootId,
};
use sim::disk::{Content, Disk, DiskPlan};
use sim::null_crypto::NullProvider;
use sim::rng::Rng;

pub(crate) const ROOT: RootId = RootId(0);

/// What every file of the tests holds.
pub(crate) fn bytes(len: usize) -> Vec<u8> {
    (0..len as u64)
        .map(|n| (n * n / 7 + n / 251) as u8)
        .collect()
}

pub(crate) fn path(name: &str) -> FilePath {
    FilePath::parse(name.as_bytes()).expect("a path")
}

/// The peer with this number.
pub(crate) fn peer(number: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, (number >> 8) as u8, number as u8], 1_000 + number))
}

/// A message that came out, and where it went.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} to {}", self.message(), self.to)
    }
}

impl Sent {
    pub(crate) fn message(&self) -> Message<'_> {
        Message::decode(&self.bytes).expect("own messages can be read")
    }
}

/// An endpoint with a disk that is always done at once, in virtual time.
pub(crate) struct Bench {
    pub(crate) now: Instant,
    pub(crate) endpoint: Endpoint,
    pub(crate) disk: Disk,
    pub(crate) events: Vec<Event>,
    /// What the application refuses.
    pub(crate) refuse: Option<ErrorCode>,
    /// Bytes that came from and went to each peer.
    pub(crate) traffic: BTreeMap<SocketAddr, (usize, usize)>,
}

pub(crate) fn config() -> Config {
    let key = PublicKey([7; 32]);
    let mut config = Config::server(Arc::new(NullProvider { key }));
    config.classic = true;
    config
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        let plan = DiskPlan {
            latency_min: Duration::ZERO,
            latency_max: Duration::ZERO,
            sync_latency: Duration::ZERO,
            ..DiskPlan::default()
        };
        let mut disk = Disk::new(plan, Rng::new(1, 1));
        disk.add_root(ROOT);
        let now = Instant::from_nanos(1);
        Self {
            now,
            endpoint: Endpoint::new(Arc::new(config), [3; 32], now),
            disk,
            events: Vec::new(),
            refuse: None,
            traffic: BTreeMap::new(),
        }
    }

    pub(crate) fn plant(&mut self, name: &str, content: &[u8]) {
        assert!(
            self.disk
                .plant(ROOT, &path(name), Content::from_bytes(content), 5)
        );
    }

    pub(crate) fn content(&self, name: &str) -> Option<Vec<u8>> {
        let content = self.disk.content(ROOT, &path(name))?;
        let mut bytes = vec![0; content.len() as usize];
        content.read(0, &mut bytes);
        Some(bytes)
    }

    /// Names on the disk, temporary ones included.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.disk.names(ROOT, &FilePath::root());
        names
            .into_iter()
            .map(|name| String::from_utf8(name).unwrap())
            .collect()
    }

    /// Hands over a message from `from`; what comes out.
    pub(crate) fn send(&mut self, from: SocketAddr, message: Message<'_>) -> Vec<Sent> {
        let mut bytes = [0; MESSAGE_LEN];
        message.encode(&mut bytes);
        self.send_bytes(from, &mut bytes)
    }

    pub(crate) fn send_bytes(&mut self, from: SocketAddr, bytes: &mut [u8]) -> Vec<Sent> {
        let meta = DatagramMeta {
            source: from,
            local: None,
            ecn: proto_core::Ecn::NotEct,
        };
        self.traffic.entry(from).or_default().0 += bytes.len();
        self.endpoint.handle_datagram(self.now, meta, bytes);
        self.settle()
    }

    /// The one message that comes out for `message`.
    pub(crate) fn ask(&mut self, from: SocketAddr, message: Message<'_>) -> Sent {
        let mut sent = self.send(from, message);
        assert_eq!(sent.len(), 1, "{message:?} is answered with {sent:?}");
        assert_eq!(sent[0].to, from);
        sent.remove(0)
    }

    /// Polls until nothing is left.
    pub(crate) fn settle(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        loop {
            let mut idle = true;
            let mut out = vec![0xee; 1 << 16];
            let segments = NonZeroUsize::new(10).expect("not zero");
            while let Some(batch) = self.endpoint.poll_transmit(self.now, segments, &mut out) {
                idle = false;
                assert!(batch.may_fragment && batch.len == MESSAGE_LEN);
                self.traffic.entry(batch.destination).or_default().1 += batch.len;
                sent.push(Sent {
                    to: batch.destination,
                    bytes: out[..batch.len].to_vec(),
                });
            }
            while let Some(op) = self.endpoint.poll_file_op() {
                idle = false;
                self.disk.submit(self.now, op);
            }
            while let Some(done) = self.disk.complete(self.now) {
                idle = false;
                self.endpoint.handle_file_done(self.now, done);
            }
            while let Some(event) = self.endpoint.poll_event() {
                idle = false;
                self.answer(&event);
                self.events.push(event);
            }
            assert_eq!(self.disk.take_breaches(), Vec::<String>::new());
            if let Err(breach) = self.endpoint.audit() {
                panic!("{breach}");
            }
            if idle {
                return sent;
            }
        }
    }

    fn answer(&mut self, event: &Event) {
        if let Event::ClassicRequested {
            transfer, request, ..
        } = event
        {
            let decision = match self.refuse {
                Some(code) => Decision::Refuse(code),
                None => Decision::Grant {
                    place: Place {
                        root: ROOT,
                        path: request.path.clone(),
                    },
                    may_replace: true,
                },
            };
            self.endpoint
                .decide(self.now, *transfer, decision)
                .expect("it was just asked");
        }
    }

    /// Lets time pass; what comes out, and when after now.
    pub(crate) fn pass(&mut self, by: Duration) -> Vec<(Duration, Sent)> {
        let (begin, end) = (self.now, self.now + by);
        let mut sent = Vec::new();
        while let Some((at, _)) = self.endpoint.poll_timeout().filter(|(at, _)| *at <= end) {
            assert!(at >= self.now, "a deadline in the past");
            self.now = at;
            self.endpoint.handle_timeout(at);
            let after = at.since(begin);
            sent.extend(self.settle().into_iter().map(|sent| (after, sent)));
            assert!(
                self.endpoint
                    .poll_timeout()
                    .is_none_or(|(next, _)| next > at)
            );
        }
        self.now = end;
        sent
    }

    /// The ends that were told, in order.
    pub(crate) fn ends(&self) -> Vec<Result<proto_core::Finished, proto_core::Failure>> {
        let end = |event: &Event| match event {
            Event::Finished { result, .. } => Some(*result),
            _ => None,
        };
        self.events.iter().filter_map(end).collect()
    }

    /// Begins a download from the server `from`.
    pub(crate) fn get(&mut self, from: SocketAddr, name: &str, overwrite: Overwrite) -> Vec<Sent> {
        let request = Request::Get {
            from: path(name),
            to: Place {
                root: ROOT,
                path: path(name),
            },
            overwrite,
            durability: proto_core::wire::Durability::Full,
            preserve: true,
            keep_top_mode: false,
            tree: false,
        };
        self.endpoint
            .start_classic(self.now, from, request)
            .expect("it is the only one");
        self.settle()
    }

    /// Begins an upload to the server `to`.
    pub(crate) fn put(&mut self, to: SocketAddr, name: &str) -> Vec<Sent> {
        let request = Request::Put {
            from: Place {
                root: ROOT,
                path: path(name),
            },
            to: path(name),
            overwrite: Overwrite::Replace,
            durability: proto_core::wire::Durability::Full,
            tree: false,
        };
        self.endpoint
            .start_classic(self.now, to, request)
            .expect("it is the only one");
        self.settle()
    }
}
