//! Lies about what arrived.

use std::ops::RangeInclusive;

use proto_core::EcnCounts;
use proto_core::wire::{Ack, Frame, varint, write_ack};

use super::Lie;
use super::rewrite::{Packet, encode};

/// Bytes that an ACK frame may have.
const LEN_MAX: usize = 4_096;
/// Optimistic acknowledgements run ahead by so many numbers at most.
const AHEAD_MAX: u64 = 4;
/// Numbers that an ACK of numbers never sent is beyond.
const NEVER: u64 = 1 << 20;

pub(super) fn tell(lie: Lie, packet: &mut Packet<'_>) -> bool {
    let room = packet.room;
    match lie {
        Lie::AckNeverSent => {
            let largest = NEVER + packet.rng.log_uniform(varint::MAX - NEVER);
            let bytes = ranges(packet.rng.below(1_000), std::iter::once(largest..=largest));
            bytes.is_some_and(|bytes| packet.say(lie, bytes))
        }
        Lie::AckOptimistic => packet.replace(lie, |rng, _, frame| {
            let Frame::Ack(ack) = frame else { return None };
            let ahead = rng.between(1, AHEAD_MAX);
            encode(&Frame::Ack(Ack {
                largest: ack.largest + ahead,
                first_range: ack.first_range + ahead,
                ..ack
            }))
        }),
        Lie::AckAlternating => packet.replace(lie, |_, _, frame| {
            let Frame::Ack(ack) = frame else { return None };
            let count = (ack.largest / 2 + 1).min(Ack::MAX_RANGES);
            let numbers = (0..count).map(|n| ack.largest - 2 * n);
            ranges(ack.delay, numbers.map(|n| n..=n)).filter(|bytes| bytes.len() <= room)
        }),
        Lie::AckEverySecond => packet.replace(lie, |_, _, frame| {
            let Frame::Ack(ack) = frame else { return None };
            let even: Vec<_> = ack
                .ranges()
                .flat_map(|range| range.rev())
                .filter(|number| number % 2 == 0)
                .take(Ack::MAX_RANGES as usize)
                .collect();
            ranges(ack.delay, even.iter().map(|&n| n..=n))
        }),
        Lie::AckDelay => packet.replace(lie, |rng, _, frame| {
            let Frame::Ack(ack) = frame else { return None };
            let delay = rng.log_uniform(varint::MAX);
            encode(&Frame::Ack(Ack { delay, ..ack }))
        }),
        Lie::AckWithheld => packet.leave_out(|frame| matches!(frame, Frame::Ack(_))),
        Lie::EcnInflated => packet.replace(lie, |rng, _, frame| {
            let Frame::Ack(ack) = frame else { return None };
            let mut counts = ack.ecn.unwrap_or_default();
            counts.ect0 = counts.ect0.saturating_add(1 << rng.between(4, 40));
            with_counts(ack, Some(counts))
        }),
        Lie::EcnBack => with_told_counts(lie, packet, |counts| counts.ect0 /= 2),
        Lie::EcnMarked => with_told_counts(lie, packet, |counts| {
            counts.ce += std::mem::take(&mut counts.ect0);
        }),
        Lie::EcnOther => with_told_counts(lie, packet, |counts| {
            counts.ect1 += std::mem::take(&mut counts.ect0);
        }),
        Lie::EcnWithheld => packet.replace(lie, |_, _, frame| match frame {
            Frame::Ack(ack) if ack.ecn.is_some() => with_counts(ack, None),
            _ => None,
        }),
        _ => false,
    }
}

/// Changes the counts of an ACK_ECN frame.
fn with_told_counts(lie: Lie, packet: &mut Packet<'_>, change: impl Fn(&mut EcnCounts)) -> bool {
    packet.replace(lie, |_, _, frame| {
        let Frame::Ack(ack) = frame else { return None };
        let mut counts = ack.ecn?;
        change(&mut counts);
        with_counts(ack, Some(counts))
    })
}

fn with_counts(ack: Ack<'_>, ecn: Option<EcnCounts>) -> Option<Vec<u8>> {
    encode(&Frame::Ack(Ack { ecn, ..ack }))
}

fn ranges(
    delay: u64,
    ranges: impl Iterator<Item = RangeInclusive<u64>> + Clone,
) -> Option<Vec<u8>> {
    let mut bytes = vec![0; LEN_MAX];
    let len = write_ack(&mut bytes, delay, ranges)?;
    bytes.truncate(len);
    Some(bytes)
}
