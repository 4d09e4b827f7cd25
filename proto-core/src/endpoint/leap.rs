//! The clock, and what is done when it leaps: the machine slept, or the process was stopped (T12).

use super::Endpoint;
use crate::time::{Duration, Instant};

/// A driver that is this late for a deadline did not run in between.
const LEAP: Duration = Duration::from_secs(1);

impl Endpoint {
    /// Takes the time of a call. Time never goes back; when it leaps, sessions learn for how long nobody was there to take
    /// what arrived, before anything else.
    pub(super) fn advance(&mut self, now: Instant) -> Instant {
        if now == self.now {
            return now;
        }
        self.now = self.now.max(now);
        if let Some((at, _, _)) = self.deadlines.first()
            && self.now.since(at) > LEAP
        {
            let by = self.now.since(at);
            let keys: alloc::vec::Vec<_> = self.peers.iter().map(|(key, _)| key).collect();
            for key in keys {
                if let Some(peer) = self.peers.get_mut(key) {
                    peer.on_leap(by);
                }
                // What is due is done, so that no deadline is left that would make another leap of this one.
                self.settle(key);
            }
        }
        self.now
    }
}
