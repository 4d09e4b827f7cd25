//! Real TLS with randomness from a seed: the same seed gives the same bytes.
//!
//! rustls takes its randomness and its key exchange from `&'static` objects. These ones read a stream of the calling
//! thread, and each session puts its own stream there while rustls works.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::layer::{Layer, Layered};
use ml_kem::kem::{Decapsulate as _, KeyExport as _};
use ml_kem::{B32, DecapsulationKey, EncapsulationKey, MlKem768, ml_kem_768};
use proto_core::crypto::{CryptoError, Level, Provider, PublicKey, Session, TlsProvider};
use proto_core::wire::ConnectionId;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use rustls::crypto::{
    ActiveKeyExchange, CompletedKeyExchange, CryptoProvider, GetRandomFailed, SecureRandom,
    SharedSecret, SupportedKxGroup, aws_lc_rs,
};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use rustls::{Error, NamedGroup, PeerMisbehaved};
use x25519_dalek::StaticSecret;

/// Bytes of an ML-KEM-768 encapsulation key (FIPS 203, table 3).
const ENCAPSULATION_KEY: usize = 1_184;
/// Bytes of an ML-KEM-768 ciphertext (FIPS 203, table 3).
const CIPHERTEXT: usize = 1_088;
/// What the clock of rustls shows, in seconds since 1970. Nothing in dhow's handshake depends on it.
const NOW: u64 = 1_760_000_000;

thread_local! {
    /// The randomness of the session that rustls works for.
    static STREAM: RefCell<Option<ChaCha12Rng>> = const { RefCell::new(None) };
}

/// Makes TLS sessions that take their randomness from a seed.
///
/// Sessions are numbered as they are made, and each has a stream of its own: the order of calls between sessions does not
/// matter, the order in which they are made does.
pub struct SeededTls {
    tls: TlsProvider,
    seed: [u8; 32],
    made: AtomicU64,
}

impl SeededTls {
    /// A provider for the private key `identity_seed`, with randomness from `seed`.
    ///
    /// # Errors
    /// [`CryptoError::Config`] if rustls refuses the key.
    pub fn new(identity_seed: &[u8; 32], seed: [u8; 32]) -> Result<Self, CryptoError> {
        let crypto = CryptoProvider {
            // One order, whatever the processor is good at.
            cipher_suites: vec![
                aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256,
                aws_lc_rs::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            ],
            kx_groups: vec![&HybridGroup],
            secure_random: &StreamRandom,
            ..aws_lc_rs::default_provider()
        };
        Ok(Self {
            tls: TlsProvider::with_crypto(identity_seed, crypto, Arc::new(FixedTime))?,
            seed,
            made: AtomicU64::new(0),
        })
    }

    /// This end's public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.tls.public_key()
    }

    fn session(
        &self,
        make: impl FnOnce(&TlsProvider) -> Result<Box<dyn Session>, CryptoError>,
    ) -> Result<Box<dyn Session>, CryptoError> {
        let mut rng = ChaCha12Rng::from_seed(self.seed);
        rng.set_stream(self.made.fetch_add(1, Ordering::Relaxed));
        let session = with_stream(&mut rng, || make(&self.tls))?;
        Ok(Box::new(Layered(SeededSession { session, rng })))
    }
}

impl fmt::Debug for SeededTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeededTls")
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

impl Provider for SeededTls {
    fn client(
        &self,
        original: ConnectionId,
        params: &[u8],
    ) -> Result<Box<dyn Session>, CryptoError> {
        self.session(|tls| tls.client(original, params))
    }

    fn server(
        &self,
        original: ConnectionId,
        params: &[u8],
    ) -> Result<Box<dyn Session>, CryptoError> {
        self.session(|tls| tls.server(original, params))
    }
}

/// Runs `work` with `rng` as this thread's randomness.
fn with_stream<R>(rng: &mut ChaCha12Rng, work: impl FnOnce() -> R) -> R {
    STREAM.set(Some(rng.clone()));
    let result = work();
    if let Some(used) = STREAM.take() {
        *rng = used;
    }
    result
}

fn fill(bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
    STREAM.with_borrow_mut(|stream| match stream {
        Some(rng) => {
            rng.fill_bytes(bytes);
            Ok(())
        }
        None => Err(GetRandomFailed),
    })
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

#[derive(Debug)]
struct StreamRandom;

impl SecureRandom for StreamRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        fill(bytes)
    }
}

#[derive(Debug)]
struct FixedTime;

impl TimeProvider for FixedTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(NOW)))
    }
}

/// X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem): on the wire and in the secret, the ML-KEM part comes first.
#[derive(Debug)]
struct HybridGroup;

impl SupportedKxGroup for HybridGroup {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let kem = DecapsulationKey::<MlKem768>::from_seed(random()?.into());
        let curve = StaticSecret::from(random()?);
        let mut share = kem.encapsulation_key().to_bytes().to_vec();
        share.extend_from_slice(x25519_dalek::PublicKey::from(&curve).as_bytes());
        Ok(Box::new(HybridExchange { kem, curve, share }))
    }

    fn start_and_complete(&self, peer: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let (key, peer_point) = split::<ENCAPSULATION_KEY>(peer)?;
        let key = EncapsulationKey::<MlKem768>::new(&(*key).into())
            .map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let message: B32 = random()?.into();
        let (ciphertext, kem_secret) = key.encapsulate_deterministic(&message);
        let curve = StaticSecret::from(random()?);
        let mut share = ciphertext.to_vec();
        share.extend_from_slice(x25519_dalek::PublicKey::from(&curve).as_bytes());
        Ok(CompletedKeyExchange {
            group: self.name(),
            pub_key: share,
            secret: combine(&kem_secret, &curve, peer_point)?,
        })
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

struct HybridExchange {
    kem: DecapsulationKey<MlKem768>,
    curve: StaticSecret,
    share: Vec<u8>,
}

impl ActiveKeyExchange for HybridExchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let (ciphertext, peer_point) = split::<CIPHERTEXT>(peer)?;
        let ciphertext: ml_kem_768::Ciphertext = (*ciphertext).into();
        combine(&self.kem.decapsulate(&ciphertext), &self.curve, peer_point)
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

/// A key share's ML-KEM part and its X25519 part.
fn split<const N: usize>(share: &[u8]) -> Result<(&[u8; N], [u8; 32]), Error> {
    let parts = share.split_first_chunk().and_then(|(kem, point)| {
        let point = point.try_into().ok()?;
        Some((kem, point))
    });
    parts.ok_or_else(|| PeerMisbehaved::InvalidKeyShare.into())
}

fn combine(
    kem_secret: &[u8],
    curve: &StaticSecret,
    peer_point: [u8; 32],
) -> Result<SharedSecret, Error> {
    let curve_secret = curve.diffie_hellman(&peer_point.into());
    if !curve_secret.was_contributory() {
        return Err(PeerMisbehaved::InvalidKeyShare.into());
    }
    Ok([kem_secret, curve_secret.as_bytes()].concat().into())
}

/// A session with its stream of randomness, which it needs for nothing but the handshake.
struct SeededSession {
    session: Box<dyn Session>,
    rng: ChaCha12Rng,
}

impl Layer for SeededSession {
    fn inner(&self) -> &dyn Session {
        &*self.session
    }

    fn inner_mut(&mut self) -> &mut dyn Session {
        &mut *self.session
    }

    fn read_handshake(&mut self, level: Level, data: &[u8]) -> Result<(), CryptoError> {
        with_stream(&mut self.rng, || self.session.read_handshake(level, data))
    }

    fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<Level> {
        with_stream(&mut self.rng, || self.session.write_handshake(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_randomness_outside_of_a_session() {
        assert!(fill(&mut [0; 8]).is_err());
        let mut rng = ChaCha12Rng::from_seed([1; 32]);
        let first = with_stream(&mut rng, random::<8>).unwrap();
        let second = with_stream(&mut rng, random::<8>).unwrap();
        assert_ne!(first, second);
        assert!(fill(&mut [0; 8]).is_err());
    }

    #[test]
    fn sessions_of_one_provider_differ() {
        let provider = SeededTls::new(&[1; 32], [2; 32]).unwrap();
        let hello = || {
            let mut client = provider.client(ConnectionId([0; 8]), b"").unwrap();
            let mut bytes = Vec::new();
            client.write_handshake(&mut bytes);
            bytes
        };
        assert_ne!(hello(), hello());
    }

    #[test]
    fn key_shares_of_other_lengths_are_refused() {
        let mut rng = ChaCha12Rng::from_seed([1; 32]);
        with_stream(&mut rng, || {
            for len in [0, 32, ENCAPSULATION_KEY + 31, ENCAPSULATION_KEY + 33] {
                assert!(HybridGroup.start_and_complete(&vec![1; len]).is_err());
                assert!(
                    HybridGroup
                        .start()
                        .unwrap()
                        .complete(&vec![1; len])
                        .is_err()
                );
            }
        });
    }
}
