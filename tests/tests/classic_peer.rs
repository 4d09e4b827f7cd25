//! dhow against a program in C that was written from the description of the classic dialect alone (`classic_peer.c`), in both
//! roles, through real sockets and a proxy that loses, doubles and reorders.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use sim::link::{Link, LinkPlan};
use sim::proxy::{Proxy, ProxyConfig};
use transport_std::{
    ClassicClient, Client, ClientOptions, GetOptions, Identity, PutOptions, Rights, Server, Trust,
    Tuning,
};

const PEERS: usize = 8;

/// The program, compiled; `None` without a C compiler.
fn peer(directory: &Path) -> Option<PathBuf> {
    let binary = directory.join("peer");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/classic_peer.c");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let compiled = Command::new(&compiler)
        .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-o"])
        .args([binary.as_os_str(), source.as_ref()])
        .status();
    match compiled {
        Ok(status) => {
            assert!(status.success(), "{compiler} fails");
            Some(binary)
        }
        Err(error) => {
            eprintln!("left out: no C compiler `{compiler}`: {error}");
            None
        }
    }
}

/// What peer `n` moves: sizes around the edges of pieces and blocks among them.
fn content(n: usize) -> Vec<u8> {
    let size = [0, 1, 999, 1_000, 3_000, 12_345, 20_000, 66_000][n % PEERS];
    (0..size)
        .map(|at: usize| (at * at / 3 + at / 255 + n) as u8)
        .collect()
}

fn lossy(to: SocketAddr, seed: u64) -> Proxy {
    let plan = LinkPlan {
        loss: 30_000,
        duplicate: 30_000,
        reorder: 30_000,
        reorder_extra: Duration::from_millis(10),
        delay: Duration::from_millis(1),
        ..LinkPlan::default()
    };
    let config = ProxyConfig {
        link: Link::symmetric(plan),
        seed,
        ..ProxyConfig::new("127.0.0.1:0".parse().unwrap(), to)
    };
    Proxy::start(config).unwrap()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn eight_clients_in_c_at_once_beside_a_modern_one() {
    let place = tempfile::tempdir().unwrap();
    let Some(program) = peer(place.path()) else {
        return;
    };
    let shared = place.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    for n in 0..PEERS {
        std::fs::write(place.path().join(format!("local{n}")), content(n)).unwrap();
        std::fs::write(shared.join(format!("down{n}")), content(n)).unwrap();
    }
    let server = Server::builder(Identity::generate())
        .share_root(&shared, Rights::ReadWrite)
        .classic(Rights::ReadWrite)
        .bind("127.0.0.1:0")
        .unwrap();
    let (address, key) = (server.local_addr(), server.public_key());
    let server = server.spawn().unwrap();
    let proxy = lossy(address, 1);
    let port = proxy.local_addr().port().to_string();
    let run = |args: &[&str]| {
        let output = Command::new(&program).args(args).output().unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    };
    thread::scope(|scope| {
        for n in 0..PEERS {
            let (port, place, run) = (&port, place.path(), &run);
            scope.spawn(move || {
                let path = |name: &str| {
                    place
                        .join(format!("{name}{n}"))
                        .to_str()
                        .unwrap()
                        .to_owned()
                };
                run(&["put", "127.0.0.1", port, &format!("up{n}"), &path("local")]);
                run(&["get", "127.0.0.1", port, &format!("down{n}"), &path("got")]);
            });
        }
        scope.spawn(|| {
            let options = ClientOptions::new(Trust::Key(key));
            let client = Client::connect(address, &Identity::generate(), options).unwrap();
            for n in 0..PEERS {
                let local = place.path().join(format!("modern{n}"));
                client
                    .get(format!("down{n}"), &local, &GetOptions::default(), |_| {})
                    .unwrap();
            }
        });
    });
    for n in 0..PEERS {
        for copy in [
            shared.join(format!("up{n}")),
            place.path().join(format!("got{n}")),
            place.path().join(format!("modern{n}")),
        ] {
            assert!(
                std::fs::read(&copy).unwrap() == content(n),
                "{}",
                copy.display()
            );
        }
    }
    let listed = run(&["list", "127.0.0.1", &port]);
    let mut listed: Vec<_> = String::from_utf8(listed)
        .unwrap()
        .split_terminator('\r')
        .map(str::to_owned)
        .collect();
    listed.sort();
    assert_eq!(
        listed,
        names(&shared),
        "no temporary file is left, and all are listed"
    );
    let stats = proxy.stats();
    assert!(stats.up.lost + stats.down.lost > 0, "{stats:?}");
    server.stop().unwrap();
}

/// The program as a server.
struct CServer(Child, u16);

impl CServer {
    fn start(program: &Path, directory: &Path) -> Self {
        let mut child = Command::new(program)
            .args(["serve", "0"])
            .arg(directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self(child, line.trim().parse().unwrap())
    }
}

impl Drop for CServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn eight_servers_in_c_at_once() {
    let place = tempfile::tempdir().unwrap();
    let Some(program) = peer(place.path()) else {
        return;
    };
    thread::scope(|scope| {
        for n in 0..PEERS {
            let (program, place) = (&program, place.path());
            scope.spawn(move || {
                let shared = place.join(format!("shared{n}"));
                std::fs::create_dir_all(shared.join("folder")).unwrap();
                let local = place.join(format!("local{n}"));
                std::fs::write(&local, content(n)).unwrap();
                std::fs::write(shared.join("down"), content(n)).unwrap();
                let server = CServer::start(program, &shared);
                let proxy = lossy(([127, 0, 0, 1], server.1).into(), n as u64);
                let client = ClassicClient::new(proxy.local_addr(), Tuning::default()).unwrap();
                let put = client
                    .put(&local, "up", &PutOptions::default(), |_| {})
                    .unwrap();
                assert_eq!(put.hash, Some(*blake3::hash(&content(n)).as_bytes()));
                let got = place.join(format!("got{n}"));
                let get = client
                    .get("down", &got, &GetOptions::default(), |_| {})
                    .unwrap();
                assert_eq!(get.hash, put.hash);
                for copy in [got, shared.join("up")] {
                    assert!(
                        std::fs::read(&copy).unwrap() == content(n),
                        "{}",
                        copy.display()
                    );
                }
                let mut listed = client.list().unwrap();
                listed.sort();
                assert_eq!(
                    listed,
                    [&b"down"[..], b"folder", b"up"],
                    "`.` and `..` are left out"
                );
            });
        }
    });
    assert!(
        names(place.path())
            .iter()
            .all(|name| !name.starts_with(".dhow-"))
    );
}
