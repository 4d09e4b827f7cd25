//! All of a run as data: hosts, links, disks, users with their goals, and what befalls them. Drawn from a seed, or read
//! from a file.

mod congestion_text;
mod demands;
mod draw;
mod expect;
mod goals;
mod incident;
mod limits;
mod path_text;
mod size;
#[cfg(test)]
mod tests;
mod trees;

use std::net::SocketAddr;

use proto_core::wire::{Durability, EntryKind, FilePath};
use proto_core::{CongestionControl, Duration, Overwrite};
use serde::{Deserialize, Serialize};

pub use demands::Demands;
pub use expect::Expect;
pub use incident::{Edit, Incident, Misfortune, Who};
pub use limits::LimitsPlan;
pub use size::draw_size;

use crate::disk::{Content, DiskPlan, SlowPhase};
use crate::fault::FaultPlan;
use crate::hostile::HostilePlan;
use crate::link::{Link, LinkPlan};
use crate::units;

/// One run. The same scenario always gives the same run.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// The seed of all randomness in the run.
    pub seed: u64,
    /// Real cryptography instead of the null session.
    pub tls: bool,
    /// From a new session to the server application's word whether it may stay.
    #[serde(with = "units::duration")]
    pub admits_after: Duration,
    /// From a request to the server application's decision. Beyond the core's own patience, all requests must end in
    /// `TimedOut`.
    #[serde(with = "units::duration")]
    pub decides_after: Duration,
    /// The hosts' systems set and read the ECN field; see [`LinkPlan::bleach`](crate::link::LinkPlan::bleach) for the rest of the way.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ecn: bool,
    /// The server.
    pub server: HostPlan,
    /// What all clients' datagrams pass besides their own links: a shared bottleneck.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<Link>,
    /// What the run must come to besides that no invariant breaks.
    #[serde(skip_serializing_if = "Demands::is_none")]
    pub demands: Demands,
    /// What befalls hosts, in any order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<Incident>,
    /// The clients.
    pub clients: Vec<ClientPlan>,
}

/// A machine with an endpoint.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostPlan {
    /// Bytes that its datagrams begin with.
    pub datagram_size: u16,
    /// Bytes that they grow to where the path carries it.
    pub datagram_max: u16,
    /// Datagrams that its socket takes at once.
    pub segments_max: usize,
    /// How it finds out what the network bears when it sends.
    #[serde(with = "congestion_text")]
    pub congestion: CongestionControl,
    /// How much faster than true time its clock runs, in a million.
    pub clock_drift: i32,
    /// A server's secret outlasts restarts, so that it can tell clients of sessions from before that they are over.
    #[serde(skip_serializing_if = "is_true")]
    pub host_secret: bool,
    /// Its endpoint's limits, where they are not the usual ones.
    pub limits: LimitsPlan,
    /// Its disk.
    pub disk: DiskPlan,
    /// It lies, with valid keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostile: Option<HostilePlan>,
    /// Faults inside its core.
    #[serde(skip_serializing_if = "FaultPlan::is_empty")]
    pub faults: FaultPlan,
    /// When the legal ones of these faults end; planted bugs stay.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "units::duration::option"
    )]
    pub faults_until: Option<Duration>,
}

impl Default for HostPlan {
    fn default() -> Self {
        Self {
            datagram_size: 1_200,
            datagram_max: 65_507,
            segments_max: 40,
            congestion: CongestionControl::default(),
            clock_drift: 0,
            host_secret: true,
            limits: LimitsPlan::default(),
            disk: DiskPlan::default(),
            hostile: None,
            faults: FaultPlan::default(),
            faults_until: None,
        }
    }
}

fn is_true(value: &bool) -> bool {
    *value
}

/// A client with one user, or several alike.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientPlan {
    /// How many of them there are.
    pub count: u32,
    /// When the user comes.
    #[serde(with = "units::duration")]
    pub joins: Duration,
    /// Its machine.
    pub host: HostPlan,
    /// Between it and the server.
    pub link: Link,
    /// What is there before, at the client.
    pub local: Vec<Planted>,
    /// What is there before, in the user's directory at the server.
    pub remote: Vec<Planted>,
    /// What the user wants.
    pub goals: Vec<GoalPlan>,
}

impl Default for ClientPlan {
    fn default() -> Self {
        Self {
            count: 1,
            joins: Duration::ZERO,
            host: HostPlan::default(),
            link: Link::default(),
            local: Vec::new(),
            remote: Vec::new(),
            goals: Vec::new(),
        }
    }
}

/// Something that is there before a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planted {
    /// Where.
    #[serde(with = "path_text")]
    pub path: FilePath,
    /// What.
    #[serde(default)]
    pub kind: Kind,
    /// A file's bytes.
    #[serde(default)]
    pub size: u64,
    /// What a file's bytes are generated from.
    #[serde(default)]
    pub content: u64,
    /// A file's modification time, in nanoseconds since 1970.
    #[serde(default)]
    pub mtime: i64,
    /// Where a symbolic link leads.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub to: String,
}

/// What something is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A regular file.
    #[default]
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// None of these.
    Device,
}

impl Kind {
    /// As the protocol names it.
    #[must_use]
    pub fn on_wire(self) -> EntryKind {
        match self {
            Self::File => EntryKind::File,
            Self::Directory => EntryKind::Directory,
            Self::Link => EntryKind::Symlink,
            Self::Device => EntryKind::Other,
        }
    }
}

impl Planted {
    /// A file of `size` bytes that are generated from `content`.
    #[must_use]
    pub fn file(path: FilePath, content: u64, size: u64, mtime: i64) -> Self {
        Self {
            path,
            kind: Kind::File,
            size,
            content,
            mtime,
            to: String::new(),
        }
    }

    /// A symbolic link to `to`.
    #[must_use]
    pub fn link(path: FilePath, to: &str, mtime: i64) -> Self {
        Self {
            to: to.to_owned(),
            mtime,
            ..Self::other(path, Kind::Link)
        }
    }

    /// A directory, or what is neither file nor directory.
    #[must_use]
    pub fn other(path: FilePath, kind: Kind) -> Self {
        Self {
            path,
            kind,
            size: 0,
            content: 0,
            mtime: 0,
            to: String::new(),
        }
    }

    /// A file's bytes; `None` for what is none.
    #[must_use]
    pub fn bytes(&self) -> Option<Content> {
        (self.kind == Kind::File).then(|| Content::generated(self.content, self.size))
    }
}

/// A goal of a user.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoalPlan {
    /// When it comes to mind, after the user joined.
    #[serde(default, with = "units::duration")]
    pub starts: Duration,
    /// It waits until all goals before it are done.
    #[serde(default)]
    pub in_turn: bool,
    /// When the user changes their mind, after the transfer was started.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "units::duration::option"
    )]
    pub cancel_after: Option<Duration>,
    /// What is wanted.
    #[serde(flatten)]
    pub goal: Goal,
}

impl From<Goal> for GoalPlan {
    /// A goal from the beginning, without a change of mind.
    fn from(goal: Goal) -> Self {
        Self {
            starts: Duration::ZERO,
            in_turn: false,
            cancel_after: None,
            goal,
        }
    }
}

/// What is wanted. `remote` paths lie in the user's directory at the server, `local` ones at the client.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// Upload.
    Put(Copy),
    /// Download.
    Get(Copy),
    /// The entries of a directory.
    List(#[serde(with = "path_text")] FilePath),
    /// Metadata of a path.
    Stat(#[serde(with = "path_text")] FilePath),
}

/// A file, or a directory with all that is in it, that is wanted elsewhere.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    /// At the client.
    #[serde(with = "path_text")]
    pub local: FilePath,
    /// At the server.
    #[serde(with = "path_text")]
    pub remote: FilePath,
    /// If something has the target's name.
    #[serde(default = "replace", with = "OverwriteText")]
    pub overwrite: Overwrite,
    /// What must be durable before it counts as stored.
    #[serde(default = "full", with = "DurabilityText")]
    pub durability: Durability,
    /// Keep time and permission bits (downloads).
    #[serde(default)]
    pub preserve: bool,
    /// It is a directory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tree: bool,
}

impl Copy {
    /// Whether `path`, at the end of `of`, is that of the copy or below it.
    #[must_use]
    pub fn covers(&self, of: &FilePath, path: &FilePath) -> bool {
        of == path || (self.tree && below(of, path).is_some())
    }
}

/// What follows the directory `of` in `path`, which lies in it or below.
#[must_use]
pub fn below<'a>(of: &FilePath, path: &'a FilePath) -> Option<&'a [u8]> {
    let rest = path.as_bytes().strip_prefix(of.as_bytes())?;
    if of.is_root() {
        return (!rest.is_empty()).then_some(rest);
    }
    rest.strip_prefix(b"/")
}

fn replace() -> Overwrite {
    Overwrite::Replace
}

fn full() -> Durability {
    Durability::Full
}

/// [`Overwrite`] as text.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Overwrite", rename_all = "kebab-case")]
enum OverwriteText {
    Replace,
    Never,
    Compare,
}

/// [`Durability`] as text.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Durability", rename_all = "kebab-case")]
enum DurabilityText {
    None,
    File,
    Full,
}

/// Longer than any core waits for its application.
pub const NEVER: Duration = Duration::from_secs(3_600);

/// The directory at the server about which every request is refused.
pub const LOCKED: &[u8] = b"locked";

/// Why a text is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It cannot be read.
    #[error("{0}")]
    Text(#[from] toml::de::Error),
    /// It cannot be written.
    #[error("{0}")]
    Write(#[from] toml::ser::Error),
    /// It makes no sense.
    #[error("{0}")]
    Sense(String),
}

impl Scenario {
    /// Reads a scenario from TOML.
    ///
    /// # Errors
    /// What cannot be understood, with its line, or what makes no sense.
    pub fn from_toml(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text)?;
        let links = scenario.clients.iter().map(|client| &client.link);
        for link in links.chain(&scenario.shared) {
            link.check().map_err(ScenarioError::Sense)?;
        }
        let hosts = 1 + scenario.users().count() as u32;
        match scenario.incidents.iter().find(|of| of.who.0 >= hosts) {
            Some(incident) => Err(ScenarioError::Sense(format!(
                "an incident befalls client {}, and the last one is {}",
                incident.who.0,
                hosts - 1
            ))),
            None => Ok(scenario),
        }
    }

    /// The scenario as TOML.
    ///
    /// # Errors
    /// A path that is not UTF-8.
    pub fn to_toml(&self) -> Result<String, ScenarioError> {
        Ok(toml::to_string(self)?)
    }

    /// The plan of each user, one after the other.
    pub fn users(&self) -> impl Iterator<Item = &ClientPlan> {
        let copies = |plan: &ClientPlan| plan.count as usize;
        (self.clients.iter()).flat_map(move |plan| std::iter::repeat_n(plan, copies(plan)))
    }

    /// From when on nothing bad happens any more; `None` when there is no such time.
    #[must_use]
    pub fn healed_at(&self) -> Option<Duration> {
        let mut healed = Duration::ZERO;
        let mut until = |end: Option<Duration>| -> Option<()> {
            healed = healed.max(end?);
            Some(())
        };
        let links = self.clients.iter().map(|client| &client.link);
        for plan in links
            .chain(&self.shared)
            .flat_map(|link| [&link.up, &link.down])
        {
            until(link_healed_at(plan))?;
        }
        let hosts = self.clients.iter().map(|client| &client.host);
        for host in hosts.chain([&self.server]) {
            let mended = host.disk.faults_until;
            let has_end = mended != Duration::MAX;
            let sick = host.disk.has_faults() || host.disk.slow != SlowPhase::default();
            until(if sick {
                has_end.then_some(mended)
            } else {
                Some(Duration::ZERO)
            })?;
            if host.faults.has_legal() {
                until(host.faults_until)?;
            }
        }
        for incident in &self.incidents {
            until(Some(incident.over_at()))?;
        }
        Some(healed)
    }
}

/// When the last fault of a link is over; `None` when that is never.
fn link_healed_at(plan: &LinkPlan) -> Option<Duration> {
    if plan.faults_until.is_some() {
        return plan.faults_until;
    }
    let shares = [
        plan.loss,
        plan.duplicate,
        plan.corrupt,
        plan.truncate,
        plan.reorder,
    ];
    let endless = shares.iter().any(|&share| share > 0) || plan.bursts.is_some();
    if endless || (!plan.outages.is_empty() && plan.outage_period.is_some()) {
        return None;
    }
    let outages = plan.outages.iter().map(|window| window.until);
    Some(outages.max().unwrap_or_default())
}

/// Where a client's socket is bound, and where it moves to: `host` 0 is the server, `moved` counts its addresses.
#[must_use]
pub fn address(host: u32, port: u16, moved: u8) -> SocketAddr {
    let [high, middle, low, _] = (host << 8).to_be_bytes();
    let ip = std::net::Ipv4Addr::new(10u8.wrapping_add(moved), high | middle, low, 1);
    SocketAddr::new(ip.into(), port)
}

impl Goal {
    /// Whether a directory is to be copied.
    #[must_use]
    pub fn is_tree(&self) -> bool {
        matches!(self, Self::Put(copy) | Self::Get(copy) if copy.tree)
    }

    /// Whether `path` is of this goal, or a directory that it needs.
    #[must_use]
    pub fn touches(&self, path: &FilePath) -> bool {
        if let Self::Put(copy) | Self::Get(copy) = self
            && (copy.covers(&copy.local, path) || copy.covers(&copy.remote, path))
        {
            return true;
        }
        let paths = match self {
            Self::Put(copy) | Self::Get(copy) => [&copy.local, &copy.remote],
            Self::List(path) | Self::Stat(path) => [path, path],
        };
        let mut paths = paths.into_iter();
        paths.any(|of| of == path || of.parent() == *path || path.parent() == *of)
    }
}
