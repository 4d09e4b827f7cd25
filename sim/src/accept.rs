//! What recovery and congestion control must reach, measured in virtual time: each point beside what is demanded of it.
//!
//! Rates count IP packets: 28 bytes of headers a datagram. Goodput is file bits per second, from the first datagram of the
//! handshake to the end of the transfer unless a steady state is named. Random loss strikes behind the bottleneck, in both
//! directions, so that what is lost has taken its share of the wire. What is a figure of `bbr` alone is demanded of `bbr`
//! alone; other controllers show theirs.

mod latency;
mod line;
mod shared;
mod single;
mod spread;
#[cfg(test)]
mod tests;

use proto_core::{CongestionControl, Duration};

pub use line::{Demand, Line, Unit, write};
pub use spread::{Spread, write_spreads};

use crate::measure::parallel::parallel_map;
use crate::measure::{Depth, Measurement, Outcome, Point, algorithm_name, measure};

/// Measurements that belong together, and what they show.
pub struct Case {
    /// The link and what happens on it.
    pub point: String,
    /// Who is measured: `bbr`, `bbr and cubic`.
    pub who: String,
    work: Work,
}

type Work = Box<dyn Fn(&Case, u64) -> Result<Vec<Line>, String> + Send + Sync>;

impl Case {
    fn new(
        point: impl Into<String>,
        who: impl Into<String>,
        work: impl Fn(&Self, u64) -> Result<Vec<Line>, String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            point: point.into(),
            who: who.into(),
            work: Box::new(work),
        }
    }

    /// Measures; all randomness follows from `seed`.
    ///
    /// # Errors
    /// Something that must not happen: a bug in the core or the simulator.
    pub fn run(&self, seed: u64) -> Result<Vec<Line>, String> {
        (self.work)(self, seed).map_err(|error| format!("{} ({}): {error}", self.point, self.who))
    }

    fn line(&self, figure: &str, value: f64, unit: Unit, demand: Demand) -> Line {
        Line {
            point: self.point.clone(),
            who: self.who.clone(),
            figure: figure.into(),
            value,
            unit,
            demand,
        }
    }
}

/// Every case of these controllers: each alone, with its like and with the others.
#[must_use]
pub fn cases(controls: &[CongestionControl]) -> Vec<Case> {
    let mut all = Vec::new();
    // A scavenger is measured by what it leaves to others.
    let background = |control: &CongestionControl| algorithm_name(*control) == "background";
    for control in controls.iter().filter(|control| !background(control)) {
        all.extend(single::cases(*control));
    }
    all.extend(shared::cases(controls));
    all.extend(latency::cases());
    all
}

/// Runs the cases on all cores; the lines are in their order.
///
/// # Errors
/// The first thing that must not happen.
pub fn run(cases: &[Case], seed: u64) -> Result<Vec<Line>, String> {
    let lines = parallel_map(cases.len(), |index| cases[index].run(seed));
    let lines: Result<Vec<Vec<Line>>, String> = lines.into_iter().collect();
    Ok(lines?.concat())
}

/// Runs the cases with each of `count` seeds from `first` on, on all cores; the spreads are in the cases' order.
///
/// # Errors
/// The first thing that must not happen.
pub fn run_seeds(cases: &[Case], first: u64, count: u64) -> Result<Vec<Spread>, String> {
    let seeds = usize::try_from(count).unwrap_or(usize::MAX).max(1);
    let lines = parallel_map(cases.len() * seeds, |index| {
        let seed = first.wrapping_add((index % seeds) as u64);
        let lines = cases[index / seeds].run(seed);
        lines.map_err(|error| format!("seed {seed}: {error}"))
    });
    let lines: Result<Vec<Vec<Line>>, String> = lines.into_iter().collect();
    Ok(lines?.chunks(seeds).flat_map(Spread::of).collect())
}

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A link of so many Mbit/s and ms, with random loss in parts per million.
fn point(mbit: u64, ms: u64, loss: u32) -> Point {
    Point {
        rate: mbit * 1_000_000,
        rtt: Duration::from_millis(ms),
        loss,
        reorder: 0,
    }
}

fn name(point: Point) -> String {
    let (mbit, ms) = (point.rate / 1_000_000, point.rtt.as_millis());
    let loss = f64::from(point.loss) / 1e4;
    let mut text = format!("{mbit} Mbit/s, {ms} ms, {loss} %");
    if point.reorder > 0 {
        text += &format!(", {} % reordered", f64::from(point.reorder) / 1e4);
    }
    text
}

/// Thousandths of the bandwidth-delay product in words.
fn depth(bdp: u32) -> String {
    format!("queue of {} BDP", f64::from(bdp) / 1e3)
}

fn measured(plan: &Measurement) -> Result<Outcome, String> {
    measure(plan).map_err(|violation| violation.to_string())
}

fn plan(point: Point, bdp: u32, seed: u64, time_max: Duration) -> Measurement {
    Measurement {
        link: point.link(Depth::Bdp(bdp)),
        flows: Vec::new(),
        seed,
        sample_every: Duration::from_millis(10),
        datagram_size: 1_472,
        time_max,
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / (whole as f64).max(1.0)
}
