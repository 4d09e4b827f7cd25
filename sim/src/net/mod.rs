//! The network: addresses joined by paths, a path being a list of nodes that lose, double, change or hold datagrams.
//!
//! Nodes live in the network and are named by ids, so that several paths can pass the same one: a shared bottleneck. All
//! is integer arithmetic on nanoseconds, and what happens at one time happens in the order in which it was caused.

mod chance;
mod corrupt;
mod datagram;
mod delay;
mod drop_list;
mod duplicate;
mod ecn;
mod gilbert_elliott;
mod jitter;
mod loss;
mod mtu;
mod network;
mod node;
mod outage;
mod rate;
mod reorder;
mod schedule;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod truncate;
mod until;

pub use corrupt::Corrupt;
pub use datagram::Datagram;
pub use delay::Delay;
pub use drop_list::DropList;
pub use duplicate::Duplicate;
pub use ecn::{AllMarked, Bleach};
pub use gilbert_elliott::{Bursts, GilbertElliott};
pub use jitter::Jitter;
pub use loss::Loss;
pub use mtu::Mtu;
pub use network::{Network, NodeId};
pub use node::{Fate, Node, NodeStats, PathStats, QueueStats};
pub use outage::{Outage, Window};
pub use rate::{QueueLimit, Rate};
pub use reorder::Reorder;
pub use schedule::Schedule;
pub use truncate::Truncate;
pub use until::Until;
