//! How fast copies to and from each server were, for forecasts: a file of one line a server and way, the newest first.

use std::fs;
use std::time::Duration;

use crate::copy::Way;
use crate::home::Home;

/// Servers and ways that are remembered.
const LINES_MAX: usize = 200;
/// Copies that are shorter say little about a path.
const BYTES_MIN: u64 = 1 << 20;

/// Bytes a second of the last copy that was long enough.
pub(crate) fn recall(home: &Home, server: &str, way: Way) -> Option<u64> {
    let text = fs::read_to_string(home.rates()).ok()?;
    let key = key(server, way);
    let rate = text.lines().find_map(|line| line.strip_prefix(&key))?;
    rate.trim().parse().ok().filter(|&rate| rate > 0)
}

/// Remembers a copy. That it cannot be written down is no reason to say anything: forecasts are worse then.
pub(crate) fn remember(home: &Home, server: &str, way: Way, bytes: u64, elapsed: Duration) {
    let seconds = elapsed.as_secs_f64();
    if bytes < BYTES_MIN || seconds < 0.001 {
        return;
    }
    let (path, key) = (home.rates(), key(server, way));
    let before = fs::read_to_string(&path).unwrap_or_default();
    let mut text = format!("{key}{}\n", (bytes as f64 / seconds) as u64);
    for line in before
        .lines()
        .filter(|line| !line.starts_with(&key))
        .take(LINES_MAX - 1)
    {
        text.push_str(line);
        text.push('\n');
    }
    let Some(directory) = path.parent() else {
        return;
    };
    let written = tempfile::NamedTempFile::new_in(directory).and_then(|mut file| {
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        file.persist(&path).map_err(|error| error.error)
    });
    let _ = written;
}

fn key(server: &str, way: Way) -> String {
    let way = match way {
        Way::Download => "down",
        Way::Upload => "up",
    };
    format!("{way} {server} ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_long_copy_counts() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::in_directory(directory.path());
        let second = Duration::from_secs(1);
        assert_eq!(recall(&home, "h", Way::Upload), None);
        remember(&home, "h", Way::Upload, 5 << 20, second);
        remember(&home, "h2", Way::Upload, 6 << 20, second);
        remember(&home, "h", Way::Download, 7 << 20, second);
        remember(&home, "h", Way::Upload, 8 << 20, second);
        remember(&home, "h", Way::Upload, 9, second);
        assert_eq!(recall(&home, "h", Way::Upload), Some(8 << 20));
        assert_eq!(recall(&home, "h2", Way::Upload), Some(6 << 20));
        assert_eq!(recall(&home, "h", Way::Download), Some(7 << 20));
    }
}
