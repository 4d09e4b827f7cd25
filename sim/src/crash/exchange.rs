//! A client and a server with their disks, and a network between them that only delays.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use proto_core::crypto::PublicKey;
use proto_core::{Config, DatagramMeta, Duration, Endpoint, Event, Instant, PeerId, RootId};

use crate::disk::Disk;
use crate::null_crypto::NullProvider;
use crate::queue::Queue;
use crate::rng::Rng;

/// The client's place among the two sides.
pub(super) const CLIENT: usize = 0;
/// The server's.
pub(super) const SERVER: usize = 1;
/// The one root of each disk.
pub(super) const ROOT: RootId = RootId(1);

/// From one side to the other.
const DELAY: Duration = Duration::from_millis(1);
/// Bytes of a batch at most.
const BATCH_LEN: usize = 64 << 10;
/// Datagrams of a batch at most.
const SEGMENTS_MAX: NonZeroUsize = NonZeroUsize::new(32).unwrap();

/// One end.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) endpoint: Endpoint,
    pub(super) disk: Disk,
}

/// Both ends in virtual time.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) now: Instant,
    pub(super) sides: [Side; 2],
    /// The client's session.
    pub(super) peer: PeerId,
    /// Who gets what, and when.
    wire: Queue<(usize, Vec<u8>)>,
    buffer: Vec<u8>,
}

/// What both ends are like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) datagram_size: u16,
    pub(super) sink_blocks: u32,
}

fn address(side: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 40_000 + side as u16))
}

impl Exchange {
    /// A client that has begun to connect, with the disks of client and server.
    pub(super) fn new(setup: Setup, rng: &mut Rng, disks: [Disk; 2]) -> Result<Self, String> {
        let now = Instant::from_nanos(1);
        let mut side = |number: usize, disk| {
            let key = PublicKey([number as u8; 32]);
            let mut config = Config::new(Arc::new(NullProvider { key }));
            config.accept = number == SERVER;
            config.datagram_size = setup.datagram_size;
            config.limits.sink_blocks = setup.sink_blocks;
            Side {
                endpoint: Endpoint::new(Arc::new(config), rng.bytes32(), now),
                disk,
            }
        };
        let [client, server] = disks;
        let mut sides = [side(CLIENT, client), side(SERVER, server)];
        let connected = sides[CLIENT].endpoint.connect(now, address(SERVER));
        let peer = connected.map_err(|error| format!("connect: {error}"))?;
        Ok(Self {
            now,
            sides,
            peer,
            wire: Queue::default(),
            buffer: vec![0; BATCH_LEN],
        })
    }

    /// Lets both ends send, ask for file operations and tell events, which are returned with their side.
    pub(super) fn flush(&mut self) -> Vec<(usize, Event)> {
        let mut events = Vec::new();
        for (number, side) in self.sides.iter_mut().enumerate() {
            while let Some(batch) =
                (side.endpoint).poll_transmit(self.now, SEGMENTS_MAX, &mut self.buffer)
            {
                for datagram in self.buffer[..batch.len].chunks(batch.segment_size) {
                    let arrives = self.now + DELAY;
                    self.wire.push(arrives, (1 - number, datagram.to_vec()));
                }
            }
            while let Some(op) = side.endpoint.poll_file_op() {
                side.disk.submit(self.now, op);
            }
            while let Some(event) = side.endpoint.poll_event() {
                events.push((number, event));
            }
        }
        events
    }

    /// When something happens next.
    pub(super) fn next_time(&self) -> Option<Instant> {
        let sides = self.sides.iter();
        let timeouts = sides
            .clone()
            .filter_map(|side| side.endpoint.poll_timeout());
        let disks = sides.filter_map(|side| side.disk.next_time());
        let times = timeouts.map(|(at, _)| at).chain(disks);
        times.chain(self.wire.next_time()).min()
    }

    /// Delivers what is due.
    pub(super) fn deliver(&mut self) {
        while let Some((_, (to, mut payload))) = self.wire.pop_due(self.now) {
            let meta = DatagramMeta {
                source: address(1 - to),
                local: None,
            };
            let endpoint = &mut self.sides[to].endpoint;
            endpoint.handle_datagram(self.now, meta, &mut payload);
        }
    }

    /// Tells both ends the time.
    pub(super) fn tick(&mut self) {
        for side in &mut self.sides {
            if side
                .endpoint
                .poll_timeout()
                .is_some_and(|(at, _)| at <= self.now)
            {
                side.endpoint.handle_timeout(self.now);
            }
        }
    }
}
