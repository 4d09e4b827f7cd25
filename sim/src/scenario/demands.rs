use proto_core::Duration;
use serde::{Deserialize, Serialize};

use crate::units;

/// What a run must come to besides that no invariant breaks. What is left out is not demanded. Users who lie, or are lied to,
/// are not counted.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Demands {
    /// When the last goal must have ended.
    #[serde(
        with = "units::duration::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub within: Option<Duration>,
    /// Goals that must be met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub met: Option<u64>,
    /// Sessions that may be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u64>,
    /// File bits a second that each upload and download must reach, from its start to its end.
    #[serde(with = "units::rate::option", skip_serializing_if = "Option::is_none")]
    pub goodput: Option<u64>,
}

impl Demands {
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}
