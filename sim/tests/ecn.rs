//! ECN from end to end: queues that mark instead of dropping, and paths that bleach (RFC 9000 §13.4, RFC 9002 §7.1).

mod pair;

use pair::{ROOT, ROUND, address, lab_over, path, until_finished};
use proto_core::{CongestionControl, Duration, Ecn, PeerStats};
use sim::disk::Content;
use sim::hostile::{Hostile, HostilePlan, Lie};
use sim::lab::{HostId, Lab};
use sim::net::{AllMarked, Bleach, Delay, Node, QueueLimit, Rate};

const SIZE: u64 = 10_000_000;

/// What is on the way, besides a wire of 50 Mbit/s with a queue of 120 kB and 100 ms.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Way {
    /// The hosts take part.
    ecn: bool,
    /// The queue marks above so many bytes.
    marks_above: u64,
    /// What a router before the queue makes of the field.
    router: Option<Router>,
    /// What the client says of the field.
    lie: Option<Lie>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Router {
    Bleaches,
    Sets(Ecn),
}

/// A client, and a server that has the file.
fn lab(seed: u64, way: Way) -> (Lab, [HostId; 2]) {
    let (mut lab, hosts) = lab_over(
        seed,
        |last, config, disk, rng| {
            config.congestion = CongestionControl::Cubic;
            // The queue has room for a hundred of them.
            config.datagram_max = 1_200;
            if let Some(lie) = way.lie.filter(|_| last == 1) {
                let plan = HostilePlan::only(lie, 1_000_000);
                config.provider = Hostile::new(config.provider.clone(), plan, seed);
            }
            let content = Content::generated(rng.next_u64(), SIZE);
            assert!(last == 1 || disk.plant(ROOT, &path("a.bin"), content, 0));
        },
        |network| {
            let wire = Rate::new(50_000_000, QueueLimit::Bytes(120_000)).with_overhead(28);
            let wire = wire.with_marks_above(way.marks_above);
            let router = way.router.map(|router| match router {
                Router::Bleaches => network.add(Box::new(Bleach)),
                Router::Sets(ecn) => network.add(Box::new(AllMarked(ecn))),
            });
            let nodes: [Box<dyn Node>; 2] = [Box::new(wire), Box::new(Delay::new(ROUND / 2))];
            let nodes = nodes.map(|node| network.add(node));
            router.into_iter().chain(nodes).collect()
        },
    );
    if way.ecn {
        lab.network().carry_ecn();
    }
    (lab, hosts)
}

/// Downloads the file; the time that it took, and the server's figures in the end.
fn download(seed: u64, way: Way) -> (Duration, PeerStats) {
    let (mut lab, hosts) = lab(seed, way);
    let (begin, endpoint) = lab.endpoint(hosts[0]).unwrap();
    endpoint.connect(begin, address(2)).unwrap();
    let (_, end) = until_finished(&mut lab, hosts, "a.bin");
    let (_, server) = lab.endpoint(hosts[1]).unwrap();
    let session = server.peers().next().unwrap();
    (end.since(begin), server.stats(session).unwrap())
}

const PLAIN: Way = Way {
    ecn: false,
    marks_above: u64::MAX,
    router: None,
    lie: None,
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
        router: Some(Router::Bleaches),
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

/// RFC 9000 §13.4.2: faulty devices change the field. A path that marks everything would slow the session down without end, and one
/// that makes ECT(1) of all tells nothing: both are found out, and cost nothing.
#[test]
fn a_path_that_says_always_the_same_is_found_out() {
    let (plain, _) = download(2, PLAIN);
    for set in [Ecn::Ce, Ecn::Ect1] {
        let way = Way {
            ecn: true,
            router: Some(Router::Sets(set)),
            ..PLAIN
        };
        let (took, stats) = download(2, way);
        println!("{set:?}: {took:?} of {plain:?}");
        assert!(!stats.ecn_capable, "{set:?}");
        assert_eq!(stats.ecn_marks, 0, "{set:?}");
        assert!(took < plain * 11 / 10, "{set:?}: {took:?}, {plain:?}");
    }
}

/// RFC 9000 §13.4.2.1, T11: a receiver whose counts cannot be true gets its file, as fast as without ECN, and is sent to without
/// marks.
#[test]
fn a_peer_that_lies_about_its_counts_is_found_out() {
    let (plain, _) = download(2, PLAIN);
    for lie in [
        Lie::EcnInflated,
        Lie::EcnBack,
        Lie::EcnOther,
        Lie::EcnWithheld,
    ] {
        let way = Way {
            ecn: true,
            lie: Some(lie),
            ..PLAIN
        };
        let (took, stats) = download(2, way);
        println!("{lie:?}: {took:?} of {plain:?}, {} marks", stats.ecn_marks);
        assert!(!stats.ecn_capable, "{lie:?}");
        assert_eq!(stats.ecn_marks, 0, "{lie:?}");
        assert!(took < plain * 11 / 10, "{lie:?}: {took:?}, {plain:?}");
    }
}

/// T11: one who says that each packet was marked, after a handshake in which none was, cannot be told from one behind a full queue.
/// It makes itself slow, and nobody else.
#[test]
fn a_peer_that_claims_marks_slows_itself_down() {
    let (plain, _) = download(2, PLAIN);
    let way = Way {
        ecn: true,
        lie: Some(Lie::EcnMarked),
        ..PLAIN
    };
    let (took, stats) = download(2, way);
    println!("{took:?} of {plain:?}, {} marks", stats.ecn_marks);
    assert!(stats.ecn_marks > 1_000 && took > plain * 2, "{took:?}");
}
