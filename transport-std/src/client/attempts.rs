//! Several addresses, tried side by side (RFC 8305 §5).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use proto_core::wire::CloseCode;
use proto_core::{CloseCause, Endpoint, Instant, PeerId};

/// Head start of each address over the next (RFC 8305 §5, "Connection Attempt Delay").
const HEAD_START: Duration = Duration::from_millis(250);

/// How long to go on once the network has said of every address that its port is closed: that may be a lie.
const DOUBT: Duration = Duration::from_secs(1);

/// The addresses in turns of their families, beginning with the first one's (RFC 8305 §4).
pub(super) fn in_turns(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_six = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_six);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = VecDeque::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return turns;
        }
        turns.extend(
            pair.into_iter()
                .flatten()
                .filter(|address| !turns.contains(address))
                .collect::<Vec<_>>(),
        );
    }
}

/// Attempts to open a session.
#[derive(Debug)]
pub(super) struct Attempts {
    waiting: VecDeque<SocketAddr>,
    open: Vec<Attempt>,
    next_at: Instant,
    give_up_at: Instant,
    port_closed: bool,
    /// The most telling end of those that have ended.
    cause: Option<CloseCause>,
}

#[derive(Debug)]
struct Attempt {
    peer: PeerId,
    address: SocketAddr,
    closed: bool,
}

/// No address has led to a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NoneLeft {
    /// The network says that the port is closed.
    pub(super) port_closed: bool,
    /// What a server said, if one said anything.
    pub(super) cause: Option<CloseCause>,
}

impl Attempts {
    pub(super) fn new(addresses: VecDeque<SocketAddr>, patience: Duration) -> Self {
        let last_start = HEAD_START * addresses.len().saturating_sub(1) as u32;
        Self {
            waiting: addresses,
            open: Vec::new(),
            next_at: Instant::ZERO,
            give_up_at: Instant::ZERO + patience + last_start,
            port_closed: false,
            cause: None,
        }
    }

    /// When to call [`advance`](Self::advance).
    pub(super) fn deadline(&self) -> Instant {
        if self.waiting.is_empty() {
            self.give_up_at
        } else {
            self.give_up_at.min(self.next_at)
        }
    }

    /// Starts what is due.
    pub(super) fn advance(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
    ) -> Result<(), NoneLeft> {
        while now >= self.next_at
            && let Some(address) = self.waiting.pop_front()
        {
            if let Ok(peer) = endpoint.connect(now, address) {
                self.open.push(Attempt {
                    peer,
                    address,
                    closed: false,
                });
                self.next_at = now + HEAD_START;
            }
        }
        if now >= self.give_up_at {
            self.close_all(now, endpoint);
        }
        if self.open.is_empty() && self.waiting.is_empty() {
            return Err(NoneLeft {
                port_closed: self.port_closed,
                cause: self.cause,
            });
        }
        Ok(())
    }

    /// The attempt has led to a server: all others end.
    pub(super) fn won(&mut self, now: Instant, endpoint: &mut Endpoint, peer: PeerId) {
        self.open.retain(|attempt| attempt.peer != peer);
        self.close_all(now, endpoint);
    }

    /// Ends all attempts.
    pub(super) fn close_all(&mut self, now: Instant, endpoint: &mut Endpoint) {
        self.waiting.clear();
        for attempt in self.open.drain(..) {
            // Stale only if it has gone by itself.
            let _ = endpoint.close(now, attempt.peer, CloseCode::NoError);
        }
    }

    /// An attempt has ended.
    pub(super) fn lost(&mut self, now: Instant, peer: PeerId, cause: CloseCause) {
        self.open.retain(|attempt| attempt.peer != peer);
        if !matches!(cause, CloseCause::HandshakeTimedOut | CloseCause::TimedOut) {
            self.cause = Some(cause);
        }
        self.next_at = now;
    }

    /// The network says that `host` does not listen where it was asked.
    pub(super) fn refused(&mut self, now: Instant, host: IpAddr) {
        for attempt in &mut self.open {
            attempt.closed |= attempt.address.ip() == host;
        }
        if self.open.iter().all(|attempt| attempt.closed) {
            self.port_closed = true;
            self.next_at = now;
            if self.waiting.is_empty() {
                self.give_up_at = self.give_up_at.min(now + DOUBT);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let parse = |list: &[&str]| {
            list.iter()
                .map(|text| text.parse().unwrap())
                .collect::<Vec<SocketAddr>>()
        };
        let turns = in_turns(parse(&[
            "[::1]:1",
            "[::2]:1",
            "1.1.1.1:1",
            "[::3]:1",
            "[::1]:1",
        ]));
        assert_eq!(
            turns,
            parse(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"])
        );
        let turns = in_turns(parse(&["1.1.1.1:1", "[::1]:1"]));
        assert_eq!(turns, parse(&["1.1.1.1:1", "[::1]:1"]));
        assert!(in_turns(Vec::new()).is_empty());
    }
}
