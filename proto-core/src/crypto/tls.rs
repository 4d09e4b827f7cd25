//! TLS 1.3 through rustls: mutual Ed25519 raw public keys (RFC 7250), hybrid post-quantum key exchange, keys for packets
//! as in RFC 9001.

mod identity;
mod session;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::quic::{self, ClientConnection, Version};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::version::TLS13;
use rustls::{ClientConfig, NamedGroup, ServerConfig, Side};

use super::{CryptoError, Provider, PublicKey, Session};
use crate::wire::ConnectionId;
use identity::AnyKey;
pub use identity::public_key_of;
use session::{Handshake, TlsSession};

/// The one application protocol (RFC 7301).
const ALPN: &[u8] = b"dhow/1";
/// The wire image is QUIC version 1's, as far as keys are derived from it.
const VERSION: Version = Version::V1;
/// Longer transport parameters are refused. They travel in a TLS extension of at most 65,535 bytes.
const PARAMS_MAX: usize = 1 << 12;

/// Makes TLS 1.3 sessions for one identity.
///
/// A peer must show an Ed25519 raw public key and prove that it holds the private one; whether that key is welcome is
/// decided above. There is no resumption, no early data, no server name.
pub struct TlsProvider {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    initial: quic::Suite,
    key: PublicKey,
}

impl TlsProvider {
    /// A provider for the Ed25519 private key `identity_seed` (RFC 8032 §5.1.5), with aws-lc-rs and the system's randomness.
    ///
    /// AES-128-GCM is preferred where the processor has instructions for it, else ChaCha20-Poly1305. The client's
    /// preference decides.
    ///
    /// # Errors
    /// [`CryptoError::Config`] if rustls refuses the key.
    pub fn new(identity_seed: &[u8; 32]) -> Result<Self, CryptoError> {
        let mut crypto = aws_lc_rs::default_provider();
        crypto.cipher_suites = alloc::vec![
            aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256,
            aws_lc_rs::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ];
        if !has_aes_instructions() {
            crypto.cipher_suites.reverse();
        }
        Self::with_crypto(identity_seed, crypto, Arc::new(DefaultTimeProvider))
    }

    /// A provider with foreign cryptography and a foreign clock, as a simulator needs it.
    ///
    /// Of `crypto`'s key exchange groups only X25519MLKEM768 is used; its cipher suites are tried in their order.
    ///
    /// # Errors
    /// [`CryptoError::Config`] if that group or a QUIC-capable TLS 1.3 cipher suite is missing, or if the key is refused.
    pub fn with_crypto(
        identity_seed: &[u8; 32],
        mut crypto: CryptoProvider,
        time: Arc<dyn TimeProvider>,
    ) -> Result<Self, CryptoError> {
        crypto
            .kx_groups
            .retain(|group| group.name() == NamedGroup::X25519MLKEM768);
        if crypto.kx_groups.is_empty() {
            return Err(CryptoError::Config);
        }
        Self::build(identity_seed, crypto, time, ALPN)
    }

    fn build(
        identity_seed: &[u8; 32],
        crypto: CryptoProvider,
        time: Arc<dyn TimeProvider>,
        alpn: &[u8],
    ) -> Result<Self, CryptoError> {
        let unusable = |_| CryptoError::Config;
        // Initial packets have this suite, whatever is negotiated (RFC 9001 §5.2).
        let suite = aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13();
        let initial = suite.and_then(|suite| suite.quic_suite());
        let (own, key) = identity::load(identity_seed)?;
        let verifier = Arc::new(AnyKey {
            algorithms: crypto.signature_verification_algorithms,
        });
        let crypto = Arc::new(crypto);

        let resolver = AlwaysResolvesClientRawPublicKeys::new(own.clone());
        let mut client = ClientConfig::builder_with_details(crypto.clone(), time.clone())
            .with_protocol_versions(&[&TLS13])
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_client_cert_resolver(Arc::new(resolver));
        client.alpn_protocols = alloc::vec![alpn.to_vec()];
        client.enable_sni = false;
        client.resumption = Resumption::disabled();

        let mut server = ServerConfig::builder_with_details(crypto, time)
            .with_protocol_versions(&[&TLS13])
            .map_err(unusable)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(own)));
        server.alpn_protocols = alloc::vec![alpn.to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;

        Ok(Self {
            client: Arc::new(client),
            server: Arc::new(server),
            initial: initial.ok_or(CryptoError::Config)?,
            key,
        })
    }

    /// This end's public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.key
    }

    fn initial_keys(&self, original: ConnectionId, side: Side) -> quic::Keys {
        self.initial.keys(&original.0, side, VERSION)
    }
}

impl fmt::Debug for TlsProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsProvider")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl Provider for TlsProvider {
    fn client(
        &self,
        original: ConnectionId,
        params: &[u8],
    ) -> Result<Box<dyn Session>, CryptoError> {
        let params = checked(params)?;
        // rustls asks for a name, which it would use for SNI and resumption alone.
        let name = ServerName::try_from("dhow").map_err(|_| CryptoError::Config)?;
        let connection = ClientConnection::new(self.client.clone(), VERSION, name, params)
            .map_err(|_| CryptoError::Config)?;
        Ok(Box::new(TlsSession::new(
            Handshake::Running(Box::new(connection.into())),
            self.initial_keys(original, Side::Client),
        )))
    }

    fn server(
        &self,
        original: ConnectionId,
        params: &[u8],
    ) -> Result<Box<dyn Session>, CryptoError> {
        Ok(Box::new(TlsSession::new(
            Handshake::Waiting {
                config: self.server.clone(),
                params: checked(params)?,
            },
            self.initial_keys(original, Side::Server),
        )))
    }
}

fn checked(params: &[u8]) -> Result<Vec<u8>, CryptoError> {
    if params.len() > PARAMS_MAX {
        return Err(CryptoError::Config);
    }
    Ok(params.to_vec())
}

fn has_aes_instructions() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    let has = std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    let has = std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    let has = false;
    has
}
