//! Every number that bounds an endpoint, in one place.

use crate::file::BLOCK_SIZE;
use crate::time::Duration;

/// What an endpoint may hold and how long it waits. The defaults are those of `docs/PROTOCOL.md`.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Sessions at once, in either role (M7).
    pub sessions: u32,
    /// Handshakes not finished yet (H4).
    pub half_open: u32,
    /// Open transfers of a session (M7).
    pub transfers_per_session: u32,
    /// Requests that an unadmitted session may make (H10).
    pub requests_before_admission: u32,
    /// Blocks that gather received bytes, over all sessions (M1); at least 1.
    pub sink_blocks: u32,
    /// Blocks that hold bytes to send, over all sessions; at least 2.
    pub source_blocks: u32,
    /// Blocks of credit that one transfer may have at most (M4: 128 MiB).
    pub credit_blocks_max: u32,
    /// Blocks of credit that a transfer begins with.
    pub credit_blocks_initial: u32,
    /// Blocks that a source holds ahead of what was sent.
    pub read_ahead_blocks: u32,
    /// Handshake bytes held per level (H6).
    pub crypto_buffer: u32,
    /// Bytes of a listing page (M8).
    pub page: u32,
    /// A handshake that is not finished after this is dropped (H10).
    pub handshake_timeout: Duration,
    /// A session that is not admitted after this is refused (H10).
    pub admission_timeout: Duration,
    /// A request that is not decided after this is refused.
    pub decision_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 16_384,
            half_open: 1_024,
            transfers_per_session: 64,
            requests_before_admission: 3,
            sink_blocks: (512 << 20) / BLOCK_SIZE,
            source_blocks: (256 << 20) / BLOCK_SIZE,
            credit_blocks_max: (128 << 20) / BLOCK_SIZE,
            credit_blocks_initial: (1 << 20) / BLOCK_SIZE,
            read_ahead_blocks: 8,
            crypto_buffer: 16 << 10,
            page: 64 << 10,
            handshake_timeout: Duration::from_secs(10),
            admission_timeout: Duration::from_secs(10),
            decision_timeout: Duration::from_secs(10),
        }
    }
}
