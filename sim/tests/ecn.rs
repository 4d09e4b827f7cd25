//! ECN from end to end: queues that mark instead of dropping, and paths that bleach (RFC 9000 §13.4, RFC 9002 §7.1).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use proto_core::wire::{Durability, FilePath};
use proto_core::{
    Admission, Config, CongestionControl, Decision, Duration, Event, Overwrite, PeerId, PeerStats,
    Place, Request, RootId,
};
use sim::disk::{Content, Disk, DiskPlan};
use sim::lab::{Happening, HostId, HostSetup, Lab};
use sim::net::{Bleach, Delay, Node, QueueLimit, Rate};
use sim::rng::Rng;
use sim::seeded_crypto::SeededTls;

const ROOT: RootId = RootId(0);
const SIZE: u64 = 10_000_000;
const ROUND: Duration = Duration::from_millis(100);

fn address(last: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), 4_433)
}

fn place() -> Place {
    Place {
        root: ROOT,
        path: FilePath::parse(b"a.bin").unwrap(),
    }
}

/// What is on the way, besides a wire of 50 Mbit/s with a queue of 120 kB and 100 ms.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Way {
    /// The hosts take part.
    ecn: bool,
    /// The queue marks above so many bytes.
    marks_above: u64,
    /// A router before the queue clears the field.
    bleach: bool,
}

/// A client (1) and a server (2) that has the file.
fn lab(seed: u64, way: Way) -> (Lab, [HostId; 2]) {
    let mut lab = Lab::new(seed);
    let mut rng = Rng::new(seed, 1);
    let hosts = [1, 2].map(|last| {
        let provider = SeededTls::new(&rng.bytes32(), rng.bytes32()).unwrap();
        let mut config = Config::new(Arc::new(provider));
        config.accept = last == 2;
        config.congestion = CongestionControl::Cubic;
        // The queue has room for a hundred of them.
        config.datagram_max = 1_200;
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
    if way.ecn {
        lab.network().carry_ecn();
    }
    for (from, to) in [(1, 2), (2, 1)] {
        let wire = Rate::new(50_000_000, QueueLimit::Bytes(120_000)).with_overhead(28);
        let wire = wire.with_marks_above(way.marks_above);
        let mut nodes: Vec<Box<dyn Node>> = vec![Box::new(wire), Box::new(Delay::new(ROUND / 2))];
        if way.bleach {
            nodes.insert(0, Box::new(Bleach));
        }
        let nodes = nodes.into_iter().map(|node| lab.network().add(node));
        let nodes = nodes.collect();
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

/// Downloads the file; the time that it took, and the server's figures in the end.
fn download(seed: u64, way: Way) -> (Duration, PeerStats) {
    let (mut lab, [client, server]) = lab(seed, way);
    let (begin, endpoint) = lab.endpoint(client).unwrap();
    endpoint.connect(begin, address(2)).unwrap();
    let mut there = None;
    loop {
        let until = begin + ROUND * 600;
        let (host, event) = match lab.next(until).unwrap() {
            Happening::Event(host, event) => (host, event),
            Happening::Appeared(..) => continue,
            Happening::Until => panic!("the transfer does not end"),
        };
        let (now, endpoint) = lab.endpoint(host).unwrap();
        match event {
            Event::PeerReady { peer, .. } => {
                endpoint.admit(now, peer, Admission::Admit).unwrap();
                match host == client {
                    true => ask(&mut lab, client, peer),
                    false => there = Some(peer),
                }
            }
            Event::Requested { transfer, .. } => {
                let decision = Decision::Grant {
                    place: place(),
                    may_replace: true,
                };
                endpoint.decide(now, transfer, decision).unwrap();
            }
            Event::Finished { result, .. } if host == client => {
                assert!(result.is_ok(), "{result:?}");
                let (_, endpoint) = lab.endpoint(server).unwrap();
                let stats = there.and_then(|peer| endpoint.stats(peer));
                return (now.since(begin), stats.expect("the session is open"));
            }
            _ => {}
        }
    }
}

const PLAIN: Way = Way {
    ecn: false,
    marks_above: u64::MAX,
    bleach: false,
};

#[test]
fn queues_that_mark_need_not_drop() {
    let marks = Way {
        ecn: true,
        marks_above: 30_000,
        ..PLAIN
    };
    let (slow, dropped) = download(1, PLAIN);
    let (took, marked) = download(1, marks);
    println!("{slow:?} {dropped:?}\n{took:?} {marked:?}");
    assert!(marked.ecn_capable && marked.ecn_marks > 0);
    assert!(marked.congestion_events > 0);
    assert!(marked.packets_lost * 2 < dropped.packets_lost);
    assert!(took < slow * 2, "{took:?}, {slow:?}");
}

#[test]
fn a_path_that_carries_marks_is_found_out_and_one_that_bleaches_too() {
    let ecn = Way { ecn: true, ..PLAIN };
    let (_, carried) = download(2, ecn);
    assert!(carried.ecn_capable);
    assert_eq!(carried.ecn_marks, 0);
    let bleach = Way {
        bleach: true,
        marks_above: 30_000,
        ..ecn
    };
    let (took, bleached) = download(2, bleach);
    assert!(!bleached.ecn_capable);
    assert_eq!(bleached.ecn_marks, 0);
    // Then all is as without ECN, to the nanosecond.
    let (plain, stats) = download(2, PLAIN);
    assert_eq!((took, bleached), (plain, stats));
}
