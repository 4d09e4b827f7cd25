//! Copies of the unacknowledged tail, while nothing new may be sent (P9.13).
//!
//! The end of a transfer waits for its last lost packet: for a round trip until the loss is noticed, and half of one until what it
//! held has come again. Nothing else goes over the path meanwhile. So what is under way is sent a second time, the newest first: it
//! is of the newest that word would come last. After half a round trip the copies meet the acknowledgements, and end.
//!
//! Copies fill the path, and no queue: in front of what was lost and is sent again, they would do harm.
//!
//! A copy is a packet like any other for window, pacer and loss detection, sent only when both let it. It tells nothing of how
//! fast the path is, since less than that is sent.

use super::gate::Gate;
use super::{Peer, SentFrame, State};
use crate::crypto::Level;
use crate::endpoint::Shared;
use crate::time::Instant;
use crate::transfer::Item;

/// Datagrams that may be copied however small the window is.
const COPIES_LEAST: u64 = 10;

/// Copies are sent where one packet of so many is lost, or more.
const LOSS_LEAST: u64 = 2_000;

/// How far the copies have come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tail {
    /// Something new was sent since the last pass began.
    fresh: bool,
    /// A pass goes from the newest packet down to what was the newest when the pass before began.
    floor: u64,
    top: u64,
    /// Packets of this pass from here on were copied.
    next: u64,
    /// Bytes that may still be copied: never more than were sent since.
    left: u64,
    /// The pacer's bucket is full then: what comes next is not to wait for a copy.
    not_before: Option<Instant>,
}

impl Tail {
    /// A packet went out that is no copy.
    pub(super) fn on_new(&mut self, bytes: u64, most: u64) {
        self.fresh = true;
        self.left = self.left.saturating_add(bytes).min(most);
    }

    fn is_owed(&self) -> bool {
        self.left > 0 && (self.fresh || self.next > self.floor)
    }

    /// The packets of which the newest is copied next; `end` is the number of the next packet.
    fn range(&mut self, first: u64, end: u64) -> core::ops::Range<u64> {
        if self.next <= self.floor.max(first) {
            self.floor = core::mem::replace(&mut self.top, end);
            self.next = end;
            self.fresh = false;
        }
        self.floor.max(first)..self.next
    }
}

impl Peer {
    /// Whether there is something to copy, and nothing else to send.
    pub(super) fn owes_copies(&self, now: Instant) -> bool {
        self.tail.not_before.is_none_or(|at| at <= now) && self.has_tail()
    }

    fn has_tail(&self) -> bool {
        self.tail.is_owed()
            && self.state == State::Open
            && self.confirmed
            && self.path.is_validated()
            && self.recovery.is_path_idle()
            && !self.transfers.has_more_to_say()
    }

    /// Makes the transfers say once more what the newest packet said that was not copied; whether there is one.
    pub(super) fn owe_copy(&mut self, now: Instant, shared: &mut Shared, gate: Gate) -> bool {
        if gate != Gate::Open || !self.owes_copies(now) || self.transfers.has_frames() {
            return false;
        }
        self.tail.not_before = self.recovery.pacer_is_full(now).err();
        if self.tail.not_before.is_some() {
            return false;
        }
        let first = self
            .recovery
            .largest_acked(Level::Data)
            .map_or(0, |n| n + 1);
        let end = self.recovery.next_number(Level::Data);
        loop {
            let range = self.tail.range(first, end);
            let Self {
                recovery,
                transfers,
                ..
            } = self;
            let mut cx = shared.context(now, recovery.rtt().smoothed());
            let mut owed = false;
            let number = recovery.newest(Level::Data, range, &mut |frame| {
                if let SentFrame::Transfer { key, item } = frame {
                    owed |= is_copied(frame) && transfers.handle_copied(&mut cx, key, item);
                }
            });
            let Some(number) = number else {
                // The pass is over; what was sent since it began is the next one's, which begins at once: a poll that sends
                // nothing must not be what it waits for.
                self.tail.next = self.tail.floor;
                if self.tail.is_owed() {
                    continue;
                }
                return false;
            };
            self.tail.next = number;
            // What was said may have been settled in another way since.
            if owed && self.transfers.has_frames() {
                return true;
            }
        }
    }

    /// When the next copy is due.
    pub(super) fn copy_at(&self) -> Option<Instant> {
        self.tail.not_before.filter(|_| self.has_tail())
    }

    /// Time went on.
    pub(super) fn handle_copy_timeout(&mut self, now: Instant) {
        if self.tail.not_before.is_some_and(|at| at <= now) {
            self.tail.not_before = None;
        }
    }

    /// A 1-RTT packet with these frames goes out.
    pub(super) fn note_tail(&mut self, frames: &[SentFrame], bytes: u64, is_copy: bool) {
        if is_copy {
            self.copies_sent += 1;
            self.tail.left = self.tail.left.saturating_sub(bytes);
        } else if frames.iter().any(|frame| is_copied(*frame)) {
            self.tail.on_new(bytes, self.copies_max());
        }
    }

    /// Bytes of copies at most: where nothing was lost there are none.
    pub(super) fn copies_max(&self) -> u64 {
        let counters = self.recovery.counters();
        let lost = counters.lost_packets.saturating_sub(counters.late_packets);
        if lost.saturating_mul(LOSS_LEAST) >= counters.sent_packets.max(1) {
            (COPIES_LEAST * self.datagram_size() as u64).max(self.recovery.window() / 2)
        } else {
            0
        }
    }
}

/// Whether the transfer waits for the frame. A later CREDIT follows in any case.
fn is_copied(frame: SentFrame) -> bool {
    match frame {
        SentFrame::Transfer { item, .. } => !matches!(item, Item::Credit { .. }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No packet is copied twice, no copy is copied, and no more is copied than was sent.
    #[test]
    fn passes_go_down_to_the_one_before() {
        let mut tail = Tail::default();
        assert!(!tail.is_owed());
        tail.on_new(30, 25);
        assert!(tail.is_owed());
        assert_eq!((tail.left, tail.range(3, 10)), (25, 3..10));
        tail.next = 9;
        assert_eq!(
            tail.range(3, 11),
            3..9,
            "what was sent since is not this pass's"
        );
        // Acknowledgements have come as far.
        tail.on_new(5, 25);
        assert_eq!(tail.range(9, 15), 10..15);
        tail.next = 10;
        assert!(!tail.is_owed());
    }
}
