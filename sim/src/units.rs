//! Quantities as people write them in scenario files and on command lines: `40ms`, `10mbit`, `1.5%`, `64kB`.
//!
//! Both ways are exact: what is finer than the unit of the type is refused, not rounded, and what is written reads as the
//! same number. Each module can be named in `#[serde(with = "…")]`, and its `parse` in a clap `value_parser`.

use thiserror::Error;

/// Why a text is no quantity.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("'{text}' is no {what}: {why}")]
pub struct UnitError {
    text: String,
    what: &'static str,
    why: String,
}

/// A kind of quantity: its units and their worth, powers of ten, from small to large.
struct Kind {
    what: &'static str,
    /// What single ones are called.
    finest: &'static str,
    units: &'static [(&'static str, u64)],
    /// Names that are read only.
    aliases: &'static [(&'static str, u64)],
    max: u64,
}

impl Kind {
    fn parse(&self, text: &str) -> Result<u64, UnitError> {
        self.value(text.trim()).map_err(|why| UnitError {
            text: text.to_owned(),
            what: self.what,
            why,
        })
    }

    fn value(&self, text: &str) -> Result<u64, String> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        let unit = unit.trim_start();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = whole.len() + fraction.len();
        if whole.is_empty() || fraction.contains('.') || number.ends_with('.') || digits > 30 {
            return Err("it needs a number such as 12 or 1.5".to_owned());
        }
        let digits: u128 = format!("{whole}{fraction}")
            .parse()
            .map_err(|_| "it needs a number such as 12 or 1.5".to_owned())?;
        if digits == 0 && unit.is_empty() {
            return Ok(0);
        }
        let known = self.units.iter().chain(self.aliases);
        let Some(&(_, worth)) = known.clone().find(|(name, _)| *name == unit) else {
            let names: Vec<_> = self.units.iter().map(|(name, _)| *name).collect();
            return Err(format!("its unit is one of {}", names.join(", ")));
        };
        let scale = 10_u128.pow(fraction.len() as u32);
        let scaled = digits.saturating_mul(worth.into());
        if scaled / scale > self.max.into() {
            return Err(format!("at most {}", self.format(self.max)));
        }
        if scaled % scale != 0 {
            return Err(format!("finer than 1 {}", self.finest));
        }
        Ok((scaled / scale) as u64)
    }

    /// In the largest unit that is not larger than the value, with as many decimals as it takes.
    fn format(&self, value: u64) -> String {
        let mut fitting = self.units.iter().filter(|(_, worth)| *worth <= value);
        let &(name, worth) = fitting.next_back().unwrap_or(&self.units[0]);
        let (whole, rest) = (value / worth, value % worth);
        if rest == 0 {
            return format!("{whole}{name}");
        }
        let places = worth.ilog10() as usize;
        let decimals = format!("{rest:0places$}");
        format!("{whole}.{}{name}", decimals.trim_end_matches('0'))
    }
}

/// Defines a module for one type of quantity.
macro_rules! quantity {
    ($(#[$doc:meta])* $module:ident, $type:ty, $kind:expr, $from:expr, $into:expr) => {
        $(#[$doc])*
        pub mod $module {
            use serde::{Deserialize, Deserializer, Serializer};

            use super::{Kind, UnitError};

            const KIND: Kind = $kind;

            /// Reads a quantity.
            ///
            /// # Errors
            /// What is wrong with the text.
            pub fn parse(text: &str) -> Result<$type, UnitError> {
                KIND.parse(text).map($from)
            }

            /// Writes a quantity so that [`parse`] reads the same.
            #[must_use]
            pub fn format(value: $type) -> String {
                KIND.format($into(value))
            }

            /// For serde: as text.
            ///
            /// # Errors
            /// Those of the serializer.
            pub fn serialize<S: Serializer>(value: &$type, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&format(*value))
            }

            /// For serde: from text.
            ///
            /// # Errors
            /// Those of the deserializer and of [`parse`].
            pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<$type, D::Error> {
                let text = String::deserialize(from)?;
                parse(&text).map_err(serde::de::Error::custom)
            }

            /// The same for a quantity that may be missing.
            pub mod option {
                use serde::{Deserializer, Serializer};

                /// For serde: as text.
                ///
                /// # Errors
                /// Those of the serializer.
                pub fn serialize<S: Serializer>(
                    value: &Option<$type>,
                    to: S,
                ) -> Result<S::Ok, S::Error> {
                    match value {
                        Some(value) => super::serialize(value, to),
                        None => to.serialize_none(),
                    }
                }

                /// For serde: from text.
                ///
                /// # Errors
                /// Those of the deserializer and of [`parse`](super::parse).
                pub fn deserialize<'de, D: Deserializer<'de>>(
                    from: D,
                ) -> Result<Option<$type>, D::Error> {
                    super::deserialize(from).map(Some)
                }
            }
        }
    };
}

quantity!(
    /// Durations: `ns`, `us`, `ms`, `s`; `min` and `h` are read too. 584 years at most.
    duration,
    std::time::Duration,
    Kind {
        what: "duration",
        finest: "ns",
        units: &[
            ("ns", 1),
            ("us", 1_000),
            ("ms", 1_000_000),
            ("s", 1_000_000_000)
        ],
        aliases: &[
            ("µs", 1_000),
            ("min", 60_000_000_000),
            ("h", 3_600_000_000_000)
        ],
        max: u64::MAX,
    },
    std::time::Duration::from_nanos,
    |value: std::time::Duration| u64::try_from(value.as_nanos()).unwrap_or(u64::MAX)
);

quantity!(
    /// Rates in bits per second: `bit`, `kbit`, `mbit`, `gbit`, decimal, as in Linux's `tc`.
    rate,
    u64,
    Kind {
        what: "rate",
        finest: "bit",
        units: &[
            ("bit", 1),
            ("kbit", 1_000),
            ("mbit", 1_000_000),
            ("gbit", 1_000_000_000)
        ],
        aliases: &[],
        max: u64::MAX,
    },
    |value| value,
    |value: u64| value
);

quantity!(
    /// Sizes in bytes: `B`, `kB`, `MB`, `GB`, decimal; `KiB`, `MiB` and `GiB` are read too.
    size,
    u64,
    Kind {
        what: "size",
        finest: "B",
        units: &[("B", 1), ("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000)],
        aliases: &[("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)],
        max: u64::MAX,
    },
    |value| value,
    |value: u64| value
);

quantity!(
    /// Shares, from 0 to 100 %, in parts per million: `%`; `ppm` is read too.
    share,
    u32,
    Kind {
        what: "share",
        finest: "ppm",
        units: &[("%", 10_000)],
        aliases: &[("ppm", 1)],
        max: 1_000_000,
    },
    |value| value as u32,
    |value: u32| u64::from(value)
);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::rng::Rng;

    #[test]
    fn quantities_are_read() {
        assert_eq!(duration::parse("40ms"), Ok(Duration::from_millis(40)));
        assert_eq!(duration::parse("1.5 s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(duration::parse("0.001us"), Ok(Duration::from_nanos(1)));
        assert_eq!(duration::parse("2min"), Ok(Duration::from_secs(120)));
        assert_eq!(duration::parse("0"), Ok(Duration::ZERO));
        assert_eq!(rate::parse("10mbit"), Ok(10_000_000));
        assert_eq!(size::parse("64kB"), Ok(64_000));
        assert_eq!(size::parse("1.5KiB"), Ok(1_536));
        assert_eq!(share::parse("1.5%"), Ok(15_000));
        assert_eq!(share::parse("100%"), Ok(1_000_000));
        assert_eq!(share::parse("7ppm"), Ok(7));
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in [
            "",
            "ms",
            "5",
            ".5s",
            "5.s",
            "1.2.3s",
            "-1s",
            "+1s",
            "1e3s",
            "5 days",
            "0.1ns",
            "5S",
            "18446744073709551616ns",
            "99999999999999999999999999999999s",
        ] {
            assert!(duration::parse(text).is_err(), "{text}");
        }
        for text in ["100.0001%", "0.00001%", "101%", "1000001ppm", "0.5ppm"] {
            assert!(share::parse(text).is_err(), "{text}");
        }
        for text in ["10Mbit", "10", "0.5bit"] {
            assert!(rate::parse(text).is_err(), "{text}");
        }
        assert!(size::parse("1.0001KiB").is_err());
        let error = duration::parse("5 days").unwrap_err().to_string();
        assert_eq!(
            error,
            "'5 days' is no duration: its unit is one of ns, us, ms, s"
        );
        let error = share::parse("101%").unwrap_err().to_string();
        assert_eq!(error, "'101%' is no share: at most 100%");
    }

    #[test]
    fn quantities_are_written_in_their_largest_unit() {
        assert_eq!(duration::format(Duration::from_micros(1_500)), "1.5ms");
        assert_eq!(duration::format(Duration::from_secs(90)), "90s");
        assert_eq!(duration::format(Duration::ZERO), "0ns");
        assert_eq!(rate::format(9_999), "9.999kbit");
        assert_eq!(size::format(65_536), "65.536kB");
        assert_eq!(share::format(1), "0.0001%");
        assert_eq!(share::format(0), "0%");
        assert_eq!(share::format(15_000), "1.5%");
        assert_eq!(share::format(12_345), "1.2345%");
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let mut rng = Rng::new(7, 7);
        for n in (0..5_000)
            .map(|_| rng.log_uniform(u64::MAX))
            .chain([0, u64::MAX])
        {
            assert_eq!(rate::parse(&rate::format(n)), Ok(n));
            assert_eq!(size::parse(&size::format(n)), Ok(n));
            let time = Duration::from_nanos(n);
            assert_eq!(duration::parse(&duration::format(time)), Ok(time));
            let part = (n % 1_000_001) as u32;
            assert_eq!(share::parse(&share::format(part)), Ok(part));
        }
    }

    #[test]
    fn serde_goes_both_ways() {
        #[derive(Serialize, Deserialize, PartialEq, Debug)]
        struct Both {
            #[serde(with = "duration")]
            delay: Duration,
            #[serde(with = "share")]
            loss: u32,
            #[serde(
                default,
                with = "rate::option",
                skip_serializing_if = "Option::is_none"
            )]
            rate: Option<u64>,
        }
        let text = "delay = \"40ms\"\nloss = \"0.5%\"\n";
        let both: Both = toml::from_str(text).unwrap();
        assert_eq!((both.loss, both.rate), (5_000, None));
        assert_eq!(toml::to_string(&both).unwrap(), text);
        let text = format!("{text}rate = \"3mbit\"\n");
        let both: Both = toml::from_str(&text).unwrap();
        assert_eq!(both.rate, Some(3_000_000));
        assert_eq!(toml::to_string(&both).unwrap(), text);
        assert!(toml::from_str::<Both>("delay = \"40\"\nloss = \"1%\"").is_err());
    }
}
