//! What tests of whole transfers share: a client (1) and a server (2) on a path without loss, with real TLS, whose applications
//! decide at once.
#![allow(dead_code)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use proto_core::wire::{Durability, FilePath};
use proto_core::{
    Admission, Config, Decision, Duration, Event, Instant, Overwrite, PeerId, Place, Request,
    RootId,
};
use sim::disk::{Disk, DiskPlan};
use sim::lab::{Happening, HostId, HostSetup, Lab};
use sim::net::{Delay, Network, Node, NodeId, QueueLimit, Rate};
use sim::rng::Rng;
use sim::seeded_crypto::SeededTls;

pub(crate) const ROOT: RootId = RootId(0);
pub(crate) const ROUND: Duration = Duration::from_millis(100);

pub(crate) fn address(last: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), 4_433)
}

pub(crate) fn path(text: &str) -> FilePath {
    FilePath::parse(text.as_bytes()).expect("a test's path is well formed")
}

fn place(name: &str) -> Place {
    Place {
        root: ROOT,
        path: path(name),
    }
}

/// What lies between the two, in either direction.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub(crate) bits_a_second: u64,
    pub(crate) round: Duration,
    pub(crate) queue: QueueLimit,
}

impl Line {
    /// A round trip of [`ROUND`], and a queue that never overflows.
    pub(crate) fn long(bits_a_second: u64) -> Self {
        Self {
            bits_a_second,
            round: ROUND,
            queue: QueueLimit::Packets(2_000),
        }
    }
}

/// The two at the ends of `line`. `set_up` is called with each one's number, and fills its disk.
pub(crate) fn lab(
    seed: u64,
    line: Line,
    set_up: impl Fn(u8, &mut Config, &mut Disk, &mut Rng),
) -> (Lab, [HostId; 2]) {
    lab_over(seed, set_up, |network| {
        let wire = Rate::new(line.bits_a_second, line.queue).with_overhead(28);
        let nodes: [Box<dyn Node>; 2] = [Box::new(wire), Box::new(Delay::new(line.round / 2))];
        nodes.map(|node| network.add(node)).to_vec()
    })
}

/// The same over what `way` adds to the network, called once for each direction, the client's first.
pub(crate) fn lab_over(
    seed: u64,
    set_up: impl Fn(u8, &mut Config, &mut Disk, &mut Rng),
    way: impl Fn(&mut Network) -> Vec<NodeId>,
) -> (Lab, [HostId; 2]) {
    let mut lab = Lab::new(seed);
    let mut rng = Rng::new(seed, 1);
    let hosts = [1, 2].map(|last| {
        let provider = SeededTls::new(&rng.bytes32(), rng.bytes32()).expect("a provider");
        let mut config = Config::new(Arc::new(provider));
        config.accept = last == 2;
        let mut disk = Disk::new(DiskPlan::default(), rng.fork());
        disk.add_root(ROOT);
        set_up(last, &mut config, &mut disk, &mut rng);
        lab.add_host(HostSetup {
            name: format!("host {last}"),
            address: address(last),
            config,
            disk,
            segments_max: 10,
        })
    });
    for (from, to) in [(1, 2), (2, 1)] {
        let nodes = way(lab.network());
        lab.network().connect(address(from), address(to), nodes);
    }
    (lab, hosts)
}

/// Asks for what has this name; it may be a directory.
pub(crate) fn ask(lab: &mut Lab, client: HostId, peer: PeerId, name: &str) {
    let request = Request::Get {
        from: path(name),
        to: place(name),
        overwrite: Overwrite::Replace,
        durability: Durability::Full,
        preserve: false,
        keep_top_mode: false,
        tree: true,
    };
    let (now, endpoint) = lab.endpoint(client).expect("it runs");
    endpoint.start(now, peer, request).expect("there is room");
}

/// Lets the world run until the client's transfer has ended well; its session and the time. A new session asks for `name`.
pub(crate) fn until_finished(
    lab: &mut Lab,
    [client, _]: [HostId; 2],
    name: &str,
) -> (PeerId, Instant) {
    loop {
        let until = lab.now() + ROUND * 100;
        let (host, event) = match lab.next(until).expect("no rule is broken") {
            Happening::Event(host, event) => (host, event),
            Happening::Appeared(..) => continue,
            Happening::Until => panic!("the transfer does not end"),
        };
        let (now, endpoint) = lab.endpoint(host).expect("it runs");
        match event {
            Event::PeerReady { peer, .. } => {
                endpoint
                    .admit(now, peer, Admission::Admit)
                    .expect("it is there");
                if host == client {
                    ask(lab, client, peer, name);
                }
            }
            Event::Requested { transfer, request } => {
                let decision = Decision::Grant {
                    place: Place {
                        root: ROOT,
                        path: request.path,
                    },
                    may_replace: true,
                };
                endpoint
                    .decide(now, transfer, decision)
                    .expect("it is there");
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
