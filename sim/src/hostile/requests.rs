//! Lies about what is asked, granted, stored and given up.

use proto_core::BLOCK_SIZE;
use proto_core::wire::{Durability, ErrorCode, Frame, StoredAs, varint};

use super::rewrite::{Packet, encode};
use super::{Lie, invent};

/// Numbers of requests that may be open beyond the lowest that is missing (PROTOCOL.md P10.1).
const NUMBER_WINDOW: u64 = 512;
/// Requests in one flooding packet, at most.
const FLOOD_MAX: u64 = 60;
/// Transfers that one packet gives up, at most.
const CANCEL_MAX: usize = 30;

pub(super) fn tell(lie: Lie, packet: &mut Packet<'_>) -> bool {
    let (transfer, seen) = packet.memory.any_transfer(packet.rng);
    let code = ErrorCode::from_wire(packet.rng.below(25));
    match lie {
        Lie::StoredUndone => {
            let stored = Frame::Stored {
                transfer,
                file: 0,
                how: *packet.rng.pick(&[StoredAs::Written, StoredAs::Unchanged]),
                durability: Durability::Full,
            };
            packet.say_frame(lie, &stored)
        }
        Lie::Failed => {
            let file = packet.rng.log_uniform(3);
            packet.say_frame(
                lie,
                &Frame::Failed {
                    transfer,
                    file,
                    code,
                },
            )
        }
        Lie::CancelAll => {
            let known = packet.memory.transfers().take(CANCEL_MAX);
            let frames = known.filter_map(|transfer| encode(&Frame::Cancel { transfer, code }));
            let bytes = frames.flatten().take(packet.room).collect();
            packet.say(lie, bytes)
        }
        Lie::Want => {
            let block = u64::from(BLOCK_SIZE);
            let unit = *packet.rng.pick(&[1, block, block]);
            let (a, b) = (packet.rng.below(seen.size), packet.rng.below(seen.size));
            let beyond = if packet.rng.one_in(8) { unit } else { 0 };
            let want = Frame::Want {
                transfer,
                file: 0,
                start: a.min(b) / unit * unit,
                end: (a.max(b) / unit).saturating_mul(unit) + beyond,
            };
            packet.say_frame(lie, &want)
        }
        Lie::CreditAll => {
            let limit = varint::MAX;
            let frame = match packet.rng.one_in(4) {
                true => Frame::Accept {
                    transfer,
                    credit: limit,
                },
                false => Frame::Credit {
                    transfer,
                    file: 0,
                    limit,
                },
            };
            packet.say_frame(lie, &frame)
        }
        Lie::CreditLess => {
            let limit = packet.rng.below(seen.credit.max(1));
            packet.say_frame(
                lie,
                &Frame::Credit {
                    transfer,
                    file: 0,
                    limit,
                },
            )
        }
        Lie::RequestFlood => flood(packet),
        Lie::RequestPath => {
            let (path, amount) = (invent::name(packet.rng), invent::number(packet.rng));
            let number = packet.memory.next_request;
            let request = invent::request(packet.rng, number, amount, &path);
            packet.say_frame(lie, &request)
        }
        Lie::RequestAhead => {
            let number =
                packet.memory.next_request + NUMBER_WINDOW + packet.rng.log_uniform(1 << 40);
            let request = invent::request(packet.rng, number, 0, b"a");
            packet.say_frame(lie, &request)
        }
        _ => false,
    }
}

/// As many requests as fit, for a file that may be there.
fn flood(packet: &mut Packet<'_>) -> bool {
    let mut bytes = Vec::new();
    let first = packet.memory.next_request;
    for number in first..first + FLOOD_MAX {
        let amount = invent::number(packet.rng);
        let request = invent::request(packet.rng, number, amount, b"f");
        let request = encode(&request).unwrap_or_default();
        if bytes.len() + request.len() > packet.room {
            break;
        }
        bytes.extend_from_slice(&request);
    }
    packet.say(Lie::RequestFlood, bytes)
}
