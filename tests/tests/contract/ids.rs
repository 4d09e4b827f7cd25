//! Ids of sessions and transfers that have ended are errors.

use std::time::Duration;

use proto_core::wire::{CloseCode, FilePath};
use proto_core::{Admission, Decision, Event, Request, StaleId, StartError};
use tests::Pair;
use tests::scenario::{grant, null, open, run, start};

fn list() -> Request {
    Request::List {
        path: FilePath::root(),
    }
}

#[test]
fn a_transfer_is_stale_after_its_last_event() {
    let mut pair = Pair::new(null(1), null(2));
    open(&mut pair);
    let first = start(&mut pair, list());
    let mut theirs = None;
    pair.run_until(Duration::from_secs(1), |pair| {
        for event in &pair.server.events {
            if let Event::Requested { transfer, .. } = event {
                theirs = Some(*transfer);
            }
        }
        grant(pair);
        false
    });
    assert!(matches!(
        pair.client.events.back(),
        Some(Event::Finished { transfer, .. }) if *transfer == first
    ));
    assert_eq!(pair.client.endpoint.cancel(pair.now, first), Err(StaleId));
    let theirs = theirs.expect("it was asked");
    let decided = pair.server.endpoint.decide(
        pair.now,
        theirs,
        Decision::Refuse(proto_core::wire::ErrorCode::NotFound),
    );
    assert_eq!(decided, Err(StaleId));
    // The next transfer takes the same place under another id.
    let second = start(&mut pair, list());
    assert_ne!(first, second);
    assert_eq!(pair.client.endpoint.cancel(pair.now, first), Err(StaleId));
    assert_eq!(pair.client.endpoint.cancel(pair.now, second), Ok(()));
}

#[test]
fn a_session_is_stale_after_its_last_event() {
    let mut pair = Pair::new(null(1), null(2));
    open(&mut pair);
    run(&mut pair, list());
    let (now, old) = (pair.now, pair.peer);
    let client = &mut pair.client.endpoint;
    client
        .close(now, old, CloseCode::NoError)
        .expect("it is open");
    pair.run_until(Duration::from_secs(9), |_| false);
    let now = pair.now;
    let client = &mut pair.client.endpoint;
    let new = client.connect(now, pair.server.address).expect("room");
    assert_ne!(old, new);
    assert_eq!(client.close(now, old, CloseCode::NoError), Err(StaleId));
    assert_eq!(client.admit(now, old, Admission::Admit), Err(StaleId));
    assert_eq!(client.stats(old), None);
    let started = client.start(now, old, list());
    assert_eq!(started, Err(StartError::Stale(StaleId)));
    assert!(client.stats(new).is_some());
}
