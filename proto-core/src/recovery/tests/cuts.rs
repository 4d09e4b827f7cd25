//! Invariant 23 over random sessions: the window falls at most once for all that was in flight when it fell.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Send(u8),
    /// Acknowledges those of the last 64 packets whose bit is set.
    Ack(u64),
    Wait(u64),
    /// To the deadline.
    Sleep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..20_u8).prop_map(Step::Send),
        6 => prop_oneof![any::<u64>(), (0..64_u32).prop_map(|bit| u64::MAX << bit)]
            .prop_map(Step::Ack),
        4 => (0..150_u64).prop_map(Step::Wait),
        1 => Just(Step::Sleep),
    ]
}

struct Run {
    bench: Bench,
    now: Instant,
    /// When each frame was sent; there is one in a packet.
    sent: Vec<Instant>,
    cut_at: Option<Instant>,
    /// What `cut_at` was before the last cut.
    cut_before: Option<Instant>,
    undone: u64,
    window: u64,
}

impl Run {
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Send(count) => {
                for _ in 0..count {
                    self.bench.send(self.now);
                    self.sent.push(self.now);
                }
            }
            Step::Ack(bits) => {
                let next = self.bench.recovery.next_number(Level::Data);
                let known = (next.saturating_sub(64)..next).rev();
                let known = known.filter(|n| bits >> (n % 64) & 1 == 1);
                let ranges: Vec<_> = known.map(|n| (n, n)).collect();
                if !ranges.is_empty() {
                    self.bench.ack(self.now, &ranges);
                }
            }
            Step::Wait(millis) => self.now += ms(millis),
            Step::Sleep => {
                if let Some((at, Timer::Loss)) = self.bench.recovery.deadline() {
                    self.now = self.now.max(at);
                    self.bench.timeout(self.now);
                }
            }
        }
    }

    fn check(&mut self) {
        let window = self.bench.recovery.window();
        let undone = self.bench.recovery.counters().undone_cuts;
        if undone > self.undone {
            self.undone = undone;
            self.cut_at = self.cut_before;
        }
        if window < self.window {
            let lost = self.bench.told(Fate::Lost).into_iter();
            let newest = lost.map(|frame| self.sent[frame as usize]).max();
            assert!(newest > self.cut_at, "a second cut for one flight");
            // After persistent congestion a new count begins (RFC 9002 §7.6.2).
            let bottom = window == 2 * 1_200;
            self.cut_before = self.cut_at;
            self.cut_at = (!bottom).then_some(self.now);
            assert!(bottom || window >= self.window * 7 / 10 - 1);
        }
        self.window = window;
        self.bench.fates.clear();
    }
}

proptest! {
    #[test]
    fn one_cut_for_one_flight(rtt in 1..200_u64, steps in prop::collection::vec(step(), 0..150)) {
        let bench = Bench::confirmed(rtt);
        let window = bench.recovery.window();
        // The packet that the round-trip time was measured with is the first frame.
        let mut run = Run {
            bench,
            now: at(1_000),
            sent: vec![at(0)],
            cut_at: None,
            cut_before: None,
            undone: 0,
            window,
        };
        for step in &steps {
            run.step(step);
            run.check();
        }
    }
}
