use proto_core::{Duration, Limits};
use serde::{Deserialize, Serialize};

use crate::rng::Rng;
use crate::units;

/// Where an endpoint's [`Limits`] differ from the usual ones. The fields are those of `Limits`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "each is documented where it is defined")]
pub struct LimitsPlan {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub half_open: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfers_per_session: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink_blocks: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_blocks: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_blocks_max: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_blocks_initial: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_ahead_blocks: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "units::duration::option"
    )]
    pub handshake_timeout: Option<Duration>,
}

impl LimitsPlan {
    /// The limits.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        let set = |to: &mut u32, from: Option<u32>| *to = from.unwrap_or(*to);
        set(&mut limits.sessions, self.sessions);
        set(&mut limits.half_open, self.half_open);
        set(
            &mut limits.transfers_per_session,
            self.transfers_per_session,
        );
        set(&mut limits.sink_blocks, self.sink_blocks);
        set(&mut limits.source_blocks, self.source_blocks);
        set(&mut limits.credit_blocks_max, self.credit_blocks_max);
        set(
            &mut limits.credit_blocks_initial,
            self.credit_blocks_initial,
        );
        set(&mut limits.read_ahead_blocks, self.read_ahead_blocks);
        set(&mut limits.page, self.page);
        limits.handshake_timeout = self.handshake_timeout.unwrap_or(limits.handshake_timeout);
        limits
    }

    /// Narrow ones, each in one case of three.
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let mut plan = Self::default();
        if rng.one_in(3) {
            plan.sink_blocks = Some(rng.between(1, 8) as u32);
        }
        if rng.one_in(3) {
            // A source holds one block until it is acknowledged while it reads the next: with fewer than 2 it never begins.
            plan.source_blocks = Some(rng.between(2, 8) as u32);
        }
        if rng.one_in(3) {
            let max = rng.between(1, 8);
            plan.credit_blocks_max = Some(max as u32);
            plan.credit_blocks_initial = Some(rng.between(1, max) as u32);
        }
        if rng.one_in(3) {
            plan.read_ahead_blocks = Some(rng.between(1, 4) as u32);
        }
        if rng.one_in(3) {
            plan.page = Some(rng.between(512, 8_192) as u32);
        }
        if rng.one_in(6) {
            plan.transfers_per_session = Some(rng.between(1, 3) as u32);
        }
        plan
    }
}
