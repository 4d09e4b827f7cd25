//! Keys as people compare them.

use aws_lc_rs::digest;
use proto_core::crypto::PublicKey;

/// The key's fingerprint as OpenSSH prints it: `SHA256:` and the unpadded base64 of the SHA-256 of the key's wire form
/// (RFC 8709 §4).
#[must_use]
pub fn fingerprint(key: &PublicKey) -> String {
    let mut blob = Vec::with_capacity(51);
    for field in [b"ssh-ed25519".as_slice(), &key.0] {
        blob.extend_from_slice(&(field.len() as u32).to_be_bytes());
        blob.extend_from_slice(field);
    }
    let hash = digest::digest(&digest::SHA256, &blob);
    format!("SHA256:{}", base64(hash.as_ref()))
}

/// Base64 (RFC 4648 §4) without padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut bits = [0; 4];
        bits[1..=group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes(bits);
        for digit in 0..=group.len() {
            text.push(char::from(
                ALPHABET[(bits >> (18 - 6 * digit)) as usize & 63],
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let cases = [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, text) in cases {
            assert_eq!(base64(plain.as_bytes()), text);
        }
    }
}
