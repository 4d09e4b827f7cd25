//! All transfers of one session.

mod frames;

use alloc::vec::Vec;

use super::codes::Fault;
use super::delivery::NumberWindow;
use super::one::Transfer;
use super::progress::Progress;
use super::{Context, Decision, OpTag, Request, TransferEvent};
use crate::crypto::Direction;
use crate::endpoint::{StaleId, StartError};
use crate::fault::{Fault as Planted, Faults};
use crate::file::{Block, FileError, Operation, Outcome};
use crate::limits::Limits;
use crate::slab::{Key, Slab};
use crate::time::{Duration, Instant};
use crate::wire::{CloseCode, ErrorCode};

/// After this, a transfer that waits for memory looks for some again.
const MEMORY_RETRY: Duration = Duration::from_millis(20);

/// After this, a transfer with memory that it has no use for asks whether others wait for it.
const IDLE_CHECK: Duration = Duration::from_secs(1);

/// Bytes that a requested path, with the second of a `Rename` or a filter, may have: REQUEST must fit the smallest packet.
pub(crate) const REQUEST_PATH_MAX: usize = 1_024;

/// What became of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Taken {
    /// It was acted on, or means nothing any more.
    Yes,
    /// There is no memory for it, or what it is about is not known yet: its packet must not be acknowledged.
    No,
}

/// The transfers of one session, in the role that this end has: the client requests, the server responds.
///
/// An ended transfer stays until the peer knows of its end, the application was told, and all its operations are home.
#[derive(Debug)]
pub(crate) struct Transfers {
    direction: Direction,
    pub(super) open_max: u32,
    early_max: u32,
    read_ahead: u32,
    pub(super) all: Slab<Transfer>,
    /// Transfers that have a number, by number.
    pub(super) routes: Vec<(u64, Key)>,
    /// Client: the number of the next request.
    next_number: u64,
    /// Client: requests that have arrived. Server: requests that were seen.
    numbers: NumberWindow,
    /// The application has admitted the peer.
    admitted: bool,
    lost: bool,
    /// The number of the transfer whose data went out last.
    served: u64,
    retry_at: Option<Instant>,
    /// A transfer that has changed and is not [updated](Self::update) yet: once for many frames in a row.
    unsettled: Option<Key>,
    progress: Progress,
    faults: Faults,
}

impl Transfers {
    /// None yet.
    pub(crate) fn new(direction: Direction, limits: &Limits) -> Self {
        Self {
            direction,
            open_max: limits.transfers_per_session,
            early_max: limits.requests_before_admission,
            read_ahead: limits.read_ahead_blocks,
            all: Slab::default(),
            routes: Vec::new(),
            next_number: 0,
            numbers: NumberWindow::default(),
            admitted: false,
            lost: false,
            served: 0,
            retry_at: None,
            unsettled: None,
            progress: Progress::default(),
            faults: Faults::default(),
        }
    }

    /// The same, with planted bugs.
    pub(crate) fn with_faults(mut self, faults: Faults) -> Self {
        self.admitted = faults.strikes(Planted::AdmissionUnheeded);
        self.faults = faults;
        self
    }

    /// The application has admitted the peer: it is told of requests from now on.
    pub(crate) fn admitted(&mut self) {
        self.admitted = true;
    }

    /// Whether one more transfer finds a place, ended ones that linger included.
    fn has_place(&self) -> bool {
        self.all.len() < 2 * self.open_max as usize
    }

    fn open_count(&self) -> u32 {
        self.all
            .iter()
            .filter(|(_, transfer)| transfer.counts_as_open())
            .count() as u32
    }

    /// Asks the peer for something.
    pub(crate) fn start(
        &mut self,
        cx: &mut Context<'_>,
        request: Request,
    ) -> Result<Key, StartError> {
        if self.direction == Direction::Server || self.lost {
            return Err(StaleId.into());
        }
        if request.len() > REQUEST_PATH_MAX {
            return Err(StartError::PathTooLong);
        }
        if self.open_count() >= self.open_max || !self.has_place() {
            return Err(StartError::TooMany);
        }
        let key = self.all.insert(Transfer::start(cx, request));
        self.update(cx, key);
        Ok(key)
    }

    /// The application's answer to a request.
    pub(crate) fn decide(
        &mut self,
        cx: &mut Context<'_>,
        key: Key,
        decision: Decision,
    ) -> Result<(), StaleId> {
        let transfer = self.all.get_mut(key).ok_or(StaleId)?;
        let decided = transfer.decide(cx, decision);
        self.update(cx, key);
        if decided { Ok(()) } else { Err(StaleId) }
    }

    /// Gives a transfer up.
    pub(crate) fn cancel(
        &mut self,
        cx: &mut Context<'_>,
        key: Key,
        code: ErrorCode,
    ) -> Result<(), StaleId> {
        self.all.get_mut(key).ok_or(StaleId)?.cancel(cx, code);
        self.update(cx, key);
        Ok(())
    }

    /// Keeps a listing's entries back, or no more.
    pub(crate) fn hold_listing(&mut self, key: Key, held: bool) -> Result<(), StaleId> {
        self.all.get_mut(key).ok_or(StaleId)?.hold_listing(held);
        Ok(())
    }

    /// Gives all transfers up.
    pub(crate) fn cancel_all(&mut self, cx: &mut Context<'_>) {
        self.for_each(cx, |transfer, cx| transfer.cancel(cx, ErrorCode::Cancelled));
    }

    /// The peer is gone: every transfer ends, but one whose file is being given its name just now.
    pub(crate) fn session_lost(&mut self, cx: &mut Context<'_>) {
        self.lost = true;
        self.retry_at = None;
        self.for_each(cx, Transfer::session_lost);
    }

    fn for_each(
        &mut self,
        cx: &mut Context<'_>,
        mut act: impl FnMut(&mut Transfer, &mut Context<'_>),
    ) {
        let keys: Vec<Key> = self.all.iter().map(|(key, _)| key).collect();
        for key in keys {
            if let Some(transfer) = self.all.get_mut(key) {
                act(transfer, cx);
                self.update(cx, key);
            }
        }
    }

    /// Ends the transfer of a failure that is its own, passes on one that is the session's.
    fn faulted<T>(
        &mut self,
        cx: &mut Context<'_>,
        key: Key,
        result: Result<T, Fault>,
    ) -> Result<Option<T>, CloseCode> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Fault::Session(code)) => Err(code),
            Err(Fault::Transfer(code)) => {
                if let Some(transfer) = self.all.get_mut(key) {
                    transfer.fail(cx, code);
                }
                Ok(None)
            }
        }
    }

    /// A frame has changed the transfer, and others like it may follow: [`settle`](Self::settle) will be called after them.
    fn touch(&mut self, cx: &mut Context<'_>, key: Key) {
        if let Some(before) = self.unsettled.replace(key)
            && before != key
        {
            self.update(cx, before);
        }
    }

    /// Whether [`settle`](Self::settle) has something to do.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.unsettled.is_some()
    }

    /// Brings the transfer up to date that was touched last.
    pub(crate) fn settle(&mut self, cx: &mut Context<'_>) {
        if let Some(key) = self.unsettled.take() {
            self.update(cx, key);
        }
    }

    /// After any change: the transfer goes as far as it can, gets its number, and is freed when it is over.
    fn update(&mut self, cx: &mut Context<'_>, key: Key) {
        let Some(transfer) = self.all.get_mut(key) else {
            return;
        };
        transfer.advance(cx);
        transfer.share_memory(cx);
        let (before, after) = transfer.note_owed();
        self.progress.note(cx.now, before, after);
        let retry = match (transfer.is_waiting(), transfer.is_idle()) {
            (true, _) => Some(cx.now + MEMORY_RETRY),
            (false, true) => Some(cx.now + IDLE_CHECK),
            (false, false) => None,
        };
        if transfer.needs_number() {
            let number = self.next_number;
            transfer.number = Some(number);
            self.next_number += 1;
            self.routes.push((number, key));
        }
        self.set_retry(retry);
        if self
            .all
            .get(key)
            .is_some_and(|transfer| transfer.is_over(self.lost))
        {
            self.all.remove(key);
            self.routes.retain(|route| route.1 != key);
        }
    }

    /// A transfer has to be looked at again at `at`, or not; without one, nothing is.
    fn set_retry(&mut self, at: Option<Instant>) {
        let wanted = |transfer: &Transfer| transfer.is_waiting() || transfer.is_idle();
        self.retry_at = match (at, self.retry_at) {
            _ if self.lost => None,
            (Some(at), Some(before)) => Some(before.min(at)),
            (None, Some(before)) => self.find(wanted).map(|_| before),
            (at, None) => at,
        };
    }

    /// An operation came home.
    pub(crate) fn handle_file_done(
        &mut self,
        cx: &mut Context<'_>,
        key: Key,
        tag: OpTag,
        block: Option<Block>,
        result: Result<Outcome, FileError>,
    ) {
        let Some(transfer) = self.all.get_mut(key) else {
            return;
        };
        let done = transfer.handle_file_done(cx, tag, block, result);
        self.local(cx, key, done);
        self.update(cx, key);
    }

    /// As [`faulted`](Self::faulted), for what the peer has no part in.
    fn local<T>(&mut self, cx: &mut Context<'_>, key: Key, result: Result<T, Fault>) -> Option<T> {
        let result = result.map_err(|fault| match fault {
            Fault::Session(_) => Fault::Transfer(ErrorCode::Integrity),
            fault => fault,
        });
        self.faulted(cx, key, result).ok().flatten()
    }

    fn find(&self, is_it: impl Fn(&Transfer) -> bool) -> Option<Key> {
        self.all
            .iter()
            .find(|(_, transfer)| is_it(transfer))
            .map(|(key, _)| key)
    }

    /// The first transfer that is it, or the last one.
    fn find_in_turn(&self, last: bool, is_it: impl Fn(&Transfer) -> bool) -> Option<Key> {
        if !last {
            return self.find(is_it);
        }
        let all = self.all.iter().filter(|(_, transfer)| is_it(transfer));
        all.last().map(|(key, _)| key)
    }

    /// Whether [`poll_op`](Self::poll_op) has something.
    pub(crate) fn has_ops(&self) -> bool {
        self.find(|transfer| transfer.has_op(self.read_ahead))
            .is_some()
    }

    /// The next operation to lend.
    pub(crate) fn poll_op(&mut self, cx: &mut Context<'_>) -> Option<(Key, OpTag, Operation)> {
        self.settle(cx);
        loop {
            let last = self.faults.strikes(Planted::OpOutOfTurn);
            let key = self.find_in_turn(last, |transfer| transfer.has_op(self.read_ahead))?;
            let polled = self.all.get_mut(key)?.poll_op(cx);
            let failed = polled.is_err();
            let op = self.local(cx, key, polled).flatten();
            self.update(cx, key);
            match op {
                Some((tag, op)) => return Some((key, tag, op)),
                None if failed => {}
                None => return None,
            }
        }
    }

    /// Whether [`poll_event`](Self::poll_event) has something.
    pub(crate) fn has_events(&self) -> bool {
        self.find(|transfer| transfer.has_event(self.admitted, self.lost))
            .is_some()
    }

    /// The next thing to tell the application.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Option<(Key, TransferEvent)> {
        let last = self.faults.strikes(Planted::EventOutOfTurn);
        let key = self.find_in_turn(last, |transfer| {
            transfer.has_event(self.admitted, self.lost)
        })?;
        let event = self
            .all
            .get_mut(key)?
            .poll_event(cx, self.admitted, self.lost);
        self.update(cx, key);
        event.map(|event| (key, event))
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let forgotten = self.faults.strikes(Planted::DecisionTimerForgotten);
        let decisions = self
            .all
            .iter()
            .filter_map(|(_, transfer)| transfer.decide_by().filter(|_| !forgotten));
        let stall = self.progress.deadline().filter(|_| !self.lost);
        decisions.chain(self.retry_at).chain(stall).min()
    }

    /// Whether the peer owes bytes and has moved next to none for too long (T8).
    pub(crate) fn is_stalled(&self, now: Instant) -> bool {
        !self.lost && self.progress.deadline().is_some_and(|at| at <= now)
    }

    /// The peer was silent for so long that the path may have been cut.
    pub(crate) fn excuse_silence(&mut self, now: Instant) {
        self.progress.excuse_silence(now);
    }

    /// Refuses requests that were not decided, or found no memory, in time; lets those go on that waited for memory.
    pub(crate) fn handle_timeout(&mut self, cx: &mut Context<'_>) {
        if self.retry_at.is_some_and(|at| at <= cx.now) {
            self.retry_at = None;
        }
        self.for_each(cx, |transfer, cx| {
            if transfer.decide_by().is_some_and(|at| at <= cx.now) {
                let waited = transfer.is_waiting();
                let code = if waited {
                    ErrorCode::Busy
                } else {
                    ErrorCode::TimedOut
                };
                transfer.fail(cx, code);
            }
            transfer.yield_memory(cx);
        });
    }

    /// Whether no transfer is open and the peer knows all outcomes.
    pub(crate) fn is_idle(&self) -> bool {
        self.lost || self.all.iter().all(|(_, transfer)| transfer.is_settled())
    }

    /// Whether the application was told the end of every transfer that it heard of.
    pub(crate) fn is_told(&self) -> bool {
        self.all.iter().all(|(_, transfer)| transfer.is_told())
    }

    /// Whether nothing is left: no operation on loan, no event untaken.
    pub(crate) fn is_drained(&self) -> bool {
        self.all.is_empty()
    }

    /// The transfers that are not freed.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> Vec<Key> {
        self.all.iter().map(|(key, _)| key).collect()
    }
}
