//! Frames of the session: CRYPTO and CLOSE. PADDING, PING and HANDSHAKE_DONE have no fields.

use super::super::cursor::{Sink, check_range, read_prefixed};
use super::super::{CloseCode, WireError, varint};
use super::Frame;

/// Bytes of a CLOSE's reason.
const REASON_MAX: usize = 1024;

// CRYPTO: offset (varint), length (varint), data (at least one byte).

pub(super) fn encode_crypto(out: &mut impl Sink, offset: u64, data: &[u8]) -> Option<()> {
    check_crypto(offset, data).ok()?;
    out.varint(offset)?;
    out.prefixed(data)
}

pub(super) fn decode_crypto<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    let offset = varint::read(bytes)?;
    let data = read_prefixed(bytes, usize::MAX)?;
    check_crypto(offset, data)?;
    Ok(Frame::Crypto { offset, data })
}

fn check_crypto(offset: u64, data: &[u8]) -> Result<(), WireError> {
    if data.is_empty() {
        return Err(WireError::BadValue);
    }
    check_range(offset, data.len() as u64)
}

// CLOSE: code (varint), length (varint, at most 1,024), reason.

pub(super) fn encode_close(out: &mut impl Sink, code: CloseCode, reason: &[u8]) -> Option<()> {
    if reason.len() > REASON_MAX {
        return None;
    }
    out.varint(code.to_wire())?;
    out.prefixed(reason)
}

pub(super) fn decode_close<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    Ok(Frame::Close {
        code: CloseCode::from_wire(varint::read(bytes)?),
        reason: read_prefixed(bytes, REASON_MAX)?,
    })
}
