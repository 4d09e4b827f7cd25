//! One exchange with one peer: a list, an upload or a download, from the first message to the last one that may be repeated.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::listing::Listing;
use super::message::{Message, PIECE_LEN};
use super::rtt::{Rtt, TIMEOUT, TRIES};
use super::sink::Sink;
use super::source::Source;
use crate::endpoint::Shared;
use crate::event::{Event, Failure, FileInfo, Finished, LimitedBy, TransferStats};
use crate::file::{Block, FileError, Operation, Outcome, Use};
use crate::id::TransferId;
use crate::time::{Duration, Instant};
use crate::transfer::{Overwrite, Requested};
use crate::wire::{Durability, ErrorCode, FilePath, RequestKind, StoredAs};

/// A server gives a peer up that says nothing for so long: ten of the original's time-outs.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(20);

/// Repeats that a server sends for one message received at most: addresses can be forged.
pub(super) const REPEATS_MAX: u32 = 2;

/// What an end does in an exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Client,
    Server,
}

/// Where an exchange stands.
///
/// | phase | is due to the peer | goes on when |
/// |---|---|---|
/// | `Deciding` (server) | – | the application has decided |
/// | `Preparing` | – | file or directory is open, or could be made |
/// | `Asking` | client: the request; server: its agreement | the peer has answered |
/// | `Moving` | the next piece, or the offset of the next piece | the last piece was taken |
/// | `Storing` | – | the file stands under its name |
/// | `Done` | what answers a repeated last message | its time is over |
/// | `Over` | – | the disk is done and the application was told |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    Deciding,
    Preparing,
    Asking,
    Moving,
    Storing,
    Done,
    Over,
}

/// What is done at this end.
#[derive(Debug)]
pub(super) enum Work {
    /// A server's application has not decided.
    Nothing,
    /// A client's list: encoded entries.
    Entries(Vec<u8>),
    /// A server's list.
    Listing(Box<Listing>),
    Sink(Box<Sink>),
    Source(Box<Source>),
}

/// What the application is still to be told. Each is a flag or a value, so that nothing piles up.
#[derive(Debug, Default)]
struct Pending {
    requested: bool,
    accepted: bool,
    entry: Option<FileInfo>,
    listing: bool,
    progress: bool,
    finished: bool,
}

/// One exchange with one peer.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) side: Side,
    pub(super) kind: RequestKind,
    pub(super) remote: SocketAddr,
    pub(super) local: Option<IpAddr>,
    /// The file's name; empty for a list.
    pub(super) name: FilePath,
    pub(super) work: Work,
    pub(super) phase: Phase,
    /// A message is due.
    send: bool,
    /// Something came that the next message answers, once the disk has done its part.
    owed: bool,
    /// The last message has found no answer yet.
    awaiting: bool,
    pub(super) sent_at: Instant,
    /// How often the last message was sent.
    tries: u32,
    /// A server's repeats that are left.
    repeats: u32,
    /// When the peer last said something that fits.
    pub(super) heard_at: Instant,
    heard: bool,
    pub(super) rtt: Rtt,
    /// When a request came that does not fit, with nothing that fits since.
    reasked_at: Option<Instant>,
    until: Instant,
    begun: Instant,
    resent: u64,
    pending: Pending,
    result: Option<Result<Finished, Failure>>,
    elapsed: Duration,
}

impl Exchange {
    pub(super) fn new(
        now: Instant,
        side: Side,
        kind: RequestKind,
        remote: SocketAddr,
        local: Option<IpAddr>,
        name: FilePath,
    ) -> Self {
        let server = side == Side::Server;
        Self {
            side,
            kind,
            remote,
            local,
            name,
            work: Work::Nothing,
            phase: if server {
                Phase::Deciding
            } else {
                Phase::Preparing
            },
            send: false,
            owed: false,
            awaiting: false,
            sent_at: now,
            tries: 0,
            repeats: REPEATS_MAX,
            heard_at: now,
            heard: server,
            rtt: Rtt::default(),
            reasked_at: None,
            until: now,
            begun: now,
            resent: 0,
            pending: Pending {
                requested: server,
                ..Pending::default()
            },
            result: None,
            elapsed: Duration::ZERO,
        }
    }

    /// Whether the message is about this exchange's file: many leave the name out.
    pub(super) fn fits_name(&self, message: &Message<'_>) -> bool {
        let name = message.name();
        name.is_empty() || name == self.name.as_bytes()
    }

    /// The peer has said something that fits.
    pub(super) fn hear(&mut self, now: Instant) {
        self.heard = true;
        self.heard_at = now;
        self.repeats = REPEATS_MAX;
        self.reasked_at = None;
    }

    /// The last message has found its answer.
    pub(super) fn answered(&mut self, now: Instant) {
        if core::mem::take(&mut self.awaiting) {
            let is_start = self.phase == Phase::Moving;
            self.rtt
                .answered(now.since(self.sent_at), self.tries, is_start);
        }
        self.pending.progress |= self.phase == Phase::Moving;
        // A repeat that has not gone out yet is of no use any more.
        self.send = false;
        self.owed = true;
    }

    /// A new message is due.
    pub(super) fn say(&mut self) {
        self.owed = false;
        self.send = true;
        self.tries = 0;
    }

    /// The last message is due once more.
    pub(super) fn repeat(&mut self) {
        self.send = true;
    }

    /// Whether the message that is due now was sent already.
    pub(super) fn was_sent(&self) -> bool {
        self.tries > 0
    }

    /// Whether the last message has found no answer yet.
    pub(super) fn is_awaiting(&self) -> bool {
        self.awaiting
    }

    /// The peer agrees.
    pub(super) fn accepted(&mut self) {
        self.pending.accepted = true;
    }

    /// The peer's list.
    pub(super) fn listed(&mut self, now: Instant, entries: Vec<u8>) {
        self.work = Work::Entries(entries);
        self.pending.listing = true;
        self.finish(now, Ok(Finished::Answered));
        self.phase = Phase::Over;
    }

    /// A request came that is not this exchange's. Whether it takes its place: when it came twice, a time-out apart, with
    /// nothing else in between. A late duplicate does not (K3).
    pub(super) fn yields_to_request(&mut self, now: Instant) -> bool {
        /// A little less than the time-out: messages take different times.
        const APART: Duration = Duration::from_millis(1_500);
        match (self.phase, self.reasked_at) {
            (Phase::Storing, _) => false,
            (_, Some(before)) => now.since(before) >= APART,
            (_, None) => {
                if now.since(self.heard_at) >= APART {
                    self.reasked_at = Some(now);
                }
                false
            }
        }
    }

    /// The message that is due or was sent last.
    fn message(&self) -> Option<Message<'_>> {
        let name = self.name.as_bytes();
        let client = self.side == Side::Client;
        Some(match (self.phase, &self.work) {
            (Phase::Asking, Work::Entries(_)) => Message::ListRequest,
            (Phase::Asking, Work::Sink(_)) if client => Message::DownloadRequest { name },
            (Phase::Asking, Work::Source(_)) if client => Message::UploadRequest { name },
            (Phase::Asking, Work::Source(_)) => Message::DownloadAgreed { name },
            (Phase::Moving, Work::Sink(sink)) if client => Message::DownloadWanted {
                name,
                ack: sink.have(),
            },
            (Phase::Asking | Phase::Moving, Work::Sink(sink)) => Message::UploadAgreed {
                name,
                ack: sink.have(),
            },
            (Phase::Moving | Phase::Done, Work::Source(source)) => {
                let piece = source.piece()?;
                let (seq, data, end) = (piece.seq, piece.data(), piece.end);
                if client {
                    Message::UploadPiece {
                        name,
                        seq,
                        data,
                        end,
                    }
                } else {
                    Message::DownloadPiece {
                        name,
                        seq,
                        data,
                        end,
                    }
                }
            }
            (Phase::Done, Work::Sink(_)) if client => Message::DownloadEnd { name },
            (Phase::Done, Work::Sink(_)) => Message::UploadEnd { name },
            (Phase::Done, Work::Listing(listing)) => Message::List {
                names: listing.names(),
            },
            _ => return None,
        })
    }

    /// Whether [`transmit`](Self::transmit) has something.
    pub(super) fn wants_transmit(&self) -> bool {
        self.send && self.message().is_some()
    }

    /// Writes the message that is due.
    pub(super) fn transmit(&mut self, now: Instant, out: &mut [u8; super::MESSAGE_LEN]) -> bool {
        let Some(message) = self.message().filter(|_| self.send) else {
            return false;
        };
        message.encode(out);
        self.send = false;
        self.tries = self.tries.saturating_add(1);
        if self.tries > 1 && self.phase == Phase::Moving {
            self.resent += match &self.work {
                Work::Source(source) => source.piece().map_or(0, |piece| piece.data().len() as u64),
                // Asked for again.
                _ => PIECE_LEN as u64,
            };
        }
        self.sent_at = now;
        self.awaiting = matches!(self.phase, Phase::Asking | Phase::Moving);
        true
    }

    /// Whether [`poll_op`](Self::poll_op) has something.
    pub(super) fn has_op(&self) -> bool {
        match &self.work {
            Work::Nothing | Work::Entries(_) => false,
            Work::Listing(listing) => listing.has_op(),
            Work::Sink(sink) => sink.has_op(),
            Work::Source(source) => source.has_op(),
        }
    }

    /// The next operation to lend.
    pub(super) fn poll_op(&mut self, now: Instant, shared: &mut Shared) -> Option<Operation> {
        let op = match &mut self.work {
            Work::Nothing | Work::Entries(_) => Ok(None),
            Work::Listing(listing) => Ok(listing.poll_op()),
            Work::Sink(sink) => Ok(sink.poll_op(shared, now)),
            Work::Source(source) => source.poll_op(shared, now),
        };
        op.unwrap_or_else(|code| {
            self.fail(now, shared, Failure::Here(code));
            None
        })
    }

    /// An operation came home.
    pub(super) fn handle_file_done(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        block: Option<Block>,
        result: Result<Outcome, FileError>,
    ) {
        let done = match &mut self.work {
            Work::Nothing | Work::Entries(_) => Ok(()),
            Work::Listing(listing) => listing.handle_done(result),
            Work::Sink(sink) => sink.handle_done(shared, block, result),
            Work::Source(source) => source.handle_done(shared, block, result),
        };
        match done {
            Ok(()) => self.go_on(now),
            Err(code) => self.fail(now, shared, Failure::Here(code)),
        }
    }

    /// Goes as far as the disk's work lets it.
    pub(super) fn go_on(&mut self, now: Instant) {
        match (self.phase, &self.work) {
            (Phase::Preparing, Work::Listing(listing)) if listing.is_whole() => {
                self.phase = Phase::Done;
                self.until = now;
                self.finish(now, Ok(Finished::Answered));
                self.say();
            }
            (Phase::Preparing, Work::Sink(sink)) if sink.is_open() => self.ask(),
            (Phase::Preparing, Work::Source(source)) => {
                if let Some(meta) = source.meta() {
                    self.pending.entry = Some(FileInfo {
                        kind: meta.kind,
                        size: meta.size,
                        mtime: meta.mtime,
                        mode: meta.mode,
                    });
                    self.ask();
                }
            }
            (Phase::Moving, Work::Sink(sink)) if self.owed && sink.is_open() => self.say(),
            (Phase::Moving, Work::Source(source)) if self.owed && source.piece().is_some() => {
                self.say();
            }
            (Phase::Storing, Work::Sink(sink)) if sink.is_stored() => {
                let stored = Finished::Stored {
                    root: Some(sink.hash()),
                    size: sink.have().into(),
                    how: StoredAs::Written,
                    durability: sink.durability(),
                };
                self.end(now, Ok(stored));
                self.say();
            }
            _ => {}
        }
    }

    /// Whether the application has not decided.
    pub(super) fn is_undecided(&self) -> bool {
        self.phase == Phase::Deciding
    }

    /// The application has granted it.
    pub(super) fn prepare(&mut self, work: Work) {
        self.work = work;
        self.phase = Phase::Preparing;
    }

    /// Whether it only remembers its end.
    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Its end need not be remembered any more.
    pub(super) fn lapse(&mut self) {
        if self.phase == Phase::Done {
            self.phase = Phase::Over;
        }
    }

    /// The first message is due.
    pub(super) fn ask(&mut self) {
        self.phase = Phase::Asking;
        self.say();
    }

    /// All of the file has gone out and the peer has it.
    pub(super) fn sent_whole(&mut self, now: Instant, shared: &mut Shared) {
        if let Work::Source(source) = &mut self.work {
            let stored = Finished::Stored {
                root: Some(source.hash()).filter(|_| source.is_hashed()),
                size: source.size().into(),
                how: StoredAs::Written,
                // The dialect has no word for it.
                durability: Durability::None,
            };
            source.close(shared);
            self.end(now, Ok(stored));
        }
    }

    /// The exchange has come to its end and stays for repeated messages.
    fn end(&mut self, now: Instant, result: Result<Finished, Failure>) {
        /// An upload is remembered for longer than its client tries.
        const UPLOAD: Duration = Duration::from_secs(30);
        const DOWNLOAD: Duration = Duration::from_secs(20);
        self.awaiting = false;
        self.send = false;
        self.until = now
            + if self.kind == RequestKind::Put {
                UPLOAD
            } else {
                DOWNLOAD
            };
        // Nobody asks the client of an upload again.
        let lingers = self.side == Side::Server || self.kind == RequestKind::Get;
        self.phase = if lingers { Phase::Done } else { Phase::Over };
        self.finish(now, result);
    }

    fn finish(&mut self, now: Instant, result: Result<Finished, Failure>) {
        self.result = Some(result);
        self.elapsed = now.since(self.begun);
        self.pending.finished = true;
    }

    /// The exchange comes to nothing, unless the file is being given its name.
    pub(super) fn fail(&mut self, now: Instant, shared: &mut Shared, failure: Failure) {
        if matches!(self.phase, Phase::Done | Phase::Over) {
            return;
        }
        let aborted = match &mut self.work {
            Work::Nothing | Work::Entries(_) => true,
            Work::Listing(listing) => {
                listing.close();
                true
            }
            Work::Sink(sink) => sink.abort(shared),
            Work::Source(source) => {
                source.close(shared);
                true
            }
        };
        if !aborted {
            return;
        }
        self.phase = Phase::Over;
        self.send = false;
        self.awaiting = false;
        self.finish(now, Err(failure));
    }

    /// The application refuses; it needs no event for that. The peer hears nothing: the dialect has no word for it.
    pub(super) fn refuse(&mut self, now: Instant, shared: &mut Shared) {
        self.fail(now, shared, Failure::Refused(ErrorCode::Denied));
        self.pending = Pending::default();
    }

    /// When time is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let waits = self.awaiting && !self.send;
        match (self.phase, self.side) {
            (Phase::Over | Phase::Storing, _) => None,
            (Phase::Done, _) => Some(self.until).filter(|_| !self.send),
            (_, Side::Client) => waits.then(|| self.sent_at + self.rtt.timeout(self.tries)),
            (_, Side::Server) => {
                let repeat = (waits && self.repeats > 0).then(|| self.sent_at + TIMEOUT);
                let silence = self.heard_at + SILENCE_MAX;
                Some(repeat.map_or(silence, |repeat| repeat.min(silence)))
            }
        }
    }

    /// Time has come to `now`.
    pub(super) fn handle_timeout(&mut self, now: Instant, shared: &mut Shared) {
        if self.deadline().is_none_or(|at| at > now) {
            return;
        }
        match (self.phase, self.side) {
            (Phase::Done, _) => self.phase = Phase::Over,
            (_, Side::Client) if self.tries >= TRIES => {
                let failure = match self.heard {
                    true => Failure::SessionLost,
                    false => Failure::NoAnswer,
                };
                self.fail(now, shared, failure);
            }
            (_, Side::Client) => self.repeat(),
            (_, Side::Server) if now >= self.heard_at + SILENCE_MAX => {
                self.fail(now, shared, Failure::SessionLost);
            }
            (_, Side::Server) => {
                self.repeats -= 1;
                self.repeat();
            }
        }
    }

    /// Whether there is an event to be told.
    pub(super) fn has_event(&self) -> bool {
        let p = &self.pending;
        p.requested || p.accepted || p.entry.is_some() || p.listing || p.progress || p.finished
    }

    /// The next event.
    pub(super) fn poll_event(&mut self, transfer: TransferId) -> Option<Event> {
        let pending = &mut self.pending;
        if core::mem::take(&mut pending.requested) {
            return Some(Event::ClassicRequested {
                transfer,
                address: self.remote,
                request: Requested {
                    kind: self.kind,
                    path: self.name.clone(),
                    to: FilePath::root(),
                    size: 0,
                    overwrite: Overwrite::Replace,
                    durability: Durability::Full,
                    tree: false,
                },
            });
        }
        if core::mem::take(&mut pending.accepted) {
            return Some(Event::Accepted { transfer });
        }
        if let Some(file) = pending.entry.take() {
            return Some(Event::Entry { transfer, file });
        }
        if core::mem::take(&mut pending.listing)
            && let Work::Entries(entries) = &mut self.work
        {
            let entries = core::mem::take(entries);
            return Some(Event::Listing { transfer, entries });
        }
        if core::mem::take(&mut pending.progress) && !pending.finished {
            let (bytes, size) = self.progress();
            return Some(Event::Progress {
                transfer,
                bytes,
                had: 0,
                whole: 0,
                size,
                resent: self.resent,
                files: 1,
                // Stop and wait: a round trip a message.
                limited_by: LimitedBy::Network,
            });
        }
        if core::mem::take(&mut self.pending.finished)
            && let Some(result) = self.result
        {
            let (bytes, resent, elapsed) = (self.progress().0, self.resent, self.elapsed);
            let stats = TransferStats {
                bytes,
                resent,
                elapsed,
            };
            return Some(Event::Finished {
                transfer,
                result,
                stats,
            });
        }
        None
    }

    /// Bytes that are at the sink for sure, and of the whole, as far as that is known.
    fn progress(&self) -> (u64, u64) {
        match &self.work {
            Work::Sink(sink) => (sink.have().into(), sink.have().into()),
            Work::Source(source) if matches!(self.result, Some(Ok(_))) => {
                (source.size().into(), source.size().into())
            }
            Work::Source(source) => {
                let seq = source.piece().map_or(0, |piece| piece.seq);
                (seq.into(), source.size().into())
            }
            _ => (0, 0),
        }
    }

    /// Whether nothing is left of it.
    pub(super) fn is_over(&self) -> bool {
        let work = match &self.work {
            Work::Nothing | Work::Entries(_) => true,
            Work::Listing(listing) => listing.is_over(),
            Work::Sink(sink) => sink.is_over(),
            Work::Source(source) => source.is_over(),
        };
        self.phase == Phase::Over && work && !self.has_event()
    }

    /// Blocks held here, and promised.
    pub(super) fn blocks(&self, what: Use) -> (u32, u32) {
        match (&self.work, what) {
            (Work::Sink(sink), Use::Sink) => sink.blocks(),
            (Work::Source(source), Use::Source) => source.blocks(),
            _ => (0, 0),
        }
    }
}
