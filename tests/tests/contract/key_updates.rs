//! R1, R4: what a session seals, watched from below: no number twice under one key, across key updates.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proto_core::crypto::{CryptoError, Level, Provider, Session};
use proto_core::wire::CloseCode;
use proto_core::wire::{ConnectionId, FilePath};
use proto_core::{CloseCause, DatagramMeta, Event, Request};
use sim::disk::Content;
use sim::layer::{Layer, Layered};
use tests::scenario::{get, lossy, null, open, path, run, stored_root, tls};
use tests::{Pair, ROOT};

/// What all sessions of one provider have sealed: session, generation of the keys, level, number.
type Sealed = Arc<Mutex<BTreeSet<(u64, u64, Level, u64)>>>;

#[derive(Debug)]
struct Watched {
    provider: Arc<dyn Provider>,
    sealed: Sealed,
    made: AtomicU64,
    updates: Arc<AtomicU64>,
    integrity_limit: u64,
}

struct WatchedSession {
    session: Box<dyn Session>,
    sealed: Sealed,
    number: u64,
    generation: u64,
    updates: Arc<AtomicU64>,
    integrity_limit: u64,
}

impl Watched {
    fn new(provider: Arc<dyn Provider>, integrity_limit: u64) -> Arc<Self> {
        Arc::new(Self {
            provider,
            sealed: Sealed::default(),
            made: AtomicU64::new(0),
            updates: Arc::default(),
            integrity_limit,
        })
    }

    fn watch(&self, session: Box<dyn Session>) -> Box<dyn Session> {
        Box::new(Layered(WatchedSession {
            session,
            sealed: self.sealed.clone(),
            number: self.made.fetch_add(1, Ordering::Relaxed),
            generation: 0,
            updates: self.updates.clone(),
            integrity_limit: self.integrity_limit,
        }))
    }
}

impl Provider for Watched {
    fn client(
        &self,
        original: ConnectionId,
        params: &[u8],
    ) -> Result<Box<dyn Session>, CryptoError> {
        Ok(self.watch(self.provider.client(original, params)?))
    }

    fn server(
        &self,
        original: ConnectionId,
        params: &[u8],
    ) -> Result<Box<dyn Session>, CryptoError> {
        Ok(self.watch(self.provider.server(original, params)?))
    }
}

impl Layer for WatchedSession {
    fn inner(&self) -> &dyn Session {
        &*self.session
    }

    fn inner_mut(&mut self) -> &mut dyn Session {
        &mut *self.session
    }

    fn seal(
        &mut self,
        level: Level,
        number: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<(), CryptoError> {
        let generation = if level == Level::Data {
            self.generation
        } else {
            0
        };
        let id = (self.number, generation, level, number);
        let mut sealed = self
            .sealed
            .lock()
            .expect("no test panics while it holds it");
        assert!(sealed.insert(id), "R1: {id:?} was sealed before");
        drop(sealed);
        self.session.seal(level, number, header, payload)
    }

    fn update_keys(&mut self) {
        self.generation += 1;
        self.updates.fetch_add(1, Ordering::Relaxed);
        self.session.update_keys();
    }

    fn integrity_limit(&self) -> u64 {
        self.integrity_limit
    }
}

/// Two hours of downloads, one every 25 s, over a line that loses 5 %: keys change every ten minutes.
#[test]
fn r1_no_number_twice_under_one_key_across_updates() {
    for make in [null, tls] {
        let (client, server) = (
            Watched::new(make(1), u64::MAX),
            Watched::new(make(2), u64::MAX),
        );
        let mut pair = Pair::new(client.clone(), server.clone());
        pair.from_client = lossy(1, 50_000);
        pair.from_server = lossy(2, 50_000);
        let content = Content::generated(1, 20_000);
        pair.server.disk.plant(ROOT, &path("f"), content, 7);
        open(&mut pair);
        for _ in 0..2 * 3_600 / 25 {
            assert!(stored_root(&run(&mut pair, get("f"))).is_some());
            pair.run_until(Duration::from_secs(25), |_| false);
        }
        let updates = client.updates.load(Ordering::Relaxed);
        assert_eq!(updates, server.updates.load(Ordering::Relaxed));
        assert!(
            (10..=12).contains(&updates),
            "{updates} updates in two hours"
        );
        let sealed = server.sealed.lock().expect("no panic");
        assert!(sealed.len() > 2_000, "{} packets", sealed.len());
    }
}

/// R5: forged packets cost counters, until the AEAD's integrity limit.
#[test]
fn r5_only_the_integrity_limit_ends_a_session() {
    const LIMIT: u64 = 10_000;
    let mut pair = Pair::new(null(1), Watched::new(null(2), LIMIT));
    open(&mut pair);
    let list = Request::List {
        path: FilePath::root(),
    };
    run(&mut pair, list.clone());
    let (_, genuine) = pair.client.sent.last().expect("it spoke");
    let mut forged = genuine.clone();
    *forged.last_mut().expect("not empty") ^= 1;
    let meta = DatagramMeta {
        source: pair.client.address,
        local: None,
        ecn: proto_core::Ecn::NotEct,
    };
    let forge = |pair: &mut Pair, n: u64| {
        // A fresh sample, and so another number, each time: or it would count as seen before.
        let mut rng = sim::rng::Rng::new(n, 3);
        let mut packet = forged.clone();
        for byte in packet.iter_mut().skip(9) {
            *byte = rng.next_u64() as u8;
        }
        let now = pair.now;
        pair.server.endpoint.handle_datagram(now, meta, &mut packet);
    };
    let failed =
        |pair: &Pair| pair.server.endpoint.drops()[proto_core::DropReason::NotAuthentic as usize];
    let mut n = 0;
    while failed(&pair) < LIMIT {
        n += 1;
        assert!(n < 20 * LIMIT, "forged packets do not count");
        forge(&mut pair, n);
    }
    assert!(matches!(
        run(&mut pair, list).last(),
        Some(Event::Finished { result: Ok(_), .. })
    ));
    while failed(&pair) == LIMIT {
        n += 1;
        forge(&mut pair, n);
    }
    pair.flush();
    assert!(matches!(
        pair.server.events.back(),
        Some(Event::PeerClosed {
            cause: CloseCause::Here(CloseCode::AeadLimit),
            ..
        })
    ));
}
