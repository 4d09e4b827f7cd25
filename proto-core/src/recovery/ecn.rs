//! Whether the path carries ECN marks, and what they say (RFC 9000 §13.4.2, A.4).
//!
//! ```text
//!            10 marked packets,              an ACK whose counts can be true
//! ┌─────────┐ or 3 PTO       ┌─────────┐                      ┌─────────┐
//! │ testing │ ─────────────▶ │ unknown │ ───────────────────▶ │ capable │
//! │ marks   │                │         │   (from testing too) │ marks   │
//! └─────────┘                └─────────┘                      └─────────┘
//!      counts that cannot be true, all marked packets lost, or ten and none without ECN-CE: failed, without marks, until the next path
//! ```

use super::Recovery;
use crate::congestion::Marked;
use crate::crypto::Level;
use crate::ecn::EcnCounts;
use crate::time::{Duration, Instant};

/// Packets that are marked before it is known what becomes of them (RFC 9000 A.4).
const TEST_PACKETS: u64 = 10;

/// Probe time-outs for which they are (RFC 9000 A.4).
const TEST_PTOS: u32 = 3;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    #[default]
    Testing,
    Unknown,
    Capable,
    Failed,
}

/// Sent marks and what the peer said of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ecn {
    state: State,
    /// Packets marked, by level.
    sent: [u64; 3],
    /// The peer's last word, by level.
    counts: [EcnCounts; 3],
    /// Packets marked on this path, those of them that were lost, and when the first was sent.
    tested: u64,
    lost: u64,
    since: Option<Instant>,
    /// One of this path's packets has arrived as it was sent. Before, marks wait in `held` for what they are worth.
    unmarked_seen: bool,
    held: u64,
}

/// What a frame newly acknowledged, of the present path.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Acknowledged {
    /// Packets that were marked.
    pub(super) marked: u64,
    /// The frame's largest number is higher than any before.
    pub(super) advances: bool,
}

impl Ecn {
    /// Whether the next packet should be marked.
    fn marks(&self, now: Instant, pto: Duration) -> bool {
        match self.state {
            State::Capable => true,
            State::Testing => {
                let span = pto.saturating_mul(TEST_PTOS);
                self.tested < TEST_PACKETS && self.since.is_none_or(|at| now < at + span)
            }
            State::Unknown | State::Failed => false,
        }
    }

    /// A packet goes out, marked or not. The test ends with the first that is not.
    pub(super) fn on_sent(&mut self, now: Instant, level: Level, marked: bool) {
        if marked {
            self.sent[level as usize] += 1;
            self.tested += 1;
            self.since.get_or_insert(now);
        }
        let over = self.tested >= TEST_PACKETS || (!marked && self.tested > 0);
        if self.state == State::Testing && over {
            self.state = State::Unknown;
            self.judge();
        }
    }

    /// Packets were sent while there was no test.
    pub(super) fn on_run_sent(&mut self, level: Level, marked: bool, packets: u64) {
        if marked {
            self.sent[level as usize] += packets;
        }
    }

    /// A marked packet of this path was lost.
    pub(super) fn on_lost(&mut self) {
        self.lost += 1;
        self.judge();
    }

    /// Where all of the test was lost, something on the way drops what is marked (RFC 9000 A.4).
    fn judge(&mut self) {
        if self.state == State::Unknown && self.lost >= self.tested {
            self.state = State::Failed;
        }
    }

    /// Another path: the test begins anew. Counts go on (RFC 9000 §13.4.2).
    pub(super) fn on_new_path(&mut self) {
        *self = Self {
            sent: self.sent,
            counts: self.counts,
            ..Self::default()
        };
    }

    pub(super) fn on_leap(&mut self, by: Duration) {
        self.since = self.since.map(|at| at + by);
    }

    /// An ACK frame, with counts or without (RFC 9000 §13.4.2.1). How many more packets were marked by routers than before;
    /// 0 unless that can be true.
    fn on_ack(&mut self, level: Level, told: Option<EcnCounts>, acked: Acknowledged) -> u64 {
        // An ACK frame that was overtaken says nothing of those after it.
        if !acked.advances {
            return 0;
        }
        let before = self.counts[level as usize];
        let counts = told.unwrap_or(before);
        self.counts[level as usize] = counts;
        if self.state == State::Failed || (told.is_none() && acked.marked == 0) {
            return 0;
        }
        let Some(more) = self.check(level, before, counts, acked.marked) else {
            self.state = State::Failed;
            return 0;
        };
        self.unmarked_seen |= counts.ect0 > before.ect0;
        self.held += more;
        if !self.unmarked_seen && self.held >= TEST_PACKETS {
            // A queue that is full throughout may do that, but rarely; a router with a fault always does, and its marks would
            // slow the session down without end.
            self.state = State::Failed;
            return 0;
        }
        if acked.marked > 0 {
            self.state = State::Capable;
        }
        match self.unmarked_seen {
            true => core::mem::take(&mut self.held),
            false => 0,
        }
    }

    /// How many more CE marks there are; `None` when the counts cannot be true.
    fn check(&self, level: Level, before: EcnCounts, counts: EcnCounts, acked: u64) -> Option<u64> {
        let ect0 = counts.ect0.checked_sub(before.ect0)?;
        let ce = counts.ce.checked_sub(before.ce)?;
        // Both are below 2^62.
        let enough = ect0 + ce >= acked;
        let possible = counts.ect0 + counts.ce <= self.sent[level as usize];
        (enough && possible && counts.ect1 == 0).then_some(ce)
    }
}

impl<F: Copy> Recovery<F> {
    /// Whether the next datagram should leave with ECT(0) in its IP header; then its packets' [`Sent`](super::Sent) says so.
    #[must_use]
    pub fn marks_ecn(&self, now: Instant) -> bool {
        self.ecn.marks(now, self.pto())
    }

    /// Whether packets test just now if the path carries marks: the answer of [`marks_ecn`](Self::marks_ecn) changes with them.
    #[must_use]
    pub fn tests_ecn(&self) -> bool {
        self.ecn.state == State::Testing
    }

    /// Whether the present path is known to carry ECN marks.
    #[must_use]
    pub fn is_ecn_capable(&self) -> bool {
        self.ecn.state == State::Capable
    }

    /// Takes in what an ACK frame says of marks; `sent` is the time of the newest packet that it newly acknowledged. Whether
    /// it is a new congestion event: one for each round trip at most (RFC 9002 §7.1, §7.3.2).
    pub(super) fn on_ecn_counts(
        &mut self,
        now: Instant,
        level: Level,
        told: Option<EcnCounts>,
        acked: Acknowledged,
        sent: Instant,
    ) -> bool {
        let packets = self.ecn.on_ack(level, told, acked);
        if packets == 0 {
            return false;
        }
        self.counters.ecn_ce += packets;
        let new_event = self.cut_at.is_none_or(|cut| sent > cut);
        if new_event {
            self.counters.cuts += 1;
            self.cut_at = Some(now);
            // That packets turn up does not take a mark back.
            self.event = None;
        }
        self.control.on_ecn_ce(&Marked {
            now,
            sent,
            packets,
            in_flight: self.in_flight,
            new_event,
        });
        new_event
    }
}
