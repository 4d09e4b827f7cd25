//! CUBIC's formulas against floating point, and what holds of every run.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    /// So many of 256 parts of the window are acknowledged.
    Ack {
        part: u64,
        app_limited: bool,
    },
    Loss {
        new_event: bool,
        persistent: bool,
    },
    Wait(u64),
    Sent {
        in_flight: u64,
    },
    DatagramSize(u16),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => (0..=256_u64, prop::bool::weighted(0.2))
            .prop_map(|(part, app_limited)| Op::Ack { part, app_limited }),
        2 => (any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(new_event, persistent)| Op::Loss { new_event, persistent }),
        6 => prop_oneof![0..200_000_u64, 0..60_000_000_u64].prop_map(Op::Wait),
        1 => (0..3_u64).prop_map(|in_flight| Op::Sent { in_flight }),
        1 => (1_200..9_000_u16).prop_map(Op::DatagramSize),
    ]
}

struct Run {
    cubic: Cubic,
    now: Instant,
    rtt: Rtt,
    datagram: u64,
    /// The window after the last cut, and what was acknowledged since.
    base: u64,
    acked: u64,
}

impl Run {
    fn apply(&mut self, op: &Op) {
        let before = self.cubic.window();
        match *op {
            Op::Ack { part, app_limited } => {
                let bytes = before * part / 256;
                self.acked += bytes;
                self.cubic.on_ack(&Acked {
                    now: self.now,
                    sent: self.now - self.rtt.smoothed(),
                    bytes,
                    newly_acked: bytes,
                    newly_lost: 0,
                    prior_in_flight: bytes,
                    in_flight: 0,
                    app_limited,
                    delivered: self.acked,
                    rate: None,
                    rtt_sample: None,
                    rtt: &self.rtt,
                });
                assert!(
                    self.cubic.window() >= before,
                    "an acknowledgement cuts nothing"
                );
            }
            Op::Loss {
                new_event,
                persistent,
            } => {
                self.cubic.on_loss_event(&Lost {
                    now: self.now,
                    sent: self.now,
                    bytes: self.datagram,
                    in_flight: 0,
                    new_event,
                    persistent,
                });
                // RFC 9438 §4.6, RFC 9002 §7.6.2; invariant 23.
                let least = 2 * self.datagram;
                let cut = match (new_event, persistent) {
                    (_, true) => least,
                    (true, false) => (before * 7 / 10).max(least),
                    (false, false) => before,
                };
                assert_eq!(self.cubic.window(), cut);
                if new_event || persistent {
                    (self.base, self.acked) = (self.cubic.window(), 0);
                }
            }
            Op::Wait(micros) => self.now += Duration::from_micros(micros),
            Op::Sent { in_flight } => {
                let bytes = self.datagram;
                self.cubic.on_sent(&SentPacket {
                    now: self.now,
                    bytes,
                    in_flight: in_flight * bytes,
                    app_limited: false,
                    delivered: self.acked,
                });
            }
            Op::DatagramSize(bytes) => {
                self.datagram = u64::from(bytes);
                self.cubic.set_datagram_size(bytes);
                self.base = self.base.max(self.cubic.window());
            }
        }
    }

    fn check(&self) {
        let window = self.cubic.window();
        assert!(window >= 2 * self.datagram, "invariant 24");
        // No faster than slow start, whatever the curve says.
        assert!(window <= self.base + self.acked);
        let rate = self.cubic.pacing_rate(&self.rtt);
        assert!((1..=BYTES_MAX).contains(&rate));
    }
}

proptest! {
    #[test]
    fn windows_stay_within_their_bounds(
        rtt in 1..2_000_u64,
        ops in prop::collection::vec(op(), 0..200),
    ) {
        let cubic = Cubic::new(1_200);
        let mut run = Run {
            base: cubic.window(),
            cubic,
            now: Instant::from_nanos(1 << 40),
            rtt: Rtt::new(Duration::from_millis(rtt)),
            datagram: 1_200,
            acked: 0,
        };
        for op in &ops {
            run.apply(op);
            run.check();
        }
    }

    /// RFC 9438 §4.2 in floating point: K = ∛((w_max - cwnd) / 0.4) and W(t) = 0.4 (t - K)³ + w_max, in segments and
    /// seconds.
    #[test]
    fn the_curve_is_that_of_the_rfc(
        w_max in 3_000..1_u64 << 36,
        kept in 0.1..1.0_f64,
        datagram in 1_200..65_507_u64,
        times in prop::collection::vec(0..4_000_000_000_u64, 1..10),
    ) {
        let cwnd = (w_max as f64 * kept) as u64;
        let segment = datagram as f64;
        let k = time_to_plateau(w_max - cwnd, datagram);
        let exact_k = (((w_max - cwnd) as f64 / segment) / 0.4).cbrt();
        prop_assert!((k as f64 / 1e6 - exact_k).abs() <= 2e-6);
        for t in times {
            let distance = t as f64 / 1e6 - k as f64 / 1e6;
            let exact = 0.4 * distance.powi(3) * segment + w_max as f64;
            let exact = exact.clamp(0.0, BYTES_MAX as f64);
            let window = cubic_window(w_max, k, t, datagram) as f64;
            prop_assert!((window - exact).abs() <= 2.0 + exact * 1e-9, "{window} {exact}");
        }
    }

    #[test]
    fn cube_roots_are_the_largest_that_fit(n: u128) {
        let root = u128::from(cube_root(n));
        prop_assert!(root * root * root <= n);
        let next = root + 1;
        prop_assert!(next == 1 << 42 || next * next * next > n);
    }
}
