//! What a packet says: frames in the order of their urgency.

use super::super::gate::Gate;
use super::super::{DATAGRAM_BASE, PacketWriter, Peer, SentFrame};
use crate::crypto::Level;
use crate::endpoint::Shared;
use crate::time::Instant;
use crate::wire::Frame;

impl Peer {
    pub(super) fn write_frames(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        level: Level,
        gate: Gate,
        writer: &mut PacketWriter<'_>,
    ) {
        let is_data = level == Level::Data && self.state.is_established();
        if is_data {
            self.write_path_frames(writer);
        }
        let tries = writer.len() > 0;
        let space = &mut self.spaces[level as usize];
        space.write_ack(now, level, &self.faults, writer);
        let before = writer.len();
        if is_data && (gate == Gate::Open || self.space(level).probes > 0) {
            self.write_id_frames(shared, writer);
            if self.frequency.is_due() {
                self.write_ack_frequency(writer);
            }
            if self.limit.is_due() {
                self.write_rate_limit(writer);
            }
        }
        let Self {
            spaces,
            transfers,
            recovery,
            handshake_done_pending,
            probes_sent,
            ..
        } = self;
        // What tries a path waits for no window.
        *probes_sent += u64::from(tries);
        let space = &mut spaces[level as usize];
        if gate == Gate::Open || space.probes > 0 {
            while let Some((offset, bytes)) = space.crypto_out.peek() {
                let len = bytes.len().min(Frame::crypto_room(offset, writer.room()));
                let sent = SentFrame::Crypto {
                    level,
                    offset: offset as u32,
                    len: len as u16,
                };
                if len == 0
                    || !writer.put(
                        &Frame::Crypto {
                            offset,
                            data: &bytes[..len],
                        },
                        sent,
                    )
                {
                    break;
                }
                space.crypto_out.on_sent(offset, len as u64);
            }
            if is_data {
                if *handshake_done_pending
                    && writer.put(&Frame::HandshakeDone, SentFrame::HandshakeDone)
                {
                    *handshake_done_pending = false;
                }
                let mut cx = shared.context(now, recovery.rtt().smoothed());
                transfers.write_frames(&mut cx, writer);
            }
        }
        let elicits = tries || writer.len() > before;
        if space.probes > 0 {
            *probes_sent += 1;
            space.probes -= u8::from(elicits || writer.put(&Frame::Ping, SentFrame::Ping));
        } else if !elicits && gate == Gate::Open && recovery.wants_ping(level) {
            // Without it, a side that only receives would never learn which of its ACKs arrived (RFC 9000 §13.2.4).
            let _fits = writer.put(&Frame::Ping, SentFrame::Ping);
        }
    }

    /// The challenge of the present path, and answers to those that came on it.
    fn write_path_frames(&mut self, writer: &mut PacketWriter<'_>) {
        let expanded = self.room_on_path() >= usize::from(DATAGRAM_BASE);
        if self.path.owes_challenge()
            && let Some(validation) = &mut self.path.validation
        {
            let data = validation.on_sent(expanded);
            let written = writer.put(&Frame::PathChallenge { data }, SentFrame::Path);
            debug_assert!(written, "it is the first frame of its packet");
        }
        while let Some(&(from, data)) = self.challenges.front() {
            // Of a path that is left, nobody waits for an answer.
            if from == self.path.remote
                && !writer.put(&Frame::PathResponse { data }, SentFrame::Path)
            {
                return;
            }
            self.challenges.pop_front();
        }
    }

    /// Ids for the peer, and ids of the peer's that are done with.
    fn write_id_frames(&mut self, shared: &Shared, writer: &mut PacketWriter<'_>) {
        while let Some(sequence) = self.issued.owed() {
            let id = shared.ids.issue(self.ids.key, sequence);
            let frame = Frame::NewConnectionId {
                sequence: sequence.into(),
                retire_prior_to: 0,
                id,
                token: &shared.resets.token(id),
            };
            if !writer.put(&frame, SentFrame::NewId { sequence }) {
                return;
            }
            self.issued.set_owed(sequence, false);
        }
        while let Some(sequence) = self.destinations.owed() {
            let frame = Frame::RetireConnectionId { sequence };
            if !writer.put(&frame, SentFrame::RetireId { sequence }) {
                return;
            }
            self.destinations.on_told();
        }
    }
}
