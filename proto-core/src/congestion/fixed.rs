//! A rate that somebody chose, for networks that belong to the transfer alone. No control but this: a path that loses more
//! than 15 % for two rounds is not what it was said to be (RFC 8085 §3.1), and gets less until it does not.

use super::round::Round;
use super::{
    Acked, BYTES_MAX, Controller, Lost, Marked, SentPacket, initial_window, minimum_window,
};
use crate::recovery::Rtt;
use crate::time::Duration;

/// The whole of the rate; less is sent after much loss.
const WHOLE: u64 = 1_024;

/// The least part of it.
const LEAST: u64 = WHOLE / 8;

/// Acknowledgements may come in heaps of this time.
const ACK_DELAY: Duration = Duration::from_millis(25);

/// Longer round trips get no larger window.
const ROUND_MAX: Duration = Duration::from_secs(10);

/// `fixed:RATE`.
#[derive(Clone, Copy, Debug)]
pub struct Fixed {
    datagram: u64,
    /// Bytes per second.
    rate: u64,
    /// Of [`WHOLE`].
    part: u64,
    /// The last round lost too much, too.
    lossy: bool,
    window: u64,
    round: Round,
}

impl Fixed {
    /// The initial window; the rate's own comes with the first round-trip time.
    #[must_use]
    pub fn new(rate: u64, datagram_size: u16) -> Self {
        let datagram = u64::from(datagram_size);
        Self {
            datagram,
            rate: rate.clamp(1, BYTES_MAX),
            part: WHOLE,
            lossy: false,
            window: initial_window(datagram),
            round: Round::default(),
        }
    }

    fn part_of_rate(&self) -> u64 {
        (self.rate * self.part / WHOLE).max(1)
    }

    /// Two round trips at that rate: the rate decides and not the window, but what a dead path swallows is bounded.
    fn set_window(&mut self, rtt: &Rtt) {
        let span = (rtt.min().min(ROUND_MAX) * 2 + ACK_DELAY).as_nanos();
        let window = u128::from(self.part_of_rate()) * span / 1_000_000_000;
        let window = u64::try_from(window).unwrap_or(BYTES_MAX);
        self.window = window.clamp(initial_window(self.datagram), BYTES_MAX);
    }
}

impl Controller for Fixed {
    fn on_sent(&mut self, _sent: &SentPacket) {}

    fn on_ack(&mut self, acked: &Acked<'_>) {
        if let Some(ended) = self.round.on_ack(acked) {
            let lossy = ended.loses_more_than(150);
            if lossy && self.lossy {
                self.part = (self.part * 3 / 4).max(LEAST);
            } else if !lossy {
                self.part = (self.part + self.part / 8).min(WHOLE);
            }
            self.lossy = lossy;
        }
        if acked.rtt.is_sampled() {
            self.set_window(acked.rtt);
        }
    }

    fn on_loss_event(&mut self, lost: &Lost) {
        if lost.persistent {
            self.part = LEAST;
            self.window = minimum_window(self.datagram);
        }
    }

    fn on_ecn_ce(&mut self, _marked: &Marked) {}

    fn set_datagram_size(&mut self, bytes: u16) {
        self.datagram = u64::from(bytes);
        self.window = self.window.max(minimum_window(self.datagram));
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn pacing_rate(&self, _rtt: &Rtt) -> u64 {
        self.part_of_rate()
    }

    fn send_quantum(&self, pacing_rate: u64) -> u64 {
        super::window_quantum(pacing_rate, self.datagram)
    }

    fn name(&self) -> &'static str {
        "fixed"
    }
}

#[cfg(test)]
mod tests;
