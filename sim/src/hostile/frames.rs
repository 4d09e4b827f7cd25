//! Lies of sources: about files, their bytes and listings.

use proto_core::wire::{Entry, Frame, varint};
use proto_core::{BLOCK_SIZE, PIECE_SIZE};

use super::rewrite::{Packet, encode};
use super::{Lie, invent};
use crate::rng::Rng;

/// Single bytes that one packet scatters, at most.
const ISLANDS_MAX: u64 = 60;
/// A listing's window (PROTOCOL.md P10.12).
const LIST_WINDOW: u64 = 64 << 10;
/// Bytes of a frame that is cut to make room.
const PART_MAX: usize = 64;

pub(super) fn tell(lie: Lie, packet: &mut Packet<'_>) -> bool {
    match lie {
        Lie::DataBeyondCredit
        | Lie::DataMoved
        | Lie::DataOther
        | Lie::DataBeyondSize
        | Lie::DataUnasked
        | Lie::DataIslands => data(lie, packet),
        Lie::EntryWithheld => packet.leave_out(|frame| matches!(frame, Frame::Entry { .. })),
        Lie::EntryName | Lie::EntrySize | Lie::EntryKind => entry(lie, packet),
        Lie::EntryAgain => {
            let (transfer, seen) = packet.memory.any_transfer(packet.rng);
            let size = packet.rng.log_uniform(seen.size.saturating_mul(2));
            let again = Frame::Entry {
                transfer,
                file: 0,
                parent: 0,
                version: &[packet.rng.next_u64() as u8; 16],
                entry: Entry {
                    kind: proto_core::wire::EntryKind::File,
                    ..invent::entry(packet.rng, size, b"")
                },
            };
            packet.say_frame(lie, &again)
        }
        Lie::Piece => packet.replace(lie, |rng, _, frame| {
            let Frame::Piece {
                transfer,
                file,
                index,
                value,
            } = frame
            else {
                return None;
            };
            let other = rng.bytes32();
            let (index, value) = match rng.one_in(2) {
                true => (index, &other),
                false => (rng.log_uniform(index.saturating_mul(2) + 2), value),
            };
            encode(&Frame::Piece {
                transfer,
                file,
                index,
                value,
            })
        }),
        Lie::SealRoot | Lie::SealSize => seal(lie, packet),
        Lie::PageMoved | Lie::PageIslands | Lie::PageLast | Lie::PageNames => page(lie, packet),
        _ => false,
    }
}

fn data(lie: Lie, packet: &mut Packet<'_>) -> bool {
    packet.replace(lie, |rng, memory, frame| {
        let Frame::Data {
            transfer,
            file,
            offset,
            data,
        } = frame
        else {
            return None;
        };
        let seen = memory.of(transfer);
        let part = &data[..data.len().min(PART_MAX)];
        let moved = |transfer, file, offset, data| {
            encode(&Frame::Data {
                transfer,
                file,
                offset,
                data,
            })
        };
        match lie {
            Lie::DataBeyondCredit => {
                let beyond = seen
                    .beyond_credit()
                    .saturating_add(rng.log_uniform(1 << 30));
                moved(transfer, file, beyond, part)
            }
            Lie::DataMoved => moved(transfer, file, rng.log_uniform(seen.end), part),
            Lie::DataOther => {
                let mut other = data.to_vec();
                let at = rng.below(other.len() as u64) as usize;
                other[at] ^= 1 << rng.below(8);
                moved(transfer, file, offset, &other)
            }
            Lie::DataBeyondSize => {
                let end = seen.size.saturating_sub(rng.below(2));
                moved(transfer, file, end, part)
            }
            Lie::DataUnasked => match rng.one_in(2) {
                true => moved(transfer + rng.between(1, 1_000), file, offset, part),
                false => moved(transfer, file + rng.between(1, 1_000), offset, part),
            },
            Lie::DataIslands => islands(rng, transfer, offset, data.len()),
            _ => None,
        }
    })
}

/// Single bytes in the block of `offset` in the place of `len` bytes.
fn islands(rng: &mut Rng, transfer: u64, offset: u64, len: usize) -> Option<Vec<u8>> {
    let block = offset - offset % u64::from(BLOCK_SIZE);
    let mut bytes = Vec::new();
    for _ in 0..ISLANDS_MAX {
        let island = encode(&Frame::Data {
            transfer,
            file: 0,
            offset: block + rng.below(BLOCK_SIZE.into()),
            data: &[rng.next_u64() as u8],
        })?;
        if bytes.len() + island.len() > len {
            break;
        }
        bytes.extend_from_slice(&island);
    }
    (!bytes.is_empty()).then_some(bytes)
}

fn entry(lie: Lie, packet: &mut Packet<'_>) -> bool {
    packet.replace(lie, |rng, _, frame| {
        let Frame::Entry {
            transfer,
            file,
            parent,
            version,
            entry,
        } = frame
        else {
            return None;
        };
        let name = invent::name(rng);
        let size = match rng.one_in(2) {
            true => rng.log_uniform(varint::MAX),
            false => rng.between(entry.size.saturating_sub(2), entry.size + PIECE_SIZE),
        };
        let changed = match lie {
            Lie::EntryName => Entry {
                name: &name,
                ..entry
            },
            Lie::EntrySize => Entry { size, ..entry },
            _ => Entry {
                kind: invent::entry(rng, 0, b"").kind,
                ..entry
            },
        };
        encode(&Frame::Entry {
            transfer,
            file,
            parent,
            version,
            entry: changed,
        })
    })
}

fn seal(lie: Lie, packet: &mut Packet<'_>) -> bool {
    packet.replace(lie, |rng, _, frame| {
        let Frame::Seal {
            transfer,
            file,
            size,
            root,
        } = frame
        else {
            return None;
        };
        let other = rng.bytes32();
        let (size, root) = match lie {
            Lie::SealRoot => (size, &other),
            _ => (rng.log_uniform(varint::MAX), root),
        };
        encode(&Frame::Seal {
            transfer,
            file,
            size,
            root,
        })
    })
}

fn page(lie: Lie, packet: &mut Packet<'_>) -> bool {
    packet.replace(lie, |rng, _, frame| {
        let Frame::Page {
            transfer,
            offset,
            last,
            data,
        } = frame
        else {
            return None;
        };
        let said = |offset, last, data: &[u8]| {
            encode(&Frame::Page {
                transfer,
                offset,
                last,
                data,
            })
        };
        match lie {
            Lie::PageMoved => said(rng.log_uniform(2 * LIST_WINDOW), last, data),
            Lie::PageIslands => {
                let mut bytes = Vec::new();
                for _ in 0..ISLANDS_MAX {
                    let island = said(rng.below(LIST_WINDOW), false, &[0])?;
                    if bytes.len() + island.len() > data.len() {
                        break;
                    }
                    bytes.extend_from_slice(&island);
                }
                (!bytes.is_empty()).then_some(bytes)
            }
            Lie::PageLast => said(offset, true, &data[..data.len() / 2]),
            _ => {
                let mut named = Vec::new();
                while named.len() < data.len() {
                    let name = invent::name(rng);
                    let size = rng.log_uniform(varint::MAX);
                    invent::entry(rng, size, &name).encode(&mut named);
                }
                named.truncate(data.len());
                said(offset, last, &named)
            }
        }
    })
}
