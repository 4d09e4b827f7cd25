//! Stateless resets (RFC 9000 §10.3): how a server that was restarted tells clients that their sessions are over.
//!
//! A reset looks like a short packet of random bytes. It ends with a token that only the server that gave the connection id
//! could know, and that it told the client in the session itself.

use core::net::SocketAddr;

use subtle::ConstantTimeEq as _;

use super::stateless::{ANSWER_MAX, Answer};
use super::{DatagramMeta, Endpoint};
use crate::config::HostSecret;
use crate::rng::Rng;
use crate::slab::Key;
use crate::time::{Duration, Instant};
use crate::wire::ConnectionId;

/// Bytes of a token (R8).
const TOKEN: usize = 16;
/// Bytes of a reset: no fewer, or it would be seen to be none of the usual packets; no more are needed.
const RESET_MIN: usize = 5 + TOKEN;
const RESET_MAX: usize = 27 + TOKEN;
const _: () = assert!(RESET_MAX <= ANSWER_MAX);
/// Resets in a second.
const RATE_MAX: u32 = 100;
const SECOND: Duration = Duration::from_secs(1);

/// What tokens are made with.
pub(crate) struct ResetKey {
    key: [u8; 32],
    /// It outlasts a restart, so that resets can be believed.
    lasts: bool,
}

impl ResetKey {
    pub(crate) fn new(secret: Option<&HostSecret>, rng: &mut Rng) -> Self {
        let key = match secret {
            Some(secret) => secret.key("dhow 2026 stateless reset tokens"),
            None => {
                let mut key = [0; 32];
                rng.fill(&mut key);
                key
            }
        };
        let lasts = secret.is_some();
        Self { key, lasts }
    }

    /// Whether an endpoint that is made later will know the tokens, too.
    pub(crate) fn lasts(&self) -> bool {
        self.lasts
    }

    /// The token of an id that this endpoint gave.
    pub(crate) fn token(&self, id: ConnectionId) -> [u8; TOKEN] {
        let hash = blake3::keyed_hash(&self.key, &id.0);
        let mut token = [0; TOKEN];
        token.copy_from_slice(&hash.as_bytes()[..TOKEN]);
        token
    }

    /// Bytes that nobody can tell from those of a packet, others for each count.
    fn noise(&self, id: ConnectionId, count: u64) -> [u8; 32] {
        let mut input = [0; 16];
        input[..8].copy_from_slice(&id.0);
        input[8..].copy_from_slice(&count.to_be_bytes());
        *blake3::keyed_hash(&self.key, &input).as_bytes()
    }
}

impl core::fmt::Debug for ResetKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ResetKey")
    }
}

impl Drop for ResetKey {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.key);
    }
}

/// How many resets were sent: in all, and since when in this second.
#[derive(Debug, Default)]
pub(super) struct Resets {
    count: u64,
    second: Instant,
    in_second: u32,
}

impl Resets {
    /// Whether one more may be sent; it is then counted.
    fn allow(&mut self, now: Instant) -> bool {
        if now.since(self.second) >= SECOND {
            self.second = now;
            self.in_second = 0;
        }
        let allowed = self.in_second < RATE_MAX;
        self.in_second += u32::from(allowed);
        self.count += u64::from(allowed);
        allowed
    }
}

impl Endpoint {
    /// Answers a short packet of a session that is not known. The answer is shorter than its cause, so that two endpoints
    /// cannot go on resetting each other (RFC 9000 §10.3.3).
    pub(super) fn answer_reset(
        &mut self,
        now: Instant,
        meta: &DatagramMeta,
        destination: ConnectionId,
        size: usize,
    ) {
        let len = size.saturating_sub(1).min(RESET_MAX);
        if !self.shared.config.accept
            || !self.shared.resets.lasts()
            || len < RESET_MIN
            || !self.resets.allow(now)
        {
            return;
        }
        let mut bytes = [0; ANSWER_MAX];
        let noise = self.shared.resets.noise(destination, self.resets.count);
        let (front, token) = bytes[..len].split_at_mut(len - TOKEN);
        let front_len = front.len();
        front.copy_from_slice(&noise[..front_len]);
        front[0] = 0x40 | front[0] & 0x1f;
        token.copy_from_slice(&self.shared.resets.token(destination));
        self.answers.push(Answer {
            destination: meta.source,
            source: meta.local,
            bytes,
            len,
        });
    }

    /// Whether the datagram, which belongs to no session, is a reset of one that this end opened; it then ends that session.
    pub(super) fn take_reset(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) -> bool {
        let Some(token) = datagram.last_chunk::<TOKEN>() else {
            return false;
        };
        let bounds = [0, u32::MAX].map(|n| {
            let key = Key {
                index: n,
                generation: n,
            };
            (source, key)
        });
        let of_server = self.servers.range(bounds[0]..=bounds[1]);
        let found = of_server.map(|(_, key)| *key).find(|key| {
            let known = self.peers.get(*key).and_then(|peer| peer.reset_token());
            known.is_some_and(|known| known.ct_eq(token).into())
        });
        let Some(key) = found else { return false };
        if let Some(peer) = self.peers.get_mut(key) {
            peer.reset(now, &mut self.shared);
        }
        self.settle(key);
        true
    }
}
