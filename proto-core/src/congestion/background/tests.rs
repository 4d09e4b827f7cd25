//! draft-irtf-iccrg-ledbat-plus-plus, in rounds.

use super::super::testing::{RTT, ack, loss, ms};
use super::*;

const DATAGRAM: u64 = 1_000;

struct Bench {
    control: Background,
    now: u64,
}

impl Bench {
    fn new() -> Self {
        Self {
            control: Background::new(DATAGRAM as u16),
            now: 0,
        }
    }

    /// A window is acknowledged, `millis` after it was sent.
    fn round(&mut self, millis: u64) {
        self.now += millis;
        for _ in 0..self.control.window() / DATAGRAM {
            self.control.on_ack(&Acked {
                now: ms(self.now),
                rtt_sample: Some(Duration::from_millis(millis)),
                ..ack(0, 0, DATAGRAM)
            });
        }
    }

    fn datagrams(&self) -> u64 {
        self.control.window() / DATAGRAM
    }

    /// In congestion avoidance, at so many datagrams, with a base delay of 100 ms and no slowdown for a while.
    fn steady(datagrams: u64) -> Self {
        let mut bench = Self::new();
        bench.round(100);
        bench.control.initial = false;
        bench.control.threshold = 1;
        bench.control.set_window((datagrams * DATAGRAM) << FRACTION);
        bench.control.slowdown = Slowdown::Due(Some(ms(1_000_000)));
        bench
    }
}

/// §4.1, §4.2: from two datagrams, at GAIN: 2 × 60 ms of 100 ms are two.
#[test]
fn slow_start_grows_by_gain() {
    let mut bench = Bench::new();
    assert_eq!(bench.datagrams(), 2);
    bench.round(100);
    assert_eq!(bench.datagrams(), 3);
    for _ in 0..5 {
        bench.round(100);
    }
    assert!(
        (15..=23).contains(&bench.datagrams()),
        "{}",
        bench.datagrams()
    );
    // On a path of 1 ms, a sixteenth.
    assert_eq!(Bench::new().control.divisor(), 16);
}

/// §4.1, §4.4: it ends at three quarters of the target; two round trips later comes the first slowdown, of two datagrams for
/// two round trips, and then slow start back.
#[test]
fn the_initial_slowdown() {
    let mut bench = Bench::new();
    for _ in 0..8 {
        bench.round(100);
    }
    let before = bench.datagrams();
    bench.round(104);
    assert!(bench.control.initial, "4 ms are not more than 4.7 ms");
    bench.round(105);
    assert!(!bench.control.initial);
    assert!(bench.datagrams() >= before);
    while bench.datagrams() > 2 {
        bench.round(104);
        assert!(bench.now < 3_000, "no slowdown");
    }
    let low = bench.now;
    while bench.datagrams() == 2 {
        bench.round(100);
    }
    assert!((200..=500).contains(&(bench.now - low)));
    let threshold = bench.control.threshold;
    while bench.control.window() < threshold {
        bench.round(100);
    }
    // The next is nine times as far away as this one took.
    let took = bench.now - low;
    let Slowdown::Due(Some(next)) = bench.control.slowdown else {
        panic!("{:?}", bench.control.slowdown)
    };
    let wait = next.since(ms(bench.now)).as_millis() as u64;
    assert!((took * 8..=took * 10).contains(&wait), "{took} {wait}");
}

/// A sixteenth of the path, 5 to 60 ms (§4.5); 60 ms for so few datagrams that acknowledgements may wait.
#[test]
fn the_target_follows_the_path() {
    for (base, micros) in [
        (1, 5_000),
        (80, 5_000),
        (100, 6_250),
        (960, 60_000),
        (2_000, 60_000),
    ] {
        let mut control = Background::new(1_000);
        control.sample(ms(0), Duration::from_millis(base));
        assert_eq!(control.target(), TARGET, "few datagrams");
        control.set_window(16_000 << FRACTION);
        assert_eq!(control.target(), Duration::from_micros(micros), "{base}");
    }
}

/// Not of the draft: who came while the window was low keeps what it took.
#[test]
fn slow_start_after_a_slowdown_ends_on_delay_too() {
    let mut bench = Bench::steady(100);
    bench.control.slowdown = Slowdown::Due(Some(ms(bench.now)));
    bench.round(100);
    assert_eq!(bench.datagrams(), 2);
    while bench.datagrams() < 20 {
        bench.round(100);
    }
    assert!(matches!(bench.control.slowdown, Slowdown::Ramp { .. }));
    bench.round(105);
    assert!(matches!(bench.control.slowdown, Slowdown::Due(Some(_))));
    assert!(bench.datagrams() < 50, "{}", bench.datagrams());
}

/// §4.3: a datagram each other round trip below the target, W × (delay / target - 1) less above it, half at most.
#[test]
fn additive_increase_and_multiplicative_decrease() {
    let mut bench = Bench::steady(100);
    for _ in 0..10 {
        bench.round(106);
    }
    assert!(
        (104..=106).contains(&bench.datagrams()),
        "{}",
        bench.datagrams()
    );
    let mut bench = Bench::steady(100);
    for _ in 0..4 {
        // Until none of the last four samples is of before.
        bench
            .control
            .sample(ms(bench.now), Duration::from_millis(107));
    }
    bench.round(107);
    // 7 of 6.25 ms: 12 % less, spread over the round.
    assert!(
        (88..=90).contains(&bench.datagrams()),
        "{}",
        bench.datagrams()
    );
    bench.round(400);
    bench.round(400);
    assert!(
        (19..=33).contains(&bench.datagrams()),
        "{}",
        bench.datagrams()
    );
}

/// What the delay took is not slow start's to give back, when an acknowledgement tells of much at once.
#[test]
fn a_cut_for_delay_ends_slow_start() {
    let mut bench = Bench::steady(1_000);
    bench.control.threshold = bench.control.window();
    for _ in 0..100 {
        bench.now += 6;
        bench.control.on_ack(&Acked {
            now: ms(bench.now),
            rtt_sample: Some(Duration::from_millis(160)),
            ..ack(0, 0, 64 * DATAGRAM)
        });
    }
    assert!(bench.datagrams() < 100, "{}", bench.datagrams());
}

/// RFC 6817 §2.4.2: half, at most once a round trip; never below two datagrams (invariant 24).
#[test]
fn loss_halves() {
    let mut bench = Bench::steady(100);
    bench.control.on_loss_event(&loss(ms(bench.now)));
    assert_eq!(bench.datagrams(), 50);
    bench.control.on_loss_event(&Lost {
        new_event: false,
        ..loss(ms(bench.now))
    });
    assert_eq!(bench.datagrams(), 50);
    bench.control.on_spurious_loss(ms(bench.now));
    assert_eq!(bench.datagrams(), 100);
    for _ in 0..20 {
        bench.control.on_loss_event(&loss(ms(bench.now)));
    }
    assert_eq!(bench.datagrams(), 2);
}

/// RFC 6817 §3.1.1: a path that became longer is believed after ten minutes.
#[test]
fn the_base_delay_is_that_of_ten_minutes() {
    let mut control = Background::new(1_000);
    control.sample(ms(0), Duration::from_millis(50));
    for minute in 1..=20 {
        control.sample(ms(minute * 60_001), Duration::from_millis(80));
        let base = if minute < 10 { 50 } else { 80 };
        assert_eq!(
            control.base(),
            Some(Duration::from_millis(base)),
            "{minute}"
        );
    }
}

/// T12.
#[test]
fn no_input_breaks_it() {
    let mut control = Background::new(u16::MAX);
    for now in [u64::MAX, 0, 1, u64::MAX / 2] {
        for sample in [Duration::ZERO, Duration::from_secs(1 << 40)] {
            control.on_ack(&Acked {
                now: Instant::from_nanos(now),
                rtt_sample: Some(sample),
                ..ack(0, 0, u64::MAX)
            });
            assert!((131_070..=BYTES_MAX).contains(&control.window()));
            assert!((1..=BYTES_MAX).contains(&control.pacing_rate(&RTT)));
        }
        control.on_leap(Duration::from_secs(3_600));
    }
}
