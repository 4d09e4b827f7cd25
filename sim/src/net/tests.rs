use proto_core::{Duration, Instant};

use super::*;
use crate::rng::Rng;

const A: SocketAddr = address(1);
const B: SocketAddr = address(2);

const fn address(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

/// Sends datagrams of `len` bytes, numbered in their first 4 bytes, `gap` ns apart; returns (time, number, payload).
fn run(nodes: Vec<Box<dyn Node>>, count: u32, len: usize, gap: u64) -> Vec<(u64, u32, Vec<u8>)> {
    let mut network = Network::default();
    network.connect(A, B, nodes);
    let mut arrived = Vec::new();
    let mut drain = |network: &mut Network, until: Option<u64>| {
        while let Some(time) = network.next_time() {
            if until.is_some_and(|until| time.as_nanos() >= until) {
                break;
            }
            while let Some(datagram) = network.deliver(time) {
                let mut number = [0; 4];
                let known = datagram.payload.len().min(4);
                number[..known].copy_from_slice(&datagram.payload[..known]);
                let number = u32::from_le_bytes(number);
                arrived.push((time.as_nanos(), number, datagram.payload));
            }
        }
    };
    for number in 0..count {
        let now = u64::from(number) * gap;
        drain(&mut network, Some(now));
        let mut payload = vec![0; len];
        payload[..4].copy_from_slice(&number.to_le_bytes());
        let datagram = Datagram {
            source: A,
            destination: B,
            payload,
        };
        network.send(at(now), datagram);
    }
    drain(&mut network, None);
    assert!(network.is_idle());
    let stats = network.stats(A, B).unwrap();
    assert_eq!(stats.sent, u64::from(count));
    assert_eq!(stats.delivered, arrived.len() as u64);
    arrived
}

#[test]
fn a_path_without_nodes_delivers_at_once() {
    let arrived = run(vec![], 3, 10, 7);
    let times: Vec<_> = arrived.iter().map(|a| (a.0, a.1)).collect();
    assert_eq!(times, [(0, 0), (7, 1), (14, 2)]);
}

#[test]
fn without_a_path_datagrams_are_counted_and_lost() {
    let mut network = Network::default();
    network.connect(A, B, vec![]);
    let datagram = Datagram {
        source: B,
        destination: A,
        payload: vec![1],
    };
    network.send(Instant::ZERO, datagram);
    assert!(network.is_idle());
    assert_eq!(network.unroutable(), 1);
}

#[test]
fn a_fixed_delay_is_exact() {
    let delay = Delay::new(ms(40), Duration::ZERO, Rng::new(0, 0));
    for (time, number, _) in run(vec![Box::new(delay)], 100, 10, 12_345) {
        assert_eq!(time, u64::from(number) * 12_345 + 40_000_000);
    }
}

#[test]
fn jitter_stays_in_its_range_and_keeps_the_order() {
    let delay = Delay::new(ms(10), ms(5), Rng::new(1, 0));
    let arrived = run(vec![Box::new(delay)], 10_000, 10, 1_000_000);
    let mut mean = 0;
    for (place, (time, number, _)) in arrived.iter().enumerate() {
        assert_eq!(*number as usize, place);
        let held = time - u64::from(*number) * 1_000_000;
        assert!((10_000_000..=15_000_000).contains(&held), "{held}");
        mean += held / 10_000;
    }
    // Keeping the order lifts the mean above the middle.
    assert!((12_500_000..14_500_000).contains(&mean), "{mean}");
}

#[test]
fn a_rate_is_exact_over_a_busy_period() {
    // 1,000 bytes at 7 Mbit/s take 1,142,857 1/7 ns.
    let rate = Rate::new(7_000_000, u64::MAX);
    let arrived = run(vec![Box::new(rate)], 7_000, 1_000, 0);
    assert_eq!(arrived[0].0, 1_142_857);
    assert_eq!(arrived[6].0, 8_000_000);
    assert_eq!(arrived[6_999].0, 8_000_000_000);
}

#[test]
fn an_idle_wire_starts_anew() {
    let rate = Rate::new(8_000_000, 10_000);
    let times: Vec<_> = run(vec![Box::new(rate)], 3, 1_000, 5_000_000)
        .iter()
        .map(|a| a.0)
        .collect();
    assert_eq!(times, [1_000_000, 6_000_000, 11_000_000]);
}

#[test]
fn a_full_queue_drops_its_tail() {
    // Room for 3 datagrams; one leaves every millisecond, four arrive in the same time.
    let rate = Rate::new(8_000_000, 3_000);
    let arrived = run(vec![Box::new(rate)], 13, 1_000, 250_000);
    let numbers: Vec<_> = arrived.iter().map(|a| a.1).collect();
    assert_eq!(numbers, [0, 1, 2, 4, 8, 12]);
    // The queue never holds more than the wire takes in 3 ms.
    for (time, number, _) in arrived {
        assert!(time - u64::from(number) * 250_000 <= 3_000_000);
    }
}

#[test]
fn a_datagram_larger_than_the_queue_passes_an_idle_wire() {
    let rate = Rate::new(8_000_000, 100);
    assert_eq!(run(vec![Box::new(rate)], 3, 1_000, 0).len(), 1);
}

#[test]
fn loss_takes_its_share_independently() {
    let loss = Loss::new(300_000, Rng::new(2, 0));
    let arrived = run(vec![Box::new(loss)], 100_000, 4, 1);
    // 4 standard deviations are 580.
    assert!(arrived.len().abs_diff(70_000) < 580, "{}", arrived.len());
    // After a lost one, the next is lost as often as any.
    let pairs = arrived.windows(2).filter(|w| w[1].1 == w[0].1 + 1).count();
    assert!(pairs.abs_diff(49_000) < 800, "{pairs}");
}

#[test]
fn certain_and_impossible_loss() {
    let none = Loss::new(0, Rng::new(0, 0));
    assert_eq!(run(vec![Box::new(none)], 1_000, 4, 1).len(), 1_000);
    let all = Loss::new(1_000_000, Rng::new(0, 0));
    assert_eq!(run(vec![Box::new(all)], 1_000, 4, 1).len(), 0);
}

#[test]
fn reordering_lets_later_datagrams_overtake() {
    let reorder = Reorder::new(100_000, ms(1), Rng::new(5, 0));
    let arrived = run(vec![Box::new(reorder)], 10_000, 4, 10_000);
    assert_eq!(arrived.len(), 10_000);
    let held: Vec<u64> = arrived
        .iter()
        .map(|a| a.0 - u64::from(a.1) * 10_000)
        .filter(|&held| held > 0)
        .collect();
    assert!(held.len().abs_diff(1_000) < 120, "{}", held.len());
    assert!(held.iter().all(|&h| h <= 1_000_000));
    assert!(held.iter().any(|&h| h > 900_000));
    assert!(arrived.windows(2).any(|w| w[1].1 < w[0].1));
}

#[test]
fn duplicates_come_with_the_same_bytes() {
    let duplicate = Duplicate::new(50_000, Rng::new(6, 0));
    let arrived = run(vec![Box::new(duplicate)], 20_000, 8, 10);
    assert!(arrived.len().abs_diff(21_000) < 130, "{}", arrived.len());
    let doubled = arrived.windows(2).filter(|w| w[0] == w[1]).count();
    assert_eq!(doubled, arrived.len() - 20_000);
}

#[test]
fn corruption_flips_one_to_four_bits() {
    let corrupt = Corrupt::new(200_000, Rng::new(7, 0));
    let arrived = run(vec![Box::new(corrupt)], 10_000, 100, 10);
    let mut counts = [0_u32; 6];
    for (place, (_, _, payload)) in arrived.iter().enumerate() {
        let mut sent = [0; 100];
        sent[..4].copy_from_slice(&(place as u32).to_le_bytes());
        let flips: u32 = sent
            .iter()
            .zip(payload)
            .map(|(a, b)| (a ^ b).count_ones())
            .sum();
        counts[flips as usize] += 1;
    }
    assert!(counts[0].abs_diff(8_000) < 160, "{counts:?}");
    assert!(
        counts[1..5].iter().all(|n| n.abs_diff(500) < 100),
        "{counts:?}"
    );
    assert_eq!(counts[5], 0);
}

#[test]
fn truncation_shortens() {
    let truncate = Truncate::new(100_000, Rng::new(8, 0));
    let arrived = run(vec![Box::new(truncate)], 10_000, 100, 10);
    let short: Vec<_> = arrived.iter().filter(|a| a.2.len() < 100).collect();
    assert!(short.len().abs_diff(1_000) < 120, "{}", short.len());
    assert!(short.iter().any(|a| a.2.is_empty()));
}

#[test]
fn empty_datagrams_pass_every_node() {
    let rng = || Rng::new(9, 0);
    let mut network = Network::default();
    let nodes: Vec<Box<dyn Node>> = vec![
        Box::new(Corrupt::new(1_000_000, rng())),
        Box::new(Truncate::new(1_000_000, rng())),
        Box::new(Rate::new(1, 0)),
    ];
    network.connect(A, B, nodes);
    let datagram = Datagram {
        source: A,
        destination: B,
        payload: Vec::new(),
    };
    network.send(at(5), datagram.clone());
    assert_eq!(network.deliver(at(5)), Some(datagram));
}

#[test]
fn the_same_seed_gives_the_same_traffic() {
    let path = |seed| -> Vec<Box<dyn Node>> {
        vec![
            Box::new(Loss::new(100_000, Rng::new(seed, 0))),
            Box::new(Duplicate::new(100_000, Rng::new(seed, 1))),
            Box::new(Corrupt::new(100_000, Rng::new(seed, 2))),
            Box::new(Reorder::new(100_000, ms(3), Rng::new(seed, 3))),
            Box::new(Rate::new(10_000_000, 20_000)),
            Box::new(Delay::new(ms(20), ms(2), Rng::new(seed, 4))),
        ]
    };
    let once = run(path(1), 2_000, 500, 300_000);
    assert_eq!(once, run(path(1), 2_000, 500, 300_000));
    assert_ne!(once, run(path(2), 2_000, 500, 300_000));
}
