//! The network: addresses joined by paths, a path being a list of nodes that delay, drop or change datagrams.

mod corrupt;
mod delay;
mod duplicate;
mod loss;
mod rate;
mod reorder;
#[cfg(test)]
mod tests;
mod truncate;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use proto_core::Instant;

pub use corrupt::Corrupt;
pub use delay::Delay;
pub use duplicate::Duplicate;
pub use loss::Loss;
pub use rate::Rate;
pub use reorder::Reorder;
pub use truncate::Truncate;

use crate::queue::Queue;

/// One UDP datagram under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Datagram {
    /// Who sent it.
    pub source: SocketAddr,
    /// Whom it is for.
    pub destination: SocketAddr,
    /// Its UDP payload.
    pub payload: Vec<u8>,
}

/// What a node does to a datagram.
pub trait Node: Send + fmt::Debug {
    /// `datagram` arrives at `now`; calls never go back in time. What is to go on, now or later, is appended to `out`;
    /// what is not appended is lost.
    fn pass(&mut self, now: Instant, datagram: Datagram, out: &mut Vec<(Instant, Datagram)>);
}

/// Figures of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PathStats {
    /// Datagrams put in.
    pub sent: u64,
    /// Bytes put in.
    pub sent_bytes: u64,
    /// Datagrams that came out, copies included.
    pub delivered: u64,
    /// Bytes that came out.
    pub delivered_bytes: u64,
}

/// A way from one address to another.
#[derive(Debug)]
struct Path {
    nodes: Vec<Box<dyn Node>>,
    stats: PathStats,
}

/// Where a datagram is: before node `node` of its path, or through when there is no such node.
#[derive(Debug)]
struct Hop {
    path: usize,
    node: usize,
    datagram: Datagram,
}

/// All paths, and the datagrams on them.
#[derive(Debug, Default)]
pub struct Network {
    paths: Vec<Path>,
    routes: BTreeMap<(SocketAddr, SocketAddr), usize>,
    queue: Queue<Hop>,
    unroutable: u64,
    scratch: Vec<(Instant, Datagram)>,
}

impl Network {
    /// Lets datagrams from `source` to `destination` pass `nodes`, in order. A path of these ends that was there before
    /// takes no new datagrams; what is on it arrives.
    pub fn connect(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        nodes: Vec<Box<dyn Node>>,
    ) {
        self.routes.insert((source, destination), self.paths.len());
        self.paths.push(Path {
            nodes,
            stats: PathStats::default(),
        });
    }

    /// Puts a datagram on its path. Without one it is lost.
    pub fn send(&mut self, now: Instant, datagram: Datagram) {
        match self.routes.get(&(datagram.source, datagram.destination)) {
            None => self.unroutable += 1,
            Some(&path) => {
                let stats = &mut self.paths[path].stats;
                stats.sent += 1;
                stats.sent_bytes += datagram.payload.len() as u64;
                let hop = Hop {
                    path,
                    node: 0,
                    datagram,
                };
                self.queue.push(now, hop);
            }
        }
    }

    /// When something moves next.
    #[must_use]
    pub fn next_time(&self) -> Option<Instant> {
        self.queue.next_time()
    }

    /// Moves what is due at `now`, until a datagram is through: that one is returned. Call until `None`.
    pub fn deliver(&mut self, now: Instant) -> Option<Datagram> {
        while let Some((at, hop)) = self.queue.pop_due(now) {
            let path = &mut self.paths[hop.path];
            let Some(node) = path.nodes.get_mut(hop.node) else {
                path.stats.delivered += 1;
                path.stats.delivered_bytes += hop.datagram.payload.len() as u64;
                return Some(hop.datagram);
            };
            node.pass(at, hop.datagram, &mut self.scratch);
            for (later, datagram) in self.scratch.drain(..) {
                let next = Hop {
                    path: hop.path,
                    node: hop.node + 1,
                    datagram,
                };
                self.queue.push(later.max(at), next);
            }
        }
        None
    }

    /// Figures of the present path from `source` to `destination`.
    #[must_use]
    pub fn stats(&self, source: SocketAddr, destination: SocketAddr) -> Option<PathStats> {
        let path = self.routes.get(&(source, destination))?;
        Some(self.paths[*path].stats)
    }

    /// Datagrams that had no path.
    #[must_use]
    pub fn unroutable(&self) -> u64 {
        self.unroutable
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }
}
