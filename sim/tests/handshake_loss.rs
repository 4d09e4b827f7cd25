//! Handshakes over a path that loses 30 % of all datagrams, each way: most are complete within the 10 s that they have (H10).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use proto_core::{Config, Duration, Event, Instant, RootId};
use sim::disk::{Disk, DiskPlan};
use sim::lab::{Happening, HostSetup, Lab};
use sim::net::{Delay, Loss, Node};
use sim::rng::Rng;
use sim::seeded_crypto::SeededTls;

fn address(last: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), 4_433)
}

/// When both ends had a session over a path of 100 ms, if they did in time.
fn handshake(seed: u64, loss: u32) -> Option<Duration> {
    let mut lab = Lab::new(seed);
    let mut rng = Rng::new(seed, 1);
    let [client, _] = [1, 2].map(|last| {
        let provider = SeededTls::new(&rng.bytes32(), rng.bytes32()).unwrap();
        let mut config = Config::new(Arc::new(provider));
        config.accept = last == 2;
        let mut disk = Disk::new(DiskPlan::default(), rng.fork());
        disk.add_root(RootId(0));
        lab.add_host(HostSetup {
            name: format!("host {last}"),
            address: address(last),
            config,
            disk,
            segments_max: 10,
        })
    });
    for (from, to) in [(1, 2), (2, 1)] {
        let nodes: [Box<dyn Node>; 2] = [
            Box::new(Loss::new(loss, rng.fork())),
            Box::new(Delay::new(Duration::from_millis(50))),
        ];
        let nodes = nodes.map(|node| lab.network().add(node)).to_vec();
        lab.network().connect(address(from), address(to), nodes);
    }
    let (now, endpoint) = lab.endpoint(client).unwrap();
    endpoint.connect(now, address(2)).unwrap();
    let mut ready = 0;
    while ready < 2 {
        match lab.next(Instant::ZERO + Duration::from_secs(10)).unwrap() {
            Happening::Event(_, Event::PeerReady { .. }) => ready += 1,
            Happening::Event(_, Event::PeerClosed { .. }) | Happening::Until => return None,
            _ => {}
        }
    }
    Some(lab.now().since(Instant::ZERO))
}

#[test]
fn handshakes_survive_thirty_percent_loss() {
    const SEEDS: u64 = 400;
    let mut took: Vec<_> = (0..SEEDS)
        .filter_map(|seed| handshake(seed, 300_000))
        .collect();
    took.sort_unstable();
    let done = took.len() as u64;
    println!(
        "{done} of {SEEDS}; median {:?}, 90 %: {:?}",
        took[SEEDS as usize / 2],
        took.get(SEEDS as usize * 9 / 10),
    );
    assert!(done * 100 >= SEEDS * 95, "{done} of {SEEDS} in time");
}
