//! CUBIC (RFC 9438) over slow start (RFC 9002 §7.3.1), the first of which HyStart++ ends (RFC 9406).
//!
//! All arithmetic is on integers: time in microseconds, windows in 2^-16 bytes.

mod hystart;

use super::{
    Acked, BYTES_MAX, Controller, Lost, Marked, SentPacket, initial_window, minimum_window,
    window_quantum, window_rate,
};
use crate::recovery::Rtt;
use crate::time::{Duration, Instant};
use hystart::{Growth, HyStart};

/// Fraction bits of a window: growth of less than a byte per acknowledgement must add up.
const FRACTION: u32 = 16;

/// Longest time, in microseconds, that the cubic function is evaluated for: 71 minutes.
const CURVE_MAX: u64 = 1 << 32;

/// A stage of congestion avoidance (RFC 9438 §4.2).
#[derive(Clone, Copy, Debug)]
struct Stage {
    /// When it began, moved on by the time in which the application sent too little for growth.
    start: Instant,
    /// Microseconds until the window is back at `w_max`.
    k: u64,
    /// What Reno's window would be, in 2^-16 bytes (RFC 9438 §4.3).
    reno: u64,
}

/// What a cut changed (RFC 9438 §4.9).
#[derive(Clone, Copy, Debug)]
struct Undo {
    window: u64,
    threshold: u64,
    w_max: u64,
    prior: u64,
    stage: Option<Stage>,
}

/// RFC 9438, with the Reno-friendly region, fast convergence and undo.
#[derive(Clone, Copy, Debug)]
pub struct Cubic {
    datagram: u64,
    /// In 2^-16 bytes.
    window: u64,
    /// Bytes; slow start ends here.
    threshold: u64,
    /// Bytes; the plateau of the curve. 0 when the stage must begin on it (RFC 9438 §4.8, §4.10).
    w_max: u64,
    /// Bytes; the window before the last cut.
    prior: u64,
    stage: Option<Stage>,
    last_ack: Instant,
    hystart: HyStart,
    /// The state before the last cut.
    undo: Option<Undo>,
}

impl Cubic {
    /// The initial window.
    #[must_use]
    pub fn new(datagram_size: u16) -> Self {
        let datagram = u64::from(datagram_size);
        Self {
            datagram,
            window: initial_window(datagram) << FRACTION,
            threshold: u64::MAX,
            w_max: 0,
            prior: 0,
            stage: None,
            last_ack: Instant::ZERO,
            hystart: HyStart::default(),
            undo: None,
        }
    }

    /// Whether the window is in slow start (RFC 9002 §7.3.1).
    #[must_use]
    pub fn in_slow_start(&self) -> bool {
        self.window() < self.threshold
    }

    /// Whether so little was in flight that the window was not tested (RFC 9002 §7.8, RFC 9438 §5.8). Slow start
    /// may run ahead of what is in flight by its doubling.
    fn unused(&self, acked: &Acked<'_>) -> bool {
        let used = if self.in_slow_start() {
            acked.prior_in_flight.saturating_mul(2)
        } else {
            acked.prior_in_flight.saturating_add(3 * self.datagram)
        };
        acked.app_limited && used < self.window()
    }

    /// The application sent too little: the curve stands still for this long (RFC 9438 §5.8).
    fn pause(&mut self, by: Duration) {
        if let Some(stage) = &mut self.stage {
            stage.start += by;
        }
    }

    fn set_window(&mut self, window: u64) {
        let least = minimum_window(self.datagram) << FRACTION;
        self.window = window.clamp(least, BYTES_MAX << FRACTION);
    }

    /// Slow start; HyStart++ may end the first one (RFC 9406 §4.3).
    fn start_slowly(&mut self, acked: &Acked<'_>) {
        let growth = match self.threshold {
            u64::MAX => self.hystart.on_ack(
                acked.bytes,
                acked.rtt_sample,
                acked.rate.map(|rate| rate.prior_delivered),
                acked.delivered,
            ),
            _ => Growth::By(acked.bytes),
        };
        match growth {
            Growth::By(bytes) => {
                let bytes = bytes.min(BYTES_MAX) << FRACTION;
                self.set_window(self.window.saturating_add(bytes));
            }
            Growth::Done => self.threshold = self.window(),
        }
    }

    /// Congestion avoidance (RFC 9438 §4.2 to §4.5).
    fn avoid(&mut self, acked: &Acked<'_>) {
        let window = self.window();
        let bytes = acked.bytes.min(window);
        let mut stage = self.stage.unwrap_or_else(|| {
            if self.w_max <= window {
                self.w_max = window;
            }
            Stage {
                start: acked.now,
                k: time_to_plateau(self.w_max - window, self.datagram),
                reno: self.window,
            }
        });
        let elapsed = micros(acked.now.since(stage.start));
        let curve = |t| cubic_window(self.w_max, stage.k, t, self.datagram);

        // RFC 9438 §4.3: 9/17 is 3 (1 - 0.7) / (1 + 0.7), Reno's growth for a cut to 0.7.
        let growth = fraction_of(self.datagram, bytes, window);
        stage.reno += if stage.reno >> FRACTION < self.prior {
            growth * 9 / 17
        } else {
            growth
        };
        stage.reno = stage.reno.min(BYTES_MAX << FRACTION);

        let next = if curve(elapsed) < stage.reno >> FRACTION {
            self.window.max(stage.reno)
        } else {
            let round = micros(acked.rtt.smoothed());
            let target = curve(elapsed.saturating_add(round)).clamp(window, window + window / 2);
            self.window + fraction_of(target - window, bytes, window)
        };
        self.stage = Some(stage);
        self.set_window(next);
    }

    /// RFC 9438 §4.6, §4.7: the cut to 0.7, and fast convergence.
    fn cut(&mut self) {
        let window = self.window();
        self.undo = Some(Undo {
            window: self.window,
            threshold: self.threshold,
            w_max: self.w_max,
            prior: self.prior,
            stage: self.stage,
        });
        self.prior = window;
        self.w_max = if window < self.w_max {
            window * 17 / 20
        } else {
            window
        };
        self.threshold = (window * 7 / 10).max(minimum_window(self.datagram));
        self.set_window(self.threshold << FRACTION);
        self.stage = None;
    }
}

impl Controller for Cubic {
    fn on_sent(&mut self, sent: &SentPacket) {
        if sent.in_flight == 0 {
            self.pause(sent.now.since(self.last_ack));
            self.last_ack = sent.now;
        }
    }

    fn on_ack(&mut self, acked: &Acked<'_>) {
        if self.unused(acked) {
            self.pause(acked.now.since(self.last_ack));
        } else if acked.bytes > 0 {
            if self.in_slow_start() {
                self.start_slowly(acked);
            } else {
                self.avoid(acked);
            }
        }
        self.last_ack = acked.now;
    }

    fn on_loss_event(&mut self, lost: &Lost) {
        if lost.new_event {
            self.cut();
        }
        if lost.persistent {
            // RFC 9002 §7.6.2, RFC 9438 §4.8: slow start from the bottom, and then a curve without a plateau to regain.
            self.set_window(0);
            self.w_max = 0;
            self.prior = 0;
            self.stage = None;
        }
    }

    fn on_ecn_ce(&mut self, marked: &Marked) {
        if marked.new_event {
            self.cut();
        }
    }

    /// RFC 9438 §4.9.
    fn on_spurious_loss(&mut self, _now: Instant) {
        if let Some(before) = self.undo.take()
            && before.window > self.window
        {
            self.window = before.window;
            self.threshold = before.threshold;
            self.w_max = before.w_max;
            self.prior = before.prior;
            self.stage = before.stage;
        }
    }

    fn on_leap(&mut self, by: Duration) {
        self.last_ack += by;
        self.pause(by);
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
    }

    fn name(&self) -> &'static str {
        "cubic"
    }
}

/// K of RFC 9438 §4.2 in microseconds: the cube root of `below` segments over C = 0.4.
fn time_to_plateau(below: u64, datagram: u64) -> u64 {
    // In cubic microseconds: below / datagram / 0.4 × 10^18.
    let cube =
        u128::from(below.min(BYTES_MAX)) * 2_500_000_000_000_000_000 / u128::from(datagram.max(1));
    cube_root(cube).min(CURVE_MAX)
}

/// W_cubic(t) of RFC 9438 §4.2 in bytes: C (t - K)³ + W_max.
fn cubic_window(w_max: u64, k: u64, t: u64, datagram: u64) -> u64 {
    let distance = u128::from(t.abs_diff(k).min(CURVE_MAX));
    let cube = distance * distance * distance * u128::from(datagram);
    let offset = u64::try_from(cube / 2_500_000_000_000_000_000).unwrap_or(BYTES_MAX);
    if t < k {
        w_max.saturating_sub(offset)
    } else {
        w_max.saturating_add(offset).min(BYTES_MAX)
    }
}

/// The largest integer whose cube is at most `n`.
fn cube_root(n: u128) -> u64 {
    let mut root = 0_u128;
    for bit in (0..42).rev() {
        let next = root | 1 << bit;
        if next * next * next <= n {
            root = next;
        }
    }
    root as u64
}

/// `amount × part / whole` in 2^-16 bytes; all are at most [`BYTES_MAX`].
fn fraction_of(amount: u64, part: u64, whole: u64) -> u64 {
    let exact = (u128::from(amount) << FRACTION) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(exact).unwrap_or(BYTES_MAX << FRACTION)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
