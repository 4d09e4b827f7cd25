//! What the demonstration looks like: three voices, one line each at a time, and the table at the end.

use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use super::script::Result as Row;
use crate::units;

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Voice {
    /// The server.
    Server,
    /// The first user.
    Anna,
    /// The second user.
    Ben,
}

impl Voice {
    fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Anna => "anna",
            Self::Ben => "ben",
        }
    }

    /// The number of an ANSI colour: yellow, cyan, magenta.
    fn colour(self) -> u8 {
        match self {
            Self::Server => 33,
            Self::Anna => 36,
            Self::Ben => 35,
        }
    }
}

/// Writes to stdout.
#[derive(Debug)]
pub(super) struct Stage {
    begun: Instant,
    coloured: bool,
}

impl Stage {
    /// The clock of the lines begins here. Colours are for terminals that want them.
    pub(super) fn new() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            begun: Instant::now(),
            coloured: io::stdout().is_terminal() && !refused,
        }
    }

    /// A line of the log of `voice`.
    pub(super) fn say(&self, voice: Voice, text: &str) {
        let seconds = self.begun.elapsed().as_secs_f64();
        self.write(&format!("{seconds:7.3}  {} {text}\n", self.paint(voice)));
    }

    fn paint(&self, voice: Voice) -> String {
        let name = format!("{:<6} │", voice.name());
        if self.coloured {
            format!("\u{1b}[{}m{name}\u{1b}[0m", voice.colour())
        } else {
            name
        }
    }

    /// A paragraph.
    pub(super) fn title(&self, text: &str) {
        self.write(&format!("\n{text}\n\n"));
    }

    /// What came of every file.
    pub(super) fn table(&self, rows: &[Row]) {
        let mut lines = vec![table_line([
            "file",
            "user",
            "direction",
            "bytes",
            "seconds",
            "resent",
            "blake3",
        ])];
        for row in rows {
            lines.push(table_line([
                &row.remote,
                row.user,
                if row.is_upload { "upload" } else { "download" },
                &row.size.to_string(),
                &format!("{:.3}", row.elapsed.as_secs_f64()),
                &units::size(row.resent),
                if row.is_same { "ok" } else { "WRONG" },
            ]));
        }
        self.write(&format!("\n{}\n", lines.join("\n")));
    }

    fn write(&self, text: &str) {
        // One call a line keeps the voices apart. A closed pipe is the reader's choice.
        let _ = io::stdout().lock().write_all(text.as_bytes());
    }
}

fn table_line(cells: [&str; 7]) -> String {
    let [file, user, direction, bytes, seconds, resent, blake3] = cells;
    // Wide characters take two columns on a terminal, which the formatter does not know.
    let wide = file
        .chars()
        .filter(|c| ('\u{1100}'..='\u{ffdc}').contains(c))
        .count();
    let width = 26_usize.saturating_sub(wide);
    format!(
        "{file:<width$} {user:<5} {direction:<9} {bytes:>10} {seconds:>8} {resent:>10}  {blake3}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let plain = table_line(["a", "ben", "upload", "1", "0.1", "0 B", "ok"]);
        let wide = table_line(["海図.txt", "ben", "upload", "1", "0.1", "0 B", "ok"]);
        let column = |line: &str| line.find("ben").map(|at| line[..at].chars().count());
        assert_eq!(column(&plain), Some(27));
        assert_eq!(column(&wide), Some(25));
    }
}
