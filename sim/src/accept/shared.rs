//! Two flows on one link.

use proto_core::{CongestionControl, Duration};

use super::single::flow;
use super::{Case, Demand, Line, Unit, depth, measured, name, plan, point, ratio, seconds};
use crate::measure::{
    Amount, End, FlowOutcome, FlowPlan, Measurement, Outcome, Point, algorithm_name, jain,
};

/// Both may settle for so long; then they are watched for as long.
const SETTLE: Duration = seconds(30);
/// How much later the second one joins.
const LATE: Duration = seconds(10);

pub(super) fn cases(controls: &[CongestionControl]) -> Vec<Case> {
    let named = |name: &str| {
        let of = controls.iter().find(|of| algorithm_name(**of) == name);
        of.copied()
    };
    let (bbr, cubic, background) = (named("bbr"), named("cubic"), named("background"));
    let mut all = Vec::new();
    for control in controls.iter().copied() {
        if Some(control) != background {
            all.push(alike(control, Duration::ZERO));
            all.push(alike(control, LATE));
        }
    }
    if let (Some(bbr), Some(cubic)) = (bbr, cubic) {
        all.extend([500, 1_000, 4_000].map(|bdp| rivals(bbr, cubic, bdp)));
    }
    for other in [bbr, cubic].into_iter().flatten() {
        if let Some(background) = background {
            all.extend([1_000, 4_000].map(|bdp| leaves(background, other, bdp)));
        }
    }
    all
}

/// Two flows until `SETTLE` has passed twice since the later one's start.
fn pair(
    at: Point,
    bdp: u32,
    seed: u64,
    controls: [CongestionControl; 2],
    late: Duration,
) -> Result<Outcome, String> {
    let end = late + 2 * SETTLE;
    let flows = [(controls[0], Duration::ZERO), (controls[1], late)];
    let flows = flows.map(|(control, start)| FlowPlan {
        start,
        ..flow(control, Amount::Time(end - start))
    });
    let outcome = measured(&Measurement {
        flows: flows.into(),
        ..plan(at, bdp, seed, end + seconds(1))
    })?;
    match outcome.flows.iter().find(|of| of.end != End::Stopped) {
        Some(flow) => Err(format!("a flow ended with {:?}", flow.end)),
        None => Ok(outcome),
    }
}

/// The goodputs after both have settled.
fn settled(outcome: &Outcome, late: Duration) -> Vec<u64> {
    let (from, until) = (late + SETTLE, late + 2 * SETTLE);
    let of = |flow: &FlowOutcome| flow.goodput_in(from, until);
    outcome.flows.iter().map(of).collect()
}

fn drops(outcome: &Outcome) -> f64 {
    let sum = |of: fn(&FlowOutcome) -> u64| outcome.flows.iter().map(of).sum();
    ratio(sum(|flow| flow.dropped), sum(|flow| flow.datagrams))
}

fn alike(control: CongestionControl, late: Duration) -> Case {
    let at = point(100, 50, 0);
    let who = algorithm_name(control);
    let title = match late {
        Duration::ZERO => format!("{}, two start together", name(at)),
        _ => format!("{}, the second joins after {} s", name(at), late.as_secs()),
    };
    Case::new(title, format!("{who} and {who}"), move |case, seed| {
        let outcome = pair(at, 1_000, seed, [control; 2], late)?;
        let shares = settled(&outcome, late);
        let index = f64::from(jain(&shares)) / 1e6;
        let figure = "Jain's index after 30 s";
        let demand = Demand::AtLeast(0.95);
        let used = ratio(shares.iter().sum(), at.rate);
        Ok(vec![
            case.line(figure, index, Unit::Ratio, demand),
            case.line(
                "goodput of both, share of the link",
                used,
                Unit::Ratio,
                Demand::Nothing,
            ),
        ])
    })
}

fn rivals(bbr: CongestionControl, cubic: CongestionControl, bdp: u32) -> Case {
    let at = point(100, 50, 0);
    let title = format!("{}, {}", name(at), depth(bdp));
    let who = format!("{} and {}", algorithm_name(bbr), algorithm_name(cubic));
    Case::new(title, who, move |case, seed| {
        let outcome = pair(at, bdp, seed, [bbr, cubic], Duration::ZERO)?;
        let shares = settled(&outcome, Duration::ZERO);
        let both: u64 = shares.iter().sum();
        let weaker = ratio(shares.iter().copied().min().unwrap_or(0), both);
        let least = Demand::AtLeast(0.2);
        Ok(vec![
            case.line("the weaker one's share", weaker, Unit::Ratio, least),
            case.line(
                "share of bbr",
                ratio(shares[0], both),
                Unit::Ratio,
                Demand::Nothing,
            ),
            case.line("drops", drops(&outcome), Unit::Ratio, Demand::AtMost(0.03)),
        ])
    })
}

/// What `other` gets beside `background`, of what it would get alone.
fn leaves(background: CongestionControl, other: CongestionControl, bdp: u32) -> Case {
    let at = point(100, 100, 0);
    let title = format!("{}, {}", name(at), depth(bdp));
    let who = format!(
        "{} beside {}",
        algorithm_name(background),
        algorithm_name(other)
    );
    Case::new(title, who, move |case, seed| {
        let figure = "left to the other, of what it gets alone";
        let end = 2 * SETTLE;
        let alone = measured(&Measurement {
            flows: vec![flow(other, Amount::Time(end))],
            ..plan(at, bdp, seed, end + seconds(1))
        })?;
        let alone = alone.flows[0].goodput_in(SETTLE, end);
        let line = |case: &Case, when: &str, share: f64| -> Line {
            let figure = format!("{figure}, {when}");
            case.line(&figure, share, Unit::Ratio, Demand::AtLeast(0.9))
        };
        let together = pair(at, bdp, seed, [other, background], Duration::ZERO)?;
        let first = ratio(settled(&together, Duration::ZERO)[0], alone);
        let late = pair(at, bdp, seed, [background, other], LATE)?;
        let second = ratio(settled(&late, LATE)[1], alone);
        Ok(vec![
            line(case, "started together", first),
            line(case, "joining it", second),
        ])
    })
}
