//! Loss detection (RFC 9002 §6.1, §7.6).

use super::space::State;
use super::{Fate, Recovery};
use crate::congestion::Lost;
use crate::crypto::Level;
use crate::time::{Duration, Instant};

/// A packet is lost once one that was sent this many later is acknowledged (RFC 9002 §6.1.1).
const PACKET_THRESHOLD: u64 = 3;

/// Probe time-outs that the path must be dead for (RFC 9002 §7.6.1).
const PERSISTENT_PTOS: u32 = 3;

/// What a search found.
#[derive(Default)]
pub(super) struct Losses {
    pub(super) packets: u32,
    /// Bytes that were in flight.
    pub(super) bytes: u64,
    /// When the newest of those in flight was sent.
    newest: Option<Instant>,
    persistent: bool,
}

impl<F: Copy> Recovery<F> {
    /// Declares what is overdue lost, and notes when the rest will be.
    pub(super) fn detect_losses(
        &mut self,
        now: Instant,
        level: Level,
        losses: &mut Losses,
        fate: &mut impl FnMut(Fate, F),
    ) {
        let delay = self.rtt.loss_delay();
        let dead = self.pto().saturating_mul(PERSISTENT_PTOS);
        let first_sample = self.first_sample;
        let mut black_hole = self.black_hole;
        let space = self.space_mut(level);
        let Some(largest) = space.largest_acked else {
            return;
        };
        let path_first = space.path_first;
        let mut freed = 0;
        let mut dead_since = None;
        space.loss_time = None;
        let mut index = 0;
        while let Some(&packet) = space.packet(index) {
            if packet.number > largest {
                break;
            }
            index += 1;
            match packet.state {
                State::Acked => dead_since = None,
                State::Lost => {}
                State::Outstanding => {
                    let overdue = packet.time + delay;
                    if overdue > now && largest - packet.number < PACKET_THRESHOLD {
                        space.loss_time =
                            Some(space.loss_time.map_or(overdue, |time| time.min(overdue)));
                        continue;
                    }
                    space.resolve(index - 1, Fate::Lost, fate);
                    losses.packets += 1;
                    let own = packet.number >= path_first;
                    if packet.in_flight && own {
                        freed += u64::from(packet.bytes);
                        black_hole.on_lost(packet.number, packet.bytes);
                        losses.newest = losses.newest.max(Some(packet.time));
                    }
                    if own
                        && packet.in_flight
                        && packet.ack_eliciting
                        && first_sample.is_some_and(|at| packet.time > at)
                    {
                        losses.persistent |= died(&mut dead_since, packet.time, dead);
                    }
                }
            }
        }
        space.forget_resolved();
        losses.bytes += freed;
        self.black_hole = black_hole;
        self.in_flight -= freed;
    }

    /// Accounts for losses and tells the controller; whether they are a new congestion event.
    pub(super) fn on_losses(&mut self, now: Instant, losses: &Losses) -> bool {
        self.counters.lost_packets += u64::from(losses.packets);
        self.counters.lost_bytes += losses.bytes;
        let Some(sent) = losses.newest else {
            return false;
        };
        // RFC 9002 §7.3.2: one cut for all packets that were in flight when it was made.
        let new_event = self.cut_at.is_none_or(|cut| sent > cut);
        if new_event {
            self.cut_at = Some(now);
            self.counters.cuts += 1;
        }
        self.control.on_loss_event(&Lost {
            now,
            sent,
            bytes: losses.bytes,
            in_flight: self.in_flight,
            new_event,
            persistent: losses.persistent,
        });
        if losses.persistent {
            self.cut_at = None;
            self.rtt.forget_min();
        }
        self.pacer
            .set_rate(now, self.control.pacing_rate(&self.rtt));
        new_event
    }
}

/// Whether an unbroken run of losses, to which one sent at `time` is added, has lasted for longer than `dead`.
fn died(since: &mut Option<Instant>, time: Instant, dead: Duration) -> bool {
    time.since(*since.get_or_insert(time)) > dead
}
