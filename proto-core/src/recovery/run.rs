//! Runs: packets that leave one behind the other at the same time, all alike.

use super::{Recovery, Sent};
use crate::congestion::SentPacket;
use crate::crypto::Level;
use crate::time::Instant;

impl<F: Copy> Recovery<F> {
    /// How many datagrams of `bytes` each may leave now, for memory, congestion window and pacer, with no more than `most` bytes
    /// in flight with them.
    pub fn may_leave(&mut self, now: Instant, bytes: u64, most: u64) -> u64 {
        let room = self.room(most) / bytes.max(1);
        self.memory_left()
            .min(room)
            .min(self.pacer.how_many(now, bytes))
    }

    /// Packets went out, each with one of the frames: what follows is what would have followed from
    /// [`on_packet_sent`](Self::on_packet_sent) for each, with `sent` in flight and ack-eliciting. Another packet in flight left
    /// just before. No more of them than [may leave](Self::may_leave), and none while ECN is being [tested](Self::tests_ecn).
    pub fn on_run_sent(
        &mut self,
        now: Instant,
        level: Level,
        sent: Sent,
        frames: impl ExactSizeIterator<Item = F>,
    ) {
        let count = frames.len() as u64;
        if count == 0 {
            return;
        }
        let bytes = count * u64::from(sent.bytes);
        let app_limited = self.delivery.is_app_limited();
        let snapshot = self.delivery.on_sent(now, 0, self.in_flight);
        self.spaces[level as usize].push_run(now, sent, snapshot, app_limited, frames);
        self.counters.sent_packets += count;
        self.counters.sent_bytes += bytes;
        self.ecn.on_run_sent(now, level, sent.marked, count);
        self.control.on_sent(&SentPacket {
            now,
            bytes,
            in_flight: self.in_flight,
            app_limited,
            delivered: self.delivery.delivered(),
        });
        self.pacer.on_sent(now, bytes);
        self.in_flight += bytes;
        self.app_limited = false;
        self.timers.restart(now);
        if self.is_rate_limited() {
            self.on_app_limited();
        }
    }
}
