//! What a session's packet keys see, watched from outside of the core.
//!
//! [`Watched`] stands between an endpoint and any [`Provider`] and looks at every packet that is sealed and opened:
//!
//! - numbers of sealed packets rise, over key updates too, so that no key seals one number twice (invariant 5, R1);
//! - a key seals 2^23 packets at most (R3);
//! - ACK frames in sealed packets cover only numbers that were opened (invariant 14);
//! - a number is opened once (invariant 6), see [`Watch::check`];
//! - a datagram of which nothing could be opened changes nothing (invariants 7 and 10), see [`Watch::snapshot`].
//!
//! What is remembered is small and kept with each session, without locks; sums and the first violation are shared.

mod numbers;
mod session;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use proto_core::crypto::{CryptoError, Provider, Session};
use proto_core::wire::ConnectionId;
use proto_core::{DropReason, Endpoint, Instant};

use crate::digest::Digest;
use crate::layer::Layered;
use session::WatchedSession;

/// A provider whose sessions are watched.
#[derive(Debug)]
pub struct Watched<P> {
    provider: P,
    watch: Arc<Watch>,
}

impl<P: Provider> Watched<P> {
    /// Watches all sessions that `provider` makes from now on. One [`Watch`] belongs to one endpoint.
    #[must_use]
    pub fn new(provider: P, watch: Arc<Watch>) -> Self {
        Self { provider, watch }
    }

    fn watched(&self, session: Box<dyn Session>) -> Box<dyn Session> {
        Box::new(Layered(WatchedSession::new(
            session,
            Arc::clone(&self.watch),
        )))
    }
}

impl<P: Provider> Provider for Watched<P> {
    fn client(
        &self,
        original: ConnectionId,
        params: &[u8],
    ) -> Result<Box<dyn Session>, CryptoError> {
        let session = self.provider.client(original, params)?;
        Ok(self.watched(session))
    }

    fn server(
        &self,
        original: ConnectionId,
        params: &[u8],
    ) -> Result<Box<dyn Session>, CryptoError> {
        let session = self.provider.server(original, params)?;
        Ok(self.watched(session))
    }
}

/// What was seen of all sessions of one endpoint.
#[derive(Debug, Default)]
pub struct Watch {
    sealed: AtomicU64,
    opened: AtomicU64,
    reopened: AtomicU64,
    failed: AtomicU64,
    key_updates: AtomicU64,
    violation: Mutex<Option<String>>,
}

/// An endpoint before a datagram: what must not change when nothing of it can be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Snapshot {
    opened: u64,
    fingerprint: u64,
}

impl Watch {
    /// Packets sealed.
    #[must_use]
    pub fn sealed(&self) -> u64 {
        self.sealed.load(Ordering::Relaxed)
    }

    /// Packets opened.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Packets opened under a number that was opened before.
    #[must_use]
    pub fn reopened(&self) -> u64 {
        self.reopened.load(Ordering::Relaxed)
    }

    /// Packets that could not be opened.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Updates of packet keys.
    #[must_use]
    pub fn key_updates(&self) -> u64 {
        self.key_updates.load(Ordering::Relaxed)
    }

    /// Checks what the sessions of `endpoint` did since the beginning.
    ///
    /// A number may be opened once more only after its packet was dropped for want of room (M3), which the endpoint
    /// counts. The core looks for duplicates before it opens a packet, so an honest endpoint reopens no other.
    ///
    /// # Errors
    /// The first rule that was broken, in words.
    pub fn check(&self, endpoint: &Endpoint) -> Result<(), String> {
        let violation = self.violation.lock();
        let violation = violation.unwrap_or_else(PoisonError::into_inner);
        if let Some(what) = &*violation {
            return Err(what.clone());
        }
        let dropped = endpoint.drops()[DropReason::NoRoom as usize];
        if self.reopened() > dropped {
            return Err(format!(
                "{} packets were opened again, {dropped} were dropped for want of room",
                self.reopened()
            ));
        }
        Ok(())
    }

    /// Notes the state of `endpoint` just before a datagram is handed to it at `now`; `None` while a deadline is due,
    /// since any input then lets time do its work.
    #[must_use]
    pub fn snapshot(&self, endpoint: &Endpoint, now: Instant) -> Option<Snapshot> {
        let is_due = endpoint.poll_timeout().is_some_and(|(at, _)| at <= now);
        (!is_due).then(|| Snapshot {
            opened: self.opened(),
            fingerprint: fingerprint(endpoint),
        })
    }

    /// Compares with the state just after `handle_datagram`, before any poll, at the same time. When a packet of the
    /// datagram was opened, there is nothing to compare.
    ///
    /// # Errors
    /// When nothing was opened and the state has changed all the same.
    pub fn unchanged(&self, endpoint: &Endpoint, before: Option<Snapshot>) -> Result<(), String> {
        let Some(before) = before else {
            return Ok(());
        };
        if self.opened() == before.opened && fingerprint(endpoint) != before.fingerprint {
            return Err("a datagram of which nothing could be opened changed the state".into());
        }
        Ok(())
    }

    fn report(&self, what: impl FnOnce() -> String) {
        let mut violation = self
            .violation
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        violation.get_or_insert_with(what);
    }
}

/// A checksum of what an undecryptable datagram must leave as it is: the number of sessions, the figures of those that are
/// established but for what came in, and, when all are established, the next deadline.
///
/// Left out is what such a datagram may change: it gives an unproven address more to be sent to (and so may arm a probe),
/// and has a closing session say CLOSE again.
#[must_use]
pub fn fingerprint(endpoint: &Endpoint) -> u64 {
    let mut digest = Digest::default();
    digest.number(endpoint.sessions() as u64);
    let mut all_established = true;
    for peer in endpoint.peers() {
        let Some(stats) = endpoint.stats(peer) else {
            continue;
        };
        all_established &= stats.established;
        if stats.established {
            let figures = [
                stats.rtt.as_nanos() as u64,
                stats.min_rtt.as_nanos() as u64,
                stats.congestion_window,
                stats.in_flight,
                stats.packets_sent,
                stats.packets_lost,
                stats.spurious_losses,
                stats.packets_received,
                stats.packets_acknowledged,
                stats.bytes_sent,
                stats.bytes_acknowledged,
                stats.pacing_rate,
                stats.congestion_events,
                stats.probe_timeouts,
                stats.probes_sent,
            ];
            figures.into_iter().for_each(|figure| digest.number(figure));
        }
    }
    if all_established && let Some((at, reason)) = endpoint.poll_timeout() {
        digest.number(at.as_nanos());
        digest.number(reason as u64);
    }
    digest.value()
}
