use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::Instant;

use super::*;
use crate::link::{LinkPlan, QueueLimit, RatePlan};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

fn loopback() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind(loopback()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// A server's socket and a proxy before it.
fn start(link: Link) -> (UdpSocket, Proxy) {
    let server = socket();
    let config = ProxyConfig {
        link,
        seed: 1,
        ..ProxyConfig::new(loopback(), server.local_addr().unwrap())
    };
    (server, Proxy::start(config).unwrap())
}

/// A client's socket, connected to the proxy.
fn client(proxy: &Proxy) -> UdpSocket {
    let client = socket();
    client.connect(proxy.local_addr()).unwrap();
    client
}

fn number(n: u32) -> [u8; 4] {
    n.to_le_bytes()
}

fn read(buffer: &[u8]) -> u32 {
    u32::from_le_bytes(buffer[..4].try_into().unwrap())
}

#[track_caller]
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(ms(1));
    }
}

#[test]
fn a_datagram_takes_at_least_the_delay_and_the_order_stays() {
    let (server, proxy) = start(Link {
        up: LinkPlan::with_delay(ms(15)),
        down: LinkPlan::with_delay(ms(5)),
    });
    let client = client(&proxy);
    let mut buffer = [0; 64];
    let mut sent = Vec::new();
    for n in 0..50 {
        sent.push(Instant::now());
        client.send(&number(n)).unwrap();
    }
    for n in 0..50 {
        let (len, from) = server.recv_from(&mut buffer).unwrap();
        assert!(sent[n as usize].elapsed() >= ms(15));
        assert_eq!((len, read(&buffer)), (4, n));
        server.send_to(&buffer[..4], from).unwrap();
    }
    for n in 0..50 {
        assert_eq!(client.recv(&mut buffer).unwrap(), 4);
        assert!(sent[n as usize].elapsed() >= ms(20));
        assert_eq!(read(&buffer), n);
    }
    let stats = proxy.stats();
    assert_eq!(
        (stats.clients, stats.clients_seen, stats.refused),
        (1, 1, 0)
    );
    assert_eq!((stats.up.received, stats.up.received_bytes), (50, 200));
    until("the last is counted", || proxy.stats().down.sent == 50);
    assert!(proxy.is_running());
}

/// The kernel must not lose anything here: the next datagrams are sent when the ones before are accounted for.
#[test]
fn loss_takes_its_share_and_is_counted() {
    let (server, proxy) = start(Link {
        up: LinkPlan {
            loss: 300_000,
            ..LinkPlan::default()
        },
        ..Link::default()
    });
    let client = client(&proxy);
    let mut buffer = [0; 64];
    let mut arrived = 0;
    for round in 1..=40 {
        for n in 0..50 {
            client.send(&number(n)).unwrap();
        }
        until("all went through the link", || {
            let up = proxy.stats().up;
            up.sent + up.lost == round * 50
        });
        while arrived < proxy.stats().up.sent {
            server.recv(&mut buffer).unwrap();
            arrived += 1;
        }
    }
    // Of 2,000; 4 standard deviations are 82.
    assert!(arrived.abs_diff(1_400) < 82, "{arrived}");
    assert_eq!(proxy.stats().up.lost, 2_000 - arrived);
}

#[test]
fn a_rate_holds_over_time() {
    // 50 datagrams of 1,000 bytes take 50 ms.
    let (server, proxy) = start(Link {
        up: LinkPlan {
            rate: Some(RatePlan::new(8_000_000, QueueLimit::Packets(100))),
            ..LinkPlan::default()
        },
        ..Link::default()
    });
    let client = client(&proxy);
    let began = Instant::now();
    for _ in 0..50 {
        client.send(&[0; 1_000]).unwrap();
    }
    for _ in 0..50 {
        server.recv(&mut [0; 1_000]).unwrap();
    }
    assert!(began.elapsed() >= ms(50));
}

#[test]
fn every_client_has_its_own_port_and_its_own_answers() {
    let (server, proxy) = start(Link::default());
    let clients: Vec<_> = (0..50).map(|_| client(&proxy)).collect();
    let mut buffer = [0; 64];
    let mut ports = BTreeMap::new();
    for round in 0..2 {
        for (n, client) in clients.iter().enumerate() {
            client.send(&number(n as u32)).unwrap();
            let (_, from) = server.recv_from(&mut buffer).unwrap();
            let before = ports.insert(from, read(&buffer));
            assert_eq!(before, (round > 0).then_some(n as u32));
        }
    }
    assert_eq!(ports.len(), 50);
    for (from, n) in ports {
        server.send_to(&number(n), from).unwrap();
    }
    for (n, client) in clients.iter().enumerate() {
        client.recv(&mut buffer).unwrap();
        assert_eq!(read(&buffer), n as u32);
    }
    assert_eq!(proxy.stats().clients, 50);
}

#[test]
fn rebinding_changes_the_port_at_the_server_only() {
    let (server, proxy) = start(Link::default());
    let client = client(&proxy);
    let mut buffer = [0; 64];
    let mut ports = BTreeSet::new();
    let mut old = None;
    for n in 0..3 {
        client.send(&number(n)).unwrap();
        let (_, from) = server.recv_from(&mut buffer).unwrap();
        assert!(ports.insert(from), "{from} again");
        // An answer to the old port finds nobody.
        if let Some(old) = old.replace(from) {
            server.send_to(b"lost", old).unwrap();
        }
        server.send_to(&buffer[..4], from).unwrap();
        assert_eq!(client.recv(&mut buffer).unwrap(), 4);
        assert_eq!(&buffer[..4], &number(n));
        proxy.rebind();
        until("rebound", || proxy.stats().rebinds == u64::from(n) + 1);
    }
    assert_eq!(proxy.stats().clients_seen, 1);
}

#[test]
fn idle_clients_are_forgotten_and_may_come_again() {
    let server = socket();
    let config = ProxyConfig {
        idle: ms(50),
        ..ProxyConfig::new(loopback(), server.local_addr().unwrap())
    };
    let proxy = Proxy::start(config).unwrap();
    let client = client(&proxy);
    for seen in 1..=3 {
        client.send(b"hello").unwrap();
        server.recv(&mut [0; 64]).unwrap();
        until("taken in and forgotten", || {
            let stats = proxy.stats();
            (stats.clients, stats.clients_seen) == (0, seen)
        });
    }
}

#[test]
fn there_is_room_for_so_many_clients() {
    let server = socket();
    let config = ProxyConfig {
        clients_max: 2,
        ..ProxyConfig::new(loopback(), server.local_addr().unwrap())
    };
    let proxy = Proxy::start(config).unwrap();
    let clients: Vec<_> = (0..3).map(|_| client(&proxy)).collect();
    for (n, client) in (1..).zip(&clients) {
        client.send(b"hello").unwrap();
        until("taken or refused", || {
            let stats = proxy.stats();
            stats.up.sent + stats.refused == n
        });
    }
    assert_eq!(proxy.stats().refused, 1);
    assert_eq!(proxy.stats().clients, 2);
    assert_eq!(proxy.stats().up.sent, 2);
}

#[test]
fn a_server_that_is_gone_may_come_back() {
    let server = socket();
    let address = server.local_addr().unwrap();
    let proxy = Proxy::start(ProxyConfig::new(loopback(), address)).unwrap();
    let client = client(&proxy);
    drop(server);
    for n in 1..=10 {
        client.send(b"nobody").unwrap();
        until("it was tried", || {
            let up = proxy.stats().up;
            up.sent + up.unsent == n
        });
    }
    let server = UdpSocket::bind(address).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send(b"hello").unwrap();
    let mut buffer = [0; 64];
    let (len, from) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..len], b"hello");
    server.send_to(b"welcome", from).unwrap();
    let len = client.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..len], b"welcome");
}

#[test]
fn it_ends_when_it_is_dropped() {
    let (_server, proxy) = start(Link::default());
    let address = proxy.local_addr();
    assert!(UdpSocket::bind(address).is_err());
    drop(proxy);
    assert!(UdpSocket::bind(address).is_ok());
}

#[test]
fn a_link_that_is_none_is_refused() {
    let mut config = ProxyConfig::new(loopback(), loopback());
    config.link.up.loss = 1_000_001;
    let error = Proxy::start(config).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), "up: loss is more than 100%");
}

/// Sends back all that comes, until it is told to end.
fn echo(server: &UdpSocket) -> u64 {
    let mut buffer = [0; 2_048];
    let mut bytes = 0;
    loop {
        let (len, from) = server.recv_from(&mut buffer).unwrap();
        if len == 0 {
            return bytes;
        }
        bytes += len as u64;
        server.send_to(&buffer[..len], from).unwrap();
    }
}

/// 1 MB there and back over a bad link, each piece sent until its echo comes.
#[test]
fn bytes_are_hauled_both_ways() {
    const PIECES: u32 = 1_000;
    let (server, proxy) = start(Link::symmetric(LinkPlan {
        delay: ms(1),
        jitter: ms(1),
        loss: 20_000,
        duplicate: 20_000,
        reorder: 50_000,
        reorder_extra: ms(3),
        ..LinkPlan::default()
    }));
    let client = client(&proxy);
    client.set_read_timeout(Some(ms(20))).unwrap();
    let piece = |n: u32| -> Vec<u8> {
        let body = (0..996).map(|at| (n.wrapping_mul(31) as u8).wrapping_add(at as u8));
        number(n).into_iter().chain(body).collect()
    };
    let end = server.local_addr().unwrap();
    std::thread::scope(|scope| {
        let echoed = scope.spawn(|| echo(&server));
        let mut missing: BTreeSet<u32> = (0..PIECES).collect();
        let began = Instant::now();
        while !missing.is_empty() {
            assert!(began.elapsed() < PATIENCE, "{} are missing", missing.len());
            for &n in missing.iter().take(64) {
                client.send(&piece(n)).unwrap();
            }
            let mut buffer = [0; 2_048];
            let mut open = missing.len().min(64);
            while open > 0
                && let Ok(len) = client.recv(&mut buffer)
            {
                let n = read(&buffer);
                assert_eq!(&buffer[..len], piece(n));
                open -= usize::from(missing.remove(&n));
            }
        }
        socket().send_to(&[], end).unwrap();
        assert!(echoed.join().unwrap() >= 1_000_000);
    });
    let stats = proxy.stats();
    assert!(stats.up.lost > 0 && stats.down.lost > 0, "{stats:?}");
    assert!(stats.up.copied > 0 && stats.down.copied > 0, "{stats:?}");
    assert_eq!(stats.up.unsent + stats.down.unsent, 0);
}
