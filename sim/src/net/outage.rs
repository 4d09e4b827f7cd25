use proto_core::{Duration, Instant};
use serde::{Deserialize, Serialize};

use super::{Fate, Node};
use crate::units;

/// A time in which nothing comes through: from `from`, until before `until`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The first moment.
    #[serde(with = "units::duration")]
    pub from: Duration,
    /// The moment after the last.
    #[serde(with = "units::duration")]
    pub until: Duration,
}

/// Loses everything in its windows. In one direction it is a one-way cut, in both a partition.
///
/// It lies before what delays: a datagram is lost when it is sent in a window, and what is under way arrives.
#[derive(Debug)]
pub struct Outage {
    windows: Vec<Window>,
    /// In ns; 0 when nothing repeats.
    period: u64,
}

impl Outage {
    /// Loses everything in `windows`; with a `period` above zero, again after each. A window does not reach over the end
    /// of the period.
    #[must_use]
    pub fn new(windows: Vec<Window>, period: Option<Duration>) -> Self {
        Self {
            windows,
            period: period.map_or(0, |period| period.as_nanos() as u64),
        }
    }

    /// Open for `on`, then cut for `off`, over and over.
    #[must_use]
    pub fn alternating(on: Duration, off: Duration) -> Self {
        let period = on + off;
        let window = Window {
            from: on,
            until: period,
        };
        Self::new(vec![window], Some(period))
    }
}

impl Node for Outage {
    fn pass(&mut self, now: Instant, _payload: &mut Vec<u8>) -> Fate {
        let phase = now.as_nanos();
        let phase = Duration::from_nanos(phase.checked_rem(self.period).unwrap_or(phase));
        let cut = (self.windows.iter()).any(|window| (window.from..window.until).contains(&phase));
        if cut { Fate::Lost } else { Fate::At(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::run;

    const SECOND: u64 = 1_000_000_000;

    fn second(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn window(from: u64, until: u64) -> Window {
        let (from, until) = (second(from), second(until));
        Window { from, until }
    }

    /// The seconds, of 30, in which a datagram comes through.
    fn open(outage: Outage) -> Vec<u32> {
        let arrived = run([outage], 30, 4, SECOND);
        arrived.iter().map(|a| a.number).collect()
    }

    #[test]
    fn cuts_in_its_windows() {
        let outage = Outage::new(vec![window(3, 5), window(20, 29), window(4, 6)], None);
        assert_eq!(
            open(outage),
            [(0..3), (6..20), (29..30)].map(Vec::from_iter).concat()
        );
    }

    #[test]
    fn windows_repeat() {
        let outage = Outage::new(vec![window(0, 8)], Some(second(10)));
        assert_eq!(open(outage), [8, 9, 18, 19, 28, 29]);
    }

    #[test]
    fn alternates_on_and_off() {
        let outage = Outage::alternating(second(5), second(2));
        let lost = |n: &u32| n % 7 >= 5;
        assert!(open(outage).iter().all(|n| !lost(n)));
        assert_eq!((0..30).filter(lost).count(), 8);
        let outage = Outage::alternating(second(5), second(2));
        assert_eq!(open(outage).len(), 22);
    }

    #[test]
    fn its_ends_are_exact() {
        let mut outage = Outage::new(vec![window(1, 2)], None);
        let mut fate = |at| outage.pass(Instant::from_nanos(at), &mut Vec::new());
        assert_eq!(fate(SECOND - 1), Fate::At(Instant::from_nanos(SECOND - 1)));
        assert_eq!(fate(SECOND), Fate::Lost);
        assert_eq!(fate(2 * SECOND - 1), Fate::Lost);
        assert_eq!(fate(2 * SECOND), Fate::At(Instant::from_nanos(2 * SECOND)));
    }
}
