use super::*;

fn ms(n: u64) -> Instant {
    Instant::from_nanos(n * 1_000_000)
}

fn rtt(millis: u64) -> Rtt {
    Rtt::new(Duration::from_millis(millis))
}

fn ack(now: Instant, bytes: u64, rtt: &Rtt) -> Acked<'_> {
    Acked {
        now,
        sent: now - rtt.smoothed(),
        bytes,
        newly_acked: bytes,
        newly_lost: 0,
        prior_in_flight: bytes,
        in_flight: 0,
        app_limited: false,
        delivered: 0,
        rate: None,
        rtt_sample: None,
        rtt,
    }
}

fn loss(now: Instant) -> Lost {
    Lost {
        now,
        sent: now,
        bytes: 1_000,
        in_flight: 0,
        new_event: true,
        persistent: false,
    }
}

/// Datagrams of 1,000 bytes, a window of 100 of them, cut once at t = 0.
fn cut_at_100() -> Cubic {
    let mut cubic = Cubic::new(1_000);
    cubic.on_ack(&ack(ms(0), 90_000, &rtt(100)));
    assert_eq!(cubic.window(), 100_000);
    cubic.on_loss_event(&loss(ms(0)));
    cubic
}

/// RFC 9002 §7.2.
#[test]
fn initial_and_minimum_window() {
    for (datagram, initial) in [
        (1_200, 12_000),
        (1_472, 14_720),
        (1_500, 14_720),
        (9_000, 18_000),
        (65_507, 131_014),
    ] {
        let mut cubic = Cubic::new(datagram);
        assert_eq!(cubic.window(), initial);
        for n in 0..40 {
            cubic.on_loss_event(&loss(ms(n)));
        }
        assert_eq!(cubic.window(), 2 * u64::from(datagram), "invariant 24");
    }
}

/// RFC 9002 §7.3.1: as many bytes as were acknowledged.
#[test]
fn slow_start_doubles_each_round_trip() {
    let mut cubic = Cubic::new(1_200);
    for _ in 0..10 {
        cubic.on_ack(&ack(ms(100), 1_200, &rtt(100)));
    }
    assert_eq!(cubic.window(), 24_000);
    assert!(cubic.in_slow_start());
}

/// RFC 9438 §4.6: β is 0.7; §4.2: K is the cube root of 30 / 0.4, which is 4.217163 s.
#[test]
fn the_cut_and_the_way_back() {
    let cubic = cut_at_100();
    assert_eq!(cubic.window(), 70_000);
    assert_eq!((cubic.w_max, cubic.threshold), (100_000, 70_000));
    assert!(!cubic.in_slow_start());
    let k = time_to_plateau(30_000, 1_000);
    assert_eq!(k, 4_217_163);
    assert_eq!(cubic_window(100_000, k, 0, 1_000), 70_001);
    assert_eq!(cubic_window(100_000, k, k, 1_000), 100_000);
    // One second on either side of the plateau: 0.4 segments; five: 50.
    assert_eq!(cubic_window(100_000, k, k - 1_000_000, 1_000), 99_600);
    assert_eq!(cubic_window(100_000, k, k + 1_000_000, 1_000), 100_400);
    assert_eq!(cubic_window(100_000, k, k + 5_000_000, 1_000), 150_000);
}

/// RFC 9438 §4.4: over a path of 100 ms the window follows the curve, one round trip ahead, to the plateau.
#[test]
fn a_long_path_follows_the_curve() {
    let mut cubic = cut_at_100();
    let rtt = rtt(100);
    let mut previous = cubic.window();
    for round in 1..=50_u64 {
        let window = cubic.window();
        cubic.on_ack(&ack(ms(100 * round), window, &rtt));
        assert!(cubic.window() >= previous && cubic.window() <= previous * 3 / 2);
        previous = cubic.window();
        if round == 1 {
            // The stage begins with this acknowledgement, and with Reno's 9/17 of a segment.
            assert_eq!(cubic.window(), 70_529);
            continue;
        }
        let curve = cubic_window(100_000, 4_217_163, 100_000 * round, 1_000);
        assert!(
            cubic.window().abs_diff(curve) <= 1,
            "{} {curve}",
            cubic.window()
        );
    }
    assert!(cubic.window() > 100_000);
}

/// RFC 9438 §4.3: over a path of 10 ms Reno would be faster, and is followed: 9/17 segments a round trip until the window
/// is back at 100 segments, then a whole one.
#[test]
fn a_short_path_follows_reno() {
    let mut cubic = cut_at_100();
    let rtt = rtt(10);
    let mut at = 0;
    let mut round = |cubic: &mut Cubic| {
        at += 10;
        let window = cubic.window();
        cubic.on_ack(&ack(ms(at), window, &rtt));
    };
    for _ in 0..10 {
        round(&mut cubic);
    }
    assert_eq!(cubic.window(), 75_294);
    for _ in 10..57 {
        round(&mut cubic);
    }
    assert_eq!(cubic.window(), 100_176);
    for _ in 0..10 {
        round(&mut cubic);
    }
    assert_eq!(cubic.window(), 110_176);
}

/// Growth is the same whether it is acknowledged by packet or by window, but for rounding.
#[test]
fn growth_does_not_depend_on_the_frequency_of_acknowledgements() {
    let (mut single, mut whole) = (cut_at_100(), cut_at_100());
    let rtt = rtt(10);
    for round in 1..=10 {
        let window = whole.window();
        whole.on_ack(&ack(ms(10 * round), window, &rtt));
        let mut left = single.window();
        while left > 0 {
            let bytes = left.min(100);
            single.on_ack(&ack(ms(10 * round), bytes, &rtt));
            left -= bytes;
        }
    }
    assert!(single.window().abs_diff(whole.window()) < 100);
}

/// RFC 9438 §4.7: a flow that is cut below its former plateau leaves room: 0.85 × 70.
#[test]
fn fast_convergence() {
    let mut cubic = cut_at_100();
    cubic.on_loss_event(&loss(ms(50)));
    assert_eq!((cubic.window(), cubic.w_max), (49_000, 59_500));
}

/// RFC 9438 §4.9: the window and the curve are as if nothing had been lost, once.
#[test]
fn a_spurious_loss_is_undone() {
    let rtt = rtt(100);
    let (mut undone, mut untouched) = (cut_at_100(), cut_at_100());
    for cubic in [&mut undone, &mut untouched] {
        cubic.on_ack(&ack(ms(100), 70_000, &rtt));
    }
    undone.on_loss_event(&loss(ms(150)));
    undone.on_ack(&ack(ms(200), 0, &rtt));
    assert!(undone.window() < untouched.window());
    undone.on_spurious_loss(ms(250));
    for cubic in [&mut undone, &mut untouched] {
        cubic.on_ack(&ack(ms(300), 70_000, &rtt));
    }
    assert_eq!(undone.window, untouched.window);
    undone.on_spurious_loss(ms(300));
    assert_eq!(undone.window, untouched.window, "an event is undone once");
    // A window that has grown beyond it stays.
    let mut grown = cut_at_100();
    grown.set_window(200_000 << FRACTION);
    grown.on_spurious_loss(ms(300));
    assert_eq!(grown.window(), 200_000);
}

/// RFC 9406 §4.3: the first slow start ends where round trips grow, and at no loss.
#[test]
fn hystart_ends_the_first_slow_start() {
    let mut cubic = Cubic::new(1_000);
    let (mut now, mut delivered) = (0, 0);
    while cubic.in_slow_start() {
        // 100 datagrams are a round trip of 100 ms; what is beyond waits.
        let rtt = 100.max(cubic.window() / 1_000);
        now += rtt;
        let before = delivered;
        for _ in 0..cubic.window() / 1_000 {
            delivered += 1_000;
            let sample = crate::congestion::testing::sample(before, delivered);
            cubic.on_ack(&Acked {
                delivered,
                rate: Some(sample),
                rtt_sample: Some(Duration::from_millis(rtt)),
                ..ack(ms(now), 1_000, &Rtt::measured(Duration::from_millis(rtt)))
            });
        }
        assert!(now < 10_000, "slow start goes on at {}", cubic.window());
    }
    assert!(
        (200_000..=520_000).contains(&cubic.window()),
        "{}",
        cubic.window()
    );
}

/// RFC 9002 §7.3.2: losses of the same event cut nothing.
#[test]
fn a_loss_of_the_same_event_changes_nothing() {
    let mut cubic = cut_at_100();
    cubic.on_loss_event(&Lost {
        new_event: false,
        ..loss(ms(50))
    });
    assert_eq!(cubic.window(), 70_000);
}

/// RFC 9002 §7.6.2, RFC 9438 §4.8: to the bottom, slow start to 0.7, then a curve that starts on its plateau.
#[test]
fn persistent_congestion() {
    let mut cubic = cut_at_100();
    cubic.on_loss_event(&Lost {
        new_event: false,
        persistent: true,
        ..loss(ms(50))
    });
    assert_eq!(cubic.window(), 2_000);
    assert!(cubic.in_slow_start());
    cubic.on_ack(&ack(ms(100), 68_000, &rtt(100)));
    assert_eq!(cubic.window(), 70_000);
    assert!(!cubic.in_slow_start());
    cubic.on_ack(&ack(ms(200), 70_000, &rtt(100)));
    let stage = cubic.stage.unwrap();
    assert_eq!((stage.k, cubic.w_max), (0, 70_000));
}

/// RFC 9002 §7.8: an unused window does not grow; RFC 9438 §5.8: the curve waits.
#[test]
fn an_unused_window_does_not_grow() {
    let limited = |now, rtt| Acked {
        prior_in_flight: 1_000,
        app_limited: true,
        ..ack(now, 1_000, rtt)
    };
    let rtt = rtt(100);
    let mut start = Cubic::new(1_000);
    start.on_ack(&limited(ms(100), &rtt));
    assert_eq!(start.window(), 10_000);
    // Half of the window is enough in slow start: it may have doubled since.
    start.on_ack(&Acked {
        prior_in_flight: 5_000,
        ..limited(ms(100), &rtt)
    });
    assert_eq!(start.window(), 11_000);

    let (mut busy, mut idle) = (cut_at_100(), cut_at_100());
    busy.on_ack(&ack(ms(100), 70_000, &rtt));
    idle.on_ack(&ack(ms(100), 70_000, &rtt));
    assert_eq!(busy.window(), idle.window());
    for round in 2..=100 {
        idle.on_ack(&limited(ms(100 * round), &rtt));
    }
    // And a pause without any acknowledgement.
    idle.on_sent(&SentPacket {
        now: ms(20_000),
        bytes: 1_000,
        in_flight: 0,
        app_limited: false,
        delivered: 0,
    });
    idle.on_ack(&ack(ms(20_100), 70_000, &rtt));
    busy.on_ack(&ack(ms(200), 70_000, &rtt));
    assert_eq!(busy.window(), idle.window());
}

/// RFC 9002 §7.7: 1.25 windows a round trip.
#[test]
fn the_pacing_rate() {
    let cubic = Cubic::new(1_200);
    assert_eq!(cubic.pacing_rate(&rtt(100)), 150_000);
    assert_eq!(cubic.pacing_rate(&Rtt::new(Duration::ZERO)), BYTES_MAX);
    assert_eq!(cubic.pacing_rate(&Rtt::new(Duration::MAX)), 1);
}

#[test]
fn cube_roots_are_exact() {
    for root in [0, 1, 2, 3, 1_000, 4_217_163, (1 << 42) - 1] {
        let cube = u128::from(root) * u128::from(root) * u128::from(root);
        assert_eq!(cube_root(cube), root);
        assert_eq!(cube_root(cube.saturating_sub(1)), root.saturating_sub(1));
    }
    assert_eq!(cube_root(u128::MAX), (1 << 42) - 1);
}

/// T12, and extreme figures.
#[test]
fn no_input_breaks_it() {
    let mut cubic = Cubic::new(u16::MAX);
    let rtts = [Rtt::new(Duration::ZERO), Rtt::new(Duration::MAX)];
    for now in [u64::MAX, 0, 3_600_000_000_000, 1] {
        let now = Instant::from_nanos(now);
        for rtt in &rtts {
            for bytes in [0, 1, u64::MAX] {
                cubic.on_ack(&ack(now, bytes, rtt));
                assert!((131_070..=BYTES_MAX).contains(&cubic.window()));
            }
        }
        cubic.on_loss_event(&loss(now));
        for rtt in &rtts {
            cubic.on_ack(&ack(Instant::from_nanos(u64::MAX), u64::MAX, rtt));
        }
    }
    cubic.set_datagram_size(1_200);
    assert!(cubic.window() >= 2_400);
}

/// The same figures on every platform: a run of acknowledgements and losses with a pinned end.
#[test]
fn the_same_on_every_platform() {
    let mut cubic = Cubic::new(1_200);
    let mut random = 1_u64;
    let mut sum = 0_u64;
    for step in 1..=20_000 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let rtt = rtt(20 + (random >> 60));
        let bytes = 1_200 * (random >> 32 & 7);
        cubic.on_ack(&ack(ms(step), bytes, &rtt));
        if random >> 33 & 1_023 == 0 {
            cubic.on_loss_event(&loss(ms(step)));
        }
        sum = sum.wrapping_mul(31).wrapping_add(cubic.window);
    }
    assert_eq!((cubic.window(), sum), (185_611, 141_732_973_873_799_381));
}
