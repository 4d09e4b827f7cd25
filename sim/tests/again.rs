//! What a session remembers of its path from one transfer to the next: windows and rates outlast a pause, so that only the first
//! transfer pays for start-up.

mod pair;

use pair::{Line, ROOT, ROUND, address, ask, lab, path, until_finished};
use proto_core::{CongestionControl, Duration, PeerId};
use sim::disk::Content;
use sim::lab::{HostId, Lab};
use sim::net::QueueLimit;

/// Half of a second of the link.
const SIZE: u64 = 6_250_000;

struct World {
    lab: Lab,
    hosts: [HostId; 2],
    session: PeerId,
}

impl World {
    /// 100 Mbit/s and 100 ms, and a session that is open.
    fn new(congestion: CongestionControl) -> Self {
        let line = Line {
            bits_a_second: 100_000_000,
            round: ROUND,
            queue: QueueLimit::Bytes(1_250_000),
        };
        let (mut lab, hosts) = lab(1, line, |last, config, disk, rng| {
            config.congestion = congestion;
            config.idle_timeout = Duration::from_secs(600);
            for (name, size) in [("empty", 0), ("a", SIZE)] {
                let content = Content::generated(rng.next_u64(), size);
                assert!(last == 1 || disk.plant(ROOT, &path(name), content, 0));
            }
        });
        let (now, endpoint) = lab.endpoint(hosts[0]).unwrap();
        endpoint.connect(now, address(2)).unwrap();
        let (session, _) = until_finished(&mut lab, hosts, "empty");
        Self {
            lab,
            hosts,
            session,
        }
    }

    /// Downloads the file `pause` later; how many milliseconds that takes.
    fn get(&mut self, pause: Duration) -> u64 {
        let until = self.lab.now() + pause;
        while self.lab.next_time().is_some_and(|at| at <= until) {
            self.lab.next(until).unwrap();
        }
        let began = self.lab.now();
        ask(&mut self.lab, self.hosts[0], self.session, "a");
        let (_, ended) = until_finished(&mut self.lab, self.hosts, "a");
        ended.since(began).as_millis() as u64
    }
}

/// At the rate of the link the file takes 525 ms, and a round trip more until its end is known.
#[test]
fn the_second_transfer_of_a_session_begins_where_the_first_one_ended() {
    for congestion in [CongestionControl::Bbr, CongestionControl::Cubic] {
        let mut world = World::new(congestion);
        let first = world.get(Duration::ZERO);
        let later = [0, 1, 30, 120].map(|pause| world.get(Duration::from_secs(pause)));
        println!("{congestion}: {first} ms, then {later:?}");
        assert!(first >= 1_000, "{congestion}: start-up takes {first} ms");
        assert!(
            later.iter().all(|took| *took <= 750),
            "{congestion}: {first} ms, then {later:?}"
        );
    }
}
