use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use polling::Events;
use proto_core::{Duration, Instant};

use super::clients::Clients;
use super::socket::Socket;
use super::{DirectionStats, ProxyConfig, ProxyStats, Shared};
use crate::net::{Datagram, Network, NodeId};
use crate::rng::Rng;

/// The poller's key of the socket that clients send to.
const LISTEN_KEY: usize = 0;

/// Datagrams that are taken from one socket before the others get their turn.
const TURN: usize = 64;

/// The largest UDP payload.
const PAYLOAD_MAX: usize = 65_535;

/// How often idle clients are looked for, and the longest sleep. More often when they are to be forgotten sooner.
const SWEEP: Duration = Duration::from_secs(1);

/// The most often that idle clients are looked for.
const SWEEP_MIN: Duration = Duration::from_millis(1);

/// The proxy's thread: moves datagrams between the sockets and the network.
#[derive(Debug)]
pub(super) struct Worker {
    shared: Arc<Shared>,
    config: ProxyConfig,
    socket: Socket,
    clients: Clients,
    network: Network,
    up: Vec<NodeId>,
    down: Vec<NodeId>,
    began: std::time::Instant,
    sweep_at: Instant,
    stats: ProxyStats,
    buffer: Vec<u8>,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, config: ProxyConfig) -> io::Result<Self> {
        let mut rng = Rng::new(config.seed, 0x9047);
        let mut network = Network::default();
        Ok(Self {
            socket: Socket::bind(config.listen, LISTEN_KEY, &shared)?,
            clients: Clients::new(config.to, config.clients_max, Arc::clone(&shared)),
            up: config.link.up.build(&mut network, &mut rng.fork()),
            down: config.link.down.build(&mut network, &mut rng.fork()),
            network,
            shared,
            config,
            began: std::time::Instant::now(),
            sweep_at: Instant::ZERO,
            stats: ProxyStats::default(),
            buffer: vec![0; PAYLOAD_MAX],
        })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io().local_addr()
    }

    /// Works until it is told to stop, or until the poller fails.
    pub(super) fn run(&mut self) {
        let mut events = Events::new();
        while !self.shared.stop.load(Ordering::SeqCst) {
            events.clear();
            match self.shared.poller.wait(&mut events, Some(self.sleep())) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => break,
                _ => {}
            }
            let rebinds = self.shared.rebinds.load(Ordering::SeqCst);
            if rebinds != self.stats.rebinds {
                self.stats.rebinds = rebinds;
                self.clients.rebind();
            }
            for event in events.iter() {
                match event.key {
                    LISTEN_KEY => self.read_clients(),
                    key => self.read_server(key),
                }
            }
            self.deliver();
            self.sweep();
            self.publish();
        }
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.began.elapsed()
    }

    fn sleep(&self) -> Duration {
        let next = self.network.next_time().unwrap_or(self.sweep_at);
        next.min(self.sweep_at).since(self.now())
    }

    fn read_clients(&mut self) {
        for _ in 0..TURN {
            match self.socket.io().recv_from(&mut self.buffer) {
                Ok((len, source)) => self.up(source, len),
                Err(error) if is_passing(&error) => {}
                Err(_) => break,
            }
        }
        if self.socket.rearm().is_err() {
            self.give_up();
        }
    }

    /// The system does not tell of a socket any more: there is no way to go on.
    fn give_up(&self) {
        self.shared.stop.store(true, Ordering::SeqCst);
    }

    /// A client's datagram is in the buffer.
    fn up(&mut self, source: SocketAddr, len: usize) {
        let now = self.now();
        self.stats.up.received += 1;
        self.stats.up.received_bytes += len as u64;
        match self.clients.by_address(source) {
            Some(client) => client.used = now,
            None => {
                if !self.welcome(source, now) {
                    self.stats.refused += 1;
                    return;
                }
            }
        }
        self.send(now, source, self.config.to, len);
    }

    /// Takes a new client in.
    fn welcome(&mut self, source: SocketAddr, now: Instant) -> bool {
        let to = self.config.to;
        if source == to || !self.clients.insert(source, now) {
            return false;
        }
        self.network.connect(source, to, self.up.clone());
        self.network.connect(to, source, self.down.clone());
        self.stats.clients_seen += 1;
        true
    }

    fn read_server(&mut self, key: usize) {
        for _ in 0..TURN {
            let Some(client) = self.clients.by_key(key) else {
                return;
            };
            match client.socket.io().recv(&mut self.buffer) {
                Ok(len) => {
                    let destination = client.address;
                    let now = self.now();
                    self.stats.down.received += 1;
                    self.stats.down.received_bytes += len as u64;
                    self.send(now, self.config.to, destination, len);
                }
                Err(error) if is_passing(&error) => {}
                Err(_) => break,
            }
        }
        if let Some(client) = self.clients.by_key(key)
            && client.socket.rearm().is_err()
        {
            self.give_up();
        }
    }

    /// Puts what is in the buffer on the link.
    fn send(&mut self, now: Instant, source: SocketAddr, destination: SocketAddr, len: usize) {
        let mut payload = self.network.buffer();
        payload.extend_from_slice(&self.buffer[..len]);
        let datagram = Datagram {
            source,
            destination,
            ecn: proto_core::Ecn::NotEct,
            payload,
        };
        self.network.send(now, datagram);
    }

    /// Sends what has come through the link.
    fn deliver(&mut self) {
        let now = self.now();
        while let Some(datagram) = self.network.deliver(now) {
            let len = datagram.payload.len();
            if datagram.destination == self.config.to {
                let client = self.clients.by_address(datagram.source);
                let sent = client
                    .is_some_and(|client| is_sent(|| client.socket.io().send(&datagram.payload)));
                self.stats.up.count_sent(sent, len);
            } else {
                let client = self.clients.by_address(datagram.destination);
                let sent = client.is_some_and(|client| {
                    client.used = now;
                    let io = self.socket.io();
                    is_sent(|| io.send_to(&datagram.payload, client.address))
                });
                self.stats.down.count_sent(sent, len);
            }
            self.network.recycle(datagram.payload);
        }
    }

    fn sweep(&mut self) {
        let now = self.now();
        if now < self.sweep_at {
            return;
        }
        self.sweep_at = now + self.config.idle.clamp(SWEEP_MIN, SWEEP);
        for client in self.clients.forget_idle(now, self.config.idle) {
            self.network.disconnect(client, self.config.to);
            self.network.disconnect(self.config.to, client);
        }
    }

    fn publish(&mut self) {
        self.stats.clients = self.clients.len() as u64;
        for (direction, nodes) in [
            (&mut self.stats.up, &self.up),
            (&mut self.stats.down, &self.down),
        ] {
            let stats = || nodes.iter().map(|&node| self.network.node_stats(node));
            direction.lost = stats().map(|node| node.lost).sum();
            direction.copied = stats().map(|node| node.copied).sum();
        }
        let stats = self.shared.stats.lock();
        *stats.unwrap_or_else(PoisonError::into_inner) = self.stats;
    }
}

impl DirectionStats {
    fn count_sent(&mut self, sent: bool, len: usize) {
        if sent {
            self.sent += 1;
            self.sent_bytes += len as u64;
        } else {
            self.unsent += 1;
        }
    }
}

/// Whether a datagram was sent. What an earlier one met, as an ICMP message says it, is told at the next call: that call
/// is made again.
fn is_sent(mut send: impl FnMut() -> io::Result<usize>) -> bool {
    match send() {
        Err(error) if is_passing(&error) => send().is_ok(),
        result => result.is_ok(),
    }
}

/// Whether the error says something of an earlier datagram, and nothing of the socket.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::Interrupted
    )
}
