//! Acting on the frames of an opened packet.

use super::frequency::Frequency;
use super::ids::{Destination, Destinations, Issued};
use super::limit::Limit;
use super::mtu::Mtu;
use super::packet_writer::{MAX_FRAMES, SentFrame};
use super::{Arrival, Peer, Space};
use crate::crypto::{Direction, Level};
use crate::endpoint::Shared;
use crate::event::CloseCause;
use crate::recovery::{AckFrequency, Fate, OnTimeout, Recovery};
use crate::slab::Key;
use crate::time::{Duration, Instant};
use crate::transfer::{Context, Item, Taken, Transfers};
use crate::wire::{Ack, CloseCode, Data, Frame};

/// Challenges that wait for their answer at most; beyond, the oldest is dropped (T7, M6).
pub(super) const CHALLENGES_MAX: usize = 64;

/// What became of a packet's frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handled {
    pub(super) ack_eliciting: bool,
    /// There were probing frames only (RFC 9000 §9.1).
    pub(super) is_probing: bool,
    /// All frames were taken. Otherwise the packet is not acknowledged, and what it held comes again.
    pub(super) all: bool,
}

impl Peer {
    pub(super) fn handle_frames(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        level: Level,
        mut payload: &[u8],
        arrival: &Arrival,
    ) -> Result<Handled, CloseCode> {
        if level == Level::Data
            && let Some(data) = Data::alone(payload)
        {
            let mut cx = shared.context(now, self.recovery.rtt().smoothed());
            if let Some(taken) = self.transfers.handle_data(&mut cx, &data) {
                return Ok(Handled {
                    ack_eliciting: true,
                    is_probing: false,
                    all: taken? == Taken::Yes,
                });
            }
        }
        let mut handled = Handled {
            ack_eliciting: false,
            is_probing: true,
            all: true,
        };
        let mut count = 0;
        if payload.is_empty() {
            return Err(CloseCode::ProtocolViolation);
        }
        while !payload.is_empty() {
            let frame = Frame::decode(&mut payload).map_err(|_| CloseCode::FrameEncoding)?;
            count += usize::from(frame != Frame::Padding);
            if count > MAX_FRAMES || !is_allowed(level, &frame) {
                return Err(CloseCode::ProtocolViolation);
            }
            handled.ack_eliciting |= frame.is_ack_eliciting();
            handled.is_probing &= frame.is_probing();
            handled.all &= match frame {
                Frame::PathChallenge { data } => self.on_path_challenge(arrival, data),
                frame => self.handle_frame(now, shared, level, &frame)?,
            };
            if !self.state.is_live() {
                break;
            }
        }
        Ok(handled)
    }

    /// Acts on one frame; false when there is no room for what it holds.
    fn handle_frame(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        level: Level,
        frame: &Frame<'_>,
    ) -> Result<bool, CloseCode> {
        match frame {
            Frame::Padding | Frame::Ping => {}
            Frame::Ack(ack) => self.handle_ack(now, shared, level, ack)?,
            Frame::Crypto { offset, data } => {
                let limit = shared.config.limits.crypto_buffer;
                let stream = &mut self.space(level).crypto_in;
                let is_known = stream.is_known(*offset, data.len());
                stream.insert(*offset, data, limit)?;
                self.advance_handshake(now, shared, level)?;
                if is_known {
                    self.hurry_handshake(now);
                }
            }
            Frame::HandshakeDone => {
                if self.direction == Direction::Server {
                    return Err(CloseCode::ProtocolViolation);
                }
                self.on_confirmed(now);
            }
            Frame::NewConnectionId {
                sequence,
                retire_prior_to,
                id,
                token,
            } => {
                let new = Destination {
                    sequence: *sequence,
                    id: *id,
                    token: Some(**token),
                };
                self.destinations.on_new(new, *retire_prior_to)?;
                self.replace_retired_ids();
            }
            Frame::RetireConnectionId { sequence } => self.issued.on_retired(*sequence)?,
            Frame::AckFrequency {
                sequence,
                packets,
                delay,
                reordering,
            } => {
                let asked = AckFrequency {
                    packets: *packets,
                    delay: Duration::from_micros(*delay),
                    reordering: *reordering,
                };
                self.on_ack_frequency(*sequence, asked);
            }
            Frame::RateLimit { sequence, rate } => self.on_rate_limit(now, *sequence, *rate),
            Frame::PathResponse { data } => self.on_path_response(now, shared, *data),
            Frame::Close { code, .. } => self.end(now, shared, CloseCause::Peer(*code)),
            transfer => {
                let mut cx = shared.context(now, self.recovery.rtt().smoothed());
                return Ok(self.transfers.handle_frame(&mut cx, transfer)? == Taken::Yes);
            }
        }
        Ok(true)
    }

    fn handle_ack(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        level: Level,
        ack: &Ack<'_>,
    ) -> Result<(), CloseCode> {
        let (recovery, mut owners) = self.owners();
        let mut cx = shared.context(now, recovery.rtt().smoothed());
        let outcome = recovery
            .on_ack(now, level, ack, &mut |fate, frame| {
                owners.settle(&mut cx, fate, frame);
            })
            .map_err(|_| CloseCode::ProtocolViolation)?;
        owners.finish(&mut cx);
        if level == Level::Data
            && let Some(largest) = outcome.largest_acked
        {
            self.keys.on_acked(largest);
            self.adapt_ack_frequency(now);
        }
        self.heed_path_mtu(now);
        Ok(())
    }

    /// Time passed: packets may be lost, or a probe is due.
    pub(super) fn handle_recovery_timeout(&mut self, now: Instant, shared: &mut Shared) {
        let (recovery, mut owners) = self.owners();
        let mut cx = shared.context(now, recovery.rtt().smoothed());
        let probe = loop {
            let outcome = recovery.on_timeout(now, &mut |fate, frame| {
                owners.settle(&mut cx, fate, frame);
            });
            owners.finish(&mut cx);
            match outcome {
                OnTimeout::None => break None,
                OnTimeout::LossDetected => {}
                OnTimeout::Probe(level) => break Some(level),
            }
        };
        // A probe may fall due together with losses that show a black hole.
        self.heed_path_mtu(now);
        if let Some(level) = probe {
            self.probe(now, shared, level);
        }
    }

    /// Sends up to two packets that must be acknowledged, with the oldest unacknowledged data (RFC 9002 §6.2.4).
    pub(super) fn probe(&mut self, now: Instant, shared: &mut Shared, level: Level) {
        let (recovery, mut owners) = self.owners();
        owners.spaces[level as usize].probes = 2;
        if level == Level::Data {
            let mut cx = shared.context(now, recovery.rtt().smoothed());
            recovery.oldest(level, 2, &mut |frame| {
                owners.settle(&mut cx, Fate::Lost, frame);
            });
            owners.finish(&mut cx);
        } else {
            owners.spaces[level as usize].crypto_out.resend_all();
        }
    }

    /// Owes the answer to a challenge, which goes to where it came from.
    fn on_path_challenge(&mut self, arrival: &Arrival, data: [u8; 8]) -> bool {
        if self.challenges.len() >= CHALLENGES_MAX {
            self.challenges.pop_front();
        }
        self.challenges.push_back((arrival.source, data));
        true
    }

    fn owners(&mut self) -> (&mut Recovery<SentFrame>, Owners<'_>) {
        let owners = Owners {
            transfers: &mut self.transfers,
            spaces: &mut self.spaces,
            handshake_done_pending: &mut self.handshake_done_pending,
            issued: &mut self.issued,
            destinations: &mut self.destinations,
            mtu: &mut self.mtu,
            frequency: &mut self.frequency,
            limit: &mut self.limit,
            acked: None,
        };
        (&mut self.recovery, owners)
    }
}

/// Those who want to know what became of the frames that they sent.
struct Owners<'a> {
    transfers: &'a mut Transfers,
    spaces: &'a mut [Space; 3],
    handshake_done_pending: &'a mut bool,
    issued: &'a mut Issued,
    destinations: &'a mut Destinations,
    mtu: &'a mut Mtu,
    frequency: &'a mut Frequency,
    limit: &'a mut Limit,
    /// DATA that has arrived and of which its transfer was not told yet: what follows in the file mostly has, too.
    acked: Option<(Key, Item)>,
}

impl Owners<'_> {
    /// All that was to be told is told.
    fn finish(&mut self, cx: &mut Context<'_>) {
        self.tell_acked(cx);
        self.transfers.settle(cx);
    }

    fn tell_acked(&mut self, cx: &mut Context<'_>) {
        if let Some((key, item)) = self.acked.take() {
            self.transfers.handle_acked(cx, key, item);
        }
    }

    /// Hears what became of a frame; of DATA that has arrived, once it is known how far it goes on.
    #[inline]
    fn settle(&mut self, cx: &mut Context<'_>, fate: Fate, frame: SentFrame) {
        if let SentFrame::Transfer { key, item } = frame
            && fate == Fate::Acked
            && let Some(last) = &mut self.acked
            && last.0 == key
            && last.1.append(item)
        {
            return;
        }
        self.settle_other(cx, fate, frame);
    }

    fn settle_other(&mut self, cx: &mut Context<'_>, fate: Fate, frame: SentFrame) {
        self.tell_acked(cx);
        match (frame, fate) {
            (
                SentFrame::Transfer {
                    key,
                    item: item @ Item::Data { .. },
                },
                Fate::Acked,
            ) => self.acked = Some((key, item)),
            _ => self.settle_alone(cx, fate, frame),
        }
    }

    fn settle_alone(&mut self, cx: &mut Context<'_>, fate: Fate, frame: SentFrame) {
        match (frame, fate) {
            // Bytes that came after all need not be sent again. Another frame may have been made anew from a later state:
            // that an old one came says nothing of it.
            (
                SentFrame::Transfer {
                    key,
                    item: item @ (Item::Data { .. } | Item::Page { .. }),
                },
                Fate::Late,
            ) => self.transfers.handle_acked(cx, key, item),
            (SentFrame::Transfer { .. }, Fate::Late) => {}
            (SentFrame::Ack { level, largest }, Fate::Acked | Fate::Late) => {
                self.spaces[level as usize].received.on_ack_acked(largest);
            }
            (SentFrame::Ack { .. } | SentFrame::Ping | SentFrame::Path, _)
            | (
                SentFrame::HandshakeDone
                | SentFrame::NewId { .. }
                | SentFrame::RetireId { .. }
                | SentFrame::AckFrequency { .. }
                | SentFrame::RateLimit { .. },
                Fate::Acked | Fate::Late,
            ) => {}
            (SentFrame::MtuProbe(id), Fate::Acked | Fate::Late) => self.mtu.on_acked(cx.now, id),
            (SentFrame::MtuProbe(id), Fate::Lost) => self.mtu.on_lost(cx.now, id),
            (SentFrame::AckFrequency { sequence }, Fate::Lost) => self.frequency.on_lost(sequence),
            (SentFrame::RateLimit { sequence }, Fate::Lost) => self.limit.on_lost(sequence),
            (SentFrame::HandshakeDone, Fate::Lost) => *self.handshake_done_pending = true,
            (SentFrame::NewId { sequence }, Fate::Lost) => self.issued.set_owed(sequence, true),
            (SentFrame::RetireId { sequence }, Fate::Lost) => {
                self.destinations.owe_retirement(sequence);
            }
            (SentFrame::Crypto { level, offset, len }, Fate::Acked | Fate::Late) => {
                let crypto = &mut self.spaces[level as usize].crypto_out;
                crypto.on_acked(u64::from(offset), u64::from(len));
            }
            (SentFrame::Crypto { level, offset, len }, Fate::Lost) => {
                let crypto = &mut self.spaces[level as usize].crypto_out;
                crypto.on_lost(u64::from(offset), u64::from(len));
            }
            (SentFrame::Transfer { key, item }, Fate::Acked) => {
                self.transfers.handle_acked(cx, key, item);
            }
            (SentFrame::Transfer { key, item }, Fate::Lost) => {
                self.transfers.handle_lost(cx, key, item);
            }
        }
    }
}

/// Which frames a packet may hold: during the handshake only what the handshake needs.
fn is_allowed(level: Level, frame: &Frame<'_>) -> bool {
    match frame {
        Frame::Padding | Frame::Ping | Frame::Ack(_) | Frame::Close { .. } => true,
        Frame::Crypto { .. } => level != Level::Data,
        _ => level == Level::Data,
    }
}
