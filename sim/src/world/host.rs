//! A machine: an endpoint, its disk, and the driver between them, which polls as the contract says and checks it.

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use proto_core::{DatagramMeta, Endpoint, Event, Instant, Reason, Transmit};

use super::trace::Trace;
use crate::digest::Digest;
use crate::disk::Disk;
use crate::net::{Datagram, Network};
use crate::rng::Rng;

/// Batches that a round sends at most before it looks at files and events.
const BATCHES_MAX: usize = 16;
/// Rounds and time-outs at one time without input, at most (invariant 29).
const IDLE_ROUNDS_MAX: u32 = 64;
/// Events at one time without input, at most.
const IDLE_EVENTS_MAX: u32 = 256;
/// Bytes of a batch at most.
const BATCH_LEN: usize = 64 << 10;
/// One in so many drives ends in calls that must change nothing.
const SPURIOUS_ONE_IN: u64 = 32;

/// What happens on a host is part of the run's digest and may be traced.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) digest: Digest,
    pub(super) trace: Trace,
}

/// One machine.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    pub(super) endpoint: Endpoint,
    pub(super) disk: Disk,
    datagram_size: usize,
    segments_max: NonZeroUsize,
    buffer: Vec<u8>,
    deadline: Option<(Instant, Reason)>,
    rng: Rng,
    /// Rounds since time or input moved last.
    idle_rounds: u32,
    idle_events: u32,
    idle_since: Instant,
    received: u64,
}

/// What a host is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    pub(super) endpoint: Endpoint,
    pub(super) disk: Disk,
    pub(super) datagram_size: u16,
    pub(super) segments_max: usize,
    pub(super) rng: Rng,
}

type Checked<T> = Result<T, String>;

impl Host {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            name: parts.name,
            address: parts.address,
            endpoint: parts.endpoint,
            disk: parts.disk,
            datagram_size: parts.datagram_size.into(),
            segments_max: NonZeroUsize::new(parts.segments_max).unwrap_or(NonZeroUsize::MIN),
            buffer: vec![0; BATCH_LEN],
            deadline: None,
            rng: parts.rng,
            idle_rounds: 0,
            idle_events: 0,
            idle_since: Instant::ZERO,
            received: 0,
        }
    }

    /// When the endpoint or the disk has something to do.
    pub(super) fn next_time(&self) -> Option<Instant> {
        let deadline = self.deadline.map(|(at, _)| at);
        deadline.into_iter().chain(self.disk.next_time()).min()
    }

    /// Why the endpoint wants to be woken.
    pub(super) fn deadline(&self) -> Option<(Instant, Reason)> {
        self.deadline
    }

    /// UDP payload bytes that came in.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Whether nothing is left of any session.
    pub(super) fn is_at_rest(&self) -> bool {
        self.deadline.is_none() && self.endpoint.sessions() == 0 && self.disk.on_loan() == 0
    }

    /// Something came from outside: rounds may begin anew.
    pub(super) fn input(&mut self) {
        self.idle_rounds = 0;
        self.idle_events = 0;
    }

    pub(super) fn datagram(&mut self, now: Instant, datagram: &mut Datagram) {
        self.input();
        self.received += datagram.payload.len() as u64;
        let meta = DatagramMeta {
            source: datagram.source,
            local: None,
        };
        self.endpoint
            .handle_datagram(now, meta, &mut datagram.payload);
    }

    /// Brings home what the disk has done by `now`, and tells the endpoint the time if it is due. Says whether
    /// anything was.
    pub(super) fn work(&mut self, now: Instant, record: &mut Record) -> Checked<bool> {
        let mut any = false;
        while let Some(done) = self.disk.complete(now) {
            any = true;
            record.trace.line(|| {
                let block = done.block.is_some();
                format!(
                    "{}: file done {:?} {:?} block {block}",
                    self.name, done.id, done.result
                )
            });
            self.input();
            self.endpoint.handle_file_done(now, done);
        }
        if let Some((at, reason)) = self.deadline
            && at <= now
        {
            any = true;
            record
                .trace
                .line(|| format!("{}: time-out for {reason:?}", self.name));
            self.count_round(now)?;
            self.endpoint.handle_timeout(now);
            if let Some((at, reason)) = self.endpoint.poll_timeout()
                && at < now
            {
                return Err(format!(
                    "{}: the deadline for {reason:?} is {at:?}, in the past, after handle_timeout",
                    self.name
                ));
            }
        }
        if let Some(breach) = self.disk.take_breaches().pop() {
            return Err(format!("{}: file operations: {breach}", self.name));
        }
        Ok(any)
    }

    fn count_round(&mut self, now: Instant) -> Checked<()> {
        if self.idle_since < now {
            self.idle_since = now;
            self.input();
        }
        self.idle_rounds += 1;
        if self.idle_rounds > IDLE_ROUNDS_MAX {
            return Err(format!(
                "{}: busy loop: {IDLE_ROUNDS_MAX} rounds without time or input moving; deadline {:?}",
                self.name,
                self.endpoint.poll_timeout()
            ));
        }
        Ok(())
    }

    /// One round of polls: batches, file operations, one event. Call until `Quiet`, answering the events.
    pub(super) fn round(
        &mut self,
        now: Instant,
        network: &mut Network,
        record: &mut Record,
    ) -> Checked<Round> {
        let mut batches = 0;
        while batches < BATCHES_MAX
            && let Some(transmit) = self.poll_transmit(now)
        {
            self.send(now, transmit, network, record)?;
            batches += 1;
        }
        while let Some(op) = self.endpoint.poll_file_op() {
            record
                .trace
                .line(|| format!("{}: file op {:?} {:?}", self.name, op.id, op.what));
            self.disk.submit(now, op);
        }
        if let Some(breach) = self.disk.take_breaches().pop() {
            return Err(format!("{}: file operations: {breach}", self.name));
        }
        if let Some(event) = self.endpoint.poll_event() {
            record
                .trace
                .line(|| format!("{}: event {event:?}", self.name));
            self.idle_events += 1;
            if self.idle_events > IDLE_EVENTS_MAX {
                return Err(format!("{}: endless events, now {event:?}", self.name));
            }
            return Ok(Round::Event(event));
        }
        if batches > 0 {
            self.count_round(now)?;
            return Ok(Round::More);
        }
        self.deadline = self.endpoint.poll_timeout();
        if self.rng.one_in(SPURIOUS_ONE_IN) {
            self.spurious(now)?;
        }
        Ok(Round::Quiet)
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        self.endpoint
            .poll_transmit(now, self.segments_max, &mut self.buffer)
    }

    fn send(
        &mut self,
        now: Instant,
        transmit: Transmit,
        network: &mut Network,
        record: &mut Record,
    ) -> Checked<()> {
        let Transmit {
            destination,
            len,
            segment_size,
            ..
        } = transmit;
        let count = len.div_ceil(segment_size.max(1));
        if len == 0
            || len > self.buffer.len()
            || segment_size == 0
            || segment_size > self.datagram_size
            || count > self.segments_max.get()
        {
            return Err(format!("{}: {transmit:?} is no batch", self.name));
        }
        record.trace.line(|| {
            format!(
                "{}: sends {count} datagrams, {len} bytes, to {destination}",
                self.name
            )
        });
        for payload in self.buffer[..len].chunks(segment_size) {
            record.digest.number(now.as_nanos());
            record.digest.bytes(payload);
            let mut buffer = network.buffer();
            buffer.extend_from_slice(payload);
            let datagram = Datagram {
                source: self.address,
                destination,
                payload: buffer,
            };
            network.send(now, datagram);
        }
        Ok(())
    }

    /// Polls and ticks that have no cause must have no effect.
    fn spurious(&mut self, now: Instant) -> Checked<()> {
        let before = self.endpoint.poll_timeout();
        if before.is_none_or(|(at, _)| at > now) {
            self.endpoint.handle_timeout(now);
        }
        let transmit = self.poll_transmit(now);
        let op = self.endpoint.poll_file_op();
        let event = self.endpoint.poll_event();
        let after = self.endpoint.poll_timeout();
        if transmit.is_some() || op.is_some() || event.is_some() || before != after {
            return Err(format!(
                "{}: spurious calls changed something: {transmit:?} {op:?} {event:?}, deadline {before:?} → {after:?}",
                self.name
            ));
        }
        Ok(())
    }
}

/// What a round of polls brought.
#[derive(Debug)]
pub(super) enum Round {
    /// Answer it, then poll again.
    Event(Event),
    /// Poll again.
    More,
    /// There is nothing more until time or input moves.
    Quiet,
}
