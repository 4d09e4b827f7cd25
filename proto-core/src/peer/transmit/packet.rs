//! One packet: its header and frames, then the seal, then the record of what it holds.

use alloc::vec::Vec;

use super::super::{PacketWriter, Peer, SentFrame};
use crate::crypto::{Direction, Level, Session, TAG_LEN};
use crate::endpoint::Shared;
use crate::fault::Fault;
use crate::recovery::Sent;
use crate::time::Instant;
use crate::wire::{HeaderLayout, LongHeader, LongType, PROTECTED_MIN, ShortHeader, packet_number};

/// A packet whose frames are written and which is not sealed yet.
pub(super) struct Draft {
    pub(super) level: Level,
    number: u64,
    pub(super) start: usize,
    layout: HeaderLayout,
    /// One past the last frame; the tag follows.
    pub(super) end: usize,
    pub(super) ack_eliciting: bool,
    /// It was made longer: it counts against the congestion window (RFC 9002 §2).
    pub(super) padded: bool,
    pub(super) sent: Vec<SentFrame>,
}

impl Draft {
    /// Whether it asks whether a path works, or answers.
    pub(super) fn tries_path(&self) -> bool {
        let is_path = |frame: &SentFrame| matches!(frame, SentFrame::Path);
        self.sent.iter().any(is_path)
    }

    /// Fills the rest of the datagram with PADDING (RFC 9000 §14.1).
    pub(super) fn pad(&mut self, out: &mut [u8]) {
        let end = out.len() - TAG_LEN;
        out[self.end..end].fill(0);
        self.end = end;
        self.padded = true;
    }
}

impl Peer {
    /// Writes header and frames of a packet at `start` of the datagram; `None` when there was nothing to say.
    pub(super) fn draft(
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
    pub(super) fn finish(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        draft: Draft,
        out: &mut [u8],
    ) -> usize {
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
pub(super) struct PacketPlace {
    pub(super) level: Level,
    pub(super) number: u64,
    pub(super) layout: HeaderLayout,
}

/// Seals a packet, which ends in room for the tag, and masks its header (RFC 9001 §5.3, §5.4).
#[inline]
pub(super) fn seal(session: &mut dyn Session, place: PacketPlace, packet: &mut [u8]) {
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
    let (header, rest) = packet.split_at_mut(payload_at);
    let (first, number) = header.split_at_mut(number_at);
    let sample = rest.get(4 + number_at - payload_at..);
    let sample = sample.and_then(<[u8]>::first_chunk);
    let masked = sample.map(|it| session.protect_header(level, it, &mut first[0], number));
    debug_assert!(
        matches!(masked, Some(Ok(()))),
        "packets are padded to the least, and levels written only while there are keys"
    );
}
