//! What the tests of the nodes share: one path, regular traffic.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proto_core::Instant;

use super::{Datagram, Network, Node};

pub(super) const A: SocketAddr = address(1);
pub(super) const B: SocketAddr = address(2);

pub(super) const fn address(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

pub(super) fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

/// A datagram that came through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Arrival {
    /// When, in ns.
    pub(super) at: u64,
    /// Which, from 0.
    pub(super) number: u32,
    pub(super) payload: Vec<u8>,
}

/// Sends datagrams of `len` bytes, numbered in their first 4 bytes, `gap` ns apart from 0 on.
pub(super) fn run<N: Node + 'static>(
    nodes: impl IntoIterator<Item = N>,
    count: u32,
    len: usize,
    gap: u64,
) -> Vec<Arrival> {
    let boxed = (nodes.into_iter())
        .map(|node| Box::new(node) as Box<dyn Node>)
        .collect();
    run_boxed(boxed, count, len, gap)
}

/// The same with nodes of several kinds.
pub(super) fn run_boxed(
    nodes: Vec<Box<dyn Node>>,
    count: u32,
    len: usize,
    gap: u64,
) -> Vec<Arrival> {
    let mut network = Network::default();
    let nodes = nodes.into_iter().map(|node| network.add(node)).collect();
    network.connect(A, B, nodes);
    let mut arrived = Vec::new();
    for number in 0..count {
        let now = u64::from(number) * gap;
        if let Some(before) = now.checked_sub(1) {
            drain(&mut network, at(before), &mut arrived);
        }
        let mut payload = network.buffer();
        payload.resize(len, 0);
        payload[..4].copy_from_slice(&number.to_le_bytes());
        let datagram = Datagram {
            source: A,
            destination: B,
            ecn: proto_core::Ecn::NotEct,
            payload,
        };
        network.send(at(now), datagram);
    }
    drain(&mut network, at(u64::MAX), &mut arrived);
    assert!(network.is_idle());
    let stats = network.stats(A, B).expect("connected above");
    assert_eq!(stats.sent, u64::from(count));
    assert_eq!(stats.delivered, arrived.len() as u64);
    assert_eq!(stats.under_way(), 0);
    arrived
}

/// Everything that arrives up to `until`.
pub(super) fn drain(network: &mut Network, until: Instant, arrived: &mut Vec<Arrival>) {
    while let Some(time) = network.next_time().filter(|&time| time <= until) {
        while let Some(datagram) = network.deliver(time) {
            let mut number = [0; 4];
            let known = datagram.payload.len().min(4);
            number[..known].copy_from_slice(&datagram.payload[..known]);
            arrived.push(Arrival {
                at: time.as_nanos(),
                number: u32::from_le_bytes(number),
                payload: datagram.payload,
            });
        }
    }
}
