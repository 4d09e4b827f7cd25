//! The simulator's randomness: SplitMix64 (Steele, Lea, Flood 2014), one stream a purpose, all from one seed.

/// The increment of SplitMix64's counter.
pub(crate) const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// One stream of random numbers; the same seed and label give the same numbers on every platform.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The stream `label` of `seed`. Streams of different labels have nothing visible in common.
    #[must_use]
    pub fn new(seed: u64, label: u64) -> Self {
        Self(mix(
            mix(seed.wrapping_add(GOLDEN)) ^ label.wrapping_mul(GOLDEN)
        ))
    }

    /// A new stream that depends on this one's state.
    pub fn fork(&mut self) -> Self {
        Self(mix(self.next_u64()))
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number below `bound`; 0 for a bound of 0. Biased by less than `bound` / 2^64.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included; `low` when `high` is less.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        match high.checked_sub(low).map(|span| span.checked_add(1)) {
            None => low,
            Some(None) => self.next_u64(),
            Some(Some(span)) => low + self.below(span),
        }
    }

    /// True in `per_million` of 1,000,000 cases. Draws nothing when that is 0, so that a switched-off fault costs nothing.
    pub fn chance(&mut self, per_million: u32) -> bool {
        per_million > 0 && self.below(1_000_000) < u64::from(per_million)
    }

    /// True once in `n` cases; never for 0.
    pub fn one_in(&mut self, n: u64) -> bool {
        n > 0 && self.below(n) == 0
    }

    /// One of `choices`, which must not be empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    /// A number from 0 to `max`, each order of magnitude (base 2) about as likely as any other.
    pub fn log_uniform(&mut self, max: u64) -> u64 {
        let bits = u64::from(u64::BITS - max.leading_zeros());
        let bits = self.between(0, bits) as u32;
        let low = 1_u64.checked_shl(bits).map_or(0, |top| top >> 1);
        let high = low.saturating_mul(2).saturating_sub(1).min(max);
        self.between(low, high)
    }

    /// 32 random bytes.
    pub fn bytes32(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for word in bytes.chunks_exact_mut(8) {
            word.copy_from_slice(&self.next_u64().to_le_bytes());
        }
        bytes
    }
}

/// SplitMix64's output function: a bijection of 64 bits.
#[must_use]
pub(crate) const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The inverse of [`mix`].
#[must_use]
pub(crate) const fn unmix(mut x: u64) -> u64 {
    // The multipliers are the inverses of those of `mix` modulo 2^64.
    x = (x ^ (x >> 31) ^ (x >> 62)).wrapping_mul(0x3196_42b2_d24d_8ec3);
    x = (x ^ (x >> 27) ^ (x >> 54)).wrapping_mul(0x96de_1b17_3f11_9089);
    x ^ (x >> 30) ^ (x >> 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmix_is_the_inverse_of_mix() {
        let mut rng = Rng::new(1, 2);
        for x in [0, 1, u64::MAX, GOLDEN] {
            assert_eq!(unmix(mix(x)), x);
        }
        for _ in 0..10_000 {
            let x = rng.next_u64();
            assert_eq!(unmix(mix(x)), x);
        }
    }

    #[test]
    fn draws_stay_within_their_bounds_and_reach_them() {
        let mut rng = Rng::new(3, 0);
        let mut seen = [0_u32; 5];
        for _ in 0..1_000 {
            seen[rng.between(0, 4) as usize] += 1;
            assert!(rng.log_uniform(1_000) <= 1_000);
        }
        assert!(seen.iter().all(|&n| n > 150), "{seen:?}");
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.between(7, 3), 7);
        assert_eq!(rng.log_uniform(0), 0);
        assert!(!rng.chance(0) && rng.chance(1_000_000));
    }

    #[test]
    fn log_uniform_reaches_both_ends() {
        let mut rng = Rng::new(4, 0);
        let draws: Vec<u64> = (0..20_000).map(|_| rng.log_uniform(1_023)).collect();
        assert!(draws.contains(&0) && draws.contains(&1_023));
        let small = draws.iter().filter(|&&n| n < 32).count();
        assert!((9_000..13_000).contains(&small), "{small}");
    }

    #[test]
    fn streams_differ_by_seed_and_label() {
        let first = |seed, label| Rng::new(seed, label).next_u64();
        assert_eq!(first(1, 1), first(1, 1));
        assert_ne!(first(1, 1), first(1, 2));
        assert_ne!(first(1, 1), first(2, 1));
    }
}
