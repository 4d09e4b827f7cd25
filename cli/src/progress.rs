//! The progress of a whole command: files and bytes done, of what is known of the total. It never goes backwards.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use crate::args::ProgressMode;
use crate::json;
use crate::units;

/// How often JSON lines and plain lines may come.
const JSON_EVERY: Duration = Duration::from_millis(200);
const PLAIN_EVERY: Duration = Duration::from_secs(2);
/// How often the bar is drawn.
const BAR_EVERY: Duration = Duration::from_millis(100);

/// Numbers that only grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Count {
    /// Files that are done.
    pub(crate) files: usize,
    /// Files in all.
    pub(crate) files_total: usize,
    /// Bytes that are at their receiver.
    pub(crate) bytes: u64,
    /// Bytes in all, as far as known.
    pub(crate) bytes_total: u64,
    /// Bytes sent again.
    pub(crate) resent: u64,
    finished_bytes: u64,
    finished_resent: u64,
    /// Of the present task: bytes that earlier tries stored, and bytes that were there already.
    carried: u64,
    skipped: u64,
}

impl Count {
    /// A try at the present task begins; earlier ones stored `carried` bytes.
    pub(crate) fn begin(&mut self, carried: u64) {
        self.carried = carried;
    }

    /// So much is known of the present task's size.
    pub(crate) fn start(&mut self, size: u64) {
        self.bytes_total = self
            .bytes_total
            .max(self.finished_bytes.saturating_add(size));
    }

    /// Something of the present task was there already.
    pub(crate) fn skip(&mut self, bytes: u64) {
        self.skipped = self.skipped.saturating_add(bytes);
    }

    /// The present task went on: bytes that this try has moved.
    pub(crate) fn moved(&mut self, bytes: u64, resent: u64) {
        let before = [self.carried, self.skipped, bytes];
        let done = before
            .into_iter()
            .fold(self.finished_bytes, u64::saturating_add);
        self.bytes = self.bytes.max(done);
        self.bytes_total = self.bytes_total.max(self.bytes);
        self.resent = self.resent.max(self.finished_resent.saturating_add(resent));
    }

    /// The present task is over; what it moved stays counted.
    pub(crate) fn end(&mut self) {
        self.files += 1;
        (self.carried, self.skipped) = (0, 0);
        self.finished_bytes = self.bytes;
        self.finished_resent = self.resent;
    }
}

/// Shows it.
#[derive(Debug)]
pub(crate) struct Progress {
    count: Count,
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
    /// For `files` files. `bytes_total` is what is known of their sizes.
    pub(crate) fn new(
        mode: ProgressMode,
        quiet: bool,
        json: bool,
        files: usize,
        bytes_total: u64,
    ) -> Self {
        let mode = match mode {
            ProgressMode::Auto if quiet || !has_capable_terminal() => ProgressMode::None,
            ProgressMode::Auto => ProgressMode::Bar,
            other => other,
        };
        let count = Count {
            files_total: files,
            bytes_total,
            ..Count::default()
        };
        Self {
            count,
            bar: (mode == ProgressMode::Bar).then(|| new_bar(bytes_total)),
            plain: mode == ProgressMode::Plain,
            json,
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

    /// A try at the present task begins; earlier ones stored `carried` bytes.
    pub(crate) fn begin(&mut self, carried: u64) {
        self.count.begin(carried);
    }

    /// A file of the present task was there already.
    pub(crate) fn skip(&mut self, bytes: u64) {
        self.count.skip(bytes);
    }

    /// A further file begins. `name` is escaped.
    pub(crate) fn start(&mut self, name: &str, size: u64) {
        self.count.start(size);
        if let Some(bar) = &self.bar {
            bar.set_length(self.count.bytes_total);
            let which = match self.count.files_total {
                1 => String::new(),
                total => format!("{}/{total} ", self.count.files + 1),
            };
            bar.set_message(format!("{which}{}", shorten(name, 30)));
        }
    }

    /// The present task went on; `size` is what is known of its size. `path` says what is known of the way: round trip and share of packets lost. To ask
    /// interrupts the driver, so it is done only when the answer is shown.
    pub(crate) fn moved(
        &mut self,
        bytes: u64,
        size: u64,
        resent: u64,
        path: impl FnOnce() -> Option<(Duration, f64)>,
    ) {
        self.count.start(size);
        self.count.moved(bytes, resent);
        let every = if self.json { JSON_EVERY } else { PLAIN_EVERY };
        let tells = (self.json || self.plain) && self.told.elapsed() >= every;
        let draws = self.bar.is_some() && self.looked.is_none_or(|at| at.elapsed() >= BAR_EVERY);
        let path = if tells || draws { path() } else { None };
        if draws {
            self.looked = Some(Instant::now());
        }
        if let Some(bar) = &self.bar {
            bar.set_length(self.count.bytes_total);
            bar.set_position(self.count.bytes);
            if let Some((rtt, loss)) = path {
                bar.set_prefix(format!(
                    "rtt {} loss {:.1} %",
                    units::duration(rtt),
                    loss * 100.0
                ));
            }
        }
        if tells {
            self.told = Instant::now();
            self.tell(path);
        }
    }

    fn tell(&mut self, path: Option<(Duration, f64)>) {
        let count = self.count;
        if self.json {
            json::emit(
                "progress",
                json!({
                    "files": count.files, "files_total": count.files_total,
                    "bytes": count.bytes, "bytes_total": count.bytes_total,
                    "seconds": json::seconds(self.begun.elapsed()),
                    "rtt_ms": path.map(|(rtt, _)| json::milliseconds(rtt)), "loss": path.map(|(_, loss)| json::share(loss)),
                }),
            );
            if count.resent > self.told_resent {
                self.told_resent = count.resent;
                json::emit("retransmit", json!({ "bytes": count.resent }));
            }
        }
        if self.plain {
            let line = format!(
                "{} of {} ({} %), {}",
                units::size(count.bytes),
                units::size(count.bytes_total),
                percent(count.bytes, count.bytes_total),
                units::rate(count.bytes, self.begun.elapsed()),
            );
            self.print(&line);
        }
    }

    /// The present file is over.
    pub(crate) fn end(&mut self) {
        self.count.end();
        if let Some(bar) = &self.bar {
            bar.set_position(self.count.bytes);
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
    let style = ProgressStyle::with_template(
        "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} eta {eta} {prefix}",
    )
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
    use proptest::prelude::*;

    #[test]
    fn files_add_up() {
        let mut count = Count::default();
        count.start(10);
        count.moved(10, 3);
        count.end();
        count.start(5);
        assert_eq!((count.bytes, count.bytes_total, count.files), (10, 15, 1));
        count.moved(4, 1);
        // A file may turn out larger than announced, and a late report smaller than an earlier one.
        count.moved(2, 0);
        assert_eq!((count.bytes, count.resent), (14, 4));
        count.moved(9, 1);
        assert_eq!((count.bytes, count.bytes_total), (19, 19));
    }

    #[test]
    fn the_driver_is_asked_only_for_what_is_shown() {
        let mut asked = 0;
        for (mode, json) in [
            (ProgressMode::None, false),
            (ProgressMode::Plain, false),
            (ProgressMode::None, true),
        ] {
            let mut progress = Progress::new(mode, false, json, 1, 1_000);
            for bytes in 0..1_000 {
                progress.moved(bytes, bytes, 0, || {
                    asked += 1;
                    None
                });
            }
        }
        assert!(asked <= 1, "asked {asked} times");
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

    proptest! {
        #[test]
        fn never_backwards(steps: Vec<(u8, u64, u64)>) {
            let mut count = Count::default();
            for (kind, a, b) in steps {
                let before = count;
                match kind % 5 {
                    0 => count.start(a),
                    1 => count.moved(a, b),
                    2 => count.skip(a),
                    3 => count.begin(a),
                    _ => count.end(),
                }
                prop_assert!(count.bytes >= before.bytes && count.bytes_total >= before.bytes_total);
                prop_assert!(count.resent >= before.resent && count.files >= before.files);
                prop_assert!(count.bytes <= count.bytes_total);
            }
        }
    }
}
