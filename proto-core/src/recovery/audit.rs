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
        let outstanding = || self.spaces.iter().flat_map(Space::outstanding);
        let flying = outstanding().filter(|packet| packet.in_flight);
        let bytes: u64 = flying.map(|packet| u64::from(packet.bytes)).sum();
        check(bytes == self.in_flight, rule::IN_FLIGHT, || {
            format!("{} are counted, the packets have {bytes}", self.in_flight)
        })?;
        let of = &self.counters;
        let forgotten: u64 = self.spaces.iter().map(|space| space.forgotten).sum();
        let open = outstanding().count() as u64;
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
        for space in &self.spaces {
            for packet in space.outstanding() {
                space.frames(packet).for_each(|frame| show(*frame));
            }
        }
    }
}
