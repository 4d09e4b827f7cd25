//! What an ACK frame does (RFC 9002 §5.1, §6.2.1, A.7).

use core::ops::RangeInclusive;
use core::slice;

use super::ecn::Acknowledged;
use super::loss::Losses;
use super::space::{Packet, Space};
use super::{AckError, AckOutcome, Fate, Recovery};
use crate::congestion::Acked;
use crate::crypto::Level;
use crate::ecn::EcnCounts;
use crate::fault::Fault;
use crate::time::{Duration, Instant};
use crate::wire::Ack;

/// The packets that an ACK frame newly acknowledged.
#[derive(Default)]
struct Found {
    packets: u32,
    /// Bytes that were in flight.
    bytes: u64,
    /// Those of them that were sent after the last cut.
    earning: u64,
    ack_eliciting: bool,
    /// Packets of the present path that left with ECT(0).
    marked: u64,
    /// Number and time of the newest.
    newest: Option<(u64, Instant)>,
    /// When the oldest was sent.
    oldest: Option<Instant>,
    /// Nothing is outstanding of what was sent before some of them.
    oldest_ones: bool,
}

impl Found {
    /// Adds packets that were sent one after the other, of a space whose present path began with the number `path_first`; those of
    /// this path are delivered.
    fn add(
        &mut self,
        packets: &[Packet],
        path_first: u64,
        cut_at: Option<Instant>,
        deliver: &mut impl FnMut(&[Packet]),
    ) {
        let (Some(first), Some(last)) = (packets.first(), packets.last()) else {
            return;
        };
        for packet in packets {
            self.ack_eliciting |= packet.ack_eliciting;
            let bytes = u64::from(packet.bytes) * u64::from(packet.in_flight);
            self.bytes += bytes;
            if cut_at.is_none_or(|cut| packet.time > cut) {
                self.earning += bytes;
            }
        }
        self.packets += packets.len() as u32;
        self.oldest = Some(self.oldest.map_or(first.time, |at| at.min(first.time)));
        if self.newest.is_none_or(|(number, _)| last.number > number) {
            self.newest = Some((last.number, last.time));
        }
        let own = packets.partition_point(|packet| packet.number < path_first);
        let own = packets.get(own..).unwrap_or_default();
        self.marked += own.iter().filter(|packet| packet.marked).count() as u64;
        deliver(own);
    }
}

/// What an ACK frame that newly acknowledged packets told.
struct Heard {
    found: Found,
    /// Packets that had been declared lost.
    late: u32,
    /// Its largest number is the largest so far.
    advances: bool,
    /// Bytes in flight before it.
    prior_in_flight: u64,
    /// The newest packet went along the present path.
    is_own: bool,
    /// The newest packet is the largest that the frame names: only then does it tell a round trip (RFC 9002 §5.1).
    is_largest: bool,
}

impl<F: Copy> Recovery<F> {
    /// Takes in an ACK frame: tells `fate` of the frames of packets that are newly acknowledged, or lost in the light of
    /// it. The work grows with the frame's ranges and the packets that change their state (T6).
    ///
    /// # Errors
    /// [`AckError::NeverSent`]; then nothing has changed.
    pub fn on_ack(
        &mut self,
        now: Instant,
        level: Level,
        ack: &Ack<'_>,
        fate: &mut impl FnMut(Fate, F),
    ) -> Result<AckOutcome, AckError> {
        let delay = Duration::from_micros(ack.delay);
        self.on_ack_ranges(now, level, (delay, ack.ecn), || ack.ranges(), fate)
    }

    /// The same for decoded ranges, newest first, that `ranges` gives each time anew; `delay` and `ecn` are the frame's.
    pub(super) fn on_ack_ranges<I: Iterator<Item = RangeInclusive<u64>>>(
        &mut self,
        now: Instant,
        level: Level,
        (delay, ecn): (Duration, Option<EcnCounts>),
        ranges: impl Fn() -> I,
        fate: &mut impl FnMut(Fate, F),
    ) -> Result<AckOutcome, AckError> {
        let Some(largest) = check(self.space(level), ranges())? else {
            return Ok(AckOutcome::default());
        };
        let ignored = usize::from(self.faults.strikes(Fault::AckRangeIgnored));
        let beyond = u64::from(self.faults.strikes(Fault::AckOneTooMany));
        let read = || {
            let read = ranges().skip(ignored);
            read.map(|range| *range.start()..=*range.end() + beyond)
        };
        let prior_in_flight = self.in_flight;
        let cut_at = self.cut_at;
        let late = self.find_late(now, level, read(), fate);
        let space = &mut self.spaces[level as usize];
        let advances = space.largest_acked < Some(largest);
        space.largest_acked = space.largest_acked.max(Some(largest));
        let (delivery, black_hole) = (&mut self.delivery, &mut self.black_hole);
        let mut deliver = |packets: &[Packet]| {
            delivery.on_acked(now, packets);
            black_hole.on_run_acked(packets);
        };
        let found = acknowledge(space, read, cut_at, &mut deliver, fate);
        if found.oldest_ones {
            self.silence.on_next_acked(level);
        }
        if level == Level::Data {
            let next = self.space(level).next;
            self.reordering.on_ack(largest, next);
        }
        let Some((newest, sent)) = found.newest else {
            return Ok(AckOutcome {
                late_packets: late,
                ..AckOutcome::default()
            });
        };
        let heard = Heard {
            found,
            late,
            advances,
            prior_in_flight,
            is_own: newest >= self.space(level).path_first,
            is_largest: newest == largest,
        };
        Ok(self.conclude(now, level, (delay, ecn), (newest, sent), heard, fate))
    }

    /// What follows from an ACK frame that newly acknowledged packets, of which `newest` was the last to be sent: the round trip,
    /// losses, and what congestion control makes of them.
    fn conclude(
        &mut self,
        now: Instant,
        level: Level,
        (delay, ecn): (Duration, Option<EcnCounts>),
        (newest, sent): (u64, Instant),
        heard: Heard,
        fate: &mut impl FnMut(Fate, F),
    ) -> AckOutcome {
        let found = heard.found;
        if !self.faults.strikes(Fault::InFlightMiscounted) {
            self.in_flight -= found.bytes;
        }
        self.counters.acked_packets += u64::from(found.packets);
        self.counters.acked_bytes += found.bytes;
        self.silence
            .on_ack(level, found.oldest.unwrap_or(sent), sent);
        let rtt_sample = (heard.is_largest && found.ack_eliciting && heard.is_own)
            .then(|| self.sample_rtt(now, level, now.since(sent), delay));
        let mut losses = Losses::default();
        self.detect_losses(now, level, &mut losses, fate);
        let acked = Acknowledged {
            marked: found.marked,
            advances: heard.advances,
        };
        let marks = self.on_ecn_counts(now, level, ecn, acked, sent);
        let cut = self.on_losses(now, &losses) || marks;
        self.control.on_ack(&Acked {
            now,
            sent,
            bytes: if cut { 0 } else { found.earning },
            newly_acked: found.bytes,
            newly_lost: losses.bytes,
            prior_in_flight: heard.prior_in_flight,
            in_flight: self.in_flight,
            app_limited: self.app_limited,
            delivered: self.delivery.delivered(),
            rate: self.delivery.sample(self.rtt.min()),
            rtt_sample,
            rtt: &self.rtt,
        });
        if self.control.is_holding_back() {
            self.delivery.on_app_limited(self.in_flight);
        }
        self.pace(now);
        self.timers.on_progress(now, level);
        AckOutcome {
            acked_packets: found.packets,
            acked_bytes: found.bytes,
            largest_acked: Some(newest),
            lost_packets: losses.packets,
            lost_bytes: losses.bytes,
            late_packets: heard.late,
            rtt_sample,
        }
    }

    /// Finds packets in `ranges` that had been declared lost: reordering is what delayed them. How many there are.
    fn find_late(
        &mut self,
        now: Instant,
        level: Level,
        ranges: impl Iterator<Item = RangeInclusive<u64>>,
        fate: &mut impl FnMut(Fate, F),
    ) -> u32 {
        let known_since = self.known_since(now);
        let late = &mut self.space_mut(level).late;
        late.forget(known_since);
        if late.is_empty() {
            return 0;
        }
        let acked_before = self.space(level).largest_acked.unwrap_or(0);
        let mut found = 0;
        for range in ranges {
            #[cfg(test)]
            super::skips::steps::add();
            let space = self.space_mut(level);
            let path_first = space.path_first;
            if space.late.lowest().is_none_or(|it| *range.end() < it) {
                break;
            }
            let mut index = space.late.index_of(*range.start());
            let tell = &mut |frame| fate(Fate::Late, frame);
            while let Some((next, packet)) =
                self.space_mut(level).late.take(index, *range.end(), tell)
            {
                #[cfg(test)]
                super::skips::steps::add();
                index = next;
                found += 1;
                self.on_late(&packet);
                self.silence.on_late(level, packet.sent);
                if packet.number >= path_first {
                    let distance = acked_before.saturating_sub(packet.number);
                    let took = now.since(packet.sent);
                    self.reordering.on_spurious(distance, took, &self.rtt);
                    self.black_hole.on_acked(packet.number, packet.bytes);
                }
            }
        }
        if found > 0 {
            self.undo_cut(now);
        }
        found
    }

    /// RFC 9002 §5.3: Initial packets are not held back, whatever the frame says, and after the handshake the peer's word
    /// counts only as far as it promised.
    fn sample_rtt(
        &mut self,
        now: Instant,
        level: Level,
        sample: Duration,
        delay: Duration,
    ) -> Duration {
        let delay = match level {
            Level::Initial => Duration::ZERO,
            _ if self.timers.handshake_confirmed => delay.min(self.max_ack_delay),
            _ => delay,
        };
        self.rtt.update(sample, delay);
        self.first_sample.get_or_insert(now);
        sample
    }
}

/// T4, T5: every acknowledged number was sent. The largest one.
fn check<F>(
    space: &Space<F>,
    ranges: impl Iterator<Item = RangeInclusive<u64>>,
) -> Result<Option<u64>, AckError> {
    let mut largest = None;
    for range in ranges {
        if *range.end() >= space.next || space.skips_any_of(&range) {
            return Err(AckError::NeverSent);
        }
        largest = largest.or(Some(*range.end()));
    }
    Ok(largest)
}

/// Settles the packets in the ranges, which `ranges` gives each time anew, newest first.
fn acknowledge<F: Copy, I: Iterator<Item = RangeInclusive<u64>>>(
    space: &mut Space<F>,
    ranges: impl Fn() -> I,
    cut_at: Option<Instant>,
    deliver: &mut impl FnMut(&[Packet]),
    fate: &mut impl FnMut(Fate, F),
) -> Found {
    let mut found = Found::default();
    let oldest = |space: &Space<F>| space.packet(0).map_or(u64::MAX, |packet| packet.number);
    // Mostly, the oldest ones have arrived, and the gap between two ranges is a number that was left out (T5): with the lower
    // range gone, the upper one's are the oldest, and go together.
    let first = oldest(space);
    if let Some(range) = ranges().find(|range| *range.start() <= first) {
        settle(space, &range, &mut found, cut_at, deliver, fate);
    }
    for range in ranges() {
        if *range.end() < oldest(space) {
            break;
        }
        #[cfg(test)]
        super::skips::steps::add();
        settle(space, &range, &mut found, cut_at, deliver, fate);
    }
    found
}

/// Settles the packets in the range: the oldest ones together, those that others stand before one by one.
fn settle<F: Copy>(
    space: &mut Space<F>,
    range: &RangeInclusive<u64>,
    found: &mut Found,
    cut_at: Option<Instant>,
    deliver: &mut impl FnMut(&[Packet]),
    fate: &mut impl FnMut(Fate, F),
) {
    let path_first = space.path_first;
    let mut show = |packets: &[Packet]| {
        found.add(packets, path_first, cut_at, deliver);
        found.oldest_ones = true;
    };
    space.pop_acked(range, &mut show, fate);
    let mut index = space.index_of(*range.start());
    while let Some((place, packet)) = space.next_outstanding(index) {
        #[cfg(test)]
        super::skips::steps::add();
        if packet.number > *range.end() {
            break;
        }
        index = place + 1;
        space.resolve(place, Fate::Acked, fate);
        found.add(slice::from_ref(&packet), path_first, cut_at, deliver);
    }
}
