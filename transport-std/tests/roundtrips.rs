//! Servers and clients over real sockets and real files.

use std::ffi::OsStr;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use transport_std::{
    Cancel, Client, ClientError, ClientOptions, CloseCause, EntryKind, ErrorCode, Failure, Faults,
    Finished, GetOptions, Identity, Overwrite, Progress, PutOptions, Rights, Server, ServerBuilder,
    ServerEvent, ServerHandle, StoredAs, Trust, Tuning,
};

/// A server with one shared directory, and a directory for its clients.
struct World {
    shared: TempDir,
    local: TempDir,
    server: ServerHandle,
    events: Arc<Mutex<Vec<ServerEvent>>>,
}

impl World {
    fn new() -> Self {
        Self::with(|server| server)
    }

    fn with(change: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let (shared, local) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let events = Arc::new(Mutex::new(Vec::new()));
        let log = events.clone();
        let builder = Server::builder(Identity::generate())
            .share_root(shared.path(), Rights::ReadWrite)
            .on_event(move |event| log.lock().unwrap().push(event.clone()));
        let server = change(builder)
            .bind("127.0.0.1:0")
            .unwrap()
            .spawn()
            .unwrap();
        Self {
            shared,
            local,
            server,
            events,
        }
    }

    fn options(&self) -> ClientOptions {
        ClientOptions::new(Trust::Key(self.server.public_key()))
    }

    fn client(&self) -> Client {
        self.client_with(self.options())
    }

    fn client_with(&self, options: ClientOptions) -> Client {
        Client::connect(self.server.local_addr(), &Identity::generate(), options).unwrap()
    }

    fn shared(&self, name: &str) -> PathBuf {
        self.shared.path().join(name)
    }

    fn local(&self, name: &str) -> PathBuf {
        self.local.path().join(name)
    }

    /// Makes a file of `size` bytes that differ from place to place and from `seed` to `seed`.
    fn make(path: &Path, size: usize, seed: u64) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let bytes: Vec<u8> = (0..size)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .collect();
        fs::write(path, &bytes).unwrap();
        bytes
    }

    /// Whether dhow left a temporary file anywhere.
    fn assert_clean(&self) {
        for directory in [&self.shared, &self.local] {
            for entry in fs::read_dir(directory.path()).unwrap() {
                let name = entry.unwrap().file_name();
                assert!(
                    !name.as_bytes().starts_with(b".dhow-"),
                    "{name:?} was left behind"
                );
            }
        }
    }
}

/// What the server answered, whether it refused the request or failed at it.
fn refusal(result: Result<impl std::fmt::Debug, ClientError>) -> ErrorCode {
    match failure(result) {
        Failure::Refused(code) | Failure::Peer(code) => code,
        other => panic!("not the server's answer: {other:?}"),
    }
}

fn failure(result: Result<impl std::fmt::Debug, ClientError>) -> Failure {
    match result.unwrap_err() {
        ClientError::Transfer { failure, .. } => failure,
        other => panic!("not a failed transfer: {other:?}"),
    }
}

#[test]
fn files_of_all_sizes_go_both_ways() {
    let world = World::new();
    let client = world.client();
    let sizes = [
        0,
        1,
        999,
        1_000,
        65_535,
        65_536,
        65_537,
        (1 << 20) - 1,
        1 << 20,
        (1 << 20) + 1,
        5_000_000,
    ];
    for size in sizes {
        let name = format!("file of {size}");
        let bytes = World::make(&world.local(&name), size, size as u64);
        let up = client
            .put(world.local(&name), &name, &PutOptions::default(), |_| {})
            .unwrap();
        assert_eq!((up.size, up.how), (size as u64, StoredAs::Written));
        assert_eq!(fs::read(world.shared(&name)).unwrap(), bytes, "{name} up");
        let copy = world.local(&format!("copy of {size}"));
        let down = client
            .get(&name, &copy, &GetOptions::default(), |_| {})
            .unwrap();
        assert_eq!((down.size, down.hash), (size as u64, up.hash));
        assert_eq!(fs::read(&copy).unwrap(), bytes, "{name} down");
        assert_eq!(
            fs::metadata(&copy).unwrap().modified().unwrap(),
            fs::metadata(world.shared(&name))
                .unwrap()
                .modified()
                .unwrap()
        );
    }
    let mut listed = client.list("").unwrap();
    listed.sort_by_key(|entry| entry.size);
    assert_eq!(
        listed
            .iter()
            .map(|entry| entry.size as usize)
            .collect::<Vec<_>>(),
        sizes
    );
    client.close();
    world.assert_clean();
}

#[test]
fn loss_reordering_and_duplication_change_no_byte() {
    let faults = |seed| Tuning {
        faults: Some(Faults {
            reorder: 0.05,
            duplicate: 0.02,
            ..Faults::loss(seed, 0.05)
        }),
        ..Tuning::default()
    };
    let world = World::with(|server| server.tuning(faults(1)));
    let client = world.client_with(ClientOptions {
        tuning: faults(2),
        ..world.options()
    });
    let bytes = World::make(&world.local("f"), 20 << 20, 3);
    let mut seen = Vec::new();
    client
        .put(world.local("f"), "f", &PutOptions::default(), |progress| {
            seen.push(progress)
        })
        .unwrap();
    assert!(
        matches!(
            seen.as_slice(),
            [
                Progress::Accepted,
                Progress::Started(_),
                Progress::Moved { .. },
                ..
            ] | [Progress::Started(_), Progress::Accepted, ..]
        ),
        "{seen:?}"
    );
    assert!(
        matches!(seen.last(), Some(Progress::Moved { resent: 1.., .. })),
        "{:?}",
        seen.last()
    );
    client
        .get("f", world.local("g"), &GetOptions::default(), |_| {})
        .unwrap();
    assert!(
        fs::read(world.shared("f")).unwrap() == bytes,
        "the upload differs"
    );
    assert!(
        fs::read(world.local("g")).unwrap() == bytes,
        "the download differs"
    );
    assert!(client.stats().unwrap().packets_lost > 0);
}

#[test]
fn eight_clients_at_once() {
    let world = World::new();
    thread::scope(|scope| {
        for number in 0..8_u64 {
            let world = &world;
            scope.spawn(move || {
                let client = world.client();
                let name = format!("file-{number}");
                let bytes = World::make(&world.local(&name), 700_000 + number as usize, number);
                thread::scope(|jobs| {
                    for copy in 0..3 {
                        let (client, name) = (client.clone(), format!("{name}-{copy}"));
                        let source = world.local(&format!("file-{number}"));
                        jobs.spawn(move || {
                            client
                                .put(source, name, &PutOptions::default(), |_| {})
                                .unwrap()
                        });
                    }
                });
                for copy in 0..3 {
                    let target = world.local(&format!("copy-{number}-{copy}"));
                    client
                        .get(
                            format!("{name}-{copy}"),
                            &target,
                            &GetOptions::default(),
                            |_| {},
                        )
                        .unwrap();
                    assert!(fs::read(target).unwrap() == bytes);
                }
            });
        }
    });
    world.assert_clean();
    let events = world.events.clone();
    world.server.stop().unwrap();
    let events = events.lock().unwrap();
    let stored = events
        .iter()
        .filter(|event| {
            matches!(
                event,
                ServerEvent::Finished {
                    result: Ok(Finished::Stored { .. }),
                    ..
                }
            )
        })
        .count();
    assert_eq!(stored, 48);
    let closed = events
        .iter()
        .filter(|event| matches!(event, ServerEvent::Closed { .. }))
        .count();
    assert_eq!(closed, 8);
}

#[test]
fn more_jobs_than_a_session_takes_wait_their_turn() {
    let world = World::new();
    fs::write(world.shared("f"), b"x").unwrap();
    let client = world.client();
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| assert_eq!(client.stat("f").unwrap().size, 1));
        }
    });
}

#[test]
fn names_are_bytes() {
    let world = World::new();
    let client = world.client();
    for name in [
        b"with space".as_slice(),
        "Gr\u{fc}\u{df}e \u{6f22}".as_bytes(),
        b"\xff\xfe\x80",
        &[b'n'; 255],
    ] {
        let local = world.local.path().join(OsStr::from_bytes(name));
        fs::write(&local, name).unwrap();
        client
            .put(&local, name, &PutOptions::default(), |_| {})
            .unwrap();
        fs::remove_file(&local).unwrap();
        client
            .get(name, &local, &GetOptions::default(), |_| {})
            .unwrap();
        assert_eq!(fs::read(&local).unwrap(), name);
        assert!(
            client
                .list("")
                .unwrap()
                .iter()
                .any(|entry| entry.name == name)
        );
    }
}

#[test]
fn directories_are_listed_and_looked_at() {
    let world = World::new();
    fs::create_dir_all(world.shared("a/b")).unwrap();
    for number in 0..5_000 {
        fs::write(world.shared(&format!("a/b/{number}")), b"").unwrap();
    }
    let client = world.client();
    assert_eq!(client.stat("").unwrap().kind, EntryKind::Directory);
    assert_eq!(client.stat("a/b/17").unwrap().kind, EntryKind::File);
    let mut names: Vec<u32> = Vec::new();
    client
        .list_each("a/b", |entry| {
            names.push(String::from_utf8(entry.name).unwrap().parse().unwrap())
        })
        .unwrap();
    names.sort_unstable();
    assert!(names.iter().copied().eq(0..5_000), "{} names", names.len());
    assert_eq!(client.list("a").unwrap().len(), 1);
    fs::create_dir(world.shared("empty")).unwrap();
    assert_eq!(client.list("empty").unwrap(), []);
}

#[test]
fn what_cannot_be_done_is_said() {
    let world = World::new();
    let client = world.client();
    fs::create_dir(world.shared("d")).unwrap();
    fs::write(world.shared("f"), b"old").unwrap();
    fs::write(world.local("f"), b"newer").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", world.shared("link")).unwrap();
    let get =
        |name: &str| refusal(client.get(name, world.local("x"), &GetOptions::default(), |_| {}));
    assert_eq!(get("missing"), ErrorCode::NotFound);
    assert_eq!(get("d"), ErrorCode::IsDirectory);
    assert_eq!(get("link"), ErrorCode::NotRegular);
    assert_eq!(get(".dhow-x"), ErrorCode::NameRefused);
    assert_eq!(refusal(client.list("f")), ErrorCode::NotDirectory);
    assert_eq!(refusal(client.list("missing")), ErrorCode::NotFound);
    assert_eq!(refusal(client.stat("missing")), ErrorCode::NotFound);
    let put =
        |name: &str| refusal(client.put(world.local("f"), name, &PutOptions::default(), |_| {}));
    assert_eq!(put("missing/f"), ErrorCode::NotFound);
    assert_eq!(put("d"), ErrorCode::IsDirectory);
    assert_eq!(put("a\nb"), ErrorCode::NameRefused);
    let never = PutOptions {
        overwrite: Overwrite::Never,
        ..PutOptions::default()
    };
    assert_eq!(
        refusal(client.put(world.local("f"), "f", &never, |_| {})),
        ErrorCode::Exists
    );
    assert_eq!(fs::read(world.shared("f")).unwrap(), b"old");
    assert!(matches!(
        client.stat("../etc"),
        Err(ClientError::Name { .. })
    ));
    let to_nowhere = client.get(
        "f",
        world.local("missing/f"),
        &GetOptions::default(),
        |_| {},
    );
    assert!(
        matches!(to_nowhere, Err(ClientError::Local { .. })),
        "{to_nowhere:?}"
    );
    let of_nothing = client.put(world.local("missing"), "g", &PutOptions::default(), |_| {});
    assert!(
        matches!(of_nothing, Err(ClientError::Local { .. })),
        "{of_nothing:?}"
    );
    assert_eq!(client.stat("f").unwrap().size, 3, "and the session goes on");
    world.assert_clean();
}

#[test]
fn unchanged_files_do_not_travel() {
    let world = World::new();
    let client = world.client();
    World::make(&world.local("f"), 100_000, 1);
    let put = || {
        client
            .put(world.local("f"), "f", &PutOptions::default(), |_| {})
            .unwrap()
    };
    assert_eq!(put().how, StoredAs::Written);
    assert_eq!((put().how, put().stats.bytes), (StoredAs::Unchanged, 0));
    let get = || {
        client
            .get("f", world.local("g"), &GetOptions::default(), |_| {})
            .unwrap()
    };
    assert_eq!(get().how, StoredAs::Written);
    assert_eq!((get().how, get().hash), (StoredAs::Unchanged, None));
}

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
fn a_cancelled_job_ends_and_leaves_nothing() {
    // A lossy path is slow enough to be interrupted.
    let tuning = Tuning {
        faults: Some(Faults::loss(1, 0.3)),
        ..Tuning::default()
    };
    let world = World::with(|server| server.tuning(tuning));
    World::make(&world.shared("f"), 30 << 20, 1);
    let client = world.client();
    let cancel = Cancel::new();
    let options = GetOptions {
        cancel: Some(cancel.clone()),
        ..GetOptions::default()
    };
    let result = client.get("f", world.local("f"), &options, |progress| {
        if matches!(progress, Progress::Moved { .. }) {
            cancel.cancel();
        }
    });
    assert_eq!(failure(result), Failure::Here(ErrorCode::Cancelled));
    assert!(!world.local("f").exists());
    assert_eq!(
        client.stat("f").unwrap().size,
        30 << 20,
        "the session goes on"
    );
    client.close();
    world.assert_clean();
}

#[test]
fn a_server_that_stops_says_so() {
    let tuning = Tuning {
        faults: Some(Faults::loss(1, 0.3)),
        ..Tuning::default()
    };
    let world = World::with(|server| server.tuning(tuning));
    World::make(&world.shared("f"), 30 << 20, 1);
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
    assert!(
        matches!(
            result,
            Err(ClientError::SessionLost {
                cause: CloseCause::Peer(_)
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
