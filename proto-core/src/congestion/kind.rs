//! The congestion controllers to choose from, and their names.

use core::fmt;
use core::str::FromStr;

/// Slowest rate of [`CongestionControl::Fixed`], bytes per second.
const FIXED_MIN: u64 = 1_000;

/// Which congestion controller a session uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum CongestionControl {
    /// BBRv3 (draft-ietf-ccwg-bbr): `bbr`.
    #[default]
    Bbr,
    /// RFC 9438: `cubic`.
    Cubic,
    /// LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus): `background`. Takes what others leave.
    Background,
    /// So many bytes per second, 1,000 to [`BYTES_MAX`](super::BYTES_MAX), whatever others on the path need, while less
    /// than 15 % is lost: `fixed:500M`. For networks that belong to the transfer alone.
    Fixed(u64),
}

impl fmt::Display for CongestionControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bbr => f.write_str("bbr"),
            Self::Cubic => f.write_str("cubic"),
            Self::Background => f.write_str("background"),
            Self::Fixed(rate) => {
                let (unit, name) = [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "K")]
                    .into_iter()
                    .find(|(unit, _)| *rate > 0 && rate % unit == 0)
                    .unwrap_or((1, ""));
                write!(f, "fixed:{}{name}", rate / unit)
            }
        }
    }
}

/// Why a text names no congestion controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CongestionControlError {
    /// No controller has that name.
    #[error("expected bbr, cubic, background or fixed:RATE")]
    Name,
    /// What stands behind `fixed:` is no rate.
    #[error("expected a rate of 1K to 1099G (bytes a second), such as fixed:500M or fixed:4gbit")]
    Rate,
}

impl FromStr for CongestionControl {
    type Err = CongestionControlError;

    /// The names that [`Display`](fmt::Display) gives. A rate is a whole number of bytes (`K`, `M`, `G`: powers of 1,000) or of
    /// bits (`kbit`, `mbit`, `gbit`) per second.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "bbr" => Ok(Self::Bbr),
            None if text == "cubic" => Ok(Self::Cubic),
            None if text == "background" => Ok(Self::Background),
            Some(("fixed", text)) => parse_rate(text)
                .map(Self::Fixed)
                .ok_or(CongestionControlError::Rate),
            _ => Err(CongestionControlError::Name),
        }
    }
}

/// Bytes per second of a text such as `20M` (bytes) or `160mbit`, from 1,000 to [`BYTES_MAX`](super::BYTES_MAX); `None` for any
/// other text.
#[must_use]
pub fn parse_rate(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(unit_at.unwrap_or(text.len()));
    let number: u64 = number.parse().ok()?;
    let (times, bits) = match unit {
        "" => (1, 1),
        "K" | "k" => (1_000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "kbit" => (1_000, 8),
        "mbit" => (1_000_000, 8),
        "gbit" => (1_000_000_000, 8),
        _ => return None,
    };
    let rate = number.checked_mul(times)? / bits;
    (FIXED_MIN..=super::BYTES_MAX)
        .contains(&rate)
        .then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn names_come_back() {
        for name in [
            "cubic",
            "fixed:500M",
            "fixed:1K",
            "fixed:1234567",
            "fixed:2G",
        ] {
            let control: CongestionControl = name.parse().unwrap();
            assert_eq!(control.to_string(), name);
        }
        assert_eq!(
            "fixed:160mbit".parse(),
            Ok(CongestionControl::Fixed(20_000_000))
        );
        assert_eq!("fixed:8kbit".parse(), Ok(CongestionControl::Fixed(1_000)));
    }

    #[test]
    fn other_texts_are_refused() {
        for name in ["", "Cubic", "reno", "fixed", "cubic:1M", "fixed "] {
            let parsed: Result<CongestionControl, _> = name.parse();
            assert_eq!(parsed, Err(CongestionControlError::Name), "{name}");
        }
        for rate in [
            "",
            "M",
            "1T",
            "-1M",
            "1.5M",
            "0",
            "999",
            "7kbit",
            "1M ",
            "99999999999G",
            "1100G",
        ] {
            let parsed: Result<CongestionControl, _> = alloc::format!("fixed:{rate}").parse();
            assert_eq!(parsed, Err(CongestionControlError::Rate), "{rate}");
        }
        // What is said of the bounds holds.
        for rate in ["1K", "1099G"] {
            assert!(CongestionControlError::Rate.to_string().contains(rate));
            assert!(parse_rate(rate).is_some(), "{rate}");
        }
    }
}
