//! Packet numbers: 0 to 2^62 − 1, of which 1 to 4 low bytes travel (RFC 9000 §17.1).

use super::varint;

/// The largest packet number.
pub const MAX: u64 = varint::MAX;

/// How many bytes of the number `full` must travel, 1 to 4, when `largest_acked` is the highest number that the peer has
/// acknowledged (RFC 9000 §A.2).
///
/// 4 bytes are enough while fewer than 2^31 packets are unacknowledged; a sender stops long before.
#[must_use]
pub fn encode_len(full: u64, largest_acked: Option<u64>) -> usize {
    let unacked = match largest_acked {
        Some(acked) => full.saturating_sub(acked),
        None => full.saturating_add(1),
    };
    // Twice as many numbers must be told apart, since the receiver looks to both sides of what it expects.
    let bits = 64 - unacked.saturating_mul(2).saturating_sub(1).leading_zeros();
    bits.div_ceil(8).clamp(1, 4) as usize
}

/// The highest number of which `len` bytes are [enough](encode_len); of 4 bytes and more, [`MAX`].
#[must_use]
pub fn last_of_len(len: usize, largest_acked: Option<u64>) -> u64 {
    let half = 1_u64 << (8 * len.clamp(1, 4) - 1);
    match largest_acked {
        _ if len >= 4 => MAX,
        Some(acked) => acked.saturating_add(half),
        None => half - 1,
    }
}

/// Writes the `len` low bytes of `full` at the beginning of `out`; `None` when there is no room or `len` is not 1 to 4.
pub fn write(out: &mut [u8], full: u64, len: usize) -> Option<()> {
    let [a, b, c, d] = (full as u32).to_be_bytes();
    match len {
        1 => *out.first_mut()? = d,
        2 => *out.first_chunk_mut()? = [c, d],
        3 => *out.first_chunk_mut()? = [b, c, d],
        4 => *out.first_chunk_mut()? = [a, b, c, d],
        _ => return None,
    }
    Some(())
}

/// The number in the first `len` bytes (1 to 4) of `bytes`, unmasked already; bytes that are not there count as none.
#[must_use]
pub fn read(bytes: &[u8], len: usize) -> u64 {
    let len = len.clamp(1, 4);
    if let Some(word) = bytes.first_chunk() {
        return u64::from(u32::from_be_bytes(*word) >> (32 - 8 * len));
    }
    let low = bytes.iter().take(len);
    low.fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// The full number of a packet of which `len` bytes (1 to 4) with the value `truncated` came, when `expected` is the highest
/// number opened so far plus one: the candidate nearest to it, the higher of two (RFC 9000 §A.3).
#[inline]
#[must_use]
pub fn decode(truncated: u64, len: usize, expected: u64) -> u64 {
    let window = 1_u64 << (8 * len.clamp(1, 4));
    let expected = expected.min(MAX + 1);
    let ahead = truncated.wrapping_sub(expected) & (window - 1);
    let above = expected + ahead;
    if above > MAX || (ahead > window / 2 && above >= window) {
        above - window
    } else {
        above
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_of_the_rfc() {
        // The examples of RFC 9000 §A.2.
        assert_eq!(encode_len(0xac_5c02, Some(0xab_e8b3)), 2);
        assert_eq!(encode_len(0xac_e8fe, Some(0xab_e8b3)), 3);
        // Borders: 2^7 unacknowledged numbers fit one byte, 2^15 two, 2^23 three.
        let lengths = [
            (1, 1),
            (128, 1),
            (129, 2),
            (1 << 15, 2),
            (1 << 23, 3),
            (1 << 24, 4),
        ];
        for (unacked, len) in lengths {
            assert_eq!(encode_len(1000 + unacked, Some(1000)), len, "{unacked}");
            assert_eq!(encode_len(unacked - 1, None), len, "{unacked}");
        }
        assert_eq!(encode_len(u64::MAX, None), 4);
        assert_eq!(encode_len(3, Some(7)), 1);
    }

    #[test]
    fn decodes_the_example_of_the_rfc() {
        // RFC 9000 §A.3: the highest so far is 0xa82f30ea.
        assert_eq!(decode(0x9b32, 2, 0xa82f_30eb), 0xa82f_9b32);
    }

    #[test]
    fn stays_within_the_number_space() {
        assert_eq!(decode(0xff, 1, 0), 0xff);
        assert_eq!(decode(0, 1, MAX + 1), MAX - 0xff);
        assert_eq!(decode(0xff, 1, MAX + 1), MAX);
        assert_eq!(decode(0xff, 1, u64::MAX), MAX);
        assert_eq!(decode(u64::MAX, 9, 0), 0xffff_ffff);
    }

    #[test]
    fn writes_low_bytes_only() {
        let mut out = [0; 4];
        assert_eq!(write(&mut out, 0x0102_0304_0506, 3), Some(()));
        assert_eq!(out, [4, 5, 6, 0]);
        assert_eq!(read(&out, 3), 0x04_0506);
        for (room, len) in [(4, 0), (4, 5), (2, 3), (4, usize::MAX)] {
            assert_eq!(write(&mut out[..room], 1, len), None);
        }
    }

    proptest! {
        #[test]
        fn lengths_change_behind_their_last(acked in prop::option::of(0..MAX >> 1), ahead in 0..1_u64 << 34) {
            let number = acked.unwrap_or(0) + ahead;
            let last = |len| last_of_len(len, acked);
            let len = encode_len(number, acked);
            prop_assert!(number <= last(len));
            prop_assert!(len == 1 || last(len - 1) < number);
            prop_assert_eq!(encode_len(last(1), acked), 1);
            prop_assert_eq!(encode_len(last(3) + 1, acked), 4);
        }

        /// Whatever the receiver has seen between what it acknowledged and the packet itself, it finds the number.
        #[test]
        fn the_receiver_finds_the_number(
            acked in 0..MAX - (1 << 31),
            unacked in 1..1_u64 << 31,
            shift in 0..31_u32,
            seen in any::<u64>(),
        ) {
            let unacked = (unacked >> shift).max(1);
            let full = acked + unacked;
            let expected = acked + 1 + seen % unacked;
            let len = encode_len(full, Some(acked));
            let mut out = [0; 4];
            write(&mut out, full, len).unwrap();
            prop_assert_eq!(decode(read(&out, len), len, expected), full);
        }

        /// Against the definition: of all numbers with these low bytes, none is nearer to the expected one.
        #[test]
        fn nothing_is_nearer(truncated in any::<u32>(), len in 1..=4_usize, expected in 0..=MAX) {
            let number = decode(truncated.into(), len, expected);
            let window = 1_u64 << (8 * len);
            prop_assert!(number <= MAX);
            prop_assert_eq!(number % window, u64::from(truncated) % window);
            let distance = number.abs_diff(expected);
            for other in [number.checked_sub(window), Some(number + window)].into_iter().flatten() {
                prop_assert!(other > MAX || other.abs_diff(expected) >= distance);
            }
        }
    }
}
