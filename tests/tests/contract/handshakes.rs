//! H: what a server does for those whom it does not know yet.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use proto_core::crypto::{Level, Provider};
use proto_core::wire::{Durability, FilePath, Frame, RequestKind};
use proto_core::{Admission, Config, DatagramMeta, DropReason, Endpoint, Event, Instant, Request};
use sim::rng::Rng;
use tests::Pair;
use tests::hand_made::{Client, provider};
use tests::scenario::{null, tls};

use crate::server::Alone;

/// Bytes that the server sent before the client had shown that it receives at its address: before the first datagram that
/// can only come from someone who does.
fn check_amplification(pair: &Pair) {
    // The n-th datagram that the server sent left at its time; those of the client arrived `delay` after they left.
    let mut validated_at = None;
    for (at, datagram) in &pair.client.sent {
        // The first long header whose type is not Initial: a Handshake packet stands first in its datagram.
        let is_handshake = datagram[0] & 0x80 != 0 && datagram[0] & 0x30 != 0;
        if is_handshake || datagram[0] & 0x80 == 0 {
            validated_at = Some(*at + pair.delay);
            break;
        }
    }
    let mut sent = 0;
    for (at, datagram) in &pair.server.sent {
        if validated_at.is_some_and(|validated| *at >= validated) {
            return;
        }
        sent += datagram.len();
        let received: usize = pair
            .client
            .sent
            .iter()
            .filter(|(left, _)| *left + pair.delay <= *at)
            .map(|(_, datagram)| datagram.len())
            .sum();
        assert!(
            sent <= 3 * received,
            "{sent} bytes for {received} at {at:?}"
        );
    }
}

/// The handshake datagrams below are lost or not as the bits of a number say. A client's datagram that is lost does not
/// count as received; so the check, which counts all of them, holds only where none of the client's is lost. Those
/// runs lose the server's; the other runs count what arrived.
#[test]
fn h1_a_server_amplifies_by_three_at_most() {
    for make in [null as fn(u8) -> Arc<dyn Provider>, tls] {
        for pattern in 0..256_u32 {
            let mut pair = Pair::new(make(1), make(2));
            pair.from_server = Box::new(move |n, _| n > 7 || pattern & (1 << n) == 0);
            pair.run_until(Duration::from_secs(12), |_| false);
            check_amplification(&pair);
        }
    }
    for pattern in 0..256_u32 {
        let mut pair = Pair::new(null(1), null(2));
        // Nothing but Initial packets gets through: the address is never proven.
        let mut arrived = Vec::new();
        pair.from_client = Box::new(move |n, datagram| {
            datagram[0] & 0xb0 == 0x80 && (n > 7 || pattern & (1 << n) == 0)
        });
        pair.run_until(Duration::from_secs(12), |_| false);
        for (n, (at, datagram)) in pair.client.sent.iter().enumerate() {
            if (pair.from_client)(n, datagram) {
                arrived.push((*at + pair.delay, datagram.len()));
            }
        }
        let mut sent = 0;
        for (at, datagram) in &pair.server.sent {
            sent += datagram.len();
            let received = arrived.iter().filter(|(arrived, _)| arrived <= at);
            let received: usize = received.map(|(_, len)| len).sum();
            assert!(
                sent <= 3 * received,
                "pattern {pattern}: {sent} for {received}"
            );
        }
    }
}

fn alone_with(first: &[u8]) -> (Endpoint, Option<usize>) {
    let config = Arc::new(Config::server(Arc::new(provider())));
    let mut server = Endpoint::new(config, [3; 32], Instant::ZERO);
    let now = Instant::from_nanos(1);
    let meta = DatagramMeta {
        source: SocketAddr::from(([10, 0, 0, 2], 2)),
        local: None,
        ecn: proto_core::Ecn::NotEct,
    };
    server.handle_datagram(now, meta, &mut first.to_vec());
    let mut out = vec![0; 1 << 16];
    let sent = server.poll_transmit(now, NonZeroUsize::MIN, &mut out);
    (server, sent.map(|sent| sent.len))
}

#[test]
fn h2_short_first_datagrams_are_dropped_in_silence() {
    let (_, first) = Client::new();
    for size in (0..1_200).rev() {
        // A packet with a length of its own stays whole when padding behind it is cut; this one fills its datagram.
        let mut short = first[0].clone();
        short.truncate(size);
        let (server, answered) = alone_with(&short);
        assert_eq!((server.sessions(), answered), (0, None), "{size} bytes");
    }
    let (server, answered) = alone_with(&first[0]);
    assert_eq!(server.sessions(), 1);
    assert!(answered.is_some());
}

/// A whole, authentic packet in a datagram of less than 1,200 bytes.
#[test]
fn h2_an_authentic_short_datagram_is_dropped_in_silence() {
    let (mut alone, _) = Alone::before_handshake();
    let mut frames = vec![0; 1_000];
    let data = [0; 900];
    Frame::Crypto {
        offset: 0,
        data: &data,
    }
    .encode(&mut frames)
    .expect("it fits");
    let packet = alone.client.packet(Level::Initial, &frames).expect("keys");
    assert!(packet.len() < 1_200);
    let (server, answered) = alone_with(&packet);
    assert_eq!((server.sessions(), answered), (0, None));
    assert_eq!(server.drops()[DropReason::SmallInitial as usize], 1);
}

#[test]
fn h3_a_version_answer_is_no_larger_than_its_cause() {
    let mut rng = Rng::new(1, 1);
    let mut answers = 0;
    for size in (20..1_500).step_by(7) {
        let mut datagram = vec![0; size];
        datagram
            .iter_mut()
            .for_each(|byte| *byte = rng.next_u64() as u8);
        datagram[0] = 0xc0;
        datagram[1..5].copy_from_slice(&[0xfa, 0xce, 0xb0, 0x0c]);
        datagram[5] = 8;
        datagram[14] = 8;
        let (server, answered) = alone_with(&datagram);
        assert_eq!(server.sessions(), 0);
        assert!(answered.unwrap_or(0) <= size, "{answered:?} for {size}");
        assert!(size >= 1_200 || answered.is_none(), "H2 holds here, too");
        answers += usize::from(answered.is_some());
    }
    assert!(answers > 20, "{answers}");
}

#[test]
fn h6_handshake_bytes_far_ahead_end_the_attempt() {
    let beyond = [(16 << 10, 1), (15 << 10, 1_025)];
    for (offset, len) in beyond {
        let (mut alone, _) = Alone::before_handshake();
        let data = vec![0; len];
        let mut frames = vec![0; 1_160];
        Frame::Crypto {
            offset,
            data: &data,
        }
        .encode(&mut frames)
        .expect("it fits");
        let packet = alone.client.packet(Level::Initial, &frames).expect("keys");
        alone.deliver(packet);
        alone.poll();
        // Well before the handshake's own ten seconds.
        alone.wait(Duration::from_secs(5));
        assert_eq!(alone.server.sessions(), 0, "{len} bytes at {offset}");
        assert_eq!(
            alone.closed(),
            None,
            "nobody is told of a stranger's failure"
        );
    }
}

#[test]
fn h6_more_than_eight_gaps_end_the_attempt() {
    for (gaps, ends) in [(8, false), (9, true)] {
        let (mut alone, _) = Alone::before_handshake();
        let mut frames = vec![0; 1_160];
        let mut at = 0;
        for gap in 0..gaps {
            let frame = Frame::Crypto {
                offset: 100 + 2 * gap,
                data: b"x",
            };
            at += frame.encode(&mut frames[at..]).expect("it fits");
        }
        let packet = alone.client.packet(Level::Initial, &frames).expect("keys");
        alone.deliver(packet);
        alone.poll();
        alone.wait(Duration::from_secs(5));
        assert_eq!(alone.server.sessions() == 0, ends, "{gaps} ranges");
    }
}

fn request(transfer: u64) -> Frame<'static> {
    Frame::Request {
        transfer,
        kind: RequestKind::List,
        compare: false,
        no_clobber: false,
        tree: false,
        resume: false,
        durability: Durability::Full,
        amount: 0,
        path: b"",
        argument: b"",
    }
}

#[test]
fn h10_three_requests_before_admission() {
    let (mut alone, peer) = Alone::unadmitted();
    for n in 0..6 {
        alone.say(Level::Data, &[request(n)]);
    }
    assert!(
        alone.events.is_empty(),
        "nobody is told of a stranger's wishes"
    );
    assert_eq!(alone.server.drops()[DropReason::NoRoom as usize], 3);
    alone
        .server
        .admit(alone.now, peer, Admission::Admit)
        .expect("there");
    alone.poll();
    assert_eq!(alone.events.len(), 3);
    alone.say(Level::Data, &[request(3)]);
    assert_eq!(
        alone.events.len(),
        4,
        "a request that comes again finds room"
    );
}

#[test]
fn h10_handshakes_and_strangers_last_ten_seconds() {
    let (mut alone, mut first) = Alone::before_handshake();
    alone.deliver(first.remove(0));
    alone.poll();
    alone.wait(Duration::from_millis(9_900));
    assert_eq!(alone.server.sessions(), 1);
    alone.wait(Duration::from_millis(200));
    assert_eq!(alone.server.sessions(), 0);

    let (mut alone, _) = Alone::unadmitted();
    alone.wait(Duration::from_millis(9_900));
    assert_eq!(alone.closed(), None);
    alone.wait(Duration::from_millis(200));
    assert!(alone.closed().is_some());
    alone.wait(Duration::from_secs(5));
    assert_eq!(alone.server.sessions(), 0);
}

/// Neither end gives a name or a byte before its application knows the other's key.
#[test]
fn h14_a_peer_that_is_not_admitted_learns_nothing() {
    let (mut alone, peer) = Alone::unadmitted();
    for n in 0..3 {
        alone.say(Level::Data, &[request(n)]);
    }
    alone.wait(Duration::from_secs(2));
    assert!(alone.ops.is_empty(), "no file was touched");
    assert!(alone.events.is_empty());
    alone
        .server
        .admit(alone.now, peer, Admission::Refuse)
        .expect("there");
    alone.poll();
    alone.wait(Duration::from_secs(10));
    assert!(alone.ops.is_empty());
    assert!(matches!(alone.events[..], [Event::PeerClosed { .. }]));

    let mut pair = Pair::new(tls(1), tls(2));
    pair.run_until(Duration::from_secs(1), |pair| {
        !pair.client.events.is_empty()
    });
    let (now, peer) = (pair.now, pair.peer);
    let list = Request::List {
        path: FilePath::root(),
    };
    assert!(pair.client.endpoint.start(now, peer, list.clone()).is_err());
    let refused = pair.client.endpoint.admit(now, peer, Admission::Refuse);
    refused.expect("there");
    assert!(pair.client.endpoint.start(now, peer, list).is_err());
}
