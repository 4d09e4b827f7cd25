//! What an endpoint is told when it is made.

use alloc::sync::Arc;

use crate::congestion::CongestionControl;
use crate::crypto::Provider;
use crate::fault::{FaultHook, Faults};
use crate::limits::Limits;
use crate::peer::RateLimits;
use crate::time::Duration;
use zeroize::Zeroize as _;

/// Settings of an endpoint, the same for all of its sessions.
#[derive(Clone, Debug)]
pub struct Config {
    /// Handshakes and packet keys.
    pub provider: Arc<dyn Provider>,
    /// Whether sessions that others open are taken (the server role).
    pub accept: bool,
    /// Silence after which a session ends; each session uses the smaller of both ends' values. 1 s to 600 s (T8).
    pub idle_timeout: Duration,
    /// UDP payload that every path is taken to carry, 1,200 to 65,507 bytes: datagrams begin with it, and fall back to it.
    pub datagram_size: u16,
    /// UDP payload that datagrams may grow to where the path carries it (RFC 8899). At or below `datagram_size`, nothing is
    /// looked for.
    pub datagram_max: u16,
    /// The socket's receive buffer, told to peers so that they do not overrun it. 0 when unknown.
    pub receive_buffer: u64,
    /// Whether the classic dialect is spoken, too (`docs/CLASSIC.md`): without encryption and identity. With
    /// [`accept`](Self::accept), its clients are served. Off by default.
    pub classic: bool,
    /// How fast each new session may send and be sent to; [`Endpoint::set_limits`](crate::Endpoint::set_limits) changes it.
    pub rate_limits: RateLimits,
    /// Which congestion controller new sessions get.
    pub congestion: CongestionControl,
    /// A server's secret that outlasts restarts. With it, a server that was restarted tells clients of sessions from before
    /// that they are over (RFC 9000 §10.3); without, they find out by the idle time-out.
    pub host_secret: Option<HostSecret>,
    /// Which one of several endpoints behind one port this is; `None` when it is the only one.
    pub shard: Option<Shard>,
    /// Numbers that bound the endpoint.
    pub limits: Limits,
    /// Faults that strike inside the core, for tests; none by default.
    pub faults: Option<Arc<dyn FaultHook>>,
}

/// One of several endpoints behind the same port, as on the cores of one host. Connection ids name the shard that issued
/// them, hidden by a key that all shards have, so that a datagram which the system gave to another one can be passed on:
/// [`Endpoint::shard_of`](crate::Endpoint::shard_of).
#[derive(Clone)]
pub struct Shard {
    index: u8,
    key: [u8; 16],
}

impl Shard {
    /// The shard of this number. `key` must be unpredictable to others, the same for all shards, and another one whenever
    /// they are started.
    #[must_use]
    pub fn new(index: u8, key: [u8; 16]) -> Self {
        Self { index, key }
    }

    /// The shard's number.
    #[must_use]
    pub fn index(&self) -> u8 {
        self.index
    }

    pub(crate) fn key(&self) -> &[u8; 16] {
        &self.key
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl core::fmt::Debug for Shard {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Shard")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

/// A secret of a host that stays the same when the server is restarted, and that nobody else knows.
#[derive(Clone)]
pub struct HostSecret([u8; 32]);

impl HostSecret {
    /// Follows from whatever the host keeps secret anyway, such as its private key; tells nothing of it.
    #[must_use]
    pub fn derive(from: &[u8]) -> Self {
        Self(blake3::derive_key("dhow 2026 host secret", from))
    }

    /// A key of its own for each purpose.
    pub(crate) fn key(&self, purpose: &str) -> [u8; 32] {
        blake3::derive_key(purpose, &self.0)
    }
}

impl Drop for HostSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl core::fmt::Debug for HostSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HostSecret")
    }
}

impl Config {
    /// Defaults around a provider: client role only.
    #[must_use]
    pub fn new(provider: Arc<dyn Provider>) -> Self {
        Self {
            provider,
            accept: false,
            idle_timeout: Duration::from_secs(60),
            datagram_size: 1_200,
            datagram_max: 65_507,
            receive_buffer: 0,
            classic: false,
            rate_limits: RateLimits::default(),
            congestion: CongestionControl::default(),
            host_secret: None,
            shard: None,
            limits: Limits::default(),
            faults: None,
        }
    }

    /// The same, taking sessions that others open.
    #[must_use]
    pub fn server(provider: Arc<dyn Provider>) -> Self {
        Self {
            accept: true,
            ..Self::new(provider)
        }
    }

    /// The hook for a part of the state.
    pub(crate) fn faults(&self) -> Faults {
        Faults::new(self.faults.as_ref())
    }
}
