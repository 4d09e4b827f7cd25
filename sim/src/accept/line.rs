//! Figures beside what is demanded, as a table.

/// What is demanded of a figure.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Demand {
    /// Nothing: it is only shown.
    Nothing,
    /// At least so much.
    AtLeast(f64),
    /// At most so much.
    AtMost(f64),
    /// From the first to the second.
    Within(f64, f64),
}

impl Demand {
    pub(super) fn show(self, unit: Unit) -> String {
        let show = |value| unit.show(value);
        match self {
            Self::Nothing => String::new(),
            Self::AtLeast(least) => format!("≥ {}", show(least)),
            Self::AtMost(most) => format!("≤ {}", show(most)),
            Self::Within(least, most) => format!("{} to {}", show(least), show(most)),
        }
    }

    /// This demand of those that it is made of, nothing of others.
    pub(super) fn of(self, asked: bool) -> Self {
        if asked { self } else { Self::Nothing }
    }
}

/// How a figure is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// A share or a ratio.
    Ratio,
    /// Bits per second, in millions.
    Mbit,
    /// Seconds, in thousandths.
    Millis,
}

impl Unit {
    pub(super) fn show(self, value: f64) -> String {
        match self {
            Self::Ratio => format!("{value:.3}"),
            Self::Mbit => format!("{:.2} Mbit/s", value / 1e6),
            Self::Millis => format!("{:.1} ms", value * 1e3),
        }
    }
}

/// A figure and what is demanded of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    /// The link and what happens on it.
    pub point: String,
    /// Who was measured.
    pub who: String,
    /// What was.
    pub figure: String,
    /// What came of it; infinite for what did not end.
    pub value: f64,
    /// How it is written.
    pub unit: Unit,
    /// What is demanded.
    pub demand: Demand,
}

impl Line {
    /// Whether the demand is met; no figure that is none meets one.
    #[must_use]
    pub fn is_met(&self) -> bool {
        match self.demand {
            Demand::Nothing => true,
            Demand::AtLeast(least) => self.value >= least,
            Demand::AtMost(most) => self.value <= most,
            Demand::Within(least, most) => self.value >= least && self.value <= most,
        }
    }

    fn cells(&self) -> [String; 6] {
        let met = match (self.demand, self.is_met()) {
            (Demand::Nothing, _) => "",
            (_, true) => "yes",
            (_, false) => "NO",
        };
        [
            self.point.clone(),
            self.who.clone(),
            self.figure.clone(),
            self.unit.show(self.value),
            self.demand.show(self.unit),
            met.into(),
        ]
    }
}

/// The lines as a table of Markdown, with aligned columns.
#[must_use]
pub fn write(lines: &[Line]) -> String {
    let head = ["point", "who", "figure", "measured", "demanded", "met"];
    grid(head, lines.iter().map(Line::cells))
}

pub(super) fn grid<const N: usize>(
    head: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> String {
    let mut grid = vec![head.map(String::from)];
    grid.extend(rows);
    let width = |column: usize| grid.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    let row = |cells: &[String; N]| {
        let padded = cells.iter().zip(&widths);
        let padded: Vec<String> = padded
            .map(|(text, width)| format!("{text:width$}"))
            .collect();
        format!("| {} |\n", padded.join(" | "))
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    let mut out = row(&grid[0]) + &format!("|{}|\n", rule.join("|"));
    grid[1..].iter().for_each(|cells| out += &row(cells));
    out
}
