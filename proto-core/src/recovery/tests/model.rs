//! Random sessions against a map of packets that is searched from end to end.

use alloc::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Send {
        level: usize,
        kind: u8,
        frames: u8,
    },
    Skip(usize),
    /// Acknowledges those of the last 64 packets of a level whose bit is set.
    Ack {
        level: usize,
        bits: u64,
    },
    /// Acknowledges everything down to some packets below the newest.
    AckAll {
        level: usize,
        below: u64,
    },
    Wait(u64),
    /// To the deadline.
    Sleep,
    /// The clock goes back.
    Back(u64),
    Discard(usize),
    Confirm,
    Block(bool),
    Idle,
    Shrink,
}

fn step() -> impl Strategy<Value = Step> {
    let level = prop_oneof![Just(0_usize), Just(1), Just(2), Just(2), Just(2)];
    prop_oneof![
        30 => (level.clone(), 0..8_u8, 0..4_u8)
            .prop_map(|(level, kind, frames)| Step::Send { level, kind, frames }),
        2 => level.clone().prop_map(Step::Skip),
        8 => (level.clone(), any::<u64>(), any::<u64>())
            .prop_map(|(level, a, b)| Step::Ack { level, bits: a & b }),
        3 => (level.clone(), 0..6_u64).prop_map(|(level, below)| Step::AckAll { level, below }),
        8 => (0..200_000_u64).prop_map(Step::Wait),
        5 => Just(Step::Sleep),
        1 => (0..4_000_000_000_u64).prop_map(Step::Wait),
        1 => (0..4_000_000_000_u64).prop_map(Step::Back),
        1 => level.prop_map(Step::Discard),
        1 => Just(Step::Confirm),
        1 => any::<bool>().prop_map(Step::Block),
        1 => Just(Step::Idle),
        1 => Just(Step::Shrink),
    ]
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Now {
    InFlight,
    Acked,
    Lost,
    /// Lost, and acknowledged afterwards.
    Late,
    Discarded,
}

#[derive(Clone, Debug)]
struct Known {
    time: Instant,
    bytes: u64,
    in_flight: bool,
    frames: Vec<u32>,
    now: Now,
}

#[derive(Default)]
struct Model {
    packets: [BTreeMap<u64, Known>; 3],
    skipped: [BTreeSet<u64>; 3],
    largest_acked: [Option<u64>; 3],
}

impl Model {
    /// RFC 9002 §6.1, word by word, with thresholds of `packets` and `delay`.
    fn overdue(&self, level: usize, now: Instant, (packets, delay): (u64, Duration)) -> Vec<u64> {
        let Some(largest) = self.largest_acked[level] else {
            return Vec::new();
        };
        self.packets[level]
            .range(..largest)
            .filter(|(_, p)| p.now == Now::InFlight)
            .filter(|(number, p)| largest - *number >= packets || p.time + delay <= now)
            .map(|(number, _)| *number)
            .collect()
    }

    /// Takes the packets to their new state; the frames whose fate must be told for it.
    fn settle(&mut self, level: usize, numbers: &[u64], to: Now) -> BTreeSet<u32> {
        let mut frames = BTreeSet::new();
        for number in numbers {
            let packet = self.packets[level].get_mut(number).unwrap();
            assert_eq!(packet.now, Now::InFlight);
            packet.now = to;
            frames.extend(&packet.frames);
        }
        frames
    }

    fn in_flight(&self) -> u64 {
        let all = self.packets.iter().flat_map(BTreeMap::values);
        all.filter(|p| p.in_flight && p.now == Now::InFlight)
            .map(|p| p.bytes)
            .sum()
    }
}

struct Run {
    bench: Bench,
    model: Model,
    now: Instant,
    told: BTreeSet<u32>,
}

impl Run {
    fn send(&mut self, level: usize, kind: u8, frames: u8) {
        let sent = Sent {
            bytes: 100 + 150 * u32::from(kind),
            ack_eliciting: kind > 1,
            in_flight: kind > 0,
            marked: false,
        };
        let first = self.bench.next_frame;
        let frames: Vec<_> = (first..first + u32::from(frames)).collect();
        self.bench.next_frame += frames.len() as u32;
        let recovery = &mut self.bench.recovery;
        let number = recovery.next_number(Level::ALL[level]);
        recovery.on_packet_sent(self.now, Level::ALL[level], sent, &frames);
        // Times rise with numbers, whatever the clock does.
        let before = self.model.packets[level].last_key_value();
        let before = before.map_or(self.now, |(_, packet)| packet.time.max(self.now));
        let known = Known {
            time: before,
            bytes: u64::from(sent.bytes),
            in_flight: sent.in_flight,
            frames,
            now: Now::InFlight,
        };
        assert!(
            self.model.packets[level].insert(number, known).is_none(),
            "R1"
        );
    }

    /// `numbers` ascend.
    fn ack(&mut self, level: usize, numbers: &[u64]) {
        let Some(&largest) = numbers.last() else {
            return;
        };
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for &number in numbers.iter().rev() {
            match ranges.last_mut() {
                Some((from, _)) if *from == number + 1 => *from = number,
                _ => ranges.push((number, number)),
            }
        }
        let outcome = self.bench.try_ack(self.now, Level::ALL[level], 3, &ranges);
        let left_out = &self.model.skipped[level];
        let recent: BTreeSet<_> = left_out.iter().rev().take(8).collect();
        if numbers.iter().any(|n| recent.contains(n)) {
            assert_eq!(outcome, Err(AckError::NeverSent));
            assert!(self.bench.fates.is_empty());
            return;
        }
        let outcome = outcome.unwrap();
        let model = &mut self.model;
        model.largest_acked[level] = model.largest_acked[level].max(Some(largest));
        let late = self.bench.told(Fate::Late);
        let mut arrived = 0;
        for number in numbers {
            let Some(packet) = model.packets[level].get_mut(number) else {
                continue;
            };
            let is_late = packet.frames.iter().any(|frame| late.contains(frame));
            if is_late {
                assert_eq!(packet.now, Now::Lost);
                assert!(packet.frames.iter().all(|frame| late.contains(frame)));
                packet.now = Now::Late;
                arrived += 1;
            }
        }
        assert!(outcome.late_packets >= arrived);
        self.bench.fates.retain(|(fate, _)| *fate != Fate::Late);
        let open = |n: &&u64| {
            let packet = model.packets[level].get(n);
            packet.is_some_and(|p| p.now == Now::InFlight)
        };
        let acked: Vec<u64> = numbers.iter().filter(open).copied().collect();
        assert_eq!(outcome.acked_packets as usize, acked.len());
        assert_eq!(outcome.largest_acked, acked.last().copied());
        if acked.is_empty() {
            assert!(self.bench.fates.is_empty());
            return;
        }
        let acked = model.settle(level, &acked, Now::Acked);
        let lost = model.overdue(level, self.now, self.bench.thresholds());
        assert_eq!(outcome.lost_packets as usize, lost.len());
        let lost = model.settle(level, &lost, Now::Lost);
        self.expect(&acked, &lost);
    }

    fn timeout(&mut self) {
        for _ in 0..8 {
            // RFC 9002 A.10: an estimate that another space has changed since moves no deadline.
            let due = self.bench.recovery.spaces.each_ref().map(|s| s.loss_time);
            match self.bench.timeout(self.now) {
                OnTimeout::None => {
                    assert!(self.bench.fates.is_empty());
                    let deadline = self.bench.recovery.deadline();
                    assert!(deadline.is_none_or(|(at, _)| at > self.now), "invariant 19");
                    return;
                }
                OnTimeout::Probe(_) => assert!(self.bench.fates.is_empty()),
                OnTimeout::LossDetected => {
                    let mut lost = BTreeSet::new();
                    for level in (0..3).filter(|l| due[*l].is_some_and(|at| at <= self.now)) {
                        let numbers = self.model.overdue(level, self.now, self.bench.thresholds());
                        lost.extend(self.model.settle(level, &numbers, Now::Lost));
                    }
                    self.expect(&BTreeSet::new(), &lost);
                }
            }
        }
        panic!("on_timeout does not come to rest");
    }

    /// The fates told since the last step are these, each once in all time.
    fn expect(&mut self, acked: &BTreeSet<u32>, lost: &BTreeSet<u32>) {
        for (fate, frames) in [(Fate::Acked, acked), (Fate::Lost, lost)] {
            let told = self.bench.told(fate);
            assert_eq!(told.len(), frames.len());
            assert_eq!(&told.into_iter().collect::<BTreeSet<_>>(), frames);
        }
        for (_, frame) in self.bench.fates.drain(..) {
            assert!(self.told.insert(frame), "told twice");
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Send {
                level,
                kind,
                frames,
            } => self.send(level, kind, frames),
            Step::Skip(level) => {
                let number = self.bench.recovery.next_number(Level::ALL[level]);
                self.bench.recovery.skip_number(Level::ALL[level]);
                self.model.skipped[level].insert(number);
            }
            Step::Ack { level, bits } => {
                let next = self.bench.recovery.next_number(Level::ALL[level]);
                let numbers: Vec<_> = (next.saturating_sub(64)..next)
                    .filter(|n| bits >> (n % 64) & 1 == 1)
                    .collect();
                self.ack(level, &numbers);
            }
            Step::AckAll { level, below } => {
                let next = self.bench.recovery.next_number(Level::ALL[level]);
                let skipped = &self.model.skipped[level];
                let numbers: Vec<_> = (0..next.saturating_sub(below))
                    .filter(|n| !skipped.contains(n))
                    .collect();
                self.ack(level, &numbers);
            }
            Step::Wait(micros) => self.now += Duration::from_micros(micros),
            Step::Sleep => {
                // Not to the end of time: backoff over leaps of the clock can reach it.
                let deadline = self.bench.recovery.deadline().map(|(at, _)| at);
                if let Some(at) = deadline.filter(|at| *at < self.now + ms(86_400_000)) {
                    self.now = self.now.max(at);
                }
                self.timeout();
            }
            Step::Back(micros) => self.now = self.now - Duration::from_micros(micros),
            Step::Discard(level) => {
                self.bench.recovery.discard(Level::ALL[level]);
                for packet in self.model.packets[level].values_mut() {
                    if packet.now == Now::InFlight {
                        packet.now = Now::Discarded;
                    }
                }
            }
            Step::Confirm => self.bench.recovery.set_handshake_confirmed(),
            Step::Block(blocked) => self.bench.recovery.set_blocked_by_amplification(blocked),
            Step::Idle => self.bench.recovery.on_app_limited(),
            Step::Shrink => self.bench.recovery.shrink(),
        }
    }

    /// Invariants 11, 15 and 24, after every step.
    fn check(&mut self) {
        let recovery = &mut self.bench.recovery;
        let known = self.model.packets.iter().flat_map(BTreeMap::values);
        let open = known.filter(|p| p.now == Now::InFlight).count();
        let held = recovery.spaces.iter().flat_map(Space::packets);
        assert_eq!(
            held.filter(|p| p.state == space::State::Outstanding)
                .count(),
            open
        );
        assert_eq!(recovery.in_flight(), self.model.in_flight());
        assert!(recovery.window() >= 2_400);
        if let Err(later) = recovery.pacing(self.now, 1_200) {
            assert!(later > self.now);
        }
    }
}

proptest! {
    #[test]
    fn every_packet_is_in_flight_acked_lost_or_discarded(
        is_server: bool,
        steps in prop::collection::vec(step(), 1..300),
    ) {
        let mut run = Run {
            bench: Bench::new(is_server),
            model: Model::default(),
            now: at(10_000),
            told: BTreeSet::new(),
        };
        for step in steps {
            run.step(step);
            run.check();
        }
    }
}
