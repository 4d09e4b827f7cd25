//! What a link does to datagrams.

use proto_core::Duration;

use crate::net::{Corrupt, Delay, Duplicate, Loss, Node, Rate, Reorder, Truncate};
use crate::rng::Rng;

/// One direction of a link. Rates of faults are of 1,000,000 datagrams.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LinkPlan {
    /// Fixed delay.
    pub delay: Duration,
    /// Random delay on top, at most.
    pub jitter: Duration,
    /// Lost.
    pub loss: u32,
    /// Held back.
    pub reorder: u32,
    /// For how long at most.
    pub reorder_extra: Duration,
    /// Doubled.
    pub duplicate: u32,
    /// Changed.
    pub corrupt: u32,
    /// Cut.
    pub truncate: u32,
    /// Bits per second, and bytes of the queue.
    pub rate: Option<(u64, u64)>,
}

impl LinkPlan {
    /// A one-way delay of 0 to 200 ms.
    pub(super) fn draw_delay(rng: &mut Rng) -> Duration {
        if rng.one_in(20) {
            Duration::ZERO
        } else {
            let magnitude = rng.between(1, 14);
            let delay = rng.between(10_000, 10_000 << magnitude);
            Duration::from_nanos(delay).min(Duration::from_millis(200))
        }
    }

    /// A link of this delay with any combination of faults: loss up to 30 %, reordering and duplication up to 20 %,
    /// corruption up to 10 %, truncation up to 2 %.
    pub(super) fn draw(rng: &mut Rng, delay: Duration) -> Self {
        let mut fault = |max| {
            if rng.one_in(2) {
                rng.log_uniform(max) as u32
            } else {
                0
            }
        };
        let (loss, reorder, duplicate) = (fault(300_000), fault(200_000), fault(200_000));
        let (corrupt, truncate) = (fault(100_000), fault(20_000));
        let jitter_max = delay.as_nanos() as u64 / 2;
        let jitter = if rng.one_in(2) {
            rng.below(jitter_max + 1)
        } else {
            0
        };
        let rate = rng.one_in(3).then(|| {
            let bits_per_second = 500_000 << rng.between(0, 8);
            let queue_bytes = rng.between(12_000, 400_000);
            (bits_per_second, queue_bytes)
        });
        // The worst case comes up often enough to be met in a few hundred seeds.
        let loss = if rng.one_in(12) { 300_000 } else { loss };
        Self {
            delay,
            jitter: Duration::from_nanos(jitter),
            loss,
            reorder,
            reorder_extra: Duration::from_nanos(rng.log_uniform(200_000_000).max(1_000)),
            duplicate,
            corrupt,
            truncate,
            rate,
        }
    }

    /// The link's nodes, without those that would do nothing.
    #[must_use]
    pub fn nodes(&self, rng: &mut Rng) -> Vec<Box<dyn Node>> {
        let mut nodes: Vec<Box<dyn Node>> = Vec::new();
        if self.loss > 0 {
            nodes.push(Box::new(Loss::new(self.loss, rng.fork())));
        }
        if self.duplicate > 0 {
            nodes.push(Box::new(Duplicate::new(self.duplicate, rng.fork())));
        }
        if self.corrupt > 0 {
            nodes.push(Box::new(Corrupt::new(self.corrupt, rng.fork())));
        }
        if self.truncate > 0 {
            nodes.push(Box::new(Truncate::new(self.truncate, rng.fork())));
        }
        if self.reorder > 0 {
            let reorder = Reorder::new(self.reorder, self.reorder_extra, rng.fork());
            nodes.push(Box::new(reorder));
        }
        if let Some((bits_per_second, queue_bytes)) = self.rate {
            nodes.push(Box::new(Rate::new(bits_per_second, queue_bytes)));
        }
        if !self.delay.is_zero() || !self.jitter.is_zero() {
            nodes.push(Box::new(Delay::new(self.delay, self.jitter, rng.fork())));
        }
        nodes
    }
}
