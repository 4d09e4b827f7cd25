//! Frames that open and end a transfer: REQUEST, ACCEPT, REFUSE, CANCEL, DONE.

use super::super::cursor::{Sink, read_byte, read_prefixed};
use super::super::{ErrorCode, FilePath, WireError, varint};
use super::{Durability, Frame, RequestKind};

const FLAG_FILTER: u8 = 0x20;
const FLAG_COMPARE: u8 = 0x01;
const FLAG_NO_CLOBBER: u8 = 0x02;
const FLAG_TREE: u8 = 0x04;
const FLAG_RESUME: u8 = 0x08;

/// REQUEST: transfer (varint), kind (1 byte), flags (1 byte), durability (1 byte), amount (varint), length (varint, at
/// most 4,096), path; of a `Rename`, and with a filter, also length (varint, at most 4,096), argument.
pub(super) struct Request<'a> {
    pub(super) transfer: u64,
    pub(super) kind: RequestKind,
    pub(super) compare: bool,
    pub(super) no_clobber: bool,
    pub(super) tree: bool,
    pub(super) resume: bool,
    pub(super) durability: Durability,
    pub(super) amount: u64,
    pub(super) path: &'a [u8],
    pub(super) argument: &'a [u8],
}

impl<'a> Request<'a> {
    pub(super) fn encode(&self, out: &mut impl Sink) -> Option<()> {
        let filtered = self.kind == RequestKind::Get && !self.argument.is_empty();
        let argued = filtered || self.kind == RequestKind::Rename;
        let long = |bytes: &[u8]| bytes.len() > FilePath::MAX_LEN;
        if long(self.path) || long(self.argument) || (!argued && !self.argument.is_empty()) {
            return None;
        }
        let compare = if self.compare { FLAG_COMPARE } else { 0 };
        let no_clobber = if self.no_clobber { FLAG_NO_CLOBBER } else { 0 };
        out.varint(self.transfer)?;
        let tree = if self.tree { FLAG_TREE } else { 0 };
        let resume = if self.resume { FLAG_RESUME } else { 0 };
        let flags = compare | no_clobber | tree | resume;
        let filter = if filtered { FLAG_FILTER } else { 0 };
        let flags = flags | filter;
        out.bytes(&[self.kind as u8, flags, self.durability as u8])?;
        out.varint(self.amount)?;
        out.prefixed(self.path)?;
        if argued {
            out.prefixed(self.argument)?;
        }
        Some(())
    }

    pub(super) fn decode(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
        let transfer = varint::read(bytes)?;
        let kind = RequestKind::from_wire(read_byte(bytes)?)?;
        let flags = read_byte(bytes)?;
        let filtered = flags & FLAG_FILTER != 0;
        if filtered && kind != RequestKind::Get {
            return Err(WireError::BadValue);
        }
        let flags = flags & !FLAG_FILTER;
        if flags & !(FLAG_COMPARE | FLAG_NO_CLOBBER | FLAG_TREE | FLAG_RESUME) != 0 {
            return Err(WireError::BadValue);
        }
        Ok(Frame::Request {
            transfer,
            kind,
            compare: flags & FLAG_COMPARE != 0,
            no_clobber: flags & FLAG_NO_CLOBBER != 0,
            tree: flags & FLAG_TREE != 0,
            resume: flags & FLAG_RESUME != 0,
            durability: Durability::from_wire(read_byte(bytes)?)?,
            amount: varint::read(bytes)?,
            path: read_prefixed(bytes, FilePath::MAX_LEN)?,
            argument: match kind {
                RequestKind::Rename => read_prefixed(bytes, FilePath::MAX_LEN)?,
                _ if filtered => read_filter(bytes)?,
                _ => &[],
            },
        })
    }
}

/// A filter says something, at least its flags.
fn read_filter<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], WireError> {
    let filter = read_prefixed(bytes, FilePath::MAX_LEN)?;
    if filter.is_empty() {
        return Err(WireError::BadValue);
    }
    Ok(filter)
}

// ACCEPT: transfer (varint), credit (varint).

pub(super) fn encode_accept(out: &mut impl Sink, transfer: u64, credit: u64) -> Option<()> {
    out.varint(transfer)?;
    out.varint(credit)
}

pub(super) fn decode_accept<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    Ok(Frame::Accept {
        transfer: varint::read(bytes)?,
        credit: varint::read(bytes)?,
    })
}

// REFUSE and CANCEL: transfer (varint), code (varint).

pub(super) fn encode_code(out: &mut impl Sink, transfer: u64, code: ErrorCode) -> Option<()> {
    out.varint(transfer)?;
    out.varint(code.to_wire())
}

pub(super) fn decode_refuse<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    Ok(Frame::Refuse {
        transfer: varint::read(bytes)?,
        code: ErrorCode::from_wire(varint::read(bytes)?),
    })
}

pub(super) fn decode_cancel<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    Ok(Frame::Cancel {
        transfer: varint::read(bytes)?,
        code: ErrorCode::from_wire(varint::read(bytes)?),
    })
}

// DONE: transfer (varint), count (varint), durability (1 byte).

pub(super) fn encode_done(
    out: &mut impl Sink,
    transfer: u64,
    count: u64,
    durability: Durability,
) -> Option<()> {
    out.varint(transfer)?;
    out.varint(count)?;
    out.bytes(&[durability as u8])
}

pub(super) fn decode_done<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    Ok(Frame::Done {
        transfer: varint::read(bytes)?,
        count: varint::read(bytes)?,
        durability: Durability::from_wire(read_byte(bytes)?)?,
    })
}
