//! Runs a measurement.

use proto_core::{Duration, Instant};

use super::flow::Flow;
use super::{End, Measurement, Outcome};
use crate::lab::{Happening, Lab, Violation};
use crate::net::{Delay, NodeId};
use crate::rng::Rng;

/// Closer samples would cost more than the run.
const SAMPLE_MIN: Duration = Duration::from_micros(1);

/// Runs `plan` to the end of its last flow. The same plan gives the same outcome, byte for byte.
///
/// # Errors
/// Something that must not happen: a bug in the core or the simulator. What a flow may rightly fail of is in its
/// [`End`].
pub fn measure(plan: &Measurement) -> Result<Outcome, Violation> {
    let mut lab = Lab::new(plan.seed);
    // Worlds (`explore`) look for bugs; here, with thousands of packets in flight, looking would take most of the time.
    lab.set_audits(false);
    let mut flows = build(&mut lab, plan);
    let every = plan.sample_every.max(SAMPLE_MIN);
    let end = Instant::ZERO + plan.time_max;
    let mut sample_at = Instant::ZERO;
    while flows.iter().any(|flow| !flow.is_over()) && lab.now() < end {
        for flow in &mut flows {
            flow.act(&mut lab).map_err(|what| lab.violation(what))?;
        }
        let planned = flows.iter().filter_map(Flow::next_time).min();
        let until = planned.into_iter().chain([sample_at, end]).min();
        match lab.next(until.unwrap_or(end))? {
            Happening::Event(host, event) => {
                if let Some(flow) = flows.iter_mut().find(|flow| flow.owns(host)) {
                    let done = flow.on_event(&mut lab, host, event);
                    done.map_err(|what| lab.violation(what))?;
                }
            }
            Happening::Appeared(..) => {}
            Happening::Until if lab.now() >= sample_at => {
                for flow in &mut flows {
                    flow.sample(&mut lab);
                }
                sample_at += every;
            }
            Happening::Until => {}
        }
    }
    for flow in flows.iter_mut().filter(|flow| !flow.is_over()) {
        flow.finish(&mut lab, End::OutOfTime);
    }
    Ok(Outcome {
        flows: flows.into_iter().map(Flow::into_outcome).collect(),
        elapsed: lab.now().since(Instant::ZERO),
        digest: lab.digest(),
    })
}

/// The hosts of all flows, with the link between them.
fn build(lab: &mut Lab, plan: &Measurement) -> Vec<Flow> {
    let mut rng = Rng::new(plan.seed, 0x3ea5);
    let (up_rng, down_rng) = (&mut rng.fork(), &mut rng.fork());
    let up = plan.link.up.build(lab.network(), up_rng);
    let down = plan.link.down.build(lab.network(), down_rng);
    let mut flows = Vec::new();
    for (index, flow) in plan.flows.iter().enumerate() {
        let made = Flow::new(lab, index, *flow, plan.datagram_size, &mut rng);
        let (here, there) = made.addresses();
        let mut way = |link: &[NodeId]| {
            let mut nodes = link.to_vec();
            if !flow.extra_delay.is_zero() {
                let own = Delay::new(flow.extra_delay);
                nodes.push(lab.network().add(Box::new(own)));
            }
            nodes
        };
        let (up, down) = (way(&up), way(&down));
        lab.network().connect(here, there, up);
        lab.network().connect(there, here, down);
        flows.push(made);
    }
    flows
}
