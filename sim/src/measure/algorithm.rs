//! The congestion controllers that can be measured.

use proto_core::CongestionControl;
use proto_core::congestion::controller;

/// All of them, in the order of tables.
pub const ALGORITHMS: &[CongestionControl] = &[CongestionControl::Cubic];

/// The name of an algorithm, as the core says it: `cubic`.
#[must_use]
pub fn algorithm_name(algorithm: CongestionControl) -> &'static str {
    controller(algorithm, 1_200).name()
}

/// The algorithm of that name.
#[must_use]
pub fn algorithm_named(name: &str) -> Option<CongestionControl> {
    let mut all = ALGORITHMS.iter().copied();
    all.find(|algorithm| algorithm_name(*algorithm) == name)
}
