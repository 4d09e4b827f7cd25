//! Every number that bounds an endpoint, in one place.

use crate::file::BLOCK_SIZE;
use crate::recovery::PACKETS_MAX;
use crate::time::Duration;

/// A key seals at most this many packets before it is changed (R3).
pub(crate) const PACKETS_PER_KEY_MAX: u64 = 1 << 22;

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
    /// Blocks that gather received bytes, over all sessions (M1); at least 1, and 6 for directories.
    pub sink_blocks: u32,
    /// Blocks that hold bytes to send, over all sessions; at least 2, and 4 for directories.
    pub source_blocks: u32,
    /// Blocks of credit that one transfer may have at most (M4: 128 MiB); a directory begins with 6 all the same.
    pub credit_blocks_max: u32,
    /// Blocks of credit that a transfer begins with.
    pub credit_blocks_initial: u32,
    /// Blocks that a source holds ahead of what was sent.
    pub read_ahead_blocks: u32,
    /// Bytes from which on a sink keeps a journal of a file, so that a later transfer can go on with it; smaller ones are sent
    /// again. Files of one piece (1 MiB) never have one.
    pub journal_min: u64,
    /// Pieces (1 MiB) that a journal may know before their bytes are synced, unless nothing must survive a power loss: as many are
    /// read again after an unclean stop of the machine. Syncs more often cost speed.
    pub journal_unsynced: u32,
    /// Exchanges of the classic dialect at once.
    pub classic_exchanges: u32,
    /// Exchanges of the classic dialect with the clients of one IPv4 address, or one IPv6 network of 64 bits.
    pub classic_exchanges_per_source: u32,
    /// Packets that an end seals with a key before it changes keys (R3): 2^22 at most.
    pub packets_per_key: u64,
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
            credit_blocks_initial: (2 << 20) / BLOCK_SIZE,
            read_ahead_blocks: 8,
            journal_min: 4 << 20,
            journal_unsynced: 256,
            classic_exchanges: 1_024,
            classic_exchanges_per_source: 32,
            packets_per_key: PACKETS_PER_KEY_MAX,
            crypto_buffer: 16 << 10,
            page: 64 << 10,
            handshake_timeout: Duration::from_secs(10),
            admission_timeout: Duration::from_secs(10),
            decision_timeout: Duration::from_secs(10),
        }
    }
}

/// Bytes of a session that does nothing (M9).
const SESSION: u64 = 16 << 10;
/// Bytes that recovery remembers of a sent packet and its frames (M5).
const PACKET: u64 = 64;
/// Bytes of a transfer without its blocks and page: of its state, of the ranges that the peer asked for again or
/// keeps from being settled, beyond those of packets in flight, and of what a sink says that it has.
const TRANSFER: u64 = (4 << 10) + (32 << 10) + (64 << 10);

/// Bytes of a classic exchange without its block: two pieces, a hash, a name, or a list.
const CLASSIC_EXCHANGE: u64 = 8 << 10;

impl Limits {
    /// These limits divided among `count` endpoints of one host, as far as they are over all sessions.
    #[must_use]
    pub fn divided(mut self, count: u32) -> Self {
        let count = count.max(1);
        self.sessions = self.sessions.div_ceil(count);
        self.half_open = self.half_open.div_ceil(count);
        self.sink_blocks = (self.sink_blocks / count).max(1);
        self.source_blocks = (self.source_blocks / count).max(2);
        self
    }

    /// The most bytes that an endpoint with these limits can hold, term by term. What is allocated follows use and is far
    /// less: sent packets and listing pages are limited for each session and transfer, not over all of them, so their terms
    /// assume that every session is at its limits at once.
    #[must_use]
    pub fn memory_max(&self) -> u64 {
        let sessions = u64::from(self.sessions);
        let transfers = sessions * u64::from(self.transfers_per_session);
        let blocks = u64::from(self.sink_blocks) + u64::from(self.source_blocks);
        [
            blocks * u64::from(BLOCK_SIZE),
            sessions * SESSION,
            sessions * PACKETS_MAX as u64 * PACKET,
            u64::from(self.half_open) * 2 * u64::from(self.crypto_buffer),
            transfers * TRANSFER,
            u64::from(self.classic_exchanges) * CLASSIC_EXCHANGE,
            transfers * u64::from(self.page),
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_over_all_sessions_are_divided() {
        let (all, part) = (Limits::default(), Limits::default().divided(4));
        assert_eq!(part.sessions, all.sessions / 4);
        assert_eq!(part.half_open, all.half_open / 4);
        assert_eq!(part.sink_blocks, all.sink_blocks / 4);
        assert_eq!(part.source_blocks, all.source_blocks / 4);
        assert_eq!(part.transfers_per_session, all.transfers_per_session);
        let least = Limits::default().divided(u32::MAX);
        assert_eq!(
            (least.sessions, least.sink_blocks, least.source_blocks),
            (1, 1, 2)
        );
    }

    #[test]
    fn every_limit_on_memory_counts() {
        let all = Limits::default();
        let less = |change: fn(&mut Limits)| {
            let mut limits = Limits::default();
            change(&mut limits);
            limits.memory_max() < all.memory_max()
        };
        assert!(less(|limits| limits.sink_blocks -= 1));
        assert!(less(|limits| limits.source_blocks -= 1));
        assert!(less(|limits| limits.sessions -= 1));
        assert!(less(|limits| limits.half_open -= 1));
        assert!(less(|limits| limits.crypto_buffer -= 1));
        assert!(less(|limits| limits.transfers_per_session -= 1));
        assert!(less(|limits| limits.page -= 1));
        assert!(less(|limits| limits.classic_exchanges -= 1));
        let none = Limits {
            sessions: 0,
            half_open: 0,
            classic_exchanges: 0,
            sink_blocks: 1,
            source_blocks: 2,
            ..Limits::default()
        };
        assert_eq!(none.memory_max(), 3 * u64::from(BLOCK_SIZE));
    }
}
