//! How long a small file takes, on a new session and on one that is open. With real TLS, since its flights count.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use proto_core::wire::{CloseCode, Durability, FilePath};
use proto_core::{
    Admission, Config, Decision, Duration, Endpoint, Event, Instant, Overwrite, PeerId, Place,
    Request, RootId,
};

use super::{Case, Demand, Line, Unit, name, point};
use crate::disk::{Content, Disk, DiskPlan};
use crate::lab::{Happening, HostId, HostSetup, Lab};
use crate::measure::Depth;
use crate::rng::Rng;
use crate::seeded_crypto::SeededTls;

const ROOT: RootId = RootId(0);
/// Bytes of the file.
const SIZE: u64 = 10_000;
/// When to give up.
const TIME_MAX: Duration = Duration::from_secs(60);

type Stop = Box<dyn std::error::Error>;

/// When a download showed what, from when it was asked for or the session was.
#[derive(Clone, Copy, Debug)]
struct Times {
    first: Duration,
    all: Duration,
}

/// Two hosts with a link between them.
struct World {
    lab: Lab,
    client: HostId,
    server: SocketAddr,
}

pub(super) fn cases() -> Vec<Case> {
    let at = point(100, 100, 0);
    let title = format!("{}, 10 KB", name(at));
    vec![Case::new(title, "TLS", |case, seed| {
        let [new, open] = downloads(seed).map_err(|error| error.to_string())?;
        let margin = Duration::from_millis(10);
        let rtt = point(100, 100, 0).rtt;
        let line = |figure: &str, time: Duration, most: Duration| -> Line {
            let demand = Demand::AtMost(most.as_secs_f64());
            case.line(figure, time.as_secs_f64(), Unit::Millis, demand)
        };
        Ok(vec![
            line("first byte, new session", new.first, 2 * rtt + margin),
            line("whole file, new session", new.all, 2 * rtt + margin),
            line("first byte, open session", open.first, rtt + margin),
            line("whole file, open session", open.all, rtt + margin),
        ])
    })]
}

/// A download on a new session, and one more on the same.
fn downloads(seed: u64) -> Result<[Times; 2], Stop> {
    let mut world = build(seed)?;
    let server = world.server;
    let (now, endpoint) = up(&mut world.lab, world.client)?;
    endpoint.connect(now, server)?;
    let asked = world.lab.now();
    let (peer, new) = world.download(None, asked)?;
    let asked = world.lab.now();
    let (peer, open) = world.download(Some(peer), asked)?;
    let (now, endpoint) = up(&mut world.lab, world.client)?;
    endpoint.close(now, peer, CloseCode::NoError)?;
    Ok([new, open])
}

impl World {
    /// Gets the file once, on the session `open` or the one that is being opened.
    fn download(&mut self, open: Option<PeerId>, asked: Instant) -> Result<(PeerId, Times), Stop> {
        let mut first = None;
        if let Some(peer) = open {
            let (now, endpoint) = up(&mut self.lab, self.client)?;
            endpoint.start(now, peer, request()?)?;
        }
        loop {
            let (host, event) = match self.lab.next(asked + TIME_MAX)? {
                Happening::Event(host, event) => (host, event),
                Happening::Appeared(..) => continue,
                Happening::Until => return Err("the download does not end".into()),
            };
            let here = host == self.client;
            let time = self.lab.now().since(asked);
            let (now, endpoint) = up(&mut self.lab, host)?;
            match event {
                Event::PeerReady { peer, .. } => {
                    endpoint.admit(now, peer, Admission::Admit)?;
                    if here {
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
                }
                Event::Progress { bytes, .. } if here && bytes > 0 => {
                    first.get_or_insert(time);
                }
                Event::Finished {
                    transfer, result, ..
                } if here => {
                    result.map_err(|failure| format!("{failure:?}"))?;
                    let first = first.unwrap_or(time);
                    return Ok((transfer.peer(), Times { first, all: time }));
                }
                Event::PeerClosed { cause, .. } => return Err(format!("{cause:?}").into()),
                _ => {}
            }
        }
    }
}

fn build(seed: u64) -> Result<World, Stop> {
    let mut rng = Rng::new(seed, 0xacc);
    let mut lab = Lab::new(seed);
    let mut host = |lab: &mut Lab, last: u8, accept: bool| -> Result<(HostId, SocketAddr), Stop> {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), 4_433);
        let mut config = Config::new(Arc::new(SeededTls::new(&rng.bytes32(), rng.bytes32())?));
        config.accept = accept;
        let mut disk = Disk::new(DiskPlan::default(), rng.fork());
        disk.add_root(ROOT);
        if accept {
            disk.plant(ROOT, &file()?, Content::generated(rng.next_u64(), SIZE), 0);
        }
        let name = if accept { "server" } else { "client" }.into();
        let setup = HostSetup {
            name,
            address,
            config,
            disk,
            segments_max: 44,
        };
        Ok((lab.add_host(setup), address))
    };
    let (client, here) = host(&mut lab, 1, false)?;
    let (_, server) = host(&mut lab, 2, true)?;
    let link = point(100, 100, 0).link(Depth::Bdp(1_000));
    link.connect(lab.network(), here, server, &mut rng);
    Ok(World {
        lab,
        client,
        server,
    })
}

fn up(lab: &mut Lab, host: HostId) -> Result<(Instant, &mut Endpoint), Stop> {
    lab.endpoint(host).ok_or_else(|| "a host is down".into())
}

fn file() -> Result<FilePath, Stop> {
    Ok(FilePath::parse(b"file")?)
}

fn place() -> Result<Place, Stop> {
    Ok(Place {
        root: ROOT,
        path: file()?,
    })
}

fn request() -> Result<Request, Stop> {
    Ok(Request::Get {
        from: file()?,
        to: place()?,
        overwrite: Overwrite::Replace,
        durability: Durability::Full,
        preserve: false,
        keep_top_mode: false,
        tree: false,
    })
}
