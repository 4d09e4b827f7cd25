//! A keyed checksum, in the place of a cipher.

/// The two halves of a 128-bit product, mixed.
pub(super) fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// A keyed checksum of 64 bits: products of 8-byte words in two independent chains, the same on every platform.
pub(super) fn checksum(key: u64, data: &[u8]) -> u64 {
    const SALT: [u64; 4] = [
        0x9e37_79b9_7f4a_7c15,
        0xbf58_476d_1ce4_e5b9,
        0x94d0_49bb_1331_11eb,
        0xd6e8_feb8_6659_fd93,
    ];
    let step = |chains: (u64, u64), chunk: &[u8; 32]| {
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&chunk[at..at + 8]);
            u64::from_le_bytes(word)
        };
        (
            fold(word(0) ^ SALT[0], word(8) ^ chains.0),
            fold(word(16) ^ SALT[1], word(24) ^ chains.1),
        )
    };
    let (chunks, rest) = data.as_chunks::<32>();
    let mut last = [0; 32];
    last[..rest.len()].copy_from_slice(rest);
    let key = fold(key ^ SALT[2], data.len() as u64 ^ SALT[3]);
    let start = (key, fold(key ^ SALT[0], SALT[1]));
    let chains = step(chunks.iter().fold(start, step), &last);
    fold(chains.0 ^ SALT[2], chains.1 ^ SALT[3])
}
