//! How large datagrams may be: path MTU discovery by probes (RFC 8899, RFC 9000 §14.3; docs/PROTOCOL.md P3.18 to P3.21).
//!
//! ```text
//! state      event                                   next state
//! ─────────  ──────────────────────────────────────  ─────────────────────────────────────────────────────
//! Base       8 full datagrams were sent              Searching: 1,452 and 1,472, back to back
//! Base       one was sent within the host            Searching: the larger usual sizes, back to back
//! Searching  a probe was acknowledged                Searching: its size is the one that is used
//! Searching  a probe was lost, not the third time    Searching: the same size again
//! Searching  a third probe of a size was lost        Searching: neither it nor what is larger is tried again
//! Searching  both passed                             Searching: the larger usual sizes, back to back
//! Searching  no usual size is left                   Searching: halfway between what passes and what does not
//! Searching  the two are near each other             Complete
//! Complete   a full datagram was sent after 600 s    Searching: only what is larger
//! any        full datagrams vanish (RFC 8899 §4.3)   Base
//! any        another path                            Base, with 1,200 bytes
//! ```
//!
//! Base needs no confirmation: the handshake's datagrams were as large (RFC 9000 §14.3). Nothing is probed while nothing of
//! full size is sent, so that a session that only lists or moves a small file pays nothing; and what is sent with a probe tells when it is lost.

use core::net::IpAddr;

use crate::time::{Duration, Instant};

/// Probes of one size that may be lost (MAX_PROBES, RFC 8899 §5.1.2).
const TRIES: u8 = 3;

/// After this time a larger size is looked for again (PMTU_RAISE_TIMER, RFC 8899 §5.1.1).
const RAISE_AFTER: Duration = Duration::from_secs(600);

/// UDP payload of an Ethernet packet over IPv6, and of one over IPv4.
const ETHERNET: [u16; 2] = [1_452, 1_472];

/// UDP payload of a jumbo packet of 9,000 bytes over IPv4; the header of IPv6 is longer by [`SIX_LONGER`].
const JUMBO: u16 = 8_972;
const SIX_LONGER: u16 = 20;

/// The largest UDP payload over IPv4, which loopback carries.
const LOOPBACK: u16 = 65_507;

/// Sizes that are tried at once, at most.
const STEPS: usize = 2;

/// Full datagrams that are sent before the first probe: over a slow link, probes would hold small files up.
const FULL_BEFORE: u8 = 8;

/// A search ends when less than this is to be won, or than 1/32.
const NEAR: u16 = 20;

/// A size that is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Probe {
    size: u16,
    lost: u8,
    /// Nothing was heard of it yet.
    out: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Base,
    Searching,
    Complete {
        /// When to look for more.
        raise_at: Instant,
    },
}

/// What a probe's packet is remembered by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ProbeId {
    /// UDP payload, bytes.
    pub(crate) size: u16,
    /// Searches on other paths, and before a black hole, tell nothing.
    search: u8,
}

/// The search on one path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mtu {
    state: State,
    /// What needs no probe.
    base: u16,
    /// What neither end goes beyond.
    max: u16,
    /// What is used.
    size: u16,
    /// What is looked for at most on this path, and what comes before it.
    top: u16,
    jumbo: u16,
    /// The path does not leave the host: nothing is known that carries 1,452 bytes there and no more.
    is_local: bool,
    /// Full datagrams sent in Base.
    full: u8,
    /// The least size above it that does not pass.
    too_large: Option<u16>,
    probes: [Option<Probe>; STEPS],
    /// Data is on its way that a lost probe shows by.
    armed: bool,
    search: u8,
}

impl Mtu {
    /// A path that carries `base` bytes of UDP payload, at ends that take `max`.
    pub(super) fn new(base: u16, max: u16) -> Self {
        Self {
            state: State::Base,
            base,
            max: max.max(base),
            size: base,
            top: base,
            jumbo: base,
            is_local: false,
            full: 0,
            too_large: None,
            probes: [None; STEPS],
            armed: false,
            search: 0,
        }
    }

    /// UDP payload of full datagrams.
    pub(super) fn size(&self) -> u16 {
        self.size
    }

    /// The search is on a path that does not leave the host.
    pub(super) fn is_local(&self) -> bool {
        self.is_local
    }

    /// What passes whatever happened to the path (RFC 8899 BASE_PLPMTU).
    pub(super) fn base(&self) -> u16 {
        self.base
    }

    /// Another path, of which nothing is known but that it carries `base`.
    pub(super) fn restart(&mut self, base: u16) {
        *self = Self {
            search: self.search.wrapping_add(1),
            ..Self::new(base, self.max)
        };
    }

    /// Full datagrams are lost and smaller ones arrive.
    pub(super) fn on_black_hole(&mut self) {
        self.restart(self.base);
    }

    /// Whether a full datagram changes anything: once the search is over, none does for a long time.
    pub(super) fn heeds_full(&self, now: Instant) -> bool {
        !matches!(self.state, State::Complete { raise_at } if now < raise_at)
    }

    /// A full datagram goes to `remote`, which may be this very host.
    pub(super) fn on_full_sent(&mut self, now: Instant, remote: IpAddr, is_local: bool) {
        match self.state {
            State::Base if self.full < FULL_BEFORE && !is_local => {
                self.full += 1;
                return;
            }
            State::Base => self.begin(now, remote, is_local),
            State::Complete { raise_at } if raise_at <= now => {
                self.too_large = None;
                self.begin(now, remote, is_local);
            }
            State::Complete { .. } => return,
            State::Searching => {}
        }
        self.armed = true;
    }

    fn begin(&mut self, now: Instant, remote: IpAddr, is_local: bool) {
        let longer = match remote.to_canonical() {
            IpAddr::V4(_) => 0,
            IpAddr::V6(_) => SIX_LONGER,
        };
        let top = if is_local { LOOPBACK } else { JUMBO } - longer;
        self.top = top.min(self.max);
        self.jumbo = JUMBO - longer;
        self.is_local = is_local;
        self.state = State::Searching;
        self.go_on(now);
    }

    /// The size of the probe that is to be sent now: the largest first, so that what becomes of smaller ones shows its fate.
    pub(super) fn due(&self) -> Option<u16> {
        let waiting = self.probes().filter(|probe| self.armed && !probe.out);
        waiting.map(|probe| probe.size).max()
    }

    /// The probe that was [`due`](Self::due) goes out.
    pub(super) fn on_sent(&mut self, size: u16) -> ProbeId {
        for probe in self.probes.iter_mut().flatten() {
            probe.out |= probe.size == size;
        }
        self.armed = self.due().is_some();
        ProbeId {
            size,
            search: self.search,
        }
    }

    /// This end's driver has no room for a datagram of that size.
    pub(super) fn on_no_room(&mut self, now: Instant, size: u16) {
        self.give_up(size);
        self.go_on(now);
    }

    /// A probe arrived.
    pub(super) fn on_acked(&mut self, now: Instant, id: ProbeId) {
        // One that was taken for lost tells as much.
        if id.search != self.search || id.size <= self.size {
            return;
        }
        self.size = id.size;
        self.too_large = self.too_large.filter(|size| *size > id.size);
        self.keep(|probe| probe.size > id.size);
        self.go_on(now);
    }

    /// A probe is presumed lost, which says nothing of congestion (RFC 9000 §14.4).
    pub(super) fn on_lost(&mut self, now: Instant, id: ProbeId) {
        if id.search != self.search {
            return;
        }
        let mut failed = false;
        for probe in self.probes.iter_mut().flatten() {
            if probe.size == id.size && probe.out {
                probe.out = false;
                probe.lost += 1;
                failed = probe.lost == TRIES;
            }
        }
        if failed {
            self.give_up(id.size);
            self.go_on(now);
        }
    }

    /// Neither this size passes nor a larger one.
    fn give_up(&mut self, size: u16) {
        self.too_large = Some(self.too_large.map_or(size, |least| least.min(size)));
        self.keep(|probe| probe.size < size);
    }

    /// Finds the next size, or an end, when none is tried.
    fn go_on(&mut self, now: Instant) {
        if self.state != State::Searching || self.probes().next().is_some() {
            return;
        }
        let near = NEAR.max(self.size / 32);
        let between = self.too_large.map_or(0, |size| size - self.size);
        if self.too_large.is_none() && self.size < self.top {
            // A bound that lies between two usual sizes stands for the larger one.
            let usual = match self.size < ETHERNET[1] && !self.is_local {
                true => ETHERNET,
                false => [self.jumbo, self.top],
            };
            let sizes = usual.map(|size| size.min(self.top));
            self.probes =
                sizes.map(|size| Some(size).filter(|size| *size > self.size).map(Probe::of));
            if sizes[0] == sizes[1] {
                self.probes[1] = None;
            }
        } else if between <= near {
            self.state = State::Complete {
                raise_at: now + RAISE_AFTER,
            };
        } else {
            self.probes[0] = Some(Probe::of(self.size + between / 2));
        }
    }

    fn probes(&self) -> impl Iterator<Item = &Probe> {
        self.probes.iter().flatten()
    }

    fn keep(&mut self, which: impl Fn(&Probe) -> bool) {
        for place in &mut self.probes {
            *place = place.filter(&which);
        }
    }
}

impl Probe {
    fn of(size: u16) -> Self {
        Self {
            size,
            lost: 0,
            out: false,
        }
    }
}

#[cfg(test)]
mod tests;
