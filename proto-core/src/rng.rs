//! The core's own randomness, all of it from the endpoint's seed.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// One stream of random numbers.
#[derive(Debug)]
pub(crate) struct Rng(ChaCha12Rng);

/// What a stream is for. What the wire shows must tell nothing of the secrets, so the two never share a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    /// Values that travel in the open: connection ids, skipped packet numbers, temporary names.
    Wire = 1,
    /// Keys.
    Secret = 2,
}

impl Rng {
    pub(crate) fn new(seed: [u8; 32], stream: Stream) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        rng.set_stream(stream as u64);
        Self(rng)
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// A number below `bound`; 0 for a bound of 0. Biased by less than 2^-32 for bounds below 2^32.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            0
        } else {
            self.next_u64() % bound
        }
    }
}
