//! Every message there and back, arbitrary bytes, and the vectors of `docs/CLASSIC.md`.

use alloc::vec::Vec;
use proptest::prelude::*;

use super::*;

/// Raw material for any message.
#[derive(Clone, Debug)]
struct Parts {
    which: usize,
    name: Vec<u8>,
    data: Vec<u8>,
    offset: u32,
    end: bool,
}

fn parts() -> impl Strategy<Value = Parts> {
    let byte = 1..=255_u8;
    (
        0..11_usize,
        prop::collection::vec(byte.clone(), 1..=NAME_MAX),
        prop::collection::vec(any::<u8>(), 0..=PIECE_LEN),
        prop_oneof![
            0..=FILE_MAX as u32 - 1_000,
            (0..31_u32).prop_map(|bits| 1 << bits >> 1)
        ],
        any::<bool>(),
    )
        .prop_map(|(which, name, data, offset, end)| Parts {
            which,
            name,
            data,
            offset: offset.min(FILE_MAX as u32 - 1_000),
            end,
        })
}

impl Parts {
    fn message(&self) -> Message<'_> {
        let (name, data, end) = (&self.name[..], &self.data[..], self.end);
        let (seq, ack) = (self.offset, self.offset);
        match self.which {
            0 => Message::ListRequest,
            1 => Message::List { names: name },
            2 => Message::UploadRequest { name },
            3 => Message::UploadAgreed { name, ack },
            4 => Message::UploadPiece {
                name,
                seq,
                data,
                end,
            },
            5 => Message::UploadEnd { name },
            6 => Message::DownloadRequest { name },
            7 => Message::DownloadAgreed { name },
            8 => Message::DownloadPiece {
                name,
                seq,
                data,
                end,
            },
            9 => Message::DownloadWanted { name, ack },
            _ => Message::DownloadEnd { name },
        }
    }
}

fn encoded(message: &Message<'_>) -> [u8; MESSAGE_LEN] {
    let mut bytes = [0xee; MESSAGE_LEN];
    message.encode(&mut bytes);
    bytes
}

proptest! {
    #[test]
    fn what_is_written_reads_the_same(parts in parts()) {
        let message = parts.message();
        let bytes = encoded(&message);
        prop_assert!(is_classic(&bytes));
        prop_assert_eq!(Message::decode(&bytes), Ok(message));
        prop_assert_eq!(message.is_from_client(), [0, 2, 4, 7, 9, 10].contains(&message.number()));
    }

    #[test]
    fn whatever_is_read_can_be_written(
        kind in -2..13_i32,
        fill in prop::collection::vec(any::<u8>(), MESSAGE_LEN),
        numbers in any::<[i16; 3]>(),
        shift in 0..20_u32,
    ) {
        let mut bytes = fill;
        bytes[..4].copy_from_slice(&kind.to_le_bytes());
        for (place, value) in [LEN, SEQ, ACK].into_iter().zip(numbers) {
            bytes[place..place + 4].copy_from_slice(&(i32::from(value) << shift >> 4).to_le_bytes());
        }
        match Message::decode(&bytes) {
            Ok(message) => {
                let again = encoded(&message);
                prop_assert_eq!(Message::decode(&again), Ok(message));
            }
            Err(BadMessage::Size) => prop_assert!(!is_classic(&bytes)),
            Err(_) => prop_assert!(is_classic(&bytes)),
        }
    }

    #[test]
    fn other_sizes_are_no_messages(len in 0..3_000_usize) {
        let bytes = alloc::vec![0; len];
        prop_assert_eq!(is_classic(&bytes), len == MESSAGE_LEN);
        prop_assert_eq!(Message::decode(&bytes).is_ok(), len == MESSAGE_LEN);
    }
}

#[test]
fn the_layout_is_the_structure_of_a_32_bit_compiler() {
    let bytes = encoded(&Message::UploadPiece {
        name: b"name",
        seq: 0x0102_0304,
        data: &[0xdd; PIECE_LEN],
        end: true,
    });
    assert_eq!(bytes[..4], [4, 0, 0, 0]);
    assert!(bytes[4..1_004].iter().all(|&byte| byte == 0xdd));
    assert_eq!(bytes[1_004..1_009], *b"name\0");
    assert_eq!(bytes[2_004..2_008], [0xe8, 0x03, 0, 0]);
    assert_eq!(bytes[2_008..2_012], [4, 3, 2, 1]);
    assert_eq!(bytes[2_012..], [0, 0, 0, 0, 1, 0, 0, 0]);
    let agreed = encoded(&Message::DownloadAgreed { name: b"n" });
    assert_eq!(agreed[2_008..2_012], [0xff; 4]);
}

/// A message of this type whose numbers are as given.
fn raw(kind: i32, len: i32, seq: i32, ack: i32) -> [u8; MESSAGE_LEN] {
    let mut bytes = [0; MESSAGE_LEN];
    bytes[NAME] = b'n';
    for (at, number) in [(0, kind), (LEN, len), (SEQ, seq), (ACK, ack)] {
        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

#[test]
fn wrong_numbers_are_told_apart() {
    let refused = |bytes: [u8; MESSAGE_LEN]| Message::decode(&bytes).unwrap_err();
    for kind in [6, 11, 12, 63, 0x80, -65, i32::MIN] {
        assert_eq!(refused(raw(kind, 0, 0, 0)), BadMessage::Type, "{kind}");
    }
    // Bit 0x40 is the modern dialect's.
    assert_eq!(refused(raw(0x44, 0, 0, 0)), BadMessage::Size);
    for kind in [4, 8] {
        for len in [-1, 1_001, i32::MIN, i32::MAX] {
            assert_eq!(refused(raw(kind, len, 0, 0)), BadMessage::Length);
        }
        for (len, seq) in [
            (0, -2),
            (0, i32::MIN),
            (1, i32::MAX),
            (1_000, i32::MAX - 999),
        ] {
            assert_eq!(refused(raw(kind, len, seq, 0)), BadMessage::Offset);
        }
        assert!(Message::decode(&raw(kind, 1_000, i32::MAX - 1_000, 0)).is_ok());
        assert!(Message::decode(&raw(kind, 0, i32::MAX, 0)).is_ok());
    }
    assert_eq!(refused(raw(4, 0, -1, 0)), BadMessage::Offset);
    for kind in [3, 9] {
        assert_eq!(refused(raw(kind, 0, 0, -1)), BadMessage::Offset);
    }
    // What a type has no use for is not looked at.
    assert_eq!(
        Message::decode(&raw(0, -7, -8, -9)),
        Ok(Message::ListRequest)
    );
}

#[test]
fn names_end_with_a_nul() {
    let with_name = |kind: i32, fill: u8, len: usize| {
        let mut bytes = raw(kind, 0, 0, 0);
        bytes[NAME] = 0;
        bytes[NAME..NAME + len].fill(fill);
        bytes
    };
    for kind in [2, 3, 4, 5, 7, 8, 9, 10] {
        let whole = with_name(kind, b'x', 1_000);
        assert_eq!(Message::decode(&whole), Err(BadMessage::Name), "{kind}");
        let longest = with_name(kind, b'x', 999);
        assert_eq!(Message::decode(&longest).unwrap().name(), [b'x'; 999]);
        let empty = Message::decode(&with_name(kind, 0, 0)).map(|message| message.name().len());
        let asked = matches!(kind, 2 | 7);
        assert_eq!(empty, if asked { Err(BadMessage::Name) } else { Ok(0) });
    }
}

#[test]
fn a_list_ends_at_a_nul_or_with_the_buffer() {
    let mut bytes = raw(1, 0, 0, 0);
    bytes[BUFFER..BUFFER + 4].copy_from_slice(b"a\rb\r");
    assert_eq!(
        Message::decode(&bytes),
        Ok(Message::List { names: b"a\rb\r" })
    );
    bytes[BUFFER..NAME].fill(b'x');
    assert_eq!(
        Message::decode(&bytes),
        Ok(Message::List {
            names: &[b'x'; 1_000]
        })
    );
}

/// "c0ffee", or "xx*n" for n bytes of the same.
fn bytes_of(word: &str) -> Vec<u8> {
    let (hex, times) = word.split_once('*').unwrap_or((word, "1"));
    hex::decode(hex).unwrap().repeat(times.parse().unwrap())
}

#[test]
fn vectors_hold() {
    let text = include_str!("../../../../docs/CLASSIC.md");
    let block = text.split("```vectors\n").nth(1).unwrap();
    let mut good = 0;
    for line in block.split("```").next().unwrap().lines() {
        let (words, meaning) = line.split_once(" = ").unwrap();
        let bytes: Vec<u8> = words.split(' ').flat_map(bytes_of).collect();
        match Message::decode(&bytes) {
            Ok(message) => {
                assert_eq!(alloc::format!("{message:?}"), meaning);
                assert_eq!(encoded(&message)[..], bytes, "{meaning}");
                good += 1;
            }
            Err(bad) => assert_eq!(alloc::format!("{bad:?}"), meaning),
        }
    }
    assert_eq!(good, 12);
}
