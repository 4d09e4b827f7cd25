//! What became of the entries of a command's directories: each counts once, however often a job had to be begun anew.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use transport_std::{EntryKind, FileReport, StoredAs, TreeTotals};

use crate::exit::Exit;

/// A path of one of the tasks, as 16 bytes of a hash: a million of them take some 40 MB.
type Key = [u8; 16];

/// What a report says that was not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum News {
    /// The first word about this entry, or a better one.
    New,
    /// It was told already.
    Known,
}

/// Counts over all tasks.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    told: HashMap<Key, Result<StoredAs, Exit>>,
    /// By task.
    totals: HashMap<usize, TreeTotals>,
}

impl Tally {
    /// Takes a report of task number `task`; `exit` is what a failure of it means for the command.
    pub(crate) fn take(&mut self, task: usize, report: &FileReport, exit: Exit) -> News {
        let now = report.result.map_err(|_| exit);
        match self.told.entry(key(task, &report.path)) {
            // What is stored stays stored: that it is unchanged in a later try, or in the way, is no news.
            Entry::Occupied(before) if before.get().is_ok() || now.is_err() => return News::Known,
            Entry::Occupied(mut before) => {
                *before.get_mut() = now;
                self.totals.entry(task).or_default().failed -= 1;
            }
            Entry::Vacant(place) => {
                place.insert(now);
            }
        }
        count(self.totals.entry(task).or_default(), report);
        News::New
    }

    /// Counts of one task.
    pub(crate) fn totals_of(&self, task: usize) -> TreeTotals {
        self.totals.get(&task).copied().unwrap_or_default()
    }

    /// Whether a file of a task was written by this command.
    pub(crate) fn was_written(&self, task: usize, path: &[u8]) -> bool {
        self.told.get(&key(task, path)) == Some(&Ok(StoredAs::Written))
    }

    /// What the failures mean for the command.
    pub(crate) fn failures(&self) -> impl Iterator<Item = Exit> {
        self.told.values().filter_map(|told| told.err())
    }
}

fn count(totals: &mut TreeTotals, report: &FileReport) {
    match (report.result, report.kind) {
        (Err(_), _) => totals.failed += 1,
        (Ok(_), EntryKind::Directory) => totals.directories += 1,
        (Ok(StoredAs::Unchanged), _) => totals.unchanged += 1,
        (Ok(StoredAs::Written), EntryKind::Symlink) => totals.links += 1,
        (Ok(StoredAs::Written), _) => {
            totals.files += 1;
            totals.bytes = totals.bytes.saturating_add(report.size);
        }
    }
}

fn key(task: usize, path: &[u8]) -> Key {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(task as u64).to_le_bytes()).update(path);
    let mut key = Key::default();
    hasher.finalize_xof().fill(&mut key);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use transport_std::{Durability, ErrorCode};

    fn report(path: &[u8], result: Result<StoredAs, ErrorCode>) -> FileReport {
        FileReport {
            path: path.to_vec(),
            kind: EntryKind::File,
            size: 10,
            root: None,
            durability: Durability::Full,
            result,
        }
    }

    #[test]
    fn what_is_told_twice_counts_once() {
        let mut tally = Tally::default();
        let mut take =
            |task, path: &[u8], result| tally.take(task, &report(path, result), Exit::Refused);
        assert_eq!(take(0, b"a", Ok(StoredAs::Written)), News::New);
        // After a lost session the same is unchanged, or in the way of --no-clobber.
        assert_eq!(take(0, b"a", Ok(StoredAs::Unchanged)), News::Known);
        assert_eq!(take(0, b"a", Err(ErrorCode::Exists)), News::Known);
        assert_eq!(take(1, b"a", Ok(StoredAs::Unchanged)), News::New);
        assert_eq!(take(0, b"b", Err(ErrorCode::Io)), News::New);
        assert_eq!(take(0, b"b", Err(ErrorCode::Io)), News::Known);
        assert_eq!(take(0, b"c", Err(ErrorCode::Io)), News::New);
        // What failed may succeed in a later try.
        assert_eq!(take(0, b"b", Ok(StoredAs::Written)), News::New);
        let totals = tally.totals_of(0);
        assert_eq!(
            (totals.files, totals.unchanged, totals.failed, totals.bytes),
            (2, 0, 1, 20)
        );
        assert_eq!(
            (tally.totals_of(1).unchanged, tally.failures().count()),
            (1, 1)
        );
    }
}
