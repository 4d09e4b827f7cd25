//! What a liar remembers of its session, to lie well.

use std::collections::{BTreeMap, VecDeque};

use proto_core::BLOCK_SIZE;
use proto_core::wire::Frame;

use crate::rng::Rng;

/// Transfers that are remembered.
const TRANSFERS_MAX: usize = 256;
/// Frames that are remembered, to be said again.
const OLD_MAX: usize = 64;
/// Frames longer than this are not worth remembering.
const OLD_LEN_MAX: usize = 256;

/// What was said of a transfer, by either side.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Bytes of the file.
    pub(super) size: u64,
    /// Bytes that were sent.
    pub(super) end: u64,
    /// Blocks that may be begun; for a listing, its bytes.
    pub(super) credit: u64,
}

impl Seen {
    /// The first byte beyond the credit.
    pub(super) fn beyond_credit(&self) -> u64 {
        self.credit.saturating_mul(BLOCK_SIZE.into())
    }
}

/// Frames and transfers of a session.
#[derive(Debug, Default)]
pub(super) struct Memory {
    transfers: BTreeMap<u64, Seen>,
    /// The number after the highest that was asked for.
    pub(super) next_request: u64,
    old: VecDeque<Vec<u8>>,
}

impl Memory {
    /// Notes what a frame tells; `said` are its bytes, when the liar itself said it.
    pub(super) fn note(&mut self, frame: &Frame<'_>, said: Option<&[u8]>) {
        match *frame {
            Frame::Request {
                transfer, amount, ..
            } => {
                self.next_request = self.next_request.max(transfer.saturating_add(1));
                self.seen(transfer).credit = amount;
            }
            Frame::Accept { transfer, credit } => {
                let seen = self.seen(transfer);
                seen.credit = seen.credit.max(credit);
            }
            Frame::Credit {
                transfer, limit, ..
            } => {
                let seen = self.seen(transfer);
                seen.credit = seen.credit.max(limit);
            }
            Frame::Entry {
                transfer,
                ref entry,
                ..
            } => self.seen(transfer).size = entry.size,
            Frame::Data {
                transfer,
                offset,
                data,
                ..
            } => {
                let seen = self.seen(transfer);
                seen.end = seen.end.max(offset.saturating_add(data.len() as u64));
            }
            _ => {}
        }
        if let Some(bytes) = said
            && bytes.len() <= OLD_LEN_MAX
        {
            self.old.push_back(bytes.to_vec());
            if self.old.len() > OLD_MAX {
                self.old.pop_front();
            }
        }
    }

    fn seen(&mut self, transfer: u64) -> &mut Seen {
        if self.transfers.len() >= TRANSFERS_MAX && !self.transfers.contains_key(&transfer) {
            self.transfers.pop_first();
        }
        self.transfers.entry(transfer).or_default()
    }

    /// A transfer that was spoken of; the first one there can be, when none was.
    pub(super) fn any_transfer(&self, rng: &mut Rng) -> (u64, Seen) {
        let at = rng.below(self.transfers.len() as u64) as usize;
        let found = self.transfers.iter().nth(at);
        found.map_or((0, Seen::default()), |(number, seen)| (*number, *seen))
    }

    /// The numbers of the transfers that were spoken of.
    pub(super) fn transfers(&self) -> impl Iterator<Item = u64> + '_ {
        self.transfers.keys().copied()
    }

    /// What was said of a transfer.
    pub(super) fn of(&self, transfer: u64) -> Seen {
        self.transfers.get(&transfer).copied().unwrap_or_default()
    }

    /// A frame that the liar said before.
    pub(super) fn any_old(&self, rng: &mut Rng) -> Option<&[u8]> {
        let at = rng.below(self.old.len() as u64) as usize;
        self.old.get(at).map(Vec::as_slice)
    }
}
