use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use proto_core::{Ecn, Instant};

use super::{Datagram, Fate, Node, NodeStats, PathStats, QueueStats};
use crate::queue::Queue;

/// Buffers that are kept to be used again.
const SPARE_MAX: usize = 4_096;

/// A node of a [`Network`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(u32);

#[derive(Debug)]
struct Station {
    node: Box<dyn Node>,
    stats: NodeStats,
}

/// A way from one address to another.
#[derive(Debug)]
struct Path {
    source: SocketAddr,
    destination: SocketAddr,
    nodes: Arc<[NodeId]>,
    stats: PathStats,
    /// Raised when the destination moves away: what was on the way to the old address is lost.
    moves: u32,
    /// Whether the path takes datagrams. Its place is used again when it takes none and holds none.
    open: bool,
}

/// A datagram under way: before node `next` of its path, or through when there is no such node.
#[derive(Debug)]
struct Hop {
    path: usize,
    next: usize,
    moves: u32,
    source: SocketAddr,
    ecn: Ecn,
    payload: Vec<u8>,
}

/// All nodes and paths, and the datagrams on them.
///
/// A datagram costs one entry in the queue for each node that holds it, and one at its end; nodes that let it pass at once
/// cost a call.
#[derive(Debug, Default)]
pub struct Network {
    nodes: Vec<Station>,
    paths: Vec<Path>,
    paths_free: Vec<usize>,
    routes: BTreeMap<(SocketAddr, SocketAddr), usize>,
    /// The path of the last datagram sent: the next one mostly takes the same.
    last: usize,
    hops: Vec<Hop>,
    hops_free: Vec<u32>,
    /// Indices into `hops`.
    queue: Queue<u32>,
    /// No node was called for a later time.
    now: Instant,
    unroutable: u64,
    carries_ecn: bool,
    spare: Vec<Vec<u8>>,
}

impl Network {
    /// Takes a node in. It lies on no path yet.
    pub fn add(&mut self, node: Box<dyn Node>) -> NodeId {
        let id = u32::try_from(self.nodes.len()).expect("memory ends before ids do");
        let stats = NodeStats::default();
        self.nodes.push(Station { node, stats });
        NodeId(id)
    }

    /// From now on, datagrams keep their ECN field. Before, it is cleared at the door, as it is for hosts whose system cannot
    /// set it.
    pub fn carry_ecn(&mut self) {
        self.carries_ecn = true;
    }

    /// Lets datagrams from `source` to `destination` pass `nodes`, in order. A path of these ends that was there before
    /// takes no new datagrams; what is on it arrives.
    ///
    /// # Panics
    /// With a node of another network.
    pub fn connect(&mut self, source: SocketAddr, destination: SocketAddr, nodes: Vec<NodeId>) {
        assert!(nodes.iter().all(|id| (id.0 as usize) < self.nodes.len()));
        let path = Path {
            source,
            destination,
            nodes: nodes.into(),
            stats: PathStats::default(),
            moves: 0,
            open: true,
        };
        let index = match self.paths_free.pop() {
            Some(index) => {
                self.paths[index] = path;
                index
            }
            None => {
                self.paths.push(path);
                self.paths.len() - 1
            }
        };
        self.route(index);
    }

    /// Ends the path from `source` to `destination`: it takes no new datagrams; what is on it arrives. Says whether there
    /// was one.
    pub fn disconnect(&mut self, source: SocketAddr, destination: SocketAddr) -> bool {
        let index = self.routes.remove(&(source, destination));
        if let Some(index) = index {
            self.close(index);
        }
        index.is_some()
    }

    /// Gives whoever has the address `old` the address `new`, as a NAT that forgot its binding does, or a host that moves.
    /// All paths of `old` are paths of `new` now, with their nodes and figures; a path that `new` had to the same address
    /// ends. What is on its way to `old` is lost; what came from `old` arrives as from `old`.
    pub fn readdress(&mut self, old: SocketAddr, new: SocketAddr) {
        if old == new {
            return;
        }
        for path in &mut self.paths {
            path.moves += u32::from(path.destination == old);
        }
        let moved = |address| if address == old { new } else { address };
        let ends: Vec<_> = (self.routes.keys().copied())
            .filter(|&(source, destination)| source == old || destination == old)
            .collect();
        for (source, destination) in ends {
            if let Some(index) = self.routes.remove(&(source, destination)) {
                self.paths[index].source = moved(source);
                self.paths[index].destination = moved(destination);
                self.route(index);
            }
        }
    }

    /// An empty buffer for a payload, a used one when there is one.
    #[must_use]
    pub fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes back the payload of a datagram that was delivered, to be used again.
    pub fn recycle(&mut self, mut payload: Vec<u8>) {
        if self.spare.len() < SPARE_MAX && payload.capacity() > 0 {
            payload.clear();
            self.spare.push(payload);
        }
    }

    /// Puts a datagram on its path. Without one it is lost.
    pub fn send(&mut self, now: Instant, datagram: Datagram) {
        let Some(index) = self.path_of(datagram.source, datagram.destination) else {
            self.unroutable += 1;
            self.recycle(datagram.payload);
            return;
        };
        let at = self.now.max(now);
        let path = &mut self.paths[index];
        path.stats.sent += 1;
        path.stats.sent_bytes += datagram.payload.len() as u64;
        let moves = path.moves;
        let slot = self.insert(Hop {
            path: index,
            next: 0,
            moves,
            source: datagram.source,
            ecn: if self.carries_ecn {
                datagram.ecn
            } else {
                Ecn::NotEct
            },
            payload: datagram.payload,
        });
        // What is due before must come first to the nodes that both pass.
        let waits = self.queue.next_time().is_some_and(|first| first <= at);
        if waits || self.advance(at, slot) {
            self.queue.push(at, slot);
        }
    }

    /// When something moves next.
    #[must_use]
    pub fn next_time(&self) -> Option<Instant> {
        self.queue.next_time()
    }

    /// Moves what is due at `now`, until a datagram is through: that one is returned. Call until `None`.
    pub fn deliver(&mut self, now: Instant) -> Option<Datagram> {
        while let Some((at, slot)) = self.queue.pop_due(now) {
            if self.advance(at, slot)
                && let Some(datagram) = self.arrive(slot)
            {
                return Some(datagram);
            }
        }
        self.now = self.now.max(now);
        None
    }

    /// Figures of the present path from `source` to `destination`.
    #[must_use]
    pub fn stats(&self, source: SocketAddr, destination: SocketAddr) -> Option<PathStats> {
        let path = self.routes.get(&(source, destination))?;
        Some(self.paths[*path].stats)
    }

    /// The nodes of the present path from `source` to `destination`.
    #[must_use]
    pub fn nodes(&self, source: SocketAddr, destination: SocketAddr) -> Option<&[NodeId]> {
        let path = self.routes.get(&(source, destination))?;
        Some(&self.paths[*path].nodes)
    }

    /// Figures of a node.
    #[must_use]
    pub fn node_stats(&self, node: NodeId) -> NodeStats {
        self.nodes[node.0 as usize].stats
    }

    /// The queue of a node at `now`, or at the network's time when that is later.
    #[must_use]
    pub fn queue(&self, node: NodeId, now: Instant) -> QueueStats {
        self.nodes[node.0 as usize].node.queue(now.max(self.now))
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

    /// Makes the path the one of its ends.
    fn route(&mut self, index: usize) {
        let ends = (self.paths[index].source, self.paths[index].destination);
        if let Some(before) = self.routes.insert(ends, index) {
            self.close(before);
        }
    }

    fn path_of(&mut self, source: SocketAddr, destination: SocketAddr) -> Option<usize> {
        if let Some(path) = self.paths.get(self.last)
            && path.open
            && path.source == source
            && path.destination == destination
        {
            return Some(self.last);
        }
        self.last = *self.routes.get(&(source, destination))?;
        Some(self.last)
    }

    fn close(&mut self, index: usize) {
        self.paths[index].open = false;
        self.reclaim(index);
    }

    fn reclaim(&mut self, index: usize) {
        let path = &self.paths[index];
        if !path.open && path.stats.under_way() == 0 {
            self.paths_free.push(index);
        }
    }

    fn insert(&mut self, hop: Hop) -> u32 {
        if let Some(slot) = self.hops_free.pop() {
            self.hops[slot as usize] = hop;
            slot
        } else {
            self.hops.push(hop);
            u32::try_from(self.hops.len() - 1).expect("memory ends before slots do")
        }
    }

    /// Lets the datagram pass the nodes that do not hold it. True when it is through; otherwise it waits or is lost.
    fn advance(&mut self, at: Instant, slot: u32) -> bool {
        self.now = at;
        loop {
            let hop = &mut self.hops[slot as usize];
            let Some(node) = self.paths[hop.path].nodes.get(hop.next) else {
                return true;
            };
            hop.next += 1;
            let station = &mut self.nodes[node.0 as usize];
            let len = hop.payload.len();
            let fate = station.node.pass(at, &mut hop.payload);
            station.stats.count(len, fate);
            hop.ecn = station.node.remark(hop.ecn);
            let later = match fate {
                Fate::Lost => {
                    self.lose(slot);
                    return false;
                }
                Fate::At(later) => later,
                Fate::Twice(first, second) => {
                    let copy = self.copy(slot);
                    if first > at {
                        self.queue.push(first, slot);
                        self.queue.push(second.max(at), copy);
                        return false;
                    }
                    self.queue.push(second.max(at), copy);
                    at
                }
            };
            if later > at {
                self.queue.push(later, slot);
                return false;
            }
        }
    }

    fn copy(&mut self, slot: u32) -> u32 {
        let mut payload = self.buffer();
        let hop = &self.hops[slot as usize];
        payload.extend_from_slice(&hop.payload);
        let copy = Hop { payload, ..*hop };
        self.paths[copy.path].stats.copied += 1;
        self.insert(copy)
    }

    fn lose(&mut self, slot: u32) {
        let hop = &mut self.hops[slot as usize];
        let (path, payload) = (hop.path, std::mem::take(&mut hop.payload));
        self.hops_free.push(slot);
        self.recycle(payload);
        self.paths[path].stats.lost += 1;
        self.reclaim(path);
    }

    fn arrive(&mut self, slot: u32) -> Option<Datagram> {
        let hop = &mut self.hops[slot as usize];
        let (index, path) = (hop.path, &mut self.paths[hop.path]);
        if hop.moves != path.moves {
            self.lose(slot);
            return None;
        }
        path.stats.delivered += 1;
        path.stats.delivered_bytes += hop.payload.len() as u64;
        let datagram = Datagram {
            source: hop.source,
            destination: path.destination,
            ecn: hop.ecn,
            payload: std::mem::take(&mut hop.payload),
        };
        self.hops_free.push(slot);
        self.reclaim(index);
        Some(datagram)
    }
}
