//! Headers there and back, coalesced packets, borders, arbitrary bytes.

use alloc::vec::Vec;
use proptest::prelude::*;

use super::*;
use crate::wire::WireError;

const DESTINATION: ConnectionId = ConnectionId([1, 2, 3, 4, 5, 6, 7, 8]);
const SOURCE: ConnectionId = ConnectionId([9, 10, 11, 12, 13, 14, 15, 16]);

fn long(ty: LongType<'_>) -> LongHeader<'_> {
    LongHeader {
        ty,
        destination: DESTINATION,
        source: SOURCE,
    }
}

/// A packet of `header` with `payload` zero bytes.
fn long_packet(header: LongHeader<'_>, number: u64, number_len: usize, payload: usize) -> Vec<u8> {
    let mut out = vec![0; header.encoded_len(number_len) + payload];
    let layout = header.encode(number, number_len, &mut out).unwrap();
    assert_eq!(layout.payload_at, header.encoded_len(number_len));
    assert_eq!(layout.set_length(&mut out, payload), Some(()));
    out
}

proptest! {
    #[test]
    fn long_round_trip(
        token in prop::option::of(prop::collection::vec(any::<u8>(), 0..=TOKEN_MAX)),
        number in 0..=packet_number::MAX,
        number_len in 1..=4_usize,
        payload in 19..2000_usize,
        tail in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let ty = match &token {
            Some(token) => LongType::Initial { token },
            None => LongType::Handshake,
        };
        let header = long(ty);
        let mut packet = long_packet(header, number, number_len, payload);
        for short in 0..header.encoded_len(number_len) {
            prop_assert_eq!(header.encode(number, number_len, &mut vec![0; short]), None);
        }
        for short in 0..packet.len() {
            prop_assert_eq!(PartialHeader::decode(&packet[..short]), Err(WireError::Truncated));
        }
        let end = packet.len();
        packet.extend(tail);

        let read = PartialHeader::decode(&packet).unwrap();
        let initial = token.is_some();
        let kind = if initial { PacketKind::Initial } else { PacketKind::Handshake };
        prop_assert_eq!(read.kind, kind);
        prop_assert_eq!(read.destination, DESTINATION);
        prop_assert_eq!(read.source, Some(SOURCE));
        prop_assert_eq!(&packet[read.token.clone()], &token.unwrap_or_default()[..]);
        prop_assert_eq!(read.end, end);
        prop_assert_eq!(read.first.number_len(), number_len);
        prop_assert!(read.first.reserved_bits_are_zero());
        prop_assert!(read.sample().end <= read.end);
        let low = packet_number::read(&packet[read.number_at..], number_len);
        prop_assert_eq!(packet_number::decode(low, number_len, number), number);
    }

    #[test]
    fn short_round_trip(
        key_phase in any::<bool>(),
        number in 0..=packet_number::MAX,
        number_len in 1..=4_usize,
        payload in 19..2000_usize,
    ) {
        let header = ShortHeader { destination: DESTINATION, key_phase };
        let mut packet = vec![0; header.encoded_len(number_len) + payload];
        let layout = header.encode(number, number_len, &mut packet).unwrap();
        prop_assert_eq!(layout.payload_at, header.encoded_len(number_len));
        prop_assert_eq!(layout.set_length(&mut packet, payload), Some(()));
        let read = PartialHeader::decode(&packet).unwrap();
        prop_assert_eq!(read.kind, PacketKind::Short);
        prop_assert_eq!((read.destination, read.source), (DESTINATION, None));
        prop_assert_eq!((read.number_at, read.end), (layout.number_at, packet.len()));
        prop_assert_eq!(read.first.key_phase(), key_phase);
        prop_assert_eq!(read.first.number_len(), number_len);
        let low = packet_number::read(&packet[read.number_at..], number_len);
        prop_assert_eq!(packet_number::decode(low, number_len, number), number);
    }

    #[test]
    fn any_bytes_give_a_header_or_an_error(
        first in any::<u8>(),
        ours in 0..3_u8,
        tail in prop::collection::vec(prop_oneof![any::<u8>(), 0..40_u8], 0..100),
    ) {
        let mut bytes = vec![first];
        match ours {
            0 => bytes.extend(VERSION.to_be_bytes()),
            1 => bytes.extend([0; 4]),
            _ => {}
        }
        bytes.extend(tail);
        let mut rest = &bytes[..];
        while let Ok(header) = PartialHeader::decode(rest) {
            prop_assert!(header.token.end <= header.number_at);
            prop_assert!(header.number_at <= header.end && header.end <= rest.len());
            if header.level().is_some() {
                prop_assert!(header.sample().end <= header.end);
            }
            prop_assert!(header.versions(rest).count() * 4 <= rest.len());
            rest = &rest[header.end..];
        }
    }
}

#[test]
fn coalesced_packets_follow_each_other() {
    let mut datagram = long_packet(long(LongType::Initial { token: b"" }), 0, 1, 30);
    datagram.extend(long_packet(long(LongType::Handshake), 1, 2, 40));
    let short = ShortHeader {
        destination: DESTINATION,
        key_phase: true,
    };
    let mut last = [0; 64];
    short.encode(2, 3, &mut last).unwrap();
    datagram.extend(last);

    let mut kinds = Vec::new();
    let mut rest = &datagram[..];
    while !rest.is_empty() {
        let header = PartialHeader::decode(rest).unwrap();
        kinds.push(header.kind);
        rest = &rest[header.end..];
    }
    let expected = [
        PacketKind::Initial,
        PacketKind::Handshake,
        PacketKind::Short,
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn limits_are_checked() {
    // Too long a token, too long or too short a packet, no such number length.
    let token = [7; TOKEN_MAX + 1];
    let initial = long(LongType::Initial { token: &token });
    assert_eq!(initial.encode(0, 1, &mut [0; 1000]), None);
    let header = long(LongType::Handshake);
    assert_eq!(header.encode(0, 0, &mut [0; 1000]), None);
    assert_eq!(header.encode(0, 5, &mut [0; 1000]), None);
    let mut out = [0; 100];
    let layout = header.encode(0, 2, &mut out).unwrap();
    for (payload, fits) in [(17, false), (18, true), (16_381, true), (16_382, false)] {
        assert_eq!(
            layout.set_length(&mut out, payload).is_some(),
            fits,
            "{payload}"
        );
    }
    // The same, read: a token of 257 bytes, 19 protected bytes.
    let mut packet = long_packet(long(LongType::Initial { token: b"" }), 0, 1, 400);
    packet[21..23].copy_from_slice(&[0x41, 0x01]);
    assert_eq!(PartialHeader::decode(&packet), Err(WireError::BadValue));
    let mut packet = long_packet(header, 0, 1, 400);
    packet[21..23].copy_from_slice(&[0x40, 19]);
    assert_eq!(PartialHeader::decode(&packet), Err(WireError::BadValue));
    packet[21..23].copy_from_slice(&[0x40, 20]);
    assert_eq!(PartialHeader::decode(&packet).unwrap().end, 43);
}

#[test]
fn first_bytes() {
    let body = [0; 64];
    let decode = |first: u8, version: u32| {
        let mut packet = vec![first];
        packet.extend(version.to_be_bytes());
        packet.extend(body);
        PartialHeader::decode(&packet).map(|header| header.kind)
    };
    for first in 0..=255_u8 {
        let other = decode(first, 0x0a0a_0a0a);
        match first {
            // Not ours at all: bit 0x40 is clear.
            _ if first & 0x40 == 0 => assert_eq!(other, Err(WireError::UnknownType)),
            0x40..=0x5f => assert_eq!(other, Ok(PacketKind::Short)),
            0x60..=0x7f => assert_eq!(other, Err(WireError::BadValue)),
            _ => assert_eq!(other, Ok(PacketKind::OtherVersion(0x0a0a_0a0a))),
        }
    }
    assert_eq!(decode(0xe0, VERSION), Ok(PacketKind::Retry));
    assert_eq!(decode(0xf0, VERSION), Err(WireError::UnknownType));
    assert_eq!(decode(0xf0, 0), Ok(PacketKind::VersionAnswer));
    assert_eq!(decode(0xc0, 0), Err(WireError::UnknownType));
    for reserved in [0x04, 0x08] {
        assert!(!FirstByte(0xc0 | reserved).reserved_bits_are_zero());
    }
    for reserved in [0x08, 0x10] {
        assert!(!FirstByte(0x40 | reserved).reserved_bits_are_zero());
    }
    assert!(FirstByte(0x47).reserved_bits_are_zero());
    assert!(FirstByte(0xd3).reserved_bits_are_zero());
}

/// H3, and no answer to an answer.
#[test]
fn h3_version_answer_is_not_larger_than_its_cause() {
    let mut cause = [0; 1200];
    cause[0] = 0xc3;
    cause[1..5].copy_from_slice(&7_u32.to_be_bytes());
    cause[5..13].copy_from_slice(&DESTINATION.0);
    cause[13..21].copy_from_slice(&SOURCE.0);
    let header = PartialHeader::decode(&cause).unwrap();
    let mut out = [0; 100];
    assert_eq!(write_version_answer(&mut out, &header, 24), None);
    assert_eq!(write_version_answer(&mut out, &header, 25), Some(25));
    assert_eq!(write_version_answer(&mut out[..24], &header, 1200), None);

    let answer = PartialHeader::decode(&out[..25]).unwrap();
    assert_eq!(answer.kind, PacketKind::VersionAnswer);
    assert_eq!(
        (answer.destination, answer.source),
        (SOURCE, Some(DESTINATION))
    );
    assert_eq!(answer.versions(&out).collect::<Vec<_>>(), [VERSION]);
    assert_eq!(write_version_answer(&mut [0; 100], &answer, 1200), None);
    for bad in [21, 24] {
        assert_eq!(
            PartialHeader::decode(&out[..bad]),
            Err(WireError::BadValue),
            "{bad}"
        );
    }
}
