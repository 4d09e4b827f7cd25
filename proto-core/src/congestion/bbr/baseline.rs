//! The loss that a path has anyway.
//!
//! Not of the draft. A radio link or a bad cable loses packets whether or not there is a queue; to take that for congestion
//! is what makes other controllers crawl. A round in which no queue stood, with no more in flight than the path holds, and
//! that still lost packets shows the path's own loss: the *baseline*. Loss is taken for congestion above
//! 1 % + 1.5 × baseline, and counting noise of two standard deviations on top, since few packets prove little.
//!
//! bw is what arrives: for that to arrive, bw / (1 - baseline) must be sent, and as much more be in flight.

use super::params::{HEAVY_LOSS, LOSS_THRESH};

/// The baseline is a share of this.
const WHOLE: u64 = 1 << 16;

/// At most so much: then the threshold is at 15 %, where growth ends in any case.
const BASELINE_MAX: u64 = WHOLE * (HEAVY_LOSS - LOSS_THRESH) * 2 / 3_000;

/// Datagrams without loss that are presumed, so that the first lost one does not make a path look bad.
const PRESUMED: u64 = 64;

/// The baseline is told by the last so many datagrams, roughly.
const MEMORY: u64 = 1 << 15;

/// What quiet rounds have shown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Baseline {
    /// Bytes sent in quiet rounds, halved now and then.
    all: u64,
    /// Those of them that were lost.
    lost: u64,
    /// There was a quiet round since the last probe for bandwidth.
    fresh: bool,
}

impl Baseline {
    /// A round without queue ended.
    pub(super) fn on_quiet_round(&mut self, acked: u64, lost: u64, datagram: u64) {
        self.fresh = true;
        self.all = self.all.saturating_add(acked).saturating_add(lost);
        self.lost = self.lost.saturating_add(lost);
        while self.all > MEMORY * datagram {
            self.all /= 2;
            self.lost /= 2;
        }
    }

    /// A probe for bandwidth begins. Where no round is quiet, what was known fades.
    pub(super) fn on_probe(&mut self) {
        if !core::mem::take(&mut self.fresh) {
            self.lost -= self.lost / 8;
        }
    }

    /// In parts of [`WHOLE`].
    fn share(&self, datagram: u64) -> u64 {
        let share = u128::from(self.lost) * u128::from(WHOLE)
            / u128::from((self.all + PRESUMED * datagram).max(1));
        (share as u64).min(BASELINE_MAX)
    }

    /// What must be sent for `bytes` to arrive.
    pub(super) fn compensate(&self, bytes: u64, datagram: u64) -> u64 {
        let left = WHOLE - self.share(datagram);
        let sent = u128::from(bytes) * u128::from(WHOLE) / u128::from(left);
        u64::try_from(sent).unwrap_or(u64::MAX)
    }

    /// Bytes lost of `sent` up to which nothing is wrong.
    pub(super) fn tolerated(&self, sent: u64, datagram: u64) -> u64 {
        let usual = of(sent, self.share(datagram) * 3 / 2, WHOLE);
        of(sent, LOSS_THRESH, 1_000) + usual + noise(usual, datagram)
    }

    /// Whether so much is lost that it does not matter why.
    pub(super) fn is_heavy(sent: u64, lost: u64, datagram: u64) -> bool {
        let limit = of(sent, HEAVY_LOSS, 1_000);
        lost > limit + noise(limit, datagram)
    }
}

/// Two standard deviations of a count of losses, in bytes, when so many bytes are expected to be lost.
fn noise(expected: u64, datagram: u64) -> u64 {
    let datagram = datagram.max(1);
    2 * (u128::from(expected) * u128::from(datagram)).isqrt() as u64
}

fn of(whole: u64, part: u64, parts: u64) -> u64 {
    (u128::from(whole) * u128::from(part) / u128::from(parts)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATAGRAM: u64 = 1_000;
    const ROUND: u64 = 1_000_000;

    fn after(rounds: usize, permille: u64) -> Baseline {
        let mut baseline = Baseline::default();
        for _ in 0..rounds {
            let lost = ROUND * permille / 1_000;
            baseline.on_quiet_round(ROUND - lost, lost, DATAGRAM);
        }
        baseline
    }

    /// On a path without loss of its own.
    #[test]
    fn one_percent_without_baseline() {
        for baseline in [Baseline::default(), after(20, 0)] {
            assert_eq!(baseline.tolerated(ROUND, DATAGRAM), 10_000);
            assert_eq!(baseline.compensate(ROUND, DATAGRAM), ROUND);
        }
    }

    #[test]
    fn half_as_much_again_and_noise() {
        let baseline = after(20, 50);
        // 1 % + 1.5 × 5 % is 85 of 1,000 datagrams; two deviations of 75 are 17.
        let tolerated = baseline.tolerated(ROUND, DATAGRAM);
        assert!((98_000..=103_000).contains(&tolerated), "{tolerated}");
        // Of 20 datagrams, the noise is larger: 0.2 + 1.5 + 2.4.
        let few = baseline.tolerated(20_000, DATAGRAM);
        assert!((3_800..=4_300).contains(&few), "{few}");
        let sent = baseline.compensate(ROUND, DATAGRAM);
        assert!((1_050_000..=1_053_000).contains(&sent), "{sent}");
    }

    /// 1 % + 1.5 × the cap are 15 %.
    #[test]
    fn the_baseline_is_capped() {
        let baseline = after(100, 300);
        assert!(baseline.share(DATAGRAM) <= WHOLE * 94 / 1_000);
        let sent = 1_000 * ROUND;
        assert!(baseline.tolerated(sent, DATAGRAM) <= sent * 151 / 1_000);
    }

    #[test]
    fn the_first_lost_datagram_proves_little() {
        let mut baseline = Baseline::default();
        baseline.on_quiet_round(9_000, 1_000, DATAGRAM);
        assert!(baseline.share(DATAGRAM) < WHOLE * 15 / 1_000);
    }

    #[test]
    fn what_was_known_fades_without_quiet_rounds() {
        let mut baseline = after(20, 50);
        let known = baseline.share(DATAGRAM);
        baseline.on_probe();
        assert_eq!(baseline.share(DATAGRAM), known, "there were quiet rounds");
        for _ in 0..20 {
            baseline.on_probe();
        }
        assert!(baseline.share(DATAGRAM) < known / 8);
        let mut moved = after(20, 50);
        for _ in 0..100 {
            moved.on_quiet_round(ROUND, 0, DATAGRAM);
        }
        assert!(moved.share(DATAGRAM) < WHOLE / 100, "the last rounds count");
    }

    #[test]
    fn heavy_loss_needs_more_than_a_few_packets() {
        assert!(!Baseline::is_heavy(10_000, 3_900, DATAGRAM));
        assert!(Baseline::is_heavy(10_000, 4_000, DATAGRAM));
        assert!(Baseline::is_heavy(ROUND, 180_000, DATAGRAM));
        assert!(!Baseline::is_heavy(ROUND, 150_000, DATAGRAM));
    }
}
