//! Two endpoints in one thread, back to back, with a disk that answers at once: the core alone, with real cryptography.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use proto_core::crypto::TlsProvider;
use proto_core::wire::{Durability, EntryKind, FilePath};
use proto_core::{
    Admission, Config, DatagramMeta, Decision, Endpoint, Event, FileDone, FileOp, Instant, Meta,
    Operation, Outcome, Overwrite, PeerId, Place, Request, RootId, block_value,
};

/// The one root of each side.
pub const ROOT: RootId = RootId(0);

/// Datagrams of a batch.
const SEGMENTS: NonZeroUsize = NonZeroUsize::new(44).expect("not zero");

/// The time that a round takes in the endpoints' eyes.
const ROUND: Duration = Duration::from_micros(100);

/// Which side a call is made on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The server, which sends the file.
    Source,
    /// The client, which receives it.
    Sink,
}

/// How endpoints are called. An implementation may count what the call does.
pub trait Calls {
    /// Makes the call.
    fn call(&mut self, side: Side, call: &mut dyn FnMut());
}

/// Calls and nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Calls for Plain {
    fn call(&mut self, _side: Side, call: &mut dyn FnMut()) {
        call();
    }
}

/// One end: the endpoint, what is on the way to it, operations that wait for their answer, its events.
pub struct End {
    /// The endpoint.
    pub endpoint: Endpoint,
    side: Side,
    address: SocketAddr,
    size: u64,
    arriving: Vec<u8>,
    segment: usize,
    done: Vec<FileDone>,
    /// What it told.
    pub events: VecDeque<Event>,
}

impl End {
    fn new(config: Config, side: Side, size: u64) -> Self {
        let number = 1 + side as u8;
        Self {
            endpoint: Endpoint::new(Arc::new(config), [number; 32], Instant::ZERO),
            side,
            address: SocketAddr::from(([10, 0, 0, number], 1)),
            size,
            arriving: Vec::with_capacity(1 << 22),
            segment: 1,
            done: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// What the disk says: a file of zeros, of any name.
    fn answer(&self, operation: FileOp) -> FileDone {
        let meta = Meta {
            kind: EntryKind::File,
            size: self.size,
            mtime: 0,
            mode: 0o644,
            version: [7; 16],
        };
        let moved = |len: u32, offset: u64, block: &proto_core::Block, hash| Outcome::Moved {
            len,
            value: block_value(&block.bytes()[..len as usize], offset, hash),
        };
        let (block, outcome) = match operation.what {
            Operation::Read {
                offset,
                len,
                block,
                hash,
                ..
            } => {
                let len = u64::from(len).min(self.size.saturating_sub(offset)) as u32;
                let outcome = moved(len, offset, &block, hash);
                (Some(block), outcome)
            }
            Operation::Write {
                offset,
                len,
                block,
                hash,
                ..
            } => {
                let outcome = moved(len, offset, &block, hash);
                (Some(block), outcome)
            }
            Operation::FreeSpace { .. } => (None, Outcome::Free(u64::MAX)),
            Operation::Open { .. }
            | Operation::Create { .. }
            | Operation::Stat { .. }
            | Operation::StatOpen { .. } => (None, Outcome::Meta(meta)),
            Operation::OpenLog { .. } => (None, Outcome::Log { boot: [1; 16] }),
            Operation::ReadLog { .. } => (None, Outcome::Bytes(Vec::new())),
            _ => (None, Outcome::Done),
        };
        FileDone {
            id: operation.id,
            block,
            result: Ok(outcome),
        }
    }

    /// Takes in what has come and the time.
    fn take(&mut self, now: Instant, from: SocketAddr, calls: &mut impl Calls) {
        let Self {
            endpoint,
            arriving,
            done,
            segment,
            side,
            ..
        } = self;
        let meta = DatagramMeta {
            source: from,
            local: None,
            ecn: proto_core::Ecn::NotEct,
        };
        let mut done = done.drain(..);
        calls.call(*side, &mut || {
            endpoint.handle_datagrams(now, meta, arriving, *segment);
            for done in done.by_ref() {
                endpoint.handle_file_done(now, done);
            }
            if endpoint.poll_timeout().is_some_and(|(at, _)| at <= now) {
                endpoint.handle_timeout(now);
            }
        });
        arriving.clear();
    }

    /// A driver's round: one batch out, all operations, all events. Datagrams of the batch arrive at `to`.
    fn poll(&mut self, now: Instant, to: &mut End, calls: &mut impl Calls) {
        let mut out = std::mem::take(&mut to.arriving);
        out.resize(65_507, 0);
        let (mut len, mut operations) = (0, Vec::new());
        let Self {
            endpoint,
            events,
            side,
            ..
        } = self;
        calls.call(*side, &mut || {
            if let Some(sent) = endpoint.poll_transmit(now, SEGMENTS, &mut out) {
                (len, to.segment) = (sent.len, sent.segment_size);
            }
            while let Some(operation) = endpoint.poll_file_op() {
                operations.push(operation);
            }
            while let Some(event) = endpoint.poll_event() {
                events.push_back(event);
            }
        });
        out.truncate(len);
        to.arriving = out;
        for operation in operations {
            let done = self.answer(operation);
            self.done.push(done);
        }
    }
}

/// A client and a server.
pub struct Bench {
    /// Receives.
    pub sink: End,
    /// Sends.
    pub source: End,
    /// The client's session, and the server's.
    pub peers: [Option<PeerId>; 2],
    now: Instant,
}

impl Bench {
    /// A pair after its handshake, with a download of `size` bytes about to begin. Full datagrams have `datagram` bytes.
    ///
    /// # Panics
    /// When the handshake fails: a bug in dhow.
    #[must_use]
    pub fn new(size: u64, datagram: u16) -> Self {
        let provider = |byte| Arc::new(TlsProvider::new(&[byte; 32]).expect("a key"));
        let sized = |mut config: Config| {
            config.datagram_size = datagram;
            config.datagram_max = datagram;
            config
        };
        let mut bench = Self {
            sink: End::new(sized(Config::new(provider(1))), Side::Sink, size),
            source: End::new(sized(Config::server(provider(2))), Side::Source, size),
            peers: [None, None],
            now: Instant::from_nanos(1),
        };
        let server = bench.source.address;
        let peer = bench
            .sink
            .endpoint
            .connect(bench.now, server)
            .expect("a fresh endpoint has room");
        while bench.peers.iter().any(Option::is_none) {
            bench.round(&mut Plain);
            bench.admit();
        }
        let request = Request::Get {
            from: FilePath::parse(b"f").expect("a path"),
            to: Place {
                root: ROOT,
                path: FilePath::parse(b"f").expect("a path"),
            },
            overwrite: Overwrite::Replace,
            durability: Durability::None,
            preserve: false,
            keep_top_mode: false,
            tree: false,
        };
        bench
            .sink
            .endpoint
            .start(bench.now, peer, request)
            .expect("the session is open");
        bench
    }

    fn admit(&mut self) {
        for (at, end) in [&mut self.sink, &mut self.source].into_iter().enumerate() {
            while let Some(event) = end.events.pop_front() {
                if let Event::PeerReady { peer, .. } = event {
                    end.endpoint
                        .admit(self.now, peer, Admission::Admit)
                        .expect("the session is there");
                    self.peers[at] = Some(peer);
                }
            }
        }
    }

    /// One round of both sides. The bytes that the sink has by now, once it tells; `None` when the transfer is over.
    ///
    /// # Panics
    /// When the transfer fails: a bug in dhow.
    pub fn round(&mut self, calls: &mut impl Calls) -> Option<u64> {
        self.now += ROUND;
        let (now, addresses) = (self.now, [self.sink.address, self.source.address]);
        self.sink.take(now, addresses[1], calls);
        self.source.take(now, addresses[0], calls);
        self.source.poll(now, &mut self.sink, calls);
        self.sink.poll(now, &mut self.source, calls);
        if self.peers.iter().any(Option::is_none) {
            return Some(0);
        }
        while let Some(event) = self.source.events.pop_front() {
            if let Event::Requested { transfer, request } = event {
                let place = Place {
                    root: ROOT,
                    path: request.path,
                };
                let decision = Decision::Grant {
                    place,
                    may_replace: true,
                };
                self.source
                    .endpoint
                    .decide(now, transfer, decision)
                    .expect("the transfer is there");
            }
        }
        let mut bytes = 0;
        while let Some(event) = self.sink.events.pop_front() {
            match event {
                Event::Progress { bytes: so_far, .. } => bytes = so_far,
                Event::Finished { result, .. } => {
                    result.expect("the file arrives");
                    return None;
                }
                _ => {}
            }
        }
        Some(bytes)
    }

    /// Packets that the source has sent, and that the sink has sent.
    #[must_use]
    pub fn packets(&self) -> [u64; 2] {
        let sent = |end: &End, peer: Option<PeerId>| {
            peer.and_then(|peer| end.endpoint.stats(peer))
                .map_or(0, |stats| stats.packets_sent)
        };
        [
            sent(&self.source, self.peers[1]),
            sent(&self.sink, self.peers[0]),
        ]
    }
}
