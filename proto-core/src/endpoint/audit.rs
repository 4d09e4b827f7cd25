//! Whether sessions, loans, memory and deadlines of an endpoint agree with each other.

use alloc::collections::BTreeMap;
use alloc::format;

use super::{Endpoint, Loan};
use crate::audit::{Breach, check, rule};
use crate::classic::key_of;
use crate::crypto::Direction;
use crate::file::Use;
use crate::id::PeerId;
use crate::peer::Peer;
use crate::slab::Key;
use crate::transfer::OpKind;

impl Endpoint {
    /// Checks the whole state against the rules that it must keep at any time, between any two calls. For simulations and
    /// tests: the work grows with the state. Nothing changes.
    ///
    /// # Errors
    /// The first rule that is broken: a bug in dhow, never the caller's or the peer's doing.
    pub fn audit(&self) -> Result<(), Breach> {
        let limits = &self.shared.config.limits;
        let counts = (self.peers.len(), self.half_open.len());
        let within = counts.0 <= limits.sessions as usize && counts.1 <= limits.half_open as usize;
        check(within, rule::QUEUES, || {
            format!("{counts:?} sessions, half-open ones")
        })?;
        check(self.answers.is_within_limit(), rule::QUEUES, || {
            "too many answers wait".into()
        })?;
        let queues = [&self.sending, &self.working, &self.telling, &self.touched];
        check(
            queues.iter().all(|queue| queue.is_well_formed()),
            rule::QUEUES,
            || "a session is queued twice".into(),
        )?;
        for (key, peer) in self.peers.iter() {
            self.audit_peer(key, peer)?;
        }
        self.classic.audit(limits)?;
        self.audit_ids()?;
        self.audit_loans()?;
        self.audit_memory()
    }

    /// How many sessions there are, in any state.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.peers.len()
    }

    /// The sessions, in any state.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.peers.iter().map(|(key, _)| PeerId(key))
    }

    fn audit_peer(&self, key: Key, peer: &Peer) -> Result<(), Breach> {
        let (armed, wanted) = (self.deadlines.get(key.index), peer.deadline());
        peer.audit(&self.shared.config.limits, wanted)?;
        check(armed == wanted, rule::DEADLINES, || {
            format!("{key:?} wants {wanted:?}, armed is {armed:?}")
        })?;
        let told = !peer.has_events() || self.telling.contains(key.index);
        check(told, rule::EVENTS, || {
            format!("{key:?} has events and is not queued")
        })?;
        check(!peer.is_done(), rule::IDS, || {
            format!("{key:?} is over and not freed")
        })
    }

    fn audit_ids(&self) -> Result<(), Breach> {
        check(self.deadlines.is_well_formed(), rule::DEADLINES, || {
            "the heap is out of order".into()
        })?;
        if !self.touched.is_empty() {
            // Brought up to date with the next poll.
            return Ok(());
        }
        let armed = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.deadline().is_some())
            .count();
        check(self.deadlines.len() == armed, rule::DEADLINES, || {
            format!("{} deadlines for {armed} sessions", self.deadlines.len())
        })?;
        let is_server = |key: &Key| {
            let peer = self.peers.get(*key);
            peer.is_some_and(|peer| peer.direction() == Direction::Server)
        };
        let lost = self
            .originals
            .values()
            .chain(&self.half_open)
            .find(|key| !is_server(key));
        check(lost.is_none(), rule::IDS, || {
            format!("{lost:?} is no session of a server")
        })?;
        let of = |key: &Key| self.peers.get(*key).is_some_and(Peer::is_half_open);
        let stale = self.half_open.iter().find(|key| !of(key));
        check(stale.is_none(), rule::IDS, || {
            format!("{stale:?} is not half-open")
        })
    }

    /// Every operation on loan is that of a transfer that waits for it.
    fn audit_loans(&self) -> Result<(), Breach> {
        let mut out: BTreeMap<(Key, Key), u32> = BTreeMap::new();
        let sessions = |loan: &Loan| key_of(PeerId(loan.peer)).is_none();
        for (id, loan) in self.loans.iter().filter(|(_, loan)| sessions(loan)) {
            let waits = self
                .peers
                .get(loan.peer)
                .and_then(|peer| peer.ops_out(loan.transfer));
            check(waits.is_some(), rule::IDS, || {
                format!("{id:?} is on loan for nobody: {loan:?}")
            })?;
            *out.entry((loan.peer, loan.transfer)).or_default() += 1;
        }
        for (key, peer) in self.peers.iter() {
            for (transfer, waits) in peer.all_ops_out() {
                let lent = out.get(&(key, transfer)).copied().unwrap_or(0);
                check(lent == waits, rule::IDS, || {
                    format!("{transfer:?} of {key:?} waits for {waits} operations, {lent} are lent")
                })?;
            }
        }
        Ok(())
    }

    fn audit_memory(&self) -> Result<(), Breach> {
        for what in [Use::Sink, Use::Source] {
            let of = |loan: &Loan| match loan.tag.kind {
                OpKind::Read { .. } => what == Use::Source,
                OpKind::Write { .. } | OpKind::Verify => what == Use::Sink,
                _ => false,
            };
            let mut held = self.loans.iter().filter(|(_, loan)| of(loan)).count() as u32;
            let (here, mut promised) = self.classic.blocks(what);
            held += here;
            for (_, peer) in self.peers.iter() {
                let (here, reserved) = peer.blocks(what);
                held += here;
                promised += reserved;
            }
            self.shared.pool.audit(what, held, promised)?;
        }
        Ok(())
    }
}
