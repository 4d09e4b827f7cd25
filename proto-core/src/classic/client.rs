//! What a client makes of a server's messages (`docs/CLASSIC.md`, K4).

use super::exchange::{Exchange, Phase, Work};
use super::message::Message;
use super::names;
use crate::endpoint::Shared;
use crate::event::Failure;
use crate::time::Instant;
use crate::wire::ErrorCode;

impl Exchange {
    /// A message from the server that was asked. False when it does not fit.
    pub(super) fn handle_as_client(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        message: &Message<'_>,
    ) -> bool {
        if !self.fits_name(message) {
            return false;
        }
        match *message {
            Message::List { names } => self.on_list(now, names),
            Message::UploadAgreed { ack, .. } => self.on_upload_agreed(now, shared, ack),
            Message::UploadEnd { .. } => self.on_upload_end(now, shared),
            Message::DownloadAgreed { .. } => self.on_download_agreed(now),
            Message::DownloadPiece { seq, data, end, .. } => {
                self.on_download_piece(now, seq, data, end)
            }
            _ => false,
        }
    }

    fn on_list(&mut self, now: Instant, names: &[u8]) -> bool {
        let asked = self.phase == Phase::Asking && matches!(self.work, Work::Entries(_));
        if asked {
            self.hear(now);
            self.listed(now, names::entries_of(names));
        }
        asked
    }

    fn on_download_agreed(&mut self, now: Instant) -> bool {
        let asked = self.phase == Phase::Asking && matches!(self.work, Work::Sink(_));
        if asked {
            self.hear(now);
            self.accepted();
            self.answered(now);
            self.phase = Phase::Moving;
            self.go_on(now);
        }
        asked
    }

    fn on_download_piece(&mut self, now: Instant, seq: u32, data: &[u8], end: bool) -> bool {
        let awaiting = self.is_awaiting();
        let Work::Sink(sink) = &mut self.work else {
            return false;
        };
        match self.phase {
            Phase::Moving if awaiting && seq == sink.have() && sink.is_open() => {
                sink.take(data, end);
                self.hear(now);
                self.answered(now);
                if end {
                    self.phase = Phase::Storing;
                }
                self.go_on(now);
                true
            }
            Phase::Done if end && sink.last() == Some((seq, data.len() as u32)) => {
                self.repeat();
                true
            }
            _ => false,
        }
    }

    fn on_upload_agreed(&mut self, now: Instant, shared: &mut Shared, ack: u32) -> bool {
        let awaiting = self.is_awaiting();
        let Work::Source(source) = &mut self.work else {
            return false;
        };
        match self.phase {
            Phase::Asking if ack == 0 => {
                source.want(0);
                self.hear(now);
                self.accepted();
                self.answered(now);
                self.phase = Phase::Moving;
                self.go_on(now);
                true
            }
            Phase::Moving => {
                // While the next piece is read, what comes can only be late.
                let Some((next, end)) = source.piece().map(|piece| (piece.next(), piece.end))
                else {
                    return false;
                };
                if ack > next {
                    // A server that counts a repeated piece twice.
                    self.fail(now, shared, Failure::Peer(ErrorCode::Integrity));
                } else if ack == next && awaiting && !end {
                    source.want(ack);
                    self.hear(now);
                    self.answered(now);
                    self.go_on(now);
                }
                ack >= next
            }
            _ => false,
        }
    }

    fn on_upload_end(&mut self, now: Instant, shared: &mut Shared) -> bool {
        let ended = match &self.work {
            Work::Source(source) => {
                self.phase == Phase::Moving
                    && self.was_sent()
                    && source.piece().is_some_and(|piece| piece.end)
            }
            _ => false,
        };
        if ended {
            self.hear(now);
            self.sent_whole(now, shared);
        }
        ended
    }
}
