use super::super::testing::{RTT, ack, loss, ms};
use super::*;

const RATE: u64 = 10_000_000;

/// Rounds of 100,000 bytes of which `percent` are lost.
struct Run {
    fixed: Fixed,
    delivered: u64,
}

impl Run {
    fn new() -> Self {
        Self {
            fixed: Fixed::new(RATE, 1_200),
            delivered: 0,
        }
    }

    fn rounds(&mut self, count: usize, percent: u64) -> u64 {
        for _ in 0..count {
            let before = self.delivered;
            self.delivered += (100 - percent) * 1_000;
            self.fixed.on_ack(&Acked {
                newly_lost: percent * 1_000,
                ..ack(before, self.delivered, (100 - percent) * 1_000)
            });
        }
        self.fixed.pacing_rate(&RTT)
    }
}

#[test]
fn the_rate_decides_and_not_the_window() {
    let mut run = Run::new();
    assert_eq!(run.fixed.window(), 12_000, "before the first round trip");
    assert_eq!(run.rounds(20, 0), RATE);
    // 2 × 100 ms + 25 ms at 10 MB/s.
    assert_eq!(run.fixed.window(), 2_250_000);
    run.fixed.on_loss_event(&loss(ms(0)));
    assert_eq!((run.rounds(20, 15), run.fixed.window()), (RATE, 2_250_000));
}

/// RFC 8085 §3.1: more than 15 % of loss in two rounds.
#[test]
fn much_loss_slows_down() {
    let mut run = Run::new();
    run.rounds(1, 0);
    assert_eq!(run.rounds(1, 30), RATE, "one round alone proves nothing");
    assert_eq!(run.rounds(1, 30), RATE * 3 / 4);
    assert!((RATE / 8 - 10_000..=RATE / 8).contains(&run.rounds(20, 30)));
    assert_eq!(run.rounds(30, 3), RATE);
}

/// RFC 9002 §7.6.
#[test]
fn a_dead_path_gets_the_least() {
    let mut run = Run::new();
    run.rounds(3, 0);
    run.fixed.on_loss_event(&Lost {
        persistent: true,
        ..loss(ms(0))
    });
    assert_eq!(run.fixed.window(), 2_400, "invariant 24");
    assert_eq!(run.fixed.pacing_rate(&RTT), RATE / 8);
    assert_eq!(run.rounds(30, 0), RATE);
}

#[test]
fn no_rate_breaks_it() {
    for rate in [0, 1, u64::MAX] {
        let mut fixed = Fixed::new(rate, u16::MAX);
        for rtt in [Rtt::new(Duration::ZERO), Rtt::new(Duration::MAX), RTT] {
            fixed.on_ack(&Acked {
                rtt: &rtt,
                ..ack(0, u64::MAX, u64::MAX / 4)
            });
            assert!((131_070..=BYTES_MAX).contains(&fixed.window()));
            assert!((1..=BYTES_MAX).contains(&fixed.pacing_rate(&rtt)));
        }
    }
}
