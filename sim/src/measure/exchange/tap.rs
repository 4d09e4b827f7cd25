//! Sees packets before they are sealed, and datagrams where they leave and where they arrive.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto_core::Instant;
use proto_core::crypto::{CryptoError, Level, Provider, Session, TAG_LEN};
use proto_core::wire::{ConnectionId, PartialHeader};

use super::label::Packet;
use crate::layer::{Layer, Layered};
use crate::net::{Fate, Node};
use crate::plot::Side;

/// A datagram's way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    pub(super) from: Side,
    pub(super) sent: Instant,
    pub(super) arrived: Option<Instant>,
    pub(super) packets: Vec<Packet>,
}

type Shared<T> = Arc<Mutex<T>>;

/// Packets that were sealed and have not left.
pub(super) type Sealed = Shared<VecDeque<Packet>>;

/// All that was seen.
#[derive(Clone, Default, Debug)]
pub(super) struct Recorder {
    sealed: [Sealed; 2],
    seen: Shared<Vec<Seen>>,
    /// Where in `seen` a datagram of these bytes is. No two are the same: each has a packet number of its own.
    by_payload: Shared<BTreeMap<Vec<u8>, usize>>,
}

/// The data are good even if another thread panicked: it was none of ours.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    /// Where the packets go that `side` seals.
    pub(super) fn sealed_by(&self, side: Side) -> Sealed {
        self.sealed[side as usize].clone()
    }

    /// The node at the beginning of the way from `side`.
    pub(super) fn departures(&self, side: Side) -> Departures {
        Departures {
            side,
            recorder: self.clone(),
        }
    }

    /// The node at the end of a way.
    pub(super) fn arrivals(&self) -> Arrivals {
        Arrivals(self.clone())
    }

    /// Every datagram, in the order of departure.
    pub(super) fn datagrams(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }
}

/// Puts together what a datagram holds when it leaves.
#[derive(Debug)]
pub(super) struct Departures {
    side: Side,
    recorder: Recorder,
}

impl Node for Departures {
    fn pass(&mut self, now: Instant, payload: &mut Vec<u8>) -> Fate {
        let count = packet_count(payload);
        let mut sealed = lock(&self.recorder.sealed[self.side as usize]);
        let count = count.min(sealed.len());
        let packets = sealed.drain(..count).collect();
        let mut seen = lock(&self.recorder.seen);
        lock(&self.recorder.by_payload).insert(payload.clone(), seen.len());
        seen.push(Seen {
            from: self.side,
            sent: now,
            arrived: None,
            packets,
        });
        Fate::At(now)
    }
}

/// Notes when a datagram arrives.
#[derive(Debug)]
pub(super) struct Arrivals(Recorder);

impl Node for Arrivals {
    fn pass(&mut self, now: Instant, payload: &mut Vec<u8>) -> Fate {
        let index = lock(&self.0.by_payload).get(payload).copied();
        if let Some(index) = index {
            lock(&self.0.seen)[index].arrived = Some(now);
        }
        Fate::At(now)
    }
}

fn packet_count(datagram: &[u8]) -> usize {
    let mut rest = datagram;
    let mut count = 0;
    while let Ok(header) = PartialHeader::decode(rest) {
        count += 1;
        match rest.get(header.end..) {
            Some(after) if !after.is_empty() && header.end > 0 => rest = after,
            _ => break,
        }
    }
    count
}

/// A provider whose sessions show what they seal.
#[derive(Debug)]
pub(super) struct TappedProvider<P> {
    inner: P,
    sealed: Sealed,
}

impl<P> TappedProvider<P> {
    pub(super) fn new(inner: P, sealed: Sealed) -> Self {
        Self { inner, sealed }
    }

    fn tap(&self, inner: Box<dyn Session>) -> Box<dyn Session> {
        let sealed = self.sealed.clone();
        Box::new(Layered(TappedSession { inner, sealed }))
    }
}

impl<P: Provider + fmt::Debug> Provider for TappedProvider<P> {
    fn client(
        &self,
        original: ConnectionId,
        params: &[u8],
    ) -> Result<Box<dyn Session>, CryptoError> {
        let session = self.inner.client(original, params)?;
        Ok(self.tap(session))
    }

    fn server(
        &self,
        original: ConnectionId,
        params: &[u8],
    ) -> Result<Box<dyn Session>, CryptoError> {
        let session = self.inner.server(original, params)?;
        Ok(self.tap(session))
    }
}

struct TappedSession {
    inner: Box<dyn Session>,
    sealed: Sealed,
}

impl Layer for TappedSession {
    fn inner(&self) -> &dyn Session {
        &*self.inner
    }

    fn inner_mut(&mut self) -> &mut dyn Session {
        &mut *self.inner
    }

    fn seal(
        &mut self,
        level: Level,
        number: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<(), CryptoError> {
        let plaintext = payload.len().saturating_sub(TAG_LEN);
        let packet = Packet::new(level, &payload[..plaintext]);
        self.inner.seal(level, number, header, payload)?;
        lock(&self.sealed).push_back(packet);
        Ok(())
    }
}
