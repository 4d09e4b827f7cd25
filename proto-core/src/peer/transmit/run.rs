//! Runs: packets of a batch that hold one DATA frame each, and nothing else.
//!
//! While a file is on its way, nearly all packets are such. Whether there is anything else to say, which takes longer to find out
//! than such a packet to make, is asked once for all packets of a run: within a batch no time passes and nothing arrives, so that
//! the answer stays the same. A run sends what packet after packet would have been sent, to the byte
//! (`contract::runs` in the tests).

use super::packet::{PacketPlace, seal};
use crate::crypto::{Level, TAG_LEN};
use crate::peer::{Peer, SentFrame, State};
use crate::recovery::Sent;
use crate::time::Instant;
use crate::wire::{RunHead, ShortHeader, packet_number};

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
        let first = recovery.next_number(Level::Data);
        let number_len = packet_number::encode_len(first, acked);
        let place = [run.transfer, run.file.into(), run.offset];
        let head = RunHead::new(&header, (first, number_len), place, size - TAG_LEN);
        let Some(mut head) = head else { return 0 };
        let (layout, data_len) = (head.layout(), head.data_len());
        // With what the block ends in goes the beginning of the next.
        let whole = run.bytes.len().saturating_sub(1) / data_len;
        let count = (whole.min(out.len() / size) as u64)
            .min(recovery.may_leave(now, size as u64, room))
            .min(self.next_skip.saturating_sub(first))
            .min((packet_number::last_of_len(number_len, acked) + 1).saturating_sub(first))
            .min(keys.may_seal(now))
            .min(head.most()) as usize;
        let (mut number, mut offset) = (first, run.offset);
        let packets = out[..count * size].chunks_exact_mut(size);
        for (packet, data) in packets.zip(run.bytes.chunks_exact(data_len)) {
            head.write(number, offset, data, packet);
            let place = PacketPlace {
                level: Level::Data,
                number,
                layout,
            };
            seal(&mut **session, place, packet);
            (number, offset) = (number + 1, offset + data_len as u64);
        }
        if count > 0 {
            let sent = Sent {
                bytes: size as u32,
                ack_eliciting: true,
                in_flight: true,
                marked: self.marks,
            };
            let frames = (0..count).map(|nth| SentFrame::Transfer {
                key: run.key,
                item: run.item(run.offset + (nth * data_len) as u64, data_len as u32),
            });
            recovery.on_run_sent(now, Level::Data, sent, frames);
            keys.on_run_sealed(first, count as u64);
            let (key, told) = (run.key, offset - run.offset);
            transfers.on_run_sent(key, told);
            self.tail.on_new((count * size) as u64, self.copies_max());
        }
        count * size
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
            && !self.recovery.tests_ecn()
            // A test of the path that has just ended leaves the rest unmarked, in a batch of its own.
            && self.recovery.marks_ecn(now) == self.marks;
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
