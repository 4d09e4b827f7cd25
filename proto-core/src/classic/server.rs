//! What a server makes of a client's messages (`docs/CLASSIC.md`, K3).

use super::exchange::{Exchange, Phase, Work};
use super::message::Message;
use super::rtt::TIMEOUT_MIN;
use crate::endpoint::Shared;
use crate::time::Instant;
use crate::wire::RequestKind;

/// What becomes of a request while an exchange is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Again {
    /// It belongs to the exchange, or is late: nothing new begins.
    Old,
    /// It takes the exchange's place.
    New,
}

impl Exchange {
    /// A request from the address that has this exchange.
    pub(super) fn on_request(&mut self, now: Instant, message: &Message<'_>) -> Again {
        let kind = match message {
            Message::UploadRequest { .. } => RequestKind::Put,
            Message::DownloadRequest { .. } => RequestKind::Get,
            _ => RequestKind::List,
        };
        let same = kind == self.kind && message.name() == self.name.as_bytes();
        match self.phase {
            Phase::Over => Again::New,
            Phase::Deciding | Phase::Preparing if same => Again::Old,
            Phase::Asking if same => {
                self.hear(now);
                self.repeat_unless_doubled(now);
                Again::Old
            }
            // A late duplicate of a stored upload's request must not make its last piece unknown.
            Phase::Done if !same || kind != RequestKind::Put => Again::New,
            _ => match self.yields_to_request(now) {
                true => Again::New,
                false => Again::Old,
            },
        }
    }

    /// Answers once more, but not a message that the network has doubled: clients wait for at least 20 ms.
    fn repeat_unless_doubled(&mut self, now: Instant) {
        if now.since(self.sent_at) >= TIMEOUT_MIN {
            self.repeat();
        }
    }

    /// A client's message that is no request. False when it does not fit.
    pub(super) fn handle_as_server(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        message: &Message<'_>,
    ) -> bool {
        if !self.fits_name(message) {
            return false;
        }
        match *message {
            Message::UploadPiece { seq, data, end, .. } => {
                self.on_upload_piece(now, seq, data, end)
            }
            Message::DownloadWanted { ack, .. } => self.on_download_wanted(now, shared, ack),
            Message::DownloadEnd { .. } => {
                let ended = self.has_sent_end();
                if ended {
                    self.sent_whole(now, shared);
                }
                ended
            }
            _ => false,
        }
    }

    fn on_upload_piece(&mut self, now: Instant, seq: u32, data: &[u8], end: bool) -> bool {
        let Work::Sink(sink) = &mut self.work else {
            return false;
        };
        match self.phase {
            Phase::Asking | Phase::Moving if seq == sink.have() && sink.is_open() => {
                sink.take(data, end);
                self.phase = Phase::Moving;
                self.hear(now);
                self.answered(now);
                if end {
                    self.phase = Phase::Storing;
                }
                self.go_on(now);
                true
            }
            // Stale: the timer asks again.
            Phase::Asking | Phase::Moving => {
                self.hear(now);
                false
            }
            Phase::Done if end && sink.last() == Some((seq, data.len() as u32)) => {
                self.hear(now);
                self.repeat();
                true
            }
            _ => false,
        }
    }

    fn on_download_wanted(&mut self, now: Instant, shared: &mut Shared, ack: u32) -> bool {
        let ended = self.has_sent_end();
        let Work::Source(source) = &mut self.work else {
            return false;
        };
        match self.phase {
            Phase::Asking | Phase::Moving => {
                if ended && ack == source.size() {
                    // A client that sends 9 for 10. One that has lost the end piece asks again.
                    self.sent_whole(now, shared);
                    return true;
                }
                if source.piece().is_some_and(|piece| piece.seq == ack) {
                    self.hear(now);
                    self.repeat_unless_doubled(now);
                    return true;
                }
                if !source.want(ack) {
                    return false;
                }
                self.phase = Phase::Moving;
                self.hear(now);
                self.answered(now);
                self.go_on(now);
                true
            }
            Phase::Done => {
                let end = source.piece().map(|piece| piece.seq);
                let asked = ack == source.size() || end == Some(ack);
                if asked {
                    self.repeat();
                }
                asked
            }
            _ => false,
        }
    }

    /// Whether the piece that was sent last is the file's end.
    fn has_sent_end(&self) -> bool {
        match &self.work {
            Work::Source(source) if matches!(self.phase, Phase::Moving) => {
                self.was_sent() && source.piece().is_some_and(|piece| piece.end)
            }
            _ => false,
        }
    }
}
