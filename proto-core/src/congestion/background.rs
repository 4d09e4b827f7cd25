//! LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus-01): takes what others leave.
//!
//! The window grows while the queue that the path shows is shorter than the target, shrinks in proportion where it is longer,
//! and gives way for two round trips now and then so that the path's own delay stays known. Delay is the round trip, as
//! LEDBAT++ has it. All arithmetic is on integers; windows are in 2^-16 bytes.
//!
//! | what | draft |
//! |---|---|
//! | slow start, at GAIN | §4.1 |
//! | GAIN | §4.2 |
//! | additive increase, multiplicative decrease | §4.3 |
//! | initial and periodic slowdown | §4.4 |
//! | target, at most 60 ms | §4.5 |
//!
//! What differs from the draft: from 16 datagrams on, the target is a sixteenth of the base delay where that is less than
//! 60 ms, and slow start ends on delay after a slowdown too, not only the first time. The draft's values give way to those who fill the queue.
//! `bbr` does not: its probes add a quarter of its share for a round trip and find less than 60 ms, so that neither moved
//! and each kept half of the link. A short target makes each probe a reason to leave.

use super::{
    Acked, BYTES_MAX, Controller, Lost, Marked, SentPacket, initial_window, minimum_window,
    window_quantum, window_rate,
};
use crate::recovery::Rtt;
use crate::time::{Duration, Instant};

/// TARGET at most (§4.5; RFC 6817 §2.5 has 100 ms at most).
const TARGET: Duration = Duration::from_millis(60);
/// TARGET at least: below, a difference between round trips is the noise of bursts and delayed acknowledgements.
const TARGET_MIN: Duration = Duration::from_millis(5);
/// Of fewer datagrams than these, acknowledgements come so rarely that their own delay (RFC 9000 §13.2.1) would pass for a
/// queue: TARGET is whole.
const FEW: u64 = 16;
/// TARGET is this part of the base delay, within these bounds.
const TARGET_PART: u32 = 16;
/// GAIN is 1 over at most so much (§4.2).
const GAIN_MAX: u64 = 16;
/// From one slowdown to the next, nine times as long as it took: it costs a tenth at most (§4.4).
const SLOWDOWN_RATIO: u32 = 9;
/// Of each of the last so many spans the least round trip is known.
const SPANS: usize = 10;
/// Length of such a span: the base delay is the least of the last ten minutes, as in RFC 6817 §3.1.1.
const SPAN: Duration = Duration::from_secs(60);
/// Fraction bits of a window.
const FRACTION: u32 = 16;

/// Where in a slowdown (§4.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slowdown {
    /// The next one begins then, if it is known.
    Due(Option<Instant>),
    /// At two datagrams, for two round trips.
    Low { until: Instant, began: Instant },
    /// Slow start back to the window of before.
    Ramp { began: Instant },
}

/// `background`.
#[derive(Clone, Copy, Debug)]
pub struct Background {
    datagram: u64,
    /// In 2^-16 bytes.
    window: u64,
    /// Bytes; slow start ends here.
    threshold: u64,
    /// The least round trip of each span, the present one first.
    base: [Option<Duration>; SPANS],
    span_began: Instant,
    /// The last four samples: their least is the current delay.
    samples: [Option<Duration>; 4],
    next_sample: usize,
    slowdown: Slowdown,
    /// The first slow start has not ended yet: its end brings the first slowdown.
    initial: bool,
    /// The last cut for delay; at most one a round trip counts in full.
    prior: u64,
}

impl Background {
    /// The initial window: two datagrams (§4.1).
    #[must_use]
    pub fn new(datagram_size: u16) -> Self {
        let datagram = u64::from(datagram_size);
        Self {
            datagram,
            window: minimum_window(datagram) << FRACTION,
            threshold: u64::MAX,
            base: [None; SPANS],
            span_began: Instant::ZERO,
            samples: [None; 4],
            next_sample: 0,
            slowdown: Slowdown::Due(None),
            initial: true,
            prior: 0,
        }
    }

    fn set_window(&mut self, window: u64) {
        let least = minimum_window(self.datagram) << FRACTION;
        self.window = window.clamp(least, BYTES_MAX << FRACTION);
    }

    fn base(&self) -> Option<Duration> {
        self.base.iter().flatten().min().copied()
    }

    /// Notes a round trip (RFC 6817 §2.4.2).
    fn sample(&mut self, now: Instant, rtt: Duration) {
        if now.since(self.span_began) > SPAN && self.base[0].is_some() {
            self.base.rotate_right(1);
            self.base[0] = None;
            self.span_began = now;
        }
        self.base[0] = Some(self.base[0].map_or(rtt, |least| least.min(rtt)));
        self.samples[self.next_sample] = Some(rtt);
        self.next_sample = (self.next_sample + 1) % self.samples.len();
    }

    /// How long packets may wait in queues.
    fn target(&self) -> Duration {
        if self.window() < FEW * self.datagram {
            return TARGET;
        }
        let base = self.base().unwrap_or(Duration::ZERO);
        (base / TARGET_PART).clamp(TARGET_MIN, TARGET)
    }

    /// How long packets wait in queues.
    fn queue(&self) -> Option<Duration> {
        let current = self.samples.iter().flatten().min()?;
        Some(current.saturating_sub(self.base()?))
    }

    /// 1 / GAIN: slower growth on short paths (§4.2): min(16, ceil(2 TARGET / base)).
    fn divisor(&self) -> u64 {
        let Some(base) = self.base() else {
            return GAIN_MAX;
        };
        let ratio = (TARGET.as_nanos() * 2).div_ceil(base.as_nanos().max(1));
        u64::try_from(ratio).unwrap_or(GAIN_MAX).clamp(1, GAIN_MAX)
    }

    /// Slow start, by GAIN; it ends at three quarters of the target (§4.1).
    fn start_up(&mut self, now: Instant, acked: u64, queue: Duration, srtt: Duration) {
        let grown = self
            .window
            .saturating_add((acked.min(BYTES_MAX) << FRACTION) / self.divisor());
        self.set_window(grown);
        let full = queue > self.target() * 3 / 4;
        if !full && self.window() < self.threshold {
            return;
        }
        self.threshold = self.window();
        match self.slowdown {
            Slowdown::Ramp { began } => {
                let rest = now.since(began).saturating_mul(SLOWDOWN_RATIO);
                self.slowdown = Slowdown::Due(Some(now + rest));
            }
            // §4.4: the first slowdown, two round trips after the first slow start.
            Slowdown::Due(_) if self.initial => {
                self.slowdown = Slowdown::Due(Some(now + srtt * 2));
            }
            _ => {}
        }
        self.initial = false;
    }

    /// Additive increase, multiplicative decrease (§4.3): by GAIN × a datagram a round trip, less what the delay beyond the
    /// target asks for, at most half of the window.
    fn avoid(&mut self, acked: u64, queue: Duration) {
        let window = self.window().max(1);
        let acked = acked.min(window);
        let part = |amount: u64| {
            let exact = (u128::from(amount) << FRACTION) * u128::from(acked) / u128::from(window);
            u64::try_from(exact).unwrap_or(BYTES_MAX << FRACTION)
        };
        let rise = part(self.datagram / self.divisor());
        let target = self.target();
        let beyond = queue.saturating_sub(target).as_nanos();
        let fall = u128::from(window) * beyond / target.as_nanos().max(1);
        let fall = part(u64::try_from(fall).unwrap_or(BYTES_MAX).min(window / 2));
        self.set_window(self.window.saturating_add(rise).saturating_sub(fall));
        // What was given up is no way back for slow start.
        self.threshold = self.threshold.min(self.window());
    }

    /// Begins and ends slowdowns (§4.4); whether the window is held low.
    fn slow_down(&mut self, now: Instant, srtt: Duration) -> bool {
        match self.slowdown {
            Slowdown::Due(Some(at)) if now >= at => {
                self.threshold = self.window();
                self.set_window(0);
                self.slowdown = Slowdown::Low {
                    until: now + srtt * 2,
                    began: now,
                };
                true
            }
            Slowdown::Low { until, began } if now >= until => {
                self.slowdown = Slowdown::Ramp { began };
                false
            }
            Slowdown::Low { .. } => true,
            _ => false,
        }
    }

    fn cut(&mut self) {
        self.prior = self.window;
        self.set_window(self.window / 2);
        self.threshold = self.window();
        if self.initial {
            self.initial = false;
            self.slowdown = Slowdown::Due(None);
        }
    }
}

impl Controller for Background {
    fn on_sent(&mut self, _sent: &SentPacket) {}

    fn on_ack(&mut self, acked: &Acked<'_>) {
        if let Some(rtt) = acked.rtt_sample {
            self.sample(acked.now, rtt);
        }
        let srtt = acked.rtt.smoothed();
        if self.slow_down(acked.now, srtt) {
            return;
        }
        let Some(queue) = self.queue() else { return };
        // RFC 9002 §7.8.
        let unused = acked.app_limited && acked.prior_in_flight * 2 < self.window();
        if acked.bytes == 0 || unused {
            return;
        }
        if self.window() < self.threshold {
            self.start_up(acked.now, acked.bytes, queue, srtt);
        } else {
            self.avoid(acked.bytes, queue);
            if let Slowdown::Ramp { began } = self.slowdown {
                let rest = acked.now.since(began).saturating_mul(SLOWDOWN_RATIO);
                self.slowdown = Slowdown::Due(Some(acked.now + rest));
            } else if self.slowdown == Slowdown::Due(None) {
                self.slowdown = Slowdown::Due(Some(acked.now + srtt * 2));
            }
        }
    }

    fn on_loss_event(&mut self, lost: &Lost) {
        if lost.new_event {
            self.cut();
        }
        if lost.persistent {
            self.set_window(0);
        }
    }

    fn on_ecn_ce(&mut self, marked: &Marked) {
        if marked.new_event {
            self.cut();
        }
    }

    fn on_spurious_loss(&mut self, _now: Instant) {
        self.set_window(self.window.max(self.prior));
    }

    fn on_leap(&mut self, by: Duration) {
        self.span_began += by;
        self.slowdown = match self.slowdown {
            Slowdown::Due(at) => Slowdown::Due(at.map(|at| at + by)),
            Slowdown::Low { until, began } => Slowdown::Low {
                until: until + by,
                began: began + by,
            },
            Slowdown::Ramp { began } => Slowdown::Ramp { began: began + by },
        };
    }

    fn set_datagram_size(&mut self, bytes: u16) {
        self.datagram = u64::from(bytes);
        self.set_window(self.window);
    }

    fn window(&self) -> u64 {
        self.window >> FRACTION
    }

    fn pacing_rate(&self, rtt: &Rtt) -> u64 {
        window_rate(self.window(), rtt)
    }

    fn send_quantum(&self, pacing_rate: u64) -> u64 {
        window_quantum(pacing_rate, self.datagram)
            .min(initial_window(self.datagram).max(pacing_rate / 1_000))
    }

    fn name(&self) -> &'static str {
        "background"
    }
}

#[cfg(test)]
mod tests;
