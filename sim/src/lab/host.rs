//! A machine: an endpoint, its disk and its clock, and the driver between them, which polls as the contract says and
//! checks it.

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use proto_core::{Config, DatagramMeta, Endpoint, Event, Instant, PeerId, Reason, Transmit};

use super::amplification::Amplification;
use super::clock::Clock;
use super::process::Process;
use super::trace::Record;
use super::{Checked, Crash};
use crate::disk::Disk;
use crate::net::{Datagram, Network};
use crate::rng::Rng;

/// Batches that a round sends at most before it looks at files and events.
const BATCHES_MAX: usize = 16;
/// Rounds and time-outs at one time without input, at most (invariant 29).
const IDLE_ROUNDS_MAX: u32 = 64;
/// Events at one time without input, at most.
const IDLE_EVENTS_MAX: u32 = 256;
/// One in so many drives ends in calls that must change nothing.
const SPURIOUS_ONE_IN: u64 = 32;

/// What a host is made of.
#[derive(Debug)]
pub struct HostSetup {
    /// For people: `server`.
    pub name: String,
    /// Where its socket is bound.
    pub address: SocketAddr,
    /// Its endpoint's configuration.
    pub config: Config,
    /// Its disk.
    pub disk: Disk,
    /// Datagrams that its socket takes at once, at least 1.
    pub segments_max: usize,
}

/// One machine of a [`Lab`](super::Lab).
#[derive(Debug)]
pub struct Host {
    name: String,
    address: SocketAddr,
    config: Config,
    /// `None` while the machine, or its process, is down.
    process: Option<Process>,
    disk: Disk,
    clock: Clock,
    /// The machine is suspended until then, in true time.
    sleeps_until: Option<Instant>,
    segments_max: NonZeroUsize,
    /// The endpoint's deadline, by the host's clock.
    deadline: Option<(Instant, Reason)>,
    /// Sessions that were announced and have not ended.
    sessions: Vec<PeerId>,
    /// Kept when others may open sessions.
    amplification: Option<Amplification>,
    /// For the endpoints' seeds.
    seeds: Rng,
    /// For looks at the state that have no cause.
    looks: Rng,
    /// Rounds since time or input moved last.
    idle_rounds: u32,
    idle_events: u32,
    idle_since: Instant,
    received_bytes: u64,
    sent_datagrams: u64,
    sent_bytes: u64,
    pub(super) polled: Polled,
}

/// What the lab remembers to do about a host.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Polled {
    /// It is in the list of hosts to poll.
    pub(super) listed: bool,
    /// When the lab has planned to look at it again.
    pub(super) wake: Option<Instant>,
}

/// What a round of polls brought.
#[derive(Debug)]
pub(super) enum Round {
    /// For the application; then poll again.
    Event(Event),
    /// Poll again.
    More,
    /// There is nothing more until time or input moves.
    Quiet,
}

impl Host {
    pub(super) fn new(setup: HostSetup, mut seeds: Rng) -> Self {
        let looks = seeds.fork();
        let amplification = setup.config.accept.then(Amplification::default);
        let process = Process::start(&setup.config, seeds.bytes32(), Instant::ZERO);
        Self {
            name: setup.name,
            address: setup.address,
            config: setup.config,
            process: Some(process),
            disk: setup.disk,
            clock: Clock::new(),
            sleeps_until: None,
            segments_max: NonZeroUsize::new(setup.segments_max).unwrap_or(NonZeroUsize::MIN),
            deadline: None,
            sessions: Vec::new(),
            amplification,
            seeds,
            looks,
            idle_rounds: 0,
            idle_events: 0,
            idle_since: Instant::ZERO,
            received_bytes: 0,
            sent_datagrams: 0,
            sent_bytes: 0,
            polled: Polled::default(),
        }
    }

    /// For people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its socket is bound, as others see it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its endpoint; `None` while it is down.
    #[must_use]
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.process.as_ref().map(|process| &process.endpoint)
    }

    /// Its disk.
    #[must_use]
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Its disk, to change what is on it or how it behaves.
    pub fn disk_mut(&mut self) -> &mut Disk {
        &mut self.disk
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Sessions that were announced and have not ended.
    #[must_use]
    pub fn sessions(&self) -> &[PeerId] {
        &self.sessions
    }

    /// UDP payload bytes that came in.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// Datagrams that it sent.
    #[must_use]
    pub fn sent_datagrams(&self) -> u64 {
        self.sent_datagrams
    }

    /// UDP payload bytes that it sent.
    #[must_use]
    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// Why, and when by its own clock, the endpoint wants to be woken.
    #[must_use]
    pub fn deadline(&self) -> Option<(Instant, Reason)> {
        self.deadline
    }

    /// Whether nothing is left of any session.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        let idle = |endpoint: &Endpoint| endpoint.sessions() == 0;
        self.endpoint().is_none_or(idle) && self.deadline.is_none() && self.disk.on_loan() == 0
    }

    /// The endpoint, with the time that the host's clock shows.
    pub(super) fn endpoint_mut(&mut self, now: Instant) -> Option<(Instant, &mut Endpoint)> {
        if self.sleeps(now) {
            return None;
        }
        self.input();
        let shown = self.clock.shows(now);
        let process = self.process.as_mut();
        process.map(|process| (shown, &mut process.endpoint))
    }

    pub(super) fn clock_mut(&mut self) -> &mut Clock {
        &mut self.clock
    }

    pub(super) fn set_address(&mut self, address: SocketAddr) {
        self.address = address;
    }

    /// Nothing runs on it until then: no datagram is taken, no timer goes off, no file operation comes home.
    pub(super) fn suspend(&mut self, until: Instant) {
        self.sleeps_until = self.sleeps_until.max(Some(until));
    }

    fn sleeps(&self, now: Instant) -> bool {
        self.sleeps_until.is_some_and(|until| now < until)
    }

    /// When the endpoint or the disk has something to do.
    pub(super) fn next_time(&self) -> Option<Instant> {
        if self.sleeps_until.is_some() {
            return self.sleeps_until;
        }
        let deadline = self.deadline.map(|(at, _)| self.clock.reaches(at));
        deadline.into_iter().chain(self.disk.next_time()).min()
    }

    pub(super) fn crash(&mut self, how: Crash) {
        self.process = None;
        self.sleeps_until = None;
        self.deadline = None;
        self.sessions.clear();
        match how {
            Crash::Process => self.disk.process_crash(),
            Crash::Power => self.disk.power_loss(),
        }
    }

    /// A new process, with the configuration of the old one unless there is another.
    pub(super) fn restart(&mut self, now: Instant, config: Option<Config>) {
        if let Some(config) = config {
            self.config = config;
        }
        let seed = self.seeds.bytes32();
        let shown = self.clock.shows(now);
        self.process = Some(Process::start(&self.config, seed, shown));
        self.input();
    }

    /// Something came from outside: rounds may begin anew.
    fn input(&mut self) {
        self.idle_rounds = 0;
        self.idle_events = 0;
    }

    pub(super) fn datagram(&mut self, now: Instant, datagram: &mut Datagram) -> Checked<()> {
        if self.sleeps(now) {
            return Ok(());
        }
        self.input();
        self.received_bytes += datagram.payload.len() as u64;
        let meta = DatagramMeta {
            source: datagram.source,
            local: None,
            ecn: datagram.ecn,
        };
        if let Some(amplification) = &mut self.amplification {
            amplification.received(datagram.source, &datagram.payload);
        }
        let shown = self.clock.shows(now);
        match &mut self.process {
            None => Ok(()),
            Some(process) => process
                .datagram(shown, meta, &mut datagram.payload, &mut self.looks)
                .map_err(|what| format!("{}: {what}", self.name)),
        }
    }

    /// What this host sent has arrived at `address`.
    pub(super) fn reached(&mut self, address: SocketAddr) {
        if let Some(amplification) = &mut self.amplification {
            amplification.reached(address);
        }
    }

    /// Another host has left `address`.
    pub(super) fn moved(&mut self, address: SocketAddr) {
        if let Some(amplification) = &mut self.amplification {
            amplification.moved(address);
        }
    }

    /// Brings home what the disk has done by `now`, and tells the endpoint the time if it is due.
    pub(super) fn work(&mut self, now: Instant, record: &mut Record) -> Checked<()> {
        if self.sleeps(now) {
            return Ok(());
        }
        self.sleeps_until = None;
        let shown = self.clock.shows(now);
        while let Some(done) = self.disk.complete(now) {
            record.trace.line(|| {
                let block = done.block.is_some();
                let (id, result) = (done.id, &done.result);
                format!("{}: file done {id:?} {result:?} block {block}", self.name)
            });
            self.input();
            if let Some(process) = &mut self.process {
                process.endpoint.handle_file_done(shown, done);
            }
        }
        self.check_breaches()?;
        let due = self.deadline.filter(|(at, _)| *at <= shown);
        if let Some((_, reason)) = due
            && self.process.is_some()
        {
            record
                .trace
                .line(|| format!("{}: time-out for {reason:?}", self.name));
            self.count_round(now)?;
            self.timeout(shown)?;
        }
        Ok(())
    }

    fn timeout(&mut self, shown: Instant) -> Checked<()> {
        let Some(Process { endpoint, .. }) = &mut self.process else {
            return Ok(());
        };
        endpoint.handle_timeout(shown);
        self.deadline = endpoint.poll_timeout();
        match self.deadline {
            Some((at, reason)) if at < shown => Err(format!(
                "{}: the deadline for {reason:?} is {at:?}, in the past, after handle_timeout",
                self.name
            )),
            _ => Ok(()),
        }
    }

    fn check_breaches(&mut self) -> Checked<()> {
        match self.disk.take_breaches().pop() {
            Some(breach) => Err(format!("{}: file operations: {breach}", self.name)),
            None => Ok(()),
        }
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
                self.name, self.deadline
            ));
        }
        Ok(())
    }

    /// One round of polls: batches, file operations, one event. Call until `Quiet`, handing out the events.
    pub(super) fn round(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
        network: &mut Network,
        record: &mut Record,
        audits: bool,
    ) -> Checked<Round> {
        if self.sleeps(now) {
            return Ok(Round::Quiet);
        }
        let Some(Process { endpoint, .. }) = &mut self.process else {
            return Ok(Round::Quiet);
        };
        let shown = self.clock.shows(now);
        let mut batches = 0;
        while batches < BATCHES_MAX
            && let Some(transmit) = endpoint.poll_transmit(shown, self.segments_max, buffer)
        {
            check_batch(&transmit, self.segments_max, buffer.len())
                .and_then(|()| match &mut self.amplification {
                    Some(amplification) => {
                        amplification.sent(transmit.destination, transmit.len as u64)
                    }
                    None => Ok(()),
                })
                .map_err(|what| format!("{}: {what}", self.name))?;
            self.sent_datagrams += transmit.len.div_ceil(transmit.segment_size) as u64;
            self.sent_bytes += transmit.len as u64;
            send(
                &self.name,
                self.address,
                now,
                transmit,
                buffer,
                network,
                record,
            );
            batches += 1;
        }
        while let Some(op) = endpoint.poll_file_op() {
            record
                .trace
                .line(|| format!("{}: file op {:?} {:?}", self.name, op.id, op.what));
            self.disk.submit(now, op);
        }
        let event = endpoint.poll_event();
        self.check_breaches()?;
        if let Some(event) = event {
            record
                .trace
                .line(|| format!("{}: event {event:?}", self.name));
            self.note_event(&event)?;
            return Ok(Round::Event(event));
        }
        if batches > 0 {
            self.count_round(now)?;
            return Ok(Round::More);
        }
        self.deadline = self.endpoint().and_then(Endpoint::poll_timeout);
        if self.looks.one_in(SPURIOUS_ONE_IN) {
            self.spurious(shown, buffer)?;
        }
        if let Some(process) = &self.process {
            let checked = process.check(&mut self.looks, audits);
            checked.map_err(|what| format!("{}: {what}", self.name))?;
        }
        Ok(Round::Quiet)
    }

    fn note_event(&mut self, event: &Event) -> Checked<()> {
        match event {
            Event::PeerReady { peer, .. } => self.sessions.push(*peer),
            Event::PeerClosed { peer, .. } => self.sessions.retain(|other| other != peer),
            _ => {}
        }
        self.idle_events += 1;
        if self.idle_events > IDLE_EVENTS_MAX {
            return Err(format!("{}: endless events, now {event:?}", self.name));
        }
        Ok(())
    }

    /// Polls and ticks that have no cause must have no effect.
    fn spurious(&mut self, shown: Instant, buffer: &mut [u8]) -> Checked<()> {
        let Some(Process { endpoint, .. }) = &mut self.process else {
            return Ok(());
        };
        let before = endpoint.poll_timeout();
        if before.is_none_or(|(at, _)| at > shown) {
            endpoint.handle_timeout(shown);
        }
        let transmit = endpoint.poll_transmit(shown, self.segments_max, buffer);
        let op = endpoint.poll_file_op();
        let event = endpoint.poll_event();
        let after = endpoint.poll_timeout();
        if transmit.is_some() || op.is_some() || event.is_some() || before != after {
            return Err(format!(
                "{}: spurious calls changed something: {transmit:?} {op:?} {event:?}, deadline {before:?} → {after:?}",
                self.name
            ));
        }
        Ok(())
    }
}

fn check_batch(transmit: &Transmit, segments_max: NonZeroUsize, room: usize) -> Checked<()> {
    let count = transmit.len.div_ceil(transmit.segment_size.max(1));
    let good = (1..=room).contains(&transmit.len)
        && transmit.segment_size > 0
        && count <= segments_max.get();
    if good {
        Ok(())
    } else {
        Err(format!("{transmit:?} is no batch"))
    }
}

fn send(
    name: &str,
    source: SocketAddr,
    now: Instant,
    transmit: Transmit,
    buffer: &[u8],
    network: &mut Network,
    record: &mut Record,
) {
    let Transmit {
        destination,
        len,
        segment_size,
        ecn,
        ..
    } = transmit;
    record.trace.line(|| {
        let count = len.div_ceil(segment_size);
        format!("{name}: sends {count} datagrams, {len} bytes, to {destination}")
    });
    for payload in buffer[..len].chunks(segment_size) {
        record.digest.number(now.as_nanos());
        record.digest.bytes(payload);
        let mut copy = network.buffer();
        copy.extend_from_slice(payload);
        let datagram = Datagram {
            source,
            destination,
            ecn,
            payload: copy,
        };
        network.send(now, datagram);
    }
}
