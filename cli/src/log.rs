//! The log for people: one event, one line (L1). Names and texts of others come in escaped.

use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use crate::units;

/// Lines on stderr, or nowhere.
#[derive(Debug)]
pub(crate) struct Log {
    to_stderr: bool,
}

impl Log {
    /// To stderr, or nowhere.
    pub(crate) fn new(to_stderr: bool) -> Self {
        Self { to_stderr }
    }

    /// Writes a line with the time of day before it.
    pub(crate) fn line(&self, text: &str) {
        if self.to_stderr {
            let now = units::timestamp(SystemTime::now());
            let clock = now.get(11..).unwrap_or(&now);
            // A log that cannot be written must not stop the work that it tells of.
            let _ = writeln!(std::io::stderr().lock(), "{clock} {text}");
        }
    }
}

/// Lines per second that one source may cause (L3).
const LINES_PER_SECOND: u32 = 10;
/// Sources that are told apart; more share one count.
const SOURCES_MAX: usize = 1024;

/// Keeps a source from flooding the log: at most ten lines a second, then a count (L3).
#[derive(Debug, Default)]
pub(crate) struct RateLimit {
    sources: HashMap<SocketAddr, Window>,
    /// Lines that were left out of sources that are forgotten by now.
    forgotten: u64,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    lines: u32,
    left_out: u64,
}

impl RateLimit {
    /// Whether a line about `source` may be written now, and how many were left out before it.
    pub(crate) fn allow(&mut self, now: Instant, source: SocketAddr) -> Option<u64> {
        const SECOND: Duration = Duration::from_secs(1);
        if self.sources.len() >= SOURCES_MAX {
            // All that are old go, or else those that never come back for their count would take everybody's place.
            let forgotten = &mut self.forgotten;
            self.sources.retain(|_, window| {
                let is_young = now.duration_since(window.began) < SECOND;
                if !is_young {
                    *forgotten = forgotten.saturating_add(window.left_out);
                }
                is_young
            });
        }
        let source = if self.sources.len() < SOURCES_MAX || self.sources.contains_key(&source) {
            source
        } else {
            SocketAddr::from(([0; 4], 0))
        };
        let window = self.sources.entry(source).or_insert(Window {
            began: now,
            lines: 0,
            left_out: 0,
        });
        if now.duration_since(window.began) >= SECOND {
            window.began = now;
            window.lines = 0;
        }
        window.lines = window.lines.saturating_add(1);
        if window.lines <= LINES_PER_SECOND {
            let forgotten = std::mem::take(&mut self.forgotten);
            Some(std::mem::take(&mut window.left_out).saturating_add(forgotten))
        } else {
            window.left_out += 1;
            None
        }
    }
}

/// Tells when a transfer has passed a further quarter, so that a log shows how far it is without a line per packet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quarters {
    told: u64,
}

/// Below this size a file is there before anyone could read how far it is.
const QUARTERS_FROM: u64 = 1 << 20;

impl Quarters {
    /// The percentage to tell: 25, 50 or 75, once each, for files of 1 MiB and more.
    pub(crate) fn passed(&mut self, bytes: u64, size: u64) -> Option<u64> {
        if size < QUARTERS_FROM {
            return None;
        }
        let quarter = (u128::from(bytes) * 4 / u128::from(size)) as u64;
        if quarter <= self.told || quarter > 3 {
            return None;
        }
        self.told = quarter;
        Some(quarter * 25)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l3_ten_lines_a_second_then_a_count() {
        let mut limit = RateLimit::default();
        let begin = Instant::now();
        let (one, other) = (
            SocketAddr::from(([192, 0, 2, 1], 0)),
            SocketAddr::from(([192, 0, 2, 2], 0)),
        );
        let told = (0..100)
            .filter(|_| limit.allow(begin, one).is_some())
            .count();
        assert_eq!(told, 10);
        assert_eq!(limit.allow(begin, other), Some(0));
        let later = begin + Duration::from_secs(1);
        assert_eq!(limit.allow(later, one), Some(90));
        assert_eq!(limit.allow(later, one), Some(0));
    }

    #[test]
    fn l3_many_sources_cost_bounded_memory() {
        let mut limit = RateLimit::default();
        let now = Instant::now();
        for source in 0..100_000_u32 {
            limit.allow(now, SocketAddr::from((source.to_be_bytes(), 0)));
        }
        assert!(limit.sources.len() <= SOURCES_MAX + 1);
    }

    #[test]
    fn l3_sources_that_are_gone_take_nobodys_place() {
        let mut limit = RateLimit::default();
        let begin = Instant::now();
        let source = |n: u32| SocketAddr::from((n.to_be_bytes(), 0));
        for stranger in 1..=SOURCES_MAX as u32 {
            for _ in 0..=LINES_PER_SECOND {
                limit.allow(begin, source(stranger));
            }
        }
        let later = begin + Duration::from_secs(2);
        let (one, other) = (source(1 << 30), source(1 << 31));
        let told: Vec<_> = (0..20).filter_map(|_| limit.allow(later, one)).collect();
        assert_eq!(told.len(), 10);
        assert_eq!(told[0], SOURCES_MAX as u64, "what was left out is counted");
        assert_eq!(limit.allow(later, other), Some(0));
    }

    #[test]
    fn quarters_come_once() {
        let mut quarters = Quarters::default();
        let size = 4 << 20;
        let told: Vec<u64> = (0..=64)
            .filter_map(|n| quarters.passed(n << 16, size))
            .collect();
        assert_eq!(told, [25, 50, 75]);
        assert_eq!(Quarters::default().passed(3 << 20, size), Some(75));
        assert_eq!(Quarters::default().passed(500, 1000), None);
        assert_eq!(Quarters::default().passed(u64::MAX, u64::MAX), None);
    }
}
