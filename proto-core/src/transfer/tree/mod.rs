//! Directories on their way: many files in one transfer (`docs/PROTOCOL.md` §10.6).
//!
//! Both ends number files in the order in which the source finds them; 0 is the directory that was asked for. A file of
//! one block or less, and a symbolic link, is *small*: its whole way is one loan to the disk at each end, shared with
//! others of its directory. A larger file is a [`Source`](super::source::Source) here and a
//! [`Sink`](super::sink::Sink) there, as if it were alone.
//!
//! Nothing looks at all files: what has something to say, or to do, stands in a queue.

mod batches;
mod link;
mod sink;
mod source;
mod totals;
mod units;

pub(super) use sink::{BLOCKS_MIN as TREE_BLOCKS_MIN, TreePlan, TreeSink};
pub(super) use source::TreeSource;
pub use totals::{FileReport, TreeTotals};

use super::codes::Fault;
use crate::file::BLOCK_SIZE;
use crate::wire::ErrorCode;

/// Bytes of the largest small file.
const SMALL_MAX: u64 = BLOCK_SIZE as u64;

/// Entries of a tree at most (C6).
pub(super) const ENTRIES_MAX: u32 = 1_000_000;

/// Files in one loan to the disk, and bytes of these after which no more are added.
const BATCH_FILES: usize = 64;
const BATCH_BYTES: u64 = 256 << 10;

/// Loans of small files at once: enough to keep the disk's threads busy while others gather.
const BATCHES_MAX: usize = 4;

/// Larger files at work at once.
const LARGE_MAX: usize = 64;

/// Reports that wait for the application at most; with more, nothing further is stored.
const REPORTS_MAX: usize = 1_024;

/// A file's number as items and tags carry it.
fn number(file: u64) -> Result<u32, Fault> {
    let number = u32::try_from(file).ok();
    number
        .filter(|number| *number < ENTRIES_MAX)
        .ok_or(Fault::Transfer(ErrorCode::TooLarge))
}
