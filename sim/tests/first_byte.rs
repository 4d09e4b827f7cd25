//! How many round trips a small download takes: the request rides with the client's last handshake flight, and nothing waits for
//! WANT. With real TLS, over a path of 100 ms and 100 Mbit/s; applications decide at once.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use proto_core::wire::{Durability, FilePath};
use proto_core::{
    Admission, Config, Decision, Duration, Event, Instant, Overwrite, PeerId, Place, Request,
    RootId,
};
use sim::disk::{Content, Disk, DiskPlan};
use sim::lab::{Happening, HostId, HostSetup, Lab};
use sim::net::{Delay, Node, QueueLimit, Rate};
use sim::rng::Rng;
use sim::seeded_crypto::SeededTls;

const ROOT: RootId = RootId(0);
const SIZE: u64 = 10_000;
const ROUND: Duration = Duration::from_millis(100);
const ALLOWED: Duration = Duration::from_millis(10);

fn address(last: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), 4_433)
}

fn place() -> Place {
    Place {
        root: ROOT,
        path: FilePath::parse(b"a.bin").unwrap(),
    }
}

/// A client (1) and a server (2) that has the file.
fn lab(seed: u64) -> (Lab, [HostId; 2]) {
    let mut lab = Lab::new(seed);
    let mut rng = Rng::new(seed, 1);
    let hosts = [1, 2].map(|last| {
        let provider = SeededTls::new(&rng.bytes32(), rng.bytes32()).unwrap();
        let mut config = Config::new(Arc::new(provider));
        config.accept = last == 2;
        let mut disk = Disk::new(DiskPlan::default(), rng.fork());
        disk.add_root(ROOT);
        if last == 2 {
            let content = Content::generated(rng.next_u64(), SIZE);
            disk.plant(ROOT, &place().path, content, 0);
        }
        lab.add_host(HostSetup {
            name: format!("host {last}"),
            address: address(last),
            config,
            disk,
            segments_max: 10,
        })
    });
    for (from, to) in [(1, 2), (2, 1)] {
        let wire = Rate::new(100_000_000, QueueLimit::Packets(1_000)).with_overhead(28);
        let nodes: [Box<dyn Node>; 2] = [Box::new(wire), Box::new(Delay::new(ROUND / 2))];
        let nodes = nodes.map(|node| lab.network().add(node)).to_vec();
        lab.network().connect(address(from), address(to), nodes);
    }
    (lab, hosts)
}

/// Asks for the file.
fn ask(lab: &mut Lab, client: HostId, peer: PeerId) {
    let request = Request::Get {
        from: place().path,
        to: place(),
        overwrite: Overwrite::Replace,
        durability: Durability::Full,
        preserve: false,
        tree: false,
    };
    let (now, endpoint) = lab.endpoint(client).unwrap();
    endpoint.start(now, peer, request).unwrap();
}

/// Lets the world run until the client's transfer has ended well; its session and the time.
fn until_finished(lab: &mut Lab, [client, _]: [HostId; 2]) -> (PeerId, Instant) {
    loop {
        let until = lab.now() + ROUND * 100;
        let (host, event) = match lab.next(until).unwrap() {
            Happening::Event(host, event) => (host, event),
            Happening::Appeared(..) => continue,
            Happening::Until => panic!("the transfer does not end"),
        };
        let (now, endpoint) = lab.endpoint(host).unwrap();
        match event {
            Event::PeerReady { peer, .. } => {
                endpoint.admit(now, peer, Admission::Admit).unwrap();
                if host == client {
                    ask(lab, client, peer);
                }
            }
            Event::Requested { transfer, .. } => {
                let decision = Decision::Grant {
                    place: place(),
                    may_replace: true,
                };
                endpoint.decide(now, transfer, decision).unwrap();
            }
            Event::Finished {
                transfer, result, ..
            } if host == client => {
                assert!(result.is_ok(), "{result:?}");
                return (transfer.peer(), now);
            }
            _ => {}
        }
    }
}

#[test]
fn a_small_file_takes_two_round_trips_on_a_new_session_and_one_on_an_open_one() {
    for seed in 0..20 {
        let (mut lab, hosts) = lab(seed);
        let (now, endpoint) = lab.endpoint(hosts[0]).unwrap();
        endpoint.connect(now, address(2)).unwrap();
        let (peer, finished) = until_finished(&mut lab, hosts);
        let took = finished.since(now);
        assert!(
            took <= 2 * ROUND + ALLOWED,
            "new session: {took:?}, seed {seed}"
        );
        // At once, and again after a while of silence.
        for wait in [0, 1, 30] {
            let until = finished + Duration::from_secs(wait);
            while lab.next_time().is_some_and(|at| at <= until) && wait > 0 {
                lab.next(until).unwrap();
            }
            let begin = lab.now();
            ask(&mut lab, hosts[0], peer);
            let (_, finished) = until_finished(&mut lab, hosts);
            let took = finished.since(begin);
            assert!(
                took <= ROUND + ALLOWED,
                "open session, {wait} s: {took:?}, seed {seed}"
            );
        }
    }
}
