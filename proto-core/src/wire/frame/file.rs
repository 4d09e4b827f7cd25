//! Frames that say what a file is and what became of it: ENTRY, PIECE, SEAL, STORED, FAILED.
//!
//! Each begins with the numbers of the transfer and of the file (varints): its [`Place`].

use super::super::cursor::{Sink, read_array, read_byte};
use super::super::{Entry, ErrorCode, WireError, varint};
use super::{Durability, Frame, StoredAs};
use crate::file::PIECE_SIZE;

/// A file of a transfer: transfer (varint), file (varint).
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) transfer: u64,
    pub(super) file: u64,
}

impl Place {
    pub(super) fn encode(self, out: &mut impl Sink) -> Option<()> {
        out.varint(self.transfer)?;
        out.varint(self.file)
    }

    #[inline]
    pub(super) fn decode(bytes: &mut &[u8]) -> Result<Self, WireError> {
        // Mostly, both are small.
        if let [transfer @ 0..=63, file @ 0..=63, rest @ ..] = *bytes {
            *bytes = rest;
            let (transfer, file) = (u64::from(*transfer), u64::from(*file));
            return Ok(Self { transfer, file });
        }
        Ok(Self {
            transfer: varint::read(bytes)?,
            file: varint::read(bytes)?,
        })
    }
}

// ENTRY: place, parent (varint), version (16 bytes), entry.

pub(super) fn encode_entry(
    out: &mut impl Sink,
    place: Place,
    parent: u64,
    version: &[u8; 16],
    entry: &Entry<'_>,
) -> Option<()> {
    place.encode(out)?;
    out.varint(parent)?;
    out.bytes(version)?;
    entry.encode_to(out)
}

pub(super) fn decode_entry<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    let Place { transfer, file } = Place::decode(bytes)?;
    Ok(Frame::Entry {
        transfer,
        file,
        parent: varint::read(bytes)?,
        version: read_array(bytes)?,
        entry: Entry::decode(bytes)?,
    })
}

// PIECE: place, index (varint), value (32 bytes).

/// The last piece of the largest file.
const INDEX_MAX: u64 = varint::MAX / PIECE_SIZE;

pub(super) fn encode_piece(
    out: &mut impl Sink,
    place: Place,
    index: u64,
    value: &[u8; 32],
) -> Option<()> {
    if index > INDEX_MAX {
        return None;
    }
    place.encode(out)?;
    out.varint(index)?;
    out.bytes(value)
}

pub(super) fn decode_piece<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    let Place { transfer, file } = Place::decode(bytes)?;
    let index = varint::read(bytes)?;
    if index > INDEX_MAX {
        return Err(WireError::BadValue);
    }
    Ok(Frame::Piece {
        transfer,
        file,
        index,
        value: read_array(bytes)?,
    })
}

// HAVE: place, index (varint), level (1 byte), value (32 bytes).

/// 2^41 pieces are half of the largest file.
const LEVEL_MAX: u8 = 41;

fn is_subtree(index: u64, level: u8) -> bool {
    level <= LEVEL_MAX && index <= INDEX_MAX && index.is_multiple_of(1 << level)
}

pub(super) fn encode_have(
    out: &mut impl Sink,
    place: Place,
    index: u64,
    level: u8,
    value: &[u8; 32],
) -> Option<()> {
    if !is_subtree(index, level) {
        return None;
    }
    place.encode(out)?;
    out.varint(index)?;
    out.byte(level)?;
    out.bytes(value)
}

pub(super) fn decode_have<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    let Place { transfer, file } = Place::decode(bytes)?;
    let index = varint::read(bytes)?;
    let level = read_byte(bytes)?;
    if !is_subtree(index, level) {
        return Err(WireError::BadValue);
    }
    Ok(Frame::Have {
        transfer,
        file,
        index,
        level,
        value: read_array(bytes)?,
    })
}

// SEAL: place, size (varint), root (32 bytes).

pub(super) fn encode_seal(
    out: &mut impl Sink,
    place: Place,
    size: u64,
    root: &[u8; 32],
) -> Option<()> {
    place.encode(out)?;
    out.varint(size)?;
    out.bytes(root)
}

pub(super) fn decode_seal<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    let Place { transfer, file } = Place::decode(bytes)?;
    Ok(Frame::Seal {
        transfer,
        file,
        size: varint::read(bytes)?,
        root: read_array(bytes)?,
    })
}

// STORED: place, how (1 byte), durability (1 byte).

pub(super) fn encode_stored(
    out: &mut impl Sink,
    place: Place,
    how: StoredAs,
    durability: Durability,
) -> Option<()> {
    place.encode(out)?;
    out.bytes(&[how as u8, durability as u8])
}

pub(super) fn decode_stored<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    let Place { transfer, file } = Place::decode(bytes)?;
    Ok(Frame::Stored {
        transfer,
        file,
        how: StoredAs::from_wire(read_byte(bytes)?)?,
        durability: Durability::from_wire(read_byte(bytes)?)?,
    })
}

// FAILED: place, code (varint).

pub(super) fn encode_failed(out: &mut impl Sink, place: Place, code: ErrorCode) -> Option<()> {
    place.encode(out)?;
    out.varint(code.to_wire())
}

pub(super) fn decode_failed<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    let Place { transfer, file } = Place::decode(bytes)?;
    Ok(Frame::Failed {
        transfer,
        file,
        code: ErrorCode::from_wire(varint::read(bytes)?),
    })
}
