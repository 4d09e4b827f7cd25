//! What a driver does in each round.

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use aws_lc_rs::rand;
use proto_core::{Endpoint, FileDone, FileOp, Instant, Transmit};

use super::clock::Clock;
use super::group::{Group, Strayed};
use super::inbox::Inbox;
use super::socket::{BATCH_MAX, Sent, Socket};
use super::{Application, Handle, Parts, Wake};
use crate::executor::Executor;
use crate::faults::Damage;

/// Batches sent before the disk and the application get their turn.
const BATCHES_MAX: usize = 16;

/// How long a driver waits for the disk once its application is over.
const LINGER: Duration = Duration::from_secs(5);

/// An endpoint, its socket, its disk threads and its application: everything of a driver but the waiting.
pub struct Engine<A: Application> {
    endpoint: Endpoint,
    socket: Socket,
    executor: Executor,
    application: A,
    /// The other drivers on this port, what they pass on to this one, and what of that is in work.
    group: Option<(Arc<Group>, Arc<Inbox<Strayed>>)>,
    strayed: Vec<Strayed>,
    wake: Wake,
    commands: mpsc::Receiver<A::Command>,
    completions: Arc<Inbox<FileDone>>,
    /// Completions in work, and operations on their way to the executor.
    done: Vec<FileDone>,
    operations: Vec<FileOp>,
    clock: Clock,
    /// The batch in work; while `kept` says so, the socket has refused it.
    batch: Vec<u8>,
    kept: Option<Transmit>,
    damage: Option<Damage>,
    /// File operations that have not come home.
    out: usize,
    over_since: Option<Instant>,
    /// The last round left datagrams on either side: the socket is read without asking whether it can be, because a try
    /// is cheaper than the question.
    busy: bool,
}

/// What a driver shall do after a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Come back at once.
    Again,
    /// Wait.
    Wait {
        /// At most this long; `None` is for ever.
        timeout: Option<Duration>,
        /// Come back also when the socket can be written.
        writable: bool,
    },
    /// It is over.
    Over,
}

impl<A: Application> Engine<A> {
    /// An engine whose helpers call `wake` when there is something to do.
    ///
    /// # Errors
    /// The operating system gives no threads or no randomness.
    pub fn new(parts: Parts, application: A, wake: Wake) -> io::Result<(Self, Handle<A::Command>)> {
        let (commands, command_receiver) = mpsc::channel();
        let completions = Arc::new(Inbox::new(wake.clone()));
        let inbox = completions.clone();
        let executor = Executor::start(parts.disk_threads, parts.roots, move |results| {
            inbox.leave(results);
        })?;
        let mut seed = [0; 32];
        rand::fill(&mut seed).map_err(|_| io::Error::other("the system gives no random bytes"))?;
        let mut config = parts.config;
        config.receive_buffer = parts.socket.receive_buffer();
        let engine = Self {
            endpoint: Endpoint::new(Arc::new(config), seed, Instant::ZERO),
            socket: parts.socket,
            executor,
            application,
            group: None,
            strayed: Vec::new(),
            wake: wake.clone(),
            commands: command_receiver,
            completions,
            done: Vec::new(),
            operations: Vec::new(),
            clock: Clock::start(),
            batch: vec![0; BATCH_MAX],
            kept: None,
            damage: parts.faults.map(Damage::new),
            out: 0,
            over_since: None,
            busy: true,
        };
        Ok((engine, Handle { commands, wake }))
    }

    /// Makes this engine, whose configuration has a [`Shard`](proto_core::Shard), a member of a group on one port.
    pub fn join(&mut self, group: &Arc<Group>) {
        if let Some(shard) = self.endpoint.shard()
            && let Some(inbox) = group.enter(shard, self.wake.clone())
            && group.has_others()
        {
            self.group = Some((group.clone(), inbox));
        }
    }

    /// The socket, to wait for.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Nanoseconds since the engine was made.
    fn now(&self) -> Instant {
        self.clock.now()
    }

    /// One round: takes in what has come, then sends at most 16 batches, then hands out all file operations and all
    /// events, so that neither a fast sender nor a fast receiver starves the disk. `readable` is what the operating
    /// system says of the socket.
    ///
    /// # Errors
    /// The socket is gone for good.
    pub fn round(&mut self, readable: bool) -> io::Result<Next> {
        let now = self.now();
        let more = self.take_in(now, readable)?;
        self.tick(now);
        let mut again = self.send(now) | more;
        self.busy = again;
        while let Some(operation) = self.endpoint.poll_file_op() {
            self.out += 1;
            self.operations.push(operation);
        }
        self.executor.submit(&mut self.operations);
        while let Some(event) = self.endpoint.poll_event() {
            self.application.event(now, &mut self.endpoint, event);
            again = true;
        }
        if self.application.is_over() && self.is_idle(now, again) {
            return Ok(Next::Over);
        }
        // What came home in the meantime is taken in before anybody sleeps.
        let group = self.group.as_ref();
        if again
            || !self.completions.may_sleep()
            || !group.is_none_or(|(_, inbox)| inbox.may_sleep())
        {
            return Ok(Next::Again);
        }
        Ok(Next::Wait {
            timeout: self.timeout(),
            writable: self.kept.is_some(),
        })
    }

    /// Datagrams, completions and commands. Whether more datagrams wait.
    fn take_in(&mut self, now: Instant, readable: bool) -> io::Result<bool> {
        let mut more = false;
        if readable || self.busy || self.socket.holds_datagrams() {
            let endpoint = &mut self.endpoint;
            let mut count = 0;
            let group = self.group.as_ref().map(|(group, _)| &**group);
            more = self.socket.receive(|meta, train, size| {
                count += 1;
                let strays = |datagram: &[u8]| endpoint.shard_of(datagram).is_some();
                let Some(group) = group.filter(|_| train.chunks(size.max(1)).any(strays)) else {
                    return endpoint.handle_datagrams(now, meta, train, size);
                };
                for datagram in train.chunks_mut(size.max(1)) {
                    let other = endpoint.shard_of(datagram);
                    if !other.is_some_and(|other| group.pass_on(other, meta, datagram)) {
                        endpoint.handle_datagram(now, meta, datagram);
                    }
                }
            })?;
            // What makes a socket readable without a datagram is an error.
            while readable
                && count == 0
                && let Some(host) = self.socket.take_refusal()
            {
                self.application.refused(now, &mut self.endpoint, host);
            }
        }
        if let Some((_, inbox)) = &self.group {
            inbox.take(&mut self.strayed);
            for (meta, mut datagram) in self.strayed.drain(..) {
                self.endpoint.handle_datagram(now, meta, &mut datagram);
            }
        }
        self.completions.take(&mut self.done);
        for done in self.done.drain(..) {
            self.out -= 1;
            self.endpoint.handle_file_done(now, done);
        }
        while let Ok(command) = self.commands.try_recv() {
            self.application.command(now, &mut self.endpoint, command);
        }
        Ok(more)
    }

    fn tick(&mut self, now: Instant) {
        if self
            .endpoint
            .poll_timeout()
            .is_some_and(|(at, _)| at <= now)
        {
            self.endpoint.handle_timeout(now);
        }
        if self.application.deadline().is_some_and(|at| at <= now) {
            self.application.timeout(now, &mut self.endpoint);
        }
    }

    /// Sends what the socket refused, then new batches. Whether there may be more to send at once.
    fn send(&mut self, now: Instant) -> bool {
        if let Some(damage) = &mut self.damage {
            damage.release(now, &self.socket);
        }
        if let Some(kept) = self.kept.take()
            && !self.send_batch(now, kept)
        {
            return false;
        }
        let segments = NonZeroUsize::new(self.socket.segments_max()).unwrap_or(NonZeroUsize::MIN);
        for _ in 0..BATCHES_MAX {
            match self.endpoint.poll_transmit(now, segments, &mut self.batch) {
                None => return false,
                Some(transmit) if self.send_batch(now, transmit) => {}
                Some(_) => return false,
            }
        }
        true
    }

    /// Whether the socket took the batch; otherwise it is kept.
    fn send_batch(&mut self, now: Instant, transmit: Transmit) -> bool {
        let bytes = &self.batch[..transmit.len];
        if let Some(damage) = &mut self.damage {
            damage.send(now, &self.socket, &transmit, bytes);
            return true;
        }
        let sent = self.socket.send(&transmit, bytes);
        if sent == Sent::Refused {
            self.kept = Some(transmit);
        }
        sent == Sent::Taken
    }

    fn timeout(&self) -> Option<Duration> {
        let endpoint = self.endpoint.poll_timeout().map(|(at, _)| at);
        let damage = self.damage.as_ref().and_then(Damage::deadline);
        let linger = self.over_since.map(|since| since + LINGER);
        let next = [endpoint, damage, linger, self.application.deadline()]
            .into_iter()
            .flatten()
            .min()?;
        Some(next.since(self.now()))
    }

    /// Whether nothing is left to do for an application that is over.
    fn is_idle(&mut self, now: Instant, again: bool) -> bool {
        let since = *self.over_since.get_or_insert(now);
        let held = self
            .damage
            .as_ref()
            .is_some_and(|damage| damage.deadline().is_some());
        let busy = again || self.out > 0 || self.kept.is_some() || held;
        !busy || now.since(since) >= LINGER
    }
}
