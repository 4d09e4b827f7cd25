//! Loss detection (RFC 9002 §6.1, §7.6).

use super::late::Missing;
use super::space::State;
use super::{Fate, Recovery};
use crate::congestion::{Lost, LostPacket};
use crate::crypto::Level;
use crate::time::Instant;

/// Probe time-outs that the path must be dead for (RFC 9002 §7.6.1).
const PERSISTENT_PTOS: u32 = 3;

/// Probe time-outs for which a lost packet is remembered, in case it turns up.
const KNOWN_PTOS: u32 = 3;

/// What a search found.
#[derive(Default)]
pub(super) struct Losses {
    pub(super) packets: u32,
    /// Bytes that were in flight.
    pub(super) bytes: u64,
    /// When the newest of those in flight was sent.
    newest: Option<Instant>,
    persistent: bool,
    /// Packets in flight that were sent after the last cut.
    after_cut: u32,
    /// Packets in flight that were sent before.
    before_cut: u32,
}

/// Losses that cut the window once.
#[derive(Clone, Copy, Debug)]
pub(super) struct CongestionEvent {
    /// Events are numbered from 1; 0 stands for none.
    id: u32,
    /// Lost packets that have not turned up.
    missing: u32,
    /// What [`Recovery::cut_at`] was before.
    pub(super) cut_before: Option<Instant>,
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
        let window = self.control.window() / u64::from(self.datagram_size);
        self.reordering.set_window(window);
        let threshold = self.reordering.packets();
        let delay = self.reordering.delay(&self.rtt);
        let dead = self.pto().saturating_mul(PERSISTENT_PTOS);
        let (first_sample, cut_at) = (self.first_sample, self.cut_at);
        let event = self.counters.cuts as u32;
        let space = &mut self.spaces[level as usize];
        let Some(largest) = space.largest_acked else {
            return;
        };
        let path_first = space.path_first;
        let mut freed = 0;
        space.loss_time = None;
        let mut index = 0;
        while let Some(&packet) = space.packet(index) {
            #[cfg(test)]
            super::skips::steps::add();
            if packet.number > largest {
                break;
            }
            if packet.state == State::Acked {
                self.silence.on_next_acked(level);
                index += 1;
                continue;
            }
            // Numbers and times rise: what is neither few numbers nor little time behind has only such after it.
            let overdue = packet.time + delay;
            if overdue > now && largest - packet.number < threshold {
                space.loss_time = Some(overdue);
                break;
            }
            let own = packet.number >= path_first;
            let counts = packet.in_flight && own;
            let is_new = cut_at.is_none_or(|cut| packet.time > cut);
            let of_event = if counts { event + u32::from(is_new) } else { 0 };
            space.lose(now, index, of_event, fate);
            index += 1;
            losses.packets += 1;
            if own && packet.marked {
                self.ecn.on_lost();
            }
            if counts {
                let bytes = u64::from(packet.bytes);
                freed += bytes;
                self.delivery.on_lost(bytes);
                self.black_hole.on_lost(packet.number, packet.bytes);
                self.control.on_packet_lost(&LostPacket {
                    now,
                    number: packet.number,
                    sent: packet.time,
                    bytes,
                    tx_in_flight: packet.snapshot.in_flight(),
                    lost: self.delivery.lost_since(&packet.snapshot),
                    app_limited: packet.app_limited,
                    delivered: self.delivery.delivered(),
                    in_flight: self.in_flight - freed,
                });
                losses.newest = losses.newest.max(Some(packet.time));
                losses.after_cut += u32::from(is_new);
                losses.before_cut += u32::from(!is_new);
            }
            if counts && packet.ack_eliciting && first_sample.is_some_and(|at| packet.time > at) {
                self.silence.on_lost(level, packet.time);
                losses.persistent |= self.silence.take_persistent(dead);
            }
        }
        space.forget_resolved();
        losses.bytes += freed;
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
            self.counters.cuts += 1;
            self.event = Some(CongestionEvent {
                id: self.counters.cuts as u32,
                missing: losses.after_cut,
                cut_before: self.cut_at,
            });
            self.cut_at = Some(now);
        } else if let Some(event) = &mut self.event {
            event.missing += losses.before_cut;
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
            self.event = None;
            self.rtt.forget_min();
        }
        self.pace(now);
        new_event
    }

    /// Since when lost packets are known.
    pub(super) fn known_since(&self, now: Instant) -> Instant {
        now - self.pto().saturating_mul(KNOWN_PTOS)
    }

    /// Packets that were declared lost have arrived: one, of a congestion event or of none, at a time.
    pub(super) fn on_late(&mut self, packet: &Missing) {
        self.counters.late_packets += 1;
        if packet.event == 0 {
            return;
        }
        self.counters.late_bytes += u64::from(packet.bytes);
        self.delivery.on_late(u64::from(packet.bytes));
        if let Some(event) = &mut self.event
            && event.id == packet.event
        {
            event.missing = event.missing.saturating_sub(1);
        }
    }

    /// Takes the last cut back when all that it was for has arrived (RFC 9438 §4.9.2).
    pub(super) fn undo_cut(&mut self, now: Instant) {
        let Some(event) = self.event.take_if(|event| event.missing == 0) else {
            return;
        };
        self.cut_at = event.cut_before;
        self.counters.undone_cuts += 1;
        self.control.on_spurious_loss(now);
        self.pace(now);
    }
}
