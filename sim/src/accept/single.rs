//! One flow alone on its link.

use proto_core::{CongestionControl, Duration};

use super::{Case, Demand, Line, Unit, depth, measured, name, plan, point, ratio, seconds};
use crate::link::{Bursts, LinkPlan};
use crate::measure::{
    Amount, Depth, End, FlowOutcome, FlowPlan, Measurement, Point, Way, algorithm_name,
};

/// The payload of a full packet: what a datagram of 1,472 bytes carries of a file.
const SEGMENT: f64 = 1_430.0;
/// When a steady state has been reached at the latest, and when it has been seen for long enough.
const STEADY: (Duration, Duration) = (seconds(10), seconds(40));
/// The same for CUBIC, whose windows swing over minutes.
const STEADY_CUBIC: (Duration, Duration) = (seconds(60), seconds(660));

/// One download from the beginning.
pub(super) fn flow(congestion: CongestionControl, amount: Amount) -> FlowPlan {
    FlowPlan {
        start: Duration::ZERO,
        amount,
        way: Way::Down,
        congestion,
        extra_delay: Duration::ZERO,
    }
}

/// The only flow of a measurement.
fn alone(
    plan: Measurement,
    congestion: CongestionControl,
    amount: Amount,
) -> Result<FlowOutcome, String> {
    let flows = vec![flow(congestion, amount)];
    let outcome = measured(&Measurement { flows, ..plan })?;
    let flow = outcome.flows.into_iter().next().ok_or("no flow ran")?;
    match flow.end {
        End::Failed(cause) => Err(format!("the flow failed: {cause}")),
        _ => Ok(flow),
    }
}

pub(super) fn cases(control: CongestionControl) -> Vec<Case> {
    let mut all = whole_transfers(control);
    all.extend(buffers(control));
    all.extend(steady(control));
    all.push(queue_alone(control));
    all.push(reordering(control));
    all.push(heavy_loss(control));
    all
}

fn is_bbr(control: CongestionControl) -> bool {
    algorithm_name(control) == "bbr"
}

/// Goodput and wire bytes of whole transfers of 10 to 20 s.
struct Whole {
    point: Point,
    bdp: u32,
    /// Seconds that the file would take if it were all that is on the wire.
    seconds: f64,
    bursts: Option<Bursts>,
    share: f64,
    /// Mean loss; `None` where wire bytes are not asked for.
    wire_loss: Option<f64>,
}

impl Whole {
    fn usual(point: Point, share: f64) -> Self {
        Self {
            point,
            bdp: 1_000,
            seconds: 14.0,
            bursts: None,
            share,
            wire_loss: Some(f64::from(point.loss) / 1e6),
        }
    }

    fn case(self, control: CongestionControl) -> Case {
        let mut title = name(self.point);
        if let Some(bursts) = &self.bursts {
            let (mean, len) = (bursts.mean_loss(), 1_000_000 / bursts.to_good);
            title = format!(
                "{title}, bursts of {len}, mean {} %",
                f64::from(mean / 100) / 1e2
            );
        }
        if self.bdp != 1_000 {
            title = format!("{title}, {}", depth(self.bdp));
        }
        Case::new(title, algorithm_name(control), move |case, seed| {
            self.lines(case, seed, control)
        })
    }

    fn lines(
        &self,
        case: &Case,
        seed: u64,
        control: CongestionControl,
    ) -> Result<Vec<Line>, String> {
        let size = (self.point.rate as f64 / 8.0 * self.seconds) as u64;
        let mut plan = plan(self.point, self.bdp, seed, seconds(40));
        for way in [&mut plan.link.up, &mut plan.link.down] {
            way.bursts = self.bursts;
        }
        let flow = alone(plan, control, Amount::Bytes(size))?;
        let asked = is_bbr(control);
        let share = ratio(flow.goodput(), self.point.rate);
        let demand = Demand::AtLeast(self.share).of(asked);
        let mut lines = vec![case.line("goodput, share of the link", share, Unit::Ratio, demand)];
        if let Some(loss) = self.wire_loss {
            let most = if loss > 0.0 {
                1.08 / (1.0 - loss)
            } else {
                1.06
            };
            let wire = ratio(flow.wire_bytes, flow.delivered);
            let demand = Demand::AtMost(most).of(asked);
            lines.push(case.line("wire bytes over file bytes", wire, Unit::Ratio, demand));
        }
        if self.bdp > 1_000 {
            lines.push(queue(case, self.point, &flow, asked));
        }
        Ok(lines)
    }
}

/// The mean standing queue, which may be half a round trip.
fn queue(case: &Case, point: Point, flow: &FlowOutcome, asked: bool) -> Line {
    let wait = flow.queue_mean() as f64 * 8.0 / point.rate as f64;
    let demand = Demand::AtMost(point.rtt.as_secs_f64() / 2.0).of(asked);
    case.line("mean standing queue", wait, Unit::Millis, demand)
}

fn whole_transfers(control: CongestionControl) -> Vec<Case> {
    let mut reordered = point(100, 50, 10_000);
    reordered.reorder = 20_000;
    let far = Whole {
        // 20 s at the share demanded.
        seconds: 15.6,
        ..Whole::usual(point(50, 300, 20_000), 0.78)
    };
    let bursts = Bursts {
        to_bad: 2_041,
        to_good: 100_000,
        loss_good: 0,
        loss_bad: 1_000_000,
    };
    let all = [
        Whole::usual(point(200, 20, 0), 0.94),
        Whole::usual(point(200, 100, 0), 0.89),
        Whole::usual(point(200, 100, 1_000), 0.89),
        Whole::usual(point(200, 100, 10_000), 0.87),
        Whole::usual(point(200, 100, 50_000), 0.82),
        far,
        Whole::usual(reordered, 0.90),
        Whole {
            bursts: Some(bursts),
            wire_loss: Some(0.02),
            ..Whole::usual(point(200, 100, 0), 0.80)
        },
    ];
    all.into_iter().map(|whole| whole.case(control)).collect()
}

fn buffers(control: CongestionControl) -> Vec<Case> {
    let of = |bdp| Whole {
        bdp,
        wire_loss: None,
        ..Whole::usual(point(200, 100, 0), 0.80)
    };
    [100, 8_000].map(|bdp| of(bdp).case(control)).into()
}

/// Steady states at 100 Mbit/s under random loss.
fn steady(control: CongestionControl) -> Vec<Case> {
    let losses = [10_000, 50_000];
    let points = losses.map(|loss| [100, 200, 300].map(|ms| point(100, ms, loss)));
    let case = |at: Point| {
        let title = format!("{}, steady", name(at));
        Case::new(title, algorithm_name(control), move |case, seed| {
            let is_cubic = control == CongestionControl::Cubic;
            let (from, until) = if is_cubic { STEADY_CUBIC } else { STEADY };
            let plan = Measurement {
                sample_every: Duration::from_millis(100),
                ..plan(at, 1_000, seed, until)
            };
            let flow = alone(plan, control, Amount::Time(until))?;
            let goodput = flow.goodput_in(from, until) as f64;
            if is_cubic {
                let model = goodput / cubic_model(at);
                let demand = Demand::Within(0.7, 1.3);
                let figure = "goodput over that of RFC 9438's model";
                return Ok(vec![
                    case.line("goodput", goodput, Unit::Mbit, Demand::Nothing),
                    case.line(figure, model, Unit::Ratio, demand),
                ]);
            }
            let least = if at.loss > 10_000 { 86e6 } else { 90e6 };
            let demand = Demand::AtLeast(least).of(is_bbr(control));
            Ok(vec![case.line("goodput", goodput, Unit::Mbit, demand)])
        })
    };
    points.concat().into_iter().map(case).collect()
}

/// Bits per second of the larger of Reno's and CUBIC's average window under random loss (Mathis et al. 1997 with 1.22 for an
/// acknowledgement of every packet; RFC 9438 §5.1 with C = 0.4 and β = 0.7).
fn cubic_model(point: Point) -> f64 {
    let (rtt, loss) = (point.rtt.as_secs_f64(), f64::from(point.loss) / 1e6);
    let reno = 1.22 / loss.sqrt();
    let cubic = (0.4_f64 * 3.7 / 1.2).powf(0.25) * (rtt / loss).powf(0.75);
    reno.max(cubic) * SEGMENT * 8.0 / rtt
}

fn queue_alone(control: CongestionControl) -> Case {
    let at = point(100, 100, 0);
    Case::new(name(at), algorithm_name(control), move |case, seed| {
        let plan = plan(at, 1_000, seed, seconds(31));
        let flow = alone(plan, control, Amount::Time(seconds(30)))?;
        Ok(vec![queue(case, at, &flow, is_bbr(control))])
    })
}

/// Each datagram is held back for as long as three take on the wire at most, and nothing is lost but what the queue has no
/// room for.
fn reordering(control: CongestionControl) -> Case {
    let at = point(100, 50, 0);
    let title = format!("{}, reordered by up to 3 packets", name(at));
    Case::new(title, algorithm_name(control), move |case, seed| {
        let mut plan = plan(at, 1_000, seed, seconds(21));
        let jitter = Duration::from_nanos(3 * 1_500 * 8 * 1_000_000_000 / at.rate);
        plan.link.down = LinkPlan {
            jitter,
            jitter_reorders: true,
            ..plan.link.down
        };
        let flow = alone(plan, control, Amount::Time(seconds(20)))?;
        let spurious = ratio(flow.lost.saturating_sub(flow.dropped), flow.datagrams);
        let share = ratio(flow.goodput(), at.rate);
        Ok(vec![
            case.line(
                "spurious retransmissions",
                spurious,
                Unit::Ratio,
                Demand::AtMost(0.02),
            ),
            case.line(
                "goodput, share of the link",
                share,
                Unit::Ratio,
                Demand::Nothing,
            ),
        ])
    })
}

/// A megabyte comes through 30 % of loss.
fn heavy_loss(control: CongestionControl) -> Case {
    let at = point(100, 100, 300_000);
    Case::new(name(at), algorithm_name(control), move |case, seed| {
        let hour = seconds(3_600);
        let plan = Measurement {
            link: at.link(Depth::Bdp(1_000)),
            ..plan(at, 1_000, seed, hour)
        };
        let flow = alone(plan, control, Amount::Bytes(1_000_000))?;
        let took = match flow.end {
            End::Completed(took) => took.as_secs_f64(),
            _ => f64::INFINITY,
        };
        let demand = Demand::AtMost(hour.as_secs_f64());
        Ok(vec![case.line(
            "1 MB ends within an hour, after",
            took,
            Unit::Millis,
            demand,
        )])
    })
}
