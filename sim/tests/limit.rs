//! Rate limits (`docs/PROTOCOL.md` §6.19): kept in both directions, whoever asks for them, and changed in mid-transfer.

mod pair;

use pair::{Line, ROOT, address, lab};
use proto_core::wire::{Durability, FilePath};
use proto_core::{
    Admission, Decision, Duration, Event, Overwrite, PeerId, Place, RateLimits, Request,
};
use sim::disk::Content;
use sim::lab::{Happening, HostId, Lab};
use sim::net::QueueLimit;

const SIZE: u64 = 10_000_000;
const LIMIT: u64 = 2_000_000;
/// Headers of a DATA packet take so much: file bytes of a byte of UDP payload, in thousandths.
const PART: u64 = 970;

fn place(name: &[u8]) -> Place {
    Place {
        root: ROOT,
        path: FilePath::parse(name).unwrap(),
    }
}

/// A client (1) and a server (2), each with a file, 100 Mbit/s and 40 ms apart.
fn limited(limits: [RateLimits; 2]) -> (Lab, [HostId; 2]) {
    let line = Line {
        bits_a_second: 100_000_000,
        round: Duration::from_millis(40),
        queue: QueueLimit::Packets(1_000),
    };
    lab(1, line, |last, config, disk, rng| {
        config.rate_limits = limits[usize::from(last) - 1];
        let content = Content::generated(rng.next_u64(), SIZE);
        assert!(disk.plant(ROOT, &place(&[b'a', last + b'0']).path, content, 0));
    })
}

/// A download, or an upload.
fn request(get: bool) -> Request {
    if get {
        return Request::Get {
            from: place(b"a2").path,
            to: place(b"b"),
            overwrite: Overwrite::Replace,
            durability: Durability::None,
            preserve: false,
            keep_top_mode: false,
            tree: false,
        };
    }
    Request::Put {
        from: place(b"a1"),
        to: place(b"b").path,
        overwrite: Overwrite::Replace,
        durability: Durability::None,
        tree: false,
    }
}

/// How long the transfer takes, from its start; `change` is what holds at the client from half of 5 s on.
fn took(get: bool, limits: [RateLimits; 2], change: Option<RateLimits>) -> Duration {
    let (mut lab, [client, server]) = limited(limits);
    let (now, endpoint) = lab.endpoint(client).unwrap();
    endpoint.connect(now, address(2)).unwrap();
    let mut began = now;
    let mut session: Option<PeerId> = None;
    let mut change = change;
    loop {
        let until = began + Duration::from_millis(if change.is_some() { 2_500 } else { 60_000 });
        let (host, event) = match lab.next(until).unwrap() {
            Happening::Event(host, event) => (host, event),
            Happening::Appeared(..) => continue,
            Happening::Until => {
                let limits = change.take().expect("the transfer ends");
                let (now, endpoint) = lab.endpoint(client).unwrap();
                endpoint.set_limits(now, session.unwrap(), limits).unwrap();
                continue;
            }
        };
        let (now, endpoint) = lab.endpoint(host).unwrap();
        match event {
            Event::PeerReady { peer, .. } => {
                endpoint.admit(now, peer, Admission::Admit).unwrap();
                if host == client {
                    endpoint.start(now, peer, request(get)).unwrap();
                    (began, session) = (now, Some(peer));
                }
            }
            Event::Requested { transfer, .. } => {
                assert_eq!(host, server);
                let decision = Decision::Grant {
                    place: place(if get { b"a2" } else { b"b" }),
                    may_replace: true,
                };
                endpoint.decide(now, transfer, decision).unwrap();
            }
            Event::Finished { result, .. } if host == client => {
                assert!(result.is_ok(), "{result:?}");
                return now.since(began);
            }
            _ => {}
        }
    }
}

fn send(rate: u64) -> RateLimits {
    RateLimits {
        send: Some(rate),
        receive: None,
    }
}

fn receive(rate: u64) -> RateLimits {
    RateLimits {
        send: None,
        receive: Some(rate),
    }
}

/// Of the time that so many bytes take at that rate, within 4 %, and a round trip or three.
fn is_kept(took: Duration, millis: u64) {
    let took = took.as_millis() as u64;
    let (least, most) = (millis * 96 / 100, millis * 104 / 100 + 120);
    assert!((least..=most).contains(&took), "{took} ms of {millis}");
}

#[test]
fn a_limit_is_kept_in_both_directions_whoever_asks_for_it() {
    let none = RateLimits::default();
    let millis = SIZE * 1_000 / (LIMIT * PART / 1_000);
    is_kept(took(true, [receive(LIMIT), none], None), millis);
    is_kept(took(true, [none, send(LIMIT)], None), millis);
    is_kept(took(false, [send(LIMIT), none], None), millis);
    is_kept(took(false, [none, receive(LIMIT)], None), millis);
    // Of two, the lower holds.
    is_kept(took(true, [receive(2 * LIMIT), send(LIMIT)], None), millis);
    is_kept(took(false, [send(LIMIT), receive(2 * LIMIT)], None), millis);
    assert!(took(true, [send(LIMIT), none], None) < Duration::from_millis(1_500));
}

#[test]
fn a_limit_changes_in_mid_transfer() {
    let none = RateLimits::default();
    // 2.5 s at the first rate, and the rest at the other.
    let first = 2_500 * LIMIT / 1_000 * PART / 1_000;
    let at = |rate: u64| 2_500 + (SIZE - first) * 1_000 / (rate * PART / 1_000);
    let later = took(true, [receive(LIMIT), none], Some(receive(2 * LIMIT)));
    is_kept(later, at(2 * LIMIT));
    let later = took(true, [receive(LIMIT), none], Some(receive(LIMIT / 2)));
    is_kept(later, at(LIMIT / 2));
    let later = took(false, [send(LIMIT), none], Some(send(LIMIT / 2)));
    is_kept(later, at(LIMIT / 2));
    // Without one, the path is full again within a second: it was not taken for as slow as the limit.
    let later = took(true, [receive(LIMIT), none], Some(none));
    assert!(later < Duration::from_millis(4_000), "{later:?}");
}
