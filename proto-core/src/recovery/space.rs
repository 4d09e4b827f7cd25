//! The sent packets of one packet number space.

use alloc::collections::VecDeque;
use alloc::format;
use core::ops::RangeInclusive;

use super::delivery::Snapshot;
use super::late::{LATE_MAX, Late};
use super::skips::{Skips, seek};
use super::{Fate, Sent};
use crate::audit::{Breach, check, rule};
use crate::time::{Duration, Instant};

/// Packets outside of the congestion window that are remembered; a peer that never acknowledges them costs no more.
const UNCOUNTED_MAX: u32 = 64;

/// Numbers left out on purpose that are remembered.
const SKIPPED_MAX: usize = 8;

/// No packet's number.
const NONE_SKIPPED: u64 = u64::MAX;

/// What is known of a sent packet's arrival.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Outstanding,
    Acked,
    Lost,
}

/// One sent packet; its frames stand in the space's ring of frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    pub(super) number: u64,
    pub(super) time: Instant,
    /// For the sample of the delivery rate.
    pub(super) snapshot: Snapshot,
    pub(super) bytes: u32,
    /// Place of the first frame, counted over all that were ever pushed, modulo 2^32.
    first_frame: u32,
    /// See [`Skips`].
    skip: u32,
    frames: u8,
    pub(super) state: State,
    pub(super) ack_eliciting: bool,
    pub(super) in_flight: bool,
    /// When it was sent there was nothing more to send.
    pub(super) app_limited: bool,
    /// It left with ECT(0).
    pub(super) marked: bool,
}

impl Packet {
    /// A full datagram in flight, without frames.
    #[cfg(test)]
    pub(super) fn of(
        number: u64,
        time: Instant,
        bytes: u32,
        snapshot: Snapshot,
        app_limited: bool,
    ) -> Self {
        Self {
            number,
            time,
            snapshot,
            bytes,
            first_frame: 0,
            skip: 0,
            frames: 0,
            state: State::Outstanding,
            ack_eliciting: true,
            in_flight: true,
            app_limited,
            marked: false,
        }
    }
}

impl Skips for Packet {
    fn skip(&self) -> u32 {
        self.skip
    }

    fn set_skip(&mut self, entries: u32) {
        self.skip = entries;
    }
}

// M5.
const _: () = assert!(size_of::<Packet>() <= 64);

/// One packet number space.
#[derive(Debug)]
pub(super) struct Space<F> {
    /// The next packet's number.
    pub(super) next: u64,
    /// By number and time, from the oldest unresolved packet on. Resolved ones further up wait for those below them.
    packets: VecDeque<Packet>,
    /// The frames of `packets`, in the same order.
    frames: VecDeque<F>,
    /// Frames that have left the front of the ring, modulo 2^32.
    frames_gone: u32,
    /// Lost ones that may still turn up.
    pub(super) late: Late<F>,
    pub(super) largest_acked: Option<u64>,
    /// The first number of the present path: packets below count neither against its window nor for its round trip.
    pub(super) path_first: u64,
    /// [`NONE_SKIPPED`] where there is none.
    skipped: [u64; SKIPPED_MAX],
    next_skipped: usize,
    /// When the next packet will be presumed lost (RFC 9002 §6.1.2).
    pub(super) loss_time: Option<Instant>,
    pub(super) last_ack_eliciting: Instant,
    /// The latest time at which a packet was sent.
    last_sent: Instant,
    /// Ack-eliciting packets that are in flight.
    pub(super) eliciting: u32,
    /// Remembered packets that are not in flight.
    uncounted: u32,
    /// Packets whose fate will never be known: not remembered, or discarded with their keys.
    pub(super) forgotten: u64,
}

impl<F> Default for Space<F> {
    fn default() -> Self {
        Self {
            next: 0,
            packets: VecDeque::new(),
            frames: VecDeque::new(),
            frames_gone: 0,
            late: Late::default(),
            largest_acked: None,
            path_first: 0,
            skipped: [NONE_SKIPPED; SKIPPED_MAX],
            next_skipped: 0,
            loss_time: None,
            last_ack_eliciting: Instant::ZERO,
            last_sent: Instant::ZERO,
            eliciting: 0,
            uncounted: 0,
            forgotten: 0,
        }
    }
}

impl<F> Space<F> {
    pub(super) fn skip(&mut self) {
        self.skipped[self.next_skipped] = self.next;
        self.next_skipped = (self.next_skipped + 1) % SKIPPED_MAX;
        self.next += 1;
    }

    /// Whether one of the remembered numbers that were left out is in a range of numbers that were sent or left out.
    pub(super) fn skips_any_of(&self, range: &RangeInclusive<u64>) -> bool {
        self.skipped.iter().any(|number| range.contains(number))
    }

    /// The remembered numbers that were left out.
    pub(super) fn skipped(&self) -> impl Iterator<Item = u64> + '_ {
        let skipped = self.skipped.iter().copied();
        skipped.filter(|number| *number != NONE_SKIPPED)
    }

    /// Whether half of the packets that may be remembered outside of the window wait for a word of the peer, and none that
    /// makes it answer is under way.
    pub(super) fn wants_ping(&self) -> bool {
        self.eliciting == 0 && self.uncounted >= UNCOUNTED_MAX / 2
    }

    /// How many packets are remembered.
    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    pub(super) fn packet(&self, index: usize) -> Option<&Packet> {
        self.packets.get(index)
    }

    /// The index of the first remembered packet whose number is not below `number`.
    pub(super) fn index_of(&self, number: u64) -> usize {
        match self.packets.front() {
            Some(front) if front.number < number => {
                self.packets.partition_point(|p| p.number < number)
            }
            _ => 0,
        }
    }

    /// Forgets all packets; how many bytes were in flight.
    pub(super) fn discard(&mut self) -> u64 {
        let bytes = self
            .packets
            .iter()
            .filter(|p| p.state == State::Outstanding && p.in_flight)
            .map(|p| u64::from(p.bytes))
            .sum();
        self.forgotten += self.outstanding().count() as u64;
        self.packets = VecDeque::new();
        self.frames = VecDeque::new();
        self.late = Late::default();
        self.loss_time = None;
        self.eliciting = 0;
        self.uncounted = 0;
        bytes
    }

    /// What was sent so far went along another path: it leaves the congestion accounts.
    pub(super) fn leave_path(&mut self) {
        self.path_first = self.next;
        self.packets.iter_mut().for_each(|packet| packet.bytes = 0);
    }

    /// Everything happened `by` later.
    pub(super) fn on_leap(&mut self, by: Duration) {
        for packet in &mut self.packets {
            packet.time += by;
        }
        self.late.on_leap(by);
        self.loss_time = self.loss_time.map(|at| at + by);
        self.last_ack_eliciting += by;
        self.last_sent += by;
    }

    pub(super) fn shrink(&mut self) {
        self.packets.shrink_to_fit();
        self.frames.shrink_to_fit();
        self.late.shrink();
    }

    /// The packets of which nothing was heard.
    pub(super) fn outstanding(&self) -> impl Iterator<Item = &Packet> {
        self.packets
            .iter()
            .filter(|packet| packet.state == State::Outstanding)
    }

    /// The frames of packets of which nothing was heard.
    pub(super) fn outstanding_frames(&self) -> impl Iterator<Item = &F> {
        self.outstanding().flat_map(|packet| {
            let first = packet.first_frame.wrapping_sub(self.frames_gone) as usize;
            self.frames.range(first..first + usize::from(packet.frames))
        })
    }

    /// Whether the counts are those of the packets, and every packet has its frames.
    pub(super) fn audit(&self) -> Result<(), Breach> {
        let (mut rising, mut next) = (true, 0);
        let (mut eliciting, mut uncounted) = (0, 0);
        let mut place = self.frames_gone;
        for packet in &self.packets {
            rising &= packet.number >= next;
            next = packet.number.saturating_add(1);
            if packet.state == State::Outstanding {
                eliciting += u32::from(packet.in_flight && packet.ack_eliciting);
                uncounted += u32::from(!packet.in_flight);
            }
            check(packet.first_frame == place, rule::PACKETS, || {
                format!("packet {} has lost its frames", packet.number)
            })?;
            place = place.wrapping_add(u32::from(packet.frames));
        }
        check(rising && next <= self.next, rule::NUMBERS, || {
            format!(
                "sent packets are out of order, or end before {next} with {} next",
                self.next
            )
        })?;
        let was_sent = |number: &u64| {
            let packet = self.packets.get(self.index_of(*number));
            packet.is_some_and(|packet| packet.number == *number)
        };
        let skipped = self.skipped().find(was_sent);
        check(skipped.is_none(), rule::NUMBERS, || {
            format!("{skipped:?} was left out and sent")
        })?;
        let counted = (self.eliciting, self.uncounted);
        check((eliciting, uncounted) == counted, rule::PACKETS, || {
            format!(
                "{eliciting} eliciting and {uncounted} others are outstanding, counted are {counted:?}"
            )
        })?;
        let kept = place.wrapping_sub(self.frames_gone) as usize;
        check(kept == self.frames.len(), rule::PACKETS, || {
            format!("{} frames are kept, packets have {kept}", self.frames.len())
        })?;
        check(self.late.is_well_formed(), rule::PACKETS, || {
            "lost packets are out of order, or without their frames".into()
        })?;
        let late = self.late.len().0;
        check(late <= LATE_MAX, rule::QUEUES, || {
            format!("{late} lost packets are remembered")
        })
    }

    #[cfg(test)]
    pub(super) fn packets(&self) -> impl Iterator<Item = &Packet> {
        self.packets.iter()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> (usize, usize) {
        (self.packets.capacity(), self.frames.capacity())
    }
}

impl<F: Copy> Space<F> {
    /// Remembers a packet under the next number.
    pub(super) fn push(
        &mut self,
        now: Instant,
        sent: Sent,
        snapshot: Snapshot,
        app_limited: bool,
        frames: &[F],
    ) {
        let number = self.next;
        self.next += 1;
        // Numbers and times rise together, also where a clock goes back.
        let time = self.last_sent.max(now);
        self.last_sent = time;
        if sent.in_flight {
            if sent.ack_eliciting {
                self.eliciting += 1;
                self.last_ack_eliciting = now;
            }
        } else if self.uncounted >= UNCOUNTED_MAX && !sent.ack_eliciting {
            self.forgotten += 1;
            return;
        } else {
            self.uncounted += 1;
        }
        self.packets.push_back(Packet {
            number,
            time,
            snapshot,
            bytes: sent.bytes,
            first_frame: self.frames_gone.wrapping_add(self.frames.len() as u32),
            skip: 0,
            frames: frames.len() as u8,
            state: State::Outstanding,
            ack_eliciting: sent.ack_eliciting,
            in_flight: sent.in_flight,
            app_limited,
            marked: sent.marked,
        });
        self.frames.extend(frames);
    }

    /// Remembers packets that leave at the same time, in flight and ack-eliciting, under the next numbers; each has one of the
    /// frames. `snapshot` is that of the time before.
    pub(super) fn push_run(
        &mut self,
        now: Instant,
        sent: Sent,
        snapshot: Snapshot,
        app_limited: bool,
        frames: impl ExactSizeIterator<Item = F>,
    ) {
        let time = self.last_sent.max(now);
        self.last_sent = time;
        let count = frames.len() as u32;
        self.eliciting += count;
        self.last_ack_eliciting = now;
        let (first, bytes) = (self.next, u64::from(sent.bytes));
        let first_frame = self.frames_gone.wrapping_add(self.frames.len() as u32);
        self.packets.extend((0..count).map(|nth| Packet {
            number: first + u64::from(nth),
            time,
            snapshot: snapshot.with_more((u64::from(nth) + 1) * bytes),
            bytes: sent.bytes,
            first_frame: first_frame.wrapping_add(nth),
            skip: 0,
            frames: 1,
            state: State::Outstanding,
            ack_eliciting: true,
            in_flight: true,
            app_limited,
            marked: sent.marked,
        }));
        self.frames.extend(frames);
        self.next += u64::from(count);
    }

    /// Settles an outstanding packet and tells its frames' fate.
    pub(super) fn resolve(&mut self, index: usize, fate: Fate, tell: &mut impl FnMut(Fate, F)) {
        let Some(packet) = self.packets.get_mut(index) else {
            return;
        };
        packet.state = match fate {
            Fate::Acked => State::Acked,
            Fate::Lost | Fate::Late => State::Lost,
        };
        packet.skip = 1;
        if !packet.in_flight {
            self.uncounted -= 1;
        } else if packet.ack_eliciting {
            self.eliciting -= 1;
        }
        let first = packet.first_frame.wrapping_sub(self.frames_gone) as usize;
        let frames = self.frames.range(first..first + usize::from(packet.frames));
        frames.for_each(|frame| tell(fate, *frame));
    }

    /// Settles the oldest packets as acknowledged, as far as they are outstanding and among the `acked`, shows them, tells their
    /// frames' fate and forgets them.
    pub(super) fn pop_acked(
        &mut self,
        acked: &RangeInclusive<u64>,
        show: &mut impl FnMut(&[Packet]),
        tell: &mut impl FnMut(Fate, F),
    ) {
        let is_acked =
            |packet: &&Packet| packet.state == State::Outstanding && acked.contains(&packet.number);
        // The list has two parts, the second of which comes first when the first is gone.
        loop {
            let oldest = self.packets.as_slices().0;
            let (mut count, mut frames) = (0, 0);
            for packet in oldest.iter().take_while(is_acked) {
                #[cfg(test)]
                super::skips::steps::add();
                self.uncounted -= u32::from(!packet.in_flight);
                self.eliciting -= u32::from(packet.in_flight && packet.ack_eliciting);
                count += 1;
                frames += usize::from(packet.frames);
            }
            let Some(oldest) = oldest.get(..count).filter(|_| count > 0) else {
                return;
            };
            show(oldest);
            self.packets.drain(..count);
            let gone = self.frames.drain(..frames);
            gone.for_each(|frame| tell(Fate::Acked, frame));
            self.frames_gone = self.frames_gone.wrapping_add(frames as u32);
        }
    }

    /// The first outstanding packet from `index` on, and its place.
    pub(super) fn next_outstanding(&mut self, index: usize) -> Option<(usize, Packet)> {
        let index = seek(&mut self.packets, index);
        self.packets.get(index).map(|packet| (index, *packet))
    }

    /// Settles a packet as lost, and remembers it in case it turns up; `event` is the congestion event that it belongs to.
    pub(super) fn lose(
        &mut self,
        now: Instant,
        index: usize,
        event: u32,
        tell: &mut impl FnMut(Fate, F),
    ) {
        self.resolve(index, Fate::Lost, tell);
        if let Some(packet) = self.packets.get(index) {
            let first = packet.first_frame.wrapping_sub(self.frames_gone) as usize;
            let frames = self.frames.range(first..first + usize::from(packet.frames));
            self.late.push(now, packet, event, frames.copied());
        }
    }

    /// Shows the frames of the oldest unresolved ack-eliciting packets.
    pub(super) fn oldest(&self, count: usize, show: &mut impl FnMut(F)) {
        let open = |packet: &&Packet| {
            packet.state == State::Outstanding && packet.ack_eliciting && packet.in_flight
        };
        for packet in self.packets.iter().filter(open).take(count) {
            let first = packet.first_frame.wrapping_sub(self.frames_gone) as usize;
            let frames = self.frames.range(first..first + usize::from(packet.frames));
            frames.for_each(|frame| show(*frame));
        }
    }

    /// Shows the frames of the newest unresolved ack-eliciting packet with a number in `range`; the packet's number.
    pub(super) fn newest(
        &self,
        range: core::ops::Range<u64>,
        show: &mut impl FnMut(F),
    ) -> Option<u64> {
        let below = self.packets.range(..self.index_of(range.end)).rev();
        let within = below.take_while(|packet| packet.number >= range.start);
        let packet = within.into_iter().find(|packet| {
            packet.state == State::Outstanding && packet.ack_eliciting && packet.in_flight
        })?;
        let first = packet.first_frame.wrapping_sub(self.frames_gone) as usize;
        let frames = self.frames.range(first..first + usize::from(packet.frames));
        frames.for_each(|frame| show(*frame));
        Some(packet.number)
    }

    /// Forgets settled packets that no unsettled one stands before.
    pub(super) fn forget_resolved(&mut self) {
        while let Some(packet) = self.packets.front() {
            if packet.state == State::Outstanding {
                break;
            }
            self.frames.drain(..usize::from(packet.frames));
            self.frames_gone = self.frames_gone.wrapping_add(u32::from(packet.frames));
            self.packets.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
