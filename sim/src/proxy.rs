//! A proxy between real UDP sockets that treats datagrams as a simulated link does. It needs no privileges, unlike
//! `tc netem`, and runs on every system.
//!
//! Clients send to the proxy's address; for each it keeps a socket from which it speaks to the server. All clients share
//! the link, its wire and its queue. Time is that of the system: a datagram is never sent on too early, but as late as
//! the system's timer and scheduler wake the proxy: some 50 us to 1 ms on an idle Linux machine, up to 16 ms on Windows.
//! Rates hold over longer times nevertheless, since what is late does not delay what comes after. What the kernel drops
//! because the proxy is not run in time is lost too; use the simulator where numbers must be exact. ECN marks are not
//! carried over, and a batch of segments (GSO) goes on as single datagrams.

mod clients;
mod socket;
mod stats;
#[cfg(test)]
mod tests;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use polling::Poller;
use proto_core::Duration;

pub use stats::{DirectionStats, ProxyStats};

use crate::link::Link;
use worker::Worker;

/// What a [`Proxy`] does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProxyConfig {
    /// Where clients send to; port 0 is any free one.
    pub listen: SocketAddr,
    /// The server.
    pub to: SocketAddr,
    /// What happens in between: `up` is from clients to the server.
    pub link: Link,
    /// What chance decides follows from this number and the datagrams.
    pub seed: u64,
    /// Clients at once; datagrams of further ones are lost.
    pub clients_max: usize,
    /// A client that neither sent nor got anything for this time is forgotten.
    pub idle: Duration,
}

impl ProxyConfig {
    /// A proxy with a link that does nothing, for 1,024 clients, each forgotten after 60 s.
    #[must_use]
    pub fn new(listen: SocketAddr, to: SocketAddr) -> Self {
        Self {
            listen,
            to,
            link: Link::default(),
            seed: 0,
            clients_max: 1_024,
            idle: Duration::from_secs(60),
        }
    }
}

/// What the proxy and its thread share.
#[derive(Debug)]
struct Shared {
    poller: Poller,
    stop: AtomicBool,
    /// How often the sockets to the server were to be replaced.
    rebinds: AtomicU64,
    stats: Mutex<ProxyStats>,
}

/// A running proxy. It ends when it is dropped; what is under way then is lost.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    local: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Binds the socket and starts the proxy's thread.
    ///
    /// # Errors
    /// The link is none ([`Link::check`], as `InvalidInput`), the address cannot be bound, or the system gives no poller
    /// or thread.
    pub fn start(config: ProxyConfig) -> io::Result<Self> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        config.link.check().map_err(invalid)?;
        let shared = Arc::new(Shared {
            poller: Poller::new()?,
            stop: AtomicBool::new(false),
            rebinds: AtomicU64::new(0),
            stats: Mutex::default(),
        });
        let mut worker = Worker::new(Arc::clone(&shared), config)?;
        let local = worker.local_addr()?;
        let thread = std::thread::Builder::new()
            .name("proxy".to_owned())
            .spawn(move || worker.run())?;
        Ok(Self {
            shared,
            local,
            thread: Some(thread),
        })
    }

    /// Where clients send to.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> ProxyStats {
        let stats = self.shared.stats.lock();
        *stats.unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives every client another port at the server's side, as a NAT does that forgot its bindings. What the server
    /// sends to the old ports from then on is lost. It is done soon, when [`ProxyStats::rebinds`] says so.
    pub fn rebind(&self) {
        self.shared.rebinds.fetch_add(1, Ordering::SeqCst);
        self.wake();
    }

    /// Whether the thread still runs. It ends by itself only when the system fails to tell of sockets.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }

    fn wake(&self) {
        // The thread looks at least once a second without it.
        let _ = self.shared.poller.notify();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already reported on standard error.
            let _ = thread.join();
        }
    }
}
