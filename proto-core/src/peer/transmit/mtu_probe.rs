//! Probes of the path's MTU: datagrams of their own, PING and PADDING (RFC 9000 §14.4).

use super::super::key_phase::SEAL_LIMIT;
use super::super::{Peer, SentFrame};
use crate::crypto::Level;
use crate::ecn::Ecn;
use crate::endpoint::{Shared, Transmit};
use crate::fault::Fault;
use crate::time::{Duration, Instant};
use crate::wire::Frame;

/// What a probe may always take.
const QUICK: Duration = Duration::from_millis(1);

impl Peer {
    /// Whether a probe is to be sent: only on a path that is proven and that nobody is about to leave.
    pub(super) fn owes_mtu_probe(&self) -> bool {
        self.mtu.due().is_some_and(|size| self.is_quick(size))
            && self.confirmed
            && self.state.is_established()
            && self.path.is_validated()
            && self.path.validation.is_none()
            && self.previous.is_none()
            && self.recovery.has_room()
            && self.keys.sealed() < SEAL_LIMIT
    }

    /// Whether that many bytes take little time at the present rate (P3.19): a probe must not hold up what a slow start, or a
    /// slow path, has to send. Within a host, where it is all a matter of memory, they do.
    fn is_quick(&self, size: u16) -> bool {
        if self.mtu.is_local() {
            return true;
        }
        let time = u64::from(size) * 1_000_000_000 / self.recovery.pacing_rate().max(1);
        Duration::from_nanos(time) <= (self.recovery.rtt().smoothed() / 8).max(QUICK)
    }

    /// A full datagram was sent: the search for larger ones goes on.
    pub(super) fn note_full_datagram(&mut self, now: Instant) {
        if self.mtu.heeds_full(now) && self.confirmed && self.path.is_validated() {
            let remote = self.path.remote.ip();
            let is_local = remote.to_canonical().is_loopback() || self.path.local == Some(remote);
            self.mtu.on_full_sent(now, remote, is_local);
        }
    }

    /// The next probe.
    pub(super) fn probe_mtu(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        out: &mut [u8],
    ) -> Option<Transmit> {
        if !self.owes_mtu_probe() {
            return None;
        }
        let size = self.mtu.due()?;
        let Some(out) = out.get_mut(..usize::from(size)) else {
            self.mtu.on_no_room(now, size);
            return None;
        };
        let id = self.mtu.on_sent(size);
        let mut draft = self.draft(now, shared, Level::Data, out, 0, |_, _, writer| {
            let written = writer.put(&Frame::Ping, SentFrame::MtuProbe(id));
            debug_assert!(written, "PING fits any packet");
        })?;
        draft.pad(out);
        let len = self.finish(now, shared, draft, out);
        self.path.on_sent(len);
        self.bytes_sent += len as u64;
        Some(Transmit {
            destination: self.path.remote,
            source: self.path.local,
            len,
            segment_size: len,
            may_fragment: false,
            ecn: Ecn::NotEct,
        })
    }

    /// Acknowledgements or losses came: datagrams may have grown, or fall back to what always passed.
    pub(in super::super) fn heed_path_mtu(&mut self, now: Instant) {
        if !self.faults.strikes(Fault::BlackHoleUnheeded) && self.recovery.take_black_hole() {
            self.mtu.on_black_hole();
        }
        self.apply_path_mtu(now);
    }

    /// Packets are as large as the path carries, once the handshake is confirmed.
    pub(in super::super) fn apply_path_mtu(&mut self, now: Instant) {
        let (size, base) = (self.mtu.size(), self.mtu.base());
        if self.confirmed && self.recovery.datagram_size() != size {
            self.recovery.set_datagram_size(now, size);
            self.recovery.watch_for_black_hole(size, base);
        }
    }
}
