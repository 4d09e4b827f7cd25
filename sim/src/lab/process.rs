use std::sync::Arc;

use proto_core::{Config, DatagramMeta, Endpoint, Instant};

use super::Checked;
use crate::rng::Rng;
use crate::watch::{Watch, Watched};

/// With so many sessions or fewer, all state is audited after every step; with more, as often as costs the same.
const AUDITED_SESSIONS: u64 = 2;
/// One in so many datagrams is checked to change nothing if it cannot be opened.
const SNAPSHOT_ONE_IN: u64 = 8;

/// Bytes that stateless resets have.
const RESET_LEN: std::ops::RangeInclusive<usize> = 21..=43;

/// A process on a host: an endpoint and the watch over its packet keys. It ends with the host.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) endpoint: Endpoint,
    watch: Arc<Watch>,
    /// Others may open sessions with it.
    accepts: bool,
}

impl Process {
    pub(super) fn start(config: &Config, seed: [u8; 32], shown: Instant) -> Self {
        let watch = Arc::new(Watch::default());
        let provider = Watched::new(Arc::clone(&config.provider), Arc::clone(&watch));
        let config = Config {
            provider: Arc::new(provider),
            ..config.clone()
        };
        Self {
            accepts: config.accept,
            endpoint: Endpoint::new(Arc::new(config), seed, shown),
            watch,
        }
    }

    /// Hands a datagram over. One of which nothing can be opened must not change anything.
    pub(super) fn datagram(
        &mut self,
        shown: Instant,
        meta: DatagramMeta,
        payload: &mut [u8],
        looks: &mut Rng,
    ) -> Checked<()> {
        let sessions = self.endpoint.sessions() as u64;
        // No key guards a message of the classic dialect: it may change what is not a session's.
        let is_classic = proto_core::classic::is_classic(payload);
        // Nor is a stateless reset opened, which ends a session (R8).
        let may_be_reset = !self.accepts && RESET_LEN.contains(&payload.len());
        let is_looked_at = looks.one_in(SNAPSHOT_ONE_IN * sessions.max(1));
        let is_looked_at = is_looked_at && !is_classic && !may_be_reset;
        let before = is_looked_at.then(|| self.watch.snapshot(&self.endpoint, shown));
        self.endpoint.handle_datagram(shown, meta, payload);
        match before {
            None => Ok(()),
            Some(before) => self.watch.unchanged(&self.endpoint, before),
        }
    }

    /// Checks what the keys saw and, with `audits`, the endpoint's own state.
    pub(super) fn check(&self, looks: &mut Rng, audits: bool) -> Checked<()> {
        self.watch.check(&self.endpoint)?;
        let sessions = self.endpoint.sessions() as u64;
        let is_turn = sessions <= AUDITED_SESSIONS || looks.one_in(sessions);
        if !audits || !is_turn {
            return Ok(());
        }
        let audit = self.endpoint.audit();
        audit.map_err(|breach| format!("{}: {}", breach.rule, breach.what))
    }
}
