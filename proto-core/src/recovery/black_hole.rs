//! Noticing that a path no longer carries full datagrams (RFC 8899 §4.3).

use super::space::Packet;

/// Lost full datagrams that show it, when nothing as large arrived that was sent later.
const LOST: u32 = 3;

/// What became of packets of full size. A burst of losses is no black hole: full packets that were sent after it arrive.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlackHole {
    /// From how many bytes on a packet is full: a sixteenth below the datagram's size.
    full: u32,
    /// The newest full packet that was acknowledged.
    acked: Option<u64>,
    /// Full ones that were lost since.
    lost: u32,
}

impl Default for BlackHole {
    /// Nothing is watched.
    fn default() -> Self {
        Self {
            full: u32::MAX,
            acked: None,
            lost: 0,
        }
    }
}

impl BlackHole {
    /// Watches packets of `size`, unless there is nothing below it.
    pub(super) fn new(size: u16, base: u16) -> Self {
        let full = u32::from((size - size / 16).max(base.saturating_add(1)));
        Self {
            full: if size > base { full } else { u32::MAX },
            ..Self::default()
        }
    }

    /// A packet of the present path was acknowledged.
    pub(super) fn on_acked(&mut self, number: u64, bytes: u32) {
        if bytes >= self.full && self.acked.is_none_or(|newest| newest < number) {
            self.acked = Some(number);
            self.lost = 0;
        }
    }

    /// Packets of the present path that were sent one after the other were acknowledged.
    pub(super) fn on_run_acked(&mut self, packets: &[Packet]) {
        let is_full = |packet: &&Packet| packet.in_flight && packet.bytes >= self.full;
        if let Some(newest) = packets.iter().rev().find(is_full) {
            self.on_acked(newest.number, newest.bytes);
        }
    }

    /// A packet of the present path was lost.
    pub(super) fn on_lost(&mut self, number: u64, bytes: u32) {
        if bytes >= self.full && self.acked.is_none_or(|newest| newest < number) {
            self.lost += 1;
        }
    }

    pub(super) fn is_found(&self) -> bool {
        self.lost >= LOST
    }

    /// Whether it is one; then the watch is over.
    pub(super) fn take(&mut self) -> bool {
        let found = self.is_found();
        if found {
            *self = Self::default();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recovery::delivery::Snapshot;
    use crate::time::Instant;

    #[test]
    fn three_full_packets_lost_and_none_arrived_since() {
        let mut hole = BlackHole::new(1_472, 1_200);
        hole.on_acked(5, 1_472);
        for number in [6, 7] {
            hole.on_lost(number, 1_470);
            assert!(!hole.take());
        }
        // Older than what arrived, and small ones, say nothing.
        hole.on_lost(4, 1_472);
        hole.on_lost(8, 1_200);
        assert!(!hole.take());
        hole.on_lost(9, 1_472);
        assert!(hole.take());
        assert!(!hole.take());
    }

    #[test]
    fn small_packets_that_arrive_do_not_hide_it_and_full_ones_do() {
        let mut hole = BlackHole::new(8_972, 1_200);
        for number in 0..3 {
            hole.on_acked(10 + number, 1_300);
            hole.on_lost(number, 8_972);
        }
        assert!(hole.take());
        let mut hole = BlackHole::new(8_972, 1_200);
        for number in 0..30 {
            hole.on_lost(2 * number, 8_972);
            hole.on_acked(2 * number + 1, 8_972);
        }
        assert!(!hole.take());
    }

    /// A probe is not in flight: that it arrives says nothing of the datagrams that are sent.
    #[test]
    fn of_packets_in_a_row_the_newest_full_one_in_flight_counts() {
        let packet = |number, bytes, in_flight| {
            let snapshot = Snapshot::default();
            let mut packet = Packet::of(number, Instant::ZERO, bytes, snapshot, false);
            packet.in_flight = in_flight;
            packet
        };
        let mut hole = BlackHole::new(1_472, 1_200);
        hole.on_run_acked(&[
            packet(4, 1_472, true),
            packet(5, 1_200, true),
            packet(9, 1_472, false),
        ]);
        (4..7).for_each(|number| hole.on_lost(number, 1_472));
        assert_eq!((hole.acked, hole.lost), (Some(4), 2));
        hole.on_run_acked(&[packet(8, 1_472, false)]);
        assert_eq!(hole.lost, 2);
        hole.on_run_acked(&[packet(8, 1_472, true)]);
        assert_eq!(hole.lost, 0);
    }

    #[test]
    fn the_base_is_no_black_hole() {
        let mut hole = BlackHole::new(1_200, 1_200);
        (0..10).for_each(|number| hole.on_lost(number, 1_200));
        assert!(!hole.take());
    }
}
