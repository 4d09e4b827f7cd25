//! T1 to T3, T7: a client whose address changes, those who only pretend it, and ids.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use proto_core::crypto::Level;
use proto_core::wire::{ConnectionId, Frame};
use proto_core::{Event, Finished, Instant, Request};
use sim::disk::Content;
use sim::rng::Rng;
use tests::scenario::{get, grant, hash, null, open, path, put, run, start, stored_root};
use tests::{Pair, ROOT};

use crate::server::Alone;

/// Three probe time-outs of the round trip of 20 ms and the acknowledgement delay of 25 ms, with a variance of a quarter.
const THREE_PTO: Duration = Duration::from_millis(3 * (20 + 20 + 25));

const OTHER_PORT: SocketAddr = address(1, 99);
const OTHER_HOST: SocketAddr = address(77, 1);
const VICTIM: SocketAddr = address(200, 7);

const fn address(host: u8, port: u16) -> SocketAddr {
    SocketAddr::new(
        std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, host)),
        port,
    )
}

fn pair(content: &Content) -> Pair {
    let mut pair = Pair::new(null(1), null(2));
    for side in [&mut pair.client, &mut pair.server] {
        side.disk.plant(ROOT, &path("down"), content.clone(), 7);
        side.disk.plant(ROOT, &path("up"), content.clone(), 7);
    }
    pair
}

/// What crosses the network, as far as everyone can see it.
fn check_wire(pair: &Pair) {
    let mut paths = BTreeMap::new();
    for ((_, bytes), destination) in pair.server.sent.iter().zip(&pair.server.destinations) {
        // The id of the handshake may be kept while the peer has given no other (RFC 9000 §9.5).
        if bytes[0] & 0x80 == 0 {
            paths.entry(bytes[1..9].to_vec()).or_insert(*destination);
        }
    }
    for ((_, bytes), destination) in pair.server.sent.iter().zip(&pair.server.destinations) {
        if bytes[0] & 0x80 == 0 {
            assert_eq!(
                paths.get(&bytes[1..9]),
                Some(destination),
                "T1: an id of two paths"
            );
        }
    }
}

/// Where the server sent its last 1-RTT packet.
fn last_destination(pair: &Pair) -> SocketAddr {
    let sent = pair.server.sent.iter().zip(&pair.server.destinations);
    let last = sent.rev().find(|((_, bytes), _)| bytes[0] & 0x80 == 0);
    *last.expect("the handshake is over").1
}

/// Runs the requests at the same time, with `also` before each step, and says how long that took.
fn transfer(
    pair: &mut Pair,
    requests: &[Request],
    mut also: impl FnMut(&mut Pair, usize),
) -> Duration {
    let begun = pair.now;
    for request in requests {
        start(pair, request.clone());
    }
    let mut finished = 0;
    let mut steps = 0;
    pair.run_until(Duration::from_secs(3_600), |pair| {
        grant(pair);
        also(pair, steps);
        steps += 1;
        for event in pair.client.events.drain(..) {
            if let Event::Finished { result, .. } = event {
                assert!(matches!(result, Ok(Finished::Stored { .. })), "{result:?}");
                finished += 1;
            }
        }
        finished == requests.len()
    });
    assert_eq!(finished, requests.len(), "{:?}", pair.client.events);
    pair.now.since(begun)
}

fn workloads() -> [Vec<Request>; 3] {
    [
        vec![get("down")],
        vec![put("up")],
        vec![get("down"), put("up")],
    ]
}

/// NAT rebinding and roaming, at every phase of a transfer: it goes on within three probe time-outs.
#[test]
fn t2_a_new_address_is_followed() {
    let content = Content::generated(5, 300_000);
    for requests in workloads() {
        let mut plain = pair(&content);
        open(&mut plain);
        let usual = transfer(&mut plain, &requests, |_, _| {});
        for new in [OTHER_PORT, OTHER_HOST] {
            let mut worst = Duration::ZERO;
            for at in (0..200).step_by(7) {
                let mut pair = pair(&content);
                open(&mut pair);
                let time = transfer(&mut pair, &requests, |pair, step| {
                    if step == at {
                        pair.readdress(new);
                    }
                });
                check_wire(&pair);
                worst = worst.max(time - usual.min(time));
                pair.run_until(Duration::from_secs(1), |_| false);
                assert_eq!(last_destination(&pair), new);
            }
            println!(
                "{} requests to {new}: {usual:?} + {worst:?}",
                requests.len()
            );
            // A new network begins with a small window, and asks for a slow start.
            let allowed = match new {
                OTHER_PORT => THREE_PTO,
                _ => THREE_PTO + 10 * Duration::from_millis(20),
            };
            assert!(worst <= allowed, "{worst:?} with {new}");
        }
    }
}

/// RFC 9000 §9: nobody may move during the handshake; NATs do not ask.
#[test]
fn a_handshake_survives_a_new_address() {
    let content = Content::generated(5, 30_000);
    for new in [OTHER_PORT, OTHER_HOST] {
        for at in 0..11 {
            let mut pair = pair(&content);
            for _ in 0..at {
                pair.step();
            }
            pair.readdress(new);
            open(&mut pair);
            let took = pair.now.since(Instant::from_nanos(1));
            // What is lost of the first flight is sent again after the first probe time-out, which is 999 ms.
            assert!(took < Duration::from_millis(1_100), "{took:?} at {at}");
            transfer(&mut pair, &[get("down"), put("up")], |_, _| {});
            pair.run_until(Duration::from_secs(1), |_| false);
            assert_eq!(last_destination(&pair), new);
        }
    }
}

/// RFC 9000 §8.2.1: challenges and responses that are lost are sent again.
#[test]
fn t2_validation_survives_loss() {
    let content = Content::generated(5, 200_000);
    for requests in workloads() {
        for pattern in 0..64_usize {
            let mut pair = pair(&content);
            open(&mut pair);
            transfer(&mut pair, &requests, |pair, step| {
                if step == 60 {
                    pair.readdress(OTHER_HOST);
                    let sent = [pair.client.sent.len(), pair.server.sent.len()];
                    let lost = move |first: usize, bits: usize| {
                        move |n: usize, _: &[u8]| {
                            n < first || n - first > 2 || bits >> (n - first) & 1 == 0
                        }
                    };
                    pair.from_client = Box::new(lost(sent[0], pattern & 7));
                    pair.from_server = Box::new(lost(sent[1], pattern >> 3));
                }
            });
            check_wire(&pair);
        }
    }
}

/// T1: a client that changes its address on purpose shows no id that was seen before.
#[test]
fn t1_who_rebinds_takes_a_fresh_id() {
    let content = Content::generated(5, 300_000);
    let mut pair = pair(&content);
    open(&mut pair);
    let begun = pair.now;
    let mut moves = 0_u8;
    let mut seen = Vec::new();
    transfer(&mut pair, &[get("down"), put("up")], |pair, _| {
        let due = begun + u32::from(moves + 1) * Duration::from_millis(70);
        if pair.now >= due && moves < 6 {
            moves += 1;
            seen.push(pair.client.sent.len());
            pair.readdress(address(10 + moves, 1));
            let (now, peer) = (pair.now, pair.peer);
            pair.client.endpoint.rebind(now, peer).expect("it is open");
        }
    });
    check_wire(&pair);
    let mut before = std::collections::BTreeSet::new();
    let mut from = 0;
    for to in seen.into_iter().chain([pair.client.sent.len()]) {
        let ids: std::collections::BTreeSet<_> = pair.client.sent[from..to]
            .iter()
            .filter(|(_, bytes)| bytes[0] & 0x80 == 0)
            .map(|(_, bytes)| bytes[1..9].to_vec())
            .collect();
        assert_eq!(ids.len(), 1);
        assert!(ids.is_disjoint(&before));
        before.extend(ids);
        from = to;
    }
    assert_eq!(before.len(), 7);
}

/// RFC 9000 §9.3.1, §9.3.2: someone on the way copies packets and gives another source. The victim gets three times the
/// copies' bytes at most, and the session comes back.
#[test]
fn t2_a_spoofed_source_gains_nothing() {
    let content = Content::generated(5, 300_000);
    for requests in workloads() {
        let mut plain = pair(&content);
        open(&mut plain);
        let usual = transfer(&mut plain, &requests, |_, _| {});
        let mut worst = Duration::ZERO;
        for nth in (3..40).step_by(3) {
            let mut pair = pair(&content);
            open(&mut pair);
            let spent = Rc::new(RefCell::new((0, 0)));
            let count = spent.clone();
            let client = pair.client.address;
            pair.tamper = Box::new(move |endpoint, now, mut meta, datagram| {
                let (arrivals, bytes) = &mut *count.borrow_mut();
                if meta.source == client {
                    *arrivals += 1;
                    if *arrivals == nth {
                        *bytes += datagram.len();
                        meta.source = VICTIM;
                        endpoint.handle_datagram(now, meta, &mut datagram.to_vec());
                    }
                }
            });
            let time = transfer(&mut pair, &requests, |_, _| {});
            worst = worst.max(time - usual.min(time));
            check_wire(&pair);
            check_amplification(&pair, spent.borrow().1);
            pair.run_until(Duration::from_secs(1), |_| false);
            assert_eq!(last_destination(&pair), client);
        }
        println!("{} requests: {usual:?} + {worst:?}", requests.len());
        assert!(worst <= THREE_PTO, "{worst:?}");
    }
}

fn check_amplification(pair: &Pair, received: usize) {
    let sent: usize = pair
        .server
        .sent
        .iter()
        .zip(&pair.server.destinations)
        .filter(|(_, to)| **to == VICTIM)
        .map(|((_, bytes), _)| bytes.len())
        .sum();
    assert!(sent <= 3 * received, "{sent} bytes for {received}");
}

/// The same with every packet, and with noise besides: H1's rule holds for each address, whatever the transfer suffers.
#[test]
fn t2_each_address_gets_three_times_at_most() {
    let content = Content::generated(5, 300_000);
    for (seed, requests) in (0..).zip(workloads()) {
        let mut pair = pair(&content);
        open(&mut pair);
        let received: Rc<RefCell<BTreeMap<SocketAddr, usize>>> = Rc::default();
        let count = received.clone();
        let client = pair.client.address;
        let mut rng = Rng::new(seed, 0);
        pair.tamper = Box::new(move |endpoint, now, mut meta, datagram| {
            if meta.source != client || !rng.chance(300_000) {
                return;
            }
            meta.source = address(200, rng.between(1, 50) as u16);
            let mut count = count.borrow_mut();
            *count.entry(meta.source).or_default() += datagram.len();
            endpoint.handle_datagram(now, meta, &mut datagram.to_vec());
            // What cannot be opened counts as received, too, as for H1.
            let mut noise = datagram.to_vec();
            if let Some(last) = noise.last_mut() {
                *last ^= 1;
            }
            *count.entry(meta.source).or_default() += noise.len();
            endpoint.handle_datagram(now, meta, &mut noise);
        });
        transfer(&mut pair, &requests, |_, _| {});
        let mut sent: BTreeMap<SocketAddr, usize> = BTreeMap::new();
        for ((_, bytes), to) in pair.server.sent.iter().zip(&pair.server.destinations) {
            *sent.entry(*to).or_default() += bytes.len();
        }
        assert!(sent.len() > 3, "many were tried: {}", sent.len());
        for (to, bytes) in sent {
            let got = received.borrow().get(&to).copied().unwrap_or(0);
            assert!(
                to == client || bytes <= 3 * got,
                "{bytes} for {got} at {to}"
            );
        }
    }
}

/// RFC 9000 §9: a client takes packets from its server only.
#[test]
fn a_server_does_not_move() {
    let content = Content::generated(5, 100_000);
    let mut pair = pair(&content);
    open(&mut pair);
    let server = pair.server.address;
    let dropped = Rc::new(RefCell::new(0));
    let count = dropped.clone();
    pair.tamper = Box::new(move |endpoint, now, mut meta, datagram| {
        if meta.source == server {
            meta.source = VICTIM;
            let before = *endpoint.drops();
            endpoint.handle_datagram(now, meta, &mut datagram.to_vec());
            let wrong = proto_core::DropReason::WrongAddress as usize;
            assert_eq!(endpoint.drops()[wrong], before[wrong] + 1);
            *count.borrow_mut() += 1;
        }
    });
    let told = run(&mut pair, get("down"));
    assert_eq!(stored_root(&told), Some(hash(&content)));
    assert!(*dropped.borrow() > 50);
    assert!(pair.client.destinations.iter().all(|to| *to == server));
}

/// Delivers these frames 10,000 times without letting the server speak; then says how many datagrams it sends.
fn flood(mut frames: impl FnMut(u64) -> Vec<u8>) -> (Alone, u64) {
    let mut alone = Alone::open();
    for n in 0..10_000 {
        let packet = alone.client.packet(Level::Data, &frames(n));
        alone.deliver(packet.expect("there are keys"));
    }
    let before = alone.data_datagrams;
    alone.poll();
    let sent = alone.data_datagrams - before;
    (alone, sent)
}

fn encoded(frame: &Frame<'_>) -> Vec<u8> {
    let mut bytes = vec![0; frame.encoded_len()];
    frame.encode(&mut bytes).expect("it fits");
    bytes
}

/// T7, M6, CVE-2023-49295: 64 answers are owed at most.
#[test]
fn t7_endless_challenges_are_answered_64_times() {
    let (alone, sent) = flood(|n| {
        encoded(&Frame::PathChallenge {
            data: n.to_be_bytes(),
        })
    });
    assert!(sent <= 3, "{sent} datagrams");
    assert_eq!(alone.closed(), None);
}

/// T7, M6, CVE-2024-22189: ids that replace each other without end.
#[test]
fn t7_endless_ids_are_retired_64_at_a_time() {
    let (alone, sent) = flood(|n| {
        encoded(&Frame::NewConnectionId {
            sequence: n + 1,
            retire_prior_to: n + 1,
            id: ConnectionId((n + 1_000).to_be_bytes()),
            token: &[0; 16],
        })
    });
    assert!(sent <= 3, "{sent} datagrams");
    assert_eq!(alone.closed(), None);
}

/// A client that wants ever new ids gets four at a time, and none for good after 65,534.
#[test]
fn t1_endless_retirement_is_bounded() {
    let mut alone = Alone::open();
    for sequence in 0..10_000 {
        alone.say(Level::Data, &[Frame::RetireConnectionId { sequence }]);
    }
    assert_eq!(alone.closed(), None);
    assert!(
        alone.data_datagrams < 30_000,
        "{} datagrams",
        alone.data_datagrams
    );
}

/// P6.14 to P6.18.
#[test]
fn wrong_ids_end_the_session() {
    let id = |sequence, retire_prior_to, n: u8| Frame::NewConnectionId {
        sequence,
        retire_prior_to,
        id: ConnectionId([n; 8]),
        token: &[0; 16],
    };
    let fine = [id(1, 0, 11), id(2, 0, 12), id(3, 0, 13), id(3, 0, 13)];
    for (frame, ends) in [
        (id(4, 0, 14), true),
        (id(4, 1, 14), false),
        (id(64, 64, 14), false),
        (id(68, 68, 14), true),
        (id(3, 0, 14), true),
        (id(4, 1, 13), true),
        (Frame::RetireConnectionId { sequence: 3 }, false),
        (Frame::RetireConnectionId { sequence: 4 }, true),
    ] {
        let mut alone = Alone::open();
        alone.say(Level::Data, &fine);
        assert_eq!(alone.closed(), None);
        alone.say(Level::Data, &[frame]);
        assert_eq!(alone.closed().is_some(), ends, "{frame:?}");
    }
}
