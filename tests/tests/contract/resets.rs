//! R8: a server that was restarted tells its clients so, and nobody else can.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use proto_core::{
    CloseCause, Config, DatagramMeta, Endpoint, Event, HostSecret, Instant, PeerId, StartError,
};
use sim::disk::Content;
use sim::rng::Rng;
use tests::scenario::{get, grant, null, open, path, start};
use tests::{Pair, ROOT};

fn server_config() -> Config {
    Config {
        host_secret: Some(HostSecret::derive(b"a private key")),
        ..Config::server(null(2))
    }
}

/// A download under way, and the server restarted under another seed.
fn restarted(config: Config) -> Pair {
    let mut pair = Pair::with(Config::new(null(1)), server_config());
    let content = Content::generated(1, 3 << 20);
    pair.server.disk.plant(ROOT, &path("f"), content, 7);
    open(&mut pair);
    start(&mut pair, get("f"));
    let halfway = pair.now + Duration::from_millis(120);
    pair.run_until(Duration::from_secs(9), |pair| {
        grant(pair);
        pair.now >= halfway
    });
    let now = pair.now;
    pair.server.endpoint = Endpoint::new(Arc::new(config), [77; 32], now);
    pair
}

fn closed(pair: &Pair) -> Option<CloseCause> {
    pair.client.events.iter().find_map(|event| match event {
        Event::PeerClosed { cause, .. } => Some(*cause),
        _ => None,
    })
}

#[test]
fn r8_a_restarted_server_says_so_at_once() {
    let mut pair = restarted(server_config());
    let begun = pair.now;
    assert!(pair.run_until(Duration::from_secs(100), |pair| closed(pair).is_some()));
    assert_eq!(closed(&pair), Some(CloseCause::Reset));
    let took = pair.now.since(begun);
    assert!(took < Duration::from_millis(200), "{took:?}");
}

/// Without the secret there is only silence.
#[test]
fn r8_another_server_cannot_say_so() {
    let other = HostSecret::derive(b"another private key");
    for host_secret in [None, Some(other)] {
        let mut pair = restarted(Config {
            host_secret,
            ..server_config()
        });
        pair.run_until(Duration::from_secs(100), |pair| closed(pair).is_some());
        assert_eq!(closed(&pair), Some(CloseCause::TimedOut));
    }
}

/// RFC 9000 §10.3.3: answers are shorter than their causes, and few.
#[test]
fn r8_resets_are_short_and_few() {
    let config = Arc::new(server_config());
    let mut server = Endpoint::new(config, [3; 32], Instant::ZERO);
    let mut rng = Rng::new(1, 1);
    let mut out = vec![0; 1 << 16];
    let mut answered = [0_u64; 2];
    for n in 0..2_000_u64 {
        // 500 in each second.
        let now = Instant::from_nanos(1 + n * 2_000_000);
        let mut noise = vec![0; rng.between(1, 60) as usize];
        noise
            .iter_mut()
            .for_each(|byte| *byte = rng.next_u64() as u8);
        noise[0] = 0x40 | noise[0] & 0x1f;
        let size = noise.len();
        let meta = DatagramMeta {
            source: SocketAddr::from(([10, 0, 0, 9], 9)),
            local: None,
            ecn: proto_core::Ecn::NotEct,
        };
        server.handle_datagram(now, meta, &mut noise);
        while let Some(sent) = server.poll_transmit(now, NonZeroUsize::MIN, &mut out) {
            assert!(sent.len < size, "{} bytes for {size}", sent.len);
            assert_eq!(out[0] & 0xe0, 0x40);
            answered[usize::from(n >= 1_000)] += 1;
        }
    }
    assert_eq!(answered, [200, 200]);
    assert_eq!(server.sessions(), 0);
}

/// A reset that came for one session ends no other, nor one that comes from elsewhere, nor with a bit changed.
#[test]
fn r8_only_the_right_token_from_the_right_place_counts() {
    let mut pair = restarted(server_config());
    let mut reset = None;
    // The client's next packet makes the server answer.
    pair.run_until(Duration::from_secs(9), |pair| {
        let answer = pair
            .server
            .sent
            .last()
            .filter(|(_, bytes)| bytes.len() < 44);
        reset = answer.map(|(_, bytes)| bytes.clone());
        reset.is_some()
    });
    let reset = reset.expect("it answered");
    let mut elsewhere = DatagramMeta {
        source: pair.server.address,
        local: None,
        ecn: proto_core::Ecn::NotEct,
    };
    let now = pair.now;
    for bit in 0..128 {
        let mut changed = reset.clone();
        let byte = changed.len() - 16 + bit / 8;
        changed[byte] ^= 1 << (bit % 8);
        let client = &mut pair.client.endpoint;
        client.handle_datagram(now, elsewhere, &mut changed);
        assert!(is_open(client, now, pair.peer), "bit {bit}");
    }
    elsewhere.source = SocketAddr::from(([10, 0, 0, 9], 9));
    let client = &mut pair.client.endpoint;
    client.handle_datagram(now, elsewhere, &mut reset.clone());
    assert!(is_open(client, now, pair.peer));
    elsewhere.source = pair.server.address;
    client.handle_datagram(now, elsewhere, &mut reset.clone());
    assert!(!is_open(client, now, pair.peer));
}

fn is_open(client: &mut Endpoint, now: Instant, peer: PeerId) -> bool {
    let started = client.start(now, peer, get("another"));
    !matches!(started, Err(StartError::Stale(_)))
}
