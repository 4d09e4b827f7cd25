//! Sessions over real sockets: who gets in, who is reached, and how it ends.

mod world;

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use transport_std::{
    Client, ClientError, ClientOptions, CloseCause, CloseCode, ErrorCode, Faults, GetOptions,
    Identity, Progress, PutOptions, RateLimits, Rights, Server, ServerEvent, Trust, Tuning,
};
use world::{World, refusal};

#[test]
fn rights_and_shares_are_kept() {
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("f"), b"x").unwrap();
    let friend = Identity::generate();
    let known = friend.public_key();
    let (shared, events) = (
        tempfile::tempdir().unwrap(),
        Arc::new(Mutex::new(Vec::new())),
    );
    let log = events.clone();
    let server = Server::builder(Identity::generate())
        .share("in", shared.path(), Rights::ReadWrite)
        .share("out", other.path(), Rights::Read)
        .admission(move |key, _| (*key == known).then_some(Rights::ReadWrite))
        .on_event(move |event| log.lock().unwrap().push(event.clone()))
        .bind("127.0.0.1:0")
        .unwrap()
        .spawn()
        .unwrap();
    let options = || ClientOptions::new(Trust::Key(server.public_key()));
    let client = Client::connect(server.local_addr(), &friend, options()).unwrap();
    let mut names: Vec<_> = client
        .list("")
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    names.sort();
    assert_eq!(names, [b"in".as_slice(), b"out"]);
    let source = other.path().join("f");
    let put = |name: &str| client.put(&source, name, &PutOptions::default(), |_| {});
    put("in/f").unwrap();
    assert_eq!(refusal(put("out/g")), ErrorCode::ReadOnly);
    assert_eq!(refusal(put("new")), ErrorCode::ReadOnly);
    assert_eq!(fs::read(shared.path().join("f")).unwrap(), b"x");

    let stranger = Identity::generate();
    let refused = Client::connect(server.local_addr(), &stranger, options())
        .and_then(|client| client.list(""));
    assert!(
        matches!(refused, Err(ClientError::LoginRefused { .. })),
        "{refused:?}"
    );
    client.close();
    server.stop().unwrap();
    let turned_away = |event: &ServerEvent| matches!(event, ServerEvent::Refused { key, .. } if *key == stranger.public_key());
    assert!(events.lock().unwrap().iter().any(turned_away));
}

#[test]
fn h15_another_key_than_expected_ends_the_attempt() {
    let world = World::new();
    let expected = Identity::generate().public_key();
    let connect = |trust| {
        Client::connect(
            world.server.local_addr(),
            &Identity::generate(),
            ClientOptions::new(trust),
        )
        .map(drop)
    };
    match connect(Trust::Key(expected)) {
        Err(ClientError::Untrusted {
            key,
            expected: told,
        }) => {
            assert_eq!((key, told), (world.server.public_key(), Some(expected)));
        }
        other => panic!("{other:?}"),
    }
    let refused = connect(Trust::Ask(Box::new(|_| false)));
    assert!(
        matches!(refused, Err(ClientError::Untrusted { expected: None, .. })),
        "{refused:?}"
    );
    let key = world.server.public_key();
    connect(Trust::Ask(Box::new(move |asked| *asked == key))).unwrap();
}

#[test]
fn a_closed_port_is_told_from_silence() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let connect = || {
        let options = ClientOptions {
            connect_timeout: Duration::from_secs(2),
            ..ClientOptions::new(Trust::Key(Identity::generate().public_key()))
        };
        Client::connect(address, &Identity::generate(), options).map(drop)
    };
    let silent = connect();
    assert!(
        matches!(
            silent,
            Err(ClientError::NotReached {
                port_closed: false,
                ..
            })
        ),
        "{silent:?}"
    );
    drop(socket);
    let closed = connect();
    if cfg!(target_os = "linux") {
        assert!(
            matches!(
                closed,
                Err(ClientError::NotReached {
                    port_closed: true,
                    ..
                })
            ),
            "{closed:?}"
        );
    }
}

#[test]
fn the_first_address_that_answers_is_taken() {
    let world = World::new();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addresses = [silent.local_addr().unwrap(), world.server.local_addr()];
    let client =
        Client::connect(addresses.as_slice(), &Identity::generate(), world.options()).unwrap();
    assert_eq!(client.server_addr(), world.server.local_addr());
    assert_eq!(client.list("").unwrap(), []);
}

#[test]
fn a_dual_stack_server_answers_both_families() {
    let shared = tempfile::tempdir().unwrap();
    let server = Server::builder(Identity::generate()).share_root(shared.path(), Rights::Read);
    let server = server.bind("[::]:0").unwrap().spawn().unwrap();
    let port = server.local_addr().port();
    let mut hosts = vec!["127.0.0.1"];
    if UdpSocket::bind("[::1]:0").is_ok() {
        hosts.push("::1");
    }
    for host in hosts {
        let options = ClientOptions::new(Trust::Key(server.public_key()));
        let client = Client::connect((host, port), &Identity::generate(), options).unwrap();
        assert_eq!(client.list("").unwrap(), [], "{host}");
    }
}

#[test]
fn a_server_that_stops_says_so() {
    let tuning = Tuning {
        faults: Some(Faults::loss(1, 0.3)),
        rate_limits: RateLimits {
            send: Some(1 << 20),
            receive: None,
        },
        ..Tuning::default()
    };
    let world = World::with(|server| server.tuning(tuning));
    // Of a file without a journal, nothing stays.
    World::make(&world.shared("f"), 3 << 20, 1);
    let client = world.client();
    let World { local, server, .. } = world;
    let target = local.path().join("f");
    let begun = Arc::new(std::sync::Barrier::new(2));
    let stopper = {
        let begun = begun.clone();
        thread::spawn(move || {
            begun.wait();
            server.stop().unwrap();
        })
    };
    let mut begun = Some(begun);
    let result = client.get("f", &target, &GetOptions::default(), |progress| {
        if matches!(progress, Progress::Moved { .. })
            && let Some(begun) = begun.take()
        {
            begun.wait();
        }
    });
    // What it gives up may go on in another session, also when the CLOSE that says why is lost.
    assert!(
        matches!(
            result,
            Err(ClientError::SessionLost {
                cause: CloseCause::Peer(CloseCode::ShuttingDown) | CloseCause::TimedOut
            })
        ),
        "{result:?}"
    );
    stopper.join().unwrap();
    assert!(!target.exists());
    client.close();
    assert_eq!(
        fs::read_dir(local.path()).unwrap().count(),
        0,
        "no temporary file is left"
    );
}

#[test]
fn empty_and_foreign_datagrams_disturb_nobody() {
    let world = World::new();
    let noise = UdpSocket::bind("127.0.0.1:0").unwrap();
    noise.connect(world.server.local_addr()).unwrap();
    for size in [0, 1, 20, 1_200, 2_020].repeat(200) {
        noise.send(&vec![0xc0; size]).unwrap();
    }
    fs::write(world.shared("f"), b"x").unwrap();
    assert_eq!(world.client().stat("f").unwrap().size, 1);
}

/// Carries datagrams between one client and a server until it is cut.
struct Relay {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
}

impl Relay {
    fn to(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (address, cut) = (
            socket.local_addr().unwrap(),
            Arc::new(AtomicBool::new(false)),
        );
        let off = cut.clone();
        thread::spawn(move || {
            let (mut client, mut buffer) = (None, vec![0; 65_536]);
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let to = if from == server {
                    client
                } else {
                    client = Some(from);
                    Some(server)
                };
                if let Some(to) = to.filter(|_| !off.load(Ordering::Relaxed)) {
                    socket.send_to(&buffer[..length], to).unwrap();
                }
            }
        });
        Self { address, cut }
    }
}

#[test]
fn a_peer_that_vanishes_is_missed_on_both_sides() {
    let short = Tuning {
        idle_timeout: Duration::from_secs(1),
        ..Tuning::default()
    };
    let tuning = short.clone();
    let world = World::with(|server| server.tuning(tuning));
    World::make(&world.local("f"), 30 << 20, 1);
    let relay = Relay::to(world.server.local_addr());
    let options = ClientOptions {
        tuning: short,
        ..world.options()
    };
    let client = Client::connect(relay.address, &Identity::generate(), options).unwrap();
    let result = client.put(world.local("f"), "f", &PutOptions::default(), |progress| {
        if matches!(progress, Progress::Moved { .. }) {
            relay.cut.store(true, Ordering::Relaxed);
        }
    });
    assert!(
        matches!(
            result,
            Err(ClientError::SessionLost {
                cause: CloseCause::TimedOut
            })
        ),
        "{result:?}"
    );
    assert!(!world.shared("f").exists());
    let missed = |event: &ServerEvent| {
        matches!(
            event,
            ServerEvent::Closed {
                cause: CloseCause::TimedOut,
                ..
            }
        )
    };
    let begin = std::time::Instant::now();
    while !world.events.lock().unwrap().iter().any(missed) {
        assert!(
            begin.elapsed() < Duration::from_secs(5),
            "the server never noticed"
        );
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(
        world.client().list("").unwrap(),
        [],
        "and it serves others; its temporary file is gone"
    );
    let stats = client.stats().unwrap();
    assert!(stats.bytes_sent > 0);
}

/// What was asked when a session was let in is asked again: rights, limits, and whether it may be here.
#[test]
fn a_review_reaches_open_sessions() {
    let may = Arc::new(Mutex::new(Some(Rights::ReadWrite)));
    let policy = may.clone();
    let world = World::with(|server| {
        server
            .admission(move |_, _| *policy.lock().unwrap())
            .threads(2)
    });
    let source = world.local("f");
    World::make(&source, 1_000, 1);
    let clients = [world.client(), world.client(), world.client()];
    let put = |client: &Client| client.put(&source, "f", &PutOptions::default(), |_| {});
    for client in &clients {
        put(client).unwrap();
    }
    let reviewer = world.server.reviewer();
    let seen = |wanted: fn(&ServerEvent) -> bool| {
        let end = std::time::Instant::now() + Duration::from_secs(10);
        while world
            .events
            .lock()
            .unwrap()
            .iter()
            .filter(|e| wanted(e))
            .count()
            < clients.len()
        {
            assert!(std::time::Instant::now() < end, "{:?}", world.events);
            thread::sleep(Duration::from_millis(5));
        }
    };
    *may.lock().unwrap() = Some(Rights::Read);
    reviewer.review();
    seen(
        |event| matches!(event, ServerEvent::RightsChanged { session } if session.rights == Rights::Read),
    );
    for client in &clients {
        assert_eq!(refusal(put(client)), ErrorCode::ReadOnly);
        client.list("").unwrap();
    }
    *may.lock().unwrap() = None;
    reviewer.review();
    seen(|event| {
        let cause = CloseCause::Here(transport_std::CloseCode::Refused);
        matches!(event, ServerEvent::Closed { cause: why, .. } if *why == cause)
    });
    for client in &clients {
        assert!(client.list("").is_err());
    }
}
