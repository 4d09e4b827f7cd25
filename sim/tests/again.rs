//! What a session remembers of its path from one transfer to the next: windows and rates outlast a pause, so that only the first
//! transfer pays for start-up.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use proto_core::crypto::PublicKey;
use proto_core::wire::{Durability, FilePath};
use proto_core::{
    Admission, Config, CongestionControl, Decision, Duration, Event, Overwrite, PeerId, Place,
    Request, RootId,
};
use sim::disk::{Content, Disk, DiskPlan};
use sim::lab::{Happening, HostId, HostSetup, Lab};
use sim::net::{Delay, Node, QueueLimit, Rate};
use sim::null_crypto::NullProvider;
use sim::rng::Rng;

const ROOT: RootId = RootId(0);
/// Half of a second of the link.
const SIZE: u64 = 6_250_000;

fn address(last: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), 4_433)
}

fn place() -> Place {
    Place {
        root: ROOT,
        path: FilePath::parse(b"a").unwrap(),
    }
}

struct World {
    lab: Lab,
    client: HostId,
}

impl World {
    /// 100 Mbit/s and 100 ms.
    fn new(congestion: CongestionControl) -> Self {
        let mut lab = Lab::new(1);
        let mut rng = Rng::new(1, 1);
        let [client, _] = [1, 2].map(|last| {
            let key = PublicKey(rng.bytes32());
            let mut config = Config::new(Arc::new(NullProvider { key }));
            config.accept = last == 2;
            config.congestion = congestion;
            config.idle_timeout = Duration::from_secs(600);
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
            let wire = Rate::new(100_000_000, QueueLimit::Bytes(1_250_000)).with_overhead(28);
            let delay = Delay::new(Duration::from_millis(50));
            let nodes: [Box<dyn Node>; 2] = [Box::new(wire), Box::new(delay)];
            let nodes = nodes.map(|node| lab.network().add(node)).to_vec();
            lab.network().connect(address(from), address(to), nodes);
        }
        let (now, endpoint) = lab.endpoint(client).unwrap();
        endpoint.connect(now, address(2)).unwrap();
        Self { lab, client }
    }

    /// Lets things happen until the session is open, or the download has ended.
    fn until(&mut self, finished: bool) -> PeerId {
        loop {
            let until = self.lab.now() + Duration::from_secs(60);
            let Happening::Event(host, event) = self.lab.next(until).unwrap() else {
                continue;
            };
            let (now, endpoint) = self.lab.endpoint(host).unwrap();
            match event {
                Event::PeerReady { peer, .. } => {
                    endpoint.admit(now, peer, Admission::Admit).unwrap();
                    if host == self.client && !finished {
                        return peer;
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
                } if host == self.client => {
                    assert!(result.is_ok(), "{result:?}");
                    return transfer.peer();
                }
                _ => {}
            }
        }
    }

    /// Downloads the file `pause` later; how many milliseconds that takes.
    fn get(&mut self, peer: PeerId, pause: Duration) -> u64 {
        let until = self.lab.now() + pause;
        while self.lab.next_time().is_some_and(|at| at <= until) {
            self.lab.next(until).unwrap();
        }
        let request = Request::Get {
            from: place().path,
            to: place(),
            overwrite: Overwrite::Replace,
            durability: Durability::None,
            preserve: false,
            tree: false,
        };
        let began = self.lab.now();
        let (now, endpoint) = self.lab.endpoint(self.client).unwrap();
        endpoint.start(now, peer, request).unwrap();
        self.until(true);
        self.lab.now().since(began).as_millis() as u64
    }
}

/// At the rate of the link the file takes 525 ms, and a round trip more until its end is known.
#[test]
fn the_second_transfer_of_a_session_begins_where_the_first_one_ended() {
    for congestion in [CongestionControl::Bbr, CongestionControl::Cubic] {
        let mut world = World::new(congestion);
        let peer = world.until(false);
        let first = world.get(peer, Duration::ZERO);
        let later = [0, 1, 30, 120].map(|pause| world.get(peer, Duration::from_secs(pause)));
        println!("{congestion}: {first} ms, then {later:?}");
        assert!(first >= 1_000, "{congestion}: start-up takes {first} ms");
        assert!(
            later.iter().all(|took| *took <= 750),
            "{congestion}: {first} ms, then {later:?}"
        );
    }
}
