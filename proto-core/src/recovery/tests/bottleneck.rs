//! A sender with endless data over one bottleneck: a drop-tail queue, a delay, random loss of data.

use alloc::collections::VecDeque;
use core::ops::RangeInclusive;

use super::*;

const TICK: u64 = 100_000;
const DATAGRAM: u64 = 1_200;

struct Path {
    /// Bytes per second.
    rate: u64,
    /// Nanoseconds each way.
    delay: u64,
    /// Bytes that wait at most.
    queue: u64,
    /// Lost of 1,000.
    loss: u64,
}

struct Run {
    path: Path,
    bench: Bench,
    receiver: Received,
    /// Nanoseconds when the bottleneck is done with what it has taken.
    busy_until: u64,
    data: VecDeque<(u64, u64)>,
    acks: VecDeque<(u64, Vec<RangeInclusive<u64>>)>,
    random: u64,
    arrived: u64,
}

impl Run {
    fn new(path: Path) -> Self {
        let mut bench = Bench::new(true);
        bench.recovery.set_handshake_confirmed();
        Self {
            path,
            bench,
            receiver: Received::new(Level::Data, MAX_ACK_DELAY),
            busy_until: 0,
            data: VecDeque::new(),
            acks: VecDeque::new(),
            random: 1,
            arrived: 0,
        }
    }

    fn send(&mut self, now: u64) {
        let number = self.bench.send(Instant::from_nanos(now));
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let waiting = self.busy_until.saturating_sub(now) * self.path.rate / 1_000_000_000;
        if (self.random >> 33) % 1_000 < self.path.loss || waiting > self.path.queue {
            return;
        }
        self.busy_until = self.busy_until.max(now) + DATAGRAM * 1_000_000_000 / self.path.rate;
        self.data
            .push_back((self.busy_until + self.path.delay, number));
    }

    fn receive(&mut self, now: u64) {
        let at = Instant::from_nanos(now);
        while let Some(&(arrival, number)) = self.data.front()
            && arrival <= now
        {
            self.data.pop_front();
            self.receiver.insert(number, at, true);
            self.arrived += DATAGRAM;
        }
        if self.receiver.ack_due(at) {
            let ranges = self.receiver.ranges_desc().take(256).collect();
            self.receiver.on_ack_sent();
            self.acks.push_back((now + self.path.delay, ranges));
        }
    }

    fn step(&mut self, now: u64) {
        let at = Instant::from_nanos(now);
        self.receive(now);
        while let Some((arrival, _)) = self.acks.front()
            && *arrival <= now
        {
            let (_, ranges) = self.acks.pop_front().unwrap();
            let recovery = &mut self.bench.recovery;
            let ack = || ranges.iter().cloned();
            recovery
                .on_ack_ranges(at, Level::Data, (Duration::ZERO, None), ack, &mut |_, _| {})
                .unwrap();
            self.receiver.on_ack_acked(*ranges[0].end());
        }
        while let OnTimeout::LossDetected | OnTimeout::Probe(_) = match self.bench.timeout(at) {
            OnTimeout::Probe(level) => {
                self.send(now);
                OnTimeout::Probe(level)
            }
            other => other,
        } {}
        while self.bench.recovery.congestion_room() >= DATAGRAM
            && self.bench.recovery.pacing(at, DATAGRAM).is_ok()
        {
            self.send(now);
        }
        let recovery = &self.bench.recovery;
        // Invariant 19; and a sender that waits has something to wait for.
        assert!(
            recovery
                .deadline()
                .is_some_and(|(deadline, _)| deadline > at)
        );
    }

    /// Bytes per second that arrive between two times in seconds.
    fn rate(&mut self, from: u64, to: u64) -> u64 {
        for now in (0..from * 1_000_000_000).step_by(TICK as usize) {
            self.step(now);
        }
        let before = self.arrived;
        for now in (from * 1_000_000_000..to * 1_000_000_000).step_by(TICK as usize) {
            self.step(now);
        }
        (self.arrived - before) / (to - from)
    }
}

fn megabits(n: u64) -> u64 {
    n * 125_000
}

/// From shallow to deep queues, after slow start: nothing idles, and few packets are lost.
#[test]
fn fills_the_path() {
    for (rate, delay, rounds) in [(50, 10, 1), (50, 50, 1), (10, 100, 1), (50, 25, 4)] {
        let rate = megabits(rate);
        let delay = delay * 1_000_000;
        let mut run = Run::new(Path {
            rate,
            delay,
            queue: rounds * rate * 2 * delay / 1_000_000_000,
            loss: 0,
        });
        let got = run.rate(5, 20);
        assert!(got >= rate * 98 / 100, "{got} of {rate}");
        let counters = run.bench.recovery.counters();
        assert!(
            counters.lost_packets * 20 < counters.sent_packets,
            "{counters:?}"
        );
        assert_eq!(counters.probes, 0);
    }
}

/// At these rates of loss RFC 9438 §5.1 expects Reno's 1.22 × size / (round trip × √loss), here worked out by hand. At
/// 30 % only some progress is asked for.
#[test]
fn random_loss_costs_what_reno_pays() {
    for (loss, delay, expected) in [
        (10, 25, 292_800..=292_800),
        (10, 50, 146_400..=146_400),
        (50, 50, 65_474..=65_474),
        (300, 50, 5_000..=26_000),
    ] {
        let delay = delay * 1_000_000;
        let mut run = Run::new(Path {
            rate: megabits(50),
            delay,
            queue: 1_000_000,
            loss,
        });
        let got = run.rate(5, 65);
        let within = expected.start() * 7 / 10..=expected.end() * 13 / 10;
        assert!(within.contains(&got), "{got} for {expected:?}");
        let counters = run.bench.recovery.counters();
        assert!(
            counters.cuts <= 65_000_000_000 / (2 * delay),
            "invariant 23"
        );
    }
}

/// A window that the peer's socket keeps from being used gets its eight acknowledgements all the same: with those of the
/// whole window, the sender would stand still until the receiver's timer.
#[test]
fn acknowledgements_follow_what_may_be_in_flight() {
    let rate = megabits(50);
    let mut run = Run::new(Path {
        rate,
        delay: 25_000_000,
        queue: rate / 20,
        loss: 0,
    });
    run.rate(4, 5);
    let recovery = &run.bench.recovery;
    let window = recovery.window() / 1_200;
    assert!(window > 200, "{window}");
    assert_eq!(recovery.ack_frequency(u64::MAX).packets, window / 8);
    assert_eq!(recovery.ack_frequency(64 * 1_200).packets, 8);
    assert_eq!(recovery.ack_frequency(1_200).packets, 2);
}
