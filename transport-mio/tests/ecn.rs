//! ECN over mio (RFC 9000 §13.4). Loopback carries what is set.
#![cfg(target_os = "linux")]

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proto_core::{DatagramMeta, Ecn, Transmit};
use transport_mio::MioWaiter;
use transport_std::driver::{Sent, Socket, Waiter};
use transport_std::{
    Client, ClientOptions, GetOptions, Identity, PutOptions, Rights, Server, ServerEvent, Trust,
};

/// The codepoint of a whole batch arrives with each of its datagrams, over both families, when mio says that there are some.
#[test]
fn codepoints_leave_and_arrive() {
    for bind in ["127.0.0.1:0", "[::]:0"] {
        let from = Socket::bind(bind.parse().unwrap()).unwrap();
        let mut to = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut waiter = MioWaiter::new().unwrap();
        waiter.enter(&to).unwrap();
        for ecn in [Ecn::Ect0, Ecn::NotEct, Ecn::Ce, Ecn::Ect1] {
            for (count, len) in [(1, 1_000), (3, 2_500)] {
                let batch = Transmit {
                    destination: to.local_addr().unwrap(),
                    source: None,
                    len,
                    segment_size: 1_000,
                    may_fragment: false,
                    ecn,
                };
                assert_eq!(from.send(&batch, &vec![7; len]), Sent::Taken);
                let mut seen = Vec::new();
                while seen.len() < count {
                    let limit = Some(Duration::from_secs(5));
                    assert!(waiter.wait(&to, false, limit).unwrap(), "nothing came");
                    let mut each = |meta: DatagramMeta, train: &mut [u8], size| {
                        seen.extend(train.chunks(size).map(|_| meta.ecn));
                    };
                    while to.receive(&mut each).unwrap() {}
                }
                assert_eq!(seen, vec![ecn; count], "{bind}");
            }
        }
        waiter.leave(&to).unwrap();
    }
}

/// A server over mio finds out that the path carries ECN, and so does its client: both mark, count and tell.
#[test]
fn a_session_marks_its_packets() {
    let (shared, local) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let last = Arc::new(Mutex::new(None));
    let seen = last.clone();
    let server = Server::builder(Identity::generate())
        .share_root(shared.path(), Rights::ReadWrite)
        .waiter(transport_mio::waiter)
        .on_event(move |event| {
            if let ServerEvent::Closed { stats, .. } = event {
                *seen.lock().unwrap() = *stats;
            }
        })
        .bind("127.0.0.1:0")
        .unwrap()
        .spawn()
        .unwrap();
    let original = local.path().join("original");
    fs::write(&original, vec![5; 300_000]).unwrap();
    let options = ClientOptions::new(Trust::Key(server.public_key()));
    let client = Client::connect(server.local_addr(), &Identity::generate(), options).unwrap();
    let put = client.put(&original, "f", &PutOptions::default(), |_| {});
    put.unwrap();
    let copy = local.path().join("copy");
    let get = client.get("f", copy, &GetOptions::default(), |_| {});
    get.unwrap();
    let stats = client.stats().unwrap();
    assert!(stats.ecn_capable, "client: {stats:?}");
    assert_eq!(stats.ecn_marks, 0, "loopback has no queue");
    client.close();
    server.stop().unwrap();
    let stats = last.lock().unwrap().expect("the session is over");
    assert!(stats.ecn_capable, "server: {stats:?}");
}
