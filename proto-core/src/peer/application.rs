//! The session's transfers as the endpoint drives them: requests, decisions, file operations, events.

use super::{Peer, State};
use crate::endpoint::{Shared, StaleId, StartError};
use crate::event::Event;
use crate::file::{Block, FileError, Operation, Outcome};
use crate::id::{PeerId, TransferId};
use crate::slab::Key;
use crate::time::Instant;
use crate::transfer::{Context, Decision, OpTag, Request, Transfers};
use crate::wire::ErrorCode;

impl Peer {
    pub(crate) fn start(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        request: Request,
    ) -> Result<Key, StartError> {
        if self.state != State::Open {
            return Err(StaleId.into());
        }
        self.with_transfers(now, shared, |transfers, cx| transfers.start(cx, request))
    }

    pub(crate) fn decide(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        transfer: Key,
        decision: Decision,
    ) -> Result<(), StaleId> {
        self.with_transfers(now, shared, |transfers, cx| {
            transfers.decide(cx, transfer, decision)
        })
    }

    pub(crate) fn cancel(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        transfer: Key,
    ) -> Result<(), StaleId> {
        self.with_transfers(now, shared, |transfers, cx| {
            transfers.cancel(cx, transfer, ErrorCode::Cancelled)
        })
    }

    pub(crate) fn hold_listing(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        transfer: Key,
        held: bool,
    ) -> Result<(), StaleId> {
        self.with_transfers(now, shared, |transfers, _| {
            transfers.hold_listing(transfer, held)
        })
    }

    pub(crate) fn handle_file_done(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        transfer: Key,
        tag: OpTag,
        block: Option<Block>,
        result: Result<Outcome, FileError>,
    ) {
        self.with_transfers(now, shared, |transfers, cx| {
            transfers.handle_file_done(cx, transfer, tag, block, result)
        });
    }

    /// Brings up to date the transfer that the last datagrams were for.
    pub(crate) fn settle_transfers(&mut self, now: Instant, shared: &mut Shared) {
        if self.transfers.is_unsettled() {
            self.with_transfers(now, shared, Transfers::settle);
        }
    }

    pub(crate) fn has_ops(&self) -> bool {
        self.transfers.has_ops()
    }

    pub(crate) fn poll_op(
        &mut self,
        now: Instant,
        shared: &mut Shared,
    ) -> Option<(Key, OpTag, Operation)> {
        self.with_transfers(now, shared, Transfers::poll_op)
    }

    pub(crate) fn has_events(&self) -> bool {
        self.events.ready || self.transfers.has_events() || self.may_tell_closed()
    }

    /// `PeerClosed` is the last event: it waits for transfers whose temporary files are still being removed.
    fn may_tell_closed(&self) -> bool {
        self.events.closed.is_some() && self.transfers.is_told()
    }

    /// The next event: the session's beginning before its transfers, its end after them.
    pub(crate) fn poll_event(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        peer: PeerId,
    ) -> Option<Event> {
        if core::mem::take(&mut self.events.ready)
            && let Some(key) = self.key()
        {
            return Some(Event::PeerReady {
                peer,
                direction: self.direction,
                address: self.path.remote,
                key,
            });
        }
        let told = self.with_transfers(now, shared, Transfers::poll_event);
        if let Some((key, event)) = told {
            return Some(event.with_id(TransferId { peer, key }));
        }
        if !self.may_tell_closed() {
            return None;
        }
        let cause = self.events.closed.take()?;
        Some(Event::PeerClosed { peer, cause })
    }

    fn with_transfers<T>(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        call: impl FnOnce(&mut Transfers, &mut Context<'_>) -> T,
    ) -> T {
        let mut cx = shared.context(now, self.recovery.rtt().smoothed());
        call(&mut self.transfers, &mut cx)
    }
}
