//! What transfers share with their session and endpoint, and how their frames get into packets.

use crate::config::Config;
use crate::file::Pool;
use crate::id::FileId;
use crate::rng::Rng;
use crate::time::{Duration, Instant};

/// Lent to every call of [`Transfers`](super::Transfers).
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) config: &'a Config,
    pub(crate) pool: &'a mut Pool,
    pub(crate) rng: &'a mut Rng,
    /// The session's smoothed round trip.
    pub(crate) rtt: Duration,
    /// The number of the next file to open.
    pub(crate) next_file: &'a mut u64,
}

impl Context<'_> {
    /// A number that no file had before.
    pub(crate) fn allot_file(&mut self) -> FileId {
        *self.next_file += 1;
        FileId(*self.next_file)
    }
}
