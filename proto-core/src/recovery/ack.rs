//! What an ACK frame does (RFC 9002 §5.1, §6.2.1, A.7).

use core::ops::RangeInclusive;

use super::black_hole::BlackHole;
use super::loss::Losses;
use super::space::{Space, State};
use super::{AckError, AckOutcome, Fate, Recovery};
use crate::congestion::Acked;
use crate::crypto::Level;
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
    /// Number and time of the newest.
    newest: Option<(u64, Instant)>,
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
        self.on_ack_ranges(now, level, delay, || ack.ranges(), fate)
    }

    /// The same for decoded ranges, newest first, that `ranges` gives each time anew.
    pub(super) fn on_ack_ranges<I: Iterator<Item = RangeInclusive<u64>>>(
        &mut self,
        now: Instant,
        level: Level,
        delay: Duration,
        ranges: impl Fn() -> I,
        fate: &mut impl FnMut(Fate, F),
    ) -> Result<AckOutcome, AckError> {
        check(self.space(level), ranges())?;
        let Some(largest) = ranges().next().map(|range| *range.end()) else {
            return Ok(AckOutcome::default());
        };
        let ignored = usize::from(self.faults.strikes(Fault::AckRangeIgnored));
        let beyond = u64::from(self.faults.strikes(Fault::AckOneTooMany));
        let read = ranges()
            .skip(ignored)
            .map(|range| *range.start()..=*range.end() + beyond);
        let prior_in_flight = self.in_flight;
        let cut_at = self.cut_at;
        let mut black_hole = self.black_hole;
        let space = self.space_mut(level);
        space.largest_acked = space.largest_acked.max(Some(largest));
        let found = acknowledge(space, read, cut_at, &mut black_hole, fate);
        self.black_hole = black_hole;
        let Some((newest, sent)) = found.newest else {
            return Ok(AckOutcome::default());
        };
        if !self.faults.strikes(Fault::InFlightMiscounted) {
            self.in_flight -= found.bytes;
        }
        self.counters.acked_packets += u64::from(found.packets);
        self.counters.acked_bytes += found.bytes;

        let own = newest >= self.space(level).path_first;
        let rtt_sample = (newest == largest && found.ack_eliciting && own)
            .then(|| self.sample_rtt(now, level, now.since(sent), delay));
        let mut losses = Losses::default();
        self.detect_losses(now, level, &mut losses, fate);
        let cut = self.on_losses(now, &losses);
        self.control.on_ack(&Acked {
            now,
            sent,
            bytes: if cut { 0 } else { found.earning },
            prior_in_flight,
            in_flight: self.in_flight,
            app_limited: self.app_limited,
            rtt: &self.rtt,
        });
        self.pacer
            .set_rate(now, self.control.pacing_rate(&self.rtt));
        self.timers.on_progress(now, level);
        Ok(AckOutcome {
            acked_packets: found.packets,
            acked_bytes: found.bytes,
            largest_acked: Some(newest),
            lost_packets: losses.packets,
            lost_bytes: losses.bytes,
            rtt_sample,
        })
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

/// T4, T5: every acknowledged number was sent.
fn check<F>(
    space: &Space<F>,
    ranges: impl Iterator<Item = RangeInclusive<u64>>,
) -> Result<(), AckError> {
    for range in ranges {
        if *range.end() >= space.next || space.skipped().any(|skipped| range.contains(&skipped)) {
            return Err(AckError::NeverSent);
        }
    }
    Ok(())
}

/// Settles the packets in `ranges`.
fn acknowledge<F: Copy>(
    space: &mut Space<F>,
    ranges: impl Iterator<Item = RangeInclusive<u64>>,
    cut_at: Option<Instant>,
    black_hole: &mut BlackHole,
    fate: &mut impl FnMut(Fate, F),
) -> Found {
    let mut found = Found::default();
    for range in ranges {
        let oldest = space.packet(0).map_or(u64::MAX, |packet| packet.number);
        if *range.end() < oldest {
            break;
        }
        let mut index = space.index_of(*range.start());
        while let Some(&packet) = space.packet(index) {
            if packet.number > *range.end() {
                break;
            }
            if packet.state == State::Outstanding {
                space.resolve(index, Fate::Acked, fate);
                found.packets += 1;
                found.ack_eliciting |= packet.ack_eliciting;
                if packet.in_flight {
                    let bytes = u64::from(packet.bytes);
                    found.bytes += bytes;
                    black_hole.on_acked(packet.number, packet.bytes);
                    if cut_at.is_none_or(|cut| packet.time > cut) {
                        found.earning += bytes;
                    }
                }
                if found
                    .newest
                    .is_none_or(|(number, _)| packet.number > number)
                {
                    found.newest = Some((packet.number, packet.time));
                }
            }
            index += 1;
        }
    }
    found
}
