//! Everything that left, summed over every span of time.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    /// Sends a packet or a batch as soon as the pacer lets it go.
    Send(u64),
    /// Sends a probe, whatever the pacer says.
    Probe(u64),
    Wait(u64),
    Rate(u64),
    Quantum(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let rate = (0..28_u32, 1..256_u64).prop_map(|(shift, rate)| rate << shift);
    prop_oneof![
        12 => prop_oneof![4 => 1..9_000_u64, 1 => 9_000..65_507_u64].prop_map(Op::Send),
        2 => (1..9_000_u64).prop_map(Op::Probe),
        4 => prop_oneof![0..3_000_000_u64, 0..20_000_000_000_u64].prop_map(Op::Wait),
        2 => rate.prop_map(Op::Rate),
        1 => (2_400..90_000_u64).prop_map(Op::Quantum),
    ]
}

/// A packet or a batch that left.
struct Left {
    at: Instant,
    bytes: u64,
    /// Byte-nanoseconds that the rates since the beginning were worth until then.
    earned: u128,
    /// What the bucket held at most then; `None` for a probe.
    capacity: Option<u64>,
}

struct Run {
    pacer: Pacer,
    now: Instant,
    rate: u64,
    quantum: u64,
    earned: u128,
    capacity_max: u64,
    left: Vec<Left>,
}

impl Run {
    fn wait(&mut self, nanos: u64) {
        self.now += Duration::from_nanos(nanos);
        self.earned += u128::from(nanos) * u128::from(self.rate);
    }

    fn leave(&mut self, bytes: u64, capacity: Option<u64>) {
        self.pacer.on_sent(self.now, bytes);
        let (at, earned) = (self.now, self.earned);
        self.left.push(Left {
            at,
            bytes,
            earned,
            capacity,
        });
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Send(bytes) => {
                if let Err(later) = self.pacer.ready(self.now, bytes) {
                    assert!(later > self.now, "a busy loop");
                    self.wait(later.since(self.now).as_nanos() as u64);
                    assert_eq!(self.pacer.ready(self.now, bytes), Ok(()));
                }
                let capacity = self.pacer.capacity();
                self.leave(bytes, Some(capacity));
            }
            Op::Probe(bytes) => self.leave(bytes, None),
            Op::Wait(nanos) => self.wait(nanos),
            Op::Rate(rate) => {
                self.pacer.set_rate(self.now, rate, self.quantum);
                self.rate = rate;
            }
            Op::Quantum(bytes) => {
                self.pacer.set_rate(self.now, self.rate, bytes);
                self.quantum = bytes;
            }
        }
        self.capacity_max = self.capacity_max.max(self.pacer.capacity());
    }

    /// Invariant 22: in any span that does not end with a probe, no more leaves than the rates were worth and one bucket,
    /// and a batch that was larger than the bucket.
    fn check(&self) {
        let Some(last) = self.left.last() else { return };
        let Some(capacity) = last.capacity else {
            return;
        };
        let most = self.capacity_max + last.bytes.saturating_sub(capacity);
        let mut sum = 0_u128;
        for first in self.left.iter().rev() {
            sum += u128::from(first.bytes);
            let earned = (last.earned - first.earned).div_ceil(1_000_000_000);
            assert!(
                sum <= earned + u128::from(most),
                "{sum} bytes from {:?} to {:?}",
                first.at,
                last.at
            );
        }
    }
}

proptest! {
    #[test]
    fn no_span_exceeds_the_rates_and_a_burst(
        rate in 1_000..200_000_000_u64,
        ops in prop::collection::vec(op(), 0..120),
    ) {
        let now = Instant::from_nanos(7);
        let pacer = Pacer::new(now, rate, 12_000);
        let capacity_max = pacer.capacity();
        let mut run = Run { pacer, now, rate, quantum: 12_000, earned: 0, capacity_max, left: Vec::new() };
        for op in &ops {
            run.apply(op);
            run.check();
        }
    }

    /// The pacer is no brake: who always asks when told to sends at the rate.
    #[test]
    fn a_greedy_sender_reaches_the_rate(rate in 10_000..200_000_000_u64, bytes in 1..65_507_u64) {
        let mut pacer = Pacer::new(Instant::ZERO, rate, 12_000);
        let (mut now, mut sent) = (Instant::ZERO, 0_u128);
        for _ in 0..200 {
            if let Err(later) = pacer.ready(now, bytes) {
                now = later;
            }
            pacer.on_sent(now, bytes);
            sent += u128::from(bytes);
            let earned = u128::from(now.as_nanos()) * u128::from(rate) / 1_000_000_000;
            let held_back = pacer.capacity().max(bytes) + rate / 1_000;
            prop_assert!(sent + u128::from(held_back) >= earned);
        }
    }
}
