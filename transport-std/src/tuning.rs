//! What server and client have in common to set.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use proto_core::crypto::TlsProvider;
use proto_core::{Config, CongestionControl, RateLimits};

use crate::{Faults, Identity};

/// Settings below the protocol's surface. The defaults suit nearly everyone.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Silence after which a session ends; the smaller of both ends' values counts. 1 s to 600 s, default 60 s.
    pub idle_timeout: Duration,
    /// Threads that read, write and hash files. Default 4.
    pub disk_threads: usize,
    /// UDP payload that datagrams begin with, 1,200 to 65,507 bytes. Default 1,200, which passes everywhere.
    pub datagram_size: u16,
    /// UDP payload that datagrams grow to where the path carries it (RFC 8899). Default 65,507, which only loopback carries.
    pub datagram_max: u16,
    /// How fast each session may send and be sent to, as it begins.
    pub rate_limits: RateLimits,
    /// Which congestion controller sessions use.
    pub congestion: CongestionControl,
    /// Damage done on purpose to what is sent: a test aid, off by default.
    pub faults: Option<Faults>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(60),
            disk_threads: 4,
            datagram_size: 1_200,
            datagram_max: 65_507,
            rate_limits: RateLimits::default(),
            congestion: CongestionControl::default(),
            faults: None,
        }
    }
}

impl Tuning {
    /// A client's endpoint settings.
    pub(crate) fn config(&self, identity: &Identity) -> io::Result<Config> {
        let provider = TlsProvider::new(identity.seed()).map_err(io::Error::other)?;
        Ok(Config {
            idle_timeout: self.idle_timeout,
            datagram_size: self.datagram_size,
            datagram_max: self.datagram_max,
            rate_limits: self.rate_limits,
            congestion: self.congestion,
            ..Config::new(Arc::new(provider))
        })
    }
}
