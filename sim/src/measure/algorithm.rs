//! The congestion controllers that are measured.

use proto_core::CongestionControl;

/// All of them that need no figure, in the order of tables.
pub const ALGORITHMS: &[CongestionControl] = &[
    CongestionControl::Bbr,
    CongestionControl::Cubic,
    CongestionControl::Background,
];

/// The name of an algorithm: `cubic`, `fixed:500M`.
#[must_use]
pub fn algorithm_name(algorithm: CongestionControl) -> String {
    algorithm.to_string()
}

/// The algorithm of that name.
#[must_use]
pub fn algorithm_named(name: &str) -> Option<CongestionControl> {
    name.parse().ok()
}
