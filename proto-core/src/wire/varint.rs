//! Variable-length integers: 0 to 2^62 − 1 in 1, 2, 4 or 8 bytes (RFC 9000 §16).

use super::WireError;

/// The largest number that can be written: 2^62 − 1.
pub const MAX: u64 = (1 << 62) - 1;

/// Bytes of the shortest form of `value`: 1, 2, 4 or 8. Numbers above [`MAX`] have no form; 8 is said for them too.
#[must_use]
pub const fn len(value: u64) -> usize {
    match value {
        0..=0x3f => 1,
        0x40..=0x3fff => 2,
        0x4000..=0x3fff_ffff => 4,
        _ => 8,
    }
}

/// The largest number whose shortest form has `len` bytes: 1, 2, 4, or else 8.
#[must_use]
pub const fn largest(len: usize) -> u64 {
    match len {
        1 => 0x3f,
        2 => 0x3fff,
        4 => 0x3fff_ffff,
        _ => MAX,
    }
}

/// Writes the shortest form of `value` at the beginning of `out` and says its length; `None` when there is no room or
/// `value` is above [`MAX`].
pub fn write(out: &mut [u8], value: u64) -> Option<usize> {
    let len = len(value);
    let out = out.get_mut(..len)?;
    match len {
        1 => out.copy_from_slice(&[value as u8]),
        2 => out.copy_from_slice(&(value as u16 | 0x4000).to_be_bytes()),
        4 => out.copy_from_slice(&(value as u32 | 0x8000_0000).to_be_bytes()),
        _ if value <= MAX => out.copy_from_slice(&(value | 0xc000_0000_0000_0000).to_be_bytes()),
        _ => return None,
    }
    Some(len)
}

/// Reads a number in any of its forms and advances `bytes` over it.
///
/// # Errors
/// [`WireError::Truncated`] when the bytes end within it; `bytes` is then unchanged.
pub fn read(bytes: &mut &[u8]) -> Result<u64, WireError> {
    if let Some(word) = bytes.first_chunk() {
        // All forms at once: the number stands in the upper bytes, behind its two bits of length.
        let word = u64::from_be_bytes(*word);
        let len = 1_usize << (word >> 62);
        *bytes = bytes.get(len..).ok_or(WireError::Truncated)?;
        return Ok((word & MAX) >> (64 - 8 * len));
    }
    let first = *bytes.first().ok_or(WireError::Truncated)?;
    // Each form is read with one load, its two bits of length dropped.
    match first >> 6 {
        0 => split::<1>(bytes).map(|_| u64::from(first)),
        1 => split(bytes).map(|it| u64::from(u16::from_be_bytes(it) & 0x3fff)),
        2 => split(bytes).map(|it| u64::from(u32::from_be_bytes(it) & 0x3fff_ffff)),
        _ => split(bytes).map(|it| u64::from_be_bytes(it) & MAX),
    }
}

/// The first `N` bytes, over which `bytes` is advanced.
fn split<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], WireError> {
    let (number, rest) = bytes.split_first_chunk().ok_or(WireError::Truncated)?;
    *bytes = rest;
    Ok(*number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The examples of RFC 9000 §A.1.
    #[test]
    fn reads_the_examples_of_the_rfc() {
        let examples: [(&[u8], u64); 5] = [
            (
                &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c],
                151_288_809_941_952_652,
            ),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
            (&[0x40, 0x25], 37),
        ];
        for (bytes, value) in examples {
            let mut rest = bytes;
            assert_eq!(read(&mut rest), Ok(value));
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn borders_have_the_shortest_form() {
        let borders = [
            (0, 1),
            (63, 1),
            (64, 2),
            (16_383, 2),
            (16_384, 4),
            ((1 << 30) - 1, 4),
            (1 << 30, 8),
            (MAX, 8),
        ];
        for (value, length) in borders {
            let mut out = [0; 8];
            assert_eq!(len(value), length);
            assert!(value <= largest(length) && (length == 8 || len(largest(length) + 1) > length));
            assert_eq!(write(&mut out, value), Some(length));
            assert_eq!(write(&mut out[..length - 1], value), None);
            let mut rest = &out[..length];
            assert_eq!(read(&mut rest), Ok(value));
            let mut short = &out[..length - 1];
            assert_eq!(read(&mut short), Err(WireError::Truncated));
        }
        assert_eq!(write(&mut [0; 8], MAX + 1), None);
        assert_eq!(write(&mut [0; 8], u64::MAX), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in 0..=MAX, shift in 0..62_u32, tail in any::<Vec<u8>>()) {
            let value = value >> shift;
            let mut out = [0; 8];
            let written = write(&mut out, value).unwrap();
            prop_assert_eq!(written, len(value));
            let mut bytes = out[..written].to_vec();
            bytes.extend_from_slice(&tail);
            let mut rest = &bytes[..];
            prop_assert_eq!(read(&mut rest), Ok(value));
            prop_assert_eq!(rest, &tail[..]);
        }
    }
}
