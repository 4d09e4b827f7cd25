//! Acknowledgements in both directions, loss detection, probes and the sender's brakes (RFC 9002).
//!
//! [`Received`] remembers what arrived and says when an acknowledgement is owed. [`Recovery`] remembers what was sent,
//! decides what was lost and when to probe, and holds the congestion controller and the pacer. Neither knows what packets
//! carry: each sent packet's frames are kept as small copies, and come back with their [`Fate`]: once, or twice when a packet that
//! was declared lost arrives after all.

mod ack;
mod audit;
mod black_hole;
mod delivery;
mod ecn;
mod frequency;
mod late;
mod loss;
mod path;
mod received;
mod reordering;
mod rtt;
mod run;
mod silence;
mod skips;
mod space;
mod timer;

use alloc::boxed::Box;

pub use frequency::AckFrequency;
pub use received::{MAX_ACK_DELAY, RANGES_MAX, Received};
pub use rtt::{GRANULARITY, INITIAL_RTT, Rtt};
pub use timer::{OnTimeout, Timer};

use crate::congestion::CongestionControl;
use crate::congestion::{Controller, Pacer, SentPacket, controller};
use crate::crypto::Level;
use crate::fault::Faults;
use crate::time::{Duration, Instant};
use delivery::{Delivery, Snapshot};
use ecn::Ecn;
use loss::CongestionEvent;
use reordering::Reordering;
use silence::Silence;
use space::Space;

/// Sent packets that may be remembered at once, over all packet number spaces (M5).
pub const PACKETS_MAX: usize = 1 << 17;

/// How a session's recovery begins.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The congestion controller.
    pub control: CongestionControl,
    /// UDP payload of full datagrams.
    pub datagram_size: u16,
    /// How long the peer may hold an acknowledgement back.
    pub max_ack_delay: Duration,
    /// A server's address is known to be valid; a client probes until it knows that the server takes its own for
    /// valid.
    pub is_server: bool,
    /// Stands for the round-trip time until there is a sample; [`INITIAL_RTT`] unless better is known.
    pub initial_rtt: Duration,
}

/// What recovery needs to know of a packet that is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sent {
    /// UDP payload bytes, with header and tag.
    pub bytes: u32,
    /// It holds a frame other than ACK, PADDING and CLOSE.
    pub ack_eliciting: bool,
    /// It counts against the congestion window: it is ack-eliciting or holds PADDING. A probe of the path's MTU asks for an
    /// acknowledgement and does not count: its loss says nothing of congestion (RFC 9000 §14.4), no probe time-out waits for it,
    /// and its fate shows with that of others. Only the pacer's following packets wait for what it takes.
    pub in_flight: bool,
    /// It leaves with ECT(0): see [`Recovery::marks_ecn`].
    pub marked: bool,
}

/// What became of a sent frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// The peer has it.
    Acked,
    /// It is presumed lost; if it still matters, it must be sent again.
    Lost,
    /// It was told lost, and has arrived after all. Meanwhile, it may have been sent again.
    Late,
}

/// Why an ACK frame ends the session with PROTOCOL_VIOLATION.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AckError {
    /// It names a packet that was never sent (T4), or left out on purpose (T5).
    #[error("an acknowledgement of a packet that was not sent")]
    NeverSent,
}

/// What an ACK frame did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AckOutcome {
    /// Packets newly acknowledged.
    pub acked_packets: u32,
    /// Their bytes, of those that were in flight.
    pub acked_bytes: u64,
    /// The highest number that was newly acknowledged.
    pub largest_acked: Option<u64>,
    /// Packets found lost.
    pub lost_packets: u32,
    /// Their bytes, of those that were in flight.
    pub lost_bytes: u64,
    /// Packets that had been declared lost and have arrived after all.
    pub late_packets: u32,
    /// The round-trip sample that it gave.
    pub rtt_sample: Option<Duration>,
}

/// Totals since the session began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Packets sent.
    pub sent_packets: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Packets acknowledged.
    pub acked_packets: u64,
    /// Bytes acknowledged, of packets in flight.
    pub acked_bytes: u64,
    /// Packets presumed lost, those that arrived after all included.
    pub lost_packets: u64,
    /// Bytes presumed lost, of packets in flight, those that arrived after all included.
    pub lost_bytes: u64,
    /// Packets presumed lost that arrived after all.
    pub late_packets: u64,
    /// Their bytes, of those that were in flight.
    pub late_bytes: u64,
    /// Cuts that were undone, since all that had been lost arrived after all.
    pub undone_cuts: u64,
    /// Probe time-outs.
    pub probes: u64,
    /// Congestion events: each cut the window.
    pub cuts: u64,
    /// Packets that routers had marked, as the peer says and as can be true (ECN-CE).
    pub ecn_ce: u64,
    /// Ack-eliciting packets that made bytes in flight exceed the congestion window: only probes may.
    pub beyond_window: u64,
}

/// A session's sending side: all three packet number spaces of one path.
///
/// `F` is what the owner wants back of each frame when its fate is known.
#[derive(Debug)]
pub struct Recovery<F> {
    spaces: [Space<F>; 3],
    rtt: Rtt,
    /// RFC 9002 §7.6.2: only packets sent after the first sample can prove persistent congestion.
    first_sample: Option<Instant>,
    max_ack_delay: Duration,
    datagram_size: u16,
    initial_rtt: Duration,
    control_kind: CongestionControl,
    control: Box<dyn Controller>,
    pacer: Pacer,
    delivery: Delivery,
    in_flight: u64,
    /// When the window was last cut; packets sent until then belong to that congestion event (RFC 9002 §7.3.2).
    cut_at: Option<Instant>,
    /// The last one, while its cut may be undone.
    event: Option<CongestionEvent>,
    reordering: Reordering,
    silence: Silence,
    ecn: Ecn,
    app_limited: bool,
    /// No faster than this, whatever the controller says; bytes a second.
    rate_limit: Option<u64>,
    black_hole: black_hole::BlackHole,
    timers: timer::Timers,
    counters: Counters,
    faults: Faults,
}

impl<F: Copy> Recovery<F> {
    /// Nothing sent yet.
    #[must_use]
    pub fn new(settings: Settings, now: Instant) -> Self {
        let rtt = Rtt::new(settings.initial_rtt);
        let control = controller(settings.control, settings.datagram_size);
        let pacer = pacer(now, &*control, &rtt);
        Self {
            spaces: Default::default(),
            rtt,
            first_sample: None,
            max_ack_delay: settings.max_ack_delay,
            datagram_size: settings.datagram_size,
            initial_rtt: settings.initial_rtt,
            control_kind: settings.control,
            control,
            pacer,
            delivery: Delivery::new(now),
            in_flight: 0,
            cut_at: None,
            event: None,
            reordering: Reordering::default(),
            silence: Silence::default(),
            ecn: Ecn::default(),
            app_limited: false,
            rate_limit: None,
            black_hole: black_hole::BlackHole::default(),
            timers: timer::Timers::new(settings.is_server, now),
            counters: Counters::default(),
            faults: Faults::default(),
        }
    }

    /// Where bugs are planted.
    pub(crate) fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// The peer's transport parameter came.
    pub fn set_max_ack_delay(&mut self, delay: Duration) {
        self.max_ack_delay = delay;
    }

    /// The UDP payload of full datagrams changed.
    pub fn set_datagram_size(&mut self, now: Instant, bytes: u16) {
        self.datagram_size = bytes;
        self.control.set_datagram_size(bytes);
        self.pace(now);
    }

    /// The pacer takes the controller's rate.
    fn pace(&mut self, now: Instant) {
        let rate = self.pacing_rate();
        let mut quantum = self.control.send_quantum(rate);
        if self.is_rate_limited() {
            quantum = quantum.min((rate / 1_000).max(2 * u64::from(self.datagram_size)));
        }
        self.pacer.set_rate(now, rate, quantum);
    }

    /// Nothing leaves faster than `limit` bytes a second from `now` on, whatever the controller says; `None` for no limit.
    pub fn set_rate_limit(&mut self, now: Instant, limit: Option<u64>) {
        if self.rate_limit != limit {
            self.rate_limit = limit;
            self.pace(now);
        }
    }

    /// Whether the limit is what holds packets back.
    fn is_rate_limited(&self) -> bool {
        self.rate_limit
            .is_some_and(|limit| limit < self.control.pacing_rate(&self.rtt))
    }

    /// From now on, packets of `size` that are lost while smaller ones arrive are noticed, if `size` is above `base`.
    pub fn watch_for_black_hole(&mut self, size: u16, base: u16) {
        self.black_hole = black_hole::BlackHole::new(size, base);
    }

    /// As [`take_black_hole`](Self::take_black_hole), without an effect.
    #[must_use]
    pub fn is_in_black_hole(&self) -> bool {
        self.black_hole.is_found()
    }

    /// Whether the path has stopped to carry full datagrams (RFC 8899 §4.3). True once; then nothing is watched.
    pub fn take_black_hole(&mut self) -> bool {
        self.black_hole.take()
    }

    /// The number of the next packet. Numbers are never used twice (R1): they only grow, also over key updates.
    #[must_use]
    pub fn next_number(&self, level: Level) -> u64 {
        self.space(level).next
    }

    /// Leaves a number out on purpose, so that a peer who acknowledges what it has not seen gives itself away (T5). The
    /// last eight such numbers of a space are remembered.
    pub fn skip_number(&mut self, level: Level) {
        self.space_mut(level).skip();
    }

    /// A packet goes out under [`next_number`](Self::next_number). Of a packet that is not in flight nothing is kept,
    /// and its frames meet no fate, while 64 such packets of its space are unresolved: who only acknowledges learns what
    /// the peer knows from the PING that it sends now and then, with an ACK frame in the same packet.
    pub fn on_packet_sent(&mut self, now: Instant, level: Level, sent: Sent, frames: &[F]) {
        self.counters.sent_packets += 1;
        self.counters.sent_bytes += u64::from(sent.bytes);
        let bytes = u64::from(sent.bytes);
        let app_limited = self.delivery.is_app_limited();
        let snapshot = match sent.in_flight {
            true => self.delivery.on_sent(now, bytes, self.in_flight),
            false => Snapshot::default(),
        };
        self.ecn.on_sent(now, level, sent.marked);
        let space = self.space_mut(level);
        space.push(now, sent, snapshot, app_limited, frames);
        if !sent.in_flight {
            if sent.ack_eliciting {
                self.pacer.on_sent(now, bytes);
            }
            return;
        }
        let beyond = sent.ack_eliciting && self.in_flight + bytes > self.control.window();
        self.counters.beyond_window += u64::from(beyond);
        self.control.on_sent(&SentPacket {
            now,
            bytes,
            in_flight: self.in_flight,
            app_limited,
            delivered: self.delivery.delivered(),
        });
        self.pacer.on_sent(now, bytes);
        self.in_flight += bytes;
        if sent.ack_eliciting {
            self.app_limited = false;
            self.timers.restart(now);
        }
        if self.is_rate_limited() {
            // What goes out tells nothing of what the path could carry.
            self.on_app_limited();
        }
    }

    /// Whether the next packet, if it would only acknowledge, should hold a PING as well: many went without, so that
    /// nothing says which of them arrived, and ACK frames grow. At most once a round trip (RFC 9000 §13.2.4).
    #[must_use]
    pub fn wants_ping(&self, level: Level) -> bool {
        self.space(level).wants_ping()
    }

    /// The keys of a level are gone: its packets leave the accounts silently, their frames meet no fate
    /// (RFC 9002 §6.4).
    pub fn discard(&mut self, level: Level) {
        let bytes = self.space_mut(level).discard();
        self.in_flight -= bytes;
        self.silence.discard(level);
        self.timers.reset_backoff();
    }

    /// Whether one more packet can be remembered (M5). False stops everything but the reading of ACKs.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.memory_left() > 0
    }

    /// How many more packets can be remembered (M5).
    fn memory_left(&self) -> u64 {
        let remembered = self.spaces.iter().map(Space::len).sum();
        PACKETS_MAX.saturating_sub(remembered) as u64
    }

    /// Bytes that the congestion window still allows. Probes may be sent without.
    #[must_use]
    pub fn congestion_room(&self) -> u64 {
        self.control.window().saturating_sub(self.in_flight)
    }

    /// Bytes that may be in flight on top of those that are, where no more than `most` may be whatever the window.
    #[must_use]
    pub fn room(&self, most: u64) -> u64 {
        self.congestion_room()
            .min(most.saturating_sub(self.in_flight))
    }

    /// Whether the pacer lets `bytes` leave now: a packet or a whole batch. Probes and packets that are not in flight
    /// may be sent without.
    ///
    /// # Errors
    /// When to ask again.
    pub fn pacing(&mut self, now: Instant, bytes: u64) -> Result<(), Instant> {
        self.pacer.ready(now, bytes)
    }

    /// Whether what may leave at once would not wait for a packet that leaves now.
    ///
    /// # Errors
    /// When to ask again.
    pub fn pacer_is_full(&mut self, now: Instant) -> Result<(), Instant> {
        self.pacer.is_full(now)
    }

    /// There is nothing more to send although window and pacer would allow it, for want of data or of the peer's
    /// credit. Holds until the next ack-eliciting packet; an unused window does not grow (RFC 9002 §7.8).
    pub fn on_app_limited(&mut self) {
        self.app_limited = true;
        self.delivery.on_app_limited(self.in_flight);
    }

    /// Shows the frames of the `count` oldest ack-eliciting packets in flight, which stay where they are: what a probe
    /// should carry (RFC 9002 §6.2.4).
    pub fn oldest(&self, level: Level, count: usize, show: &mut impl FnMut(F)) {
        self.space(level).oldest(count, show);
    }

    /// Shows the frames of the newest ack-eliciting packet in flight with a number in `range`, which stays where it is: what is
    /// worth to be said again. The packet's number.
    pub fn newest(
        &self,
        level: Level,
        range: core::ops::Range<u64>,
        show: &mut impl FnMut(F),
    ) -> Option<u64> {
        self.space(level).newest(range, show)
    }

    /// When the last ack-eliciting packet of a level was sent; the beginning of time for none.
    #[must_use]
    pub fn last_eliciting(&self, level: Level) -> Instant {
        self.space(level).last_ack_eliciting
    }

    /// When the oldest ack-eliciting packet was sent of which nothing was heard.
    #[must_use]
    pub fn oldest_sent(&self, level: Level) -> Option<Instant> {
        let mut outstanding = self.space(level).outstanding();
        let oldest = outstanding.find(|packet| packet.ack_eliciting);
        oldest.map(|packet| packet.time)
    }

    /// The highest packet number that the peer acknowledged.
    #[must_use]
    pub fn largest_acked(&self, level: Level) -> Option<u64> {
        self.space(level).largest_acked
    }

    /// UDP payload of full datagrams.
    #[must_use]
    pub fn datagram_size(&self) -> u16 {
        self.datagram_size
    }

    /// The round-trip time.
    #[must_use]
    pub fn rtt(&self) -> &Rtt {
        &self.rtt
    }

    /// The probe time-out of 1-RTT packets, without backoff (RFC 9002 §6.2.1).
    #[must_use]
    pub fn pto(&self) -> Duration {
        self.rtt.pto_base() + self.max_ack_delay
    }

    /// Bytes in flight.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Whether less is in flight than the path holds without a queue, at the rate that the pacer lets go.
    #[must_use]
    pub fn is_path_idle(&self) -> bool {
        let nanos = self.rtt.min().as_nanos();
        let bytes = u128::from(self.pacing_rate()) * nanos / 1_000_000_000;
        u128::from(self.in_flight + u64::from(self.datagram_size)) <= bytes
    }

    /// Bytes a second that the pacer lets go.
    #[must_use]
    pub fn pacing_rate(&self) -> u64 {
        let free = self.control.pacing_rate(&self.rtt);
        self.rate_limit.map_or(free, |limit| free.min(limit))
    }

    /// The congestion window in bytes.
    #[must_use]
    pub fn window(&self) -> u64 {
        self.control.window()
    }

    /// Totals.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Gives back memory that a busy time left behind. For a session that turns idle.
    pub fn shrink(&mut self) {
        self.spaces.iter_mut().for_each(Space::shrink);
    }

    fn space(&self, level: Level) -> &Space<F> {
        &self.spaces[level as usize]
    }

    fn space_mut(&mut self, level: Level) -> &mut Space<F> {
        &mut self.spaces[level as usize]
    }
}

/// A pacer with a full bucket at the controller's rate.
fn pacer(now: Instant, control: &dyn Controller, rtt: &Rtt) -> Pacer {
    let rate = control.pacing_rate(rtt);
    Pacer::new(now, rate, control.send_quantum(rate))
}

#[cfg(test)]
mod tests;
