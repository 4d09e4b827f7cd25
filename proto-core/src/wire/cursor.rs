//! Where encoders write and how decoders read.

use alloc::vec::Vec;

use super::{WireError, varint};

/// Takes encoded bytes. `None` from any method means that they do not fit or have no encoding; what was written before
/// is then of no use.
pub(super) trait Sink {
    fn bytes(&mut self, bytes: &[u8]) -> Option<()>;

    fn byte(&mut self, byte: u8) -> Option<()> {
        self.bytes(&[byte])
    }

    fn varint(&mut self, value: u64) -> Option<()> {
        let mut number = [0; 8];
        let len = varint::write(&mut number, value)?;
        self.bytes(&number[..len])
    }

    /// The number of bytes as a varint, then the bytes.
    fn prefixed(&mut self, bytes: &[u8]) -> Option<()> {
        self.varint(bytes.len() as u64)?;
        self.bytes(bytes)
    }
}

/// Writes from the beginning of a slice.
pub(super) struct SliceSink<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> SliceSink<'a> {
    pub(super) fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    /// Bytes written.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

impl Sink for SliceSink<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.len.checked_add(bytes.len())?;
        self.out.get_mut(self.len..end)?.copy_from_slice(bytes);
        self.len = end;
        Some(())
    }
}

/// Only counts, so that an encoder and its length are one function.
#[derive(Default)]
pub(super) struct LengthSink(pub(super) usize);

impl Sink for LengthSink {
    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        self.0 = self.0.checked_add(bytes.len())?;
        Some(())
    }
}

impl Sink for Vec<u8> {
    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        self.extend_from_slice(bytes);
        Some(())
    }
}

/// Takes one byte.
pub(super) fn read_byte(bytes: &mut &[u8]) -> Result<u8, WireError> {
    let (&first, rest) = bytes.split_first().ok_or(WireError::Truncated)?;
    *bytes = rest;
    Ok(first)
}

/// Takes `N` bytes.
pub(super) fn read_array<'a, const N: usize>(
    bytes: &mut &'a [u8],
) -> Result<&'a [u8; N], WireError> {
    let (array, rest) = bytes.split_first_chunk().ok_or(WireError::Truncated)?;
    *bytes = rest;
    Ok(array)
}

/// Takes a length and as many bytes; more than `max` is a [`WireError::BadValue`].
pub(super) fn read_prefixed<'a>(bytes: &mut &'a [u8], max: usize) -> Result<&'a [u8], WireError> {
    let len = varint::read(bytes)?;
    let len = usize::try_from(len).map_err(|_| WireError::BadValue)?;
    if len > max {
        return Err(WireError::BadValue);
    }
    let (data, rest) = bytes.split_at_checked(len).ok_or(WireError::Truncated)?;
    *bytes = rest;
    Ok(data)
}

/// Whether `len` bytes from `offset` on end at 2^62 − 1 or before.
pub(super) fn check_range(offset: u64, len: u64) -> Result<(), WireError> {
    match offset.checked_add(len) {
        Some(end) if end <= varint::MAX => Ok(()),
        _ => Err(WireError::BadValue),
    }
}
