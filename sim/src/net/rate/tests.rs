use super::*;
use crate::net::testing::{at, run};
use crate::rng::Rng;

const ENDLESS: QueueLimit = QueueLimit::Bytes(u64::MAX);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn numbers(rate: Rate, count: u32, gap: u64) -> Vec<u32> {
    let arrived = run([rate], count, 1_000, gap);
    arrived.iter().map(|a| a.number).collect()
}

fn times(rate: Rate, count: u32, gap: u64) -> Vec<u64> {
    let arrived = run([rate], count, 1_000, gap);
    arrived.iter().map(|a| a.at).collect()
}

#[test]
fn is_exact_over_a_busy_period() {
    // 1,000 bytes at 7 Mbit/s take 1,142,857 1/7 ns.
    let times = times(Rate::new(7_000_000, ENDLESS), 7_000, 0);
    assert_eq!(times[0], 1_142_857);
    assert_eq!(times[6], 8_000_000);
    assert_eq!(times[6_999], 8_000_000_000);
}

#[test]
fn an_idle_wire_starts_anew() {
    let rate = Rate::new(8_000_000, QueueLimit::Bytes(10_000));
    assert_eq!(
        times(rate, 3, 5_000_000),
        [1_000_000, 6_000_000, 11_000_000]
    );
}

#[test]
fn overhead_takes_its_time() {
    let rate = Rate::new(8_000_000, ENDLESS).with_overhead(28);
    assert_eq!(times(rate, 2, 0), [1_028_000, 2_056_000]);
}

#[test]
fn a_full_queue_drops_its_tail() {
    // One on the wire and two that wait; one leaves every millisecond, four arrive in the same time.
    let expected = [0, 1, 2, 4, 8, 12];
    for limit in [
        QueueLimit::Bytes(2_999),
        QueueLimit::Bytes(2_000),
        QueueLimit::Packets(2),
    ] {
        assert_eq!(numbers(Rate::new(8_000_000, limit), 13, 250_000), expected);
    }
    // With overhead 2,000 bytes hold one.
    let rate = Rate::new(8_000_000, QueueLimit::Bytes(2_000)).with_overhead(1);
    assert_eq!(numbers(rate, 4, 1), [0, 1]);
}

#[test]
fn a_datagram_larger_than_the_queue_passes_an_idle_wire() {
    let rate = Rate::new(8_000_000, QueueLimit::Bytes(100));
    assert_eq!(numbers(rate, 3, 0), [0]);
    let rate = Rate::new(8_000_000, QueueLimit::Packets(0));
    assert_eq!(numbers(rate, 3, 1_000_000), [0, 1, 2]);
}

#[test]
fn the_queue_is_what_waits() {
    let mut rate = Rate::new(8_000_000, QueueLimit::Packets(3));
    let waits = |rate: &Rate, now| {
        let stats = rate.queue(at(now));
        assert_eq!(stats.bytes, stats.packets * 1_000);
        stats.packets
    };
    assert_eq!(rate.queue(at(0)), QueueStats::default());
    for expected in [0, 1, 2, 3, 3] {
        rate.pass(at(0), &mut vec![0; 1_000]);
        assert_eq!(waits(&rate, 0), expected);
    }
    assert_eq!(waits(&rate, 999_999), 3);
    assert_eq!(waits(&rate, 1_000_000), 2);
    assert_eq!(waits(&rate, 3_000_000), 0);
    assert_eq!(waits(&rate, 9_000_000), 0);
    let stats = rate.queue(at(9_000_000));
    assert_eq!((stats.bytes_max, stats.packets_max), (3_000, 3));
}

#[test]
fn a_change_of_the_rate_hits_the_datagram_on_the_wire() {
    // 8 Mbit/s for 1.5 ms, then half of it: the second datagram has 500 bytes to go, which take 1 ms.
    let changes = vec![(Duration::from_micros(1_500), 4_000_000)];
    let rate = Rate::varying(Schedule::new(8_000_000, changes, None), ENDLESS);
    assert_eq!(times(rate, 3, 0), [1_000_000, 2_500_000, 4_500_000]);
}

#[test]
fn a_wire_that_stands_still_goes_on_later() {
    let rates = Schedule::new(8_000_000, vec![(ms(2), 0)], Some(ms(10)));
    let rate = Rate::varying(rates, ENDLESS);
    let ms = [1, 2, 11, 12, 21].map(|n| n * 1_000_000);
    assert_eq!(times(rate, 5, 0), ms);
}

#[test]
fn what_never_leaves_the_wire_is_lost() {
    let ends = Schedule::new(8_000_000, vec![(ms(2), 0)], None);
    assert_eq!(numbers(Rate::varying(ends, ENDLESS), 5, 0), [0, 1]);
    let dead = Schedule::new(0, vec![(ms(2), 0)], Some(ms(3)));
    assert_eq!(numbers(Rate::varying(dead, ENDLESS), 5, 1_000), [0_u32; 0]);
}

/// The work of every nanosecond, added up, against the closed form.
#[test]
fn varying_rates_are_exact() {
    let mut rng = Rng::new(3, 1);
    for _ in 0..200 {
        let period = rng.between(2, 40);
        let change = rng.between(1, period - 1);
        // Bits per nanosecond × 10^9, so that a few nanoseconds matter.
        let (low, high) = (rng.between(0, 4_000_000_000), rng.between(1, 9_000_000_000));
        let changes = vec![(Duration::from_nanos(change), high)];
        let rates = Schedule::new(low, changes, Some(Duration::from_nanos(period)));
        let mut rate = Rate::varying(rates, ENDLESS);
        let (mut total, mut done, mut clock) = (0, 0, 0);
        for _ in 0..20 {
            let size = rng.between(1, 30);
            let Fate::At(departure) = rate.pass(at(0), &mut vec![0; size as usize]) else {
                panic!("lost");
            };
            total += size * 8 * 1_000_000_000;
            // The whole nanoseconds that end before the work does.
            loop {
                let now = if clock % period < change { low } else { high };
                if done == total || done + now > total {
                    break;
                }
                done += now;
                clock += 1;
            }
            assert_eq!(
                departure.as_nanos(),
                clock,
                "{low} {high} {change} {period}"
            );
        }
    }
}
