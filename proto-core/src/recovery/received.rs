//! What arrived in one packet number space, and what acknowledgement is owed for it.

use alloc::format;
use core::ops::RangeInclusive;

use super::AckFrequency;
use crate::audit::{Breach, check, rule};
use crate::crypto::Level;
use crate::ecn::{Ecn, EcnCounts};
use crate::range_set::RangeSet;
use crate::time::{Duration, Instant};

/// Ranges of packet numbers that are remembered; the oldest is dropped beyond (T6).
pub const RANGES_MAX: usize = 512;

/// Numbers below the newest that stay known although the peer was told of them already (R2).
const REPLAY_WINDOW: u64 = 8_192;

/// The highest packet number (RFC 9000 §12.3).
const NUMBER_MAX: u64 = (1 << 62) - 1;

/// Longest time that an acknowledgement is held back, unless agreed otherwise (RFC 9000 §18.2).
pub const MAX_ACK_DELAY: Duration = Duration::from_millis(25);

/// One packet number space's arrivals.
///
/// A number is accepted once: everything below a floor counts as seen. The floor rises when more than [`RANGES_MAX`]
/// ranges would be needed, and over what the peer knows to have arrived, 8,192 numbers behind the newest. So the window grows with
/// what is in flight.
#[derive(Debug)]
pub struct Received {
    seen: RangeSet,
    /// Numbers below are refused.
    floor: u64,
    /// Numbers below need no acknowledgement any more.
    told: u64,
    /// The lowest number that came since the last acknowledgement; `u64::MAX` when none did.
    unsaid: u64,
    /// When the largest number arrived.
    largest_at: Instant,
    /// One past the largest ack-eliciting number.
    next_expected: u64,
    /// Ack-eliciting packets since the last acknowledgement.
    unanswered: u64,
    /// When an acknowledgement must be sent at the latest; at once when `immediate`.
    deadline: Option<Instant>,
    immediate: bool,
    /// Initial and Handshake packets are acknowledged at once (RFC 9000 §13.2.1).
    prompt: bool,
    frequency: AckFrequency,
    /// The largest number of the last acknowledgement.
    said: Option<u64>,
    /// Packets by their ECN codepoint.
    ecn: EcnCounts,
    /// The last one's.
    last_ecn: Ecn,
}

impl Received {
    /// Nothing arrived yet. `max_ack_delay` is this end's own promise; see [`MAX_ACK_DELAY`].
    #[must_use]
    pub fn new(level: Level, max_ack_delay: Duration) -> Self {
        Self {
            seen: RangeSet::new(),
            floor: 0,
            told: 0,
            unsaid: u64::MAX,
            largest_at: Instant::ZERO,
            next_expected: 0,
            unanswered: 0,
            deadline: None,
            immediate: false,
            prompt: level != Level::Data,
            frequency: AckFrequency {
                delay: max_ack_delay,
                ..AckFrequency::default()
            },
            said: None,
            ecn: EcnCounts::default(),
            last_ecn: Ecn::NotEct,
        }
    }

    /// Whether a packet of this number may still be accepted. Call [`insert`](Self::insert) once it was opened.
    #[inline]
    #[must_use]
    pub fn is_new(&self, number: u64) -> bool {
        number >= self.floor && number <= NUMBER_MAX && !self.seen.contains(number)
    }

    /// A packet was opened. A number that is not [new](Self::is_new) changes nothing; whether it was.
    pub fn insert(&mut self, number: u64, now: Instant, ack_eliciting: bool) -> bool {
        // Mostly, packets come in their turn.
        let largest = self.largest();
        let is_next = self.is_next(number);
        if !is_next && !self.is_new(number) {
            return false;
        }
        if largest.is_none_or(|largest| number > largest) {
            self.largest_at = now;
        }
        match is_next {
            true => self.seen.extend(1),
            false => drop(self.seen.insert(number..number + 1)),
        }
        if ack_eliciting {
            self.owe(number..=number, now);
        }
        // The peer must hear of a straggler, even below what it knows.
        self.told = self.told.min(number);
        self.unsaid = self.unsaid.min(number);
        if self.seen.len() > RANGES_MAX
            && let Some(oldest) = self.seen.pop_first()
        {
            self.floor = oldest.end;
        }
        true
    }

    /// Whether that is the number after the largest one.
    #[must_use]
    pub fn is_next(&self, number: u64) -> bool {
        self.seen
            .last()
            .is_some_and(|last| last.end == number && number <= NUMBER_MAX)
    }

    /// The packet with the [next](Self::is_next) number was opened, which is ack-eliciting and one of a run. The number is no
    /// longer new; what else follows from it does when the run [has ended](Self::on_run).
    pub fn insert_next(&mut self) {
        self.seen.extend(1);
    }

    /// A run has ended: `packets` were [put down](Self::insert_next) one after the other. What follows is what would have followed
    /// from [`insert`](Self::insert) and [`count_ecn`](Self::count_ecn) for each of them.
    pub fn on_run(&mut self, packets: u64, now: Instant, ecn: Ecn) {
        let Some(largest) = self.largest().filter(|_| packets > 0) else {
            return;
        };
        let first = (largest + 1).saturating_sub(packets);
        self.largest_at = now;
        self.owe(first..=largest, now);
        self.told = self.told.min(first);
        self.unsaid = self.unsaid.min(first);
        self.count_ecn(ecn, packets);
    }

    /// The `packets` that were [inserted](Self::insert) last came with that codepoint (RFC 9000 §13.4.1). The first of a run of
    /// CE marks is told at once (RFC 9000 §13.2.1, draft-ietf-quic-ack-frequency §6.4), so that the sender slows down in time.
    pub fn count_ecn(&mut self, ecn: Ecn, packets: u64) {
        self.ecn.count(ecn, packets);
        let news = ecn == Ecn::Ce && self.last_ecn != Ecn::Ce;
        self.immediate |= news && self.unanswered > 0;
        self.last_ecn = ecn;
    }

    /// What an ACK frame should say of codepoints: nothing while no packet came with one.
    #[must_use]
    pub fn ecn_counts(&self) -> Option<EcnCounts> {
        (self.ecn != EcnCounts::default()).then_some(self.ecn)
    }

    /// Notes that an acknowledgement is owed of packets that were put down, and how soon (RFC 9000 §13.2.1).
    fn owe(&mut self, numbers: RangeInclusive<u64>, now: Instant) {
        let (first, last) = (*numbers.start(), *numbers.end());
        self.unanswered = self.unanswered.saturating_add(last - first + 1);
        let news = match self.frequency.reordering {
            0 => false,
            1 => {
                let reordered = first < self.next_expected;
                reordered || !self.seen.covers(self.next_expected..first)
            }
            // What was missing before the first still is.
            distance => self.misses_unsaid(last, distance),
        };
        self.next_expected = self.next_expected.max(last + 1);
        if self.prompt || news || self.unanswered >= self.frequency.packets {
            self.immediate = true;
        }
        if self.deadline.is_none() {
            self.deadline = Some(now + self.frequency.delay);
        }
    }

    /// Whether a missing number that no acknowledgement has told of is `distance` or more below the largest ack-eliciting one:
    /// the sender will take it for lost (draft-ietf-quic-ack-frequency §6.2).
    fn misses_unsaid(&self, number: u64, distance: u64) -> bool {
        // What the last acknowledgement told of is what lies so far below its largest number.
        let told = self
            .said
            .map_or(0, |said| (said + 1).saturating_sub(distance));
        let largest = number.max(self.next_expected.saturating_sub(1));
        let until = (largest + 1).saturating_sub(distance);
        !self.seen.covers(told.max(self.floor)..until)
    }

    /// The peer asked for acknowledgements as rare as that.
    pub fn set_frequency(&mut self, frequency: AckFrequency) {
        self.frequency = frequency;
    }

    /// Whether an acknowledgement must be sent now.
    #[must_use]
    pub fn ack_due(&self, now: Instant) -> bool {
        self.immediate || self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Whether some ack-eliciting packet is unanswered: worth an ACK frame in a packet that is sent anyway.
    #[must_use]
    pub fn ack_owed(&self) -> bool {
        self.unanswered > 0
    }

    /// When an acknowledgement must be sent at the latest. When [one is due](Self::ack_due) already, it may lie ahead.
    #[must_use]
    pub fn ack_deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// What an ACK frame should say, newest first. The newest number is always part of it. The frame's writer stops at
    /// 256 ranges (T6) or when the packet is full.
    pub fn ranges_desc(&self) -> impl Iterator<Item = RangeInclusive<u64>> + Clone + '_ {
        let told = self.told;
        self.seen
            .iter()
            .rev()
            .take_while(move |range| range.end > told)
            .map(move |range| range.start.max(told)..=range.end - 1)
    }

    /// How long ago the largest number arrived.
    #[must_use]
    pub fn delay(&self, now: Instant) -> Duration {
        now.since(self.largest_at)
    }

    /// An ACK frame was sent: nothing is owed any more.
    pub fn on_ack_sent(&mut self) {
        self.said = self.largest();
        self.unsaid = u64::MAX;
        self.unanswered = 0;
        self.deadline = None;
        self.immediate = false;
    }

    /// The peer acknowledged a packet with an ACK frame of ours whose largest number was `largest`: what is at or below
    /// it need not be told again (RFC 9000 §13.2.4), unless it came later than that frame was sent and is still to be
    /// told for the first time.
    pub fn on_ack_acked(&mut self, largest: u64) {
        let Some(newest) = self.largest() else { return };
        let told = largest.saturating_add(1).min(newest).min(self.unsaid);
        self.told = self.told.max(told);
        let floor = self.told.min(newest.saturating_sub(REPLAY_WINDOW));
        if floor > self.floor {
            self.seen.remove(0..floor);
            self.floor = floor;
        }
    }

    /// Gives back memory that a busy time left behind. For a session that turns idle.
    pub fn shrink(&mut self) {
        self.seen.shrink();
    }

    /// Whether the ranges can be those of arrivals; how many numbers they hold.
    pub(crate) fn audit(&self) -> Result<u64, Breach> {
        check(self.seen.is_well_formed(), rule::ACK_RANGES, || {
            format!("the ranges overlap or are out of order: {:?}", self.seen)
        })?;
        check(self.seen.len() <= RANGES_MAX, rule::QUEUES, || {
            format!("{} ranges of packet numbers", self.seen.len())
        })?;
        let below = self
            .seen
            .first()
            .is_some_and(|range| range.start < self.floor);
        let beyond = self.largest().is_some_and(|largest| largest > NUMBER_MAX);
        check(!below && !beyond, rule::ACK_RANGES, || {
            format!(
                "{:?} are not within {}..={NUMBER_MAX}",
                self.seen, self.floor
            )
        })?;
        let owes = !self.immediate || self.unanswered > 0;
        let waits = self.unanswered == 0 || self.deadline.is_some();
        check(owes && waits, rule::TIMERS, || {
            format!(
                "{} packets are unanswered, due {:?}",
                self.unanswered, self.deadline
            )
        })?;
        Ok(self.seen.sum())
    }

    /// The largest number that arrived.
    #[must_use]
    pub fn largest(&self) -> Option<u64> {
        self.seen.last().map(|range| range.end - 1)
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
