//! What figures come to over many seeds.

use super::Line;
use super::line::grid;

/// A figure over several seeds.
#[derive(Clone, PartialEq, Debug)]
pub struct Spread {
    /// The least, the mean and the greatest value.
    pub values: [f64; 3],
    /// Of how many seeds,
    pub seeds: usize,
    /// and how many of them meet the demand.
    pub met: usize,
    /// What they have in common.
    like: Line,
}

impl Spread {
    /// The spread of each line; every run has the same lines in the same order.
    pub(super) fn of(runs: &[Vec<Line>]) -> Vec<Self> {
        let count = runs.iter().map(Vec::len).min().unwrap_or(0);
        let lines = (0..count).map(|index| runs.iter().map(move |run| &run[index]).collect());
        lines.map(Self::of_one).collect()
    }

    fn of_one(lines: Vec<&Line>) -> Self {
        let values = || lines.iter().map(|line| line.value);
        let mean = values().sum::<f64>() / lines.len() as f64;
        let least = values().fold(f64::INFINITY, f64::min);
        let most = values().fold(f64::NEG_INFINITY, f64::max);
        Self {
            values: [least, mean, most],
            seeds: lines.len(),
            met: lines.iter().filter(|line| line.is_met()).count(),
            like: lines[0].clone(),
        }
    }

    /// Whether all seeds meet the demand.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.met == self.seeds
    }

    fn cells(&self) -> [String; 8] {
        let Line {
            point,
            who,
            figure,
            unit,
            demand,
            ..
        } = self.like.clone();
        let [least, mean, most] = self.values.map(|value| unit.show(value));
        let demanded = demand.show(unit);
        let met = match demanded.is_empty() {
            true => String::new(),
            false => format!("{} of {}", self.met, self.seeds),
        };
        [point, who, figure, least, mean, most, demanded, met]
    }
}

/// The spreads as a table of Markdown, with aligned columns.
#[must_use]
pub fn write_spreads(spreads: &[Spread]) -> String {
    let head = [
        "point", "who", "figure", "least", "mean", "most", "demanded", "met",
    ];
    grid(head, spreads.iter().map(Spread::cells))
}
