//! Checks of an endpoint's state against its own rules, for simulations and tests.
//!
//! Each part of the state has an `audit` beside it that walks it and changes nothing. What one part says of another is checked
//! where both are known.

use alloc::string::String;

/// A rule that an endpoint's state breaks: a bug in dhow.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{rule}: {what}")]
pub struct Breach {
    /// The rule, in words, with its source.
    pub rule: &'static str,
    /// What is, with figures.
    pub what: String,
}

/// The rules that are checked.
pub(crate) mod rule {
    pub(crate) const IN_FLIGHT: &str =
        "bytes in flight are those of packets of which nothing was heard (RFC 9002 §2)";
    pub(crate) const FATES: &str =
        "every sent packet is exactly one of outstanding, acknowledged, lost, forgotten";
    pub(crate) const WINDOW: &str =
        "only probes are sent beyond the congestion window (RFC 9002 §7)";
    pub(crate) const PATH_MTU: &str =
        "datagrams are as large as the path was found to carry (RFC 8899)";
    pub(crate) const MINIMUM_WINDOW: &str =
        "the congestion window is two datagrams at least (RFC 9002 §7.2)";
    pub(crate) const NUMBERS: &str = "packet numbers are never used twice (R1)";
    pub(crate) const PACKETS: &str = "sent packets and their frames are counted right";
    pub(crate) const ACK_RANGES: &str =
        "acknowledgements cover only packets that arrived (RFC 9000 §13.1)";
    pub(crate) const AMPLIFICATION: &str =
        "an address that is not proven gets three times what came from it (H1)";
    pub(crate) const BLOCKS: &str = "every block is free, with a transfer or on loan (M1)";
    pub(crate) const CREDIT: &str = "credit never exceeds what the pool can hold (M4)";
    pub(crate) const BYTES: &str = "every byte that was sent is acknowledged, lost or in flight";
    pub(crate) const FRAMES: &str =
        "a frame that must arrive has arrived, is in flight or is to be sent";
    pub(crate) const QUEUES: &str = "every queue keeps to its limit (M6, M7)";
    pub(crate) const TIMERS: &str = "what waits for time has a timer";
    pub(crate) const ENDED: &str = "a session that is over has no timer but that of its CLOSE";
    pub(crate) const DEADLINES: &str = "the endpoint's deadlines are those of its sessions";
    pub(crate) const IDS: &str = "every id leads to what knows it";
    pub(crate) const KEYS: &str = "a key seals 2^23 packets at most (R3)";
    pub(crate) const EVENTS: &str = "what is to be told is queued to be told";
    pub(crate) const FIGURES: &str = "figures that count do not go back";
}

/// Fails with `rule` unless `kept`.
pub(crate) fn check(
    kept: bool,
    rule: &'static str,
    what: impl FnOnce() -> String,
) -> Result<(), Breach> {
    if kept {
        Ok(())
    } else {
        let what = what();
        Err(Breach { rule, what })
    }
}
