//! A network path to a peer: addresses, the id used on it, and what may be sent before the address is proven.

use core::net::{IpAddr, SocketAddr};

use super::ids::Destination;
use crate::ecn::Ecn;
use crate::endpoint::DatagramMeta;
use crate::rng::Rng;
use crate::time::{Duration, Instant};

/// An unvalidated address is sent at most this many times what came from it (H1, T2, RFC 9000 §8.1).
const AMPLIFICATION: u64 = 3;
/// A validation is given up after this many probe time-outs (RFC 9000 §8.2.4).
const GIVE_UP: u32 = 3;
/// The probe time-out of a path that nothing is known of: its round trip is taken for 333 ms (RFC 9002 §6.2.2).
const UNKNOWN_PTO: Duration = Duration::from_millis(999);

/// How a packet came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) source: SocketAddr,
    /// The address that it came to, when the driver knows.
    pub(crate) local: Option<IpAddr>,
    /// UDP payload bytes of its datagram.
    pub(crate) size: usize,
    /// Of its datagram's IP header.
    pub(crate) ecn: Ecn,
    /// The datagram's bytes were counted with an earlier packet in it.
    pub(crate) counted: bool,
}

impl Arrival {
    /// The first packet of a datagram of so many bytes.
    pub(crate) fn of(meta: &DatagramMeta, size: usize) -> Self {
        Self {
            source: meta.source,
            local: meta.local,
            size,
            ecn: meta.ecn,
            counted: false,
        }
    }
}

/// One path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    pub(crate) remote: SocketAddr,
    pub(crate) local: Option<IpAddr>,
    /// The peer's id for it.
    pub(super) destination: Destination,
    /// Under way.
    pub(super) validation: Option<Validation>,
    validated: bool,
    received: u64,
    sent: u64,
}

impl Path {
    /// A path that this end chose (`validated`) or that the peer came on.
    pub(super) fn new(
        remote: SocketAddr,
        local: Option<IpAddr>,
        validated: bool,
        destination: Destination,
    ) -> Self {
        Self {
            remote,
            local,
            destination,
            validation: None,
            validated,
            received: 0,
            sent: 0,
        }
    }

    /// UDP payload bytes came, valid or not.
    pub(super) fn on_received(&mut self, bytes: usize) {
        self.received += bytes as u64;
    }

    pub(super) fn on_sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// The peer proved to receive at this address.
    pub(super) fn validate(&mut self) {
        self.validated = true;
    }

    pub(super) fn is_validated(&self) -> bool {
        self.validated
    }

    /// UDP payload bytes that may be sent now.
    pub(super) fn budget(&self) -> u64 {
        if self.validated {
            u64::MAX
        } else {
            (AMPLIFICATION * self.received).saturating_sub(self.sent)
        }
    }

    /// Bytes that were sent beyond what an unproven address may get.
    pub(super) fn excess(&self) -> u64 {
        self.sent.saturating_sub(AMPLIFICATION * self.received)
    }

    /// Whether a challenge waits to be sent.
    pub(super) fn owes_challenge(&self) -> bool {
        self.validation.is_some_and(|validation| validation.due)
    }

    /// When the validation needs attention.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let validation = self.validation.as_ref()?;
        let again = (!validation.due).then_some(validation.again);
        Some(again.map_or(validation.until, |at| at.min(validation.until)))
    }
}

/// A path is asked whether the peer receives there (RFC 9000 §8.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Validation {
    /// What is sent in datagrams below 1,200 bytes, and what in those of 1,200. Challenges that are sent again say the same,
    /// so that a late response counts; the two differ, since only the second shows that the path carries 1,200 bytes.
    data: [[u8; 8]; 2],
    /// A challenge is to be sent.
    due: bool,
    /// When the next one will be; the time between two doubles.
    again: Instant,
    interval: Duration,
    /// When it is given up.
    until: Instant,
}

/// What a PATH_RESPONSE proves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Proof {
    /// The peer receives at the address.
    Address,
    /// The same, and the path carries datagrams of 1,200 bytes.
    AddressAndSize,
}

impl Validation {
    /// One that begins now; `pto` is that of the session so far.
    pub(super) fn new(now: Instant, pto: Duration, rng: &mut Rng) -> Self {
        let mut data = [[0; 8]; 2];
        data.iter_mut().for_each(|data| rng.fill(data));
        Self {
            data,
            due: true,
            again: now + pto,
            interval: pto,
            until: now + GIVE_UP * pto.max(UNKNOWN_PTO),
        }
    }

    /// A challenge goes out, in a datagram of 1,200 bytes or not: its data.
    pub(super) fn on_sent(&mut self, expanded: bool) -> [u8; 8] {
        self.due = false;
        self.data[usize::from(expanded)]
    }

    /// What the response proves, if it answers one of the challenges. Whoever guesses 64 bits may have them: the
    /// comparison tells nothing that the next guess could use.
    pub(super) fn check(&self, response: [u8; 8]) -> Option<Proof> {
        match self.data.iter().position(|data| *data == response)? {
            0 => Some(Proof::Address),
            _ => Some(Proof::AddressAndSize),
        }
    }

    /// Time passed. True when the validation has failed.
    pub(super) fn on_timeout(&mut self, now: Instant) -> bool {
        if self.again <= now && !self.due {
            self.due = true;
            self.interval = self.interval.saturating_mul(2);
            self.again = now + self.interval;
        }
        self.until <= now
    }
}
