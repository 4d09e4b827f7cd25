//! Frames that move bytes and say how many may move: WANT, CREDIT, DATA, PAGE.

use super::super::cursor::{Sink, check_range, read_byte, read_prefixed};
use super::super::{WireError, varint};
use super::Frame;
use super::file::Place;

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
