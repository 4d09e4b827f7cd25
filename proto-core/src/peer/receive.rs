//! A packet in: header protection off, number decoded, opened, frames acted on.

mod run;

use super::ids::{Destination, Destinations};
use super::migration::Newest;
use super::{Arrival, Peer, State};
use crate::crypto::{CryptoError, Direction, Epoch, Level};
use crate::endpoint::{DropReason, Shared};
use crate::fault::Fault;
use crate::time::Instant;
use crate::wire::{CloseCode, ConnectionId, FirstByte, PartialHeader, packet_number};

/// A packet that is the peer's own.
struct Opened {
    level: Level,
    number: u64,
    first: FirstByte,
    /// Where its frames are in the packet.
    payload: core::ops::Range<usize>,
}

impl Peer {
    /// Takes one packet, `packet` being all of its bytes. What cannot be opened changes nothing (R7).
    pub(crate) fn handle_packet(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        header: &PartialHeader,
        packet: &mut [u8],
        arrival: &Arrival,
    ) -> Result<(), DropReason> {
        if !self.accepts_from(arrival.source) {
            return Err(DropReason::WrongAddress);
        }
        if let State::Closing { .. } = self.state {
            self.on_packet_while_closing();
            return Err(DropReason::Closing);
        }
        if self.state == State::Gone {
            return Err(DropReason::Closing);
        }
        if self.is_of_another_session(header) {
            return Err(DropReason::UnknownSession);
        }
        let level = header.level().ok_or(DropReason::Malformed)?;
        let opened = self.open(now, level, header.number_at, packet);
        let opened = self.count_failed(now, shared, opened)?;
        self.act_on(now, shared, header.source, packet, &opened, arrival)
    }

    /// Of packets that could not be opened, counts what may be forged.
    fn count_failed(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        opened: Result<Opened, DropReason>,
    ) -> Result<Opened, DropReason> {
        if let Err(DropReason::NotAuthentic) = opened {
            self.on_failed_open(now, shared);
        }
        opened
    }

    /// Does what a packet says that was opened; `source` is the id that a long header names.
    fn act_on(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        source: Option<ConnectionId>,
        packet: &[u8],
        opened: &Opened,
        arrival: &Arrival,
    ) -> Result<(), DropReason> {
        if !opened.first.reserved_bits_are_zero() {
            self.fail(now, shared, CloseCode::ProtocolViolation);
            return Ok(());
        }
        let missed = self.confirmed
            && self.recovery.is_backing_off()
            && now.since(self.last_heard) > self.recovery.pto();
        let acked = self.recovery.counters().acked_packets;
        self.on_authentic(now, source, opened, arrival);
        let payload = &packet[opened.payload.clone()];
        let taken = match self.handle_frames(now, shared, opened.level, payload, arrival) {
            Ok(taken) => taken,
            Err(code) => {
                self.fail(now, shared, code);
                return Ok(());
            }
        };
        let received = &mut self.spaces[opened.level as usize].received;
        let is_newest = received.largest().is_none_or(|it| opened.number > it);
        if taken.ack_eliciting {
            self.quiet_pings = 0;
        }
        if missed && (taken.ack_eliciting || self.recovery.counters().acked_packets > acked) {
            self.recovery.on_silence_over(now);
        }
        let space = &mut self.spaces[opened.level as usize];
        if taken.all && !space.discarded {
            if space
                .received
                .insert(opened.number, now, taken.ack_eliciting)
            {
                space.received.count_ecn(arrival.ecn, 1);
            }
            space.ack_now |= taken.ack_eliciting && self.faults.strikes(Fault::AckEarly);
        }
        let newest = Newest {
            is_newest,
            is_probing: taken.is_probing,
        };
        self.follow(now, shared, arrival, newest);
        if taken.all {
            Ok(())
        } else {
            Err(DropReason::NoRoom)
        }
    }

    /// Whether the peer sends it for another session (P4.27, RFC 9000 §7.2): of a server that forgot the first while copies
    /// of the client's first packet were on their way, and opened a second one.
    fn is_of_another_session(&self, header: &PartialHeader) -> bool {
        let other = |source| source != self.ids.remote;
        self.ids.remote_known && header.source.is_some_and(other)
    }

    fn open(
        &mut self,
        now: Instant,
        level: Level,
        at: usize,
        packet: &mut [u8],
    ) -> Result<Opened, DropReason> {
        // A server acts on 1-RTT packets only once the client's Finished is there (RFC 9001 §5.7).
        if self.spaces[level as usize].discarded
            || (level == Level::Data && matches!(self.state, State::Handshaking { .. }))
        {
            return Err(DropReason::NoKeys);
        }
        let number = packet.get(at..).and_then(<[u8]>::split_first_chunk::<4>);
        let (&(mut bytes), sample) = number.ok_or(DropReason::Malformed)?;
        let sample = sample.first_chunk().ok_or(DropReason::Malformed)?;
        let mut first = packet[0];
        self.session
            .unprotect_header(level, sample, &mut first, &mut bytes)
            .map_err(|_| DropReason::NoKeys)?;
        packet[0] = first;
        let first = FirstByte(first);
        let len = first.number_len();
        let received = &self.spaces[level as usize].received;
        let expected = received.largest().map_or(0, |largest| largest + 1);
        let number = packet_number::decode(packet_number::read(&bytes, len), len, expected);
        // The expected number is new, and mostly the one.
        let is_new = number == expected || received.is_new(number);
        if !is_new && !self.faults.strikes(Fault::DuplicateAccepted) {
            return Err(DropReason::Duplicate);
        }
        packet[at..at + 4].copy_from_slice(&bytes);
        let epoch = match level {
            Level::Data => self.keys.epoch_of(first.key_phase(), number),
            Level::Initial | Level::Handshake => Epoch::Current,
        };
        // A second update before the first was acknowledged is refused (R4, RFC 9001 §6.5).
        if epoch == Epoch::Next && !self.keys.peer_may_update() {
            return Err(DropReason::NotAuthentic);
        }
        let (head, body) = packet.split_at_mut(at + len);
        match self.session.open(level, epoch, number, head, body) {
            Ok(()) => {}
            Err(CryptoError::NoKeys) => return Err(DropReason::NoKeys),
            Err(_) if self.faults.strikes(Fault::ForgeryAccepted) => {}
            Err(_) => return Err(DropReason::NotAuthentic),
        }
        let payload = at + len..packet.len() - crate::crypto::TAG_LEN;
        let says_nothing = epoch == Epoch::Current && self.keys.is_opened_from(number);
        if level == Level::Data && !says_nothing {
            self.on_opened_in(now, epoch, number);
        }
        Ok(Opened {
            level,
            number,
            first,
            payload,
        })
    }

    /// Follows the peer's key update (RFC 9001 §6.2).
    fn on_opened_in(&mut self, now: Instant, epoch: Epoch, number: u64) {
        match epoch {
            Epoch::Previous => return,
            Epoch::Current => {}
            Epoch::Next => {
                self.session.update_keys();
                self.keys.on_update(now);
            }
        }
        let pto = || self.recovery.pto();
        self.keys.on_opened(number, || now + 3 * pto());
    }

    /// What any authentic packet tells.
    fn on_authentic(
        &mut self,
        now: Instant,
        source: Option<ConnectionId>,
        opened: &Opened,
        arrival: &Arrival,
    ) {
        self.packets_received += 1;
        if self.is_silent(now) {
            self.transfers.excuse_silence(now);
        }
        self.last_heard = now;
        if !self.ids.remote_known
            && let Some(source) = source
        {
            self.ids.remote = source;
            self.ids.remote_known = true;
            self.destinations = Destinations::new(source);
            self.path.destination = Destination::first(source);
            if self.path.remote != arrival.source {
                // A server that was reached as "any address".
                self.path.remote = arrival.source;
                self.estimated_for = arrival.source;
            }
        }
        if self.direction == Direction::Server && opened.level == Level::Handshake {
            // Only who received our Initial packets has these keys (RFC 9000 §8.1, RFC 9001 §4.9.1). They went to the
            // first address; from elsewhere, it may be a copy.
            if arrival.source == self.first_address && self.path.remote == self.first_address {
                self.path.validate();
            }
            self.note_amplification();
            self.discard_level(Level::Initial);
        }
    }

    /// Counts forged packets: only the AEAD's integrity limit ends a session (R5).
    fn on_failed_open(&mut self, now: Instant, shared: &mut Shared) {
        self.failed_opens += 1;
        if self.failed_opens > self.session.integrity_limit() {
            self.fail(now, shared, CloseCode::AeadLimit);
        }
    }
}
