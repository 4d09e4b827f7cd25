//! Against a list of everything that arrived, which is searched from end to end.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    /// A packet so many numbers from the newest one, upwards or downwards.
    Arrive {
        from_newest: i64,
        eliciting: bool,
    },
    /// Packets behind the newest one, each so many numbers after the one before.
    Run {
        count: u64,
        stride: u64,
        eliciting: bool,
    },
    Wait(u64),
    /// An ACK frame leaves.
    Answer,
    /// The peer has an ACK frame, so many before the last one.
    Told {
        before: usize,
    },
    Shrink,
}

fn op() -> impl Strategy<Value = Op> {
    let near = prop_oneof![8 => -8..9_i64, 2 => -600..600_i64, 1 => -20_000..20_000_i64];
    prop_oneof![
        10 => (near, any::<bool>())
            .prop_map(|(from_newest, eliciting)| Op::Arrive { from_newest, eliciting }),
        2 => (0..300_u64, 1..3_u64, any::<bool>())
            .prop_map(|(count, stride, eliciting)| Op::Run { count, stride, eliciting }),
        1 => Just(Op::Run { count: 600, stride: 2, eliciting: true }),
        3 => (0..40_u64).prop_map(Op::Wait),
        5 => Just(Op::Answer),
        3 => (0..4_usize).prop_map(|before| Op::Told { before }),
        1 => Just(Op::Shrink),
    ]
}

struct Model {
    prompt: bool,
    now: Instant,
    accepted: BTreeSet<u64>,
    /// Numbers below count as seen.
    floor: u64,
    /// The newest number, and when it came.
    newest: Option<(u64, Instant)>,
    newest_eliciting: Option<u64>,
    /// What no ACK frame has answered: ack-eliciting numbers, in the order of their arrival.
    unanswered: Vec<u64>,
    first_unanswered: Option<Instant>,
    immediate: bool,
    /// The largest number of each ACK frame.
    answers: Vec<u64>,
    /// The peer has ACK frames with largest numbers below this one.
    told: u64,
}

impl Model {
    fn is_new(&self, number: u64) -> bool {
        number >= self.floor && number < 1 << 62 && !self.accepted.contains(&number)
    }

    /// Ranges of what is remembered, lowest first.
    fn ranges(&self) -> Vec<RangeInclusive<u64>> {
        let mut ranges: Vec<RangeInclusive<u64>> = Vec::new();
        for &number in self.accepted.range(self.floor..) {
            match ranges.last_mut() {
                Some(last) if *last.end() + 1 == number => *last = *last.start()..=number,
                _ => ranges.push(number..=number),
            }
        }
        ranges
    }

    fn arrive(&mut self, received: &mut Received, number: u64, eliciting: bool) {
        let new = self.is_new(number);
        assert_eq!(received.is_new(number), new);
        let before = received.largest();
        received.insert(number, self.now, eliciting);
        assert!(!received.is_new(number), "invariant 6");
        if !new {
            assert_eq!(received.largest(), before);
            return;
        }
        if eliciting {
            // RFC 9000 §13.2.1: late, or behind something that is missing.
            let next = self.newest_eliciting.map_or(0, |newest| newest + 1);
            let late = number < next;
            let gap = (next..number).any(|n| self.is_new(n));
            self.unanswered.push(number);
            self.first_unanswered.get_or_insert(self.now);
            self.immediate |= self.prompt || late || gap || self.unanswered.len() >= 2;
            self.newest_eliciting = self.newest_eliciting.max(Some(number));
        }
        if self.newest.is_none_or(|(newest, _)| number > newest) {
            self.newest = Some((number, self.now));
        }
        self.accepted.insert(number);
        let ranges = self.ranges();
        if ranges.len() > RANGES_MAX {
            self.floor = ranges[0].end() + 1;
        }
    }

    fn apply(&mut self, received: &mut Received, op: &Op) {
        let newest = self.newest.map_or(0, |(newest, _)| newest);
        match *op {
            Op::Arrive {
                from_newest,
                eliciting,
            } => {
                self.arrive(
                    received,
                    newest.saturating_add_signed(from_newest),
                    eliciting,
                );
            }
            Op::Run {
                count,
                stride,
                eliciting,
            } => {
                for n in 1..=count {
                    self.arrive(received, newest + n * stride, eliciting);
                }
            }
            Op::Wait(millis) => self.now += Duration::from_millis(millis),
            Op::Answer => {
                // RFC 9000 §13.2.1: every ack-eliciting packet is acknowledged at least once.
                let told: Vec<_> = received.ranges_desc().collect();
                for number in self.unanswered.drain(..).filter(|n| *n >= self.floor) {
                    let named = told.iter().any(|range| range.contains(&number));
                    assert!(named, "{number} goes unanswered");
                }
                received.on_ack_sent();
                self.answers.extend(self.newest.map(|(newest, _)| newest));
                self.first_unanswered = None;
                self.immediate = false;
            }
            Op::Told { before } => {
                let Some(&largest) = self.answers.iter().rev().nth(before) else {
                    return;
                };
                received.on_ack_acked(largest);
                self.told = self.told.max(largest + 1);
                // R2: 8,192 numbers stay known, and whatever the peer may not know.
                let window = newest.saturating_sub(REPLAY_WINDOW).min(self.told);
                assert!((self.floor..=self.floor.max(window)).contains(&received.floor));
                self.floor = received.floor;
            }
            Op::Shrink => received.shrink(),
        }
    }

    fn check(&self, received: &Received) {
        assert_eq!(received.largest(), self.newest.map(|(newest, _)| newest));
        assert_eq!(received.ack_owed(), !self.unanswered.is_empty());
        let deadline = self.first_unanswered.map(|at| at + MAX_ACK_DELAY);
        assert_eq!(received.ack_deadline(), deadline);
        let due = self.immediate || deadline.is_some_and(|at| at <= self.now);
        assert_eq!(received.ack_due(self.now), due);
        let Some((newest, at)) = self.newest else {
            return;
        };
        assert_eq!(received.delay(self.now), self.now.since(at));
        // Invariant 14: what is said of a range is what is remembered of it, down to some number and with the newest one.
        let told: Vec<_> = received.ranges_desc().collect();
        let mut all = self.ranges();
        assert!(all.len() <= RANGES_MAX, "T6");
        let lowest = told.last().map_or(0, |range| *range.start());
        all.retain(|range| *range.end() >= lowest);
        if let Some(first) = all.first_mut() {
            *first = lowest.max(*first.start())..=*first.end();
        }
        all.reverse();
        assert_eq!(&told, &all);
        assert!(told.first().is_some_and(|range| *range.end() == newest));
        for near in newest.saturating_sub(12)..newest + 3 {
            assert_eq!(received.is_new(near), self.is_new(near), "{near}");
        }
        for number in [0, self.floor.saturating_sub(1), self.floor, u64::MAX] {
            assert_eq!(received.is_new(number), self.is_new(number), "{number}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn behaves_like_a_list_of_arrivals(
        handshake: bool,
        ops in prop::collection::vec(op(), 0..60),
    ) {
        let level = if handshake { Level::Handshake } else { Level::Data };
        let mut received = Received::new(level, MAX_ACK_DELAY);
        let mut model = Model {
            prompt: handshake,
            now: Instant::from_nanos(1 << 40),
            accepted: BTreeSet::new(),
            floor: 0,
            newest: None,
            newest_eliciting: None,
            unanswered: Vec::new(),
            first_unanswered: None,
            immediate: false,
            answers: Vec::new(),
            told: 0,
        };
        for op in &ops {
            model.apply(&mut received, op);
            model.check(&received);
        }
    }
}
