//! RFC 9002 case by case; `model` holds the whole against a naive version.

mod ack;
mod bottleneck;
mod cuts;
mod ecn;
mod edges;
mod loss;
mod model;
mod path;
mod reordering;
mod run;
mod shared;
mod silence;
mod timer;
mod work;

use super::*;
use alloc::vec::Vec;

/// Milliseconds after the epoch.
fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A session's recovery, and the fates that it told.
struct Bench {
    recovery: Recovery<u32>,
    fates: Vec<(Fate, u32)>,
    next_frame: u32,
}

impl Bench {
    fn new(is_server: bool) -> Self {
        Self::with(CongestionControl::Cubic, is_server)
    }

    fn with(control: CongestionControl, is_server: bool) -> Self {
        let settings = Settings {
            control,
            datagram_size: 1_200,
            max_ack_delay: MAX_ACK_DELAY,
            is_server,
            initial_rtt: INITIAL_RTT,
        };
        Self {
            recovery: Recovery::new(settings, at(0)),
            fates: Vec::new(),
            next_frame: 0,
        }
    }

    /// A server whose handshake is confirmed and whose round-trip time is `rtt` ms; 1-RTT packet 0 is spent on it.
    fn confirmed(rtt: u64) -> Self {
        let mut bench = Self::new(true);
        bench.recovery.set_handshake_confirmed();
        bench.send(at(0));
        bench.ack(at(rtt), &[(0, 0)]);
        assert_eq!(bench.recovery.rtt().smoothed(), ms(rtt));
        bench.fates.clear();
        bench
    }

    /// A full 1-RTT datagram with one frame, numbered as they come.
    fn send(&mut self, now: Instant) -> u64 {
        self.send_at(now, Level::Data)
    }

    fn send_at(&mut self, now: Instant, level: Level) -> u64 {
        let number = self.recovery.next_number(level);
        let sent = Sent {
            bytes: 1_200,
            ack_eliciting: true,
            in_flight: true,
            marked: false,
        };
        self.recovery
            .on_packet_sent(now, level, sent, &[self.next_frame]);
        self.next_frame += 1;
        number
    }

    /// An acknowledgement of 1-RTT packets.
    fn ack(&mut self, now: Instant, ranges: &[(u64, u64)]) -> AckOutcome {
        self.try_ack(now, Level::Data, 0, ranges).unwrap()
    }

    /// `ranges` are inclusive, newest first; the delay is in milliseconds.
    fn try_ack(
        &mut self,
        now: Instant,
        level: Level,
        delay: u64,
        ranges: &[(u64, u64)],
    ) -> Result<AckOutcome, AckError> {
        let fates = &mut self.fates;
        let ranges = || ranges.iter().map(|&(from, to)| from..=to);
        self.recovery
            .on_ack_ranges(now, level, (ms(delay), None), ranges, &mut |fate, frame| {
                fates.push((fate, frame));
            })
    }

    fn timeout(&mut self, now: Instant) -> OnTimeout {
        let fates = &mut self.fates;
        self.recovery
            .on_timeout(now, &mut |fate, frame| fates.push((fate, frame)))
    }

    /// What tells reordering from loss now.
    fn thresholds(&self) -> (u64, Duration) {
        let of = &self.recovery.reordering;
        (of.packets(), of.delay(self.recovery.rtt()))
    }

    /// The frames that met `fate`.
    fn told(&self, fate: Fate) -> Vec<u32> {
        let of = self.fates.iter().filter(|(f, _)| *f == fate);
        of.map(|(_, frame)| *frame).collect()
    }
}
