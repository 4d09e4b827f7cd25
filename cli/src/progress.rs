//! The progress of a whole command: files and bytes done, of what is known of the total. It never goes backwards.

mod count;
mod pace;

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use transport_std::LimitedBy;

pub(crate) use count::{Count, Settled};

use pace::{Limit, Limits, Speed};

use crate::args::ProgressMode;
use crate::connection::PathFigures;
use crate::copy::Way;
use crate::json;
use crate::units;

/// How often JSON lines and plain lines may come.
const JSON_EVERY: Duration = Duration::from_millis(200);
const PLAIN_EVERY: Duration = Duration::from_secs(2);
/// How often the bar is drawn.
const BAR_EVERY: Duration = Duration::from_millis(100);

/// How to show progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// What the user asked for.
    pub(crate) mode: ProgressMode,
    /// No bar unless it was asked for.
    pub(crate) quiet: bool,
    /// JSON lines on stdout.
    pub(crate) json: bool,
}

/// What one step of a job tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Bytes that are at the receiver.
    pub(crate) bytes: u64,
    /// Of these, the bytes that were there before this try.
    pub(crate) had: u64,
    /// Bytes of all that is known of the task.
    pub(crate) size: u64,
    /// Bytes that this try has sent again.
    pub(crate) resent: u64,
    /// Files that are known of the task.
    pub(crate) files: u64,
    /// What held it up.
    pub(crate) limited_by: Option<LimitedBy>,
}

/// Shows it.
#[derive(Debug)]
pub(crate) struct Progress {
    count: Count,
    speed: Speed,
    limits: Limits,
    /// More may be found of the present task than is known.
    is_open: bool,
    path: Option<PathFigures>,
    bar: Option<ProgressBar>,
    plain: bool,
    json: bool,
    begun: Instant,
    told: Instant,
    told_resent: u64,
    /// When the bar last said what is known of the way.
    looked: Option<Instant>,
}

impl Progress {
    /// For so many tasks. `bytes_total` is what is known of their sizes.
    pub(crate) fn new(look: Look, way: Way, tasks: usize, bytes_total: u64) -> Self {
        let mode = match look.mode {
            ProgressMode::Auto if look.quiet || !has_capable_terminal() => ProgressMode::None,
            ProgressMode::Auto => ProgressMode::Bar,
            other => other,
        };
        Self {
            count: Count::new(tasks, bytes_total),
            speed: Speed::default(),
            limits: Limits::new(way),
            is_open: false,
            path: None,
            bar: (mode == ProgressMode::Bar).then(|| new_bar(bytes_total)),
            plain: mode == ProgressMode::Plain,
            json: look.json,
            begun: Instant::now(),
            told: Instant::now(),
            told_resent: 0,
            looked: None,
        }
    }

    /// What is counted so far.
    pub(crate) fn count(&self) -> Count {
        self.count
    }

    /// Since it was made.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// What held the command up most.
    pub(crate) fn limited_by(&self) -> Option<&'static str> {
        self.limits.ever().map(Limit::name)
    }

    /// The next task begins.
    pub(crate) fn next(&mut self) {
        self.count.next();
    }

    /// A try at the present task begins; earlier ones stored `carried` bytes.
    pub(crate) fn begin(&mut self, carried: u64) {
        self.count.begin(carried);
    }

    /// What the present task is. `name` is escaped.
    pub(crate) fn start(&mut self, name: &str, size: u64, is_directory: bool) {
        self.is_open = is_directory;
        if !is_directory {
            self.count.found(size, 1);
        }
        if let Some(bar) = &self.bar {
            bar.set_length(self.count.bytes_total);
            bar.set_message(shorten(name, 30));
        }
    }

    /// A file or link of the present task is done.
    pub(crate) fn settle(&mut self, end: Settled) {
        self.count.settle(end);
    }

    /// The present task went on. `path` says what is known of the way: to ask interrupts the driver, so it is done only when
    /// the answer is shown.
    pub(crate) fn moved(&mut self, step: Step, path: impl FnOnce() -> Option<PathFigures>) {
        self.count.found(step.size, step.files);
        self.count.moved(step.bytes, step.had, step.resent);
        if let Some(limit) = step.limited_by {
            self.limits.note(limit);
        }
        let now = Instant::now();
        self.speed.note(now, self.count.moved);
        let every = if self.json { JSON_EVERY } else { PLAIN_EVERY };
        let tells = (self.json || self.plain) && now.saturating_duration_since(self.told) >= every;
        let draws = self.bar.is_some() && self.looked.is_none_or(|at| at.elapsed() >= BAR_EVERY);
        if !tells && !draws {
            return;
        }
        self.path = path().or(self.path);
        if let Some(path) = self.path {
            self.limits.path(path);
        }
        let limit = self.limits.lately();
        if draws {
            self.looked = Some(now);
            self.draw(limit);
        }
        if tells {
            self.told = now;
            self.tell(limit);
        }
    }

    fn draw(&self, limit: Option<Limit>) {
        if let Some(bar) = &self.bar {
            bar.set_length(self.count.bytes_total);
            bar.set_position(self.count.bytes);
            bar.set_prefix(self.figures(limit).join("  "));
        }
    }

    /// Files, rate, time left, path and limit, in words.
    fn figures(&self, limit: Option<Limit>) -> Vec<String> {
        let count = &self.count;
        let sign = self.sign();
        let mut all = Vec::new();
        if count.files_total > 1 {
            all.push(format!("{}/{sign}{} files", count.files, count.files_total));
        }
        if let Some(rate) = self.speed.rate() {
            all.push(format!("{}/s", units::size(rate)));
        }
        if let Some(eta) = self.speed.eta(count.bytes_total - count.bytes) {
            all.push(format!("eta {sign}{}", units::duration(eta)));
        }
        if let Some(path) = self.path {
            all.push(format!("rtt {}", units::duration(path.rtt)));
            all.push(format!("loss {:.1} %", path.loss * 100.0));
        }
        if let Some(limit) = limit {
            all.push(format!("limited by: {}", limit.name()));
        }
        all
    }

    /// `≥` while more may be found.
    fn sign(&self) -> &'static str {
        if self.is_open || !self.count.is_last() {
            "≥"
        } else {
            ""
        }
    }

    fn tell(&mut self, limit: Option<Limit>) {
        let count = self.count;
        if self.json {
            let eta = self.speed.eta(count.bytes_total - count.bytes);
            json::emit(
                "progress",
                json!({
                    "files": count.files, "files_total": count.files_total, "unchanged": count.unchanged,
                    "bytes": count.bytes, "bytes_total": count.bytes_total, "verified_bytes": count.verified,
                    "seconds": json::seconds(self.begun.elapsed()),
                    "rate": self.speed.rate(), "eta_seconds": eta.map(json::seconds),
                    "rtt_ms": self.path.map(|path| json::milliseconds(path.rtt)),
                    "loss": self.path.map(|path| json::share(path.loss)),
                    "limited_by": limit.map(Limit::name),
                }),
            );
            if count.resent > self.told_resent {
                self.told_resent = count.resent;
                json::emit("retransmit", json!({ "bytes": count.resent }));
            }
        }
        if self.plain {
            let line = format!(
                "{} of {}{} ({} %), {}",
                units::size(count.bytes),
                self.sign(),
                units::size(count.bytes_total),
                percent(count.bytes, count.bytes_total),
                self.figures(limit).join(", "),
            );
            self.print(&line);
        }
    }

    /// Prints a line on stderr, above the bar if there is one.
    pub(crate) fn print(&self, line: &str) {
        self.beside(|| {
            // Nothing is left to report to when stderr is gone.
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        });
    }

    /// Does what writes to the terminal while the bar is out of the way.
    pub(crate) fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Whole percent, 100 only when all is done.
pub(crate) fn percent(bytes: u64, total: u64) -> u64 {
    if total == 0 {
        return 100;
    }
    (u128::from(bytes.min(total)) * 100 / u128::from(total)) as u64
}

fn has_capable_terminal() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn new_bar(bytes_total: u64) -> ProgressBar {
    let bar =
        ProgressBar::with_draw_target(Some(bytes_total), ProgressDrawTarget::stderr_with_hz(10));
    // Only the template is checked here, and it is a constant.
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}  {prefix}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("━╸ "));
    bar
}

/// At most `max` characters, the end being what tells names apart.
fn shorten(name: &str, max: usize) -> String {
    let length = name.chars().count();
    if length <= max {
        return name.to_owned();
    }
    let tail: String = name.chars().skip(length - (max - 1)).collect();
    format!("…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(bytes: u64) -> Step {
        Step {
            bytes,
            had: 0,
            size: 1_000,
            resent: 0,
            files: 1,
            limited_by: Some(LimitedBy::Network),
        }
    }

    #[test]
    fn the_driver_is_asked_only_for_what_is_shown() {
        let mut asked = 0;
        for (mode, json) in [
            (ProgressMode::None, false),
            (ProgressMode::Plain, false),
            (ProgressMode::None, true),
        ] {
            let look = Look {
                mode,
                quiet: false,
                json,
            };
            let mut progress = Progress::new(look, Way::Upload, 1, 1_000);
            for bytes in 0..1_000 {
                progress.moved(step(bytes), || {
                    asked += 1;
                    None
                });
            }
        }
        assert!(asked <= 1, "asked {asked} times");
    }

    #[test]
    fn figures_in_words() {
        let look = Look {
            mode: ProgressMode::None,
            quiet: false,
            json: false,
        };
        let mut progress = Progress::new(look, Way::Upload, 3, 4_000);
        progress.next();
        progress.begin(0);
        progress.start("a", 1_000, false);
        progress.moved(step(500), || None);
        progress.path = Some(PathFigures {
            rtt: Duration::from_millis(20),
            min_rtt: Duration::from_millis(10),
            loss: 0.012,
        });
        let limit = progress.limits.lately();
        assert_eq!(
            progress.figures(limit),
            [
                "0/≥3 files",
                "rtt 20.0 ms",
                "loss 1.2 %",
                "limited by: network"
            ]
        );
    }

    #[test]
    fn percents() {
        assert_eq!(percent(0, 0), 100);
        assert_eq!(percent(999, 1000), 99);
        assert_eq!(percent(u64::MAX, u64::MAX), 100);
        assert_eq!(percent(7, 5), 100);
    }

    #[test]
    fn long_names_keep_their_end() {
        assert_eq!(shorten("short", 10), "short");
        assert_eq!(shorten("a/long/path/name.pdf", 9), "…name.pdf");
        assert_eq!(shorten("äöüäöü", 3), "…öü");
    }
}
