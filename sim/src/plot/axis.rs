//! Scales with round ticks.

/// What the numbers of an axis count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Bits per second.
    BitsPerSecond,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// A share, shown in percent.
    Share,
}

/// How many of the unit itself one of the shown ones is, and its name, the smallest first.
type Prefixes = &'static [(f64, &'static str)];

impl Unit {
    fn prefixes(self) -> Prefixes {
        match self {
            Self::BitsPerSecond => &[
                (1.0, "bit/s"),
                (1e3, "kbit/s"),
                (1e6, "Mbit/s"),
                (1e9, "Gbit/s"),
            ],
            Self::Bytes => &[(1.0, "B"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB")],
            Self::Seconds => &[(1e-6, "µs"), (1e-3, "ms"), (1.0, "s")],
            Self::Share => &[(0.01, "%")],
        }
    }

    /// The largest prefix of which `value` is at least one.
    fn prefix_for(self, value: f64) -> (f64, &'static str) {
        let prefixes = self.prefixes();
        let fitting = prefixes.iter().rev().find(|(size, _)| value >= *size);
        *fitting.unwrap_or(&prefixes[0])
    }

    /// `value` for people, in three or four digits: `52.1 Mbit/s`.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        let (size, name) = self.prefix_for(value);
        let shown = value / size;
        let decimals = match shown {
            x if x >= 100.0 || is_whole(x) => 0,
            x if x >= 10.0 => 1,
            _ => 2,
        };
        format!("{shown:.decimals$} {name}")
    }
}

fn is_whole(x: f64) -> bool {
    (x - x.round()).abs() < 1e-9
}

/// Ticks are 1, 2 or 5 of these.
const POWERS: [(f64, usize); 13] = [
    (1e-6, 6),
    (1e-5, 5),
    (1e-4, 4),
    (1e-3, 3),
    (1e-2, 2),
    (1e-1, 1),
    (1.0, 0),
    (1e1, 0),
    (1e2, 0),
    (1e3, 0),
    (1e4, 0),
    (1e5, 0),
    (1e6, 0),
];

/// The least round step of which `count` reach `span`, and its decimals.
fn round_step(span: f64, count: f64) -> (f64, usize) {
    let least = span / count * (1.0 - 1e-9);
    for (power, decimals) in POWERS {
        for factor in [1.0, 2.0, 5.0] {
            if factor * power >= least {
                return (factor * power, decimals);
            }
        }
    }
    (1e7, 0)
}

/// A scale from 0 up.
#[derive(Debug)]
pub(super) struct Axis {
    /// The value at the far end, in the unit itself.
    pub(super) top: f64,
    /// Values with their labels.
    pub(super) ticks: Vec<(f64, String)>,
    /// The unit with its prefix.
    pub(super) unit: &'static str,
}

impl Axis {
    /// From 0 to `max` at least, rounded up to a tick; about `count` ticks above 0.
    pub(super) fn rounded(unit: Unit, max: f64, count: f64) -> Self {
        Self::new(unit, max, count, true)
    }

    /// From 0 to exactly `max`.
    pub(super) fn exact(unit: Unit, max: f64, count: f64) -> Self {
        Self::new(unit, max, count, false)
    }

    fn new(unit: Unit, max: f64, count: f64, rounded: bool) -> Self {
        let max = if max > 0.0 { max } else { 1.0 };
        let (size, name) = unit.prefix_for(max);
        let (step, decimals) = round_step(max / size, count);
        let steps = max / size / step;
        let steps = if rounded {
            (steps - 1e-9).ceil()
        } else {
            (steps + 1e-9).floor()
        };
        let ticks = (0..=steps as u32).map(|index| {
            let shown = f64::from(index) * step;
            (shown * size, format!("{shown:.decimals$}"))
        });
        Self {
            top: if rounded { steps * step * size } else { max },
            ticks: ticks.collect(),
            unit: name,
        }
    }

    /// Where `value` is: 0 at the near end, 1 at the far one.
    pub(super) fn place(&self, value: f64) -> f64 {
        (value / self.top).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_reach_the_greatest_value() {
        let axis = Axis::rounded(Unit::BitsPerSecond, 52.3e6, 4.0);
        assert_eq!((axis.unit, axis.top), ("Mbit/s", 60e6));
        assert_eq!(labels(&axis), ["0", "20", "40", "60"]);
        let axis = Axis::rounded(Unit::Seconds, 0.000_9, 4.0);
        assert_eq!(axis.unit, "µs");
        assert_eq!(labels(&axis), ["0", "500", "1000"]);
        let axis = Axis::rounded(Unit::Bytes, 1.0e6, 4.0);
        assert_eq!(labels(&axis), ["0.0", "0.5", "1.0"]);
        let axis = Axis::rounded(Unit::Bytes, 0.0, 4.0);
        assert_eq!(labels(&axis), ["0.0", "0.5", "1.0"]);
    }

    #[test]
    fn an_exact_axis_ends_where_it_is_told() {
        let axis = Axis::exact(Unit::Seconds, 10.4, 8.0);
        assert_eq!(labels(&axis), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(axis.place(10.4), 1.0);
        assert_eq!(axis.place(99.0), 1.0);
        assert_eq!(axis.place(5.2), 0.5);
    }

    #[test]
    fn values_for_people_have_three_digits() {
        assert_eq!(Unit::BitsPerSecond.show(52_123_000.0), "52.1 Mbit/s");
        assert_eq!(Unit::BitsPerSecond.show(50e6), "50 Mbit/s");
        assert_eq!(Unit::Bytes.show(312_500.0), "312 kB");
        assert_eq!(Unit::Seconds.show(0.05), "50 ms");
        assert_eq!(Unit::Share.show(0.0123), "1.23 %");
    }
}
