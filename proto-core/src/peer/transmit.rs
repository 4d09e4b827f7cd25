//! A batch of datagrams out: which levels, which frames, sealed.

mod mtu_probe;
mod run;

use alloc::vec::Vec;

use super::gate::Gate;
use super::key_phase::SEAL_LIMIT;
use super::{DATAGRAM_BASE, PacketWriter, Peer, SentFrame, State};
use crate::crypto::{Direction, Level, Session, TAG_LEN};
use crate::ecn::Ecn;
use crate::endpoint::{Shared, Transmit};
use crate::fault::Fault;
use crate::recovery::Sent;
use crate::time::Instant;
use crate::wire::{
    CloseCode, Frame, HeaderLayout, LongHeader, LongType, PROTECTED_MIN, ShortHeader, packet_number,
};

/// Bytes of a batch at most (`UDP_SEGMENT`'s limit).
const BATCH_MAX: usize = 65_507;
/// A further packet is coalesced only where it can hold something.
const ROOM_MIN: usize = 100;

/// Room for a challenge: less is not worth a datagram.
const DATAGRAM_MIN: usize = 64;

/// A packet whose frames are written and which is not sealed yet.
struct Draft {
    level: Level,
    number: u64,
    start: usize,
    layout: HeaderLayout,
    /// One past the last frame; the tag follows.
    end: usize,
    ack_eliciting: bool,
    /// It was made longer: it counts against the congestion window (RFC 9002 §2).
    padded: bool,
    sent: Vec<SentFrame>,
}

impl Draft {
    /// Whether it asks whether a path works, or answers.
    fn tries_path(&self) -> bool {
        let is_path = |frame: &SentFrame| matches!(frame, SentFrame::Path);
        self.sent.iter().any(is_path)
    }

    /// Fills the rest of the datagram with PADDING (RFC 9000 §14.1).
    fn pad(&mut self, out: &mut [u8]) {
        let end = out.len() - TAG_LEN;
        out[self.end..end].fill(0);
        self.end = end;
        self.padded = true;
    }
}

impl Peer {
    /// Whether [`poll_transmit`](Self::poll_transmit) would send something.
    pub(crate) fn wants_transmit(&self, now: Instant) -> bool {
        if self.owes_previous_challenge() || self.owes_mtu_probe() {
            return true;
        }
        if self.room_on_path() < self.datagram_min() {
            return false;
        }
        match self.state {
            State::Gone => false,
            State::Closing { frame_due, .. } => frame_due,
            _ => {
                let gate = if self.is_gate_open(now) {
                    Gate::Open
                } else {
                    Gate::Shut
                };
                Level::ALL
                    .into_iter()
                    .any(|level| self.wants(now, level, gate))
            }
        }
    }

    /// Builds one batch: datagrams of equal size, the last perhaps shorter.
    pub(crate) fn poll_transmit(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        segments_max: usize,
        out: &mut [u8],
    ) -> Option<Transmit> {
        if let Some(transmit) = self.challenge_previous(now, shared, out) {
            return Some(transmit);
        }
        if let Some(transmit) = self.probe_mtu(now, shared, out) {
            return Some(transmit);
        }
        let marks = self.recovery.marks_ecn(now);
        self.marks = marks;
        let (size, segments_max) = self.batch_shape(segments_max);
        let segments = segments_max.min(out.len().min(BATCH_MAX) / size);
        let mut len = 0;
        let mut segment_size = size;
        while len < segments * size {
            let room = self.room_on_path().min(size);
            // One codepoint for all: a test of the path may end within the batch.
            if room < self.datagram_min().min(size) || self.recovery.marks_ecn(now) != marks {
                break;
            }
            let written = self.build_datagram(now, shared, &mut out[len..len + room]);
            self.path.on_sent(written);
            self.bytes_sent += written as u64;
            if len == 0 {
                segment_size = written;
            }
            len += written;
            if written < size {
                break;
            }
            self.note_full_datagram(now);
            let run = self.append_run(now, size, &mut out[len..segments * size]);
            self.path.on_sent(run);
            self.bytes_sent += run as u64;
            len += run;
        }
        self.marks = false;
        self.note_amplification();
        (len > 0).then_some(Transmit {
            destination: self.path.remote,
            source: self.path.local,
            len,
            segment_size,
            may_fragment: false,
            ecn: if marks { Ecn::Ect0 } else { Ecn::NotEct },
        })
    }

    /// Bytes of a full datagram. How large they may be was measured for another address than one that is not proven yet.
    pub(super) fn datagram_size(&self) -> usize {
        let size = match self.path.is_validated() {
            true => self.recovery.datagram_size(),
            false => self.recovery.datagram_size().min(DATAGRAM_BASE),
        };
        usize::from(size)
    }

    /// Bytes of the next batch's datagrams, and how many it may have. What goes out after a probe time-out must arrive even when
    /// the path no longer carries full datagrams (RFC 8899 §4.3).
    fn batch_shape(&self, segments_max: usize) -> (usize, usize) {
        let (size, base) = (self.datagram_size(), usize::from(self.mtu.base()));
        let probes = usize::from(self.spaces[Level::Data as usize].probes);
        if probes > 0 && size > base {
            (base, segments_max.min(probes))
        } else {
            (size, segments_max)
        }
    }

    /// Bytes that the next datagram may have.
    pub(super) fn room_on_path(&self) -> usize {
        let size = self.datagram_size();
        usize::try_from(self.path.budget()).map_or(size, |budget| budget.min(size))
    }

    /// What an unproven address must allow before anything is sent there. A handshake's datagrams are full; later, a
    /// challenge must get through to a peer that sends nothing but acknowledgements.
    pub(super) fn datagram_min(&self) -> usize {
        match self.state {
            State::Handshaking { .. } => self.datagram_size(),
            _ => DATAGRAM_MIN,
        }
    }

    fn owes_previous_challenge(&self) -> bool {
        self.state.is_established() && self.previous.is_some_and(|path| path.owes_challenge())
    }

    /// A datagram on the path of before, to learn whether the peer is still there (RFC 9000 §9.3.3). It is left out of the
    /// congestion accounts: they are about the present path, and this one is expected to be dead.
    fn challenge_previous(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        out: &mut [u8],
    ) -> Option<Transmit> {
        let out = out.get_mut(..usize::from(DATAGRAM_BASE))?;
        if !self.owes_previous_challenge() || self.keys.sealed() >= SEAL_LIMIT {
            return None;
        }
        let previous = self.previous.as_mut()?;
        let data = previous.validation.as_mut()?.on_sent(true);
        previous.on_sent(out.len());
        let path = core::mem::replace(&mut self.path, *previous);
        let draft = self.draft(now, shared, Level::Data, out, 0, |_, _, writer| {
            let written = writer.put_once(&Frame::PathChallenge { data });
            debug_assert!(written, "a challenge fits any packet");
        });
        let left = core::mem::replace(&mut self.path, path);
        let mut draft = draft?;
        draft.pad(out);
        draft.padded = false;
        let len = self.finish(now, shared, draft, out);
        self.bytes_sent += len as u64;
        Some(Transmit {
            destination: left.remote,
            source: left.local,
            len,
            segment_size: len,
            may_fragment: false,
            ecn: Ecn::NotEct,
        })
    }

    fn build_datagram(&mut self, now: Instant, shared: &mut Shared, out: &mut [u8]) -> usize {
        if let State::Closing {
            code, frame_due, ..
        } = &mut self.state
        {
            if !core::mem::take(frame_due) {
                return 0;
            }
            let code = *code;
            return self.build_close(now, shared, code, out);
        }
        if self.keys.sealed() >= SEAL_LIMIT {
            self.fail(now, shared, CloseCode::AeadLimit);
            return 0;
        }
        // What little an unproven address allows is not for data.
        let gate = match out.len() < usize::from(DATAGRAM_BASE) {
            true => Gate::Shut,
            false => self.gate(now, out.len()),
        };
        let is_copy = self.owe_copy(now, shared, gate);
        let mut last: Option<Draft> = None;
        let mut pad = false;
        for level in Level::ALL {
            if self.spaces[level as usize].discarded {
                continue;
            }
            let start = last.as_ref().map_or(0, |draft| draft.end + TAG_LEN);
            if !self.wants(now, level, gate) || out.len() - start < ROOM_MIN {
                continue;
            }
            let Some(draft) = self.draft(now, shared, level, out, start, |peer, shared, writer| {
                peer.write_frames(now, shared, level, gate, writer);
            }) else {
                continue;
            };
            // RFC 9000 §14.1.
            pad |= level == Level::Initial
                && (self.direction == Direction::Client || draft.ack_eliciting);
            if let Some(previous) = last.replace(draft) {
                self.finish(now, shared, previous, out);
            }
        }
        let Some(mut draft) = last else {
            if gate == Gate::Open {
                self.recovery.on_app_limited();
            }
            return 0;
        };
        if pad {
            draft.pad(out);
        }
        // RFC 9000 §8.2.1, §8.2.2: what tries a path shows that it carries 1,200 bytes, where so many may be sent.
        if draft.tries_path()
            && let Some(base) = out.get_mut(..usize::from(DATAGRAM_BASE))
            && draft.end + TAG_LEN < base.len()
        {
            draft.pad(base);
        }
        if draft.level != Level::Data {
            return self.finish(now, shared, draft, out);
        }
        let told = (draft.end + TAG_LEN - draft.start) as u64;
        self.note_tail(&draft.sent, told, is_copy);
        let end = self.finish(now, shared, draft, out);
        if is_copy {
            // It went out since there was nothing else.
            self.recovery.on_app_limited();
        }
        end
    }

    /// Says CLOSE at every level that the peer may have keys for (RFC 9000 §10.2.3).
    fn build_close(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        code: CloseCode,
        out: &mut [u8],
    ) -> usize {
        let mut len = 0;
        for level in Level::ALL {
            if self.spaces[level as usize].discarded
                || level > self.write_level
                || out.len() - len < ROOM_MIN
            {
                continue;
            }
            let draft = self.draft(now, shared, level, out, len, |peer, _, writer| {
                // The last that came may be what the peer waits to see acknowledged.
                let Self { spaces, faults, .. } = peer;
                spaces[level as usize].write_ack(now, level, faults, writer);
                let written = writer.put_once(&Frame::Close { code, reason: b"" });
                debug_assert!(written, "CLOSE fits any packet");
            });
            if let Some(mut draft) = draft {
                if level == Level::Initial && self.direction == Direction::Client {
                    draft.pad(out);
                }
                len = self.finish(now, shared, draft, out);
            }
        }
        len
    }

    fn write_frames(
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

    /// Writes header and frames of a packet at `start` of the datagram; `None` when there was nothing to say.
    fn draft(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        level: Level,
        out: &mut [u8],
        start: usize,
        fill: impl FnOnce(&mut Self, &mut Shared, &mut PacketWriter<'_>),
    ) -> Option<Draft> {
        if level == Level::Data {
            self.before_data_packet(now, shared);
        }
        let mut number = self.recovery.next_number(level);
        if level == Level::Data && self.faults.strikes(Fault::NumberReused) {
            number = number.saturating_sub(1);
        }
        let number_len = packet_number::encode_len(number, self.recovery.largest_acked(level));
        let layout = self.write_header(level, number, number_len, &mut out[start..])?;
        let payload_at = start + layout.payload_at;
        let room = out.len().checked_sub(TAG_LEN)?;
        let mut sent = shared.take_scratch();
        let mut writer = PacketWriter::new(out.get_mut(payload_at..room)?, &mut sent);
        fill(self, shared, &mut writer);
        let len = writer.len();
        if len == 0 {
            shared.put_scratch(sent);
            return None;
        }
        let end = (payload_at + len).max(start + layout.number_at + PROTECTED_MIN - TAG_LEN);
        out[payload_at + len..end].fill(0);
        let ack_eliciting = sent
            .iter()
            .any(|frame| !matches!(frame, SentFrame::Ack { .. }));
        Some(Draft {
            level,
            number,
            start,
            layout,
            end,
            ack_eliciting,
            padded: false,
            sent,
        })
    }

    /// Changes worn keys, and leaves a packet number out now and then (T5).
    fn before_data_packet(&mut self, now: Instant, shared: &mut Shared) {
        let early = self.faults.strikes(Fault::KeyUpdateEarly) && self.keys.may_update();
        if self.confirmed && (early || self.keys.wants_update(now)) {
            self.session.update_keys();
            self.keys.on_update(now);
        }
        let number = self.recovery.next_number(Level::Data);
        if number >= self.next_skip || self.faults.strikes(Fault::NumberSkipped) {
            self.recovery.skip_number(Level::Data);
            let window = self.recovery.window() / self.datagram_size() as u64;
            self.next_skip = number + 2 + shared.rng.below(window.max(8));
        }
    }

    fn write_header(
        &self,
        level: Level,
        number: u64,
        number_len: usize,
        out: &mut [u8],
    ) -> Option<HeaderLayout> {
        let ty = match level {
            Level::Initial => LongType::Initial { token: &[] },
            Level::Handshake => LongType::Handshake,
            Level::Data => {
                let header = ShortHeader {
                    destination: self.path.destination.id,
                    key_phase: self.keys.bit(),
                };
                return header.encode(number, number_len, out);
            }
        };
        let header = LongHeader {
            ty,
            destination: self.path.destination.id,
            source: self.ids.local,
        };
        header.encode(number, number_len, out)
    }

    /// Seals the packet, and remembers it. Returns where the datagram ends now.
    fn finish(&mut self, now: Instant, shared: &mut Shared, draft: Draft, out: &mut [u8]) -> usize {
        let end = draft.end + TAG_LEN;
        let place = PacketPlace {
            level: draft.level,
            number: draft.number,
            layout: draft.layout,
        };
        seal(&mut *self.session, place, &mut out[draft.start..end]);
        if draft.level == Level::Data {
            self.keys.on_sealed(draft.number);
        }
        let bytes = end - draft.start;
        let is_mtu_probe = matches!(draft.sent.first(), Some(SentFrame::MtuProbe(_)))
            && !self.faults.strikes(Fault::MtuProbeCounted);
        let sent = Sent {
            bytes: bytes as u32,
            ack_eliciting: draft.ack_eliciting,
            in_flight: !is_mtu_probe && (draft.ack_eliciting || draft.padded),
            marked: self.marks,
        };
        self.recovery
            .on_packet_sent(now, draft.level, sent, &draft.sent);
        shared.put_scratch(draft.sent);
        // A client's Initial keys have done their work once it speaks with Handshake keys (RFC 9001 §4.9.1).
        if draft.level == Level::Handshake && self.direction == Direction::Client {
            self.discard_level(Level::Initial);
        }
        end
    }
}

/// What a packet is sealed as.
#[derive(Clone, Copy)]
struct PacketPlace {
    level: Level,
    number: u64,
    layout: HeaderLayout,
}

/// Seals a packet, which ends in room for the tag, and masks its header (RFC 9001 §5.3, §5.4).
fn seal(session: &mut dyn Session, place: PacketPlace, packet: &mut [u8]) {
    let PacketPlace {
        level,
        number,
        layout,
    } = place;
    let HeaderLayout {
        number_at,
        payload_at,
        ..
    } = layout;
    let fits = layout.set_length(packet, packet.len() - payload_at);
    debug_assert!(
        fits.is_some(),
        "datagrams of a handshake are short, and packets padded to the least"
    );
    let (header, payload) = packet.split_at_mut(payload_at);
    let sealed = session.seal(level, number, header, payload);
    debug_assert!(
        sealed.is_ok(),
        "levels are written only while there are keys"
    );
    let mut sample = [0; 16];
    sample.copy_from_slice(&packet[number_at + 4..number_at + PROTECTED_MIN]);
    let (first, rest) = packet.split_at_mut(1);
    let number = &mut rest[number_at - 1..payload_at - 1];
    let masked = session.protect_header(level, &sample, &mut first[0], number);
    debug_assert!(
        masked.is_ok(),
        "levels are written only while there are keys"
    );
}
