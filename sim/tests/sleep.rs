//! Machines that are suspended in mid-transfer: while the session lives, the transfer goes on within three probe time-outs; when it
//! does not, that is known at once.

mod pair;

use pair::{Line, ROOT, ROUND, address, lab, path};
use proto_core::wire::Durability;
use proto_core::{
    Admission, CloseCause, Decision, Duration, Event, HostSecret, Instant, Overwrite, Place,
    Request,
};
use sim::disk::Content;
use sim::lab::{Happening, HostId, Lab};

/// At 50 Mbit/s it takes four seconds.
const SIZE: u64 = 25_000_000;
/// Three probe time-outs with a variance of a quarter of the round trip, and the longest delay of an acknowledgement.
const THREE_PTO: Duration = Duration::from_millis(3 * (100 + 100 + 25));
/// When a machine is suspended, after the transfer has begun.
const AFTER: Duration = Duration::from_millis(1_500);

fn place(name: &str) -> Place {
    Place {
        root: ROOT,
        path: path(name),
    }
}

fn request(get: bool) -> Request {
    let (overwrite, durability) = (Overwrite::Replace, Durability::None);
    match get {
        true => Request::Get {
            from: path("a"),
            to: place("b"),
            overwrite,
            durability,
            preserve: false,
            keep_top_mode: false,
            tree: false,
        },
        false => Request::Put {
            from: place("a"),
            to: path("b"),
            overwrite,
            durability,
            tree: false,
        },
    }
}

fn world() -> (Lab, [HostId; 2]) {
    lab(1, Line::long(50_000_000), |last, config, disk, rng| {
        let content = Content::generated(rng.next_u64(), SIZE);
        assert!(disk.plant(ROOT, &path("a"), content, 0));
        config.host_secret = (last == 2).then(|| HostSecret::derive(b"secret"));
    })
}

/// Who is suspended in which transfer, for how long, and whether the own clock stands still.
#[derive(Clone, Copy, Debug)]
struct Nap {
    get: bool,
    server: bool,
    lasts: Duration,
    clock_stops: bool,
}

/// What came of it, counted from when the machine runs again.
#[derive(Debug)]
enum Then {
    /// The transfer went on after so long.
    WentOn(Duration),
    /// The client's session was over after so long.
    Closed(Duration, CloseCause),
}

fn sleep(nap: Nap) -> Then {
    let (mut lab, hosts) = world();
    let [client, server] = hosts;
    let (now, endpoint) = lab.endpoint(client).unwrap();
    endpoint.connect(now, address(2)).unwrap();
    let mut begun = None;
    let mut wakes: Option<Instant> = None;
    loop {
        let due = begun
            .filter(|_| wakes.is_none())
            .map(|at: Instant| at + AFTER);
        let until = due.unwrap_or(lab.now() + nap.lasts + Duration::from_secs(200));
        let (host, event) = match lab.next(until).unwrap() {
            Happening::Event(host, event) => (host, event),
            Happening::Appeared(..) => continue,
            Happening::Until => {
                assert!(due.is_some(), "nothing happens any more: {nap:?}");
                let host = if nap.server { server } else { client };
                lab.suspend(host, nap.lasts, nap.clock_stops);
                wakes = Some(lab.now() + nap.lasts);
                continue;
            }
        };
        let after = wakes.map(|at| lab.now().since(at)).unwrap_or_default();
        let awake = wakes.is_some_and(|at| lab.now() > at);
        let (now, endpoint) = lab.endpoint(host).unwrap();
        match event {
            Event::PeerReady { peer, .. } => {
                endpoint.admit(now, peer, Admission::Admit).unwrap();
                if host == client {
                    endpoint.start(now, peer, request(nap.get)).unwrap();
                    begun = Some(lab.now());
                }
            }
            Event::Requested { transfer, .. } => {
                let place = place(if nap.get { "a" } else { "b" });
                let may_replace = true;
                let decision = Decision::Grant { place, may_replace };
                endpoint.decide(now, transfer, decision).unwrap();
            }
            Event::PeerClosed { cause, .. } if host == client => {
                return Then::Closed(after, cause);
            }
            // What was on the disk's way is no sign of the network.
            Event::Progress { .. } if host == client && awake && after > ROUND / 2 => {
                return Then::WentOn(after);
            }
            Event::Finished { result, .. } if host == client && result.is_ok() => {
                panic!("the nap came too late: {nap:?}");
            }
            _ => {}
        }
    }
}

#[test]
fn after_a_short_sleep_the_transfer_goes_on() {
    for get in [true, false] {
        for server in [true, false] {
            for clock_stops in [true, false] {
                for secs in [2, 9, 25, 50] {
                    let lasts = Duration::from_secs(secs);
                    let nap = Nap {
                        get,
                        server,
                        lasts,
                        clock_stops,
                    };
                    let then = sleep(nap);
                    println!("{nap:?}: {then:?}");
                    assert!(
                        matches!(then, Then::WentOn(after) if after <= THREE_PTO),
                        "{nap:?}: {then:?}"
                    );
                }
            }
        }
    }
}

/// The server has given the client up meanwhile, or the client the server.
#[test]
fn after_a_long_sleep_the_end_of_the_session_is_known_at_once() {
    for get in [true, false] {
        for clock_stops in [true, false] {
            for secs in [5 * 60, 3 * 3_600] {
                let nap = Nap {
                    get,
                    server: false,
                    lasts: Duration::from_secs(secs),
                    clock_stops,
                };
                let then = sleep(nap);
                println!("{nap:?}: {then:?}");
                let expected = match clock_stops {
                    true => CloseCause::Reset,
                    false => CloseCause::TimedOut,
                };
                assert!(
                    matches!(then, Then::Closed(after, cause) if after <= THREE_PTO && cause == expected),
                    "{nap:?}: {then:?}"
                );
            }
        }
    }
}
