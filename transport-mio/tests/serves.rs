//! A server of one's own over mio, and the client of `transport-std`.

use std::fs;
use std::sync::Arc;
use std::thread;

use proto_core::crypto::TlsProvider;
use proto_core::{Admission, Config, Decision, Endpoint, Event, Instant, Place, RootId};
use transport_mio::Driver;
use transport_std::driver::{Application, Parts, Socket};
use transport_std::executor::Roots;
use transport_std::{Client, ClientOptions, GetOptions, Identity, PutOptions, Trust};

/// Lets everybody do everything beneath one directory, until it is told to stop.
struct Open {
    root: RootId,
    over: bool,
}

impl Application for Open {
    type Command = ();

    fn command(&mut self, _now: Instant, _endpoint: &mut Endpoint, (): ()) {
        self.over = true;
    }

    fn event(&mut self, now: Instant, endpoint: &mut Endpoint, event: Event) {
        match event {
            Event::PeerReady { peer, .. } => endpoint.admit(now, peer, Admission::Admit).unwrap(),
            Event::Requested { transfer, request } => {
                let place = Place {
                    root: self.root,
                    path: request.path,
                };
                endpoint
                    .decide(
                        now,
                        transfer,
                        Decision::Grant {
                            place,
                            may_replace: true,
                        },
                    )
                    .unwrap();
            }
            _ => {}
        }
    }

    fn is_over(&self) -> bool {
        self.over
    }
}

#[test]
fn files_go_both_ways() {
    let (shared, local) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (roots, identity) = (Roots::new(), Identity::generate());
    let root = roots.add_dir(shared.path()).unwrap();
    let socket = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let config = Config::server(Arc::new(TlsProvider::new(identity.seed()).unwrap()));
    let parts = Parts {
        socket,
        config,
        roots,
        disk_threads: 2,
        faults: None,
    };
    let (driver, handle) = Driver::new(parts, Open { root, over: false }).unwrap();
    let server = thread::spawn(|| driver.run());

    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n ^ (n >> 9)) as u8).collect();
    let (original, copy) = (local.path().join("original"), local.path().join("copy"));
    fs::write(&original, &bytes).unwrap();
    let options = ClientOptions::new(Trust::Key(identity.public_key()));
    let client = Client::connect(address, &Identity::generate(), options).unwrap();
    client
        .put(&original, "f", &PutOptions::default(), |_| {})
        .unwrap();
    client
        .get("f", &copy, &GetOptions::default(), |_| {})
        .unwrap();
    assert!(fs::read(&copy).unwrap() == bytes);
    client.close();
    assert!(handle.send(()));
    server.join().unwrap().unwrap();
    assert!(!handle.send(()), "it is over");
}

/// Goes to an address, and is over when the network says that its port is closed.
struct Knock(bool);

impl Application for Knock {
    type Command = std::net::SocketAddr;

    fn command(&mut self, now: Instant, endpoint: &mut Endpoint, to: Self::Command) {
        endpoint.connect(now, to).unwrap();
    }

    fn event(&mut self, _now: Instant, _endpoint: &mut Endpoint, _event: Event) {}

    fn refused(&mut self, _now: Instant, _endpoint: &mut Endpoint, _host: std::net::IpAddr) {
        self.0 = true;
    }

    fn is_over(&self) -> bool {
        self.0
    }
}

#[cfg(target_os = "linux")]
#[test]
fn closed_ports_are_told() {
    let bind = || Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = bind().local_addr().unwrap();
    let mut socket = bind();
    socket.hear_errors();
    let provider = TlsProvider::new(Identity::generate().seed()).unwrap();
    let parts = Parts {
        socket,
        config: Config::new(Arc::new(provider)),
        roots: Roots::new(),
        disk_threads: 1,
        faults: None,
    };
    let (driver, handle) = Driver::new(parts, Knock(false)).unwrap();
    let (told, ended) = std::sync::mpsc::channel();
    thread::spawn(move || told.send(driver.run().is_ok()));
    assert!(handle.send(closed));
    let limit = std::time::Duration::from_secs(5);
    assert_eq!(ended.recv_timeout(limit), Ok(true), "nobody was told");
}
