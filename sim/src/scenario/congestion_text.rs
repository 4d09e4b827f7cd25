//! Congestion control by its name in scenarios.

use proto_core::CongestionControl;
use serde::{Deserialize, Deserializer, Serializer, de};

use crate::measure::{algorithm_name, algorithm_named};

pub(super) fn serialize<S: Serializer>(of: &CongestionControl, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&algorithm_name(*of))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    text: D,
) -> Result<CongestionControl, D::Error> {
    let name = String::deserialize(text)?;
    algorithm_named(&name)
        .ok_or_else(|| de::Error::custom(format!("no congestion control is called {name}")))
}
