//! A peer with a valid key that lies.
//!
//! [`Hostile`] wraps the [`Provider`] of an honest endpoint and rewrites what its packets say just before they are
//! sealed. So a hostile client or server gets through the handshake with a key of its own, keeps all the state that a
//! peer has, and lies frame by frame; wrapped around an honest party's provider, it is an attacker on the path who
//! has stolen that party's keys. A packet keeps its length: what a lie takes is taken from other frames or from padding,
//! so that endpoints with full packets to send (sources) have room for more.

mod ack;
mod frames;
mod invent;
mod lie;
mod memory;
mod plan;
mod requests;
mod rewrite;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto_core::crypto::{CryptoError, Epoch, Level, Provider, Session, TAG_LEN};
use proto_core::wire::ConnectionId;

use crate::layer::{Layer, Layered};
use crate::rng::Rng;
pub use lie::Lie;
pub use plan::{HostilePlan, Quiet, Silence};
use rewrite::Liar;

/// What a hostile provider's sessions have said so far.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Told {
    /// How often each lie was in a packet that was sealed.
    pub lies: BTreeMap<Lie, u64>,
    /// Packets sealed.
    pub packets: u64,
    /// Those of them that were not what the endpoint wrote.
    pub rewritten: u64,
    /// Packets sealed in silence.
    pub quiet: u64,
    /// Size and root of every SEAL that was sent, true or not: no file of another hash may come of this peer's bytes.
    pub sealed: BTreeSet<(u64, [u8; 32])>,
}

/// Makes sessions that lie by a plan.
#[derive(Debug)]
pub struct Hostile {
    inner: Arc<dyn Provider>,
    plan: HostilePlan,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// Each session forks a stream of its own.
    rng: Rng,
    told: Told,
}

impl Hostile {
    /// A provider whose sessions are those of `inner`, but for lies. The same seed, sessions and packets give the same
    /// lies.
    #[must_use]
    pub fn new(inner: Arc<dyn Provider>, plan: HostilePlan, seed: u64) -> Arc<Self> {
        let state = State {
            rng: Rng::new(seed, 0x6c69_6172),
            told: Told::default(),
        };
        Arc::new(Self {
            inner,
            plan,
            state: Arc::new(Mutex::new(state)),
        })
    }

    /// What was said so far.
    #[must_use]
    pub fn told(&self) -> Told {
        lock(&self.state).told.clone()
    }

    fn wrap(
        &self,
        params: &[u8],
        open: impl FnOnce(&[u8]) -> Result<Box<dyn Session>, CryptoError>,
    ) -> Result<Box<dyn Session>, CryptoError> {
        let mut state = lock(&self.state);
        let mut rng = state.rng.fork();
        let rate = self.plan.lies.get(&Lie::Params).copied().unwrap_or(0);
        let inner = if rng.chance(rate) {
            *state.told.lies.entry(Lie::Params).or_default() += 1;
            open(&invent::params(&mut rng, params))?
        } else {
            open(params)?
        };
        Ok(Box::new(Layered(HostileSession {
            inner,
            liar: Liar::new(self.plan.clone(), rng),
            state: self.state.clone(),
        })))
    }
}

/// A panic elsewhere leaves counters as they are.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Provider for Hostile {
    fn client(
        &self,
        original: ConnectionId,
        params: &[u8],
    ) -> Result<Box<dyn Session>, CryptoError> {
        self.wrap(params, |params| self.inner.client(original, params))
    }

    fn server(
        &self,
        original: ConnectionId,
        params: &[u8],
    ) -> Result<Box<dyn Session>, CryptoError> {
        self.wrap(params, |params| self.inner.server(original, params))
    }
}

struct HostileSession {
    inner: Box<dyn Session>,
    liar: Liar,
    state: Arc<Mutex<State>>,
}

impl Layer for HostileSession {
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
        let end = payload.len().checked_sub(TAG_LEN);
        let text = &mut payload[..end.ok_or(CryptoError::Open)?];
        let mute = self.liar.rewrite(level, text, &mut lock(&self.state).told);
        self.inner.seal(level, number, header, payload)?;
        if mute && let Some(last) = payload.last_mut() {
            *last ^= 1;
        }
        Ok(())
    }

    fn open(
        &mut self,
        level: Level,
        epoch: Epoch,
        number: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.inner.open(level, epoch, number, header, payload)?;
        let end = payload.len().saturating_sub(TAG_LEN);
        self.liar.hear(level, &payload[..end]);
        Ok(())
    }
}
