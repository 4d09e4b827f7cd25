//! A server of one's own over mio, and the client of `transport-std`.

use std::fs;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use proto_core::crypto::TlsProvider;
use proto_core::{Admission, Config, Decision, Endpoint, Event, Instant, Place, RootId};
use transport_std::driver::{Application, Parts, Socket};
use transport_std::executor::Roots;
use transport_std::{
    Client, ClientOptions, GetOptions, Identity, PutOptions, Rights, Server, Trust,
};

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
    let (driver, handle) = transport_mio::driver(parts, Open { root, over: false }).unwrap();
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
    let (driver, handle) = transport_mio::driver(parts, Knock(false)).unwrap();
    let (told, ended) = std::sync::mpsc::channel();
    thread::spawn(move || told.send(driver.run().is_ok()));
    assert!(handle.send(closed));
    let limit = std::time::Duration::from_secs(5);
    assert_eq!(ended.recv_timeout(limit), Ok(true), "nobody was told");
}

/// Several clients, so that the system spreads them over the threads.
#[cfg(target_os = "linux")]
#[test]
fn several_threads_serve_one_port() {
    let (shared, local) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::builder(Identity::generate())
        .share_root(shared.path(), Rights::ReadWrite)
        .waiter(transport_mio::waiter)
        .threads(3)
        .bind("127.0.0.1:0")
        .unwrap()
        .spawn()
        .unwrap();
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n ^ (n >> 9)) as u8).collect();
    let original = local.path().join("original");
    fs::write(&original, &bytes).unwrap();
    thread::scope(|scope| {
        for number in 0..12 {
            let (original, local) = (&original, local.path());
            let options = ClientOptions::new(Trust::Key(server.public_key()));
            let address = server.local_addr();
            scope.spawn(move || {
                let client = Client::connect(address, &Identity::generate(), options).unwrap();
                let name = format!("f{number}");
                let put = client.put(original, &name, &PutOptions::default(), |_| {});
                put.unwrap();
                let target = local.join(&name);
                let got = client.get(&name, target, &GetOptions::default(), |_| {});
                got.unwrap();
                client.close();
            });
        }
    });
    for number in 0..12 {
        let copy = local.path().join(format!("f{number}"));
        assert!(fs::read(copy).unwrap() == bytes);
    }
    server.stop().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn threads_share_a_port_with_each_other_and_nobody_else() {
    let shared = tempfile::tempdir().unwrap();
    let bind = |address| {
        Server::builder(Identity::generate())
            .share_root(shared.path(), Rights::Read)
            .threads(2)
            .bind(address)
    };
    let first = bind("127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap()).unwrap();
    let second = bind(first.local_addr()).err().expect("the port is taken");
    assert_eq!(second.kind(), std::io::ErrorKind::AddrInUse);
}

/// A NAT that forgets: after every 250 datagrams of the client, they come from another port.
struct Nat {
    address: std::net::SocketAddr,
    over: Arc<AtomicBool>,
}

impl Nat {
    fn start(server: std::net::SocketAddr) -> Self {
        let bind = || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let limit = std::time::Duration::from_millis(100);
            socket.set_read_timeout(Some(limit)).unwrap();
            socket
        };
        let inside = Arc::new(bind());
        let address = inside.local_addr().unwrap();
        let (over, client) = (Arc::new(AtomicBool::new(false)), Arc::new(OnceLock::new()));
        let outside: Vec<_> = (0..8).map(|_| Arc::new(bind())).collect();
        for socket in &outside {
            let (socket, inside) = (socket.clone(), inside.clone());
            let (over, client) = (over.clone(), client.clone());
            thread::spawn(move || {
                let mut bytes = vec![0; 1 << 16];
                while !over.load(Ordering::Relaxed) {
                    if let (Ok((len, _)), Some(client)) =
                        (socket.recv_from(&mut bytes), client.get())
                    {
                        let _ = inside.send_to(&bytes[..len], client);
                    }
                }
            });
        }
        let ends = over.clone();
        thread::spawn(move || {
            let (mut bytes, mut count) = (vec![0; 1 << 16], 0);
            while !ends.load(Ordering::Relaxed) {
                if let Ok((len, from)) = inside.recv_from(&mut bytes) {
                    client.get_or_init(|| from);
                    let _ = outside[count / 250 % outside.len()].send_to(&bytes[..len], server);
                    count += 1;
                }
            }
        });
        Self { address, over }
    }
}

/// A client whose address changes comes to other threads than the one that has its session: they pass its datagrams on.
#[cfg(target_os = "linux")]
#[test]
fn a_client_that_moves_keeps_its_session_whichever_thread_hears_it() {
    let (shared, local) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::builder(Identity::generate())
        .share_root(shared.path(), Rights::ReadWrite)
        .waiter(transport_mio::waiter)
        .threads(4)
        .bind("127.0.0.1:0")
        .unwrap()
        .spawn()
        .unwrap();
    let nat = Nat::start(server.local_addr());
    let bytes: Vec<u8> = (0..2_000_000_u32).map(|n| (n ^ (n >> 9)) as u8).collect();
    let original = local.path().join("original");
    fs::write(&original, &bytes).unwrap();
    let mut options = ClientOptions::new(Trust::Key(server.public_key()));
    // Small datagrams, so that there are many.
    options.tuning.datagram_size = 1_200;
    let client = Client::connect(nat.address, &Identity::generate(), options).unwrap();
    for number in 0..4 {
        let name = format!("f{number}");
        client
            .put(&original, &name, &PutOptions::default(), |_| {})
            .unwrap();
        assert!(fs::read(shared.path().join(name)).unwrap() == bytes);
    }
    client.close();
    nat.over.store(true, Ordering::Relaxed);
    server.stop().unwrap();
}
