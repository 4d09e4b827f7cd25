use std::collections::BTreeSet;
use std::sync::Arc;

use proto_core::crypto::{Level, Provider, PublicKey, Session, TAG_LEN};
use proto_core::wire::{ConnectionId, write_ack};
use proto_core::{Config, Endpoint, Instant};

use super::numbers::Numbers;
use super::{Watch, Watched};
use crate::null_crypto::NullProvider;
use crate::rng::Rng;

#[test]
fn numbers_are_a_set() {
    let mut rng = Rng::new(1, 0);
    for _ in 0..50 {
        let (mut numbers, mut model) = (Numbers::default(), BTreeSet::new());
        for n in 0..200 {
            let number = n / 2 + rng.below(20);
            assert_eq!(numbers.insert(number), model.insert(number));
            let start = rng.below(120);
            let end = start + rng.below(5);
            let covered = (start..=end).all(|number| model.contains(&number));
            assert_eq!(numbers.covers(&(start..=end)), covered);
        }
    }
}

/// The two ends of a session, watched at the client's.
fn session() -> (Box<dyn Session>, Box<dyn Session>, Arc<Watch>, Endpoint) {
    let watch = Arc::new(Watch::default());
    let null = NullProvider {
        key: PublicKey([1; 32]),
    };
    let watched = Watched::new(null, Arc::clone(&watch));
    let client = watched.client(ConnectionId([7; 8]), &[]).expect("null");
    let server = null.server(ConnectionId([7; 8]), &[]).expect("null");
    let config = Arc::new(Config::new(Arc::new(null)));
    let endpoint = Endpoint::new(config, [1; 32], Instant::ZERO);
    (client, server, watch, endpoint)
}

fn seal(session: &mut dyn Session, number: u64, text: &[u8]) -> Vec<u8> {
    let mut payload = text.to_vec();
    payload.resize(text.len() + TAG_LEN, 0);
    let sealed = session.seal(Level::Initial, number, b"header", &mut payload);
    sealed.expect("there are Initial keys");
    payload
}

#[test]
fn numbers_that_do_not_rise_are_seen() {
    let (mut client, _, watch, endpoint) = session();
    seal(&mut *client, 3, b"\0");
    seal(&mut *client, 5, b"\0");
    assert_eq!(watch.check(&endpoint), Ok(()));
    seal(&mut *client, 5, b"\0");
    assert!(watch.check(&endpoint).is_err());
    assert_eq!(watch.sealed(), 3);
}

#[test]
fn acknowledgements_of_what_was_not_opened_are_seen() {
    let (mut client, mut server, watch, endpoint) = session();
    let mut packet = seal(&mut *server, 4, b"\0");
    let epoch = proto_core::crypto::Epoch::Current;
    let opened = client.open(Level::Initial, epoch, 4, b"header", &mut packet);
    assert_eq!(opened, Ok(()));
    let mut ack = [0; 32];
    let len = write_ack(&mut ack, 0, [4..=4].into_iter()).expect("it fits");
    seal(&mut *client, 0, &ack[..len]);
    assert_eq!(watch.check(&endpoint), Ok(()));
    let len = write_ack(&mut ack, 0, [3..=4].into_iter()).expect("it fits");
    seal(&mut *client, 1, &ack[..len]);
    assert!(watch.check(&endpoint).is_err());
}

#[test]
fn what_is_opened_twice_is_seen_and_what_cannot_be_opened_counted() {
    let (mut client, mut server, watch, endpoint) = session();
    let epoch = proto_core::crypto::Epoch::Current;
    let packet = seal(&mut *server, 4, b"\0");
    for _ in 0..2 {
        assert_eq!(watch.check(&endpoint), Ok(()));
        let mut packet = packet.clone();
        let opened = client.open(Level::Initial, epoch, 4, b"header", &mut packet);
        assert_eq!(opened, Ok(()));
    }
    assert!(watch.check(&endpoint).is_err());
    let mut packet = packet;
    packet[0] ^= 1;
    let opened = client.open(Level::Initial, epoch, 4, b"header", &mut packet);
    assert!(opened.is_err());
    assert_eq!(
        (watch.opened(), watch.reopened(), watch.failed()),
        (2, 1, 1)
    );
}
