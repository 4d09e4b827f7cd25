//! Senders with endless data that share one bottleneck: a drop-tail queue, a delay, loss and reordering of data.

use alloc::collections::VecDeque;
use core::ops::RangeInclusive;

use super::*;

const TICK: u64 = 100_000;
const DATAGRAM: u64 = 1_200;
const SECOND: u64 = 1_000_000_000;

/// How data is lost besides the queue's drops.
#[derive(Clone, Copy)]
enum Loss {
    None,
    /// So many of a million, each for itself.
    Random(u64),
    /// Gilbert-Elliott: so many of a million in runs of ten.
    Bursts(u64),
}

#[derive(Clone, Copy)]
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
    ack_every: u64,
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
                ack_every: 2,
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
                .on_ack_ranges(at, Level::Data, Duration::ZERO, ack, &mut |_, _| {})
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

#[test]
#[ignore = "a tool"]
fn trace() {
    let env = |name: &str, default: u64| std::env::var(name).ok().map_or(default, |v| v.parse().unwrap());
    let path = Path {
        rate: env("RATE", 50),
        rtt: env("RTT", 50),
        queue: env("QUEUE", 1000),
        loss: match (env("LOSS", 0), env("BURST", 0)) {
            (0, 0) => Loss::None,
            (0, ppm) => Loss::Bursts(ppm),
            (ppm, _) => Loss::Random(ppm),
        },
        reorder: env("REORDER", 0),
    };
    let flows: Vec<(CongestionControl, u64)> = std::env::var("FLOWS").unwrap_or("bbr".into()).split(',').map(|f| {
        let (name, start) = f.split_once('@').unwrap_or((f, "0"));
        (name.parse().unwrap(), start.parse().unwrap())
    }).collect();
    let mut run = Run::new(path, &flows);
    let seconds = env("SECONDS", 10);
    let every = env("EVERY", 1);
    let mut total = vec![0; flows.len()];
    let mut wait = 0;
    for tenth in (every..=seconds * 10).step_by(every as usize) {
        let got = run.until(tenth);
        wait += run.queue();
        let mut line = std::format!("{:5.1} q={:4} ", tenth as f64 / 10.0, run.queue());
        for (n, flow) in run.flows.iter().enumerate() {
            if tenth > env("FROM", 0) * 10 { total[n] += got[n]; }
            let r = &flow.bench.recovery;
            line += &std::format!(" | {:5.2} w={} f={} srtt={:.1} lost={} {}", got[n] as f64 * 80.0 / every as f64/ 1e6 , r.window() / 1200, r.in_flight() / 1200, r.rtt().smoothed().as_secs_f64()*1e3, r.counters().lost_packets, r.control.trace());
        }
        if env("QUIET", 0) == 0 { std::println!("{line}"); }
    }
    for (n, flow) in run.flows.iter().enumerate() {
        std::println!("flow {n}: share {} sent/arrived {:.3} dropped {:.4} queue {}", run.share(total[n], seconds - env("FROM", 0)), flow.sent as f64 * 1200.0 / flow.arrived as f64, flow.dropped as f64 / flow.sent as f64, wait * every / (seconds*10));
    }
}
