//! A laboratory for the protocol core: hosts with their disks and clocks, the network between them, and virtual time. What the
//! hosts want is up to the caller, who gets their events and may call their endpoints.
//!
//! ```
//! use std::net::SocketAddr;
//! use proto_core::{Admission, Config, Event, Instant, Duration};
//! use sim::disk::{Disk, DiskPlan};
//! use sim::lab::{Happening, HostSetup, Lab};
//! use sim::net::Delay;
//! use sim::null_crypto::NullProvider;
//! use sim::rng::Rng;
//! # use std::sync::Arc;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut lab = Lab::new(7);
//! let mut host = |name: &str, address: &str, accept: bool| {
//!     let key = proto_core::crypto::PublicKey([u8::from(accept); 32]);
//!     let mut config = Config::new(Arc::new(NullProvider { key }));
//!     config.accept = accept;
//!     let address: SocketAddr = address.parse().expect("an address");
//!     let disk = Disk::new(DiskPlan::default(), Rng::new(1, 2));
//!     let name = name.to_owned();
//!     (lab.add_host(HostSetup { name, address, config, disk, segments_max: 10 }), address)
//! };
//! let (server, there) = host("server", "10.0.0.1:700", true);
//! let (client, here) = host("client", "10.0.0.2:700", false);
//! let delay = || Box::new(Delay::new(Duration::from_millis(25)));
//! let (up, down) = (lab.network().add(delay()), lab.network().add(delay()));
//! lab.network().connect(here, there, vec![up]);
//! lab.network().connect(there, here, vec![down]);
//!
//! let (now, endpoint) = lab.endpoint(client).ok_or("the client is up")?;
//! endpoint.connect(now, there)?;
//! let mut ready = Vec::new();
//! while let Happening::Event(host, event) = lab.next(Instant::ZERO + Duration::from_secs(1))? {
//!     if let Event::PeerReady { peer, .. } = event {
//!         ready.push((host, lab.now()));
//!         let (now, endpoint) = lab.endpoint(host).ok_or("this host is up")?;
//!         endpoint.admit(now, peer, Admission::Admit)?;
//!     }
//! }
//! // One round trip for the client, half a one more for the server.
//! assert_eq!(ready[0], (client, Instant::ZERO + Duration::from_millis(50)));
//! assert_eq!(ready[1], (server, Instant::ZERO + Duration::from_millis(75)));
//! # Ok(())
//! # }
//! ```

mod amplification;
mod clock;
mod host;
mod process;
mod trace;
mod violation;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::net::SocketAddr;

use proto_core::wire::FilePath;
use proto_core::{Config, Duration, Endpoint, Event, Instant, RootId};

pub use clock::Clock;
use host::Round;
pub use host::{Host, HostSetup};
pub(crate) use trace::Record;
pub use trace::Trace;
pub use violation::Violation;

use crate::net::Network;
use crate::rng::Rng;

/// Bytes of a batch at most.
const BATCH_LEN: usize = 64 << 10;

/// What must not happen, in words, before it is known when it did.
pub(crate) type Checked<T> = Result<T, String>;

/// A host of a [`Lab`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostId(pub(crate) usize);

/// What [`Lab::next`] came to.
#[derive(PartialEq, Eq, Debug)]
pub enum Happening {
    /// A host's endpoint has an event for its application.
    Event(HostId, Event),
    /// A rename on a host's disk has brought a name. It may be gone again within the same instant.
    Appeared(HostId, RootId, FilePath),
    /// Nothing happens any more up to the time asked for, which it is now.
    Until,
}

/// How a host goes down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Crash {
    /// The process dies; what it wrote stays with the operating system.
    Process,
    /// The power goes: of what was not synced, any part is lost.
    Power,
}

/// Hosts, the network between them, and a clock.
#[derive(Debug)]
pub struct Lab {
    now: Instant,
    steps: u64,
    network: Network,
    hosts: Vec<Host>,
    addresses: BTreeMap<SocketAddr, HostId>,
    /// Hosts by when they have something to do. One whose plans have changed is in here more than once.
    wakes: BinaryHeap<Reverse<(Instant, HostId)>>,
    /// Hosts that got something and must be polled, in the order in which they did.
    listed: VecDeque<HostId>,
    appeared: VecDeque<(HostId, RootId, FilePath)>,
    rng: Rng,
    buffer: Box<[u8]>,
    audits: bool,
    pub(crate) record: Record,
}

impl Lab {
    /// An empty laboratory at time 0; all of its hosts' randomness follows from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            now: Instant::ZERO,
            steps: 0,
            network: Network::default(),
            hosts: Vec::new(),
            addresses: BTreeMap::new(),
            wakes: BinaryHeap::new(),
            listed: VecDeque::new(),
            appeared: VecDeque::new(),
            rng: Rng::new(seed, 0x1ab),
            buffer: vec![0; BATCH_LEN].into(),
            audits: true,
            record: Record::default(),
        }
    }

    /// Lets lines about the run go to `trace`.
    pub fn set_trace(&mut self, trace: Trace) {
        self.record.trace = trace;
    }

    /// Whether the state of every endpoint is audited after each step; on from the beginning. Without, only what can be seen
    /// from outside of the core is checked.
    pub fn set_audits(&mut self, on: bool) {
        self.audits = on;
    }

    /// Adds a machine that is up.
    pub fn add_host(&mut self, setup: HostSetup) -> HostId {
        let id = HostId(self.hosts.len());
        self.addresses.insert(setup.address, id);
        self.hosts.push(Host::new(setup, self.rng.fork()));
        id
    }

    /// The network, to lay or change its paths.
    pub fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// The true time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// How often something moved.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// A checksum over every datagram sent, with its time.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.record.digest.value()
    }

    /// All hosts, in the order in which they were added.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// A host.
    #[must_use]
    pub fn host(&self, id: HostId) -> &Host {
        &self.hosts[id.0]
    }

    /// A host's disk, to change what is on it or how it behaves.
    pub fn disk(&mut self, id: HostId) -> &mut crate::disk::Disk {
        self.hosts[id.0].disk_mut()
    }

    /// A host's endpoint, to be called, with the time that the host's clock shows; `None` while it is down or suspended. The host is polled
    /// afterwards.
    pub fn endpoint(&mut self, id: HostId) -> Option<(Instant, &mut Endpoint)> {
        self.list(id);
        self.hosts[id.0].endpoint_mut(self.now)
    }

    /// A violation that is found now.
    #[must_use]
    pub fn violation(&self, what: String) -> Violation {
        Violation {
            at: self.now,
            step: self.steps,
            what,
        }
    }

    /// When something happens next, as far as is known now.
    #[must_use]
    pub fn next_time(&self) -> Option<Instant> {
        if !self.listed.is_empty() || !self.appeared.is_empty() {
            return Some(self.now);
        }
        let wake = self.wakes.peek().map(|Reverse((at, _))| *at);
        wake.into_iter().chain(self.network.next_time()).min()
    }

    /// Whether nothing is under way and no host has anything to do.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.listed.is_empty() && self.network.is_idle() && self.hosts.iter().all(Host::is_at_rest)
    }

    /// Lets time pass until something happens, at most until `until`.
    ///
    /// # Errors
    /// The first thing that must not happen. The laboratory is of no use afterwards.
    pub fn next(&mut self, until: Instant) -> Result<Happening, Violation> {
        self.run(until).map_err(|what| self.violation(what))
    }

    fn run(&mut self, until: Instant) -> Checked<Happening> {
        loop {
            if let Some(happening) = self.poll()? {
                return Ok(happening);
            }
            match self.next_time() {
                Some(at) if at <= until => self.step(at)?,
                _ => {
                    self.now = self.now.max(until);
                    return Ok(Happening::Until);
                }
            }
        }
    }

    /// Polls the hosts that got something, until one has an event.
    fn poll(&mut self) -> Checked<Option<Happening>> {
        if let Some((id, root, path)) = self.appeared.pop_front() {
            return Ok(Some(Happening::Appeared(id, root, path)));
        }
        while let Some(&id) = self.listed.front() {
            let host = &mut self.hosts[id.0];
            let round = host.round(
                self.now,
                &mut self.buffer,
                &mut self.network,
                &mut self.record,
                self.audits,
            )?;
            match round {
                Round::Event(event) => return Ok(Some(Happening::Event(id, event))),
                Round::More => {}
                Round::Quiet => {
                    host.polled.listed = false;
                    self.listed.pop_front();
                    self.plan(id);
                }
            }
        }
        Ok(None)
    }

    fn list(&mut self, id: HostId) {
        let polled = &mut self.hosts[id.0].polled;
        if !polled.listed {
            polled.listed = true;
            self.listed.push_back(id);
        }
    }

    /// Plans when to look at a host again.
    fn plan(&mut self, id: HostId) {
        let host = &mut self.hosts[id.0];
        let wake = host.next_time();
        if host.polled.wake != wake {
            host.polled.wake = wake;
            self.wakes.extend(wake.map(|at| Reverse((at, id))));
        }
    }

    /// Goes to the time `at`: delivers what is due and does what the hosts have planned.
    fn step(&mut self, at: Instant) -> Checked<()> {
        self.now = self.now.max(at);
        self.steps += 1;
        self.record.trace.set_time(self.now);
        while let Some(mut datagram) = self.network.deliver(self.now) {
            if let Some(sender) = self.addresses.get(&datagram.source) {
                self.hosts[sender.0].reached(datagram.destination);
            }
            let Some(&id) = self.addresses.get(&datagram.destination) else {
                continue;
            };
            let host = &mut self.hosts[id.0];
            self.record.trace.line(|| {
                let (len, from) = (datagram.payload.len(), datagram.source);
                format!("{}: receives {len} bytes from {from}", host.name())
            });
            host.datagram(self.now, &mut datagram)?;
            self.network.recycle(datagram.payload);
            self.list(id);
        }
        while let Some(&Reverse((at, id))) = self.wakes.peek()
            && at <= self.now
        {
            self.wakes.pop();
            let host = &mut self.hosts[id.0];
            if host.polled.wake != Some(at) {
                continue;
            }
            host.polled.wake = None;
            host.work(self.now, &mut self.record)?;
            for (root, path) in host.disk_mut().take_appeared() {
                self.appeared.push_back((id, root, path));
            }
            self.list(id);
        }
        Ok(())
    }

    /// A host goes down, with what was under way on it.
    pub fn crash(&mut self, id: HostId, how: Crash) {
        let host = &mut self.hosts[id.0];
        self.record
            .trace
            .line(|| format!("{}: crashes ({how:?})", host.name()));
        host.crash(how);
        self.list(id);
    }

    /// A host that is down comes up again, with its disk and, when there is one, another configuration.
    pub fn restart(&mut self, id: HostId, config: Option<Config>) {
        let host = &mut self.hosts[id.0];
        self.record
            .trace
            .line(|| format!("{}: starts again", host.name()));
        host.restart(self.now, config);
        self.list(id);
    }

    /// A host is seen under another address from now on (a NAT forgot it, or it moved). What is under way to the old
    /// one is lost.
    pub fn readdress(&mut self, id: HostId, address: SocketAddr) {
        let host = &mut self.hosts[id.0];
        let old = host.address();
        self.record
            .trace
            .line(|| format!("{}: {old} is now {address}", host.name()));
        host.set_address(address);
        for other in &mut self.hosts {
            other.moved(old);
        }
        self.addresses.remove(&old);
        self.addresses.insert(address, id);
        self.network.readdress(old, address);
    }

    /// A host is suspended for that long: nothing runs on it, and what arrives is lost. Its clock goes on, or stands still as
    /// the monotonic clock of some systems does.
    pub fn suspend(&mut self, id: HostId, lasts: Duration, clock_stops: bool) {
        let (now, until) = (self.now, self.now + lasts);
        let host = &mut self.hosts[id.0];
        self.record
            .trace
            .line(|| format!("{}: is suspended for {lasts:?}", host.name()));
        host.suspend(until);
        if clock_stops {
            host.clock_mut().pause(now, until);
        }
        self.list(id);
    }

    /// A host's clock jumps ahead, as after a sleep.
    pub fn jump_clock(&mut self, id: HostId, by: Duration) {
        let now = self.now;
        self.hosts[id.0].clock_mut().jump(now, by);
        self.list(id);
        self.plan(id);
    }

    /// A host's clock gains `per_million` from now on.
    pub fn drift_clock(&mut self, id: HostId, per_million: i32) {
        let now = self.now;
        self.hosts[id.0].clock_mut().set_drift(now, per_million);
        self.list(id);
        self.plan(id);
    }
}
