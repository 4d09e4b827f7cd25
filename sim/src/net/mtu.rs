use proto_core::Instant;

use super::{Fate, Node, Schedule};

/// Loses datagrams with more UDP payload than fits, without a word: the way has no ICMP (a black hole).
#[derive(Debug)]
pub struct Mtu(Schedule<u32>);

impl Mtu {
    /// Bytes of UDP payload that pass, over time. An IP packet of 1,500 bytes holds 1,472 over IPv4 and 1,452 over IPv6.
    #[must_use]
    pub fn new(payload_max: Schedule<u32>) -> Self {
        Self(payload_max)
    }
}

impl Node for Mtu {
    fn pass(&mut self, now: Instant, payload: &mut Vec<u8>) -> Fate {
        if payload.len() as u64 > u64::from(self.0.at(now).0) {
            Fate::Lost
        } else {
            Fate::At(now)
        }
    }
}

#[cfg(test)]
mod tests {
    use proto_core::Duration;

    use super::*;

    #[test]
    fn what_fits_passes_and_the_size_changes() {
        let changes = vec![(Duration::from_nanos(100), 1_200)];
        let mut mtu = Mtu::new(Schedule::new(1_452, changes, None));
        let mut passes = |at, len| {
            let now = Instant::from_nanos(at);
            let fate = mtu.pass(now, &mut vec![0; len]);
            assert!(fate == Fate::Lost || fate == Fate::At(now));
            fate != Fate::Lost
        };
        assert!(passes(0, 0) && passes(0, 1_452) && !passes(0, 1_453));
        assert!(passes(99, 1_452) && !passes(100, 1_452));
        assert!(passes(100, 1_200) && !passes(100, 1_201));
    }
}
