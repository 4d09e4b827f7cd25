//! The handshake and the end of a session, over null crypto and over TLS.

use std::sync::Arc;
use std::time::Duration;

use proto_core::crypto::{Provider, PublicKey, TlsProvider};
use proto_core::wire::CloseCode;
use proto_core::{Admission, CloseCause, Config, DatagramMeta, DropReason, Ecn, Endpoint, Event};
use sim::null_crypto::NullProvider;
use tests::Pair;

fn null(n: u8) -> Arc<dyn Provider> {
    Arc::new(NullProvider {
        key: PublicKey([n; 32]),
    })
}

fn tls(n: u8) -> Arc<dyn Provider> {
    Arc::new(TlsProvider::new(&[n; 32]).unwrap())
}

fn is_ready(event: Option<&Event>) -> bool {
    matches!(event, Some(Event::PeerReady { .. }))
}

/// Runs until both ends say `PeerReady`, and admits.
fn complete(pair: &mut Pair) {
    let done = pair.run_until(Duration::from_secs(9), |pair| {
        is_ready(pair.client.events.front()) && is_ready(pair.server.events.front())
    });
    assert!(
        done,
        "no handshake: {:?} {:?}",
        pair.client.events, pair.server.events
    );
    for side in [&mut pair.client, &mut pair.server] {
        let Some(Event::PeerReady { peer, .. }) = side.events.pop_front() else {
            unreachable!()
        };
        side.endpoint
            .admit(pair.now, peer, Admission::Admit)
            .unwrap();
    }
}

fn closes_cleanly(pair: &mut Pair) {
    pair.client
        .endpoint
        .close(pair.now, pair.peer, CloseCode::NoError)
        .unwrap();
    pair.run_until(Duration::from_secs(5), |pair| {
        pair.server.endpoint.sessions() == 0
    });
    pair.run_until(Duration::from_secs(5), |pair| {
        pair.client.endpoint.sessions() == 0
    });
    assert!(matches!(
        pair.client.events.back(),
        Some(Event::PeerClosed {
            cause: CloseCause::Here(CloseCode::NoError),
            ..
        })
    ));
    assert!(
        matches!(
            pair.server.events.back(),
            Some(Event::PeerClosed {
                cause: CloseCause::Peer(CloseCode::NoError),
                ..
            })
        ),
        "{:?} {:?}",
        pair.server.events,
        pair.server.endpoint.drops(),
    );
    assert!(!pair.step(), "nothing is left to happen");
}

#[test]
fn completes_in_one_round_trip_and_closes() {
    for (client, server) in [(null(1), null(2)), (tls(1), tls(2))] {
        let mut pair = Pair::new(client, server);
        let start = pair.now;
        assert!(pair.run_until(Duration::from_secs(1), |pair| is_ready(
            pair.client.events.front()
        )));
        assert_eq!(pair.now.since(start), 2 * pair.delay);
        complete(&mut pair);
        assert_eq!(pair.now.since(start), 3 * pair.delay);
        closes_cleanly(&mut pair);
    }
}

#[test]
fn each_end_learns_the_others_key() {
    let mut pair = Pair::new(tls(1), tls(2));
    pair.run_until(Duration::from_secs(1), |pair| {
        is_ready(pair.server.events.front())
    });
    let keys = [&pair.client, &pair.server].map(|side| match side.events.front() {
        Some(Event::PeerReady { key, .. }) => *key,
        other => panic!("{other:?}"),
    });
    let of = |n: u8| TlsProvider::new(&[n; 32]).unwrap().public_key();
    assert_eq!(keys, [of(2), of(1)]);
}

#[test]
fn survives_the_loss_of_any_one_and_any_two_datagrams() {
    for first in 0..6 {
        for second in 0..6 {
            let mut pair = Pair::new(null(1), null(2));
            pair.from_client = Box::new(move |n, _| n != first && n != second);
            pair.from_server = Box::new(move |n, _| n != second && n != first);
            complete(&mut pair);
            closes_cleanly(&mut pair);
        }
    }
}

#[test]
fn h1_an_unproven_address_gets_three_times_what_it_sent() {
    let mut pair = Pair::new(tls(1), tls(2));
    // The client falls silent after its first flight.
    pair.from_client = Box::new(|n, _| n < 2);
    pair.run_until(Duration::from_secs(30), |_| false);
    let received: usize = pair
        .client
        .sent
        .iter()
        .take(2)
        .map(|(_, bytes)| bytes.len())
        .sum();
    let sent: usize = pair.server.sent.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(sent <= 3 * received, "{sent} bytes for {received}");
    assert!(sent > received, "the server tried again");
    assert_eq!(
        pair.server.endpoint.sessions(),
        0,
        "H10: dropped after 10 s"
    );
}

#[test]
fn h2_first_datagrams_are_full_and_short_ones_are_dropped() {
    let pair = {
        let mut pair = Pair::new(null(1), null(2));
        complete(&mut pair);
        pair
    };
    assert!(
        pair.client.sent[..2]
            .iter()
            .all(|(_, bytes)| bytes.len() >= 1_200)
    );
    let mut pair = Pair::new(null(1), null(2));
    pair.flush();
    let mut short = pair.client.sent[0].1[..1_199].to_vec();
    let meta = proto_core::DatagramMeta {
        source: pair.client.address,
        local: None,
        ecn: proto_core::Ecn::NotEct,
    };
    pair.server
        .endpoint
        .handle_datagram(pair.now, meta, &mut short);
    assert_eq!(pair.server.endpoint.sessions(), 0);
}

/// One datagram makes one session at most, however many first packets it holds.
#[test]
fn h5_first_packets_for_others_in_one_datagram_open_nothing() {
    let mut pair = Pair::new(null(1), null(2));
    pair.client
        .endpoint
        .connect(pair.now, pair.server.address)
        .unwrap();
    pair.flush();
    let sent: Vec<&[u8]> = pair.client.sent.iter().map(|sent| &sent.1[..]).collect();
    let destination = |bytes: &[u8]| bytes[5..13].to_vec();
    let other = sent
        .iter()
        .find(|bytes| destination(bytes) != destination(sent[0]))
        .unwrap();
    let mut both = [sent[0], other].concat();
    let meta = proto_core::DatagramMeta {
        source: pair.client.address,
        local: None,
        ecn: proto_core::Ecn::NotEct,
    };
    pair.server
        .endpoint
        .handle_datagram(pair.now, meta, &mut both);
    assert_eq!(pair.server.endpoint.sessions(), 1);
}

/// H2 holds for a session that is there, too.
#[test]
fn h2_small_initial_datagrams_are_not_even_opened() {
    let mut pair = Pair::new(null(1), null(2));
    pair.flush();
    let mut first = pair.client.sent[0].1.clone();
    // Version, ids, no token; then the length.
    let mut small = first[..24 + 100].to_vec();
    small[22..24].copy_from_slice(&[0x40, 100]);
    let meta = proto_core::DatagramMeta {
        source: pair.client.address,
        local: None,
        ecn: proto_core::Ecn::NotEct,
    };
    let server = &mut pair.server.endpoint;
    server.handle_datagram(pair.now, meta, &mut first);
    assert_eq!(server.sessions(), 1);
    server.handle_datagram(pair.now, meta, &mut small);
    assert_eq!(server.drops()[DropReason::SmallInitial as usize], 1);
}

/// A third of a time-out of nothing is no time: keeping alive would never end.
#[test]
fn an_idle_time_out_out_of_range_is_the_nearest_within() {
    let config = |config| Config {
        idle_timeout: Duration::ZERO,
        ..config
    };
    let mut pair = Pair::with(
        config(Config::new(null(1))),
        config(Config::server(null(2))),
    );
    // The client's user is asked for a while: the session is kept alive.
    pair.run_until(Duration::from_secs(5), |_| false);
    assert!(is_ready(pair.client.events.front()));
    assert_eq!(pair.client.events.len(), 1, "{:?}", pair.client.events);
}

#[test]
fn a_refused_peer_learns_only_that() {
    let mut pair = Pair::new(tls(1), tls(2));
    pair.run_until(Duration::from_secs(1), |pair| {
        is_ready(pair.server.events.front())
    });
    let Some(Event::PeerReady { peer, .. }) = pair.server.events.pop_front() else {
        unreachable!()
    };
    pair.server
        .endpoint
        .admit(pair.now, peer, Admission::Refuse)
        .unwrap();
    pair.run_until(Duration::from_secs(1), |pair| pair.client.events.len() == 2);
    assert!(matches!(
        pair.client.events.back(),
        Some(Event::PeerClosed {
            cause: CloseCause::Peer(CloseCode::Refused),
            ..
        })
    ));
}

#[test]
fn nobody_answers() {
    let mut pair = Pair::new(null(1), null(2));
    pair.from_client = Box::new(|_, _| false);
    pair.run_until(Duration::from_secs(30), |_| false);
    assert!(matches!(
        pair.client.events.back(),
        Some(Event::PeerClosed {
            cause: CloseCause::HandshakeTimedOut,
            ..
        })
    ));
    let sent = pair.client.sent.len();
    assert!((4..30).contains(&sent), "{sent} datagrams in ten seconds");
}

#[test]
fn a_silent_session_times_out_on_both_sides() {
    let mut pair = Pair::new(null(1), null(2));
    complete(&mut pair);
    pair.run_until(Duration::from_secs(100), |_| false);
    for side in [&pair.client, &pair.server] {
        assert!(matches!(
            side.events.back(),
            Some(Event::PeerClosed {
                cause: CloseCause::TimedOut,
                ..
            })
        ));
        assert_eq!(side.endpoint.sessions(), 0);
        assert_eq!(side.endpoint.poll_timeout(), None);
    }
}

#[test]
fn the_same_seed_sends_the_same_bytes() {
    let run = || {
        let mut pair = Pair::new(null(1), null(2));
        complete(&mut pair);
        closes_cleanly(&mut pair);
        (pair.client.sent, pair.server.sent)
    };
    assert_eq!(run(), run());
}

/// R6, R7: any flipped bit of a first flight leaves no trace but a counter.
#[test]
fn r6_a_changed_packet_changes_nothing() {
    let mut pair = Pair::new(null(1), null(2));
    pair.flush();
    let datagram = pair.client.sent[0].1.clone();
    let meta = proto_core::DatagramMeta {
        source: pair.client.address,
        local: None,
        ecn: proto_core::Ecn::NotEct,
    };
    for bit in 0..datagram.len() * 8 {
        let mut changed = datagram.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let mut server = Pair::new(null(1), null(2)).server;
        let before: u64 = server.endpoint.drops().iter().sum();
        server
            .endpoint
            .handle_datagram(pair.now, meta, &mut changed);
        assert_eq!(server.endpoint.sessions(), 0, "bit {bit}");
        assert!(
            server.endpoint.drops().iter().sum::<u64>() > before,
            "bit {bit}"
        );
    }
}

/// A server that starts again in mid-handshake takes what is left of the client's first flight for a new session. Its answers
/// are for that one: the client waits for the first until its time is over (P4.27).
#[test]
fn answers_of_a_second_session_are_dropped() {
    for make in [null as fn(u8) -> Arc<dyn Provider>, tls] {
        let mut pair = Pair::new(make(1), make(2));
        pair.from_client = Box::new(|n, _| n == 0);
        let answered = |pair: &mut Pair| !pair.server.sent.is_empty();
        assert!(pair.run_until(Duration::from_secs(1), answered));
        pair.run_until(Duration::from_millis(11), |_| false);
        let server = Config::server(make(2));
        pair.server.endpoint = Endpoint::new(Arc::new(server), [3; 32], pair.now);
        let meta = DatagramMeta {
            source: pair.client.address,
            local: None,
            ecn: Ecn::NotEct,
        };
        let first: Vec<_> = pair.client.sent[..2].to_vec();
        for (_, mut copy) in first {
            let server = &mut pair.server.endpoint;
            server.handle_datagram(pair.now, meta, &mut copy);
        }
        assert_eq!(pair.server.endpoint.sessions(), 1);
        pair.run_until(Duration::from_secs(9), |_| false);
        assert_eq!(pair.client.events.front(), None);
        let drops = pair.client.endpoint.drops();
        assert!(drops[DropReason::UnknownSession as usize] > 0, "{drops:?}");
        pair.run_until(Duration::from_secs(2), |_| false);
        assert!(matches!(
            pair.client.events.front(),
            Some(Event::PeerClosed {
                cause: CloseCause::HandshakeTimedOut,
                ..
            })
        ));
    }
}
