//! A running 64-bit checksum over what a run did, to tell two runs apart. Not for adversaries.

use std::hash::Hasher;

use crate::checksum::checksum;
use crate::rng::GOLDEN;

/// The checksum so far.
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
        self.number(checksum(GOLDEN, bytes));
    }
}

/// Numbers count as such, whatever their size in memory.
impl Hasher for Digest {
    fn finish(&self) -> u64 {
        self.value()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.bytes(bytes);
    }

    fn write_u8(&mut self, number: u8) {
        self.number(number.into());
    }

    fn write_u16(&mut self, number: u16) {
        self.number(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.number(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.number(number);
    }

    fn write_u128(&mut self, number: u128) {
        self.number(number as u64);
        self.number((number >> 64) as u64);
    }

    fn write_usize(&mut self, number: usize) {
        self.number(number as u64);
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
