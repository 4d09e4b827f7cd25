//! One flow of a running measurement: its two hosts, and the little that their applications do.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use proto_core::crypto::PublicKey;
use proto_core::wire::{CloseCode, Durability, FilePath, PathError};
use proto_core::{
    Admission, Config, Decision, Duration, Event, Instant, Overwrite, PeerId, Place, Request,
    RootId, TransferId,
};

use super::{Amount, End, FlowOutcome, FlowPlan, Sample, Way};
use crate::disk::{Content, Disk, DiskPlan};
use crate::lab::{HostId, HostSetup, Lab};
use crate::null_crypto::NullProvider;
use crate::rng::Rng;

/// Headers of IPv4 and UDP.
const HEADERS: u64 = 28;
/// Datagrams of a batch: what one GSO call takes of full ones.
const SEGMENTS: usize = 44;
/// The directory of each host.
const ROOT: RootId = RootId(0);
/// The size of a file that does not end while a flow's time lasts.
const ENDLESS: u64 = 1 << 50;

/// Where a flow stands.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Stage {
    /// Its start is to come.
    Waiting,
    /// The client has a session, which may not be ready.
    Open(PeerId),
    /// The client has asked.
    Running(PeerId, TransferId),
    Over,
}

/// A flow.
#[derive(Debug)]
pub(super) struct Flow {
    plan: FlowPlan,
    client: HostId,
    server: HostId,
    here: SocketAddr,
    there: SocketAddr,
    stage: Stage,
    /// The session as the file's sender knows it.
    sender: Option<PeerId>,
    outcome: FlowOutcome,
}

fn address(flow: usize, last: u8) -> SocketAddr {
    let [.., high, low] = (flow as u32).to_be_bytes();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, high, low, last)), 4_433)
}

fn file() -> Result<FilePath, PathError> {
    FilePath::parse(b"file")
}

impl Flow {
    /// The flow `index` with its hosts in `lab`; its paths are the caller's.
    pub(super) fn new(
        lab: &mut Lab,
        index: usize,
        plan: FlowPlan,
        datagram_size: u16,
        rng: &mut Rng,
    ) -> Self {
        let (here, there) = (address(index, 1), address(index, 2));
        let mut host = |name: &str, address, accept, has_file| {
            let key = PublicKey(rng.bytes32());
            let mut config = Config::new(Arc::new(NullProvider { key }));
            config.accept = accept;
            config.congestion = plan.congestion;
            config.datagram_max = datagram_size;
            let mut disk = Disk::new(DiskPlan::default(), rng.fork());
            disk.add_root(ROOT);
            if let (true, Ok(path)) = (has_file, file()) {
                let size = match plan.amount {
                    Amount::Bytes(bytes) => bytes,
                    Amount::Time(_) => ENDLESS,
                };
                let content = Content::generated(rng.next_u64(), size);
                disk.plant(ROOT, &path, content, 0);
            }
            lab.add_host(HostSetup {
                name: format!("{name}{index}"),
                address,
                config,
                disk,
                segments_max: SEGMENTS,
            })
        };
        let client = host("client", here, false, plan.way == Way::Up);
        let server = host("server", there, true, plan.way == Way::Down);
        Self {
            plan,
            client,
            server,
            here,
            there,
            stage: Stage::Waiting,
            sender: None,
            outcome: FlowOutcome {
                end: End::OutOfTime,
                delivered: 0,
                elapsed: Duration::ZERO,
                resent: 0,
                datagrams: 0,
                wire_bytes: 0,
                return_bytes: 0,
                lost: 0,
                dropped: 0,
                deliveries: Vec::new(),
                samples: Vec::new(),
            },
        }
    }

    /// The client's address and the server's.
    pub(super) fn addresses(&self) -> (SocketAddr, SocketAddr) {
        (self.here, self.there)
    }

    /// The same in the order in which the file goes.
    fn file_way(&self) -> (SocketAddr, SocketAddr) {
        match self.plan.way {
            Way::Down => (self.there, self.here),
            Way::Up => (self.here, self.there),
        }
    }

    fn sending_host(&self) -> HostId {
        match self.plan.way {
            Way::Down => self.server,
            Way::Up => self.client,
        }
    }

    fn start(&self) -> Instant {
        Instant::ZERO + self.plan.start
    }

    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    pub(super) fn owns(&self, host: HostId) -> bool {
        host == self.client || host == self.server
    }

    /// When the flow itself has something to do next.
    pub(super) fn next_time(&self) -> Option<Instant> {
        match (&self.stage, self.plan.amount) {
            (Stage::Waiting, _) => Some(self.start()),
            (Stage::Over, _) | (_, Amount::Bytes(_)) => None,
            (_, Amount::Time(time)) => Some(self.start() + time),
        }
    }

    /// Does what [`next_time`](Self::next_time) is for.
    pub(super) fn act(&mut self, lab: &mut Lab) -> Result<(), String> {
        if self.next_time().is_none_or(|at| at > lab.now()) {
            return Ok(());
        }
        if self.stage != Stage::Waiting {
            self.finish(lab, End::Stopped);
            return Ok(());
        }
        let there = self.there;
        let (now, endpoint) = lab.endpoint(self.client).ok_or("the client is down")?;
        let peer = endpoint.connect(now, there).map_err(|e| e.to_string())?;
        self.stage = Stage::Open(peer);
        Ok(())
    }

    /// Takes an event of one of its hosts.
    pub(super) fn on_event(
        &mut self,
        lab: &mut Lab,
        host: HostId,
        event: Event,
    ) -> Result<(), String> {
        let now = lab.now();
        match event {
            Event::PeerReady { peer, .. } => self.on_ready(lab, host, peer)?,
            Event::Requested { transfer, .. } => {
                let place = place()?;
                let decision = Decision::Grant {
                    place,
                    may_replace: true,
                };
                let (now, endpoint) = lab.endpoint(host).ok_or("the server is down")?;
                // A request whose session ended in the same instant needs no answer.
                let _ = endpoint.decide(now, transfer, decision);
            }
            Event::Progress { bytes, resent, .. } if host == self.sending_host() => {
                self.outcome.resent = resent;
                self.on_delivered(now, bytes);
            }
            Event::Finished { result, stats, .. } if !self.is_over() => {
                if host == self.sending_host() {
                    self.outcome.resent = stats.resent;
                }
                if host == self.client {
                    self.on_finished(lab, result.map_err(|failure| format!("{failure:?}")));
                }
            }
            Event::PeerClosed { cause, .. } if host == self.client && !self.is_over() => {
                self.outcome.elapsed = now.since(self.start());
                self.finish(lab, End::Failed(format!("{cause:?}")));
            }
            _ => {}
        }
        Ok(())
    }

    fn on_ready(&mut self, lab: &mut Lab, host: HostId, peer: PeerId) -> Result<(), String> {
        if host == self.sending_host() {
            self.sender = Some(peer);
        }
        let (now, endpoint) = lab.endpoint(host).ok_or("the host is down")?;
        endpoint
            .admit(now, peer, Admission::Admit)
            .map_err(|error| error.to_string())?;
        if host != self.client || self.stage != Stage::Open(peer) {
            return Ok(());
        }
        let path = file().map_err(|error| error.to_string())?;
        let (overwrite, durability) = (Overwrite::Replace, Durability::Full);
        let request = match self.plan.way {
            Way::Down => Request::Get {
                from: path,
                to: place()?,
                overwrite,
                durability,
                preserve: false,
                keep_top_mode: false,
                tree: false,
            },
            Way::Up => Request::Put {
                from: place()?,
                to: path,
                overwrite,
                durability,
                tree: false,
            },
        };
        let transfer = endpoint
            .start(now, peer, request)
            .map_err(|error| error.to_string())?;
        self.stage = Stage::Running(peer, transfer);
        let at = lab.now().since(Instant::ZERO);
        self.outcome.deliveries.push((at, 0));
        Ok(())
    }

    fn on_delivered(&mut self, now: Instant, bytes: u64) {
        self.outcome.delivered = bytes;
        let since_sample = self.outcome.samples.last().map(|sample| sample.at);
        let last = self.outcome.deliveries.last().map(|(at, _)| *at);
        if last.is_none() || last < since_sample {
            let at = now.since(Instant::ZERO);
            self.outcome.deliveries.push((at, bytes));
        }
    }

    fn on_finished<T>(&mut self, lab: &mut Lab, result: Result<T, String>) {
        let end = match result {
            Ok(_) => {
                if let Amount::Bytes(bytes) = self.plan.amount {
                    self.on_delivered(lab.now(), bytes);
                }
                End::Completed(lab.now().since(self.start()))
            }
            Err(failure) => End::Failed(failure),
        };
        self.finish(lab, end);
    }

    /// Notes how it ended, and lets the session go.
    pub(super) fn finish(&mut self, lab: &mut Lab, end: End) {
        self.outcome.elapsed = lab.now().since(self.start());
        self.note_figures(lab);
        self.outcome.end = end;
        let before = std::mem::replace(&mut self.stage, Stage::Over);
        if let Stage::Open(peer) | Stage::Running(peer, _) = before
            && let Some((now, endpoint)) = lab.endpoint(self.client)
        {
            // It may be gone already: then there is nothing to close.
            if let Stage::Running(_, transfer) = before {
                let _ = endpoint.cancel(now, transfer);
            }
            let _ = endpoint.close(now, peer, CloseCode::NoError);
        }
    }

    fn note_figures(&mut self, lab: &mut Lab) {
        let (from, to) = self.file_way();
        if let Some(stats) = lab.network().stats(from, to) {
            self.outcome.datagrams = stats.sent;
            self.outcome.dropped = stats.lost;
            self.outcome.wire_bytes = stats.sent_bytes + HEADERS * stats.sent;
        }
        if let Some(stats) = lab.network().stats(to, from) {
            self.outcome.return_bytes = stats.sent_bytes + HEADERS * stats.sent;
        }
        if let Some(stats) = self.sender_stats(lab) {
            self.outcome.lost = stats.loss();
        }
    }

    fn sender_stats(&self, lab: &Lab) -> Option<proto_core::PeerStats> {
        let endpoint = lab.host(self.sending_host()).endpoint()?;
        endpoint.stats(self.sender?)
    }

    /// Looks at a flow that runs.
    pub(super) fn sample(&mut self, lab: &mut Lab) {
        if !matches!(self.stage, Stage::Running(..)) {
            return;
        }
        let Some(stats) = self.sender_stats(lab) else {
            return;
        };
        let now = lab.now();
        let (from, to) = self.file_way();
        let network = lab.network();
        let nodes = network.nodes(from, to).unwrap_or_default();
        let queues = nodes.iter().map(|node| network.queue(*node, now).bytes);
        self.outcome.samples.push(Sample {
            at: now.since(Instant::ZERO),
            delivered: self.outcome.delivered,
            window: stats.congestion_window,
            in_flight: stats.in_flight,
            rtt: stats.rtt,
            queue: queues.sum(),
            lost: stats.loss(),
        });
    }

    pub(super) fn into_outcome(self) -> FlowOutcome {
        self.outcome
    }
}

fn place() -> Result<Place, String> {
    Ok(Place {
        root: ROOT,
        path: file().map_err(|error| error.to_string())?,
    })
}
