//! Blocks that a source may begin: promised out of the pool, counted back as writes complete.

use alloc::format;

use crate::audit::{Breach, check, rule};
use crate::file::{Pool, Use};
use crate::time::{Duration, Instant};

/// A window of which an eighth is used up within this time grows even when the round trip is shorter: the disk's latency, too,
/// must fit into the window.
const GROWTH_FLOOR: Duration = Duration::from_millis(2);

/// The sink's side of credit.
///
/// Held blocks never exceed `reserved`: first-time blocks hold at most `limit - completed`, blocks asked for once more
/// at most `debt`, and both together fit `reserved`.
#[derive(Debug)]
pub(super) struct Credit {
    /// Blocks promised by the pool.
    reserved: u32,
    /// Blocks that may be begun and not yet written.
    window: u32,
    /// What `window` may grow to.
    max: u32,
    /// Blocks that may ever be begun.
    limit: u64,
    /// The limit that the source was told last.
    told: u64,
    /// Blocks written for the first time.
    completed: u64,
    /// Blocks asked for once more and not written yet.
    debt: u64,
    /// When `epoch_completed` was noted.
    epoch_at: Instant,
    epoch_completed: u64,
}

impl Credit {
    /// A window of up to `initial` blocks; `None` when the pool has not one left to promise.
    pub(super) fn reserve(pool: &mut Pool, initial: u32, max: u32, now: Instant) -> Option<Self> {
        let reserved = pool.reserve(Use::Sink, initial.clamp(1, max.max(1)));
        (reserved > 0).then(|| Self {
            reserved,
            window: reserved,
            max,
            limit: u64::from(reserved),
            told: u64::from(reserved),
            completed: 0,
            debt: 0,
            epoch_at: now,
            epoch_completed: 0,
        })
    }

    /// Blocks that may be held.
    pub(super) fn reserved(&self) -> u32 {
        self.reserved
    }

    /// Blocks that may ever be begun.
    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Blocks written for the first time.
    pub(super) fn completed(&self) -> u64 {
        self.completed
    }

    /// Whether what the source may send, of a file of `blocks` blocks, fits what the pool has promised.
    pub(super) fn audit(&self, blocks: u64) -> Result<(), Breach> {
        let open = self.limit.min(blocks).saturating_sub(self.completed) + self.debt;
        check(open <= u64::from(self.reserved), rule::CREDIT, || {
            format!(
                "{open} blocks may be under way, {} are promised",
                self.reserved
            )
        })?;
        check(self.told <= self.limit, rule::CREDIT, || {
            format!(
                "the source was told {}, the limit is {}",
                self.told, self.limit
            )
        })
    }

    /// Whether the limit has risen enough to tell the source, or the source runs short.
    pub(super) fn is_due(&self) -> bool {
        let window = u64::from(self.window);
        let more = self.limit - self.told;
        more > 0 && (more >= window / 4 || self.told <= self.completed + window / 2)
    }

    /// The source is being told the present limit.
    pub(super) fn tell(&mut self) {
        self.told = self.limit;
    }

    /// The source was told nothing yet.
    pub(super) fn untold(&mut self) {
        self.told = 0;
    }

    /// The source may not know the present limit.
    pub(super) fn lost(&mut self) {
        self.told = self
            .told
            .min(self.limit.saturating_sub(u64::from(self.window)));
    }

    /// A block was written for the first time. The limit rises up to `cap`.
    pub(super) fn complete(&mut self, pool: &mut Pool, now: Instant, rtt: Duration, cap: u64) {
        self.completed += 1;
        // A block takes a round trip until it is told of, and another one for each loss in it. A source that is starting up sends
        // twice as much in the next round trip: what the first blocks took says nothing of it.
        let fast = now.since(self.epoch_at) <= rtt.max(GROWTH_FLOOR);
        let much = self.completed - self.epoch_completed >= u64::from(self.window.div_ceil(8));
        if much || !fast {
            if fast && self.window < self.max && self.completed < cap {
                let more = pool.reserve(Use::Sink, self.window.min(self.max - self.window));
                self.reserved += more;
                self.window += more;
            }
            self.epoch_at = now;
            self.epoch_completed = self.completed;
        }
        self.raise(cap);
    }

    /// Raises the limit to what window and `cap` allow.
    pub(super) fn raise(&mut self, cap: u64) {
        let limit = (self.completed + u64::from(self.window)).saturating_sub(self.debt);
        self.limit = self.limit.max(limit.min(cap));
    }

    /// How many of `blocks` may be asked for once more now, in a file of `total` blocks; they count as held.
    pub(super) fn borrow(&mut self, blocks: u64, total: u64) -> u64 {
        let begun = self.limit.min(total).saturating_sub(self.completed) + self.debt;
        let granted = u64::from(self.reserved).saturating_sub(begun).min(blocks);
        self.debt += granted;
        granted
    }

    /// A block that was asked for once more is written.
    pub(super) fn repay(&mut self, cap: u64) {
        self.debt = self.debt.saturating_sub(1);
        self.raise(cap);
    }

    /// Gives the promise back; all blocks must be home.
    pub(super) fn release(&mut self, pool: &mut Pool) {
        pool.release(Use::Sink, core::mem::take(&mut self.reserved));
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests {
    use super::*;

    fn run(window: u32, max: u32, per_block: Duration, blocks: u64) -> Credit {
        let mut pool = Pool::new(64, 0);
        let mut now = Instant::ZERO;
        let Some(mut credit) = Credit::reserve(&mut pool, window, max, now) else {
            unreachable!("the pool is empty")
        };
        for _ in 0..blocks {
            now += per_block;
            credit.complete(&mut pool, now, Duration::from_millis(100), u64::MAX);
            let promised = 64 - pool.unreserved(Use::Sink);
            assert_eq!((credit.reserved, credit.window), (promised, promised), "M4");
            assert!(
                credit.limit() - credit.completed <= u64::from(promised),
                "M4"
            );
        }
        credit
    }

    #[test]
    fn the_window_follows_what_eight_round_trips_use() {
        // An eighth of 4 blocks in 120 ms are less than the window allows; slower sources get no more.
        assert_eq!(run(4, 32, Duration::from_millis(120), 100).window, 4);
        // One of 4 or 8 in 60 ms, but not two of 16 in 120.
        assert_eq!(run(4, 32, Duration::from_millis(60), 100).window, 16);
        assert_eq!(run(4, 32, Duration::from_millis(1), 100).window, 32);
        // The pool of 64 bounds it, too.
        assert_eq!(run(4, 1_000, Duration::from_millis(1), 1_000).window, 64);
    }

    #[test]
    fn blocks_asked_for_again_wait_for_room() {
        let mut pool = Pool::new(4, 0);
        let Some(mut credit) = Credit::reserve(&mut pool, 4, 4, Instant::ZERO) else {
            unreachable!("the pool is empty")
        };
        assert_eq!(credit.borrow(16, 100), 0);
        for _ in 0..98 {
            credit.complete(&mut pool, Instant::ZERO, Duration::ZERO, 100);
        }
        assert_eq!((credit.limit(), credit.borrow(16, 100)), (100, 2));
        credit.repay(100);
        assert_eq!(credit.borrow(16, 100), 1);
    }

    #[test]
    fn without_a_promise_there_is_no_credit() {
        let mut pool = Pool::new(1, 0);
        assert!(Credit::reserve(&mut pool, 4, 8, Instant::ZERO).is_some());
        assert!(Credit::reserve(&mut pool, 4, 8, Instant::ZERO).is_none());
    }
}
