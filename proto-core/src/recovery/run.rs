//! Runs: packets that leave one behind the other at the same time, all alike.

use super::delivery::Snapshot;
use super::{PACKETS_MAX, Recovery, Sent};
use crate::congestion::SentPacket;
use crate::crypto::Level;
use crate::time::Instant;

/// Puts down the packets of a run. What the brakes make of them follows when it is dropped.
#[derive(Debug)]
pub struct Run<'a, F: Copy> {
    recovery: &'a mut Recovery<F>,
    now: Instant,
    level: Level,
    sent: Sent,
    snapshot: Snapshot,
    app_limited: bool,
    /// Bytes of the packets so far.
    bytes: u64,
}

impl<F: Copy> Recovery<F> {
    /// How many datagrams of `bytes` each may leave now, for memory, congestion window and pacer, with no more than `most` bytes
    /// in flight before the last of them.
    pub fn may_leave(&mut self, now: Instant, bytes: u64, most: u64) -> u64 {
        let remembered: usize = self.spaces.iter().map(super::Space::len).sum();
        let memory = PACKETS_MAX.saturating_sub(remembered) as u64;
        let room = self.room(most) / bytes.max(1);
        memory.min(room).min(self.pacer.how_many(now, bytes))
    }

    /// Begins a run: each packet is what [`on_packet_sent`](Self::on_packet_sent) would be told, with `sent` in flight and
    /// ack-eliciting, and with one frame. No more of them than [may leave](Self::may_leave), and none while ECN is being
    /// [tested](Self::tests_ecn).
    pub fn begin_run(&mut self, now: Instant, level: Level, sent: Sent) -> Run<'_, F> {
        let app_limited = self.delivery.is_app_limited();
        let snapshot = self.delivery.on_sent(now, 0, self.in_flight);
        Run {
            recovery: self,
            now,
            level,
            sent,
            snapshot,
            app_limited,
            bytes: 0,
        }
    }
}

impl<F: Copy> Run<'_, F> {
    /// The next packet's number.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.recovery.next_number(self.level)
    }

    /// The next packet goes out, with a frame.
    pub fn push(&mut self, frame: F) {
        self.snapshot.add(self.sent.bytes);
        self.bytes += u64::from(self.sent.bytes);
        let space = &mut self.recovery.spaces[self.level as usize];
        let (now, sent) = (self.now, self.sent);
        space.push(now, sent, self.snapshot, self.app_limited, &[frame]);
    }
}

impl<F: Copy> Drop for Run<'_, F> {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let (now, sent, bytes) = (self.now, self.sent, self.bytes);
        let count = bytes / u64::from(sent.bytes);
        let recovery = &mut *self.recovery;
        recovery.counters.sent_packets += count;
        recovery.counters.sent_bytes += bytes;
        recovery.ecn.on_run_sent(self.level, sent.marked, count);
        recovery.control.on_sent(&SentPacket {
            now,
            bytes,
            in_flight: recovery.in_flight,
            app_limited: self.app_limited,
            delivered: recovery.delivery.delivered(),
        });
        recovery.pacer.on_sent(now, bytes);
        recovery.in_flight += bytes;
        recovery.app_limited = false;
        recovery.timers.restart(now);
        if recovery.is_rate_limited() {
            recovery.on_app_limited();
        }
    }
}
