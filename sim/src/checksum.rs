//! A keyed checksum: in the place of a cipher, and over what a run did.

/// The two halves of a 128-bit product, mixed.
pub(crate) fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Odd numbers without a pattern.
const SALT: [u64; 4] = [
    0x9e37_79b9_7f4a_7c15,
    0xbf58_476d_1ce4_e5b9,
    0x94d0_49bb_1331_11eb,
    0xd6e8_feb8_6659_fd93,
];

/// A keyed checksum of 64 bits, the same on every platform: products of 8-byte words in four chains, which do not wait for
/// each other.
pub(crate) fn checksum(key: u64, data: &[u8]) -> u64 {
    let (chunks, rest) = data.as_chunks::<64>();
    let mut last = [0; 64];
    last[..rest.len()].copy_from_slice(rest);
    let key = fold(key ^ SALT[2], data.len() as u64 ^ SALT[3]);
    let mut chains = SALT.map(|salt| key.wrapping_mul(salt));
    for chunk in chunks {
        step(&mut chains, chunk);
    }
    if !rest.is_empty() {
        step(&mut chains, &last);
    }
    let [a, b, c, d] = chains;
    fold(
        fold(a ^ SALT[0], b ^ SALT[1]),
        fold(c ^ SALT[2], d ^ SALT[3]),
    )
}

fn step(chains: &mut [u64; 4], chunk: &[u8; 64]) {
    let (words, _) = chunk.as_chunks::<8>();
    let (pairs, _) = words.as_chunks::<2>();
    for ((chain, [left, right]), salt) in chains.iter_mut().zip(pairs).zip(SALT) {
        *chain = fold(
            u64::from_le_bytes(*left) ^ salt,
            u64::from_le_bytes(*right) ^ *chain,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_sees_every_bit_and_the_length() {
        let mut seen = std::collections::BTreeSet::new();
        for len in 0..200 {
            let mut data = vec![0; len];
            assert!(seen.insert(checksum(1, &data)));
            assert!(seen.insert(checksum(2, &data)));
            for bit in 0..len * 8 {
                data[bit / 8] ^= 1 << (bit % 8);
                assert!(seen.insert(checksum(1, &data)), "bit {bit} of {len} bytes");
                data[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }

    #[test]
    fn a_checksum_is_the_same_everywhere() {
        // From a second implementation, with integers of unlimited size.
        assert_eq!(checksum(7, b""), 0x15a2_1365_95b0_8652);
        assert_eq!(checksum(7, &[0x5a; 77]), 0xe2a0_12c2_08fc_106b);
    }
}
