//! Whether the parts of a session agree with each other.

use alloc::format;

use super::crypto_stream::MAX_GAPS;
use super::frames::CHALLENGES_MAX;
use super::ids::RETIRING_MAX;
use super::key_phase::SEAL_LIMIT;
use super::timers::silence_max;
use super::{Peer, SentFrame, State};
use crate::audit::{Breach, check, rule};
use crate::crypto::{Direction, Level};
use crate::endpoint::Reason;
use crate::file::Use;
use crate::limits::Limits;
use crate::range_set::RangeSet;
use crate::slab::Key;
use crate::time::Instant;
use crate::transfer::AllInFlight;

impl Peer {
    /// Checks the session, whose deadline is `timer`; the work grows with its state.
    pub(crate) fn audit(
        &self,
        limits: &Limits,
        timer: Option<(Instant, Reason)>,
    ) -> Result<(), Breach> {
        self.recovery.audit()?;
        let beyond = self.recovery.counters().beyond_window;
        check(beyond <= self.probes_sent, rule::WINDOW, || {
            format!(
                "{beyond} packets beyond the window, {} probes",
                self.probes_sent
            )
        })?;
        // Only who got the answer to a first packet has Handshake keys.
        let handshake = &self.spaces[Level::Handshake as usize];
        let proven = handshake.discarded || handshake.received.largest().is_some();
        if self.direction == Direction::Server && !proven {
            let excess = self.path.excess();
            check(excess == 0, rule::AMPLIFICATION, || {
                format!("{excess} bytes too many went to {}", self.path.remote)
            })?;
        }
        self.audit_paths()?;
        check(self.keys.sealed() <= SEAL_LIMIT, rule::KEYS, || {
            format!("{} packets sealed", self.keys.sealed())
        })?;
        self.audit_received(limits)?;
        self.audit_path_mtu()?;
        self.transfers.audit()?;
        if self.state.is_live() {
            self.audit_in_flight()?;
            self.audit_timers(timer.map(|(at, _)| at))
        } else {
            self.audit_ended(timer)
        }
    }

    /// Unproven addresses get what they may (T2), answers are few (T7), and every path has an id that may be used (T1).
    fn audit_paths(&self) -> Result<(), Breach> {
        for path in [Some(&self.path), self.previous.as_ref()]
            .into_iter()
            .flatten()
        {
            let excess = path.excess();
            check(
                path.is_validated() || excess == 0,
                rule::AMPLIFICATION,
                || format!("{excess} bytes too many went to {}", path.remote),
            )?;
        }
        let proven = self.previous.is_none_or(|path| path.is_validated());
        check(proven, rule::AMPLIFICATION, || {
            "there is no way back to an address that was not proven".into()
        })?;
        let waiting = (self.challenges.len(), self.destinations.retiring());
        let within = waiting.0 <= CHALLENGES_MAX && waiting.1 <= RETIRING_MAX;
        check(within, rule::QUEUES, || {
            format!("{waiting:?} answers and retirements wait")
        })
    }

    fn audit_path_mtu(&self) -> Result<(), Breach> {
        let (used, found) = (self.recovery.datagram_size(), self.mtu.size());
        check(used == found || !self.confirmed, rule::PATH_MTU, || {
            format!("datagrams of {used} bytes are sent where {found} pass")
        })?;
        check(!self.recovery.is_in_black_hole(), rule::PATH_MTU, || {
            format!("datagrams of {used} bytes vanish")
        })
    }

    fn audit_received(&self, limits: &Limits) -> Result<(), Breach> {
        let mut numbers = 0;
        for space in &self.spaces {
            numbers += space.received.audit()?;
            let (bytes, ranges) = space.crypto_in.held();
            let within = bytes <= limits.crypto_buffer as usize && ranges <= MAX_GAPS;
            check(within || !self.state.is_live(), rule::QUEUES, || {
                format!("{bytes} bytes of a handshake are held in {ranges} ranges")
            })?;
        }
        check(numbers <= self.packets_received, rule::ACK_RANGES, || {
            format!(
                "{numbers} packets count as arrived, {} did",
                self.packets_received
            )
        })
    }

    /// What was sent and not answered is in a packet of which nothing was heard.
    fn audit_in_flight(&self) -> Result<(), Breach> {
        let mut crypto = [const { RangeSet::new() }; 3];
        let mut transfers = AllInFlight::default();
        self.recovery.outstanding(|frame| match frame {
            SentFrame::Crypto { level, offset, len } => {
                let start = u64::from(offset);
                crypto[level as usize].insert(start..start + u64::from(len));
            }
            SentFrame::Transfer { key, item } => transfers.add(key, item),
            SentFrame::Ack { .. }
            | SentFrame::Ping
            | SentFrame::MtuProbe(_)
            | SentFrame::HandshakeDone
            | SentFrame::Path
            | SentFrame::NewId { .. }
            | SentFrame::RetireId { .. }
            | SentFrame::AckFrequency { .. }
            | SentFrame::RateLimit { .. } => {}
        });
        for (space, flying) in self.spaces.iter().zip(&crypto) {
            let missing = space
                .crypto_out
                .sent()
                .iter()
                .find(|range| !flying.covers(range.clone()));
            check(missing.is_none() || space.discarded, rule::FRAMES, || {
                format!("handshake bytes {missing:?} are forgotten")
            })?;
        }
        self.transfers.audit_in_flight(transfers)
    }

    /// No deadline of a part is later than that of the session.
    fn audit_timers(&self, armed: Option<Instant>) -> Result<(), Breach> {
        let recovery = self.recovery.deadline().map(|(at, _)| at);
        let idle = self.last_heard + silence_max(self.idle_timeout, self.recovery.pto());
        let open = self.state == State::Open && !self.transfers.is_idle();
        let alive = open.then(|| self.last_heard.max(self.last_ping) + self.idle_timeout / 3);
        let waiting = self
            .spaces
            .iter()
            .filter(|space| !space.discarded && !space.ack_now);
        let acks = waiting.filter_map(|space| space.received.ack_deadline());
        let decisions = self.transfers.decisions();
        let path = self.path_deadline();
        let parts = [Some(idle), alive, recovery, self.keys.deadline(), path];
        let first = parts
            .into_iter()
            .flatten()
            .chain(acks)
            .chain(decisions)
            .min();
        check(armed <= first && armed.is_some(), rule::TIMERS, || {
            format!("the session is woken at {armed:?}, a part of it is due at {first:?}")
        })
    }

    fn audit_ended(&self, timer: Option<(Instant, Reason)>) -> Result<(), Breach> {
        let right = match self.state {
            State::Closing { until, .. } => timer == Some((until, Reason::Closing)),
            _ => timer.is_none(),
        };
        check(right, rule::ENDED, || format!("{timer:?} is armed"))
    }

    /// Blocks of the session's transfers that are not on loan, and those promised to them.
    pub(crate) fn blocks(&self, what: Use) -> (u32, u32) {
        self.transfers.blocks(what)
    }

    /// How many operations a transfer waits for; `None` when it is gone.
    pub(crate) fn ops_out(&self, transfer: Key) -> Option<u32> {
        self.transfers.ops_out(transfer)
    }

    /// The same for every transfer.
    pub(crate) fn all_ops_out(&self) -> impl Iterator<Item = (Key, u32)> + '_ {
        self.transfers.all_ops_out()
    }
}
