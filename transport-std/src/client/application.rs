//! The client's side of the driver.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use proto_core::crypto::PublicKey;
use proto_core::wire::{CloseCode, ErrorCode};
use proto_core::{
    Admission, CloseCause, Endpoint, Event, Failure, Instant, PeerId, PeerStats, RateLimits,
    Request, StartError, TransferId, TransferStats,
};

use super::Progress;
use super::attempts::{Attempts, NoneLeft};
use super::mailbox::{Ticket, Update};
use crate::driver::Application;

/// How long a closing session may take to send what it owes.
const FAREWELL: Duration = Duration::from_secs(5);

/// A server that goes down, or throws the user out, gives up the jobs first and says why by closing the session, within this
/// time: a round trip of the longest paths, and some losses. CLOSE may be lost, too.
const EXPLANATION: Duration = Duration::from_secs(3);

/// What other threads ask.
#[derive(Debug)]
pub(super) enum Command {
    /// The server's key is right, or not.
    Trust(bool),
    /// Begin a job.
    Start(Ticket, Request),
    /// End the job of this number.
    Cancel(u64),
    /// The listing of this number was read as far as it came.
    GoOn(u64),
    /// Answer with the session's figures.
    Stats(mpsc::Sender<()>),
    /// Send and be sent to no faster.
    Limit(RateLimits),
    /// End the session in good order.
    Close,
}

/// What came of connecting.
pub(super) type Connected = Result<(SocketAddr, PublicKey), NoneLeft>;

/// What the driver's thread leaves where the callers see it.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// Why the session has ended.
    pub(super) cause: OnceLock<CloseCause>,
    /// The server has answered a job: it let this user in.
    admitted: AtomicBool,
    stats: Mutex<Option<PeerStats>>,
}

impl Board {
    pub(super) fn stats(&self) -> Option<PeerStats> {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server has let this user in.
    pub(super) fn was_admitted(&self) -> bool {
        self.admitted.load(Ordering::Relaxed)
    }

    fn note(&self, stats: Option<PeerStats>) {
        if stats.is_some() {
            *self.stats.lock().unwrap_or_else(PoisonError::into_inner) = stats;
        }
    }
}

pub(super) struct ClientApplication {
    state: State,
    report: mpsc::Sender<Connected>,
    board: Arc<Board>,
    jobs: HashMap<TransferId, Ticket>,
    /// Jobs for which the session has no room yet.
    waiting: VecDeque<(Ticket, Request)>,
    /// Jobs that the session's end has ended; they are told once its cause is known.
    lost: Vec<Ticket>,
    /// When the session is over at the latest, because the server has given up a job.
    given_up: Option<Instant>,
}

/// Where the session stands.
enum State {
    /// Addresses are tried.
    Connecting(Attempts),
    /// There is a session. It takes jobs once its server is trusted.
    Open(PeerId),
    /// It says goodbye, until the given time at most.
    Closing(PeerId, Instant),
    /// There is none, any more or at all.
    Over,
}

impl ClientApplication {
    pub(super) fn new(
        attempts: Attempts,
        report: mpsc::Sender<Connected>,
        board: Arc<Board>,
    ) -> Self {
        Self {
            state: State::Connecting(attempts),
            report,
            board,
            jobs: HashMap::new(),
            waiting: VecDeque::new(),
            lost: Vec::new(),
            given_up: None,
        }
    }

    fn peer(&self) -> Option<PeerId> {
        match self.state {
            State::Open(peer) | State::Closing(peer, _) => Some(peer),
            State::Connecting(_) | State::Over => None,
        }
    }

    fn ready(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        peer: PeerId,
        address: SocketAddr,
        key: PublicKey,
    ) {
        if let State::Connecting(attempts) = &mut self.state {
            attempts.won(now, endpoint, peer);
            self.state = State::Open(peer);
            // Nobody waits any more if the caller has panicked.
            let _ = self.report.send(Ok((address, key)));
        } else {
            // It came second.
            let _ = endpoint.close(now, peer, CloseCode::NoError);
        }
    }

    fn start(&mut self, now: Instant, endpoint: &mut Endpoint, ticket: Ticket, request: Request) {
        let State::Open(peer) = self.state else {
            return;
        };
        match endpoint.start(now, peer, request.clone()) {
            Ok(transfer) => {
                self.jobs.insert(transfer, ticket);
            }
            Err(StartError::TooMany) => self.waiting.push_back((ticket, request)),
            Err(StartError::Stale(_)) => self.lost.push(ticket),
            // A session is never asked for what is classic.
            Err(StartError::PathTooLong | StartError::NotClassic) => {
                let failure = Failure::Here(ErrorCode::NameRefused);
                ticket.mailbox.end((Err(failure), TransferStats::default()));
            }
        }
    }

    fn cancel(&mut self, now: Instant, endpoint: &mut Endpoint, number: u64) {
        if let Some(at) = self
            .waiting
            .iter()
            .position(|(ticket, _)| ticket.number == number)
            && let Some((ticket, _)) = self.waiting.remove(at)
        {
            let failure = Failure::Here(ErrorCode::Cancelled);
            ticket.mailbox.end((Err(failure), TransferStats::default()));
        }
        if let Some((transfer, _)) = self.jobs.iter().find(|(_, ticket)| ticket.number == number) {
            // Stale only if its end is on its way.
            let _ = endpoint.cancel(now, *transfer);
        }
    }

    fn close(&mut self, now: Instant, endpoint: &mut Endpoint) {
        match &mut self.state {
            State::Connecting(attempts) => {
                attempts.close_all(now, endpoint);
                self.state = State::Over;
            }
            State::Open(peer) => {
                let peer = *peer;
                self.state = State::Closing(peer, now + FAREWELL);
                // Stale only if its end is on its way.
                let _ = endpoint.close(now, peer, CloseCode::NoError);
            }
            State::Closing(..) | State::Over => {}
        }
    }

    fn closed(&mut self, now: Instant, endpoint: &mut Endpoint, peer: PeerId, cause: CloseCause) {
        if let State::Connecting(attempts) = &mut self.state {
            attempts.lost(now, peer, cause);
            self.advance(now, endpoint);
        } else if self.peer() == Some(peer) {
            self.board.note(endpoint.stats(peer));
            self.over(cause);
        }
    }

    /// The session has ended: everyone who waits is told.
    fn over(&mut self, cause: CloseCause) {
        self.state = State::Over;
        // Only the first cause counts.
        let _ = self.board.cause.set(cause);
        self.jobs.clear();
        self.waiting.clear();
        self.lost.clear();
    }

    fn advance(&mut self, now: Instant, endpoint: &mut Endpoint) {
        if let State::Connecting(attempts) = &mut self.state
            && let Err(none_left) = attempts.advance(now, endpoint)
        {
            self.state = State::Over;
            // Nobody waits any more if the caller has panicked.
            let _ = self.report.send(Err(none_left));
        }
    }

    fn job_event(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        transfer: TransferId,
        event: Event,
    ) {
        let Some(ticket) = self.jobs.get(&transfer) else {
            return;
        };
        let unanswered = |result| matches!(result, Err(Failure::SessionLost | Failure::Here(_)));
        if !matches!(event, Event::Finished { ref result, .. } if unanswered(*result)) {
            self.board.admitted.store(true, Ordering::Relaxed);
        }
        match event {
            Event::Accepted { .. } => ticket.mailbox.update(Update::Progress(Progress::Accepted)),
            Event::Entry { file, .. } => ticket.mailbox.update(Update::Entry(file)),
            Event::Listing { entries, .. } => {
                ticket.mailbox.update(Update::Page(entries));
                if ticket.mailbox.holds_listing() {
                    // Stale only if its end is on its way.
                    let _ = endpoint.hold_listing(now, transfer, true);
                }
            }
            Event::Files { files, .. } => ticket.mailbox.update(Update::Files(files)),
            Event::Progress {
                bytes,
                had,
                whole,
                size,
                resent,
                files,
                limited_by,
                ..
            } => {
                ticket.mailbox.update(Update::Progress(Progress::Moved {
                    bytes,
                    had,
                    whole,
                    size,
                    resent,
                    files,
                    limited_by,
                }));
            }
            Event::Finished { result, stats, .. } => {
                self.board.note(endpoint.stats(transfer.peer()));
                let Some(ticket) = self.jobs.remove(&transfer) else {
                    return;
                };
                match result {
                    Err(Failure::SessionLost) => self.lost.push(ticket),
                    Err(Failure::Peer(ErrorCode::Cancelled)) => {
                        self.lost.push(ticket);
                        self.given_up.get_or_insert(now + EXPLANATION);
                    }
                    _ => ticket.mailbox.end((result, stats)),
                }
                if let Some((ticket, request)) = self.waiting.pop_front() {
                    self.start(now, endpoint, ticket, request);
                }
            }
            _ => {}
        }
    }
}

impl Application for ClientApplication {
    type Command = Command;

    fn command(&mut self, now: Instant, endpoint: &mut Endpoint, command: Command) {
        match command {
            Command::Trust(trusted) => {
                if let State::Open(peer) = self.state {
                    let admission = if trusted {
                        Admission::Admit
                    } else {
                        Admission::Refuse
                    };
                    // Stale only if its end is on its way.
                    let _ = endpoint.admit(now, peer, admission);
                }
            }
            Command::Start(ticket, request) => self.start(now, endpoint, ticket, request),
            Command::Cancel(number) => self.cancel(now, endpoint, number),
            Command::GoOn(number) => {
                let mut jobs = self.jobs.iter();
                if let Some((transfer, _)) = jobs.find(|(_, ticket)| ticket.number == number) {
                    // Stale only if its end is on its way.
                    let _ = endpoint.hold_listing(now, *transfer, false);
                }
            }
            Command::Stats(reply) => {
                self.board
                    .note(self.peer().and_then(|peer| endpoint.stats(peer)));
                // Nobody waits any more if the caller has panicked.
                let _ = reply.send(());
            }
            Command::Limit(limits) => {
                // A session that is over has no speed.
                let _ = self
                    .peer()
                    .map(|peer| endpoint.set_limits(now, peer, limits));
            }
            Command::Close => self.close(now, endpoint),
        }
    }

    fn event(&mut self, now: Instant, endpoint: &mut Endpoint, event: Event) {
        match event {
            Event::PeerReady {
                peer, address, key, ..
            } => self.ready(now, endpoint, peer, address, key),
            Event::PeerClosed { peer, cause } => self.closed(now, endpoint, peer, cause),
            Event::Accepted { transfer }
            | Event::Entry { transfer, .. }
            | Event::Listing { transfer, .. }
            | Event::Files { transfer, .. }
            | Event::Progress { transfer, .. }
            | Event::Finished { transfer, .. } => self.job_event(now, endpoint, transfer, event),
            // The classic dialect is off.
            Event::ClassicRequested { .. } | Event::ClassicIgnored { .. } => {}
            // A server may not ask anything of its client.
            Event::Requested { transfer, .. } => {
                let refuse = proto_core::Decision::Refuse(ErrorCode::Unsupported);
                let _ = endpoint.decide(now, transfer, refuse);
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Connecting(attempts) => Some(attempts.deadline()),
            State::Closing(_, until) => Some(*until),
            State::Open(_) => self.given_up,
            State::Over => None,
        }
    }

    fn timeout(&mut self, now: Instant, endpoint: &mut Endpoint) {
        if matches!(self.state, State::Closing(..)) {
            self.over(CloseCause::Here(CloseCode::NoError));
        }
        if let (State::Open(peer), true) =
            (&self.state, self.given_up.is_some_and(|end| end <= now))
        {
            self.given_up = None;
            if self.jobs.is_empty() {
                let _ = endpoint.close(now, *peer, CloseCode::NoError);
                self.over(CloseCause::TimedOut);
            } else {
                // A server that stops would have cancelled these, too.
                for ticket in self.lost.drain(..) {
                    let end = (Err(Failure::SessionLost), TransferStats::default());
                    ticket.mailbox.end(end);
                }
            }
        }
        self.advance(now, endpoint);
    }

    fn refused(&mut self, now: Instant, endpoint: &mut Endpoint, host: IpAddr) {
        if let State::Connecting(attempts) = &mut self.state {
            attempts.refused(now, host);
            self.advance(now, endpoint);
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }
}
