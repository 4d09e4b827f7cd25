//! A queue's limit as text: `64kB` or `25p`.

use serde::{Deserialize, Deserializer, Serializer};

use crate::net::QueueLimit;
use crate::units::size;

impl QueueLimit {
    /// Reads `64kB` (bytes, see [`crate::units::size`]) or `25p` (datagrams).
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(count) = text.trim().strip_suffix('p') {
            // `parse` alone would take a sign.
            let digits = count.bytes().all(|byte| byte.is_ascii_digit());
            return (count.parse().ok().filter(|_| digits))
                .map(Self::Packets)
                .ok_or_else(|| format!("'{text}' is no number of datagrams such as 25p"));
        }
        size::parse(text)
            .map(Self::Bytes)
            .map_err(|error| format!("{error}; or a number of datagrams such as 25p"))
    }

    /// Writes the limit so that [`parse`](Self::parse) reads the same.
    #[must_use]
    pub fn format(self) -> String {
        match self {
            Self::Bytes(bytes) => size::format(bytes),
            Self::Packets(packets) => format!("{packets}p"),
        }
    }
}

pub(super) fn serialize<S: Serializer>(limit: &QueueLimit, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&limit.format())
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<QueueLimit, D::Error> {
    let text = String::deserialize(from)?;
    QueueLimit::parse(&text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_written() {
        for (text, limit) in [
            ("64kB", QueueLimit::Bytes(64_000)),
            ("25p", QueueLimit::Packets(25)),
            ("0p", QueueLimit::Packets(0)),
            ("0B", QueueLimit::Bytes(0)),
        ] {
            assert_eq!(QueueLimit::parse(text), Ok(limit));
            assert_eq!(limit.format(), text);
        }
        for text in ["", "p", "-1p", "+1p", "1.5p", "25", "25x"] {
            assert!(QueueLimit::parse(text).is_err(), "{text}");
        }
    }
}
