//! Measurements in virtual time: flows over a link, what they got of it and what they did to it.
//!
//! Each flow is one transfer between two hosts of its own, with sessions of the null crypto and disks without latency, so
//! that only the link and the congestion control decide. Flows share the link: they pass the same nodes, its bottleneck's
//! queue among them.

mod algorithm;
mod chart;
mod describe;
mod exchange;
mod file;
mod flow;
pub(crate) mod parallel;
mod run;
mod table;
#[cfg(test)]
mod tests;

use proto_core::{CongestionControl, Duration};

pub use algorithm::{ALGORITHMS, algorithm_name, algorithm_named};
pub use chart::chart;
pub use exchange::{Exchange, Lost};
pub use file::PlanFile;
pub use run::measure;
pub use table::{Cell, Depth, Format, Load, Point, Table};

use crate::link::{Link, LinkPlan};

/// What is measured.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// The way between all clients and all servers.
    pub link: Link,
    /// The transfers.
    pub flows: Vec<FlowPlan>,
    /// All randomness follows from it.
    pub seed: u64,
    /// From one sample to the next; at least 1 µs.
    pub sample_every: Duration,
    /// UDP payload that datagrams may grow to: they begin with 1,200 bytes, and the path is probed.
    pub datagram_size: u16,
    /// When the measurement ends in any case.
    pub time_max: Duration,
}

impl Measurement {
    /// The UDP payload of full datagrams over `link`: 1,452 bytes, or less where the link takes less.
    #[must_use]
    pub fn datagram_size_for(link: &Link) -> u16 {
        let mtu = |plan: &LinkPlan| plan.mtu.as_ref().map(|mtu| mtu.payload);
        let least = mtu(&link.up).into_iter().chain(mtu(&link.down)).min();
        let least = least.map_or(u16::MAX, |bytes| u16::try_from(bytes).unwrap_or(u16::MAX));
        least.clamp(1_200, 1_452)
    }
}

/// One transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowPlan {
    /// When its client begins to connect.
    pub start: Duration,
    /// How long it goes on.
    pub amount: Amount,
    /// Which way its bytes go.
    pub way: Way,
    /// The sender's congestion control.
    pub congestion: CongestionControl,
    /// Delay of its own in each direction, beside the link's.
    pub extra_delay: Duration,
}

/// How much a flow hauls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Amount {
    /// A file of so many bytes.
    Bytes(u64),
    /// As much as goes in so long from the flow's start.
    Time(Duration),
}

/// A flow's direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// The client gets: from the server's end of the link to the client's.
    Down,
    /// The client puts.
    Up,
}

/// What was seen at one time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    /// When, from the measurement's start.
    pub at: Duration,
    /// File bytes that the sender knows to have arrived, so far.
    pub delivered: u64,
    /// The sender's congestion window, bytes.
    pub window: u64,
    /// Bytes in flight.
    pub in_flight: u64,
    /// The sender's smoothed round-trip time.
    pub rtt: Duration,
    /// Bytes that wait in the flow's direction of the link.
    pub queue: u64,
    /// Packets found lost, so far.
    pub lost: u64,
}

/// How a flow ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// All of the file arrived, so long after the flow's start.
    Completed(Duration),
    /// The flow's time was over.
    Stopped,
    /// The measurement's time was over first.
    OutOfTime,
    /// The session or the transfer failed.
    Failed(String),
}

/// What a flow came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FlowOutcome {
    /// How it ended.
    pub end: End,
    /// File bytes that arrived.
    pub delivered: u64,
    /// From the flow's start, handshake included, to its end.
    pub elapsed: Duration,
    /// File bytes that were sent again.
    pub resent: u64,
    /// Datagrams that the sender of the file put on the link.
    pub datagrams: u64,
    /// Their bytes with the headers of IP and UDP.
    pub wire_bytes: u64,
    /// Bytes with headers on the way back.
    pub return_bytes: u64,
    /// Packets that the sender found lost.
    pub lost: u64,
    /// Datagrams of the sender's that the link lost, or had no room for.
    pub dropped: u64,
    /// When the sender learned of how many delivered file bytes, at most once between two samples.
    pub deliveries: Vec<(Duration, u64)>,
    /// In order of time.
    pub samples: Vec<Sample>,
}

impl FlowOutcome {
    /// File bytes in bits per second over the flow's time.
    #[must_use]
    pub fn goodput(&self) -> u64 {
        bits_per_second(self.delivered, self.elapsed)
    }

    /// File bits per second from `from` to `until`, as the samples tell; 0 without two of them in between.
    #[must_use]
    pub fn goodput_in(&self, from: Duration, until: Duration) -> u64 {
        let mut within = (self.samples.iter()).filter(|of| (from..=until).contains(&of.at));
        let (first, last) = (within.next(), within.next_back());
        let (Some(first), Some(last)) = (first, last) else {
            return 0;
        };
        bits_per_second(last.delivered - first.delivered, last.at - first.at)
    }

    /// The mean of the samples' queues, bytes.
    #[must_use]
    pub fn queue_mean(&self) -> u64 {
        let sum: u64 = self.samples.iter().map(|sample| sample.queue).sum();
        sum / (self.samples.len() as u64).max(1)
    }

    /// The greatest of the samples' queues, bytes.
    #[must_use]
    pub fn queue_max(&self) -> u64 {
        let queues = self.samples.iter().map(|sample| sample.queue);
        queues.max().unwrap_or(0)
    }
}

/// What a measurement came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// In the order of the plan.
    pub flows: Vec<FlowOutcome>,
    /// Virtual time from the start to the end of the last flow.
    pub elapsed: Duration,
    /// Checksum over every datagram with its time.
    pub digest: u64,
}

impl Outcome {
    /// Jain's fairness index of the flows' goodputs in parts of a million: 1,000,000 when all are the same, and one n-th of
    /// that when one of n has everything (Jain, Chiu, Hawe 1984).
    #[must_use]
    pub fn fairness(&self) -> u32 {
        let goodputs: Vec<u64> = self.flows.iter().map(FlowOutcome::goodput).collect();
        jain(&goodputs)
    }
}

/// Jain's fairness index in parts of a million; 1,000,000 for nothing at all.
#[must_use]
pub fn jain(shares: &[u64]) -> u32 {
    // Shares below 2^48 keep every sum within 128 bits for up to 2^32 of them.
    let shares = shares.iter().map(|share| u128::from((*share).min(1 << 48)));
    let sum: u128 = shares.clone().sum();
    let squares: u128 = shares.clone().map(|share| share * share).sum();
    let count = shares.len() as u128;
    let index = (sum * sum).checked_div(count * squares / 1_000_000);
    index.map_or(1_000_000, |index| index.min(1_000_000) as u32)
}

/// Bytes in a time as a rate; 0 for no time.
fn bits_per_second(bytes: u64, time: Duration) -> u64 {
    let bits = u128::from(bytes) * 8 * 1_000_000_000;
    let rate = bits.checked_div(time.as_nanos()).unwrap_or(0);
    u64::try_from(rate).unwrap_or(u64::MAX)
}
