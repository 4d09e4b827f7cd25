//! What most tests over a [`Pair`] begin with: providers, sessions that are open, requests that are granted.

use std::sync::Arc;
use std::time::Duration;

use proto_core::crypto::{Provider, PublicKey, TlsProvider};
use proto_core::wire::{Durability, FilePath};
use proto_core::{Admission, Decision, Event, Finished, Overwrite, Place, Request, TransferId};
use sim::disk::Content;
use sim::null_crypto::NullProvider;
use sim::rng::Rng;
use sim::seeded_crypto::SeededTls;

use crate::{Filter, Pair, ROOT};

/// A provider without secrecy that claims the key of `n`s.
pub fn null(n: u8) -> Arc<dyn Provider> {
    Arc::new(NullProvider {
        key: PublicKey([n; 32]),
    })
}

/// TLS as in production.
pub fn tls(n: u8) -> Arc<dyn Provider> {
    Arc::new(TlsProvider::new(&[n; 32]).expect("any 32 bytes are a key"))
}

/// TLS whose randomness follows from `n`.
pub fn seeded(n: u8) -> Arc<dyn Provider> {
    Arc::new(SeededTls::new(&[n; 32], [n; 32]).expect("any 32 bytes are a key"))
}

/// A path that is known to be good.
pub fn path(name: &str) -> FilePath {
    FilePath::parse(name.as_bytes()).expect("a good path")
}

/// A place below [`ROOT`].
pub fn place(name: &str) -> Place {
    Place {
        root: ROOT,
        path: path(name),
    }
}

/// A download to the same name.
pub fn get(name: &str) -> Request {
    Request::Get {
        from: path(name),
        to: place(name),
        overwrite: Overwrite::Replace,
        durability: Durability::Full,
        preserve: true,
        keep_top_mode: false,
        tree: false,
    }
}

/// An upload to the same name.
pub fn put(name: &str) -> Request {
    Request::Put {
        from: place(name),
        to: path(name),
        overwrite: Overwrite::Replace,
        durability: Durability::Full,
        tree: false,
    }
}

/// Drops `per_million` of a million datagrams, by the seed.
pub fn lossy(seed: u64, per_million: u32) -> Filter {
    let mut rng = Rng::new(seed, 0);
    Box::new(move |_, _| !rng.chance(per_million))
}

/// Ends the handshake and admits at both ends.
pub fn open(pair: &mut Pair) {
    let ready = |event: Option<&Event>| matches!(event, Some(Event::PeerReady { .. }));
    let done = pair.run_until(Duration::from_secs(9), |pair| {
        ready(pair.client.events.front()) && ready(pair.server.events.front())
    });
    assert!(
        done,
        "no handshake: {:?} {:?}",
        pair.client.events, pair.server.events
    );
    for side in [&mut pair.client, &mut pair.server] {
        if let Some(Event::PeerReady { peer, .. }) = side.events.pop_front() {
            let admitted = side.endpoint.admit(pair.now, peer, Admission::Admit);
            admitted.expect("the session is there");
        }
    }
}

/// Grants whatever the client asked for, and forgets the server's other events.
pub fn grant(pair: &mut Pair) {
    for event in std::mem::take(&mut pair.server.events) {
        if let Event::Requested { transfer, request } = event {
            let decision = Decision::Grant {
                place: Place {
                    root: ROOT,
                    path: request.path,
                },
                may_replace: true,
            };
            let decided = pair.server.endpoint.decide(pair.now, transfer, decision);
            decided.expect("the transfer is there");
        }
    }
}

/// Starts a request of the client.
pub fn start(pair: &mut Pair, request: Request) -> TransferId {
    let started = pair.client.endpoint.start(pair.now, pair.peer, request);
    started.expect("the session is open")
}

/// Runs a request to its end, with `also` before each step; the server grants everything. Returns the client's events.
pub fn run_with(pair: &mut Pair, request: Request, mut also: impl FnMut(&mut Pair)) -> Vec<Event> {
    let id = start(pair, request);
    let mut told = Vec::new();
    let done = pair.run_until(Duration::from_secs(3_600), |pair| {
        grant(pair);
        also(pair);
        told.extend(pair.client.events.drain(..));
        matches!(told.last(), Some(Event::Finished { transfer, .. }) if *transfer == id)
    });
    assert!(done, "{told:?}");
    told
}

/// [`run_with`] without anything besides.
pub fn run(pair: &mut Pair, request: Request) -> Vec<Event> {
    run_with(pair, request, |_| {})
}

/// The root that a transfer that ended well told.
pub fn stored_root(told: &[Event]) -> Option<[u8; 32]> {
    match told.last() {
        Some(Event::Finished {
            result: Ok(Finished::Stored { root, .. }),
            ..
        }) => *root,
        _ => None,
    }
}

/// BLAKE3 of the whole.
pub fn hash(content: &Content) -> [u8; 32] {
    let mut bytes = vec![0; content.len() as usize];
    content.read(0, &mut bytes);
    *blake3::hash(&bytes).as_bytes()
}
