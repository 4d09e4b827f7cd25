//! Key updates of the 1-RTT keys (RFC 9001 §6, R3, R4).

use crate::crypto::Epoch;
use crate::limits::PACKETS_PER_KEY_MAX;
use crate::time::{Duration, Instant};

/// Beyond this many, nothing is sealed any more (R3).
pub(crate) const SEAL_LIMIT: u64 = 1 << 23;
/// A key is used at most this long before it is changed.
const UPDATE_AFTER: Duration = Duration::from_secs(600);

/// Which keys are in use, and when they change.
#[derive(Debug)]
pub(crate) struct KeyPhase {
    /// The bit that packets sent now carry.
    phase: bool,
    since: Instant,
    /// Packets sealed with the current keys.
    sealed: u64,
    /// The first packet number sealed with the current keys.
    first_sent: Option<u64>,
    /// A packet sealed with the current keys was acknowledged, so the peer has them.
    acked: bool,
    /// The lowest packet number opened with the current keys.
    first_received: Option<u64>,
    /// The previous keys are kept: packets sealed with them may still be on the way.
    keeps_previous: bool,
    /// When they are forgotten: 3 PTO after the first packet that was opened with the current ones.
    previous_until: Option<Instant>,
    update_after: u64,
}

impl KeyPhase {
    /// The first keys; they are changed after `packets`, if not before.
    pub(crate) fn new(now: Instant, packets: u64) -> Self {
        Self {
            phase: false,
            since: now,
            sealed: 0,
            first_sent: None,
            acked: false,
            first_received: None,
            keeps_previous: false,
            previous_until: None,
            update_after: packets.min(PACKETS_PER_KEY_MAX),
        }
    }

    /// The key phase bit of packets to send.
    pub(crate) fn bit(&self) -> bool {
        self.phase
    }

    /// Packets sealed with the current keys.
    pub(crate) fn sealed(&self) -> u64 {
        self.sealed
    }

    pub(crate) fn on_sealed(&mut self, number: u64) {
        self.on_run_sealed(number, 1);
    }

    /// So many packets were sealed, of which that is the first.
    pub(crate) fn on_run_sealed(&mut self, first: u64, packets: u64) {
        self.sealed += packets;
        self.first_sent.get_or_insert(first);
    }

    /// How many packets in a row may be sealed before the keys are to be changed, or nothing may be sealed any more.
    pub(crate) fn may_seal(&self, now: Instant) -> u64 {
        let left = SEAL_LIMIT.saturating_sub(self.sealed);
        match self.may_update() {
            true => left.min(self.unworn(now)),
            false => left,
        }
    }

    /// How many more packets wear the keys out; keys that are old, the first one (R3).
    fn unworn(&self, now: Instant) -> u64 {
        let is_old = now.since(self.since) >= UPDATE_AFTER;
        let packets = if is_old { 1 } else { self.update_after };
        packets.saturating_sub(self.sealed)
    }

    pub(crate) fn on_acked(&mut self, largest: u64) {
        self.acked |= self.first_sent.is_some_and(|first| largest >= first);
    }

    /// Whether this end should change keys now: they are worn, and the peer has them (RFC 9001 §6.1).
    pub(crate) fn wants_update(&self, now: Instant) -> bool {
        self.may_update() && self.unworn(now) == 0
    }

    /// Whether this end may change keys now: the peer has the present ones (RFC 9001 §6.1).
    pub(crate) fn may_update(&self) -> bool {
        self.acked && !self.keeps_previous
    }

    /// Which keys a received packet is for.
    pub(crate) fn epoch_of(&self, bit: bool, number: u64) -> Epoch {
        if bit == self.phase {
            Epoch::Current
        } else if self.keeps_previous && self.first_received.is_none_or(|first| number < first) {
            Epoch::Previous
        } else {
            Epoch::Next
        }
    }

    /// Whether a packet of that number or a lower one was opened with the current keys: one more
    /// [changes nothing](Self::on_opened).
    pub(crate) fn is_opened_from(&self, number: u64) -> bool {
        self.first_received.is_some_and(|first| first <= number)
    }

    /// A packet was opened with the current keys: the peer has them, so the previous ones are kept until
    /// `previous_until` only.
    pub(crate) fn on_opened(&mut self, number: u64, previous_until: impl FnOnce() -> Instant) {
        if self.keeps_previous {
            self.previous_until.get_or_insert_with(previous_until);
        }
        let first = self.first_received.get_or_insert(number);
        *first = number.min(*first);
    }

    /// Whether the peer may change keys now: packets sealed with the current ones went out, so it can have seen an
    /// acknowledgement among them (RFC 9001 §6.5).
    pub(crate) fn peer_may_update(&self) -> bool {
        self.first_sent.is_some()
    }

    /// The session's keys were changed; the old ones are kept for a while.
    pub(crate) fn on_update(&mut self, now: Instant) {
        *self = Self {
            phase: !self.phase,
            keeps_previous: true,
            ..Self::new(now, self.update_after)
        };
    }

    /// When the previous keys are to be forgotten.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.previous_until
    }

    /// The previous keys were forgotten.
    pub(crate) fn on_previous_discarded(&mut self) {
        self.keeps_previous = false;
        self.previous_until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Instant = Instant::from_nanos(1_000_000_000);

    const T1: Instant = Instant::from_nanos(2_000_000_000);

    #[test]
    fn r4_no_update_before_the_last_one_was_acknowledged() {
        let mut keys = KeyPhase::new(T0, 2);
        keys.on_sealed(0);
        keys.on_sealed(1);
        assert!(!keys.wants_update(T0));
        keys.on_acked(1);
        assert!(keys.wants_update(T0));
        keys.on_update(T0);
        keys.on_sealed(2);
        keys.on_sealed(3);
        keys.on_acked(1);
        assert!(!keys.wants_update(T0), "packet 1 was of the phase before");
        keys.on_acked(2);
        assert!(!keys.wants_update(T0), "the keys of before are still kept");
        keys.on_previous_discarded();
        assert!(keys.wants_update(T0));
    }

    #[test]
    fn packets_of_three_phases_are_told_apart() {
        let mut keys = KeyPhase::new(T0, u64::MAX);
        keys.on_opened(7, || T1);
        assert_eq!(keys.epoch_of(false, 8), Epoch::Current);
        assert_eq!(keys.epoch_of(true, 9), Epoch::Next);
        keys.on_update(T0);
        assert_eq!(
            keys.epoch_of(false, 12),
            Epoch::Previous,
            "the peer has not followed yet"
        );
        assert_eq!(keys.deadline(), None);
        keys.on_opened(10, || T1);
        assert_eq!(keys.epoch_of(false, 9), Epoch::Previous);
        assert_eq!(keys.epoch_of(true, 9), Epoch::Current);
        assert_eq!(keys.epoch_of(false, 11), Epoch::Next);
        assert_eq!(keys.deadline(), Some(T1));
        keys.on_previous_discarded();
        assert_eq!(
            keys.epoch_of(false, 9),
            Epoch::Next,
            "which will not open it"
        );
    }

    /// As many as are found by asking before each.
    #[test]
    fn as_many_may_be_sealed_as_one_by_one() {
        for (sealed, acked, seconds) in [
            (0, true, 0),
            (0, true, 600),
            (1, true, 600),
            (3, true, 0),
            (3, false, 0),
            (4, true, 0),
            (9, true, 0),
            (9, false, 600),
        ] {
            let mut keys = KeyPhase::new(T0, 4);
            keys.sealed = sealed;
            keys.acked = acked;
            let now = T0 + Duration::from_secs(seconds);
            let many = keys.may_seal(now);
            let mut one_by_one = 0;
            while one_by_one < 10 && keys.sealed() < SEAL_LIMIT && !keys.wants_update(now) {
                keys.on_sealed(one_by_one);
                one_by_one += 1;
            }
            assert_eq!(many.min(10), one_by_one, "{sealed} {acked} {seconds}");
        }
        let mut keys = KeyPhase::new(T0, u64::MAX);
        keys.sealed = SEAL_LIMIT - 2;
        assert_eq!(keys.may_seal(T0), 2);
    }

    #[test]
    fn keys_are_changed_after_ten_minutes() {
        let mut keys = KeyPhase::new(T0, u64::MAX);
        keys.on_sealed(0);
        keys.on_acked(0);
        assert!(!keys.wants_update(T0 + Duration::from_secs(599)));
        assert!(keys.wants_update(T0 + Duration::from_secs(600)));
    }
}
