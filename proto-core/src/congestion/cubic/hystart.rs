//! HyStart++ (RFC 9406): slow start ends when round trips grow, before the queue overflows.

use core::time::Duration;

/// MIN_RTT_THRESH.
const THRESHOLD_MIN: Duration = Duration::from_millis(4);
/// MAX_RTT_THRESH.
const THRESHOLD_MAX: Duration = Duration::from_millis(16);
/// MIN_RTT_DIVISOR.
const DIVISOR: u32 = 8;
/// N_RTT_SAMPLE.
const SAMPLES: u32 = 8;
/// CSS_GROWTH_DIVISOR.
const CSS_GROWTH_DIVISOR: u64 = 4;
/// CSS_ROUNDS.
const CSS_ROUNDS: u32 = 5;

/// What slow start does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Growth {
    /// Slow start, or conservative slow start: by so many bytes.
    By(u64),
    /// The way up has ended: congestion avoidance begins.
    Done,
}

/// One slow start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HyStart {
    /// The round ends with a packet before which so much had been delivered.
    round_ends: u64,
    last_round_min: Option<Duration>,
    round_min: Option<Duration>,
    samples: u32,
    /// In conservative slow start: the least round trip when it began, and rounds since.
    css: Option<(Duration, u32)>,
}

impl HyStart {
    /// An acknowledgement in slow start (RFC 9406 §4.2).
    pub(super) fn on_ack(
        &mut self,
        acked: u64,
        sample: Option<Duration>,
        prior_delivered: Option<u64>,
        delivered: u64,
    ) -> Growth {
        if prior_delivered.is_some_and(|prior| prior >= self.round_ends) {
            self.round_ends = delivered;
            self.last_round_min = self.round_min.take();
            self.samples = 0;
            if let Some((_, rounds)) = &mut self.css {
                *rounds += 1;
                if *rounds >= CSS_ROUNDS {
                    return Growth::Done;
                }
            }
        }
        if let Some(sample) = sample {
            self.round_min = Some(self.round_min.map_or(sample, |min| min.min(sample)));
            self.samples += 1;
        }
        if let (true, Some(now)) = (self.samples >= SAMPLES, self.round_min) {
            match (self.css, self.last_round_min) {
                (None, Some(last)) => {
                    let threshold = (last / DIVISOR).clamp(THRESHOLD_MIN, THRESHOLD_MAX);
                    if now >= last + threshold {
                        self.css = Some((now, 0));
                    }
                }
                // It was no queue.
                (Some((baseline, _)), _) if now < baseline => self.css = None,
                _ => {}
            }
        }
        match self.css {
            None => Growth::By(acked),
            Some(_) => Growth::By(acked / CSS_GROWTH_DIVISOR),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Run {
        hystart: HyStart,
        delivered: u64,
    }

    impl Run {
        fn new() -> Self {
            Self {
                hystart: HyStart::default(),
                delivered: 0,
            }
        }

        /// A round of so many acknowledgements of 1,000 bytes; what the last of them allows.
        fn round(&mut self, acks: u32, millis: u64) -> Growth {
            let before = self.delivered;
            let mut growth = Growth::Done;
            for n in 0..acks {
                self.delivered += 1_000;
                let prior = if n == 0 {
                    before
                } else {
                    before.saturating_sub(1)
                };
                let sample = Some(Duration::from_millis(millis));
                growth = self
                    .hystart
                    .on_ack(1_000, sample, Some(prior), self.delivered);
                if growth == Growth::Done {
                    break;
                }
            }
            growth
        }
    }

    #[test]
    fn steady_round_trips_double() {
        let mut run = Run::new();
        for _ in 0..20 {
            assert_eq!(run.round(20, 100), Growth::By(1_000));
        }
    }

    /// RFC 9406 §4.2: an eighth of the last round's least, from 4 to 16 ms.
    #[test]
    fn longer_round_trips_slow_it_down_and_five_rounds_end_it() {
        for (before, now, slow) in [
            (100, 112, false),
            (100, 113, true),
            (10, 13, false),
            (10, 14, true),
            (400, 415, false),
            (400, 416, true),
        ] {
            let mut run = Run::new();
            run.round(20, before);
            let growth = run.round(20, now);
            assert_eq!(growth == Growth::By(250), slow, "{before} to {now}");
            if slow {
                for _ in 0..4 {
                    assert_eq!(run.round(20, now), Growth::By(250));
                }
                assert_eq!(run.round(20, now), Growth::Done);
            }
        }
    }

    /// Eight samples are needed.
    #[test]
    fn few_samples_prove_nothing() {
        let mut run = Run::new();
        run.round(20, 100);
        assert_eq!(run.round(7, 150), Growth::By(1_000));
    }

    /// RFC 9406 §4.2: a round trip below the one that began it ends the caution.
    #[test]
    fn a_false_alarm_is_taken_back() {
        let mut run = Run::new();
        run.round(20, 100);
        assert_eq!(run.round(20, 120), Growth::By(250));
        assert_eq!(run.round(20, 119), Growth::By(1_000));
    }
}
