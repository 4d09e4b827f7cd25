//! Every frame there and back, limits, and arbitrary bytes.

use alloc::vec::Vec;
use proptest::prelude::*;

use super::*;
use crate::ecn::EcnCounts;
use crate::wire::{ConnectionId, EntryKind, varint};

/// Raw material for any frame.
#[derive(Clone, Debug)]
struct Parts {
    which: usize,
    numbers: [u64; 4],
    bytes: Vec<u8>,
    hash: [u8; 32],
    mtime: i64,
    flags: [bool; 2],
}

fn parts() -> impl Strategy<Value = Parts> {
    let number = || (0..=varint::MAX / 2, 0..62_u32).prop_map(|(n, shift)| n >> shift);
    (
        0..27_usize,
        [number(), number(), number(), number()],
        prop::collection::vec(any::<u8>(), 1..200),
        any::<[u8; 32]>(),
        any::<i64>(),
        any::<[bool; 2]>(),
    )
        .prop_map(|(which, numbers, bytes, hash, mtime, flags)| Parts {
            which,
            numbers,
            bytes,
            hash,
            mtime,
            flags,
        })
}

impl Parts {
    fn frame(&self) -> Frame<'_> {
        let [transfer, file, a, b] = self.numbers;
        let data = &self.bytes[..];
        let code = ErrorCode::from_wire(a);
        let durability = [Durability::None, Durability::File, Durability::Full][b as usize % 3];
        match self.which {
            0 => Frame::Padding,
            1 => Frame::Ping,
            2 => Frame::HandshakeDone,
            3 => Frame::Ack(Ack {
                largest: a.max(b),
                delay: transfer,
                first_range: a.min(b),
                more_ranges: 0,
                encoded: &[],
                ecn: self.flags[0].then_some(EcnCounts {
                    ect0: transfer,
                    ect1: file,
                    ce: b,
                }),
            }),
            4 => Frame::Crypto { offset: a, data },
            5 => Frame::Close {
                code: CloseCode::from_wire(a),
                reason: data,
            },
            6 => Frame::Request {
                transfer,
                kind: RequestKind::from_wire(a as u8 % 8).unwrap(),
                compare: self.flags[0],
                no_clobber: self.flags[1],
                tree: self.flags[0] != self.flags[1],
                resume: self.flags[1],
                durability,
                amount: file,
                path: data,
                argument: if matches!(a as u8 % 8, 2 | 6) {
                    data
                } else {
                    b""
                },
            },
            7 => Frame::Accept {
                transfer,
                credit: a,
            },
            8 => Frame::Refuse { transfer, code },
            9 => Frame::Cancel { transfer, code },
            10 => Frame::Entry {
                transfer,
                file,
                parent: b,
                version: self.hash.first_chunk().unwrap(),
                entry: Entry {
                    kind: [EntryKind::File, EntryKind::Directory][a as usize % 2],
                    size: b,
                    mtime: self.mtime,
                    mode: (b & 0o777) as u16,
                    name: data,
                },
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
                index: a >> 20,
                value: &self.hash,
            },
            15 => Frame::Seal {
                transfer,
                file,
                size: a,
                root: &self.hash,
            },
            16 => Frame::Stored {
                transfer,
                file,
                how: [StoredAs::Written, StoredAs::Unchanged][a as usize % 2],
                durability,
            },
            17 => Frame::Failed {
                transfer,
                file,
                code,
            },
            18 => Frame::NewConnectionId {
                sequence: a.max(b),
                retire_prior_to: a.min(b),
                id: ConnectionId(*self.hash.first_chunk().unwrap()),
                token: self.hash.last_chunk().unwrap(),
            },
            19 => Frame::RetireConnectionId { sequence: a },
            20 => Frame::PathChallenge {
                data: *self.hash.first_chunk().unwrap(),
            },
            21 => Frame::PathResponse {
                data: *self.hash.first_chunk().unwrap(),
            },
            23 => Frame::Have {
                transfer,
                file,
                index: (a >> 20) & !7,
                level: (b % 4) as u8,
                value: &self.hash,
            },
            22 => Frame::AckFrequency {
                sequence: a,
                packets: b,
                delay: transfer,
                reordering: file,
            },
            25 => Frame::RateLimit {
                sequence: a,
                rate: b,
            },
            24 => Frame::Done {
                transfer,
                count: a,
                durability,
            },
            _ => Frame::Page {
                transfer,
                offset: a,
                last: self.flags[0],
                data,
            },
        }
    }
}

fn encode(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = vec![0; frame.encoded_len()];
    assert_eq!(frame.encode(&mut out), Some(out.len()), "{frame:?}");
    out
}

proptest! {
    #[test]
    fn round_trip(parts in parts(), more in parts()) {
        let frame = parts.frame();
        let mut bytes = encode(&frame);
        for short in 0..bytes.len() {
            prop_assert_eq!(frame.encode(&mut vec![0; short]), None);
            prop_assert_eq!(Frame::decode(&mut &bytes[..short]), Err(WireError::Truncated));
        }
        // A second frame follows; a second run of padding would be one with the first.
        let next = if frame == Frame::Padding { Frame::Ping } else { more.frame() };
        bytes.extend(encode(&next));
        let mut rest = &bytes[..];
        prop_assert_eq!(Frame::decode(&mut rest), Ok(frame));
        prop_assert_eq!(Frame::decode(&mut rest), Ok(next));
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn any_bytes_give_a_frame_or_an_error(
        first in 0..0x30_u8,
        tail in prop::collection::vec(prop_oneof![any::<u8>(), 0..4_u8], 0..100),
    ) {
        let mut bytes = vec![first];
        bytes.extend(tail);
        let mut rest = &bytes[..];
        while let Ok(frame) = Frame::decode(&mut rest) {
            let again = encode(&frame);
            prop_assert_eq!(Frame::decode(&mut &again[..]), Ok(frame));
        }
    }

    /// The promised number of bytes fits; one more does not.
    #[test]
    fn rooms_are_exact(
        transfer in 0..1_u64 << 20,
        file in 0..1_u64 << 32,
        offset in 0..varint::MAX,
        shift in 0..62_u32,
        room in prop_oneof![0..100_usize, 16_300..16_500_usize, 0..70_000_usize],
    ) {
        let offset = offset >> shift;
        let body = vec![1; 70_001];
        let below_end = usize::try_from(varint::MAX - offset).unwrap();
        let exact = |n: usize, len: &dyn Fn(usize) -> usize| {
            (n == 0 || len(n) <= room) && (n == below_end || len(n + 1) > room)
        };
        let page = exact(Frame::page_room(transfer, offset, room), &|n| {
            Frame::Page { transfer, offset, last: false, data: &body[..n] }.encoded_len()
        });
        let data = exact(Frame::data_room(transfer, file, offset, room), &|n| {
            Frame::Data { transfer, file, offset, data: &body[..n] }.encoded_len()
        });
        let crypto = exact(Frame::crypto_room(offset, room), &|n| {
            Frame::Crypto { offset, data: &body[..n] }.encoded_len()
        });
        prop_assert!(page && data && crypto, "{page} {data} {crypto}");
    }
}

#[test]
fn padding_is_a_run() {
    let mut bytes: &[u8] = &[0, 0, 0, 1, 0];
    assert_eq!(Frame::decode(&mut bytes), Ok(Frame::Padding));
    assert_eq!(bytes, [1, 0]);
}

#[test]
fn unknown_types_are_refused() {
    let known = [
        0, 1, 2, 3, 6, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1e, 0x2e, 0x30, 0x31,
    ];
    for first in 0..=255_u8 {
        let unknown = !known.contains(&first) && !(0x20..=0x2d).contains(&first);
        let bytes = [first];
        let result = Frame::decode(&mut &bytes[..]);
        assert_eq!(result == Err(WireError::UnknownType), unknown, "{first:#x}");
    }
    assert_eq!(Frame::decode(&mut &[][..]), Err(WireError::Truncated));
}

/// A body that the bytes promise but do not hold, and bodies beyond their limits.
#[test]
fn limits_are_checked_on_both_sides() {
    let reason = [b'r'; 1025];
    let path = [b'p'; 4097];
    let last = varint::MAX;
    let request = |path| Frame::Request {
        transfer: 0,
        kind: RequestKind::Get,
        compare: false,
        no_clobber: false,
        tree: false,
        resume: false,
        durability: Durability::Full,
        amount: 0,
        path,
        argument: b"",
    };
    let close = |reason| Frame::Close {
        code: CloseCode::NoError,
        reason,
    };
    assert!(close(&reason[..1024]).encoded_len() < usize::MAX);
    assert!(request(&path[..4096]).encoded_len() < usize::MAX);
    let place = |offset, data| Frame::Data {
        transfer: 0,
        file: 0,
        offset,
        data,
    };
    assert!(place(last - 2, b"ab").encoded_len() < usize::MAX);
    for bad in [
        close(&reason),
        request(&path),
        place(last - 1, b"ab"),
        place(0, b""),
        place(u64::MAX, b"ab"),
        Frame::Crypto {
            offset: last,
            data: b"a",
        },
        Frame::Crypto {
            offset: 0,
            data: b"",
        },
        Frame::Want {
            transfer: 0,
            file: 0,
            start: 2,
            end: 1,
        },
        Frame::Want {
            transfer: 0,
            file: 0,
            start: last,
            end: last + 1,
        },
        Frame::Page {
            transfer: 0,
            offset: 0,
            last: false,
            data: b"",
        },
        Frame::Piece {
            transfer: 0,
            file: 0,
            index: 1 << 42,
            value: &[0; 32],
        },
        Frame::Have {
            transfer: 0,
            file: 0,
            index: 2,
            level: 2,
            value: &[0; 32],
        },
        Frame::Have {
            transfer: 0,
            file: 0,
            index: 0,
            level: 42,
            value: &[0; 32],
        },
        Frame::Credit {
            transfer: 0,
            file: 0,
            limit: last + 1,
        },
        Frame::NewConnectionId {
            sequence: 1,
            retire_prior_to: 2,
            id: ConnectionId([0; 8]),
            token: &[0; 16],
        },
    ] {
        assert_eq!(bad.encode(&mut [0; 8192]), None, "{bad:?}");
        assert_eq!(bad.encoded_len(), usize::MAX, "{bad:?}");
    }

    let max = [0xff; 8];
    let cat = |parts: &[&[u8]]| parts.concat();
    for bad in [
        cat(&[&[0x1c, 0, 0x44, 0x01], &reason]),
        cat(&[&[0x20, 0, 2, 0, 2, 0, 0x50, 0x01], &path]),
        cat(&[&[0x20, 0, 99, 0, 2, 0, 0]]),
        cat(&[&[0x20, 0, 6, 0, 2, 0, 0, 0x50, 0x01], &path]),
        cat(&[&[0x2e, 0, 0, 3]]),
        cat(&[&[0x20, 0, 2, 0x80, 2, 0, 0]]),
        cat(&[&[0x20, 0, 2, 0, 3, 0, 0]]),
        cat(&[&[0x27, 0, 0], &max, &[1, 7]]),
        cat(&[&[0x27, 0, 0, 0, 0]]),
        cat(&[&[0x06], &max, &[1, 7]]),
        cat(&[&[0x06, 0, 0]]),
        cat(&[&[0x25, 0, 0], &max, &[1]]),
        cat(&[&[0x2c, 0, 2, 0, 1, 7]]),
        cat(&[&[0x2c, 0, 0, 0, 0]]),
        cat(&[&[0x28, 0, 0, 0xc0, 0, 4, 0, 0, 0, 0, 0], &[0; 32]]),
        cat(&[&[0x2a, 0, 0, 2, 0]]),
        cat(&[&[0x2a, 0, 0, 0, 3]]),
        cat(&[&[0x18, 1, 2], &[0; 24]]),
    ] {
        assert_eq!(
            Frame::decode(&mut &bad[..]),
            Err(WireError::BadValue),
            "{bad:x?}"
        );
    }
    // A length that points behind the end.
    let short = cat(&[&[0x27, 0, 0, 0], &max, &[7]]);
    assert_eq!(Frame::decode(&mut &short[..]), Err(WireError::Truncated));
}

#[test]
fn only_padding_ack_and_close_elicit_no_acknowledgement() {
    let mut bytes: &[u8] = &[2, 0, 0, 0, 0];
    let ack = Frame::decode(&mut bytes).unwrap();
    let close = Frame::Close {
        code: CloseCode::NoError,
        reason: b"",
    };
    for frame in [Frame::Padding, ack, close] {
        assert!(!frame.is_ack_eliciting());
    }
    for frame in [Frame::Ping, Frame::HandshakeDone] {
        assert!(frame.is_ack_eliciting());
    }
}
