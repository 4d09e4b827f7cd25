//! A process's own key.

use std::fmt;

use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use proto_core::crypto::PublicKey;
use zeroize::Zeroizing;

use crate::fingerprint;

/// An Ed25519 key pair: who a server or a user is.
#[derive(Clone)]
pub struct Identity {
    seed: Zeroizing<[u8; 32]>,
    public: PublicKey,
}

impl Identity {
    /// The key pair of a private key (RFC 8032 §5.1.5), as OpenSSH key files hold it.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(&seed).expect("any 32 bytes are an Ed25519 seed");
        let public = pair
            .public_key()
            .as_ref()
            .try_into()
            .expect("an Ed25519 public key has 32 bytes");
        Self {
            seed: Zeroizing::new(seed),
            public: PublicKey(public),
        }
    }

    /// A new key pair from the operating system's randomness.
    ///
    /// # Panics
    /// When the operating system has none.
    #[must_use]
    pub fn generate() -> Self {
        let mut seed = [0; 32];
        rand::fill(&mut seed).expect("the operating system gives random bytes");
        Self::from_seed(seed)
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// The public half, as [`fingerprint`] prints it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.public)
    }

    /// The private half, to be stored in a key file. Keep it secret.
    #[must_use]
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }
}

/// Shows the public half only.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 §7.1, test 1; the fingerprint is what `ssh-keygen -l` prints of the public key.
    #[test]
    fn keys_and_fingerprints_are_those_of_the_standards() {
        let identity = Identity::from_seed([
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec,
            0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03,
            0x1c, 0xae, 0x7f, 0x60,
        ]);
        assert_eq!(identity.public_key().0[..4], [0xd7, 0x5a, 0x98, 0x01]);
        assert_eq!(
            identity.fingerprint(),
            "SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8"
        );
    }

    #[test]
    fn h17_debug_shows_no_secret() {
        let identity = Identity::from_seed([0xab; 32]);
        let shown = format!("{identity:?}");
        assert_eq!(shown, format!("Identity({})", identity.fingerprint()));
        assert_ne!(Identity::generate().seed(), Identity::generate().seed());
    }
}
