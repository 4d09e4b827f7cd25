use std::fmt;

use proto_core::{Ecn, Instant};

/// What a node does to datagrams: lose, double, change or hold them.
pub trait Node: Send + fmt::Debug {
    /// A datagram arrives at `now`; calls never go back in time. The node may change its payload.
    fn pass(&mut self, now: Instant, payload: &mut Vec<u8>) -> Fate;

    /// The ECN field with which the datagram of the last [`pass`](Self::pass) goes on, if it does; it came with `ecn`.
    fn remark(&mut self, ecn: Ecn) -> Ecn {
        ecn
    }

    /// What waits in this node at `now`, which no call of `pass` is later than. A node without a queue says zeroes.
    fn queue(&self, _now: Instant) -> QueueStats {
        QueueStats::default()
    }
}

/// Where a datagram goes after a node. A time before the arrival means the arrival.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Nowhere.
    Lost,
    /// On, at this time.
    At(Instant),
    /// On, twice: at the first time and, as a copy, at the second.
    Twice(Instant, Instant),
}

/// The queue of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct QueueStats {
    /// Bytes that wait, without the datagram on the wire, with the overhead of each.
    pub bytes: u64,
    /// Datagrams that wait.
    pub packets: u64,
    /// The most bytes that ever waited.
    pub bytes_max: u64,
    /// The most datagrams that ever waited.
    pub packets_max: u64,
}

/// Figures of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NodeStats {
    /// Datagrams that arrived.
    pub entered: u64,
    /// Bytes that arrived.
    pub entered_bytes: u64,
    /// Datagrams that the node lost.
    pub lost: u64,
    /// Bytes of them.
    pub lost_bytes: u64,
    /// Copies that the node made.
    pub copied: u64,
}

impl NodeStats {
    pub(super) fn count(&mut self, len: usize, fate: Fate) {
        self.entered += 1;
        self.entered_bytes += len as u64;
        match fate {
            Fate::Lost => {
                self.lost += 1;
                self.lost_bytes += len as u64;
            }
            Fate::At(_) => {}
            Fate::Twice(..) => self.copied += 1,
        }
    }
}

/// Figures of a path. `sent` + `copied` = `delivered` + `lost` + what is under way.
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
    /// Copies that nodes made.
    pub copied: u64,
    /// Datagrams and copies that were lost, in a node or because their destination moved away.
    pub lost: u64,
}

impl PathStats {
    /// Datagrams under way.
    #[must_use]
    pub fn under_way(&self) -> u64 {
        self.sent + self.copied - self.delivered - self.lost
    }
}
