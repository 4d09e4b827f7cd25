//! The two ends and what is between them: virtual time, one seed.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::disk::{Disk, File};
use crate::config::Config;
use crate::crypto::{CryptoError, Direction, Provider, Session};
use crate::event::{Failure, Finished};
use crate::file::{BLOCK_SIZE, Operation, Pool, Use};
use crate::id::RootId;
use crate::limits::Limits;
use crate::peer::{PacketWriter, SentFrame};
use crate::rng::{Rng, Stream};
use crate::slab::Key;
use crate::time::{Duration, Instant};
use crate::transfer::{
    Context, Decision, OpTag, Place, Request, Taken, TransferEvent, Transfers,
};
use crate::wire::{CloseCode, ConnectionId, ErrorCode, FilePath, Frame};

pub(super) const CLIENT: usize = 0;
pub(super) const SERVER: usize = 1;

#[derive(Debug)]
struct NoCrypto;

impl Provider for NoCrypto {
    fn client(&self, _: ConnectionId, _: &[u8]) -> Result<Box<dyn Session>, CryptoError> {
        Err(CryptoError::Config)
    }
    fn server(&self, _: ConnectionId, _: &[u8]) -> Result<Box<dyn Session>, CryptoError> {
        Err(CryptoError::Config)
    }
}

/// What the link does to packets, in percent, and what it looks like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) loss: u64,
    pub(super) duplicate: u64,
    /// Packets that are told to be lost and arrive nevertheless.
    pub(super) spurious: u64,
    /// Microseconds; each packet takes from one to `1 + jitter` of them.
    pub(super) delay: u64,
    pub(super) jitter: u64,
    pub(super) packet: usize,
    /// Packets in flight.
    pub(super) window: usize,
}

pub(super) const PERFECT: Link =
    Link { loss: 0, duplicate: 0, spurious: 0, delay: 1_000, jitter: 0, packet: 1_150, window: 64 };
pub(super) const BAD: Link =
    Link { loss: 10, duplicate: 5, spurious: 3, delay: 1_000, jitter: 4, packet: 1_150, window: 64 };

#[derive(Debug)]
struct Loan {
    at: Instant,
    key: Key,
    tag: OpTag,
    op: Operation,
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) transfers: Transfers,
    pub(super) pool: Pool,
    pub(super) disk: Disk,
    rng: Rng,
    next_file: u64,
    loans: Vec<Loan>,
    in_flight: usize,
    pub(super) events: Vec<(Key, TransferEvent)>,
    /// What Requested is answered with; `None` answers nothing.
    pub(super) refuse: Option<ErrorCode>,
    pub(super) may_replace: bool,
    pub(super) answers: bool,
    /// Events are left untaken.
    pub(super) deaf: bool,
}

#[derive(Debug)]
enum What {
    Arrive { to: usize, payload: Arc<Vec<u8>>, sent: Option<Vec<SentFrame>> },
    Acked { at: usize, sent: Vec<SentFrame> },
    Lost { at: usize, sent: Vec<SentFrame> },
    /// As `Lost`, of a packet that is still counted in flight.
    ThoughtLost { at: usize, sent: Vec<SentFrame> },
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Instant,
    state: u64,
    pub(super) link: Link,
    pub(super) config: Config,
    pub(super) ends: [End; 2],
    queue: Vec<(Instant, What)>,
    pub(super) closed: Option<CloseCode>,
    /// Nothing gets through any more.
    pub(super) cut: bool,
    pub(super) packets: u64,
    /// Microseconds that a disk operation takes at most.
    pub(super) disk_delay: u64,
    pub(super) steps: u64,
}

pub(super) fn limits() -> Limits {
    Limits { sink_blocks: 256, source_blocks: 128, credit_blocks_max: 128, ..Limits::default() }
}

impl World {
    pub(super) fn new(seed: u64, link: Link, limits: Limits) -> Self {
        let mut config = Config::new(Arc::new(NoCrypto));
        config.limits = limits;
        let end = |direction, seed: u8| {
            let mut transfers = Transfers::new(direction, &config.limits);
            transfers.admitted();
            End {
                transfers,
                pool: Pool::new(config.limits.sink_blocks, config.limits.source_blocks),
                disk: Disk { free: 1 << 40, ..Disk::default() },
                rng: Rng::new([seed; 32], Stream::Wire),
                next_file: 0,
                loans: Vec::new(),
                in_flight: 0,
                events: Vec::new(),
                refuse: None,
                may_replace: true,
                answers: true,
                deaf: false,
            }
        };
        let ends = [end(Direction::Client, 1), end(Direction::Server, 2)];
        Self {
            now: Instant::ZERO,
            state: seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15),
            link,
            config,
            ends,
            queue: Vec::new(),
            closed: None,
            cut: false,
            packets: 0,
            disk_delay: 300,
            steps: 0,
        }
    }

    pub(super) fn random(&mut self, below: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) % below.max(1)
    }

    pub(super) fn with<T>(&mut self, end: usize, call: impl FnOnce(&mut Transfers, &mut Context<'_>) -> T) -> T {
        let End { transfers, pool, rng, next_file, .. } = &mut self.ends[end];
        let mut cx = Context {
            now: self.now,
            config: &self.config,
            pool,
            rng,
            rtt: Duration::from_micros(2 * self.link.delay),
            next_file,
        };
        call(transfers, &mut cx)
    }

    pub(super) fn start(&mut self, request: Request) -> Key {
        self.with(CLIENT, |transfers, cx| transfers.start(cx, request)).expect("within the limits")
    }

    fn micros(&mut self, from: u64, spread: u64) -> Instant {
        self.now + Duration::from_micros(from + self.random(spread + 1))
    }

    /// Everything that can happen without time passing.
    fn settle(&mut self) {
        // What is heard may be answered at once.
        for end in [CLIENT, SERVER, CLIENT, SERVER] {
            self.send(end);
            self.lend(end);
            self.hear(end);
            self.send(end);
            self.lend(end);
        }
    }

    fn send(&mut self, end: usize) {
        while self.ends[end].in_flight < self.link.window && self.ends[end].transfers.has_frames() {
            let mut payload = vec![0; self.link.packet];
            let mut sent = Vec::new();
            let len = self.with(end, |transfers, cx| {
                let mut writer = PacketWriter::new(&mut payload, &mut sent);
                transfers.write_frames(cx, &mut writer);
                writer.len()
            });
            assert!(len > 0 && !sent.is_empty(), "has_frames, but nothing was written");
            payload.truncate(len);
            self.packets += 1;
            self.ends[end].in_flight += 1;
            self.travel(end, Arc::new(payload), sent);
        }
    }

    fn travel(&mut self, end: usize, payload: Arc<Vec<u8>>, sent: Vec<SentFrame>) {
        let Link { loss, duplicate, spurious, delay, jitter, .. } = self.link;
        let lost = self.cut || self.random(100) < loss;
        let arrival = self.micros(delay, jitter * delay);
        let to = 1 - end;
        if lost {
            let told = self.micros(4 * delay, delay);
            self.queue.push((told, What::Lost { at: end, sent }));
            return;
        }
        if self.random(100) < duplicate {
            let again = self.micros(delay, 8 * delay);
            let payload = payload.clone();
            self.queue.push((again, What::Arrive { to, payload, sent: None }));
        }
        if self.random(100) < spurious {
            let told = self.micros(delay, delay);
            self.queue.push((told, What::ThoughtLost { at: end, sent: sent.clone() }));
        }
        self.queue.push((arrival, What::Arrive { to, payload, sent: Some(sent) }));
    }

    fn lend(&mut self, end: usize) {
        while self.ends[end].transfers.has_ops() {
            let polled = self.with(end, Transfers::poll_op);
            let Some((key, tag, op)) = polled else {
                // A failure took the operation's place; that must not go on for ever.
                assert!(!self.ends[end].transfers.has_ops(), "has_ops, but none was polled");
                break;
            };
            let delay = self.disk_delay;
            let at = self.micros(1, delay);
            self.ends[end].loans.push(Loan { at, key, tag, op });
        }
    }

    fn hear(&mut self, end: usize) {
        while !self.ends[end].deaf && self.ends[end].transfers.has_events() {
            let Some((key, event)) = self.with(end, Transfers::poll_event) else {
                unreachable!("has_events, but none was polled")
            };
            if let TransferEvent::Requested(requested) = &event {
                let decision = match self.ends[end].refuse {
                    Some(code) => Decision::Refuse(code),
                    None => Decision::Grant {
                        place: place(requested.path.as_bytes()),
                        may_replace: self.ends[end].may_replace,
                    },
                };
                if self.ends[end].answers {
                    let decided = self.with(end, |transfers, cx| transfers.decide(cx, key, decision));
                    assert_eq!(decided, Ok(()));
                }
            }
            self.ends[end].events.push((key, event));
        }
    }

    fn next_time(&self) -> Option<Instant> {
        let loans = self.ends.iter().flat_map(|end| &end.loans).map(|loan| loan.at);
        let deadlines = self.ends.iter().filter_map(|end| end.transfers.deadline());
        self.queue.iter().map(|(at, _)| *at).chain(loans).chain(deadlines).min()
    }

    /// One step of time; false when nothing can happen any more.
    pub(super) fn step(&mut self) -> bool {
        self.settle();
        let Some(at) = self.next_time() else { return false };
        self.now = self.now.max(at);
        self.steps += 1;
        for end in [CLIENT, SERVER] {
            while let Some(due) = self.ends[end].loans.iter().position(|loan| loan.at <= self.now) {
                let Loan { key, tag, op, .. } = self.ends[end].loans.swap_remove(due);
                let (result, block) = self.ends[end].disk.run(op);
                self.with(end, |transfers, cx| transfers.handle_file_done(cx, key, tag, block, result));
            }
            if self.ends[end].transfers.deadline().is_some_and(|at| at <= self.now) {
                self.with(end, Transfers::handle_timeout);
                let next = self.ends[end].transfers.deadline();
                assert!(next.is_none_or(|at| at > self.now), "a deadline in the past");
            }
        }
        while let Some(due) = self.queue.iter().position(|(at, _)| *at <= self.now) {
            let (_, what) = self.queue.swap_remove(due);
            self.happen(what);
        }
        self.check();
        true
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Arrive { to, payload, sent } => {
                let taken = self.receive(to, &payload);
                let Some(sent) = sent else { return };
                let (at, delay) = (1 - to, self.link.delay);
                let told = self.micros(delay, delay);
                let what = if taken { What::Acked { at, sent } } else { What::Lost { at, sent } };
                self.queue.push((told, what));
            }
            What::Acked { at, sent } => {
                self.ends[at].in_flight -= 1;
                self.fate(at, &sent, Transfers::handle_acked);
            }
            What::Lost { at, sent } => {
                self.ends[at].in_flight -= 1;
                self.fate(at, &sent, Transfers::handle_lost);
            }
            What::ThoughtLost { at, sent } => self.fate(at, &sent, Transfers::handle_lost),
        }
    }

    fn fate(
        &mut self,
        at: usize,
        sent: &[SentFrame],
        tell: impl Fn(&mut Transfers, &mut Context<'_>, Key, crate::transfer::Item),
    ) {
        for frame in sent {
            if let SentFrame::Transfer { key, item } = *frame {
                self.with(at, |transfers, cx| tell(transfers, cx, key, item));
            }
        }
    }

    /// Whether all frames were taken.
    pub(super) fn receive(&mut self, to: usize, mut payload: &[u8]) -> bool {
        let mut all = true;
        while !payload.is_empty() {
            let frame = Frame::decode(&mut payload).expect("our own frames");
            match self.with(to, |transfers, cx| transfers.handle_frame(cx, &frame)) {
                Ok(taken) => all &= taken == Taken::Yes,
                Err(code) => self.closed = self.closed.or(Some(code)),
            }
        }
        all
    }

    /// What holds at any time.
    fn check(&self) {
        let limits = &self.config.limits;
        for end in &self.ends {
            assert!(end.pool.out(Use::Sink) <= limits.sink_blocks - end.pool.unreserved(Use::Sink), "M4");
            assert!(end.pool.out(Use::Source) <= limits.source_blocks - end.pool.unreserved(Use::Source));
        }
    }

    /// Runs until both ends are drained, and checks that nothing is left.
    pub(super) fn run(&mut self) {
        self.run_despite_leftovers();
        if self.closed.is_none() {
            self.check_drained();
        }
    }

    /// As [`run`](Self::run), for disks that fail to remove files.
    pub(super) fn run_despite_leftovers(&mut self) {
        let steps = self.steps;
        while self.steps < steps + 2_000_000 && self.closed.is_none() {
            if !self.step() {
                break;
            }
            let drained = self.ends.iter().all(|end| end.transfers.is_drained());
            if drained && self.queue.is_empty() {
                break;
            }
        }
    }

    pub(super) fn check_drained(&self) {
        for (at, end) in self.ends.iter().enumerate() {
            assert!(end.transfers.is_drained(), "end {at} is stuck: {:#?}", end.transfers);
            assert!(end.transfers.is_idle());
            for what in [Use::Sink, Use::Source] {
                assert_eq!(end.pool.out(what), 0, "blocks of end {at} are away");
            }
            assert_eq!(end.pool.unreserved(Use::Sink), self.config.limits.sink_blocks);
            assert_eq!(end.pool.unreserved(Use::Source), self.config.limits.source_blocks);
            assert_eq!(end.disk.open_files(), 0, "end {at}: {:?}", end.disk.log);
            assert_eq!(end.disk.temp_files(), 0, "end {at}: {:?}", end.disk.log);
        }
    }

    /// Outcomes at one end, in the order of the events.
    pub(super) fn outcomes(&self, end: usize) -> Vec<Result<Finished, Failure>> {
        let finished = |(_, event): &(Key, TransferEvent)| match event {
            TransferEvent::Finished { result, .. } => Some(*result),
            _ => None,
        };
        self.ends[end].events.iter().filter_map(finished).collect()
    }

    pub(super) fn put_file(&mut self, end: usize, path: &[u8], size: u64) -> Vec<u8> {
        let content = content(size, size ^ path.len() as u64);
        let file = File { content: content.clone(), mtime: 1_700_000_000_000_000_123, mode: 0o640, changes: 1 };
        self.ends[end].disk.files.insert(path.to_vec(), file);
        content
    }
}

pub(super) fn content(size: u64, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(size as usize + 8);
    while bytes.len() < size as usize {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size as usize);
    bytes
}

pub(super) fn path(name: &[u8]) -> FilePath {
    FilePath::parse(name).expect("a good path")
}

pub(super) fn place(name: &[u8]) -> Place {
    Place { root: RootId(0), path: path(name) }
}

pub(super) const BLOCK: u64 = BLOCK_SIZE as u64;
