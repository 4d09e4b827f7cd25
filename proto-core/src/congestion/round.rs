//! Packet-timed round trips (draft-ietf-ccwg-bbr §5.5.1): one ends with the acknowledgement of a packet that was sent after
//! it began.

use super::Acked;

/// What one round came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Ended {
    /// Bytes acknowledged.
    pub(super) acked: u64,
    /// Bytes found lost in the light of acknowledgements.
    pub(super) lost: u64,
}

impl Ended {
    /// Whether more than so many thousandths of its bytes were lost.
    pub(super) fn loses_more_than(&self, permille: u64) -> bool {
        let all = u128::from(self.acked) + u128::from(self.lost);
        u128::from(self.lost) * 1_000 > all * u128::from(permille)
    }
}

/// The round that runs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round {
    /// It ends with a packet before which so much had been delivered.
    ends_at: u64,
    so_far: Ended,
}

impl Round {
    /// Counts an acknowledgement; the round that it ended.
    pub(super) fn on_ack(&mut self, acked: &Acked<'_>) -> Option<Ended> {
        let so_far = &mut self.so_far;
        so_far.acked = so_far.acked.saturating_add(acked.newly_acked);
        so_far.lost = so_far.lost.saturating_add(acked.newly_lost);
        let rate = acked.rate?;
        if rate.prior_delivered < self.ends_at {
            return None;
        }
        self.ends_at = acked.delivered;
        Some(core::mem::take(&mut self.so_far))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::ack;
    use super::*;

    #[test]
    fn a_round_ends_with_a_packet_of_its_own() {
        let mut round = Round::default();
        // Sent before anything was delivered.
        assert_eq!(round.on_ack(&ack(0, 1_000, 1_000)).unwrap().acked, 1_000);
        assert_eq!(round.on_ack(&ack(0, 2_000, 1_000)), None);
        assert_eq!(round.on_ack(&ack(999, 3_000, 1_000)), None);
        let lossy = Acked {
            newly_lost: 300,
            ..ack(1_000, 4_000, 1_000)
        };
        let ended = Ended {
            acked: 3_000,
            lost: 300,
        };
        assert_eq!(round.on_ack(&lossy), Some(ended));
        assert_eq!(round.on_ack(&ack(3_999, 5_000, 1_000)), None);
        // Without a sample nothing ends.
        let unsampled = Acked {
            rate: None,
            ..ack(9_000, 6_000, 1_000)
        };
        assert_eq!(round.on_ack(&unsampled), None);
        assert_eq!(round.on_ack(&ack(4_000, 6_000, 0)).unwrap().acked, 2_000);
    }
}
