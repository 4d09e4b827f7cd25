//! Acting on the frames of an opened packet.

use super::packet_writer::{MAX_FRAMES, SentFrame};
use super::{Peer, Space};
use crate::crypto::{Direction, Level};
use crate::endpoint::Shared;
use crate::event::CloseCause;
use crate::recovery::{Fate, OnTimeout};
use crate::time::Instant;
use crate::transfer::{Context, Taken, Transfers};
use crate::wire::{Ack, CloseCode, Frame};

/// What became of a packet's frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handled {
    pub(super) ack_eliciting: bool,
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
    ) -> Result<Handled, CloseCode> {
        let mut handled = Handled {
            ack_eliciting: false,
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
            handled.all &= self.handle_frame(now, shared, level, &frame)?;
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
                self.space(level).crypto_in.insert(*offset, data, limit)?;
                self.advance_handshake(now, shared, level)?;
            }
            Frame::HandshakeDone => {
                if self.direction == Direction::Server {
                    return Err(CloseCode::ProtocolViolation);
                }
                self.on_confirmed(now);
            }
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
        let Self {
            recovery,
            transfers,
            spaces,
            handshake_done_pending,
            ..
        } = self;
        let mut cx = shared.context(now, recovery.rtt().smoothed());
        let outcome = recovery
            .on_ack(now, level, ack, &mut |fate, frame| {
                settle(
                    &mut cx,
                    transfers,
                    spaces,
                    handshake_done_pending,
                    fate,
                    frame,
                );
            })
            .map_err(|_| CloseCode::ProtocolViolation)?;
        if level == Level::Data
            && let Some(largest) = outcome.largest_acked
        {
            self.keys.on_acked(largest);
        }
        Ok(())
    }

    /// Time passed: packets may be lost, or a probe is due.
    pub(super) fn handle_recovery_timeout(&mut self, now: Instant, shared: &mut Shared) {
        let Self {
            recovery,
            transfers,
            spaces,
            handshake_done_pending,
            ..
        } = self;
        let mut cx = shared.context(now, recovery.rtt().smoothed());
        loop {
            let outcome = recovery.on_timeout(now, &mut |fate, frame| {
                settle(
                    &mut cx,
                    transfers,
                    spaces,
                    handshake_done_pending,
                    fate,
                    frame,
                );
            });
            match outcome {
                OnTimeout::None => return,
                OnTimeout::LossDetected => {}
                OnTimeout::Probe(level) => return self.probe(now, shared, level),
            }
        }
    }

    /// Sends up to two packets that must be acknowledged, with the oldest unacknowledged data (RFC 9002 §6.2.4).
    pub(super) fn probe(&mut self, now: Instant, shared: &mut Shared, level: Level) {
        let Self {
            recovery,
            transfers,
            spaces,
            handshake_done_pending,
            ..
        } = self;
        spaces[level as usize].probes = 2;
        if level == Level::Data {
            let mut cx = shared.context(now, recovery.rtt().smoothed());
            recovery.oldest(level, 2, &mut |frame| {
                settle(
                    &mut cx,
                    transfers,
                    spaces,
                    handshake_done_pending,
                    Fate::Lost,
                    frame,
                );
            });
        } else {
            spaces[level as usize].crypto_out.resend_all();
        }
    }
}

/// Tells the owner of a sent frame what became of it.
fn settle(
    cx: &mut Context<'_>,
    transfers: &mut Transfers,
    spaces: &mut [Space; 3],
    handshake_done_pending: &mut bool,
    fate: Fate,
    frame: SentFrame,
) {
    match (frame, fate) {
        (SentFrame::Ack { level, largest }, Fate::Acked) => {
            spaces[level as usize].received.on_ack_acked(largest);
        }
        (SentFrame::Ack { .. } | SentFrame::Ping, _) | (SentFrame::HandshakeDone, Fate::Acked) => {}
        (SentFrame::HandshakeDone, Fate::Lost) => *handshake_done_pending = true,
        (SentFrame::Crypto { level, offset, len }, Fate::Acked) => {
            spaces[level as usize]
                .crypto_out
                .on_acked(u64::from(offset), u64::from(len));
        }
        (SentFrame::Crypto { level, offset, len }, Fate::Lost) => {
            spaces[level as usize]
                .crypto_out
                .on_lost(u64::from(offset), u64::from(len));
        }
        (SentFrame::Transfer { key, item }, Fate::Acked) => transfers.handle_acked(cx, key, item),
        (SentFrame::Transfer { key, item }, Fate::Lost) => transfers.handle_lost(cx, key, item),
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
