//! Tokens of stateless resets (RFC 9000 §10.3).

use crate::rng::Rng;
use crate::wire::ConnectionId;

/// What tokens are made with.
pub(crate) struct ResetKey([u8; 32]);

impl ResetKey {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let mut key = [0; 32];
        rng.fill(&mut key);
        Self(key)
    }

    /// The token of an id that this endpoint gave.
    pub(crate) fn token(&self, id: ConnectionId) -> [u8; 16] {
        let hash = blake3::keyed_hash(&self.0, &id.0);
        let mut token = [0; 16];
        token.copy_from_slice(&hash.as_bytes()[..16]);
        token
    }
}

impl core::fmt::Debug for ResetKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ResetKey")
    }
}
