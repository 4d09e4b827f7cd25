//! Frames, names, codes and parameters out of nothing.

use proto_core::BLOCK_SIZE;
use proto_core::wire::{
    CloseCode, Durability, Entry, EntryKind, ErrorCode, Frame, RequestKind, StoredAs,
    TransportParams, varint, write_ack,
};

use super::memory::Memory;
use super::rewrite::encode;
use crate::rng::Rng;

/// Names that must not be taken, and some that may be.
const NAMES: [&[u8]; 14] = [
    b"..",
    b"../../etc/passwd",
    b"/etc/passwd",
    b"a/../../b",
    b"nul\0byte",
    b".dhow-0123456789abcdef.part",
    b"sub/.dhow-journal",
    b"\x1b]0;title\x07\x1b[2J",
    b"line\nfeed\rreturn",
    b"double//slash",
    b"trailing/",
    b".",
    b"C:\\con",
    b"bob/secret",
];
/// Bytes of data in an invented frame, at most.
const DATA_MAX: u64 = 300;
/// Bytes of a CLOSE's reason, at most.
const REASON_MAX: u64 = 40;

/// `len` random bytes.
pub(super) fn bytes(rng: &mut Rng, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&rng.next_u64().to_le_bytes()[..chunk.len()]);
    }
    bytes
}

/// Frames that fill the packet, the last of which claims more bytes than there are.
pub(super) fn truncated(rng: &mut Rng, room: usize) -> Vec<u8> {
    let transfer = rng.log_uniform(3);
    let whole = Frame::Data {
        transfer,
        file: 0,
        offset: rng.log_uniform(u64::from(BLOCK_SIZE) / 2),
        data: &bytes(rng, room + 64),
    };
    let mut encoded = encode(&whole).unwrap_or_default();
    encoded.truncate(room);
    encoded
}

/// A name, most often one that must not be taken.
pub(super) fn name(rng: &mut Rng) -> Vec<u8> {
    match rng.below(5) {
        0 => vec![b'n'; 256],
        1 => b"d/".repeat(rng.between(60, 80) as usize),
        _ => rng.pick(&NAMES).to_vec(),
    }
}

/// A number: a border, one close to a border, or any.
pub(super) fn number(rng: &mut Rng) -> u64 {
    let block = u64::from(BLOCK_SIZE);
    let border = *rng.pick(&[0, 1, block, 16 * block, 1 << 32, varint::MAX]);
    match rng.below(4) {
        0 => border,
        1 => border.saturating_sub(1),
        2 => rng.log_uniform(64 * block),
        _ => rng.log_uniform(varint::MAX),
    }
}

/// CLOSE with some code.
pub(super) fn close(rng: &mut Rng) -> Vec<u8> {
    let len = rng.below(REASON_MAX) as usize;
    let frame = Frame::Close {
        code: CloseCode::from_wire(rng.log_uniform(varint::MAX)),
        reason: &bytes(rng, len),
    };
    encode(&frame).unwrap_or_default()
}

/// CRYPTO at some offset.
pub(super) fn crypto(rng: &mut Rng) -> Vec<u8> {
    let len = rng.between(1, 20) as usize;
    let frame = Frame::Crypto {
        offset: rng.log_uniform(1 << 20),
        data: &bytes(rng, len),
    };
    encode(&frame).unwrap_or_default()
}

/// Transport parameters like `params`, with something changed.
pub(super) fn params(rng: &mut Rng, params: &[u8]) -> Vec<u8> {
    let mut changed = params.to_vec();
    if rng.one_in(2)
        && let Ok(mut told) = TransportParams::decode(params)
    {
        match rng.below(4) {
            0 => told.max_idle_timeout_ms = rng.log_uniform(varint::MAX),
            1 => told.max_datagram = rng.next_u64() as u16,
            2 => told.max_ack_delay_us = rng.log_uniform(varint::MAX),
            _ => told.receive_buffer = rng.log_uniform(varint::MAX),
        }
        changed.clear();
        told.encode(&mut changed);
        return changed;
    }
    let at = rng.below(changed.len() as u64) as usize;
    match rng.below(3) {
        0 => changed.truncate(at),
        1 => changed.extend_from_slice(&bytes(rng, at)),
        _ => {
            if let Some(byte) = changed.get_mut(at) {
                *byte ^= 1 << rng.below(8);
            }
        }
    }
    changed
}

/// A frame of any type with random fields, about a transfer that is known more often than not; empty when what was
/// drawn cannot be said.
pub(super) fn frame(rng: &mut Rng, memory: &Memory, room: usize) -> Vec<u8> {
    let transfer = match rng.below(4) {
        0 => number(rng),
        _ => memory.any_transfer(rng).0,
    };
    let file = if rng.one_in(8) { number(rng) } else { 0 };
    let data_len = rng.between(1, DATA_MAX).min(room as u64 / 2) as usize;
    let data = &bytes(rng, data_len)[..];
    let name = &name(rng)[..];
    let value = &rng.bytes32();
    let version = &[rng.next_u64() as u8; 16];
    let (a, b) = (number(rng), number(rng));
    let named = rng.one_in(3);
    let code = ErrorCode::from_wire(rng.log_uniform(varint::MAX));
    let durability = *rng.pick(&[Durability::None, Durability::File, Durability::Full]);
    let invented = match rng.below(21) {
        0 => Frame::Padding,
        1 => Frame::Ping,
        2 => {
            let mut ack = vec![0; room];
            let len = write_ack(&mut ack, b, std::iter::once(a.saturating_sub(b)..=a));
            ack.truncate(len.unwrap_or(0));
            return ack;
        }
        3 => return crypto(rng),
        4 => Frame::HandshakeDone,
        5 => return close(rng),
        6 => request(rng, transfer, a, name),
        7 => Frame::Accept {
            transfer,
            credit: a,
        },
        8 => Frame::Refuse { transfer, code },
        9 => Frame::Cancel { transfer, code },
        10 => Frame::Entry {
            transfer,
            file,
            parent: 0,
            version,
            entry: entry(rng, a, if named { name } else { b"" }),
        },
        11 => Frame::Want {
            transfer,
            file,
            start: a.min(b),
            end: a.max(b),
        },
        12 => Frame::Credit {
            transfer,
            file,
            limit: a,
        },
        13 => Frame::Data {
            transfer,
            file,
            offset: a,
            data,
        },
        14 => Frame::Piece {
            transfer,
            file,
            index: a,
            value,
        },
        15 => Frame::Seal {
            transfer,
            file,
            size: a,
            root: value,
        },
        16 => Frame::Stored {
            transfer,
            file,
            how: *rng.pick(&[StoredAs::Written, StoredAs::Unchanged]),
            durability,
        },
        17 => Frame::Failed {
            transfer,
            file,
            code,
        },
        18 => Frame::Done {
            transfer,
            count: a,
            durability,
        },
        19 => Frame::Have {
            transfer,
            file,
            index: (a >> 20) & !1,
            level: (b % 2) as u8,
            value,
        },
        _ => Frame::Page {
            transfer,
            offset: a,
            last: b % 2 == 1,
            data,
        },
    };
    encode(&invented).unwrap_or_default()
}

/// REQUEST of some kind.
pub(super) fn request<'a>(rng: &mut Rng, transfer: u64, amount: u64, path: &'a [u8]) -> Frame<'a> {
    const KINDS: [RequestKind; 8] = [
        RequestKind::List,
        RequestKind::Stat,
        RequestKind::Get,
        RequestKind::Put,
        RequestKind::MakeDir,
        RequestKind::Remove,
        RequestKind::Rename,
        RequestKind::Hash,
    ];
    let kind = *rng.pick(&KINDS);
    Frame::Request {
        transfer,
        kind,
        compare: rng.one_in(2),
        no_clobber: rng.one_in(2),
        tree: rng.one_in(4),
        resume: rng.one_in(4),
        durability: *rng.pick(&[Durability::None, Durability::File, Durability::Full]),
        amount,
        path,
        argument: match kind {
            RequestKind::Rename => path,
            _ => b"",
        },
    }
}

/// What a file is said to be.
pub(super) fn entry<'a>(rng: &mut Rng, size: u64, name: &'a [u8]) -> Entry<'a> {
    const KINDS: [EntryKind; 4] = [
        EntryKind::File,
        EntryKind::Directory,
        EntryKind::Symlink,
        EntryKind::Other,
    ];
    Entry {
        kind: *rng.pick(&KINDS),
        size,
        mtime: rng.next_u64() as i64,
        mode: rng.below(0o1000) as u16,
        name,
    }
}
