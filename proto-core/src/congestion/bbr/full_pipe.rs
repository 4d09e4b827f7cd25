//! Whether faster sending still brings faster delivery (draft-ietf-ccwg-bbr §5.3.1.2).

use super::params::{FULL_BW_COUNT, FULL_BW_GROWTH};

/// The full pipe estimator.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FullPipe {
    /// BBR.full_bw_reached.
    pub(super) reached: bool,
    /// BBR.full_bw_now.
    pub(super) now: bool,
    /// BBR.full_bw.
    bw: u64,
    /// BBR.full_bw_count.
    count: u32,
}

impl FullPipe {
    /// ResetFullBW, and the bandwidth from which growth is measured.
    pub(super) fn reset(&mut self, bw: u64) {
        *self = Self {
            reached: self.reached,
            now: false,
            bw,
            count: 0,
        };
    }

    /// CheckFullBWReached, at the start of a round that was not limited by the application.
    pub(super) fn on_round(&mut self, rate: u64) {
        if self.now {
            return;
        }
        if rate >= self.bw.saturating_mul(FULL_BW_GROWTH) / 1_000 {
            self.reset(rate);
            return;
        }
        self.count += 1;
        self.now = self.count >= FULL_BW_COUNT;
        self.reached |= self.now;
    }

    /// The last round was faster than those before.
    pub(super) fn grows(&self) -> bool {
        self.count == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_rounds_without_a_quarter_more() {
        let mut pipe = FullPipe::default();
        for rate in [100, 125, 160, 199, 199, 200, 249] {
            pipe.on_round(rate);
            assert!(!pipe.now);
        }
        assert!(!pipe.grows());
        pipe.on_round(249);
        assert!(!pipe.now);
        pipe.on_round(249);
        assert!(pipe.now && pipe.reached);
        pipe.reset(249);
        assert!(!pipe.now && pipe.reached);
    }
}
