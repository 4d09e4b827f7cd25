//! Connection ids of a session, in both directions (RFC 9000 §5.1, T1).

use alloc::collections::VecDeque;

use crate::wire::{CloseCode, ConnectionId};

/// Ids of one end that are not retired, at most (P6.14).
const ACTIVE_MAX: usize = 4;
/// Numbers of the peer's ids that are told apart: higher ones end the session (P6.15).
const WINDOW: u64 = 64;
/// Retirements that the peer has not heard of; beyond, the oldest is dropped (T7, M6).
pub(super) const RETIRING_MAX: usize = 64;

/// Ids that this end gave: packets to it carry one of them.
#[derive(Debug)]
pub(super) struct Issued {
    active: [Option<Given>; ACTIVE_MAX],
    /// The next id's number; the id of the handshake has 0.
    next: u16,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
struct Given {
    sequence: u16,
    /// The peer is still to be told.
    owed: bool,
}

impl Issued {
    /// The id of the handshake alone.
    pub(super) fn new() -> Self {
        let mut active = [None; ACTIVE_MAX];
        active[0] = Some(Given {
            sequence: 0,
            owed: false,
        });
        Self { active, next: 1 }
    }

    /// Gives new ids in the places of those that are not there. A session that has used up all of its numbers gets no more,
    /// and goes on with what it has.
    pub(super) fn replenish(&mut self) {
        for place in &mut self.active {
            if place.is_none()
                && let Some(next) = self.next.checked_add(1)
            {
                *place = Some(Given {
                    sequence: self.next,
                    owed: true,
                });
                self.next = next;
            }
        }
    }

    /// Whether the number was ever given. Packets with an id that was retired may still be on the way.
    pub(super) fn was_given(&self, sequence: u16) -> bool {
        sequence < self.next
    }

    /// The lowest number that the peer is to be told of.
    pub(super) fn owed(&self) -> Option<u16> {
        let given = self.active.iter().flatten().filter(|given| given.owed);
        given.map(|given| given.sequence).min()
    }

    /// The peer was told, or the telling was lost.
    pub(super) fn set_owed(&mut self, sequence: u16, owed: bool) {
        let mut active = self.active.iter_mut().flatten();
        if let Some(given) = active.find(|given| given.sequence == sequence) {
            given.owed = owed;
        }
    }

    /// The peer will not use an id any more: it gets another (P6.18).
    pub(super) fn on_retired(&mut self, sequence: u64) -> Result<(), CloseCode> {
        if sequence >= u64::from(self.next) {
            return Err(CloseCode::ProtocolViolation);
        }
        for place in &mut self.active {
            if place.is_some_and(|given| u64::from(given.sequence) == sequence) {
                *place = None;
            }
        }
        self.replenish();
        Ok(())
    }
}

/// An id of the peer's: packets to it carry one of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Destination {
    pub(super) sequence: u64,
    pub(super) id: ConnectionId,
    /// What a stateless reset of a session with this id ends with, if the peer has said so.
    pub(super) token: Option<[u8; 16]>,
}

impl Destination {
    /// The id of the handshake.
    pub(super) fn first(id: ConnectionId) -> Self {
        Self {
            sequence: 0,
            id,
            token: None,
        }
    }
}

/// The peer's ids.
#[derive(Debug)]
pub(super) struct Destinations {
    active: [Option<Known>; ACTIVE_MAX],
    /// All numbers below were seen; of the next 64, those whose bit is set.
    seen_below: u64,
    seen: u64,
    retire_prior_to: u64,
    /// Numbers of retired ids that the peer is to be told of, the oldest first.
    retiring: VecDeque<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    destination: Destination,
    /// A path uses it, so that no other may.
    used: bool,
}

impl Destinations {
    /// The id of the handshake, in use.
    pub(super) fn new(id: ConnectionId) -> Self {
        let mut active = [None; ACTIVE_MAX];
        active[0] = Some(Known {
            destination: Destination::first(id),
            used: true,
        });
        Self {
            active,
            seen_below: 1,
            seen: 0,
            retire_prior_to: 0,
            retiring: VecDeque::new(),
        }
    }

    /// NEW_CONNECTION_ID came.
    pub(super) fn on_new(
        &mut self,
        new: Destination,
        retire_prior_to: u64,
    ) -> Result<(), CloseCode> {
        let mut active = self.active.iter().flatten();
        let contradicts = |known: &Known| {
            let Destination { sequence, id, .. } = known.destination;
            (sequence == new.sequence) != (id == new.id)
        };
        if active.any(contradicts) {
            return Err(CloseCode::ProtocolViolation);
        }
        let is_new = self.note_seen(new.sequence)?;
        if retire_prior_to > self.retire_prior_to {
            self.retire_prior_to = retire_prior_to;
            for known in self.active.into_iter().flatten() {
                if known.destination.sequence < retire_prior_to {
                    self.retire(known.destination.sequence);
                }
            }
        }
        if !is_new {
            return Ok(());
        }
        if new.sequence < self.retire_prior_to {
            self.owe_retirement(new.sequence);
            return Ok(());
        }
        let place = self.active.iter_mut().find(|place| place.is_none());
        *place.ok_or(CloseCode::ConnectionIdLimit)? = Some(Known {
            destination: new,
            used: false,
        });
        Ok(())
    }

    /// Whether the number is seen for the first time.
    fn note_seen(&mut self, sequence: u64) -> Result<bool, CloseCode> {
        let Some(ahead) = sequence.checked_sub(self.seen_below) else {
            return Ok(false);
        };
        if ahead >= WINDOW {
            return Err(CloseCode::ConnectionIdLimit);
        }
        let is_new = self.seen & (1 << ahead) == 0;
        self.seen |= 1 << ahead;
        let run = self.seen.trailing_ones();
        self.seen = self.seen.checked_shr(run).unwrap_or(0);
        self.seen_below += u64::from(run);
        Ok(is_new)
    }

    /// An id that no path has used, for a path of its own; the oldest first.
    pub(super) fn take_unused(&mut self) -> Option<Destination> {
        let unused = self.active.iter_mut().flatten().filter(|known| !known.used);
        let known = unused.min_by_key(|known| known.destination.sequence)?;
        known.used = true;
        Some(known.destination)
    }

    /// Whether the id may still be sent to.
    pub(super) fn is_active(&self, sequence: u64) -> bool {
        let mut active = self.active.iter().flatten();
        active.any(|known| known.destination.sequence == sequence)
    }

    /// The path that used the id is gone. One that is retired already stays so.
    pub(super) fn retire(&mut self, sequence: u64) {
        let is_it = |known: &mut Known| known.destination.sequence == sequence;
        let mut places = self.active.iter_mut();
        if places.any(|place| place.take_if(is_it).is_some()) {
            self.owe_retirement(sequence);
        }
    }

    /// Says, or says again, that the id is retired.
    pub(super) fn owe_retirement(&mut self, sequence: u64) {
        if self.retiring.len() >= RETIRING_MAX {
            self.retiring.pop_front();
        }
        self.retiring.push_back(sequence);
    }

    /// The retirement to tell next.
    pub(super) fn owed(&self) -> Option<u64> {
        self.retiring.front().copied()
    }

    /// How many wait.
    pub(super) fn retiring(&self) -> usize {
        self.retiring.len()
    }

    /// It was told.
    pub(super) fn on_told(&mut self) {
        self.retiring.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> Destination {
        Destination {
            sequence: n,
            ..Destination::first(ConnectionId(n.to_be_bytes()))
        }
    }

    fn with_three_more() -> Destinations {
        let mut ids = Destinations::new(id(0).id);
        for n in 1..4 {
            ids.on_new(id(n), 0).unwrap();
        }
        ids
    }

    /// RFC 9000 §5.1.1: the number of each new id is the last one's plus one, and a retired id is replaced.
    #[test]
    fn ids_are_numbered_and_replaced() {
        let mut ids = Issued::new();
        assert_eq!(ids.owed(), None);
        ids.replenish();
        for n in 1..4 {
            assert_eq!(ids.owed(), Some(n));
            ids.set_owed(n, false);
        }
        assert_eq!(ids.owed(), None);
        ids.set_owed(2, true);
        assert_eq!(ids.owed(), Some(2), "it was lost");
        ids.on_retired(2).unwrap();
        assert_eq!(ids.owed(), Some(4), "nobody needs to hear of 2");
        ids.on_retired(2).unwrap();
        assert!(ids.was_given(4) && !ids.was_given(5));
        // RFC 9000 §19.16: a number greater than any previously sent.
        assert_eq!(ids.on_retired(5), Err(CloseCode::ProtocolViolation));
    }

    /// A peer that retires ids for ever gets 65,534, and a session that goes on.
    #[test]
    fn numbers_run_out_without_harm() {
        let mut ids = Issued::new();
        for n in 0..u64::from(u16::MAX) {
            ids.on_retired(n).unwrap();
        }
        assert!(ids.active.iter().all(Option::is_none));
        assert_eq!(
            ids.on_retired(u64::from(u16::MAX)),
            Err(CloseCode::ProtocolViolation)
        );
    }

    /// RFC 9000 §5.1.1: more ids than the limit close the session; §19.15: the same frame again does not.
    #[test]
    fn four_are_kept() {
        let mut ids = with_three_more();
        ids.on_new(id(3), 0).unwrap();
        assert_eq!(ids.on_new(id(4), 0), Err(CloseCode::ConnectionIdLimit));
    }

    /// RFC 9000 §19.15: an id or a number that comes back with another partner.
    #[test]
    fn contradictions_end_the_session() {
        let wrong = [(1, 9), (9, 1), (0, 9)];
        for (sequence, n) in wrong {
            let mut ids = with_three_more();
            let new = Destination { sequence, ..id(n) };
            assert_eq!(ids.on_new(new, 0), Err(CloseCode::ProtocolViolation));
        }
    }

    /// RFC 9000 §5.1.2, §19.15: ids below `retire_prior_to` go, also those that come later.
    #[test]
    fn the_peer_may_ask_for_retirement() {
        let mut ids = with_three_more();
        ids.on_new(id(6), 4).unwrap();
        let mut told = alloc::vec::Vec::new();
        while let Some(sequence) = ids.owed() {
            ids.on_told();
            told.push(sequence);
        }
        assert_eq!(told, [0, 1, 2, 3]);
        ids.on_new(id(5), 2).unwrap();
        ids.on_new(id(2), 0).unwrap();
        assert_eq!(ids.owed(), None, "2 was retired, and the peer told");
        assert_eq!(ids.take_unused(), Some(id(5)));
        ids.on_new(id(7), 7).unwrap();
        ids.on_new(id(4), 0).unwrap();
        assert_eq!([5, 6, 4].map(|n| ids.is_active(n)), [false; 3]);
        assert_eq!(ids.take_unused(), Some(id(7)));
        assert_eq!(ids.take_unused(), None);
    }

    /// M6 and CVE-2024-22189: a peer that makes this end retire without end costs a fixed queue.
    #[test]
    fn retirements_are_bounded() {
        let mut ids = Destinations::new(id(0).id);
        for n in 1..10_000 {
            ids.on_new(id(n), n).unwrap();
            assert!(ids.retiring.len() <= RETIRING_MAX);
        }
        assert_eq!(ids.owed(), Some(9_999 - RETIRING_MAX as u64));
        assert_eq!(ids.on_new(id(10_063), 10_063), Ok(()));
        assert_eq!(ids.on_new(id(10_064), 0), Err(CloseCode::ConnectionIdLimit));
    }

    /// T1: an id is given to one path only.
    #[test]
    fn each_path_gets_an_id_of_its_own() {
        let mut ids = with_three_more();
        assert_eq!(ids.take_unused(), Some(id(1)));
        ids.retire(0);
        ids.retire(0);
        assert_eq!(ids.owed(), Some(0));
        ids.on_told();
        assert_eq!(ids.owed(), None);
        ids.on_new(id(4), 0).unwrap();
        assert_eq!(
            [2, 3, 4].map(|n| Some(id(n))),
            core::array::from_fn(|_| ids.take_unused())
        );
        assert_eq!(ids.take_unused(), None);
    }
}
