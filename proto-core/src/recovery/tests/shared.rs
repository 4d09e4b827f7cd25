//! Senders with endless data that share one bottleneck: a drop-tail queue, a delay, loss and reordering of data.

mod change;

use alloc::collections::VecDeque;
use core::ops::RangeInclusive;

use super::*;

const TICK: u64 = 100_000;
const DATAGRAM: u64 = 1_200;
const SECOND: u64 = 1_000_000_000;

/// How data is lost besides the queue's drops.
#[derive(Clone, Copy, Debug)]
enum Loss {
    None,
    /// So many of a million, each for itself.
    Random(u64),
    /// Gilbert-Elliott: so many of a million in runs of ten.
    Bursts(u64),
}

#[derive(Clone, Copy, Debug)]
struct Path {
    /// Megabits per second.
    rate: u64,
    /// Milliseconds there and back.
    rtt: u64,
    /// Thousandths of a BDP.
    queue: u64,
    loss: Loss,
    /// Of a million, held back for a tenth of the round trip.
    reorder: u64,
}

const CLEAN: Path = Path {
    rate: 50,
    rtt: 50,
    queue: 1_000,
    loss: Loss::None,
    reorder: 0,
};

struct Flow {
    bench: Bench,
    receiver: Received,
    acks: VecDeque<(u64, Vec<RangeInclusive<u64>>)>,
    start: u64,
    arrived: u64,
    sent: u64,
    dropped: u64,
    unacked: u64,
}

struct Run {
    path: Path,
    flows: Vec<Flow>,
    now: u64,
    /// When the bottleneck is done with what it has taken.
    busy_until: u64,
    /// Arrival, flow, number.
    data: Vec<VecDeque<(u64, u64)>>,
    late: Vec<(u64, usize, u64)>,
    random: u64,
    in_burst: bool,
    /// Sum of waits in the queue, at each tick, and ticks.
    waits: u64,
    ticks: u64,
}

impl Run {
    fn new(path: Path, flows: &[(CongestionControl, u64)]) -> Self {
        let flow = |&(control, start): &(CongestionControl, u64)| {
            let mut bench = Bench::with(control, true);
            bench.recovery.set_handshake_confirmed();
            Flow {
                bench,
                receiver: Received::new(Level::Data, MAX_ACK_DELAY),
                acks: VecDeque::new(),
                start: start * SECOND,
                arrived: 0,
                sent: 0,
                dropped: 0,
                unacked: 0,
            }
        };
        Self {
            path,
            flows: flows.iter().map(flow).collect(),
            now: 0,
            busy_until: 0,
            data: vec![VecDeque::new(); flows.len()],
            late: Vec::new(),
            random: 1,
            in_burst: false,
            waits: 0,
            ticks: 0,
        }
    }

    fn chance(&mut self) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.random >> 33) % 1_000_000
    }

    fn lost(&mut self) -> bool {
        match self.path.loss {
            Loss::None => false,
            Loss::Random(ppm) => self.chance() < ppm,
            Loss::Bursts(ppm) => {
                let leave = 100_000;
                let enter = leave * ppm / (1_000_000 - ppm);
                let chance = self.chance();
                self.in_burst = if self.in_burst {
                    chance >= leave
                } else {
                    chance < enter
                };
                self.in_burst
            }
        }
    }

    fn rate(&self) -> u64 {
        self.path.rate * 125_000
    }

    fn send(&mut self, of: usize) {
        let now = self.now;
        let number = self.flows[of].bench.send(Instant::from_nanos(now));
        self.flows[of].sent += 1;
        if self.lost() {
            return;
        }
        let rate = self.rate();
        let room = rate * self.path.rtt / 1_000 * self.path.queue / 1_000;
        let waiting = self.busy_until.saturating_sub(now) * rate / SECOND;
        if waiting + DATAGRAM > room.max(2 * DATAGRAM) {
            self.flows[of].dropped += 1;
            return;
        }
        self.busy_until = self.busy_until.max(now) + DATAGRAM * SECOND / rate;
        let arrival = self.busy_until + self.path.rtt * 500_000;
        if self.chance() < self.path.reorder {
            let later = arrival + self.path.rtt * 100_000;
            self.late.push((later, of, number));
        } else {
            self.data[of].push_back((arrival, number));
        }
    }

    fn receive(&mut self, of: usize) {
        let (now, at) = (self.now, Instant::from_nanos(self.now));
        let flow = &mut self.flows[of];
        let mut arrived = Vec::new();
        while let Some(&(arrival, number)) = self.data[of].front()
            && arrival <= now
        {
            self.data[of].pop_front();
            arrived.push(number);
        }
        self.late.retain(|&(arrival, flow, number)| {
            let here = flow == of && arrival <= now;
            if here {
                arrived.push(number);
            }
            !here
        });
        for number in arrived {
            flow.receiver.insert(number, at, true);
            flow.arrived += DATAGRAM;
            flow.unacked += 1;
        }
        if flow.receiver.ack_due(at) && flow.unacked > 0 {
            flow.unacked = 0;
            let ranges = flow.receiver.ranges_desc().take(256).collect();
            flow.receiver.on_ack_sent();
            flow.acks.push_back((now + self.path.rtt * 500_000, ranges));
        }
    }

    fn step_flow(&mut self, of: usize) {
        let (now, at) = (self.now, Instant::from_nanos(self.now));
        if now < self.flows[of].start {
            return;
        }
        self.receive(of);
        let flow = &mut self.flows[of];
        while let Some((arrival, _)) = flow.acks.front()
            && *arrival <= now
        {
            let (_, ranges) = flow.acks.pop_front().unwrap();
            let ack = || ranges.iter().cloned();
            flow.bench
                .recovery
                .on_ack_ranges(at, Level::Data, (Duration::ZERO, None), ack, &mut |_, _| {})
                .unwrap();
            flow.receiver.on_ack_acked(*ranges[0].end());
        }
        loop {
            match self.flows[of].bench.timeout(at) {
                OnTimeout::Probe(_) => self.send(of),
                OnTimeout::LossDetected => {}
                OnTimeout::None => break,
            }
        }
        while self.flows[of].bench.recovery.congestion_room() >= DATAGRAM
            && self.flows[of].bench.recovery.pacing(at, DATAGRAM).is_ok()
        {
            self.send(of);
        }
    }

    /// Up to so many tenths of a second from the beginning; what each flow got meanwhile, bytes.
    fn until(&mut self, tenths: u64) -> Vec<u64> {
        let before: Vec<u64> = self.flows.iter().map(|flow| flow.arrived).collect();
        (self.waits, self.ticks) = (0, 0);
        while self.now < tenths * SECOND / 10 {
            for of in 0..self.flows.len() {
                self.step_flow(of);
            }
            self.waits += self.busy_until.saturating_sub(self.now);
            self.ticks += 1;
            self.now += TICK;
        }
        let got = self.flows.iter().zip(before);
        got.map(|(flow, before)| flow.arrived - before).collect()
    }

    /// The mean wait in the queue since the last call of `until` began, in thousandths of the round trip.
    fn queue(&self) -> u64 {
        self.waits / self.ticks.max(1) / (self.path.rtt * 1_000)
    }

    /// Thousandths of the link that bytes in so many seconds are.
    fn share(&self, bytes: u64, seconds: u64) -> u64 {
        bytes * 1_000 / (self.rate() * seconds)
    }
}

/// One flow over a path: its share of the link in so many seconds, the mean queue and the counts.
struct Alone {
    share: u64,
    queue: u64,
    /// Thousandths of what arrived.
    sent: u64,
}

fn alone(control: CongestionControl, path: Path, seconds: u64) -> Alone {
    let mut run = Run::new(path, &[(control, 0)]);
    let got = run.until(seconds * 10);
    let flow = &run.flows[0];
    Alone {
        share: run.share(got[0], seconds),
        queue: run.queue(),
        sent: flow.sent * DATAGRAM * 1_000 / flow.arrived,
    }
}

/// Shares of flows between two times in seconds, and thousandths of their packets that the queue dropped.
fn together(path: Path, flows: &[(CongestionControl, u64)], from: u64, to: u64) -> (Vec<u64>, u64) {
    let mut run = Run::new(path, flows);
    run.until(from * 10);
    let got = run.until(to * 10);
    let shares = got.iter().map(|got| run.share(*got, to - from)).collect();
    let sum = |of: fn(&Flow) -> u64| run.flows.iter().map(of).sum::<u64>();
    (
        shares,
        sum(|flow| flow.dropped) * 1_000 / sum(|flow| flow.sent),
    )
}

fn jain(shares: &[u64]) -> u64 {
    let sum: u64 = shares.iter().sum();
    let squares: u64 = shares.iter().map(|share| share * share).sum();
    sum * sum * 1_000 / (squares * shares.len() as u64)
}

const BBR: CongestionControl = CongestionControl::Bbr;
const CUBIC: CongestionControl = CongestionControl::Cubic;

/// Start-up included. The most is 0.99 (the pacing margin) less about ten round trips of 20 s.
#[test]
fn bbr_fills_the_path_at_any_loss_and_depth() {
    let random = |ppm| Path {
        rtt: 100,
        loss: Loss::Random(ppm),
        ..CLEAN
    };
    let bursts = Path {
        rtt: 100,
        loss: Loss::Bursts(20_000),
        ..CLEAN
    };
    let deep = |queue| Path {
        rtt: 100,
        queue,
        ..CLEAN
    };
    for (path, least) in [
        (CLEAN, 960),
        (Path { rtt: 20, ..CLEAN }, 970),
        (random(0), 940),
        (random(1_000), 940),
        (random(10_000), 940),
        (random(50_000), 930),
        (
            Path {
                rtt: 300,
                ..random(20_000)
            },
            850,
        ),
        (
            Path {
                reorder: 20_000,
                ..random(10_000)
            },
            920,
        ),
        (bursts, 900),
        (deep(100), 860),
        (
            Path {
                rtt: 20,
                ..deep(100)
            },
            860,
        ),
        (deep(8_000), 940),
    ] {
        let got = alone(BBR, path, 20);
        assert!(got.share >= least, "{} of {least} over {path:?}", got.share);
        assert!(got.queue <= 500, "a queue of {} over {path:?}", got.queue);
        assert!(got.sent <= 1_090, "{} sent over {path:?}", got.sent);
    }
}

/// Steady state at 1 BDP: 90 of 100 at 1 % and 86 at 5 %.
#[test]
fn bbr_at_100_megabits() {
    for (ppm, least) in [(10_000, 900), (50_000, 860)] {
        for rtt in [100, 200, 300] {
            let path = Path {
                rate: 100,
                rtt,
                loss: Loss::Random(ppm),
                ..CLEAN
            };
            let (shares, _) = together(path, &[(BBR, 0)], 10, 30);
            assert!(shares[0] >= least, "{} at {ppm}, {rtt} ms", shares[0]);
        }
    }
}

/// 30 %: growth ends, packets go on.
#[test]
fn thirty_percent_goes_on() {
    for control in [BBR, CUBIC, CongestionControl::Fixed(2_000_000)] {
        let path = Path {
            loss: Loss::Random(300_000),
            ..CLEAN
        };
        let got = alone(control, path, 60);
        assert!(got.share >= 1, "{control}: {}", got.share);
    }
}

/// Jain's index of two flows, from thirty seconds after the later one began.
fn shared_after_thirty_seconds(rtt: u64, queue: u64, start: u64) -> u64 {
    let path = Path {
        rtt,
        queue,
        ..CLEAN
    };
    let flows = [(BBR, 0), (BBR, start)];
    let (shares, dropped) = together(path, &flows, start + 30, start + 60);
    assert!(shares.iter().sum::<u64>() >= 900, "{shares:?}");
    assert!(dropped <= 30, "{dropped}");
    jain(&shares)
}

#[test]
fn two_flows_of_bbr_share() {
    for (rtt, queue, start) in [
        (20, 500, 0),
        (20, 500, 10),
        (20, 1_000, 0),
        (20, 1_000, 10),
        (50, 1_000, 0),
        (50, 4_000, 0),
        (100, 1_000, 10),
    ] {
        let index = shared_after_thirty_seconds(rtt, queue, start);
        assert!(index >= 950, "{index} at {rtt} ms, {queue}, {start}");
    }
}

#[test]
fn a_late_flow_of_bbr_gets_its_share_at_50_ms() {
    for queue in [1_000, 4_000] {
        let index = shared_after_thirty_seconds(50, queue, 10);
        assert!(index >= 950, "{index} at {queue}");
    }
}

/// The weaker one gets a fifth, and few packets are dropped.
#[test]
fn bbr_beside_cubic() {
    for (rate, rtt) in [(50, 50), (50, 20), (50, 100), (100, 40)] {
        for queue in [500, 1_000, 4_000] {
            let path = Path {
                rate,
                rtt,
                queue,
                ..CLEAN
            };
            let (shares, dropped) = together(path, &[(BBR, 0), (CUBIC, 0)], 0, 60);
            let weaker = shares.iter().min().copied().unwrap_or(0);
            assert!(weaker >= 200, "{shares:?} at {rtt} ms, {queue}");
            assert!(dropped <= 30, "{dropped}");
        }
    }
}

const BACKGROUND: CongestionControl = CongestionControl::Background;

/// What `other` gets beside background, which joins after 5 s.
fn beside_background(other: CongestionControl, queue: u64) -> u64 {
    let path = Path { queue, ..CLEAN };
    let (shares, _) = together(path, &[(other, 0), (BACKGROUND, 5)], 10, 60);
    shares[0]
}

/// It takes what there is when it is alone.
#[test]
fn background_gives_way_to_bbr() {
    assert!(beside_background(BBR, 1_000) >= 900);
    let (shares, _) = together(CLEAN, &[(BACKGROUND, 0)], 10, 60);
    assert!(shares[0] >= 750, "alone: {shares:?}");
}

#[test]
fn background_leaves_nine_tenths_in_deep_queues_and_beside_cubic() {
    for (other, queue) in [(CUBIC, 1_000), (CUBIC, 4_000), (BBR, 4_000)] {
        let share = beside_background(other, queue);
        assert!(share >= 900, "{share} beside {other} at {queue}");
    }
}

/// Twice what the link carries is not for ever: more than 15 % are lost. Half of it is sent as told, whatever is lost.
#[test]
fn a_fixed_rate() {
    let half = CongestionControl::Fixed(50 * 125_000 / 2);
    let lossy = Path {
        loss: Loss::Random(50_000),
        ..CLEAN
    };
    let got = alone(half, lossy, 20);
    assert!((460..=490).contains(&got.share), "{}", got.share);
    let got = alone(CongestionControl::Fixed(50 * 125_000 * 2), CLEAN, 20);
    assert!(
        got.share >= 900 && got.sent < 1_250,
        "{} {}",
        got.share,
        got.sent
    );
}
