//! Frames that move bytes and say how many may move: WANT, CREDIT, DATA, PAGE.

use super::super::cursor::{Sink, check_range, read_byte, read_prefixed};
use super::super::{WireError, varint};
use super::file::Place;
use super::{Frame, kind};

// WANT: place, start (varint), length (varint).

pub(super) fn encode_want(out: &mut impl Sink, place: Place, start: u64, end: u64) -> Option<()> {
    let len = end.checked_sub(start)?;
    check_range(start, len).ok()?;
    place.encode(out)?;
    out.varint(start)?;
    out.varint(len)
}

pub(super) fn decode_want<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    let Place { transfer, file } = Place::decode(bytes)?;
    let start = varint::read(bytes)?;
    let len = varint::read(bytes)?;
    check_range(start, len)?;
    Ok(Frame::Want {
        transfer,
        file,
        start,
        end: start + len,
    })
}

// CREDIT: place, limit (varint).

pub(super) fn encode_credit(out: &mut impl Sink, place: Place, limit: u64) -> Option<()> {
    place.encode(out)?;
    out.varint(limit)
}

pub(super) fn decode_credit<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    let Place { transfer, file } = Place::decode(bytes)?;
    Ok(Frame::Credit {
        transfer,
        file,
        limit: varint::read(bytes)?,
    })
}

// DATA: place, offset (varint), length (varint), data (at least one byte).

pub(super) fn encode_data(
    out: &mut impl Sink,
    place: Place,
    offset: u64,
    data: &[u8],
) -> Option<()> {
    check_data(offset, data).ok()?;
    place.encode(out)?;
    out.varint(offset)?;
    out.prefixed(data)
}

pub(super) fn decode_data<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    let Place { transfer, file } = Place::decode(bytes)?;
    let offset = varint::read(bytes)?;
    let data = read_prefixed(bytes, usize::MAX)?;
    check_data(offset, data)?;
    Ok(Frame::Data {
        transfer,
        file,
        offset,
        data,
    })
}

/// The fields of a DATA frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Data<'a> {
    /// Number of the transfer.
    pub transfer: u64,
    /// Number of the file in it.
    pub file: u64,
    /// Where `data` stands in the file.
    pub offset: u64,
    /// The bytes.
    pub data: &'a [u8],
}

impl<'a> Data<'a> {
    /// Reads a payload that is one DATA frame and nothing else, as nearly all packets of a file have; `None` for any other.
    #[must_use]
    pub fn alone(payload: &'a [u8]) -> Option<Self> {
        let (&kind::DATA, mut bytes) = payload.split_first()? else {
            return None;
        };
        let Place { transfer, file } = Place::decode(&mut bytes).ok()?;
        let offset = varint::read(&mut bytes).ok()?;
        let len = varint::read(&mut bytes).ok()?;
        let whole = len == bytes.len() as u64 && check_data(offset, bytes).is_ok();
        whole.then_some(Self {
            transfer,
            file,
            offset,
            data: bytes,
        })
    }
}

fn check_data(offset: u64, data: &[u8]) -> Result<(), WireError> {
    if data.is_empty() {
        return Err(WireError::BadValue);
    }
    check_range(offset, data.len() as u64)
}

// PAGE: transfer (varint), flags (1 byte), offset (varint), length (varint), data (may be empty in the last page only).

const FLAG_LAST: u8 = 0x01;

pub(super) fn encode_page(
    out: &mut impl Sink,
    transfer: u64,
    offset: u64,
    last: bool,
    data: &[u8],
) -> Option<()> {
    check_page(offset, last, data).ok()?;
    out.varint(transfer)?;
    out.byte(if last { FLAG_LAST } else { 0 })?;
    out.varint(offset)?;
    out.prefixed(data)
}

pub(super) fn decode_page<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    let transfer = varint::read(bytes)?;
    let flags = read_byte(bytes)?;
    if flags & !FLAG_LAST != 0 {
        return Err(WireError::BadValue);
    }
    let last = flags & FLAG_LAST != 0;
    let offset = varint::read(bytes)?;
    let data = read_prefixed(bytes, usize::MAX)?;
    check_page(offset, last, data)?;
    Ok(Frame::Page {
        transfer,
        offset,
        last,
        data,
    })
}

fn check_page(offset: u64, last: bool, data: &[u8]) -> Result<(), WireError> {
    if data.is_empty() && !last {
        return Err(WireError::BadValue);
    }
    check_range(offset, data.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn frame<'a>(of: &Data<'a>) -> Frame<'a> {
        let &Data {
            transfer,
            file,
            offset,
            data,
        } = of;
        Frame::Data {
            transfer,
            file,
            offset,
            data,
        }
    }

    proptest! {
        /// Nothing is taken for a single DATA frame that the general decoder reads otherwise.
        #[test]
        fn what_is_alone_is_what_the_decoder_reads(
            numbers in any::<[u32; 3]>(), shift in 0..32_u32, len in 0..90_usize, cut in 0..4_usize,
            more in any::<Vec<u8>>(), flip in any::<Option<(prop::sample::Index, u8)>>(),
        ) {
            let data = vec![9; len];
            let [transfer, file, offset] = numbers.map(|number| u64::from(number >> shift));
            let mut payload = vec![0; 128];
            let written = frame(&Data { transfer, file, offset, data: &data }).encode(&mut payload);
            payload.truncate(written.unwrap_or(3).saturating_sub(cut));
            if cut == 3 {
                payload.extend(&more);
            }
            if let Some((at, bits)) = flip.filter(|_| !payload.is_empty()) {
                *at.get_mut(&mut payload) ^= bits;
            }
            let mut rest = &payload[..];
            let read = Frame::decode(&mut rest).ok().filter(|_| rest.is_empty());
            let read = read.filter(|it| matches!(it, Frame::Data { .. }));
            prop_assert_eq!(Data::alone(&payload).map(|it| frame(&it)), read);
        }
    }
}
