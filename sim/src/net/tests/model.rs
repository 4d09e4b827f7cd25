//! The network against a naive one, in which every node of every datagram is a step of its own.

use std::net::SocketAddr;

use proto_core::{Duration, Instant};

use crate::net::testing::{address, at};
use crate::net::{
    Datagram, Delay, DropList, Duplicate, Fate, Jitter, Loss, Network, Node, NodeId, QueueLimit,
    Rate, Reorder, Until,
};
use crate::rng::Rng;

/// What came through: when, to which port, which.
type Arrivals = Vec<(u64, u16, u32)>;

struct Route {
    from: SocketAddr,
    to: SocketAddr,
    nodes: Vec<usize>,
}

/// Nodes, made twice alike, routes over them, and when what is sent where.
struct Plan {
    seed: u64,
    nodes: u64,
    routes: Vec<Route>,
    sends: Vec<(Instant, usize)>,
}

impl Plan {
    fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed, 1);
        let nodes = rng.between(1, 8);
        let routes = (0..rng.between(1, 4) as u16).map(|route| Route {
            from: address(10 + route),
            to: address(20 + route % 2),
            nodes: (0..rng.below(5))
                .map(|_| rng.below(nodes) as usize)
                .collect(),
        });
        let routes: Vec<_> = routes.collect();
        let mut now = 0;
        let sends = (0..300).map(|_| {
            // Odd steps, so that two things rarely happen at one time: their order is not fixed by the model.
            now += rng.below(1_000_000) * 2 + 1;
            (at(now), rng.below(routes.len() as u64) as usize)
        });
        Self {
            seed,
            nodes,
            sends: sends.collect(),
            routes,
        }
    }

    fn nodes(&self) -> Vec<Box<dyn Node>> {
        (0..self.nodes)
            .map(|n| node(&mut Rng::new(self.seed, 100 + n)))
            .collect()
    }

    fn network(&self) -> (Arrivals, u64) {
        let mut network = Network::default();
        let ids: Vec<NodeId> = self.nodes().into_iter().map(|n| network.add(n)).collect();
        for route in &self.routes {
            let nodes = route.nodes.iter().map(|&node| ids[node]).collect();
            network.connect(route.from, route.to, nodes);
        }
        let mut arrived = Vec::new();
        let mut drain = |network: &mut Network, until: Instant| {
            while let Some(time) = network.next_time().filter(|&time| time <= until) {
                while let Some(datagram) = network.deliver(time) {
                    let number = u32::from_le_bytes(datagram.payload[..4].try_into().unwrap());
                    arrived.push((time.as_nanos(), datagram.destination.port(), number));
                    network.recycle(datagram.payload);
                }
            }
        };
        for (number, &(now, route)) in self.sends.iter().enumerate() {
            // Some callers look only now and then.
            if number % 3 > 0 || self.seed.is_multiple_of(2) {
                drain(&mut network, now);
            }
            let route = &self.routes[route];
            let datagram = Datagram {
                source: route.from,
                destination: route.to,
                ecn: proto_core::Ecn::NotEct,
                payload: payload(number as u32),
            };
            network.send(now, datagram);
        }
        drain(&mut network, at(u64::MAX));
        let stats = self
            .routes
            .iter()
            .map(|r| network.stats(r.from, r.to).unwrap());
        assert!(stats.clone().all(|stats| stats.under_way() == 0));
        (arrived, stats.map(|stats| stats.lost).sum())
    }

    fn naive(&self) -> (Arrivals, u64) {
        let mut nodes = self.nodes();
        // (time, order of being put in, route, next node, number), taken by the least.
        let mut open: Vec<(Instant, usize, usize, usize, u32)> = Vec::new();
        for (number, &(now, route)) in self.sends.iter().enumerate() {
            open.push((now, number + 1, route, 0, number as u32));
        }
        let (mut arrived, mut lost, mut order) = (Vec::new(), 0, open.len());
        // What is not held goes on before anything else moves.
        let rank = |time, now, order| if time > now { order } else { 0 };
        while let Some(first) = (0..open.len()).min_by_key(|&n| (open[n].0, open[n].1)) {
            let (now, _, route, next, number) = open.swap_remove(first);
            let path = &self.routes[route];
            let Some(&node) = path.nodes.get(next) else {
                arrived.push((now.as_nanos(), path.to.port(), number));
                continue;
            };
            order += 2;
            let mut put = |time: Instant, order| {
                open.push((time.max(now), order, route, next + 1, number));
            };
            match nodes[node].pass(now, &mut payload(number)) {
                Fate::Lost => lost += 1,
                Fate::At(time) => put(time, rank(time, now, order)),
                Fate::Twice(one, two) => {
                    put(one, rank(one, now, order));
                    put(two, order + 1);
                }
            }
        }
        (arrived, lost)
    }
}

fn payload(number: u32) -> Vec<u8> {
    let mut payload = vec![0; 100 + number as usize % 7 * 200];
    payload[..4].copy_from_slice(&number.to_le_bytes());
    payload
}

fn node(rng: &mut Rng) -> Box<dyn Node> {
    let time = Duration::from_nanos(rng.below(5_000_000) * 2);
    let share = rng.below(300_000) as u32;
    match rng.below(7) {
        0 => Box::new(Delay::new(time)),
        1 => Box::new(Rate::new(
            rng.between(1_000_000, 20_000_000),
            QueueLimit::Packets(rng.below(20)),
        )),
        2 => Box::new(DropList::new((0..50).map(|_| rng.below(300)).collect())),
        3 => Box::new(Duplicate::new(share, rng.fork())),
        4 => Box::new(Until::new(
            Loss::new(share, rng.fork()),
            Instant::ZERO + time * 40,
        )),
        5 => Box::new(Jitter::reordering(time, rng.fork())),
        _ => Box::new(Reorder::new(share, time, rng.fork())),
    }
}

#[test]
fn the_network_does_what_the_naive_one_does() {
    let mut total = 0;
    for seed in 0..400 {
        let plan = Plan::draw(seed);
        let (mut arrived, lost) = plan.network();
        let (mut expected, expected_lost) = plan.naive();
        // Of what arrives at one time somewhere, only the set is fixed.
        arrived.sort_unstable();
        expected.sort_unstable();
        assert_eq!(arrived, expected, "seed {seed}");
        assert_eq!(lost, expected_lost, "seed {seed}");
        total += arrived.len();
    }
    assert!(total > 50_000, "{total}");
}
