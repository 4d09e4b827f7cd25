//! What a client's log says of one job: asked, agreed, how far, retransmissions, done.

use transport_std::{ClientError, Progress, Stored, StoredAs, TransferStats, Tree, TreeTotals};

use crate::failure;
use crate::json;
use crate::log::Quarters;
use crate::units;

/// One upload or download, as its log tells it.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    what: String,
    quarters: Quarters,
}

impl Exchange {
    /// `what` is the request in words, names escaped: `download a as b`.
    pub(crate) fn new(what: String) -> Self {
        Self {
            what,
            quarters: Quarters::default(),
        }
    }

    /// The request in words.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// The line for the request.
    pub(crate) fn asked(&self) -> String {
        format!("asks: {}", self.what)
    }

    /// The line for something that happened, if it is worth one.
    pub(crate) fn line(&mut self, progress: Progress) -> Option<String> {
        match progress {
            Progress::Started(file) => {
                Some(format!("agreed: {}, {}", self.what, units::size(file.size)))
            }
            Progress::Moved {
                bytes,
                size,
                resent,
                ..
            } => {
                let percent = self.quarters.passed(bytes, size)?;
                Some(format!(
                    "{percent} %: {}, {}{}",
                    self.what,
                    units::size(bytes),
                    resent_text(resent)
                ))
            }
            _ => None,
        }
    }

    /// The line for the end.
    pub(crate) fn ended(&self, result: &Result<Stored, ClientError>) -> String {
        match result {
            Ok(stored) => format!("done: {}, {}", self.what, outcome(stored)),
            Err(error) => format!("failed: {}: {}", self.what, failure::from_client(error)),
        }
    }

    /// The same of what may have been a directory.
    pub(crate) fn ended_tree(&self, result: &Result<Tree, ClientError>) -> String {
        match result {
            Ok(tree) => match &tree.file {
                Some(stored) => format!("done: {}, {}", self.what, outcome(stored)),
                None => format!(
                    "done: {}, {}",
                    self.what,
                    tree_outcome(&tree.totals, &tree.stats)
                ),
            },
            Err(error) => format!("failed: {}: {}", self.what, failure::from_client(error)),
        }
    }
}

/// `, resent 12.0 KiB`, or nothing.
pub(crate) fn resent_text(resent: u64) -> String {
    if resent == 0 {
        return String::new();
    }
    format!(", resent {}", units::size(resent))
}

/// Size, time, rate, bytes sent again and the beginning of the hash.
pub(crate) fn outcome(stored: &Stored) -> String {
    if stored.how == StoredAs::Unchanged {
        return format!("{}, unchanged", units::size(stored.size));
    }
    written_text(stored.size, &stored.stats, stored.hash)
}

/// Counts, time and rate of a directory.
pub(crate) fn tree_outcome(totals: &TreeTotals, stats: &TransferStats) -> String {
    format!(
        "{}{}{}",
        crate::server_log::tree_text(totals),
        speed_text(totals.bytes, stats),
        resent_text(stats.resent),
    )
}

/// The same of a file that was written, as both sides tell it.
pub(crate) fn written_text(size: u64, stats: &TransferStats, hash: Option<[u8; 32]>) -> String {
    let hash = hash.map(|hash| format!(", blake3 {}…", json::hex(&hash[..8])));
    format!(
        "{}{}{}{}",
        units::size(size),
        speed_text(size, stats),
        resent_text(stats.resent),
        hash.unwrap_or_default(),
    )
}

/// ` (144 MiB now) in 3.82 s, 37.7 MiB/s`: what was there from an earlier try neither took the time nor counts for the rate.
fn speed_text(size: u64, stats: &TransferStats) -> String {
    let moved = units::size(stats.bytes);
    let now = match stats.bytes < size && moved != units::size(size) {
        true => format!(" ({moved} now)"),
        false => String::new(),
    };
    let rate = match stats.bytes.min(size) {
        0 => String::new(),
        bytes => format!(", {}", units::rate(bytes, stats.elapsed)),
    };
    format!("{now} in {}{rate}", units::duration(stats.elapsed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use transport_std::{Durability, EntryKind, FileInfo, LimitedBy};

    #[test]
    fn what_was_there_before_is_not_part_of_the_rate() {
        let stats = TransferStats {
            bytes: 144 << 20,
            resent: 0,
            elapsed: Duration::from_secs(4),
        };
        let text = written_text(200 << 20, &stats, None);
        assert_eq!(text, "200 MiB (144 MiB now) in 4.00 s, 36.0 MiB/s");
        let none = TransferStats { bytes: 0, ..stats };
        assert_eq!(written_text(5, &none, None), "5 B (0 B now) in 4.00 s");
        assert_eq!(written_text(0, &none, None), "0 B in 4.00 s");
    }

    #[test]
    fn a_download_in_lines() {
        let mut exchange = Exchange::new("download a as b".to_owned());
        let file = FileInfo {
            kind: EntryKind::File,
            size: 4 << 20,
            mtime: 0,
            mode: 0o644,
        };
        let mut lines = vec![exchange.asked()];
        lines.extend(exchange.line(Progress::Accepted));
        lines.extend(exchange.line(Progress::Started(file)));
        for (bytes, resent) in [(1 << 19, 0), (1 << 20, 0), (3 << 20, 2048), (4 << 20, 2048)] {
            lines.extend(exchange.line(Progress::Moved {
                bytes,
                had: 0,
                whole: 0,
                size: 4 << 20,
                resent,
                files: 1,
                limited_by: LimitedBy::Network,
            }));
        }
        let stored = Stored {
            hash: Some([0xab; 32]),
            size: 4 << 20,
            how: StoredAs::Written,
            durability: Durability::Full,
            stats: TransferStats {
                bytes: 4 << 20,
                resent: 2048,
                elapsed: Duration::from_secs(2),
            },
        };
        lines.push(exchange.ended(&Ok(stored)));
        assert_eq!(
            lines,
            [
                "asks: download a as b",
                "agreed: download a as b, 4.00 MiB",
                "25 %: download a as b, 1.00 MiB",
                "75 %: download a as b, 3.00 MiB, resent 2.00 KiB",
                "done: download a as b, 4.00 MiB in 2.00 s, 2.00 MiB/s, resent 2.00 KiB, blake3 abababababababab…",
            ]
        );
    }
}
