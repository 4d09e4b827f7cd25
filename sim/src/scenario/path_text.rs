//! Paths as text in scenarios.

use proto_core::wire::FilePath;
use serde::{Deserialize, Deserializer, Serializer, de, ser};

pub(super) fn serialize<S: Serializer>(path: &FilePath, out: S) -> Result<S::Ok, S::Error> {
    let text = std::str::from_utf8(path.as_bytes());
    out.serialize_str(text.map_err(|_| ser::Error::custom("a path that is not UTF-8"))?)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(text: D) -> Result<FilePath, D::Error> {
    let text = String::deserialize(text)?;
    FilePath::parse(text.as_bytes())
        .map_err(|error| de::Error::custom(format!("the path {text:?}: {error}")))
}
