//! Whether the sender's accounts agree with the packets.

use alloc::format;

use super::space::Space;
use super::{PACKETS_MAX, Recovery};
use crate::audit::{Breach, check, rule};
use crate::crypto::Level;

/// Probes and acknowledgements may be remembered beyond [`PACKETS_MAX`]: they are few.
const PROBES_MAX: usize = 1_024;

impl<F: Copy> Recovery<F> {
    /// Checks the accounts; the work grows with the packets that are remembered.
    pub(crate) fn audit(&self) -> Result<(), Breach> {
        self.spaces.iter().try_for_each(Space::audit)?;
        let outstanding = self.spaces.iter().flat_map(Space::outstanding);
        let (bytes, open) = outstanding.fold((0, 0), |(bytes, open), packet| {
            let flying = if packet.in_flight { packet.bytes } else { 0 };
            (bytes + u64::from(flying), open + 1)
        });
        check(bytes == self.in_flight, rule::IN_FLIGHT, || {
            format!("{} are counted, the packets have {bytes}", self.in_flight)
        })?;
        let of = &self.counters;
        let forgotten: u64 = self.spaces.iter().map(|space| space.forgotten).sum();
        let all = of.acked_packets + of.lost_packets + forgotten + open;
        check(all == of.sent_packets, rule::FATES, || {
            format!(
                "{} sent, but {} acknowledged, {} lost, {forgotten} forgotten, {open} outstanding",
                of.sent_packets, of.acked_packets, of.lost_packets
            )
        })?;
        let (window, size) = (self.window(), u64::from(self.datagram_size));
        check(window >= 2 * size, rule::MINIMUM_WINDOW, || {
            format!("the window is {window} bytes, datagrams have {size}")
        })?;
        let remembered: usize = self.spaces.iter().map(Space::len).sum();
        check(remembered <= PACKETS_MAX + PROBES_MAX, rule::QUEUES, || {
            format!("{remembered} packets are remembered")
        })?;
        self.audit_timers()
    }

    /// What may be lost, or may need a probe, has a timer.
    fn audit_timers(&self) -> Result<(), Breach> {
        let armed = self.deadline().map(|(at, _)| at);
        for level in Level::ALL {
            let space = self.space(level);
            let probed = level != Level::Data || self.timers.handshake_confirmed;
            let needed = space.loss_time.is_some() || (space.eliciting > 0 && probed);
            let blocked = self.timers.blocked && space.loss_time.is_none();
            check(armed.is_some() || !needed || blocked, rule::TIMERS, || {
                format!(
                    "{} packets at {level:?} wait without a timer",
                    space.eliciting
                )
            })?;
            let late = space
                .loss_time
                .is_some_and(|at| armed.is_none_or(|armed| armed > at));
            check(!late, rule::TIMERS, || {
                format!(
                    "losses at {level:?} are due at {:?}, the timer is {armed:?}",
                    space.loss_time
                )
            })?;
        }
        Ok(())
    }

    /// Shows the frames of packets of which nothing was heard.
    pub(crate) fn outstanding(&self, mut show: impl FnMut(F)) {
        let frames = self.spaces.iter().flat_map(Space::outstanding_frames);
        frames.for_each(|frame| show(*frame));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::CongestionControl;
    use crate::recovery::{INITIAL_RTT, MAX_ACK_DELAY, Received, Sent, Settings};
    use crate::time::{Duration, Instant};
    use alloc::vec::Vec;

    /// Ten packets sent, of which every second is acknowledged.
    fn half_acknowledged() -> Recovery<u8> {
        let settings = Settings {
            control: CongestionControl::Cubic,
            datagram_size: 1_200,
            max_ack_delay: MAX_ACK_DELAY,
            is_server: true,
            initial_rtt: INITIAL_RTT,
        };
        let mut recovery = Recovery::new(settings, Instant::ZERO);
        recovery.set_handshake_confirmed();
        let sent = Sent {
            bytes: 1_000,
            ack_eliciting: true,
            in_flight: true,
            marked: false,
        };
        for n in 0..10 {
            recovery.on_packet_sent(Instant::ZERO, Level::Data, sent, &[n]);
            assert_eq!(recovery.audit(), Ok(()));
        }
        let now = Instant::ZERO + Duration::from_millis(50);
        let ranges = || [9..=9, 7..=7, 5..=5];
        let mut fates = Vec::new();
        let acked = recovery.on_ack_ranges(
            now,
            Level::Data,
            (Duration::ZERO, None),
            || ranges().into_iter(),
            &mut |fate, frame| fates.push((fate, frame)),
        );
        assert!(acked.is_ok() && fates.len() > 3);
        assert_eq!(recovery.audit(), Ok(()));
        recovery
    }

    fn broken(change: impl FnOnce(&mut Recovery<u8>)) -> Option<&'static str> {
        let mut recovery = half_acknowledged();
        change(&mut recovery);
        recovery.audit().err().map(|breach| breach.rule)
    }

    #[test]
    fn accounts_that_are_off_are_found() {
        assert_eq!(broken(|_| {}), None);
        assert_eq!(broken(|of| of.in_flight += 1), Some(rule::IN_FLIGHT));
        assert_eq!(
            broken(|of| of.counters.lost_packets -= 1),
            Some(rule::FATES)
        );
        assert_eq!(
            broken(|of| of.counters.sent_packets += 1),
            Some(rule::FATES)
        );
        assert_eq!(
            broken(|of| of.datagram_size = 60_000),
            Some(rule::MINIMUM_WINDOW)
        );
        assert_eq!(
            broken(|of| of.space_mut(Level::Data).eliciting += 1),
            Some(rule::PACKETS)
        );
        assert_eq!(
            broken(|of| of.space_mut(Level::Data).next = 5),
            Some(rule::NUMBERS)
        );
    }

    #[test]
    fn only_open_frames_are_shown() {
        let mut shown = Vec::new();
        half_acknowledged().outstanding(|frame| shown.push(frame));
        assert_eq!(shown, [8]);
    }

    #[test]
    fn arrivals_are_counted() {
        let mut received = Received::new(Level::Data, MAX_ACK_DELAY);
        for number in [0, 1, 5, 3, 9] {
            received.insert(number, Instant::ZERO, true);
        }
        assert_eq!(received.audit(), Ok(5));
    }
}
