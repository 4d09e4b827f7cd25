use proto_core::{Duration, Instant};

/// A value that changes at fixed times, once or over and over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule<T> {
    first: T,
    /// From this time of a period on, in ns, in order.
    changes: Vec<(u64, T)>,
    /// In ns; 0 when nothing repeats.
    period: u64,
}

impl<T: Copy> Schedule<T> {
    /// Always the same.
    #[must_use]
    pub fn constant(value: T) -> Self {
        Self {
            first: value,
            changes: Vec::new(),
            period: 0,
        }
    }

    /// `first` from 0 on, then each value from its time on; with a `period` above zero, all of it again after each. Of two
    /// changes at one time the later in the list holds; a change at or after the end of the period never comes.
    #[must_use]
    pub fn new(first: T, changes: Vec<(Duration, T)>, period: Option<Duration>) -> Self {
        let period = period.map_or(0, |period| period.as_nanos() as u64);
        let mut changes: Vec<_> = (changes.into_iter())
            .map(|(at, value)| (at.as_nanos() as u64, value))
            .filter(|&(at, _)| period == 0 || at < period)
            .collect();
        changes.sort_by_key(|&(at, _)| at);
        Self {
            first,
            changes,
            period,
        }
    }

    /// The value at `now`, and when it may change next.
    #[must_use]
    pub fn at(&self, now: Instant) -> (T, Option<Instant>) {
        if self.changes.is_empty() {
            return (self.first, None);
        }
        let now = now.as_nanos();
        let phase = now.checked_rem(self.period).unwrap_or(now);
        let next = self.changes.partition_point(|&(at, _)| at <= phase);
        let value = match next.checked_sub(1) {
            None => self.first,
            Some(last) => self.changes[last].1,
        };
        let until = match self.changes.get(next) {
            Some(&(at, _)) => Some(at),
            None => Some(self.period).filter(|&period| period > 0),
        };
        let until = until.map(|until| Instant::from_nanos((now - phase).saturating_add(until)));
        (value, until)
    }

    /// Every value that comes up.
    pub fn values(&self) -> impl Iterator<Item = T> {
        std::iter::once(self.first).chain(self.changes.iter().map(|&(_, value)| value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(n: u64) -> Duration {
        Duration::from_nanos(n)
    }

    fn at<T: Copy>(schedule: &Schedule<T>, now: u64) -> (T, Option<u64>) {
        let (value, until) = schedule.at(Instant::from_nanos(now));
        (value, until.map(Instant::as_nanos))
    }

    #[test]
    fn a_constant_never_changes() {
        assert_eq!(at(&Schedule::constant('a'), 0), ('a', None));
        assert_eq!(at(&Schedule::constant('a'), u64::MAX), ('a', None));
    }

    #[test]
    fn changes_come_at_their_times() {
        let changes = vec![(nanos(20), 'c'), (nanos(10), 'b')];
        let schedule = Schedule::new('a', changes, None);
        assert_eq!(at(&schedule, 0), ('a', Some(10)));
        assert_eq!(at(&schedule, 9), ('a', Some(10)));
        assert_eq!(at(&schedule, 10), ('b', Some(20)));
        assert_eq!(at(&schedule, 20), ('c', None));
        assert_eq!(schedule.values().collect::<String>(), "abc");
    }

    #[test]
    fn a_period_repeats() {
        let changes = vec![(nanos(10), 'b'), (nanos(50), 'c')];
        let schedule = Schedule::new('a', changes, Some(nanos(30)));
        assert_eq!(at(&schedule, 5), ('a', Some(10)));
        assert_eq!(at(&schedule, 10), ('b', Some(30)));
        assert_eq!(at(&schedule, 30), ('a', Some(40)));
        assert_eq!(at(&schedule, 70), ('b', Some(90)));
        assert_eq!(at(&schedule, u64::MAX).1, Some(u64::MAX));
    }

    #[test]
    fn a_change_at_zero_hides_the_first_value() {
        let schedule = Schedule::new('a', vec![(nanos(0), 'b')], None);
        assert_eq!(at(&schedule, 0), ('b', None));
    }
}
