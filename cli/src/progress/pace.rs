//! How fast a command is just now, and what holds it up.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use transport_std::LimitedBy;

use crate::connection::PathFigures;
use crate::copy::Way;

/// The rate is that of this long.
const WINDOW: Duration = Duration::from_secs(5);
/// Between two samples.
const SAMPLE: Duration = Duration::from_millis(100);

/// The rate of the last seconds.
#[derive(Debug, Default)]
pub(crate) struct Speed {
    samples: VecDeque<(Instant, u64)>,
}

impl Speed {
    /// So many bytes have travelled by now.
    pub(crate) fn note(&mut self, now: Instant, moved: u64) {
        match self.samples.back() {
            Some((at, _)) if now.saturating_duration_since(*at) < SAMPLE => return,
            _ => self.samples.push_back((now, moved)),
        }
        while self.samples.len() > 2
            && self
                .samples
                .front()
                .is_some_and(|(at, _)| now.saturating_duration_since(*at) > WINDOW)
        {
            self.samples.pop_front();
        }
    }

    /// Bytes a second; nothing before there are two samples.
    pub(crate) fn rate(&self) -> Option<u64> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let seconds = last.0.saturating_duration_since(first.0).as_secs_f64();
        (seconds > 0.0).then(|| (last.1.saturating_sub(first.1) as f64 / seconds) as u64)
    }

    /// How long `left` bytes will take.
    pub(crate) fn eta(&self, left: u64) -> Option<Duration> {
        match (left, self.rate()?) {
            (0, _) => Some(Duration::ZERO),
            (_, 0) => None,
            (left, rate) => Duration::try_from_secs_f64(left as f64 / rate as f64).ok(),
        }
    }
}

/// What holds a command up, in the words of its user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Limit {
    Network,
    ReceiverDisk,
    SenderDisk,
    /// The other side, and it cannot be seen from here by what.
    Peer,
}

impl Limit {
    const ALL: [Self; 4] = [
        Self::Network,
        Self::ReceiverDisk,
        Self::SenderDisk,
        Self::Peer,
    ];

    /// As it is shown.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::ReceiverDisk => "receiver disk",
            Self::SenderDisk => "sender disk",
            Self::Peer => "peer",
        }
    }

    fn of(way: Way, seen: LimitedBy, path: Option<PathFigures>) -> Self {
        match (way, seen) {
            (Way::Upload, LimitedBy::Network) => Self::Network,
            (Way::Upload, LimitedBy::Disk) => Self::SenderDisk,
            (Way::Upload, LimitedBy::Peer) | (Way::Download, LimitedBy::Disk) => Self::ReceiverDisk,
            // A receiver that waits sees a full path by what it does to packets; otherwise the sender is slow.
            (Way::Download, _) if path.is_some_and(PathFigures::is_full) => Self::Network,
            (Way::Download, _) => Self::Peer,
        }
    }
}

/// How often each limit was seen.
#[derive(Debug)]
pub(crate) struct Limits {
    way: Way,
    /// Lately: halved whenever it is shown.
    lately: [u32; 4],
    ever: [u32; 4],
    path: Option<PathFigures>,
}

impl Limits {
    pub(crate) fn new(way: Way) -> Self {
        Self {
            way,
            lately: [0; 4],
            ever: [0; 4],
            path: None,
        }
    }

    /// What is known of the path.
    pub(crate) fn path(&mut self, path: PathFigures) {
        self.path = Some(path);
    }

    /// What one look has shown.
    pub(crate) fn note(&mut self, seen: LimitedBy) {
        let limit = Limit::of(self.way, seen, self.path);
        for counts in [&mut self.lately, &mut self.ever] {
            if let Some(count) = counts.get_mut(limit as usize) {
                *count = count.saturating_add(1);
            }
        }
    }

    /// What was seen most, lately.
    pub(crate) fn lately(&mut self) -> Option<Limit> {
        let most = most(&self.lately);
        self.lately = self.lately.map(|count| count / 2);
        most.or_else(|| self.ever())
    }

    /// What was seen most.
    pub(crate) fn ever(&self) -> Option<Limit> {
        most(&self.ever)
    }
}

fn most(counts: &[u32; 4]) -> Option<Limit> {
    let (limit, count) = Limit::ALL
        .into_iter()
        .zip(counts)
        .max_by_key(|(_, count)| **count)?;
    (*count > 0).then_some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let mut speed = Speed::default();
        assert_eq!((speed.rate(), speed.eta(5)), (None, None));
        let begin = Instant::now();
        for tenth in 0..=200_u64 {
            // 1,000 bytes a second for ten seconds, then 5,000.
            let moved = tenth * 100 + tenth.saturating_sub(100) * 400;
            speed.note(begin + Duration::from_millis(tenth * 100), moved);
        }
        let rate = speed.rate().unwrap();
        assert!((4_990..=5_010).contains(&rate), "{rate}");
        assert!(speed.samples.len() <= 52);
        let eta = speed.eta(50_000).unwrap();
        assert!((9.9..=10.1).contains(&eta.as_secs_f64()), "{eta:?}");
        assert_eq!(speed.eta(0), Some(Duration::ZERO));
    }

    #[test]
    fn limits_in_the_users_words() {
        let path = |rtt_ms, min_ms, loss| PathFigures {
            rtt: Duration::from_millis(rtt_ms),
            min_rtt: Duration::from_millis(min_ms),
            loss,
        };
        let mut up = Limits::new(Way::Upload);
        assert_eq!(up.lately(), None);
        up.note(LimitedBy::Disk);
        assert_eq!(up.lately(), Some(Limit::SenderDisk));
        for _ in 0..9 {
            up.note(LimitedBy::Network);
        }
        up.note(LimitedBy::Peer);
        assert_eq!(
            (up.lately(), up.ever()),
            (Some(Limit::Network), Some(Limit::Network))
        );
        let mut down = Limits::new(Way::Download);
        down.note(LimitedBy::Network);
        assert_eq!(down.lately(), Some(Limit::Peer));
        for full in [path(150, 100, 0.0), path(100, 100, 0.02)] {
            let mut down = Limits::new(Way::Download);
            down.path(full);
            down.note(LimitedBy::Network);
            assert_eq!(down.lately(), Some(Limit::Network));
            down.note(LimitedBy::Disk);
            down.note(LimitedBy::Disk);
            assert_eq!(down.lately(), Some(Limit::ReceiverDisk));
        }
        down.path(path(101, 100, 0.0));
        down.note(LimitedBy::Network);
        assert_eq!(down.ever(), Some(Limit::Peer));
    }
}
