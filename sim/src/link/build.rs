use std::net::SocketAddr;

use proto_core::{Duration, Ecn, Instant};

use super::{Link, LinkPlan, MtuPlan, RatePlan, Remark};
use crate::net::{
    AllMarked, Bleach, Corrupt, Delay, DropList, Duplicate, GilbertElliott, Jitter, Loss, Mtu,
    Network, Node, NodeId, Outage, Rate, Reorder, Schedule, Truncate, Until,
};
use crate::rng::Rng;

impl LinkPlan {
    /// Adds the link's nodes to the network, without those that would do nothing. The result is a path, and may be part
    /// of several.
    pub fn build(&self, network: &mut Network, rng: &mut Rng) -> Vec<NodeId> {
        let mut builder = Builder {
            network,
            nodes: Vec::new(),
            healed: self.faults_until.map(|after| Instant::ZERO + after),
        };
        self.build_faults(&mut builder, rng);
        if let Some(plan) = &self.rate {
            let node = plan.node();
            builder.add(node.with_marks_above(self.marks_above.unwrap_or(u64::MAX)));
        }
        if self.loss_after_rate {
            self.build_losses(&mut builder, rng);
        }
        if !self.delay.is_zero() {
            builder.add(Delay::new(self.delay));
        }
        if !self.jitter.is_zero() {
            let rng = rng.fork();
            builder.add(if self.jitter_reorders {
                Jitter::reordering(self.jitter, rng)
            } else {
                Jitter::in_order(self.jitter, rng)
            });
        }
        if let Some(remark) = self.remarks {
            builder.add(AllMarked(match remark {
                Remark::Ce => Ecn::Ce,
                Remark::Ect1 => Ecn::Ect1,
            }));
        }
        if self.bleach {
            builder.add(Bleach);
        }
        builder.nodes
    }

    fn build_losses(&self, to: &mut Builder<'_>, rng: &mut Rng) {
        if self.loss > 0 {
            let loss = Loss::new(self.loss, rng.fork());
            to.fault(loss.with_run_max(self.loss_run.unwrap_or(u32::MAX)));
        }
        if let Some(bursts) = self.bursts {
            to.fault(GilbertElliott::new(bursts, rng.fork()));
        }
    }

    fn build_faults(&self, to: &mut Builder<'_>, rng: &mut Rng) {
        if !self.drop.is_empty() {
            to.fault(DropList::new(self.drop.clone()));
        }
        if !self.outages.is_empty() {
            to.fault(Outage::new(self.outages.clone(), self.outage_period));
        }
        if let Some(plan) = &self.mtu {
            to.add(plan.node());
        }
        if !self.loss_after_rate {
            self.build_losses(to, rng);
        }
        if self.duplicate > 0 {
            to.fault(Duplicate::new(self.duplicate, rng.fork()));
        }
        if self.corrupt > 0 {
            let corrupt = Corrupt::new(self.corrupt, rng.fork());
            let corrupt = corrupt.with_run_max(self.corrupt_run.unwrap_or(u32::MAX));
            to.fault(corrupt.with_within(self.corrupt_within.unwrap_or(u32::MAX)));
        }
        if self.truncate > 0 {
            to.fault(Truncate::new(self.truncate, rng.fork()));
        }
        if self.reorder > 0 {
            to.fault(Reorder::new(self.reorder, self.reorder_extra, rng.fork()));
        }
    }
}

impl RatePlan {
    fn node(&self) -> Rate {
        let changes = self
            .changes
            .iter()
            .map(|change| (change.at, change.bandwidth));
        let rates = schedule(self.bandwidth, changes, self.period);
        Rate::varying(rates, self.queue).with_overhead(self.overhead)
    }
}

impl MtuPlan {
    fn node(&self) -> Mtu {
        let changes = self
            .changes
            .iter()
            .map(|change| (change.at, change.payload));
        Mtu::new(schedule(self.payload, changes, self.period))
    }
}

fn schedule<T: Copy>(
    first: T,
    changes: impl Iterator<Item = (Duration, T)>,
    period: Option<Duration>,
) -> Schedule<T> {
    Schedule::new(first, changes.collect(), period)
}

impl Link {
    /// Builds both directions and connects `client` and `server` by them. Returns the nodes up and down.
    pub fn connect(
        &self,
        network: &mut Network,
        client: SocketAddr,
        server: SocketAddr,
        rng: &mut Rng,
    ) -> (Vec<NodeId>, Vec<NodeId>) {
        let up = self.up.build(network, &mut rng.fork());
        let down = self.down.build(network, &mut rng.fork());
        network.connect(client, server, up.clone());
        network.connect(server, client, down.clone());
        (up, down)
    }
}

struct Builder<'a> {
    network: &'a mut Network,
    nodes: Vec<NodeId>,
    healed: Option<Instant>,
}

impl Builder<'_> {
    fn add(&mut self, node: impl Node + 'static) {
        self.nodes.push(self.network.add(Box::new(node)));
    }

    fn fault(&mut self, node: impl Node + 'static) {
        match self.healed {
            None => self.add(node),
            Some(healed) => self.add(Until::new(node, healed)),
        }
    }
}
