//! What unfinished transfers left behind and nobody came back for (D6).
//!
//! A directory is swept when a journal is opened in it, at most once an hour, and the shared directories themselves when a
//! server starts. So what is looked at is bounded by what is in use: no tree is ever walked.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use proto_core::RootId;
use proto_core::wire::{EntryKind, FilePath};

use super::quota::Accounts;
use super::rooted::Directory;

/// What was not written for so long is removed.
const AGE: Duration = Duration::from_secs(7 * 24 * 3_600);

/// A directory is not swept again before this.
const PAUSE: Duration = Duration::from_secs(3_600);

/// Entries of a directory that are looked at in one sweep.
const ENTRIES_MAX: usize = 4_096;

/// Directories of which the last sweep is remembered.
const REMEMBERED_MAX: usize = 1_024;

/// When which directory was swept.
#[derive(Debug, Default)]
pub(super) struct Sweeps(Mutex<HashMap<(RootId, FilePath), Instant>>);

impl Sweeps {
    /// Sweeps a directory, unless that was done a short time ago.
    pub(super) fn sweep(
        &self,
        directory: &Directory,
        root: RootId,
        path: &FilePath,
        accounts: &Accounts,
    ) {
        let now = Instant::now();
        {
            let mut swept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let key = (root, path.clone());
            if swept.get(&key).is_some_and(|at| now - *at < PAUSE) {
                return;
            }
            if swept.len() >= REMEMBERED_MAX {
                swept.clear();
            }
            swept.insert(key, now);
        }
        let before = SystemTime::now() - AGE;
        let before = before.duration_since(UNIX_EPOCH).unwrap_or_default();
        sweep(directory, path, before.as_nanos() as i64, accounts);
    }
}

/// Removes dhow's own files that were last written before a time and that nobody has locked. What cannot be removed stays.
fn sweep(directory: &Directory, path: &FilePath, before: i64, accounts: &Accounts) {
    let Ok(mut entries) = directory.entries(path, 0) else {
        return;
    };
    for _ in 0..ENTRIES_MAX {
        let Ok(Some(found)) = entries.next() else {
            return;
        };
        let old = found.meta.kind == EntryKind::File && found.meta.mtime < before;
        if !old || !is_left_over(&found.name) {
            continue;
        }
        let Ok(path) = path.join(&found.name) else {
            continue;
        };
        // A journal is locked while it is in use. What others made is not ours to remove.
        let own = directory.open_own(&path, false);
        if own.is_ok_and(|(file, _)| file.try_lock().is_ok()) {
            let _ = accounts.displacing(|| directory.owned(&path), || directory.remove(&path));
        }
    }
}

/// `.dhow-<16 hex digits>.part` and `.dhow-<16 hex digits>.journal`.
fn is_left_over(name: &[u8]) -> bool {
    let Some(rest) = name.strip_prefix(b".dhow-") else {
        return false;
    };
    let Some((digits, end)) = rest.split_at_checked(16) else {
        return false;
    };
    let hex = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    digits.iter().all(hex) && matches!(end, b".part" | b".journal")
}
