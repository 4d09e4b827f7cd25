//! A running 64-bit checksum over what a run did, to tell two runs apart. Not for adversaries.

use std::fmt;

use crate::rng::GOLDEN;

/// The checksum so far. Text can be written into it, so that a log can be compared without being kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Digest(u64);

impl Digest {
    /// The checksum's value.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// Takes a number in.
    pub fn number(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0xa076_1d64_78bd_642f)
            * u128::from(self.0.rotate_left(32) ^ GOLDEN);
        self.0 = product as u64 ^ (product >> 64) as u64;
    }

    /// Takes bytes and their number in.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.number(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.number(u64::from_le_bytes(last));
        self.number(bytes.len() as u64);
    }
}

impl fmt::Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> u64 {
        let mut digest = Digest::default();
        digest.bytes(bytes);
        digest.value()
    }

    #[test]
    fn every_byte_and_the_length_count() {
        let bytes: Vec<u8> = (0..100).collect();
        let before = of(&bytes);
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_ne!(of(&other), before, "{at}");
            assert_ne!(of(&bytes[..at]), before, "{at}");
        }
        assert_ne!(of(&[]), of(&[0]));
    }
}
