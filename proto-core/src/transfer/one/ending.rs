//! How transfers end, and when they are forgotten.

use super::job::Job;
use super::{Farewell, Phase, Transfer};
use crate::event::{Failure, Finished};
use crate::transfer::Context;
use crate::transfer::codes::is_passing;
use crate::transfer::delivery::Delivery;
use crate::transfer::event::Pending;
use crate::wire::ErrorCode;

impl Transfer {
    /// The outcome is known.
    pub(super) fn end(&mut self, cx: &mut Context<'_>, result: Result<Finished, Failure>) {
        self.phase = Phase::Ended;
        self.outcome = Some(result);
        self.ended = cx.now;
        if self.events.requested {
            // The application never heard of it.
            self.events = Pending {
                finished: true,
                ..Pending::default()
            };
        }
        self.job.finish(cx);
    }

    /// Ends without success, unless the outcome is known or it is too late.
    pub(super) fn give_up(&mut self, cx: &mut Context<'_>, failure: Failure, farewell: Farewell) {
        let keep = match failure {
            Failure::SessionLost | Failure::NoAnswer => true,
            Failure::Here(code) | Failure::Peer(code) | Failure::Refused(code) => is_passing(code),
        };
        if self.outcome.is_some() || !self.job.abort(cx, keep) {
            return;
        }
        let unheard_of = self.requester && self.request == Delivery::Unneeded;
        if farewell != Farewell::None && !unheard_of {
            self.farewell = farewell;
            self.farewell_delivery = Delivery::Due;
        }
        self.end(cx, Err(failure));
    }

    /// This end cannot go on.
    pub(in crate::transfer) fn fail(&mut self, cx: &mut Context<'_>, code: ErrorCode) {
        let farewell = if self.requester || self.phase == Phase::Running {
            Farewell::Failed(code)
        } else {
            Farewell::Refuse(code)
        };
        self.give_up(cx, Failure::Here(code), farewell);
    }

    /// The application does not want to go on.
    pub(in crate::transfer) fn cancel(&mut self, cx: &mut Context<'_>, code: ErrorCode) {
        let farewell = if self.requester || self.phase == Phase::Running {
            Farewell::Cancel(code)
        } else {
            Farewell::Refuse(code)
        };
        self.give_up(cx, Failure::Here(code), farewell);
    }

    /// The peer is gone.
    pub(in crate::transfer) fn session_lost(&mut self, cx: &mut Context<'_>) {
        self.give_up(cx, Failure::SessionLost, Farewell::None);
        if let Job::TreeSink(sink) = &mut self.job {
            sink.fall_silent();
        }
    }

    /// Whether the outcome is known, at the peer, too.
    pub(in crate::transfer) fn is_settled(&self) -> bool {
        let open = [self.request, self.farewell_delivery, self.stored];
        let heard = !matches!(self.outcome, Some(Ok(_))) || self.job.is_heard();
        self.outcome.is_some() && heard && !open.iter().any(|delivery| delivery.is_open())
    }

    /// Whether there is nothing left to do, to tell or to wait for.
    pub(in crate::transfer) fn is_over(&self, session_lost: bool) -> bool {
        self.outcome.is_some()
            && (session_lost || self.is_settled())
            && self.events.finished
            && self.ops_out == 0
            && self.job.is_clean()
    }
}
