//! A client and a server with their disks, and a network between them that only delays.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use proto_core::crypto::PublicKey;
use proto_core::fault::Fault;
use proto_core::wire::RequestKind;
use proto_core::{
    Admission, Config, DatagramMeta, Decision, Duration, Endpoint, Event, Failure, Finished,
    Instant, PeerId, Place, Request, RootId, TransferId,
};

use crate::disk::Disk;
use crate::fault::{FaultPlan, PlannedFaults};
use crate::null_crypto::NullProvider;
use crate::queue::Queue;
use crate::rng::Rng;

/// The client's place among the two sides.
pub(crate) const CLIENT: usize = 0;
/// The server's.
pub(crate) const SERVER: usize = 1;
/// The one root of each disk.
pub(crate) const ROOT: RootId = RootId(1);

/// Virtual time after which an exchange that has not ended is a failure.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(600);

/// From one side to the other.
const DELAY: Duration = Duration::from_millis(1);
/// Bytes of a batch at most.
const BATCH_LEN: usize = 64 << 10;
/// Datagrams of a batch at most.
const SEGMENTS_MAX: NonZeroUsize = NonZeroUsize::new(32).unwrap();

/// One end.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) endpoint: Endpoint,
    pub(crate) disk: Disk,
}

/// Both ends in virtual time.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) now: Instant,
    pub(crate) sides: [Side; 2],
    /// The client's session.
    pub(crate) peer: PeerId,
    /// Who gets what, and when.
    wire: Queue<(usize, Vec<u8>)>,
    buffer: Vec<u8>,
}

/// What both ends are like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) datagram_size: u16,
    pub(crate) sink_blocks: u32,
    /// Bytes from which on a file has a journal.
    pub(crate) journal_min: u64,
    /// A planted bug in both cores, and how seldom it strikes.
    pub(crate) bug: Option<(Fault, u32)>,
}

fn address(side: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 40_000 + side as u16))
}

impl Exchange {
    /// A client that has begun to connect, with the disks of client and server.
    pub(crate) fn new(setup: Setup, rng: &mut Rng, disks: [Disk; 2]) -> Result<Self, String> {
        let now = Instant::from_nanos(1);
        let mut side = |number: usize, disk| {
            let key = PublicKey([number as u8; 32]);
            let mut config = Config::new(Arc::new(NullProvider { key }));
            config.accept = number == SERVER;
            config.datagram_size = setup.datagram_size;
            config.datagram_max = setup.datagram_size;
            config.limits.sink_blocks = setup.sink_blocks;
            config.limits.journal_min = setup.journal_min;
            config.limits.journal_unsynced = 1;
            if let Some((bug, one_in)) = setup.bug {
                let plan = FaultPlan::only(bug, one_in);
                let faults = PlannedFaults::new(&plan, Rng::new(number as u64, 0xfa17));
                config.faults = Some(Arc::new(faults));
            }
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
    pub(crate) fn flush(&mut self) -> Vec<(usize, Event)> {
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
    pub(crate) fn next_time(&self) -> Option<Instant> {
        let sides = self.sides.iter();
        let timeouts = sides
            .clone()
            .filter_map(|side| side.endpoint.poll_timeout());
        let disks = sides.filter_map(|side| side.disk.next_time());
        let times = timeouts.map(|(at, _)| at).chain(disks);
        times.chain(self.wire.next_time()).min()
    }

    /// Delivers what is due.
    pub(crate) fn deliver(&mut self) {
        while let Some((_, (to, mut payload))) = self.wire.pop_due(self.now) {
            let meta = DatagramMeta {
                source: address(1 - to),
                local: None,
                ecn: proto_core::Ecn::NotEct,
            };
            let endpoint = &mut self.sides[to].endpoint;
            endpoint.handle_datagram(self.now, meta, &mut payload);
        }
    }

    /// Tells both ends the time.
    pub(crate) fn tick(&mut self) {
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

    /// Starts a request of the client, whose session must be open.
    pub(crate) fn start(&mut self, request: Request) -> Result<TransferId, String> {
        let endpoint = &mut self.sides[CLIENT].endpoint;
        let started = endpoint.start(self.now, self.peer, request);
        started.map_err(|error| format!("start: {error}"))
    }

    /// Answers an event of a side: every session is admitted, every request granted.
    pub(crate) fn answer(&mut self, side: usize, event: &Event) -> Result<(), String> {
        let endpoint = &mut self.sides[side].endpoint;
        let answered = match event {
            Event::PeerReady { peer, .. } => endpoint.admit(self.now, *peer, Admission::Admit),
            Event::Requested { transfer, request } => {
                let place = Place {
                    root: ROOT,
                    path: request.path.clone(),
                };
                let may_replace = true;
                let decision = match request.kind {
                    RequestKind::Rename => Decision::GrantRename {
                        to: request.to.clone(),
                        place,
                        may_replace,
                    },
                    _ => Decision::Grant { place, may_replace },
                };
                endpoint.decide(self.now, *transfer, decision)
            }
            Event::PeerClosed { cause, .. } => return Err(format!("the session ended: {cause:?}")),
            _ => Ok(()),
        };
        answered.map_err(|error| error.to_string())
    }

    /// Opens the session, runs one request of the client to its end, and says what the client was told. `before` is
    /// called before each step.
    pub(crate) fn finish(
        &mut self,
        request: Request,
        mut before: impl FnMut(&mut Self),
    ) -> Result<Result<Finished, Failure>, String> {
        let end = self.now + TIME_MAX;
        let mut request = Some(request);
        loop {
            let events = self.flush();
            for (side, event) in &events {
                self.answer(*side, event)?;
                match event {
                    Event::PeerReady { .. } if *side == CLIENT => {
                        request
                            .take()
                            .map_or(Ok(()), |request| self.start(request).map(drop))?;
                    }
                    Event::Finished { result, .. } if *side == CLIENT => return Ok(*result),
                    _ => {}
                }
            }
            if events.is_empty() {
                before(self);
                self.step(end)?;
            }
        }
    }

    /// Goes on to what happens next; it must be before `end`.
    fn step(&mut self, end: Instant) -> Result<(), String> {
        let next = self.next_time().filter(|at| *at <= end);
        self.now = self.now.max(next.ok_or("the transfer does not end")?);
        self.deliver();
        for side in &mut self.sides {
            while let Some(done) = side.disk.complete(self.now) {
                side.endpoint.handle_file_done(self.now, done);
            }
        }
        self.tick();
        Ok(())
    }
}
