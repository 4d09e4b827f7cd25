//! A batch of datagrams out: which levels, which frames, sealed.

mod content;
mod mtu_probe;
mod packet;
mod run;

use packet::Draft;

use super::gate::Gate;
use super::key_phase::SEAL_LIMIT;
use super::{DATAGRAM_BASE, Peer, State};
use crate::crypto::{Direction, Level, TAG_LEN};
use crate::ecn::Ecn;
use crate::endpoint::{Shared, Transmit};
use crate::time::Instant;
use crate::wire::{CloseCode, Frame};

/// Bytes of a batch at most (`UDP_SEGMENT`'s limit).
const BATCH_MAX: usize = 65_507;
/// A further packet is coalesced only where it can hold something.
const ROOM_MIN: usize = 100;

/// Room for a challenge: less is not worth a datagram.
const DATAGRAM_MIN: usize = 64;

impl Peer {
    /// Whether [`poll_transmit`](Self::poll_transmit) would send something.
    pub(crate) fn wants_transmit(&self, now: Instant) -> bool {
        if self.owes_previous_challenge() || self.owes_mtu_probe() {
            return true;
        }
        if self.room_on_path() < self.datagram_min() {
            return false;
        }
        match self.state {
            State::Gone => false,
            State::Closing { frame_due, .. } => frame_due,
            _ => {
                let gate = if self.is_gate_open(now) {
                    Gate::Open
                } else {
                    Gate::Shut
                };
                Level::ALL
                    .into_iter()
                    .any(|level| self.wants(now, level, gate))
            }
        }
    }

    /// Builds one batch: datagrams of equal size, the last perhaps shorter.
    pub(crate) fn poll_transmit(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        segments_max: usize,
        out: &mut [u8],
    ) -> Option<Transmit> {
        if let Some(transmit) = self.challenge_previous(now, shared, out) {
            return Some(transmit);
        }
        if let Some(transmit) = self.probe_mtu(now, shared, out) {
            return Some(transmit);
        }
        let marks = self.recovery.marks_ecn(now);
        self.marks = marks;
        let (size, segments_max) = self.batch_shape(segments_max);
        let segments = segments_max.min(out.len().min(BATCH_MAX) / size);
        let mut len = 0;
        let mut segment_size = size;
        while len < segments * size {
            let room = self.room_on_path().min(size);
            // One codepoint for all: a test of the path may end within the batch.
            if room < self.datagram_min().min(size) || self.recovery.marks_ecn(now) != marks {
                break;
            }
            let written = self.build_datagram(now, shared, &mut out[len..len + room]);
            self.path.on_sent(written);
            self.bytes_sent += written as u64;
            if len == 0 {
                segment_size = written;
            }
            len += written;
            if written < size {
                break;
            }
            self.note_full_datagram(now);
            let run = self.append_run(now, size, &mut out[len..segments * size]);
            self.path.on_sent(run);
            self.bytes_sent += run as u64;
            len += run;
        }
        self.marks = false;
        self.note_amplification();
        (len > 0).then_some(Transmit {
            destination: self.path.remote,
            source: self.path.local,
            len,
            segment_size,
            may_fragment: false,
            ecn: if marks { Ecn::Ect0 } else { Ecn::NotEct },
        })
    }

    /// Bytes of a full datagram. How large they may be was measured for another address than one that is not proven yet.
    pub(super) fn datagram_size(&self) -> usize {
        let size = match self.path.is_validated() {
            true => self.recovery.datagram_size(),
            false => self.recovery.datagram_size().min(DATAGRAM_BASE),
        };
        usize::from(size)
    }

    /// Bytes of the next batch's datagrams, and how many it may have. What goes out after a probe time-out must arrive even when
    /// the path no longer carries full datagrams (RFC 8899 §4.3).
    fn batch_shape(&self, segments_max: usize) -> (usize, usize) {
        let (size, base) = (self.datagram_size(), usize::from(self.mtu.base()));
        let probes = usize::from(self.spaces[Level::Data as usize].probes);
        if probes > 0 && size > base {
            (base, segments_max.min(probes))
        } else {
            (size, segments_max)
        }
    }

    /// Bytes that the next datagram may have.
    pub(super) fn room_on_path(&self) -> usize {
        let size = self.datagram_size();
        usize::try_from(self.path.budget()).map_or(size, |budget| budget.min(size))
    }

    /// What an unproven address must allow before anything is sent there. A handshake's datagrams are full; later, a
    /// challenge must get through to a peer that sends nothing but acknowledgements.
    pub(super) fn datagram_min(&self) -> usize {
        match self.state {
            State::Handshaking { .. } => self.datagram_size(),
            _ => DATAGRAM_MIN,
        }
    }

    fn owes_previous_challenge(&self) -> bool {
        self.state.is_established() && self.previous.is_some_and(|path| path.owes_challenge())
    }

    /// A datagram on the path of before, to learn whether the peer is still there (RFC 9000 §9.3.3). It is left out of the
    /// congestion accounts: they are about the present path, and this one is expected to be dead.
    fn challenge_previous(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        out: &mut [u8],
    ) -> Option<Transmit> {
        let out = out.get_mut(..usize::from(DATAGRAM_BASE))?;
        if !self.owes_previous_challenge() || self.keys.sealed() >= SEAL_LIMIT {
            return None;
        }
        let previous = self.previous.as_mut()?;
        let data = previous.validation.as_mut()?.on_sent(true);
        previous.on_sent(out.len());
        let path = core::mem::replace(&mut self.path, *previous);
        let draft = self.draft(now, shared, Level::Data, out, 0, |_, _, writer| {
            let written = writer.put_once(&Frame::PathChallenge { data });
            debug_assert!(written, "a challenge fits any packet");
        });
        let left = core::mem::replace(&mut self.path, path);
        let mut draft = draft?;
        draft.pad(out);
        draft.padded = false;
        let len = self.finish(now, shared, draft, out);
        self.bytes_sent += len as u64;
        Some(Transmit {
            destination: left.remote,
            source: left.local,
            len,
            segment_size: len,
            may_fragment: false,
            ecn: Ecn::NotEct,
        })
    }

    fn build_datagram(&mut self, now: Instant, shared: &mut Shared, out: &mut [u8]) -> usize {
        if let State::Closing {
            code, frame_due, ..
        } = &mut self.state
        {
            if !core::mem::take(frame_due) {
                return 0;
            }
            let code = *code;
            return self.build_close(now, shared, code, out);
        }
        if self.keys.sealed() >= SEAL_LIMIT {
            self.fail(now, shared, CloseCode::AeadLimit);
            return 0;
        }
        // What little an unproven address allows is not for data.
        let gate = match out.len() < usize::from(DATAGRAM_BASE) {
            true => Gate::Shut,
            false => self.gate(now, out.len()),
        };
        let is_copy = self.owe_copy(now, shared, gate);
        let mut last: Option<Draft> = None;
        let mut pad = false;
        for level in Level::ALL {
            if self.spaces[level as usize].discarded {
                continue;
            }
            let start = last.as_ref().map_or(0, |draft| draft.end + TAG_LEN);
            if !self.wants(now, level, gate) || out.len() - start < ROOM_MIN {
                continue;
            }
            let Some(draft) = self.draft(now, shared, level, out, start, |peer, shared, writer| {
                peer.write_frames(now, shared, level, gate, writer);
            }) else {
                continue;
            };
            // RFC 9000 §14.1.
            pad |= level == Level::Initial
                && (self.direction == Direction::Client || draft.ack_eliciting);
            if let Some(previous) = last.replace(draft) {
                self.finish(now, shared, previous, out);
            }
        }
        let Some(mut draft) = last else {
            if gate == Gate::Open {
                self.recovery.on_app_limited();
            }
            return 0;
        };
        if pad {
            draft.pad(out);
        }
        // RFC 9000 §8.2.1, §8.2.2: what tries a path shows that it carries 1,200 bytes, where so many may be sent.
        if draft.tries_path()
            && let Some(base) = out.get_mut(..usize::from(DATAGRAM_BASE))
            && draft.end + TAG_LEN < base.len()
        {
            draft.pad(base);
        }
        if draft.level != Level::Data {
            return self.finish(now, shared, draft, out);
        }
        let told = (draft.end + TAG_LEN - draft.start) as u64;
        self.note_tail(&draft.sent, told, is_copy);
        let end = self.finish(now, shared, draft, out);
        if is_copy {
            // It went out since there was nothing else.
            self.recovery.on_app_limited();
        }
        end
    }

    /// Says CLOSE at every level that the peer may have keys for (RFC 9000 §10.2.3).
    fn build_close(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        code: CloseCode,
        out: &mut [u8],
    ) -> usize {
        let mut len = 0;
        for level in Level::ALL {
            if self.spaces[level as usize].discarded
                || level > self.write_level
                || out.len() - len < ROOM_MIN
            {
                continue;
            }
            let draft = self.draft(now, shared, level, out, len, |peer, _, writer| {
                // The last that came may be what the peer waits to see acknowledged.
                let Self { spaces, faults, .. } = peer;
                spaces[level as usize].write_ack(now, level, faults, writer);
                let written = writer.put_once(&Frame::Close { code, reason: b"" });
                debug_assert!(written, "CLOSE fits any packet");
            });
            if let Some(mut draft) = draft {
                if level == Level::Initial && self.direction == Direction::Client {
                    draft.pad(out);
                }
                len = self.finish(now, shared, draft, out);
            }
        }
        len
    }
}
