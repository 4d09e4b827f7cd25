//! What is special to TLS; the contract of all sessions is tested in the workspace's `tests`.

use alloc::{format, vec};
use core::mem;

use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;

use super::*;
use crate::crypto::{Epoch, Level};

/// The id of RFC 9001, appendix A.
const ORIGINAL: ConnectionId = ConnectionId([0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08]);

// TLS alerts (RFC 8446 §6).
const HANDSHAKE_FAILURE: CryptoError = CryptoError::Alert(40);
const BAD_CERTIFICATE: CryptoError = CryptoError::Alert(42);
const DECRYPT_ERROR: CryptoError = CryptoError::Alert(51);
const CERTIFICATE_REQUIRED: CryptoError = CryptoError::Alert(116);
const NO_APPLICATION_PROTOCOL: CryptoError = CryptoError::Alert(120);

fn provider(seed: u8, alpn: &[u8], change: impl FnOnce(&mut CryptoProvider)) -> TlsProvider {
    let mut crypto = aws_lc_rs::default_provider();
    crypto.kx_groups = vec![aws_lc_rs::kx_group::X25519MLKEM768];
    change(&mut crypto);
    TlsProvider::build(&[seed; 32], crypto, Arc::new(DefaultTimeProvider), alpn).unwrap()
}

fn usual(seed: u8) -> TlsProvider {
    provider(seed, ALPN, |_| ())
}

struct End {
    session: Box<dyn Session>,
    level: Level,
    unsent: Vec<(Level, Vec<u8>)>,
}

impl End {
    fn new(session: Box<dyn Session>) -> Self {
        let mut end = Self {
            session,
            level: Level::Initial,
            unsent: Vec::new(),
        };
        end.poll();
        end
    }

    fn poll(&mut self) {
        loop {
            let mut bytes = Vec::new();
            let next = self.session.write_handshake(&mut bytes);
            if bytes.is_empty() && next.is_none() {
                return;
            }
            self.unsent.push((self.level, bytes));
            self.level = next.unwrap_or(self.level);
        }
    }
}

/// Client and server after their handshake, or the error of the end that broke it off.
fn shake(
    client: &TlsProvider,
    server: &TlsProvider,
) -> Result<[Box<dyn Session>; 2], (Side, CryptoError)> {
    let mut client = End::new(client.client(ORIGINAL, b"client").unwrap());
    let mut server = End::new(server.server(ORIGINAL, b"server").unwrap());
    for reader_side in [Side::Server, Side::Client, Side::Server] {
        let (writer, reader) = match reader_side {
            Side::Client => (&mut server, &mut client),
            Side::Server => (&mut client, &mut server),
        };
        for (level, bytes) in mem::take(&mut writer.unsent) {
            let read = reader.session.read_handshake(level, &bytes);
            read.map_err(|error| (reader_side, error))?;
            reader.poll();
        }
    }
    assert!(client.session.is_complete() && server.session.is_complete());
    Ok([client.session, server.session])
}

fn error_of(client: &TlsProvider, server: &TlsProvider) -> (Side, CryptoError) {
    shake(client, server).err().unwrap()
}

#[test]
fn public_keys_are_those_of_rfc_8032() {
    // RFC 8032 §7.1, tests 1 and 2.
    for (seed, key) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        ),
    ] {
        let mut bytes = [0; 32];
        hex::decode_to_slice(seed, &mut bytes).unwrap();
        let public = public_key_of(&bytes).unwrap();
        assert_eq!(hex::encode(public.0), key);
        assert_eq!(TlsProvider::new(&bytes).unwrap().public_key(), public);
    }
}

#[test]
fn only_whole_ed25519_keys_are_parsed() {
    let mut spki = identity::SPKI_PREFIX.to_vec();
    spki.extend_from_slice(&[7; 32]);
    assert_eq!(identity::parse(&spki), Some(PublicKey([7; 32])));
    for len in 0..spki.len() {
        assert_eq!(identity::parse(&spki[..len]), None);
    }
    for at in 0..identity::SPKI_PREFIX.len() {
        let mut other = spki.clone();
        other[at] ^= 1;
        assert_eq!(identity::parse(&other), None);
    }
    spki.push(0);
    assert_eq!(identity::parse(&spki), None);
}

#[test]
fn initial_keys_are_those_of_rfc_9001() {
    // RFC 9001, appendix A.3: the server's first packet, which the client opens.
    let packet = "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c\
        69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bde\
        d74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee";
    let mut packet = hex::decode(packet).unwrap();
    let mut client = usual(1).client(ORIGINAL, b"").unwrap();
    let sample: [u8; 16] = packet[22..38].try_into().unwrap();
    let (first, rest) = packet.split_first_mut().unwrap();
    client
        .unprotect_header(Level::Initial, &sample, first, &mut rest[17..21])
        .unwrap();
    let (header, payload) = packet.split_at_mut(20);
    assert_eq!(
        hex::encode(&header),
        "c1000000010008f067a5502a4262b50040750001"
    );
    client
        .open(Level::Initial, Epoch::Current, 1, header, payload)
        .unwrap();
    // An ACK frame, and a CRYPTO frame with a ServerHello.
    assert_eq!(hex::encode(&payload[..14]), "02000000000600405a0200005603");
}

#[test]
fn another_application_protocol_is_refused() {
    let other = provider(1, b"dhow/2", |_| ());
    let expected = (Side::Server, NO_APPLICATION_PROTOCOL);
    assert_eq!(error_of(&other, &usual(2)), expected);
    assert_eq!(error_of(&usual(1), &other), expected);
}

#[test]
fn key_exchange_is_post_quantum_or_fails() {
    let old = provider(1, ALPN, |crypto| {
        crypto.kx_groups = vec![aws_lc_rs::kx_group::X25519, aws_lc_rs::kx_group::SECP256R1];
    });
    let expected = (Side::Server, HANDSHAKE_FAILURE);
    assert_eq!(error_of(&old, &usual(2)), expected);
    assert_eq!(error_of(&usual(2), &old), expected);

    let mut crypto = aws_lc_rs::default_provider();
    crypto
        .kx_groups
        .retain(|group| group.name() != NamedGroup::X25519MLKEM768);
    let time = Arc::new(DefaultTimeProvider);
    let refused = TlsProvider::with_crypto(&[1; 32], crypto, time);
    assert_eq!(refused.err(), Some(CryptoError::Config));
}

#[test]
fn the_client_prefers_a_cipher_and_initial_packets_have_their_own() {
    let chacha = provider(1, ALPN, |crypto| {
        crypto.cipher_suites = vec![
            aws_lc_rs::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256,
        ];
    });
    let aes = provider(2, ALPN, |crypto| {
        crypto.cipher_suites = vec![
            aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256,
            aws_lc_rs::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ];
    });
    // RFC 9001 §6.6: 2^36 forgeries for ChaCha20-Poly1305, 2^52 for AES-GCM.
    for (client, server, limit) in [(&chacha, &aes, 1 << 36), (&aes, &chacha, 1 << 52)] {
        for session in shake(client, server).unwrap() {
            assert_eq!(session.integrity_limit(), limit);
        }
    }
    let mut crypto = aws_lc_rs::default_provider();
    crypto.cipher_suites.clear();
    let refused = TlsProvider::with_crypto(&[1; 32], crypto, Arc::new(DefaultTimeProvider));
    assert_eq!(refused.err(), Some(CryptoError::Config));
}

/// Client and server configurations of `own`, which claim the key of `claimed`.
fn impostor(own: u8, claimed: u8) -> TlsProvider {
    let (own, _) = identity::load(&[own; 32]).unwrap();
    let (claimed, _) = identity::load(&[claimed; 32]).unwrap();
    let pair = Arc::new(CertifiedKey::new(claimed.cert.clone(), own.key.clone()));
    with_key(&pair)
}

fn with_key(own: &Arc<CertifiedKey>) -> TlsProvider {
    let mut made = usual(9);
    let client = Arc::make_mut(&mut made.client);
    client.client_auth_cert_resolver =
        Arc::new(AlwaysResolvesClientRawPublicKeys::new(own.clone()));
    let server = Arc::make_mut(&mut made.server);
    server.cert_resolver = Arc::new(AlwaysResolvesServerRawPublicKeys::new(own.clone()));
    made
}

#[test]
fn a_peer_without_the_private_key_is_refused() {
    let impostor = impostor(3, 1);
    assert_eq!(
        error_of(&impostor, &usual(2)),
        (Side::Server, DECRYPT_ERROR)
    );
    assert_eq!(
        error_of(&usual(2), &impostor),
        (Side::Client, DECRYPT_ERROR)
    );
}

#[test]
fn a_peer_with_no_key_or_two_is_refused() {
    let mut anonymous = usual(3);
    let client = Arc::make_mut(&mut anonymous.client);
    client.client_auth_cert_resolver = Arc::new(NoKey);
    let refused = error_of(&anonymous, &usual(2));
    assert_eq!(refused, (Side::Server, CERTIFICATE_REQUIRED));

    let (own, _) = identity::load(&[3; 32]).unwrap();
    let chain: Vec<CertificateDer<'static>> = [own.cert.clone(), own.cert.clone()].concat();
    let two = with_key(&Arc::new(CertifiedKey::new(chain, own.key.clone())));
    assert_eq!(error_of(&usual(2), &two), (Side::Client, BAD_CERTIFICATE));
}

#[derive(Debug)]
struct NoKey;

impl rustls::client::ResolvesClientCert for NoKey {
    fn resolve(
        &self,
        _hints: &[&[u8]],
        _schemes: &[rustls::SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn only_raw_public_keys(&self) -> bool {
        true
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[test]
fn rustls_is_asked_late_and_let_go_early() {
    let provider = usual(1);
    let initial = || provider.initial_keys(ORIGINAL, Side::Server);
    let waiting = Handshake::Waiting {
        config: provider.server.clone(),
        params: Vec::new(),
    };
    let mut session = TlsSession::new(waiting, initial());
    assert_eq!(session.write_handshake(&mut Vec::new()), None);
    session.read_handshake(Level::Initial, &[]).unwrap();
    assert!(matches!(session.handshake, Handshake::Waiting { .. }));
    session.read_handshake(Level::Initial, &[1]).unwrap();
    assert!(matches!(session.handshake, Handshake::Running(_)));
}

#[test]
fn secrets_are_not_printed() {
    let printed = format!("{:?}", usual(0xc5));
    let key = format!("{:?}", usual(0xc5).public_key());
    assert_eq!(printed, format!("TlsProvider {{ key: {key}, .. }}"));
}
