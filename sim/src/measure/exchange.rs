//! A small exchange with everything that happens in it: a handshake and a download, as a time-sequence diagram.

mod fold;
mod label;
mod notes;
mod tap;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use proto_core::crypto::PublicKey;
use proto_core::wire::{CloseCode, Durability, FilePath};
use proto_core::{
    Admission, Config, Decision, Duration, Event, Instant, Overwrite, Place, Request, RootId,
};

use crate::disk::{Content, Disk, DiskPlan};
use crate::lab::{Happening, HostId, HostSetup, Lab, Trace, Violation};
use crate::net::{Delay, DropList, Node, QueueLimit, Rate};
use crate::null_crypto::NullProvider;
use crate::plot::{Diagram, Side, Unit};
use crate::rng::Rng;
use label::thousands;
use notes::Notes;
use tap::{Recorder, TappedProvider};

/// The directory of each host.
const ROOT: RootId = RootId(0);
/// The name of the file.
const NAME: &[u8] = b"a.bin";
/// Headers of IPv4 and UDP.
const HEADERS: u32 = 28;

/// What is exchanged, and over what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exchange {
    /// From one end to the other.
    pub delay: Duration,
    /// Bits per second in each direction.
    pub rate: u64,
    /// Bytes of the file.
    pub size: u64,
    /// Datagrams that do not arrive.
    pub lost: Vec<Lost>,
    /// All randomness follows from it.
    pub seed: u64,
}

/// A datagram to lose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lost {
    /// Who sends it.
    pub from: Side,
    /// Which of its datagrams, the first being 1.
    pub number: u64,
}

impl Default for Exchange {
    /// 10,000 bytes over 25 ms each way; the server's seventh datagram is lost.
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(25),
            rate: 10_000_000,
            size: 10_000,
            lost: vec![Lost {
                from: Side::Server,
                number: 7,
            }],
            seed: 0,
        }
    }
}

impl Exchange {
    /// Lets a client connect, get the file and leave, and draws what happened until both ends are at rest or a minute is
    /// over.
    ///
    /// # Errors
    /// Something that must not happen: a bug in the core or the simulator.
    pub fn record(&self) -> Result<Diagram, Violation> {
        let recorder = Recorder::default();
        let notes = Notes::default();
        let mut lab = Lab::new(self.seed);
        lab.set_trace(Trace::new(notes.file_operations()));
        let hosts = self.build(&mut lab, &recorder);
        let ran = run(&mut lab, hosts, &notes);
        ran.map_err(|stop| match stop.downcast::<Violation>() {
            Ok(violation) => *violation,
            Err(failed_call) => lab.violation(failed_call.to_string()),
        })?;
        let rtt = Unit::Seconds.show((self.delay * 2).as_secs_f64());
        let rate = Unit::BitsPerSecond.show(self.rate as f64);
        let lost = match self.lost.len() {
            0 => "no datagram".into(),
            1 => "one datagram".into(),
            count => format!("{count} datagrams"),
        };
        Ok(Diagram {
            title: format!("A client gets a file of {} bytes", thousands(self.size)),
            subtitle: format!("{rtt} round trip, {rate}, {lost} lost"),
            names: ["client".into(), "server".into()],
            messages: fold::messages(&recorder.datagrams(), self.delay),
            notes: notes.take(),
        })
    }

    /// Client and server, with the way between them.
    fn build(&self, lab: &mut Lab, recorder: &Recorder) -> [HostId; 2] {
        let mut rng = Rng::new(self.seed, 0xe8c);
        let hosts = [Side::Client, Side::Server].map(|side| {
            let inner = NullProvider {
                key: PublicKey(rng.bytes32()),
            };
            let provider = TappedProvider::new(inner, recorder.sealed_by(side));
            let mut config = Config::new(Arc::new(provider));
            config.accept = side == Side::Server;
            let mut disk = Disk::new(DiskPlan::default(), rng.fork());
            disk.add_root(ROOT);
            if let (Side::Server, Ok(path)) = (side, FilePath::parse(NAME)) {
                let content = Content::generated(rng.next_u64(), self.size);
                disk.plant(ROOT, &path, content, 0);
            }
            lab.add_host(HostSetup {
                name: name(side).into(),
                address: address(side),
                config,
                disk,
                segments_max: 10,
            })
        });
        for side in [Side::Client, Side::Server] {
            let lost = self.lost.iter().filter(|lost| lost.from == side);
            let lost = lost.map(|lost| lost.number).collect();
            let wire = Rate::new(self.rate, QueueLimit::Packets(1_000)).with_overhead(HEADERS);
            let nodes: [Box<dyn Node>; 5] = [
                Box::new(recorder.departures(side)),
                Box::new(DropList::new(lost)),
                Box::new(wire),
                Box::new(Delay::new(self.delay)),
                Box::new(recorder.arrivals()),
            ];
            let nodes = nodes.map(|node| lab.network().add(node)).to_vec();
            lab.network()
                .connect(address(side), address(side.other()), nodes);
        }
        hosts
    }
}

fn name(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
    }
}

fn address(side: Side) -> SocketAddr {
    let last = match side {
        Side::Client => 1,
        Side::Server => 2,
    };
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), 4_433)
}

type Stop = Box<dyn std::error::Error>;

fn run(lab: &mut Lab, hosts: [HostId; 2], notes: &Notes) -> Result<(), Stop> {
    let [client, _] = hosts;
    let end = Instant::ZERO + Duration::from_secs(60);
    let (now, endpoint) = up(lab, client)?;
    notes.event(now, Side::Client, "connect");
    endpoint.connect(now, address(Side::Server))?;
    while !lab.is_at_rest() {
        let (host, event) = match lab.next(end)? {
            Happening::Event(host, event) => (host, event),
            Happening::Appeared(..) => continue,
            Happening::Until => break,
        };
        let side = if host == client {
            Side::Client
        } else {
            Side::Server
        };
        let (now, endpoint) = up(lab, host)?;
        notes.told(now, side, &event);
        match event {
            Event::PeerReady { peer, .. } => {
                endpoint.admit(now, peer, Admission::Admit)?;
                if side == Side::Client {
                    notes.event(now, side, "ask for a.bin");
                    endpoint.start(now, peer, request()?)?;
                }
            }
            Event::Requested { transfer, .. } => {
                let place = place()?;
                let grant = Decision::Grant {
                    place,
                    may_replace: true,
                };
                endpoint.decide(now, transfer, grant)?;
                notes.event(now, side, "grant it");
            }
            Event::Finished { transfer, .. } if side == Side::Client => {
                notes.event(now, side, "close the session");
                endpoint.close(now, transfer.peer(), CloseCode::NoError)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn up(lab: &mut Lab, host: HostId) -> Result<(Instant, &mut proto_core::Endpoint), Stop> {
    lab.endpoint(host).ok_or_else(|| "a host is down".into())
}

fn place() -> Result<Place, Stop> {
    Ok(Place {
        root: ROOT,
        path: FilePath::parse(NAME)?,
    })
}

fn request() -> Result<Request, Stop> {
    Ok(Request::Get {
        from: FilePath::parse(NAME)?,
        to: place()?,
        overwrite: Overwrite::Replace,
        durability: Durability::Full,
        preserve: false,
        keep_top_mode: false,
        tree: false,
    })
}
