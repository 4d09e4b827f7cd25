mod model;

use proto_core::Duration;

use super::testing::{A, Arrival, B, address, at, drain, run_boxed};
use super::*;
use crate::rng::Rng;

const C: std::net::SocketAddr = address(3);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn datagram(
    source: std::net::SocketAddr,
    destination: std::net::SocketAddr,
    number: u32,
) -> Datagram {
    let mut payload = number.to_le_bytes().to_vec();
    payload.resize(1_000, 0);
    Datagram {
        source,
        destination,
        ecn: proto_core::Ecn::NotEct,
        payload,
    }
}

fn arrivals(network: &mut Network, until: u64) -> Vec<(u64, u32)> {
    let mut arrived: Vec<Arrival> = Vec::new();
    drain(network, at(until), &mut arrived);
    arrived.iter().map(|a| (a.at, a.number)).collect()
}

fn delayed(network: &mut Network, delay: u64) -> Vec<NodeId> {
    vec![network.add(Box::new(Delay::new(Duration::from_nanos(delay))))]
}

#[test]
fn a_path_without_nodes_delivers_at_once() {
    let arrived = run_boxed(vec![], 3, 10, 7);
    let times: Vec<_> = arrived.iter().map(|a| (a.at, a.number)).collect();
    assert_eq!(times, [(0, 0), (7, 1), (14, 2)]);
}

#[test]
fn without_a_path_datagrams_are_counted_and_lost() {
    let mut network = Network::default();
    network.connect(A, B, vec![]);
    network.send(at(0), datagram(B, A, 1));
    assert!(network.is_idle());
    assert_eq!(network.unroutable(), 1);
    assert!(network.disconnect(A, B) && !network.disconnect(A, B));
    network.send(at(0), datagram(A, B, 1));
    assert_eq!(network.unroutable(), 2);
    assert_eq!(network.stats(A, B), None);
}

#[test]
fn delays_add_up() {
    let mut network = Network::default();
    let nodes = [delayed(&mut network, 5), delayed(&mut network, 7)].concat();
    network.connect(A, B, nodes);
    network.send(at(1), datagram(A, B, 1));
    assert_eq!(network.next_time(), Some(at(6)));
    assert_eq!(arrivals(&mut network, 12), []);
    assert_eq!(arrivals(&mut network, 13), [(13, 1)]);
}

/// Two flows through one wire get half of it each, and the queue is one.
#[test]
fn paths_share_a_bottleneck() {
    let mut network = Network::default();
    let wire = network.add(Box::new(Rate::new(8_000_000, QueueLimit::Packets(3))));
    let far = delayed(&mut network, 10_000_000);
    network.connect(A, C, vec![wire]);
    network.connect(B, C, [vec![wire], far].concat());
    for number in 0..3 {
        network.send(at(0), datagram(A, C, 2 * number));
        network.send(at(0), datagram(B, C, 2 * number + 1));
    }
    let queue = network.queue(wire, at(0));
    assert_eq!((queue.bytes, queue.packets), (3_000, 3));
    let stats = network.node_stats(wire);
    assert_eq!((stats.entered, stats.lost, stats.lost_bytes), (6, 2, 2_000));
    let ms = |n: u64| n * 1_000_000;
    let expected = [(ms(1), 0), (ms(3), 2), (ms(12), 1), (ms(14), 3)];
    assert_eq!(arrivals(&mut network, ms(20)), expected);
    assert_eq!(network.queue(wire, at(ms(20))).packets, 0);
    assert_eq!(network.queue(wire, at(ms(20))).packets_max, 3);
    for source in [A, B] {
        let stats = network.stats(source, C).unwrap();
        assert_eq!((stats.sent, stats.delivered, stats.lost), (3, 2, 1));
    }
}

/// Who comes to a shared node first is a matter of time, not of the order of the calls.
#[test]
fn what_is_due_before_goes_first() {
    let mut network = Network::default();
    let wire = network.add(Box::new(Rate::new(8_000_000, QueueLimit::Packets(9))));
    let near = delayed(&mut network, 10);
    network.connect(A, C, [near, vec![wire]].concat());
    network.connect(B, C, vec![wire]);
    network.send(at(0), datagram(A, C, 1));
    // Nothing was delivered in between: the first is at the wire at 10.
    network.send(at(20), datagram(B, C, 2));
    assert_eq!(
        arrivals(&mut network, 3_000_000),
        [(1_000_010, 1), (2_000_010, 2)]
    );
}

#[test]
fn a_moved_host_is_reached_at_its_new_address_only() {
    let mut network = Network::default();
    let there = delayed(&mut network, 100);
    let back = delayed(&mut network, 100);
    network.connect(A, B, there);
    network.connect(B, A, back);
    network.send(at(0), datagram(A, B, 1));
    network.send(at(0), datagram(B, A, 2));
    network.readdress(A, C);
    // What was on its way to the old address is lost, also when the address comes back.
    network.send(at(1), datagram(B, A, 3));
    assert_eq!(network.unroutable(), 1);
    network.send(at(1), datagram(B, C, 4));
    network.send(at(1), datagram(C, B, 5));
    let mut got = Vec::new();
    while let Some(time) = network.next_time() {
        while let Some(datagram) = network.deliver(time) {
            got.push((datagram.source, datagram.destination, datagram.payload[0]));
        }
    }
    assert_eq!(got, [(A, B, 1), (B, C, 4), (C, B, 5)]);
    assert_eq!(network.stats(A, B), None);
    let to = network.stats(B, C).unwrap();
    assert_eq!(
        (to.sent, to.delivered, to.lost, to.under_way()),
        (2, 1, 1, 0)
    );
    assert_eq!(network.stats(C, B).unwrap().delivered, 2);
}

#[test]
fn an_address_that_comes_back_gets_nothing_from_before() {
    let mut network = Network::default();
    let nodes = delayed(&mut network, 100);
    network.connect(A, B, nodes);
    network.send(at(0), datagram(A, B, 1));
    network.readdress(B, C);
    network.readdress(C, B);
    network.send(at(1), datagram(A, B, 2));
    assert_eq!(arrivals(&mut network, 1_000), [(101, 2)]);
}

#[test]
fn moving_to_a_used_address_takes_its_paths() {
    let mut network = Network::default();
    let (slow, quick) = (delayed(&mut network, 100), delayed(&mut network, 1));
    network.connect(A, C, slow);
    network.connect(B, C, quick);
    network.send(at(0), datagram(A, C, 1));
    network.readdress(B, A);
    network.send(at(0), datagram(A, C, 2));
    assert_eq!(arrivals(&mut network, 1_000), [(1, 2), (100, 1)]);
    assert_eq!(network.stats(A, C).unwrap().sent, 1);
    assert_eq!(network.stats(B, C), None);
}

#[test]
fn a_new_path_takes_over_and_the_old_one_empties() {
    let mut network = Network::default();
    for round in 0..100 {
        let nodes = delayed(&mut network, 100 + round);
        network.connect(A, B, nodes);
        network.send(at(round), datagram(A, B, round as u32));
    }
    let arrived = arrivals(&mut network, 1_000);
    assert_eq!(arrived.len(), 100);
    assert_eq!(network.stats(A, B).unwrap().sent, 1);
    // Places of old paths are used again.
    let nodes = network.nodes(A, B).unwrap().to_vec();
    for _ in 0..100 {
        network.connect(A, B, nodes.clone());
        network.disconnect(A, B);
    }
    assert!(format!("{network:?}").matches("Path {").count() <= 101);
}

#[test]
fn empty_datagrams_pass_every_node() {
    let rng = || Rng::new(9, 0);
    let nodes: Vec<Box<dyn Node>> = vec![
        Box::new(Corrupt::new(1_000_000, rng())),
        Box::new(Truncate::new(1_000_000, rng())),
        Box::new(Rate::new(1, QueueLimit::Bytes(0))),
        Box::new(Mtu::new(Schedule::constant(0))),
    ];
    let mut network = Network::default();
    let nodes = nodes.into_iter().map(|node| network.add(node)).collect();
    network.connect(A, B, nodes);
    let empty = Datagram {
        payload: Vec::new(),
        ..datagram(A, B, 0)
    };
    network.send(at(5), empty.clone());
    assert_eq!(network.deliver(at(5)), Some(empty));
}

#[test]
fn buffers_are_used_again() {
    let mut network = Network::default();
    let loss = network.add(Box::new(Loss::new(1_000_000, Rng::new(0, 0))));
    network.connect(A, B, vec![loss]);
    network.send(at(0), datagram(A, B, 0));
    let lost = network.buffer();
    assert!(lost.is_empty() && lost.capacity() >= 1_000);
    assert_eq!(network.buffer().capacity(), 0);
    network.recycle(vec![1; 500]);
    let used = network.buffer();
    assert!(used.is_empty() && used.capacity() >= 500);
}

#[test]
fn the_same_seed_gives_the_same_traffic() {
    let path = |seed| -> Vec<Box<dyn Node>> {
        vec![
            Box::new(Loss::new(100_000, Rng::new(seed, 0))),
            Box::new(Duplicate::new(100_000, Rng::new(seed, 1))),
            Box::new(Corrupt::new(100_000, Rng::new(seed, 2))),
            Box::new(Reorder::new(100_000, ms(3), Rng::new(seed, 3))),
            Box::new(Rate::new(10_000_000, QueueLimit::Bytes(20_000))),
            Box::new(Delay::new(ms(20))),
            Box::new(Jitter::in_order(ms(2), Rng::new(seed, 4))),
        ]
    };
    let once = run_boxed(path(1), 2_000, 500, 300_000);
    assert_eq!(once, run_boxed(path(1), 2_000, 500, 300_000));
    assert_ne!(once, run_boxed(path(2), 2_000, 500, 300_000));
}
