//! Runs: packets of a batch that hold one DATA frame each, and nothing else.
//!
//! While a file is on its way, nearly all packets are such. Whether there is anything else to say, which takes longer to find out
//! than such a packet to make, is asked once for all packets of a run: within a batch no time passes and nothing arrives, so that
//! the answer stays the same. A run sends what packet after packet would have been sent, to the byte
//! (`contract::runs` in the tests).

use super::packet::{PacketPlace, seal};
use crate::crypto::{Level, TAG_LEN};
use crate::peer::key_phase::SEAL_LIMIT;
use crate::peer::{Peer, SentFrame, State};
use crate::recovery::Sent;
use crate::time::Instant;
use crate::wire::{ShortHeader, fill_with_data, packet_number};

impl Peer {
    /// Writes datagrams of `size` bytes, one behind the other, as far as `out` and the block that is being sent reach; how many
    /// bytes they are together. Where it ends, the next datagram is made in the general way.
    pub(super) fn append_run(&mut self, now: Instant, size: usize, out: &mut [u8]) -> usize {
        if out.len() < size || !self.says_only_data(now) {
            return 0;
        }
        let room = self.most_in_flight();
        let key_phase = self.keys.bit();
        let Self {
            path,
            session,
            recovery,
            keys,
            transfers,
            ..
        } = self;
        let Some(run) = transfers.run() else { return 0 };
        let header = ShortHeader {
            destination: path.destination.id,
            key_phase,
        };
        let acked = recovery.largest_acked(Level::Data);
        let (mut offset, mut rest) = (run.offset, run.bytes);
        let unskipped = self
            .next_skip
            .saturating_sub(recovery.next_number(Level::Data));
        let most = recovery.may_leave(now, size as u64, room).min(unskipped);
        let sent = Sent {
            bytes: size as u32,
            ack_eliciting: true,
            in_flight: true,
            marked: self.marks,
        };
        let mut packets = recovery.begin_run(now, Level::Data, sent);
        let mut len = 0;
        for packet in out.chunks_exact_mut(size).take(most as usize) {
            let number = packets.next_number();
            if keys.sealed() >= SEAL_LIMIT || keys.wants_update(now) {
                break;
            }
            let number_len = packet_number::encode_len(number, acked);
            let Some(layout) = header.encode(number, number_len, packet) else {
                break;
            };
            let payload = &mut packet[layout.payload_at..size - TAG_LEN];
            let filled = fill_with_data(payload, run.transfer, run.file.into(), offset, rest);
            // With what the block ends in goes the beginning of the next.
            let Some(fits) = filled.filter(|fits| *fits < rest.len()) else {
                break;
            };
            let place = PacketPlace {
                level: Level::Data,
                number,
                layout,
            };
            seal(&mut **session, place, packet);
            keys.on_sealed(number);
            packets.push(SentFrame::Transfer {
                key: run.key,
                item: run.item(offset, fits as u32),
            });
            (offset, rest) = (offset + fits as u64, &rest[fits..]);
            len += size;
        }
        drop(packets);
        let (key, told) = (run.key, offset - run.offset);
        if len > 0 {
            transfers.on_run_sent(key, told);
            self.tail.on_new(len as u64, self.copies_max());
        }
        len
    }

    /// Whether packets hold DATA and nothing else until time passes or something arrives, whatever is sent meanwhile.
    fn says_only_data(&self, now: Instant) -> bool {
        let [initial, handshake, space] = &self.spaces;
        let settled = self.state == State::Open
            && self.confirmed
            && self.path.is_validated()
            && initial.discarded
            && handshake.discarded
            && !self.mtu.heeds_full(now)
            && !self.recovery.tests_ecn();
        let asked = space.probes > 0
            || space.ack_now
            || space.received.ack_owed()
            || space.crypto_out.has_pending()
            || self.owes_path_frames()
            || self.owes_control_frames();
        // Who plants faults wants to be asked at each packet.
        settled && !asked && self.paced_until.is_none() && !self.faults.are_planted()
    }
}
