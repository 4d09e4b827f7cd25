//! Durations, sizes, rates and times as people write and read them.

use std::time::{Duration, SystemTime};

/// Reads `5s`, `10m`, `250ms`, `2h`, `1d`; a bare number is seconds.
///
/// # Errors
/// A text that says what is expected.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds_per_unit = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err(format!("unknown unit '{unit}': use ms, s, m, h or d")),
    };
    number
        .parse::<f64>()
        .ok()
        .and_then(|number| Duration::try_from_secs_f64(number * seconds_per_unit).ok())
        .ok_or_else(|| "expected a duration such as 5s, 10m or 250ms".to_owned())
}

/// `--limit`: bytes a second as `20M`, or bits as `160mbit`, at least 1,000 bytes.
///
/// # Errors
/// A text that says what is expected.
pub(crate) fn parse_limit(text: &str) -> Result<u64, String> {
    let rate = transport_std::parse_rate(text);
    rate.ok_or_else(|| {
        "expected a rate such as 20M (bytes a second) or 160mbit, from 1K to 1099G".to_owned()
    })
}

/// Bytes as `500M`, `10G`, `2T` (powers of 1,000) or `10Gi` (of 1,024); a bare number is bytes.
///
/// # Errors
/// A text that says what is expected.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(split.unwrap_or(text.len()));
    let unit = match unit {
        "" => Some(1),
        "K" => Some(1_000),
        "M" => Some(1_000_000),
        "G" => Some(1_000_000_000),
        "T" => Some(1_000_000_000_000),
        "Ki" => Some(1 << 10),
        "Mi" => Some(1 << 20),
        "Gi" => Some(1 << 30),
        "Ti" => Some(1 << 40),
        _ => None,
    };
    let number = number.parse::<u64>().ok();
    (number.zip(unit))
        .and_then(|(number, unit)| number.checked_mul(unit))
        .ok_or_else(|| "expected a size such as 500M, 10G or 10Gi".to_owned())
}

/// `--timeout`: the silence after which a session ends, 1 s to 10 min (T8).
///
/// # Errors
/// As [`parse_duration`], or outside these limits.
pub(crate) fn parse_timeout(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if (Duration::from_secs(1)..=Duration::from_secs(600)).contains(&duration) {
        Ok(duration)
    } else {
        Err("expected 1s to 10m".to_owned())
    }
}

/// `0 B`, `999 B`, `1.00 KiB`, `23.4 MiB`: three digits, binary units.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64;
    let mut unit = 0;
    // 1023.5 would be shown as 1024.
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", three_digits(value), UNITS[unit])
}

/// `23.4 MiB/s`; nothing is said (`-`) of a time that is too short to divide by.
pub(crate) fn rate(bytes: u64, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    if seconds < 1e-6 {
        return "-".to_owned();
    }
    format!("{}/s", size((bytes as f64 / seconds) as u64))
}

/// `850 µs`, `12.3 ms`, `4.56 s`, `3m12s`, `2h05m`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 0.000_999_5 {
        format!("{} µs", duration.as_micros())
    } else if seconds < 0.9995 {
        format!("{} ms", three_digits(seconds * 1000.0))
    } else if seconds < 59.95 {
        format!("{} s", three_digits(seconds))
    } else {
        let whole = seconds.round() as u64;
        if whole < 3600 {
            format!("{}m{:02}s", whole / 60, whole % 60)
        } else {
            format!("{}h{:02}m", whole / 3600, whole % 3600 / 60)
        }
    }
}

/// `2026-11-22 18:30:05Z` for nanoseconds since 1970.
pub(crate) fn time(nanoseconds: i64) -> String {
    let seconds = nanoseconds.div_euclid(1_000_000_000);
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// `2026-11-22T18:30:05.123456789Z` for nanoseconds since 1970.
pub(crate) fn rfc3339(nanoseconds: i64) -> String {
    let seconds = time(nanoseconds).replace(' ', "T");
    let fraction = nanoseconds.rem_euclid(1_000_000_000);
    format!("{}.{fraction:09}Z", seconds.trim_end_matches('Z'))
}

/// `2026-11-22 18:30:05.123Z`, the time of a log line.
pub(crate) fn timestamp(now: SystemTime) -> String {
    let since = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let text = time(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
    let seconds = text.trim_end_matches('Z');
    format!("{seconds}.{:03}Z", since.subsec_millis())
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar, by eras of 400 years that begin in March, so
/// that the leap day is the last of a year.
fn date(days: i64) -> (i64, i64, i64) {
    const DAYS_OF_ERA: i64 = 146_097;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(DAYS_OF_ERA);
    let day_of_era = shifted.rem_euclid(DAYS_OF_ERA);
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // From March on, months have 153 days per five.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

fn three_digits(value: f64) -> String {
    if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("0", 0),
            ("17", 17),
            ("500M", 500_000_000),
            ("10G", 10_000_000_000),
            ("2Ti", 2 << 40),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "G", "-1", "1.5G", "10GB", "10g", "99999999T"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn limits_are_read() {
        assert_eq!(parse_limit("20M"), Ok(20_000_000));
        assert_eq!(parse_limit("160mbit"), Ok(20_000_000));
        for wrong in ["", "0", "999", "20 M", "20MB", "-1K"] {
            assert!(parse_limit(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_are_read() {
        let read = |text| parse_duration(text).ok().map(|d| d.as_millis());
        assert_eq!(read("5"), Some(5_000));
        assert_eq!(read("5s"), Some(5_000));
        assert_eq!(read("0.5s"), Some(500));
        assert_eq!(read("250ms"), Some(250));
        assert_eq!(read("10m"), Some(600_000));
        assert_eq!(read("2h"), Some(7_200_000));
        assert_eq!(read("1d"), Some(86_400_000));
        for wrong in [
            "",
            "s",
            "-5s",
            "5 s",
            "5x",
            "1.2.3",
            "99999999999999999999999d",
            "5s5",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert!(parse_timeout("999ms").is_err());
        assert!(parse_timeout("1s").is_ok());
        assert!(parse_timeout("10m").is_ok());
        assert!(parse_timeout("601").is_err());
    }

    #[test]
    fn sizes_have_three_digits() {
        let cases: [(u64, &str); 10] = [
            (0, "0 B"),
            (999, "999 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (10 * 1024, "10.0 KiB"),
            (100 * 1024, "100 KiB"),
            (1024 * 1024 - 1, "1.00 MiB"),
            (24_536_678, "23.4 MiB"),
            (5 << 30, "5.00 GiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(rate(2048, Duration::from_secs(2)), "1.00 KiB/s");
        assert_eq!(rate(2048, Duration::ZERO), "-");
    }

    #[test]
    fn durations_are_written() {
        let cases = [
            (0, "0 µs"),
            (850, "850 µs"),
            (12_340, "12.3 ms"),
            (999_600, "1.00 s"),
            (4_560_000, "4.56 s"),
            (59_960_000, "1m00s"),
            (192_000_000, "3m12s"),
            (7_500_000_000, "2h05m"),
        ];
        for (micros, text) in cases {
            assert_eq!(duration(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn nanoseconds_are_kept() {
        assert_eq!(rfc3339(1), "1970-01-01T00:00:00.000000001Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn timestamps_have_milliseconds() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(951_782_400_007);
        assert_eq!(timestamp(time), "2000-02-29 00:00:00.007Z");
    }

    #[test]
    fn dates_are_right() {
        let cases: [(i64, &str); 7] = [
            (0, "1970-01-01 00:00:00Z"),
            (-1, "1969-12-31 23:59:59Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (1_709_251_199, "2024-02-29 23:59:59Z"),
            (1_709_251_200, "2024-03-01 00:00:00Z"),
            (4_107_542_399, "2100-02-28 23:59:59Z"),
            (4_107_542_400, "2100-03-01 00:00:00Z"),
        ];
        for (seconds, text) in cases {
            assert_eq!(time(seconds * 1_000_000_000), text);
        }
    }
}
