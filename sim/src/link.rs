//! Links as data: what a way between two addresses does to datagrams, in each direction. Written in scenario files with
//! units ([`crate::units`]), drawn from a seed, or taken from a list of realistic ones.

mod build;
mod draw;
mod named;
mod queue_text;
#[cfg(test)]
mod tests;
mod text;

use proto_core::Duration;
use serde::{Deserialize, Serialize};

pub use crate::net::{Bursts, QueueLimit, Window};
use crate::units;

/// Both directions of a link. In a file it is a table of `up` and `down`, or the name of a realistic one ([`Link::named`]).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Link {
    /// From the client to the server.
    pub up: LinkPlan,
    /// From the server to the client.
    pub down: LinkPlan,
}

/// One direction of a link. What is left out in a file does nothing.
///
/// A datagram meets, in this order: `drop`, `outages`, `mtu`, `loss`, `bursts`, `duplicate`, `corrupt`, `truncate`,
/// `reorder`, `rate`, `delay`, `jitter`, `remarks`, `bleach`. Shares are in parts per million of the datagrams that come so far.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkPlan {
    /// Fixed delay.
    #[serde(with = "units::duration", skip_serializing_if = "is_default")]
    pub delay: Duration,
    /// Random delay on top, at most.
    #[serde(with = "units::duration", skip_serializing_if = "is_default")]
    pub jitter: Duration,
    /// Whether the random delay lets datagrams overtake each other.
    #[serde(skip_serializing_if = "is_default")]
    pub jitter_reorders: bool,
    /// Lost, independently of each other.
    #[serde(with = "units::share", skip_serializing_if = "is_default")]
    pub loss: u32,
    /// At most so many of these in a row: the next one passes.
    #[serde(skip_serializing_if = "is_default")]
    pub loss_run: Option<u32>,
    /// Lost in bursts.
    #[serde(skip_serializing_if = "is_default")]
    pub bursts: Option<Bursts>,
    /// The numbers of datagrams that are lost; the first is 1.
    #[serde(skip_serializing_if = "is_default")]
    pub drop: Vec<u64>,
    /// When nothing comes through.
    #[serde(skip_serializing_if = "is_default")]
    pub outages: Vec<Window>,
    /// The outages come again after each such time, at least 1 ms.
    #[serde(with = "units::duration::option", skip_serializing_if = "is_default")]
    pub outage_period: Option<Duration>,
    /// Held back.
    #[serde(with = "units::share", skip_serializing_if = "is_default")]
    pub reorder: u32,
    /// For how long at most.
    #[serde(with = "units::duration", skip_serializing_if = "is_default")]
    pub reorder_extra: Duration,
    /// Doubled.
    #[serde(with = "units::share", skip_serializing_if = "is_default")]
    pub duplicate: u32,
    /// Changed: 1 to 4 bits are flipped.
    #[serde(with = "units::share", skip_serializing_if = "is_default")]
    pub corrupt: u32,
    /// At most so many of these in a row: the next one passes as it is.
    #[serde(skip_serializing_if = "is_default")]
    pub corrupt_run: Option<u32>,
    /// Only the first so many bytes of these are changed.
    #[serde(skip_serializing_if = "is_default")]
    pub corrupt_within: Option<u32>,
    /// Cut.
    #[serde(with = "units::share", skip_serializing_if = "is_default")]
    pub truncate: u32,
    /// `loss` and `bursts` come after `rate`: what is lost has taken its share of the wire.
    #[serde(skip_serializing_if = "is_default")]
    pub loss_after_rate: bool,
    /// When the faults end: from this time on nothing is lost, doubled, changed or held back any more (`drop`, `outages`,
    /// `loss`, `bursts`, `duplicate`, `corrupt`, `truncate`, `reorder`). `mtu`, `rate`, `delay` and `jitter` stay.
    #[serde(with = "units::duration::option", skip_serializing_if = "is_default")]
    pub faults_until: Option<Duration>,
    /// The largest datagram.
    #[serde(skip_serializing_if = "is_default")]
    pub mtu: Option<MtuPlan>,
    /// The wire and its queue.
    #[serde(skip_serializing_if = "is_default")]
    pub rate: Option<RatePlan>,
    /// The ECN field is cleared on the way.
    #[serde(skip_serializing_if = "is_default")]
    pub bleach: bool,
    /// The ECN field of all datagrams from ECN-capable senders is changed on the way, congestion or not.
    #[serde(skip_serializing_if = "is_default")]
    pub remarks: Option<Remark>,
    /// Bytes that wait before the wire beyond which datagrams of ECN-capable senders are marked.
    #[serde(skip_serializing_if = "is_default")]
    pub marks_above: Option<u64>,
}

/// What a router with a fault makes of the ECN field.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remark {
    /// It marks everything (ECN-CE).
    Ce,
    /// It makes ECT(1) of everything.
    Ect1,
}

/// The largest datagram that passes, over time. Larger ones are lost without a word.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MtuPlan {
    /// Bytes of UDP payload: 1,472 for a packet of 1,500 bytes over IPv4, 1,452 over IPv6.
    pub payload: u32,
    /// Other sizes from their times on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub changes: Vec<MtuChange>,
    /// All of it comes again after each such time, at least 1 ms.
    #[serde(
        default,
        with = "units::duration::option",
        skip_serializing_if = "is_default"
    )]
    pub period: Option<Duration>,
}

/// A change of the largest datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MtuChange {
    /// When, from the start or in each period.
    #[serde(with = "units::duration")]
    pub at: Duration,
    /// Bytes of UDP payload from then on.
    pub payload: u32,
}

/// A wire of a given rate behind a queue.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatePlan {
    /// Bits per second: 0, or at least 1,000.
    #[serde(with = "units::rate")]
    pub bandwidth: u64,
    /// What may wait behind the datagram on the wire: bytes as `64kB`, or datagrams as `25p`.
    #[serde(with = "queue_text")]
    pub queue: QueueLimit,
    /// Bytes that each datagram takes besides its UDP payload: 28 for IPv4 and UDP, 48 for IPv6 and UDP.
    #[serde(default, skip_serializing_if = "is_default")]
    pub overhead: u32,
    /// Other rates from their times on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub changes: Vec<RateChange>,
    /// All of it comes again after each such time, at least 1 ms.
    #[serde(
        default,
        with = "units::duration::option",
        skip_serializing_if = "is_default"
    )]
    pub period: Option<Duration>,
}

/// A change of a wire's rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateChange {
    /// When, from the start or in each period.
    #[serde(with = "units::duration")]
    pub at: Duration,
    /// Bits per second from then on: 0, or at least 1,000.
    #[serde(with = "units::rate")]
    pub bandwidth: u64,
}

impl RatePlan {
    /// A constant rate, without overhead.
    #[must_use]
    pub fn new(bandwidth: u64, queue: QueueLimit) -> Self {
        Self {
            bandwidth,
            queue,
            overhead: 0,
            changes: Vec::new(),
            period: None,
        }
    }
}

impl MtuPlan {
    /// A size that stays.
    #[must_use]
    pub fn new(payload: u32) -> Self {
        Self {
            payload,
            changes: Vec::new(),
            period: None,
        }
    }
}

impl Link {
    /// The same in both directions.
    #[must_use]
    pub fn symmetric(plan: LinkPlan) -> Self {
        Self {
            up: plan.clone(),
            down: plan,
        }
    }

    /// Checks both directions.
    ///
    /// # Errors
    /// As [`LinkPlan::check`], with the direction.
    pub fn check(&self) -> Result<(), String> {
        let name = |name| move |error| format!("{name}: {error}");
        self.up.check().map_err(name("up"))?;
        self.down.check().map_err(name("down"))
    }
}

impl LinkPlan {
    /// A fixed delay and nothing else.
    #[must_use]
    pub fn with_delay(delay: Duration) -> Self {
        Self {
            delay,
            ..Self::default()
        }
    }

    /// Checks what the types allow but makes no link: to be called for plans from files.
    ///
    /// # Errors
    /// What is wrong, in words of the file.
    pub fn check(&self) -> Result<(), String> {
        let shares = [
            ("loss", self.loss),
            ("reorder", self.reorder),
            ("duplicate", self.duplicate),
            ("corrupt", self.corrupt),
            ("truncate", self.truncate),
        ];
        if let Some((name, _)) = shares.iter().find(|(_, share)| *share > 1_000_000) {
            return Err(format!("{name} is more than 100%"));
        }
        if self.reorder > 0 && self.reorder_extra.is_zero() {
            return Err("reorder needs a reorder_extra above 0".to_owned());
        }
        let limits = [self.loss_run, self.corrupt_run, self.corrupt_within];
        if limits.contains(&Some(0)) {
            return Err("loss_run, corrupt_run and corrupt_within are at least 1".to_owned());
        }
        if self.drop.contains(&0) {
            return Err("the first datagram to drop is 1".to_owned());
        }
        if self
            .outages
            .iter()
            .any(|window| window.from >= window.until)
        {
            return Err("an outage ends before it begins".to_owned());
        }
        check_period("outage_period", self.outage_period)?;
        if let Some(mtu) = &self.mtu {
            check_period("mtu.period", mtu.period)?;
        }
        self.rate.as_ref().map_or(Ok(()), RatePlan::check)
    }
}

impl RatePlan {
    fn check(&self) -> Result<(), String> {
        check_period("rate.period", self.period)?;
        let changes = self.changes.iter().map(|change| change.bandwidth);
        if changes
            .chain([self.bandwidth])
            .any(|rate| (1..1_000).contains(&rate))
        {
            return Err("a bandwidth is 0 or at least 1kbit".to_owned());
        }
        Ok(())
    }
}

/// Shorter periods than a millisecond would cost more steps than they are worth.
fn check_period(name: &str, period: Option<Duration>) -> Result<(), String> {
    match period {
        Some(period) if period < Duration::from_millis(1) => Err(format!("{name} is below 1ms")),
        _ => Ok(()),
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
