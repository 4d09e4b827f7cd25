//! What all sessions of an endpoint share.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::Config;
use crate::endpoint::DropReason;
use crate::endpoint::id_cipher::IdCipher;
use crate::endpoint::reset::ResetKey;
use crate::fault::Faults;
use crate::file::Pool;
use crate::peer::SentFrame;
use crate::rng::{Rng, Stream};
use crate::time::{Duration, Instant};
use crate::transfer::Context;

/// Lent to every call of a session.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    pub(crate) pool: Pool,
    pub(crate) rng: Rng,
    pub(crate) ids: IdCipher,
    pub(crate) resets: ResetKey,
    pub(crate) drops: [u64; DropReason::COUNT],
    pub(crate) faults: Faults,
    next_file: u64,
    /// Lists for the frames of the packets in the making, used again and again.
    scratch: Vec<Vec<SentFrame>>,
}

impl Shared {
    pub(crate) fn new(config: Arc<Config>, seed: [u8; 32]) -> Self {
        let pool = Pool::new(config.limits.sink_blocks, config.limits.source_blocks)
            .with_faults(config.faults());
        let faults = config.faults();
        let mut secrets = Rng::new(seed, Stream::Secret);
        let ids = IdCipher::new(&mut secrets, config.shard.as_ref());
        let resets = ResetKey::new(config.host_secret.as_ref(), &mut secrets);
        Self {
            config,
            pool,
            ids,
            resets,
            rng: Rng::new(seed, Stream::Wire),
            drops: [0; DropReason::COUNT],
            faults,
            next_file: 0,
            scratch: Vec::new(),
        }
    }

    /// The context of a session whose smoothed round trip is `rtt`.
    pub(crate) fn context(&mut self, now: Instant, rtt: Duration) -> Context<'_> {
        Context {
            now,
            config: &self.config,
            pool: &mut self.pool,
            rng: &mut self.rng,
            rtt,
            next_file: &mut self.next_file,
        }
    }

    pub(crate) fn drop_packet(&mut self, reason: DropReason) {
        self.drops[reason as usize] += 1;
    }

    pub(crate) fn take_scratch(&mut self) -> Vec<SentFrame> {
        self.scratch.pop().unwrap_or_default()
    }

    pub(crate) fn put_scratch(&mut self, scratch: Vec<SentFrame>) {
        self.scratch.push(scratch);
    }
}
