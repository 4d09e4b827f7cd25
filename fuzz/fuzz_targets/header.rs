//! A datagram's packet headers: every place is within the datagram, and a header that is written again reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto_core::wire::{
    LongHeader, LongType, PacketKind, PartialHeader, ShortHeader, packet_number,
    write_version_answer,
};

fuzz_target!(|datagram: &[u8]| {
    let mut rest = datagram;
    while let Ok(header) = PartialHeader::decode(rest) {
        assert!(header.token.end <= header.number_at && header.number_at <= header.end);
        assert!(header.level().is_none() || header.sample().end <= header.end);
        answer(&header, rest.len());
        write_again(&header, &rest[..header.end]);
        rest = &rest[header.end..];
    }
});

/// Never larger than its cause, and only for another version.
fn answer(header: &PartialHeader, cause_len: usize) {
    let mut out = [0; 64];
    if let Some(len) = write_version_answer(&mut out, header, cause_len) {
        assert!(len <= cause_len);
        let answer = PartialHeader::decode(&out[..len]).expect("own packets can be read");
        assert_eq!(answer.kind, PacketKind::VersionAnswer);
        assert_eq!(Some(answer.destination), header.source);
        assert_eq!(answer.versions(&out).count(), 1);
    }
}

/// The number is read as if there were no header protection.
fn write_again(header: &PartialHeader, packet: &[u8]) {
    let number_len = header.first.number_len();
    let destination = header.destination;
    let number = packet_number::read(&packet[header.number_at..], number_len);
    // Lengths in a long form are written shorter, ours in two bytes: one more than the shortest.
    let mut out = vec![0; packet.len() + 1];
    let layout = match (header.kind, header.source) {
        (PacketKind::Initial | PacketKind::Handshake, Some(source)) => {
            let token = &packet[header.token.clone()];
            let ty = match header.kind {
                PacketKind::Initial => LongType::Initial { token },
                _ => LongType::Handshake,
            };
            LongHeader {
                ty,
                destination,
                source,
            }
            .encode(number, number_len, &mut out)
        }
        (PacketKind::Short, _) => {
            let key_phase = header.first.key_phase();
            ShortHeader {
                destination,
                key_phase,
            }
            .encode(number, number_len, &mut out)
        }
        _ => return,
    };
    let layout = layout.expect("there is room for the header");
    let protected = header.end - header.number_at;
    if layout
        .set_length(&mut out, protected - number_len)
        .is_none()
    {
        assert!(protected > 16_383);
        return;
    }
    out.truncate(layout.number_at + protected);
    let again = PartialHeader::decode(&out).expect("own packets can be read");
    assert_eq!(
        (again.kind, again.destination),
        (header.kind, header.destination)
    );
    assert_eq!((again.source, again.end), (header.source, out.len()));
    assert_eq!(&out[again.token.clone()], &packet[header.token.clone()]);
    assert_eq!(
        packet_number::read(&out[again.number_at..], number_len),
        number
    );
    assert!(again.first.reserved_bits_are_zero());
}
