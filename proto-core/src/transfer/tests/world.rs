//! The two ends and what is between them: virtual time, one seed.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::disk::{Disk, File};
use super::ends::*;
use crate::config::Config;
use crate::crypto::Direction;
use crate::event::{Failure, Finished};
use crate::file::{Pool, Use};
use crate::limits::Limits;
use crate::rng::{Rng, Stream};
use crate::slab::Key;
use crate::time::{Duration, Instant};
use crate::transfer::{Context, Decision, Request, TransferEvent, Transfers};
use crate::wire::{CloseCode, RequestKind};

#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Instant,
    state: u64,
    pub(super) link: Link,
    pub(super) config: Config,
    pub(super) ends: [End; 2],
    pub(super) queue: Vec<(Instant, What)>,
    pub(super) closed: Option<CloseCode>,
    /// Nothing gets through any more.
    pub(super) cut: bool,
    pub(super) packets: u64,
    /// Microseconds that a disk operation takes at most.
    pub(super) disk_delay: u64,
    /// How much longer that is at each end.
    pub(super) slower_by: [u64; 2],
    pub(super) steps: u64,
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
                disk: Disk {
                    free: 1 << 40,
                    ..Disk::default()
                },
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
            slower_by: [0; 2],
            steps: 0,
        }
    }

    pub(super) fn random(&mut self, below: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) % below.max(1)
    }

    pub(super) fn with<T>(
        &mut self,
        end: usize,
        call: impl FnOnce(&mut Transfers, &mut Context<'_>) -> T,
    ) -> T {
        let End {
            transfers,
            pool,
            rng,
            next_file,
            ..
        } = &mut self.ends[end];
        let mut cx = Context {
            now: self.now,
            config: &self.config,
            pool,
            rng,
            rtt: Duration::from_micros(2 * self.link.delay),
            next_file,
        };
        let result = call(transfers, &mut cx);
        transfers.settle(&mut cx);
        result
    }

    pub(super) fn start(&mut self, request: Request) -> Key {
        self.with(CLIENT, |transfers, cx| transfers.start(cx, request))
            .expect("within the limits")
    }

    pub(super) fn micros(&mut self, from: u64, spread: u64) -> Instant {
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

    fn lend(&mut self, end: usize) {
        while self.ends[end].transfers.has_ops() {
            let polled = self.with(end, Transfers::poll_op);
            let Some((key, tag, op)) = polled else {
                // A failure took the operation's place; that must not go on for ever.
                assert!(
                    !self.ends[end].transfers.has_ops(),
                    "has_ops, but none was polled"
                );
                break;
            };
            let delay = self.disk_delay + self.slower_by[end];
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
                    None if requested.kind == RequestKind::Rename => Decision::GrantRename {
                        place: place(requested.path.as_bytes()),
                        to: requested.to.clone(),
                        may_replace: self.ends[end].may_replace,
                    },
                    None => Decision::Grant {
                        place: place(requested.path.as_bytes()),
                        may_replace: self.ends[end].may_replace,
                    },
                };
                if self.ends[end].answers {
                    let decided =
                        self.with(end, |transfers, cx| transfers.decide(cx, key, decision));
                    assert_eq!(decided, Ok(()));
                }
            }
            self.ends[end].events.push((key, event));
        }
    }

    fn next_time(&self) -> Option<Instant> {
        let loans = self
            .ends
            .iter()
            .flat_map(|end| &end.loans)
            .map(|loan| loan.at);
        let deadlines = self.ends.iter().filter_map(|end| end.transfers.deadline());
        self.queue
            .iter()
            .map(|(at, _)| *at)
            .chain(loans)
            .chain(deadlines)
            .min()
    }

    /// One step of time; false when nothing can happen any more.
    pub(super) fn step(&mut self) -> bool {
        self.settle();
        let Some(at) = self.next_time() else {
            return false;
        };
        self.now = self.now.max(at);
        self.steps += 1;
        for end in [CLIENT, SERVER] {
            while let Some(due) = self.ends[end]
                .loans
                .iter()
                .position(|loan| loan.at <= self.now)
            {
                let Loan { key, tag, op, .. } = self.ends[end].loans.swap_remove(due);
                let (result, block) = self.ends[end].disk.run(op);
                self.with(end, |transfers, cx| {
                    transfers.handle_file_done(cx, key, tag, block, result)
                });
            }
            if self.ends[end]
                .transfers
                .deadline()
                .is_some_and(|at| at <= self.now)
            {
                self.with(end, Transfers::handle_timeout);
                if self.ends[end].transfers.is_stalled(self.now) {
                    self.closed = Some(CloseCode::Stalled);
                    self.with(end, |transfers, cx| transfers.session_lost(cx));
                }
                let next = self.ends[end].transfers.deadline();
                assert!(
                    next.is_none_or(|at| at > self.now),
                    "a deadline in the past"
                );
            }
        }
        while let Some(due) = self.queue.iter().position(|(at, _)| *at <= self.now) {
            let (_, what) = self.queue.swap_remove(due);
            self.happen(what);
        }
        self.check();
        true
    }

    /// What holds at any time.
    fn check(&self) {
        let limits = &self.config.limits;
        for end in &self.ends {
            assert!(
                end.pool.out(Use::Sink) <= limits.sink_blocks - end.pool.unreserved(Use::Sink),
                "M4"
            );
            assert!(
                end.pool.out(Use::Source)
                    <= limits.source_blocks - end.pool.unreserved(Use::Source)
            );
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
            assert!(
                end.transfers.is_drained(),
                "end {at} is stuck: {:#?}",
                end.transfers
            );
            assert!(end.transfers.is_idle());
            for what in [Use::Sink, Use::Source] {
                assert_eq!(end.pool.out(what), 0, "blocks of end {at} are away");
            }
            assert_eq!(
                end.pool.unreserved(Use::Sink),
                self.config.limits.sink_blocks
            );
            assert_eq!(
                end.pool.unreserved(Use::Source),
                self.config.limits.source_blocks
            );
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

    pub(super) fn put_link(&mut self, end: usize, path: &[u8], target: &[u8]) {
        let link = File {
            content: target.to_vec(),
            mtime: 1,
            mode: 0o777,
            link: true,
            changes: 1,
        };
        self.ends[end].disk.files.insert(path.to_vec(), link);
    }

    pub(super) fn put_file(&mut self, end: usize, path: &[u8], size: u64) -> Vec<u8> {
        let content = content(size, size ^ path.len() as u64);
        let file = File {
            content: content.clone(),
            mtime: 1_700_000_000_000_000_123,
            mode: 0o640,
            link: false,
            changes: 1,
        };
        self.ends[end].disk.files.insert(path.to_vec(), file);
        content
    }
}
