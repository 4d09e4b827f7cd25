//! What a new path, or time that nobody lived through, does to what is known.

use super::Recovery;
use super::black_hole::BlackHole;
use super::delivery::Delivery;
use super::reordering::Reordering;
use super::rtt::Rtt;
use super::space::Space;
use crate::congestion::controller;
use crate::time::{Duration, Instant};

impl<F: Copy> Recovery<F> {
    /// The session goes on along another network path: congestion window, round-trip time and datagram size begin anew.
    /// Packets that were sent before are still acknowledged or lost, and count for neither (RFC 9000 §9.4).
    pub fn on_new_path(&mut self, now: Instant, datagram_size: u16) {
        self.leave_path();
        self.datagram_size = datagram_size;
        self.black_hole = BlackHole::default();
        self.rtt = Rtt::new(self.initial_rtt);
        self.first_sample = None;
        self.cut_at = None;
        self.event = None;
        self.reordering = Reordering::default();
        self.control = controller(self.control_kind, datagram_size);
        self.pacer = super::pacer(now, &*self.control, &self.rtt);
        self.delivery = Delivery::new(now);
        self.timers.reset_backoff();
    }

    /// What is under way went along another path, and leaves the congestion accounts: it is still acknowledged or lost, and
    /// tells nothing of the present path. ECN is tested anew.
    pub fn leave_path(&mut self) {
        self.spaces.iter_mut().for_each(Space::leave_path);
        self.in_flight = 0;
        self.silence.on_new_path();
        self.ecn.on_new_path();
    }

    /// The clock went on by `by` while nobody was there to take acknowledgements in: nothing became late by that, and no
    /// round trip longer (T12).
    pub fn on_leap(&mut self, by: Duration) {
        for space in &mut self.spaces {
            space.on_leap(by);
        }
        let before = self.event.as_mut().map(|event| &mut event.cut_before);
        for at in [Some(&mut self.first_sample), Some(&mut self.cut_at), before]
            .into_iter()
            .flatten()
            .flatten()
        {
            *at += by;
        }
        self.silence.on_leap(by);
        self.delivery.on_leap(by);
        self.control.on_leap(by);
        self.timers.on_leap(by);
        self.ecn.on_leap(by);
    }
}
