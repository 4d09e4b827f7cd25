//! Ed25519 keys as rustls wants them, and a verifier that takes any of them.

use alloc::sync::Arc;
use alloc::vec::Vec;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::sign::any_eddsa_type;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    SignatureScheme,
};
use zeroize::Zeroizing;

use super::super::{CryptoError, PublicKey};

/// What precedes the 32 bytes of the seed in a PKCS#8 private key (RFC 8410 §7).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// What precedes the 32 bytes of the key in a SubjectPublicKeyInfo (RFC 8410 §4).
pub(super) const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// The public key of an Ed25519 seed (RFC 8032 §5.1.5).
///
/// # Errors
/// [`CryptoError::Config`] if the cryptographic library refuses the seed.
pub fn public_key_of(seed: &[u8; 32]) -> Result<PublicKey, CryptoError> {
    load(seed).map(|(_, key)| key)
}

/// The signing key of `seed` with its raw public key in the place of a certificate chain.
pub(super) fn load(seed: &[u8; 32]) -> Result<(Arc<CertifiedKey>, PublicKey), CryptoError> {
    let mut pkcs8 = Zeroizing::new([0; PKCS8_PREFIX.len() + 32]);
    let (prefix, rest) = pkcs8.split_at_mut(PKCS8_PREFIX.len());
    prefix.copy_from_slice(&PKCS8_PREFIX);
    rest.copy_from_slice(seed);
    let der = PrivatePkcs8KeyDer::from(pkcs8.as_slice());
    let signing = any_eddsa_type(&der).map_err(|_| CryptoError::Config)?;
    let spki = signing.public_key().ok_or(CryptoError::Config)?;
    let key = parse(&spki).ok_or(CryptoError::Config)?;
    let chain = alloc::vec![CertificateDer::from(spki.to_vec())];
    Ok((Arc::new(CertifiedKey::new(chain, signing)), key))
}

/// The key in a SubjectPublicKeyInfo, if it is an Ed25519 key in DER.
pub(super) fn parse(spki: &[u8]) -> Option<PublicKey> {
    let key = spki.strip_prefix(&SPKI_PREFIX)?;
    key.try_into().ok().map(PublicKey)
}

/// Accepts every peer that proves to hold an Ed25519 key.
#[derive(Debug)]
pub(super) struct AnyKey {
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl AnyKey {
    fn check_key(&self, key: &[u8], more: &[CertificateDer<'_>]) -> Result<(), Error> {
        if more.is_empty() && parse(key).is_some() {
            Ok(())
        } else {
            Err(CertificateError::BadEncoding.into())
        }
    }
}

/// What a client's and a server's verifier have in common.
macro_rules! tls13_raw_ed25519 {
    () => {
        fn verify_tls12_signature(
            &self,
            _message: &[u8],
            _key: &CertificateDer<'_>,
            _signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(PeerIncompatible::Tls12NotOffered.into())
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            key: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let key = SubjectPublicKeyInfoDer::from(key.as_ref());
            verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            alloc::vec![SignatureScheme::ED25519]
        }

        fn requires_raw_public_keys(&self) -> bool {
            true
        }
    };
}

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check_key(key, more)?;
        Ok(ServerCertVerified::assertion())
    }

    tls13_raw_ed25519!();
}

impl ClientCertVerifier for AnyKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check_key(key, more)?;
        Ok(ClientCertVerified::assertion())
    }

    tls13_raw_ed25519!();
}
