//! State by state; `recovery::tests::shared` shows what it comes to over a path.

use super::super::testing::{RTT, ms};
use super::*;

const DATAGRAM: u64 = 1_000;

/// A path of `rate` bytes per ms with 100 ms and an endless queue, in rounds.
struct Bench {
    bbr: Bbr,
    now: u64,
    delivered: u64,
    lost: u64,
    number: u64,
    /// Round trip of the next rounds, ms.
    rtt: u64,
}

impl Bench {
    fn new() -> Self {
        Self {
            bbr: Bbr::new(DATAGRAM as u16),
            now: 0,
            delivered: 0,
            lost: 0,
            number: 0,
            rtt: 100,
        }
    }

    /// A round that delivers so many datagrams, with `in_flight` left; the sample is what they are in the round trip.
    fn round(&mut self, datagrams: u64, in_flight: u64) {
        self.round_of(datagrams, in_flight, 0, false);
    }

    fn round_of(&mut self, datagrams: u64, in_flight: u64, lost: u64, app_limited: bool) {
        self.now += self.rtt;
        let before = self.delivered;
        self.delivered += datagrams * DATAGRAM;
        let flight = (datagrams + lost) * DATAGRAM;
        for n in 1..=lost {
            self.lost += DATAGRAM;
            self.number += 2;
            self.bbr.on_packet_lost(&LostPacket {
                now: ms(self.now),
                number: self.number,
                sent: ms(self.now - self.rtt),
                bytes: DATAGRAM,
                tx_in_flight: flight,
                lost: n * DATAGRAM,
                app_limited,
                delivered: self.delivered,
                in_flight,
            });
        }
        self.ack(before, flight, in_flight, lost * DATAGRAM, app_limited);
    }

    fn ack(&mut self, before: u64, flight: u64, in_flight: u64, lost: u64, app_limited: bool) {
        let bytes = self.delivered - before;
        let rtt = Duration::from_millis(self.rtt);
        self.bbr.on_ack(&Acked {
            now: ms(self.now),
            sent: ms(self.now - self.rtt),
            bytes,
            newly_acked: bytes,
            newly_lost: lost,
            prior_in_flight: flight,
            in_flight,
            app_limited,
            delivered: self.delivered,
            rate: Some(RateSample {
                rate: bytes * 1_000 / self.rtt,
                delivered: bytes,
                interval: rtt,
                prior_delivered: before,
                app_limited,
                tx_in_flight: flight,
                lost,
            }),
            rtt_sample: Some(rtt),
            rtt: &RTT,
        });
    }

    /// Steady at 100 datagrams a round trip, in Cruise.
    fn cruising() -> Self {
        let mut bench = Self::new();
        for datagrams in [10, 20, 40, 80, 100, 100, 100, 100] {
            bench.round(datagrams, datagrams * DATAGRAM);
        }
        // No more than a BDP is in flight: Drain and Down are over at once.
        assert_eq!(bench.bbr.state, State::Cruise);
        bench
    }

    /// The first round of Up.
    fn probing() -> Self {
        let mut bench = Self::cruising();
        for _ in 0..64 {
            if bench.bbr.state == State::Up {
                return bench;
            }
            bench.round(100, 100 * DATAGRAM);
        }
        unreachable!("no probe within 64 rounds (§5.3.3.8)")
    }
}

/// §5.2.1, §5.6.2: before a round trip is measured, as if it were 1 ms; then by it.
#[test]
fn begins_with_the_initial_window() {
    let mut bench = Bench::new();
    assert_eq!(bench.bbr.window(), 10_000);
    assert_eq!(bench.bbr.pacing_rate(&RTT), 27_700_000);
    bench.round_of(1, 0, 0, true);
    assert_eq!(bench.bbr.pacing_rate(&RTT), 277_000);
}

/// §5.3.1.1: the window doubles each round, and the rate with it.
#[test]
fn startup_doubles() {
    let mut bench = Bench::new();
    for datagrams in [10, 20, 40, 80] {
        bench.round(datagrams, datagrams * DATAGRAM);
        assert_eq!(bench.bbr.state, State::Startup);
        assert_eq!(bench.bbr.window(), 2 * datagrams * DATAGRAM);
        let rate = datagrams * DATAGRAM * 10 * 2_770 / 1_000 * 99 / 100;
        assert!(bench.bbr.pacing_rate(&RTT) >= rate);
    }
}

/// §5.3.1.2 (test case "Exiting STARTUP on Bandwidth Plateau"), §5.3.2 ("Exiting DRAIN Based on Inflight").
#[test]
fn a_plateau_ends_startup_and_an_empty_queue_ends_drain() {
    let mut bench = Bench::new();
    for datagrams in [10, 20, 40, 80, 100, 100, 100, 100] {
        assert_eq!(bench.bbr.state, State::Startup);
        bench.round(datagrams, 200 * DATAGRAM);
    }
    assert_eq!(bench.bbr.state, State::Drain);
    assert_eq!(bench.bbr.max_bw.get(), 1_000_000);
    assert_eq!(bench.bbr.pacing_rate(&RTT), 495_000);
    bench.round(100, 101 * DATAGRAM);
    assert_eq!(bench.bbr.state, State::Drain);
    bench.round(100, 100 * DATAGRAM);
    assert_eq!(bench.bbr.state, State::Cruise, "and Down");
}

/// "Exiting DRAIN Based on Time".
#[test]
fn drain_ends_after_three_rounds() {
    let mut bench = Bench::new();
    for datagrams in [10, 20, 40, 80, 100, 100, 100, 100] {
        bench.round(datagrams, 200 * DATAGRAM);
    }
    for _ in 0..3 {
        bench.round(100, 200 * DATAGRAM);
        assert_eq!(bench.bbr.state, State::Drain);
    }
    bench.round(100, 200 * DATAGRAM);
    assert_eq!(bench.bbr.state, State::Down);
}

/// "Never Exiting PROBE_UP (or STARTUP) When Application-Limited With No Loss"; §5.5.4.
#[test]
fn rounds_limited_by_the_application_prove_nothing() {
    let mut bench = Bench::new();
    bench.round(10, 10 * DATAGRAM);
    for _ in 0..20 {
        bench.round_of(10, 0, 0, true);
    }
    assert_eq!(bench.bbr.state, State::Startup);
    bench.round_of(30, 0, 0, true);
    assert_eq!(bench.bbr.max_bw.get(), 300_000, "but more is more");
}

/// §5.3.1.3: more than the threshold, in six gaps, while round trips show a queue.
#[test]
fn loss_in_a_queue_ends_startup() {
    let mut bench = Bench::new();
    for datagrams in [10, 20, 40, 80] {
        bench.round(datagrams, datagrams * DATAGRAM);
    }
    bench.rtt = 180;
    for _ in 0..2 {
        bench.round_of(144, 100 * DATAGRAM, 20, false);
    }
    assert_eq!(bench.bbr.state, State::Drain);
    assert_eq!(bench.bbr.undo.state, Some(State::Startup));
    assert_eq!(
        bench.bbr.inflight_longterm,
        144 * DATAGRAM,
        "inflight_latest"
    );
    // §5.5.11.2: nothing was lost.
    bench.bbr.on_spurious_loss(ms(bench.now));
    assert_eq!(bench.bbr.state, State::Startup);
    assert_eq!(bench.bbr.inflight_longterm, INFINITE);
}

/// Ours: without a queue and while the rate grows, it is the path's own.
#[test]
fn loss_without_a_queue_is_the_paths_own() {
    let mut bench = Bench::new();
    for datagrams in [10, 20, 40, 80, 160, 320] {
        bench.round_of(datagrams, datagrams * DATAGRAM, datagrams / 20, false);
        assert_eq!(bench.bbr.state, State::Startup);
    }
    let sent = bench.bbr.baseline.compensate(1_000_000, DATAGRAM);
    assert!((1_030_000..1_060_000).contains(&sent), "{sent}");
}

/// §5.3.3: Refill a round after the wait is over, then Up at 1.25.
#[test]
fn the_cycle_goes_round() {
    let mut bench = Bench::cruising();
    assert_eq!(bench.bbr.pacing_rate(&RTT), 990_000);
    let began = bench.now;
    while bench.bbr.state == State::Cruise {
        bench.round(100, 100 * DATAGRAM);
    }
    assert_eq!(bench.bbr.state, State::Refill);
    assert!((1_500..=3_200).contains(&(bench.now - began)), "§5.3.3.8");
    bench.round(100, 100 * DATAGRAM);
    assert_eq!(bench.bbr.state, State::Up);
    assert_eq!(bench.bbr.pacing_rate(&RTT), 1_237_500);
    // "Exiting PROBE_UP on Bandwidth Plateau".
    for _ in 0..3 {
        assert_eq!(bench.bbr.state, State::Up);
        bench.round(100, 125 * DATAGRAM);
    }
    assert_eq!(bench.bbr.state, State::Down);
    assert_eq!(bench.bbr.pacing_rate(&RTT), 891_000);
    assert!(!bench.bbr.cycle.too_high);
    // "Exiting PROBE_DOWN on Inflight".
    bench.round(100, 101 * DATAGRAM);
    assert_eq!(bench.bbr.state, State::Down);
    bench.round(100, 100 * DATAGRAM);
    assert_eq!(bench.bbr.state, State::Cruise);
}

/// "Increasing Bandwidth 10x": Up goes on while the rate grows.
#[test]
fn up_goes_on_while_it_grows() {
    let mut bench = Bench::probing();
    let mut datagrams = 100;
    for _ in 0..10 {
        datagrams = datagrams * 5 / 4;
        bench.round(datagrams, datagrams * DATAGRAM);
        assert_eq!(bench.bbr.state, State::Up);
    }
    assert_eq!(bench.bbr.max_bw.get(), datagrams * DATAGRAM * 10);
    assert!(bench.bbr.window() > 10 * 100 * DATAGRAM);
}

/// §5.5.5, §5.5.6: two cycles after the rate fell it is forgotten; Up finds a higher one.
#[test]
fn the_bandwidth_filter_follows_the_path() {
    let mut bench = Bench::cruising();
    let mut cycles = 0;
    while bench.bbr.max_bw.get() == 1_000_000 {
        let was = bench.bbr.state;
        // The queue shows what is sent too fast.
        bench.rtt = if was == State::Up { 125 } else { 100 };
        bench.round(50 * bench.rtt / 100, 50 * DATAGRAM);
        cycles += u32::from(was != State::Up && bench.bbr.state == State::Up);
        assert!(cycles <= 2, "two probes at most");
    }
    assert_eq!(bench.bbr.max_bw.get(), 500_000);
    bench.rtt = 100;
    for _ in 0..64 {
        // As much arrives as the path holds, which is what was sent a round trip ago.
        let sent = bench.bbr.pacing_rate(&RTT) / 10 / DATAGRAM;
        bench.round(sent.min(200), sent.min(200) * DATAGRAM);
    }
    assert_eq!(bench.bbr.max_bw.get(), 2_000_000);
}

/// §5.5.7: a longer round trip counts when the old one has not been seen for ten seconds, a shorter one at once.
#[test]
fn the_round_trip_filter_follows_the_path() {
    let mut bench = Bench::cruising();
    bench.rtt = 150;
    let began = bench.now;
    while bench.bbr.min_rtt.get() != Some(Duration::from_millis(150)) {
        bench.round(100, bench.bbr.window().min(100 * DATAGRAM));
        assert!(bench.now - began < 16_000);
    }
    assert!(bench.now - began >= 9_000);
    bench.rtt = 60;
    bench.round(60, 60 * DATAGRAM);
    assert_eq!(bench.bbr.min_rtt.get(), Some(Duration::from_millis(60)));
}

/// "Handling Loss During PROBE_UP"; §5.5.10.2, with the headroom taken at once.
#[test]
fn loss_in_a_queue_ends_up() {
    let mut bench = Bench::probing();
    bench.rtt = 125;
    for _ in 0..8 {
        // Only round trips, within the round.
        bench
            .bbr
            .min_rtt
            .update(ms(bench.now), Some(Duration::from_millis(125)));
    }
    bench.round_of(120, 120 * DATAGRAM, 10, false);
    assert_eq!(bench.bbr.state, State::Down);
    assert!(bench.bbr.cycle.too_high);
    // 130 were in flight; 1 % were lost at the second. Before, there was no queue: what the path holds is kept, not 0.85.
    let longterm = bench.bbr.inflight_longterm / DATAGRAM;
    assert_eq!(longterm, 100);
    bench.bbr.on_spurious_loss(ms(bench.now));
    assert_eq!(bench.bbr.state, State::Refill, "§5.5.11.2");
    assert_eq!(bench.bbr.inflight_longterm, INFINITE);
}

/// How long after a probe that lost packets in the queue the next one begins, ms.
fn wait_after_overflow(mut bench: Bench, datagrams: u64) -> u64 {
    bench.rtt = 125;
    bench.round(datagrams, 120 * DATAGRAM);
    bench.round_of(datagrams, 120 * DATAGRAM, 20, false);
    assert!(bench.bbr.cycle.too_high);
    let began = bench.now;
    bench.rtt = 100;
    while bench.bbr.state != State::Refill {
        bench.round(datagrams.min(100), datagrams.min(100) * DATAGRAM);
    }
    bench.now - began
}

/// Ours: who shares the queue needs time; who is alone on a path that became slower must forget what it was.
#[test]
fn a_probe_that_overflowed_is_not_repeated_soon() {
    let mut bench = Bench::probing();
    // Each lost packet of the bench is worth two of these.
    bench.bbr.set_datagram_size(DATAGRAM as u16 / 2);
    let wait = wait_after_overflow(bench, 125);
    assert!((6_000..=9_200).contains(&wait), "{wait}");
    let wait = wait_after_overflow(Bench::probing(), 125);
    assert!(
        (1_500..=3_200).contains(&wait),
        "two packets prove little: {wait}"
    );
    let wait = wait_after_overflow(Bench::probing(), 50);
    assert!((1_500..=3_200).contains(&wait), "{wait}");
}

/// Ours: 0.7 of what was in flight where the queue was gone before, but 0.85 up to what the path holds; 0.85 where it never is.
#[test]
fn more_is_given_up_where_others_do() {
    for (emptied, in_flight, left) in [
        (true, 200, 140),
        (true, 130, 100),
        (true, 110, 93),
        (false, 200, 170),
        (false, 130, 110),
    ] {
        let mut bench = Bench::probing();
        bench.bbr.cycle.emptied = emptied;
        bench.bbr.on_ecn_ce(&Marked {
            now: ms(bench.now),
            sent: ms(bench.now),
            packets: 1,
            in_flight: in_flight * DATAGRAM,
            new_event: true,
        });
        let longterm = bench.bbr.inflight_longterm / DATAGRAM;
        assert_eq!(longterm, left, "{in_flight}, {emptied}");
    }
}

/// Ours: 0.85 of what was reached without loss where the queue always stands, but not less than before; where there was no bound,
/// none.
#[test]
fn a_probe_that_lost_nothing_lowers_nothing() {
    for (before, emptied, left) in [
        (INFINITE, false, INFINITE),
        (100 * DATAGRAM, false, 170 * DATAGRAM),
        (180 * DATAGRAM, false, 180 * DATAGRAM),
        (180 * DATAGRAM, true, 200 * DATAGRAM),
    ] {
        let mut bench = Bench::cruising();
        bench.bbr.inflight_longterm = before;
        while bench.bbr.state != State::Up {
            bench.round(100, 100 * DATAGRAM);
        }
        bench.bbr.cycle.emptied = emptied;
        bench.round(100, 200 * DATAGRAM);
        if before != INFINITE {
            bench.bbr.inflight_longterm = 200 * DATAGRAM;
        }
        while bench.bbr.state == State::Up {
            bench.round(100, 200 * DATAGRAM);
        }
        assert_eq!(bench.bbr.state, State::Down);
        assert!(!bench.bbr.cycle.too_high);
        assert_eq!(bench.bbr.inflight_longterm, left, "{before}, {emptied}");
    }
}

/// Ours: loss that is found when Up has ended puts the next probe off as well, and ProbeRTT does not put off one that is due.
#[test]
fn a_late_overflow_counts_and_a_due_probe_is_not_put_off() {
    let mut bench = Bench::probing();
    bench.bbr.start_down(ms(bench.now));
    let ended = bench.now;
    let after = |millis: u64| ms(ended + millis);
    assert!(bench.bbr.is_time_to_probe(after(3_001)));
    bench.bbr.cycle.too_high = true;
    bench.bbr.cycle.crowded = true;
    assert!(!bench.bbr.is_time_to_probe(after(5_999)));
    assert!(bench.bbr.is_time_to_probe(after(9_001)));
    bench.bbr.resume_cruise(after(9_100));
    assert!(bench.bbr.is_time_to_probe(after(9_101)));
}

/// §5.3.3.6: the next probe ends where the last went too high, and is repeated at once when nothing is lost.
#[test]
fn precautionary_probing() {
    let mut bench = Bench::probing();
    bench.bbr.cycle.too_high = true;
    bench.bbr.inflight_longterm = 120 * DATAGRAM;
    bench.round(100, 119 * DATAGRAM);
    assert_eq!(bench.bbr.state, State::Up);
    bench.round(100, 120 * DATAGRAM);
    assert_eq!(bench.bbr.state, State::Down);
    bench.round(100, 119 * DATAGRAM);
    assert_eq!(bench.bbr.state, State::Refill);
}

/// §5.5.10.3: toward what was delivered, never below 0.7; Refill forgets it.
#[test]
fn loss_in_a_queue_lowers_the_short_term_model() {
    let mut bench = Bench::cruising();
    bench.rtt = 150;
    // The first round knows of the rate before it.
    for bw in [INFINITE, 1_000_000, 1_000_000, 700_000] {
        bench.round_of(75, 60 * DATAGRAM, 10, false);
        assert_eq!(bench.bbr.bw_shortterm, bw);
    }
    assert_eq!(bench.bbr.state, State::Cruise);
    assert!(bench.bbr.window() < 200 * DATAGRAM);
    bench.bbr.start_refill();
    assert_eq!(bench.bbr.bw_shortterm, INFINITE);
    assert_eq!(bench.bbr.inflight_shortterm, INFINITE);
}

/// Ours: loss in rounds without a queue lowers nothing, and is made up for.
#[test]
fn steady_loss_without_a_queue_lowers_nothing() {
    let mut bench = Bench::cruising();
    for _ in 0..15 {
        bench.round_of(95, 95 * DATAGRAM, 5, false);
    }
    assert_eq!(bench.bbr.bw_shortterm, INFINITE);
    assert_eq!(bench.bbr.max_bw.get(), 1_000_000);
    let rate = bench.bbr.pacing_rate(&RTT);
    assert!((1_020_000..1_050_000).contains(&rate), "{rate}");
}

/// RFC 8085 §3.1: no growth with more than 15 % of loss in two rounds.
#[test]
fn heavy_loss_ends_growth() {
    let mut bench = Bench::new();
    bench.round(10, 10 * DATAGRAM);
    for _ in 0..3 {
        bench.round_of(200, 200 * DATAGRAM, 100, false);
    }
    assert_ne!(bench.bbr.state, State::Startup);
    let mut bench = Bench::probing();
    bench.round_of(130, 140 * DATAGRAM, 60, false);
    assert_eq!(bench.bbr.state, State::Down);
}

/// "Entering and Exiting PROBE_RTT"; §5.3.4.
#[test]
fn probe_rtt_after_five_seconds_in_a_queue() {
    let mut bench = Bench::cruising();
    bench.rtt = 110;
    let began = bench.now;
    while bench.bbr.state != State::ProbeRtt {
        bench.round(110, 120 * DATAGRAM);
    }
    assert!((4_500..=5_300).contains(&(bench.now - began)));
    assert_eq!(bench.bbr.window(), 50 * DATAGRAM, "half a BDP");
    assert!(bench.bbr.is_holding_back());
    // Not before half a BDP is reached, then 200 ms and a round.
    bench.round(60, 51 * DATAGRAM);
    bench.rtt = 100;
    bench.round_of(50, 50 * DATAGRAM, 0, true);
    bench.round_of(50, 50 * DATAGRAM, 0, true);
    bench.round_of(50, 50 * DATAGRAM, 0, true);
    assert_eq!(bench.bbr.state, State::ProbeRtt);
    bench.round_of(50, 50 * DATAGRAM, 0, true);
    assert_eq!(bench.bbr.state, State::Cruise);
    assert!(
        bench.bbr.window() > 100 * DATAGRAM,
        "§5.6.4.4: the window is back"
    );
    assert_eq!(bench.bbr.max_bw.get(), 1_000_000, "low rates do not count");
}

/// Ours: who finds the shortest round trip again and again needs no ProbeRTT.
#[test]
fn no_probe_rtt_without_a_queue() {
    let mut bench = Bench::cruising();
    for _ in 0..200 {
        bench.round(100, 100 * DATAGRAM);
        assert_ne!(bench.bbr.state, State::ProbeRtt);
    }
}

/// "Entering and Exiting PROBE_RTT During STARTUP".
#[test]
fn probe_rtt_leads_back_to_startup() {
    let mut bench = Bench::new();
    bench.round(10, 10 * DATAGRAM);
    bench.rtt = 200;
    while bench.bbr.state == State::Startup {
        bench.round_of(10, 5 * DATAGRAM, 0, true);
    }
    assert_eq!(bench.bbr.state, State::ProbeRtt);
    for _ in 0..4 {
        bench.round_of(4, 4 * DATAGRAM, 0, true);
    }
    assert_eq!(bench.bbr.state, State::Startup);
}

/// "Skipping PROBE_RTT Due to Application-Limited Sending"; §5.4.1.
#[test]
fn a_pause_is_as_good_as_probe_rtt() {
    let mut bench = Bench::cruising();
    bench.now += 20_000;
    bench.bbr.on_sent(&SentPacket {
        now: ms(bench.now),
        bytes: DATAGRAM,
        in_flight: 0,
        app_limited: true,
        delivered: bench.delivered,
    });
    assert!(bench.bbr.idle_restart);
    assert_eq!(bench.bbr.pacing_rate(&RTT), 990_000);
    bench.rtt = 120;
    bench.round(10, 10 * DATAGRAM);
    assert_ne!(bench.bbr.state, State::ProbeRtt);
    assert!(!bench.bbr.idle_restart);
}

/// "Correctly Managing Sub-Packet BDPs": four datagrams.
#[test]
fn four_datagrams_at_least() {
    let mut bench = Bench::new();
    for _ in 0..20 {
        bench.round(1, DATAGRAM);
    }
    assert!(bench.bbr.full.reached);
    let window = bench.bbr.window() / DATAGRAM;
    assert!(
        (4..=6).contains(&window),
        "{window}, two more of them in Up"
    );
}

/// RFC 9002 §7.6.2: the least window; it grows again with what is acknowledged.
#[test]
fn persistent_congestion() {
    let mut bench = Bench::cruising();
    bench.bbr.on_loss_event(&Lost {
        now: ms(bench.now),
        sent: ms(bench.now),
        bytes: DATAGRAM,
        in_flight: 0,
        new_event: true,
        persistent: true,
    });
    assert_eq!(bench.bbr.window(), 2 * DATAGRAM);
    bench.round(2, 2 * DATAGRAM);
    bench.round(4, 4 * DATAGRAM);
    assert_eq!(bench.bbr.window(), 8 * DATAGRAM);
}

/// RFC 3168: a mark is a sign of congestion, once a round trip.
#[test]
fn marks_end_growth() {
    let marked = |bench: &Bench| Marked {
        now: ms(bench.now),
        sent: ms(bench.now),
        packets: 1,
        in_flight: 120 * DATAGRAM,
        new_event: true,
    };
    let mut bench = Bench::probing();
    bench.bbr.on_ecn_ce(&marked(&bench));
    assert_eq!(bench.bbr.state, State::Down);
    assert_eq!(bench.bbr.inflight_longterm, 100 * DATAGRAM);
    let mut bench = Bench::new();
    bench.round(10, 10 * DATAGRAM);
    bench.bbr.on_ecn_ce(&marked(&bench));
    bench.round(20, 20 * DATAGRAM);
    assert_ne!(bench.bbr.state, State::Startup);
}

/// T12, invariants 24 and the bound on windows and rates, for any sequence of events.
#[test]
fn no_input_breaks_it() {
    let mut random = 1_u64;
    let mut draw = |below: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let mut bench = Bench::new();
    let mut sum = 0_u64;
    for step in 0..20_000 {
        bench.rtt = [1, 20, 100, 150, 3_000][draw(5) as usize];
        match draw(10) {
            0 => bench.bbr.on_spurious_loss(ms(bench.now)),
            1 => bench.bbr.on_leap(Duration::from_millis(draw(5_000))),
            2 => bench.now += draw(20_000),
            3 => bench.bbr.set_datagram_size(1_000 + draw(60_000) as u16),
            4 => bench.bbr.on_loss_event(&Lost {
                now: ms(bench.now),
                sent: ms(bench.now),
                bytes: 1_000,
                in_flight: draw(1 << 30),
                new_event: true,
                persistent: draw(20) == 0,
            }),
            _ => {
                let (lost, limited) = (draw(30), draw(3) == 0);
                bench.round_of(draw(300), draw(1 << 20), lost, limited);
            }
        }
        let (window, rate) = (bench.bbr.window(), bench.bbr.pacing_rate(&RTT));
        assert!(window >= 2 * bench.bbr.datagram, "step {step}");
        assert!(window <= BYTES_MAX && (1..=BYTES_MAX).contains(&rate));
        assert!(bench.bbr.send_quantum(rate) >= 2 * bench.bbr.datagram);
        sum = sum.wrapping_mul(31).wrapping_add(window ^ rate);
    }
    // The same figures on every platform.
    assert_eq!(sum, PINNED);
}

/// The end of the run above.
const PINNED: u64 = 17_899_931_433_082_889_501;
