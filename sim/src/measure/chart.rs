//! An outcome as a picture.

use std::time::Duration;

use super::describe::{describe, queue_bytes};
use super::{FlowOutcome, FlowPlan, Measurement, Outcome, Sample, Way, algorithm_name};
use crate::link::{LinkPlan, RatePlan};
use crate::plot::{Chart, Curve, Limit, Marks, Panel, Unit};

/// Goodput is averaged over this part of the whole time, and over a sample at least.
const GOODPUT_PARTS: u32 = 150;
/// Changes of a link's rate that are drawn at most.
const CHANGES_MAX: usize = 10_000;

/// The time chart of `outcome`: goodput, congestion window, bytes in flight, queue and round-trip time.
#[must_use]
pub fn chart(title: &str, plan: &Measurement, outcome: &Outcome) -> Chart {
    Chart {
        title: title.into(),
        subtitle: describe(&plan.link),
        flows: plan.flows.iter().map(flow_name).collect(),
        end: outcome.elapsed.as_secs_f64(),
        panels: panels(plan, outcome),
    }
}

fn flow_name(flow: &FlowPlan) -> String {
    let mut name = algorithm_name(flow.congestion).to_owned();
    if flow.way == Way::Up {
        name.push_str(" (put)");
    }
    if !flow.start.is_zero() {
        let start = Unit::Seconds.show(flow.start.as_secs_f64());
        name.push_str(&format!(" from {start} on"));
    }
    if !flow.extra_delay.is_zero() {
        let extra = Unit::Seconds.show((flow.extra_delay * 2).as_secs_f64());
        name.push_str(&format!(", {extra} further away"));
    }
    name
}

/// The direction of the link that the first flow's bytes take.
fn main_way(plan: &Measurement) -> &LinkPlan {
    match plan.flows.first().map(|flow| flow.way) {
        Some(Way::Up) => &plan.link.up,
        _ => &plan.link.down,
    }
}

fn panels(plan: &Measurement, outcome: &Outcome) -> Vec<Panel> {
    let over = outcome.elapsed / GOODPUT_PARTS;
    let wire = main_way(plan).rate.as_ref();
    let mut goodput = panel(
        "Goodput",
        Unit::BitsPerSecond,
        curves(outcome, |flow| goodputs(&flow.deliveries, over)),
    );
    goodput.limits = wire
        .map(|wire| rate_limit(wire, outcome))
        .into_iter()
        .collect();
    let mut window = panel(
        "Congestion window",
        Unit::Bytes,
        sampled(outcome, |s| s.window as f64),
    );
    window.marks = Some(Marks {
        name: "packets found lost",
        at: losses(outcome),
    });
    let in_flight = panel(
        "Bytes in flight",
        Unit::Bytes,
        sampled(outcome, |s| s.in_flight as f64),
    );
    let mut queue = panel("Queue", Unit::Bytes, queue_curves(plan, outcome));
    if let Some(bytes) = wire.map(|wire| queue_bytes(wire.queue, plan.datagram_size)) {
        queue.limits = vec![constant("room", Unit::Bytes, bytes as f64)];
    }
    let mut rtt = panel(
        "Round-trip time, smoothed",
        Unit::Seconds,
        sampled(outcome, |s| s.rtt.as_secs_f64()),
    );
    let way = (plan.link.up.delay + plan.link.down.delay).as_secs_f64();
    rtt.limits = vec![constant("of the way alone", Unit::Seconds, way)];
    vec![goodput, window, in_flight, queue, rtt]
}

fn panel(name: &'static str, unit: Unit, curves: Vec<Curve>) -> Panel {
    Panel {
        name,
        unit,
        curves,
        limits: Vec::new(),
        marks: None,
    }
}

fn constant(name: &str, unit: Unit, value: f64) -> Limit {
    Limit {
        name: format!("{name}: {}", unit.show(value)),
        points: vec![(0.0, value)],
    }
}

/// The link's rate, in steps where it changes.
fn rate_limit(wire: &RatePlan, outcome: &Outcome) -> Limit {
    if wire.changes.is_empty() {
        return constant("link", Unit::BitsPerSecond, wire.bandwidth as f64);
    }
    let mut points = vec![(0.0, wire.bandwidth as f64)];
    let mut began = Duration::ZERO;
    while began < outcome.elapsed && points.len() < CHANGES_MAX {
        for change in &wire.changes {
            step(&mut points, began + change.at, change.bandwidth);
        }
        let Some(period) = wire.period else { break };
        began += period;
        step(&mut points, began, wire.bandwidth);
    }
    points.retain(|(at, _)| *at <= outcome.elapsed.as_secs_f64());
    Limit {
        name: "link".into(),
        points,
    }
}

fn step(points: &mut Vec<(f64, f64)>, at: Duration, bandwidth: u64) {
    let at = at.as_secs_f64();
    points.extend(points.last().map(|(_, before)| (at, *before)));
    points.push((at, bandwidth as f64));
}

fn curves(outcome: &Outcome, points: impl Fn(&FlowOutcome) -> Vec<(f64, f64)>) -> Vec<Curve> {
    let flows = outcome.flows.iter().enumerate();
    let curves = flows.map(|(index, flow)| Curve {
        flow: Some(index),
        points: points(flow),
    });
    curves.collect()
}

fn sampled(outcome: &Outcome, value: impl Fn(&Sample) -> f64) -> Vec<Curve> {
    curves(outcome, |flow| {
        let samples = flow.samples.iter();
        samples.map(|s| (s.at.as_secs_f64(), value(s))).collect()
    })
}

/// Bits per second over spans of at least `over` between deliveries, each at the middle of its span.
fn goodputs(deliveries: &[(Duration, u64)], over: Duration) -> Vec<(f64, f64)> {
    let Some((mut from, rest)) = deliveries.split_first() else {
        return Vec::new();
    };
    let mut points = Vec::new();
    for to in rest {
        let span = to.0.saturating_sub(from.0);
        if span >= over && !span.is_zero() {
            let bits = to.1.saturating_sub(from.1) as f64 * 8.0;
            let middle = (from.0 + span / 2).as_secs_f64();
            points.push((middle, bits / span.as_secs_f64()));
            from = to;
        }
    }
    points
}

/// When a flow's count of lost packets rose.
fn losses(outcome: &Outcome) -> Vec<(usize, f64)> {
    let of_flow = |(index, flow): (usize, &FlowOutcome)| {
        let pairs = flow.samples.windows(2);
        let risen = pairs.filter(|pair| pair[1].lost > pair[0].lost);
        let times = risen.map(|pair| (index, pair[1].at.as_secs_f64()));
        times.collect::<Vec<_>>()
    };
    outcome.flows.iter().enumerate().flat_map(of_flow).collect()
}

/// One curve for each direction in which flows go: whoever looks at the queue sees the same.
fn queue_curves(plan: &Measurement, outcome: &Outcome) -> Vec<Curve> {
    let of_way = |way: Way| {
        let flows = plan.flows.iter().zip(&outcome.flows);
        let flows = flows.filter(|(flow, _)| flow.way == way);
        let samples = flows.flat_map(|(_, outcome)| &outcome.samples);
        let mut samples: Vec<(Duration, u64)> = samples.map(|s| (s.at, s.queue)).collect();
        samples.sort_unstable();
        samples.dedup();
        let points = samples.into_iter();
        let points = points.map(|(at, queue)| (at.as_secs_f64(), queue as f64));
        Curve {
            flow: None,
            points: points.collect(),
        }
    };
    let curves = [Way::Down, Way::Up].map(of_way).into_iter();
    curves.filter(|curve| !curve.points.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{QueueLimit, RateChange};

    #[test]
    fn goodput_is_averaged_over_spans() {
        let at = |ms: u64, bytes| (Duration::from_millis(ms), bytes);
        let deliveries = [at(0, 0), at(50, 900), at(100, 1_000), at(150, 2_000)];
        let points = goodputs(&deliveries, Duration::from_millis(100));
        assert_eq!(points, [(0.05, 80_000.0)]);
        assert!(goodputs(&[], Duration::ZERO).is_empty());
    }

    #[test]
    fn a_changing_rate_is_drawn_in_steps() {
        let change = RateChange {
            at: Duration::from_secs(1),
            bandwidth: 5_000,
        };
        let wire = RatePlan {
            changes: vec![change],
            period: Some(Duration::from_secs(2)),
            ..RatePlan::new(9_000, QueueLimit::Packets(1))
        };
        let outcome = Outcome {
            flows: Vec::new(),
            elapsed: Duration::from_millis(3_500),
            digest: 0,
        };
        let (high, low) = (9_000.0, 5_000.0);
        let steps = [
            (0.0, high),
            (1.0, high),
            (1.0, low),
            (2.0, low),
            (2.0, high),
            (3.0, high),
            (3.0, low),
        ];
        assert_eq!(rate_limit(&wire, &outcome).points, steps);
    }
}
