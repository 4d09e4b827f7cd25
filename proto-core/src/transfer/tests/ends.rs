//! What a world is made of.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::disk::Disk;
use crate::crypto::{CryptoError, Provider, Session};
use crate::file::{BLOCK_SIZE, Operation, Pool};
use crate::id::RootId;
use crate::limits::Limits;
use crate::peer::SentFrame;
use crate::rng::Rng;
use crate::slab::Key;
use crate::time::Instant;
use crate::transfer::{OpTag, Place, TransferEvent, Transfers};
use crate::wire::{ConnectionId, ErrorCode, FilePath};

pub(super) const CLIENT: usize = 0;
pub(super) const SERVER: usize = 1;

#[derive(Debug)]
pub(super) struct NoCrypto;

impl Provider for NoCrypto {
    fn client(&self, _: ConnectionId, _: &[u8]) -> Result<Box<dyn Session>, CryptoError> {
        Err(CryptoError::Config)
    }
    fn server(&self, _: ConnectionId, _: &[u8]) -> Result<Box<dyn Session>, CryptoError> {
        Err(CryptoError::Config)
    }
}

/// What the link does to packets, in percent, and what it looks like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) loss: u64,
    pub(super) duplicate: u64,
    /// Packets that are told to be lost and arrive nevertheless.
    pub(super) spurious: u64,
    /// Microseconds; each packet takes from one to `1 + jitter` of them.
    pub(super) delay: u64,
    pub(super) jitter: u64,
    pub(super) packet: usize,
    /// Packets in flight.
    pub(super) window: usize,
}

pub(super) const PERFECT: Link = Link {
    loss: 0,
    duplicate: 0,
    spurious: 0,
    delay: 1_000,
    jitter: 0,
    packet: 1_150,
    window: 64,
};
pub(super) const BAD: Link = Link {
    loss: 10,
    duplicate: 5,
    spurious: 3,
    delay: 1_000,
    jitter: 4,
    packet: 1_150,
    window: 64,
};

#[derive(Debug)]
pub(super) struct Loan {
    pub(super) at: Instant,
    pub(super) key: Key,
    pub(super) tag: OpTag,
    pub(super) op: Operation,
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) transfers: Transfers,
    pub(super) pool: Pool,
    pub(super) disk: Disk,
    pub(super) rng: Rng,
    pub(super) next_file: u64,
    pub(super) loans: Vec<Loan>,
    pub(super) in_flight: usize,
    pub(super) events: Vec<(Key, TransferEvent)>,
    /// What Requested is answered with; `None` answers nothing.
    pub(super) refuse: Option<ErrorCode>,
    pub(super) may_replace: bool,
    pub(super) answers: bool,
    /// Events are left untaken.
    pub(super) deaf: bool,
}

#[derive(Debug)]
pub(super) enum What {
    Arrive {
        to: usize,
        payload: Arc<Vec<u8>>,
        sent: Option<Vec<SentFrame>>,
    },
    Acked {
        at: usize,
        sent: Vec<SentFrame>,
    },
    Lost {
        at: usize,
        sent: Vec<SentFrame>,
    },
    /// As `Lost`, of a packet that is still counted in flight.
    ThoughtLost {
        at: usize,
        sent: Vec<SentFrame>,
    },
}

pub(super) fn limits() -> Limits {
    Limits {
        sink_blocks: 256,
        source_blocks: 128,
        credit_blocks_max: 128,
        ..Limits::default()
    }
}

pub(super) fn content(size: u64, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(size as usize + 8);
    while bytes.len() < size as usize {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size as usize);
    bytes
}

pub(super) fn path(name: &[u8]) -> FilePath {
    FilePath::parse(name).expect("a good path")
}

pub(super) fn place(name: &[u8]) -> Place {
    Place {
        root: RootId(0),
        path: path(name),
    }
}

pub(super) const BLOCK: u64 = BLOCK_SIZE as u64;
