//! P3.18 to P3.21: datagrams grow to what the path carries, and shrink with it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use proto_core::{Config, Event};
use sim::disk::Content;
use tests::scenario::{get, grant, hash, null, open, path, run, start, stored_root};
use tests::{Pair, ROOT};

/// A pair whose server has a file, on a path that carries `carries` bytes from there at present.
fn pair(carries: &Rc<Cell<usize>>, size: u64) -> (Pair, Content) {
    let content = Content::generated(5, size);
    let mut pair = Pair::with(Config::new(null(1)), Config::server(null(2)));
    pair.server
        .disk
        .plant(ROOT, &path("down"), content.clone(), 7);
    // A network of its own, not this host's.
    pair.client.address = SocketAddr::from(([10, 0, 0, 9], 1));
    let carries = carries.clone();
    pair.from_server = Box::new(move |_, bytes| bytes.len() <= carries.get());
    (pair, content)
}

fn server_size(pair: &Pair) -> u16 {
    let peer = pair.server.endpoint.peers().next().expect("a session");
    let stats = pair.server.endpoint.stats(peer);
    stats.expect("it is open").datagram_size
}

/// Lets the transfer go on until then, or for so long.
fn go_on(pair: &mut Pair, within: Duration, mut until: impl FnMut(&Pair) -> bool) {
    pair.run_until(within, |pair| {
        grant(pair);
        until(pair)
    });
}

#[test]
fn p3_18_datagrams_grow_to_what_the_path_carries() {
    for (carries, least) in [
        (1_200, 1_200),
        (1_400, 1_360),
        (1_452, 1_452),
        (1_472, 1_472),
        (4_000, 3_870),
        (65_507, 8_972),
    ] {
        let (mut pair, content) = pair(&Rc::new(Cell::new(carries)), 8_000_000);
        open(&mut pair);
        // A search goes on with the next transfer.
        for _ in 0..6 {
            let told = run(&mut pair, get("down"));
            assert_eq!(stored_root(&told), Some(hash(&content)));
        }
        let size = usize::from(server_size(&pair));
        assert!(
            (least..=carries.min(8_972)).contains(&size),
            "{carries}: {size}"
        );
        // What a path does not carry is not sent but for probes: three a size, of few sizes.
        let vain = pair
            .server
            .sent
            .iter()
            .filter(|(_, bytes)| bytes.len() > carries);
        assert!(vain.count() <= 40);
    }
}

/// One round trip after the first data, Ethernet's size is used: the search costs a fast start nothing.
#[test]
fn p3_18_usual_sizes_are_found_in_a_round_trip() {
    let (mut pair, _) = pair(&Rc::new(Cell::new(1_472)), 2_000_000);
    open(&mut pair);
    start(&mut pair, get("down"));
    go_on(&mut pair, Duration::from_secs(5), |pair| {
        server_size(pair) == 1_472
    });
    let sent = &pair.server.sent;
    let probe = sent.iter().find(|(_, bytes)| bytes.len() == 1_472);
    let (sent_at, _) = probe.expect("a probe");
    assert_eq!(pair.now.since(*sent_at), Duration::from_millis(20));
    let (full_at, _) = (sent.iter())
        .find(|(_, bytes)| bytes[0] & 0x80 == 0 && bytes.len() == 1_200)
        .expect("data");
    assert_eq!(sent_at, full_at);
}

#[test]
fn p3_20_a_black_hole_costs_few_round_trips() {
    let carries = Rc::new(Cell::new(8_972));
    let (mut pair, content) = pair(&carries, 20_000_000);
    open(&mut pair);
    start(&mut pair, get("down"));
    go_on(&mut pair, Duration::from_secs(5), |pair| {
        server_size(pair) == 8_972
    });
    go_on(&mut pair, Duration::from_millis(60), |_| false);
    carries.set(1_300);
    let begun = pair.now;
    go_on(&mut pair, Duration::from_secs(5), |pair| {
        server_size(pair) == 1_200
    });
    // One probe time-out, with up to as much variance as a growing queue brings, and the round trip of the probe.
    let time = pair.now.since(begun);
    println!("noticed after {time:?}");
    assert!(time <= Duration::from_millis(250), "{time:?}");
    go_on(&mut pair, Duration::from_secs(5), |pair| {
        server_size(pair) > 1_260
    });
    assert!(server_size(&pair) <= 1_300);
    let finished = |pair: &Pair| {
        let mut events = pair.client.events.iter();
        events.any(|event| matches!(event, Event::Finished { .. }))
    };
    go_on(&mut pair, Duration::from_secs(60), finished);
    let events: Vec<_> = pair.client.events.drain(..).collect();
    assert_eq!(stored_root(&events), Some(hash(&content)));
}

/// T3.
#[test]
fn p3_21_another_port_keeps_the_size_and_another_network_does_not() {
    for (host, kept) in [(9, true), (10, false)] {
        let carries = Rc::new(Cell::new(1_472));
        let (mut pair, _) = pair(&carries, 50_000_000);
        open(&mut pair);
        start(&mut pair, get("down"));
        go_on(&mut pair, Duration::from_secs(5), |pair| {
            server_size(pair) == 1_472
        });
        pair.readdress(SocketAddr::from(([10, 0, 0, host], 77)));
        let mut least = u16::MAX;
        go_on(&mut pair, Duration::from_millis(300), |pair| {
            least = least.min(server_size(pair));
            false
        });
        assert_eq!(least, if kept { 1_472 } else { 1_200 });
        assert_eq!(server_size(&pair), 1_472);
    }
}
