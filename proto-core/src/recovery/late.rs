//! Packets that were declared lost and may still turn out to have arrived.

use alloc::collections::VecDeque;

use super::skips::{Skips, seek};
use super::space::Packet;
use crate::time::{Duration, Instant};

/// Lost packets of a space that are remembered; of more, the oldest is forgotten. At 1 Gbit/s, 300 ms and 3 % loss as many
/// are lost in three probe time-outs.
pub(super) const LATE_MAX: usize = 4_096;

/// A packet that was declared lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Missing {
    pub(super) number: u64,
    pub(super) sent: Instant,
    pub(super) bytes: u32,
    /// The congestion event that it belongs to.
    pub(super) event: u32,
    lost: Instant,
    /// Place of the first frame, counted over all that were ever pushed, modulo 2^32.
    first_frame: u32,
    /// See [`Skips`].
    skip: u32,
    frames: u8,
}

impl Skips for Missing {
    fn skip(&self) -> u32 {
        self.skip
    }

    fn set_skip(&mut self, entries: u32) {
        self.skip = entries;
    }
}

/// The lost packets of a space, by number.
#[derive(Debug)]
pub(super) struct Late<F> {
    packets: VecDeque<Missing>,
    /// Their frames, in the same order.
    frames: VecDeque<F>,
    /// Frames that have left the front of the ring, modulo 2^32.
    frames_gone: u32,
}

impl<F> Default for Late<F> {
    fn default() -> Self {
        Self {
            packets: VecDeque::new(),
            frames: VecDeque::new(),
            frames_gone: 0,
        }
    }
}

impl<F> Late<F> {
    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// The lowest number that is remembered.
    pub(super) fn lowest(&self) -> Option<u64> {
        self.packets.front().map(|packet| packet.number)
    }

    /// The place of the first remembered packet whose number is not below `number`.
    pub(super) fn index_of(&self, number: u64) -> usize {
        self.packets.partition_point(|p| p.number < number)
    }

    /// Everything happened `by` later.
    pub(super) fn on_leap(&mut self, by: Duration) {
        for packet in &mut self.packets {
            packet.sent += by;
            packet.lost += by;
        }
    }

    pub(super) fn shrink(&mut self) {
        self.packets.shrink_to_fit();
        self.frames.shrink_to_fit();
    }

    /// How many packets and frames are remembered, those that have arrived and wait for older ones to be forgotten included.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.packets.len(), self.frames.len())
    }

    /// Whether the numbers rise, and every packet has its frames.
    pub(super) fn is_well_formed(&self) -> bool {
        let pairs = self.packets.iter().zip(self.packets.iter().skip(1));
        let mut place = self.frames_gone;
        let framed = self.packets.iter().all(|packet| {
            let right = packet.first_frame == place;
            place = place.wrapping_add(u32::from(packet.frames));
            right
        });
        let kept = place.wrapping_sub(self.frames_gone) as usize == self.frames.len();
        pairs.clone().all(|(a, b)| a.number < b.number) && framed && kept
    }
}

impl<F: Copy> Late<F> {
    /// Remembers a packet that is lost now. One whose number is not above those of before is not remembered: that happens
    /// to nothing but the packets of another path, and a late word of them tells little.
    pub(super) fn push(
        &mut self,
        now: Instant,
        packet: &Packet,
        event: u32,
        frames: impl Iterator<Item = F>,
    ) {
        let last = self.packets.back().map(|packet| packet.number);
        if last.is_some_and(|last| packet.number <= last) {
            return;
        }
        if self.packets.len() >= LATE_MAX {
            self.pop();
        }
        let first_frame = self.frames_gone.wrapping_add(self.frames.len() as u32);
        let before = self.frames.len();
        self.frames.extend(frames);
        self.packets.push_back(Missing {
            number: packet.number,
            sent: packet.time,
            bytes: packet.bytes,
            event,
            lost: now,
            first_frame,
            skip: 0,
            frames: (self.frames.len() - before) as u8,
        });
    }

    /// Forgets what was lost before `since`.
    pub(super) fn forget(&mut self, since: Instant) {
        while let Some(packet) = self.packets.front() {
            if packet.lost >= since && packet.skip == 0 {
                return;
            }
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some(packet) = self.packets.pop_front() {
            self.frames.drain(..usize::from(packet.frames));
            self.frames_gone = self.frames_gone.wrapping_add(u32::from(packet.frames));
        }
    }

    /// Takes the first packet from `index` on whose number is at most `end`: it has arrived. Says where to look on.
    pub(super) fn take(
        &mut self,
        index: usize,
        end: u64,
        tell: &mut impl FnMut(F),
    ) -> Option<(usize, Missing)> {
        let index = seek(&mut self.packets, index);
        let packet = self.packets.get_mut(index).filter(|p| p.number <= end)?;
        packet.skip = 1;
        let packet = *packet;
        let first = packet.first_frame.wrapping_sub(self.frames_gone) as usize;
        let frames = self.frames.range(first..first + usize::from(packet.frames));
        frames.for_each(|frame| tell(*frame));
        Some((index + 1, packet))
    }
}
