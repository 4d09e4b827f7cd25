//! Where a server's log and events go. None of these outputs can hold the server up.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::escape;
use crate::exit::Error;
use crate::json;
use crate::units;
use crate::writer::{self, Writer};

/// Stderr and a file for people, stdout for programs; each with a queue of its own, so that one that is stuck costs the
/// others nothing.
#[derive(Debug)]
pub(crate) struct Outputs {
    stderr: Option<Writer>,
    file: Option<Writer>,
    json: Option<Writer>,
}

impl Outputs {
    /// Opens them: stderr unless `quiet`, the end of a file if there is one, JSON on stdout if asked for.
    ///
    /// # Errors
    /// The file cannot be opened, or there are no threads to be had.
    pub(crate) fn open(quiet: bool, file: Option<&Path>, json: bool) -> Result<Self, Error> {
        let stderr = (!quiet).then(|| {
            Writer::start(io::stderr(), |count| {
                short(&timestamp(), &left_out_text(count))
            })
        });
        let file = file.map(|path| {
            let file = open_log(path).map_err(|error| Error::io(escape::path(path), &error))?;
            Writer::start(file, |count| long(&timestamp(), &left_out_text(count)))
        });
        let json = json.then(|| {
            Writer::start(io::stdout(), |count| {
                json::line("dropped", json!({ "lines": count }))
            })
        });
        Ok(Self {
            stderr: stderr.transpose()?,
            file: file.transpose()?,
            json: json.transpose()?,
        })
    }

    /// A line of the log, with the time before it.
    pub(crate) fn line(&self, text: &str) {
        let now = timestamp();
        if let Some(stderr) = &self.stderr {
            stderr.line(short(&now, text));
        }
        if let Some(file) = &self.file {
            file.line(long(&now, text));
        }
    }

    /// Whether events are wanted.
    pub(crate) fn has_json(&self) -> bool {
        self.json.is_some()
    }

    /// An event, if they are wanted. `fields` is a JSON object.
    pub(crate) fn event(&self, name: &str, fields: Value) {
        if let Some(json) = &self.json {
            json.line(json::line(name, fields));
        }
    }

    /// Ends them. What waits is written if that takes no more than a second.
    pub(crate) fn finish(&self) {
        writer::finish([&self.stderr, &self.file, &self.json].into_iter().flatten());
    }
}

/// The log names users and their files: a new one is for its owner's eyes.
fn open_log(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn timestamp() -> String {
    units::timestamp(SystemTime::now())
}

/// With the time of day.
fn short(now: &str, text: &str) -> String {
    long(now.get(11..).unwrap_or(now), text)
}

fn long(now: &str, text: &str) -> String {
    format!("{now} {text}\n")
}

fn left_out_text(count: u64) -> String {
    format!("{count} lines were left out here: they were not read in time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_reach_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        for text in ["one", "two"] {
            let outputs = Outputs::open(true, Some(&path), false).unwrap();
            outputs.line(text);
            outputs.finish();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("20") && lines[0].ends_with("Z one"));
        assert!(lines[1].ends_with("Z two"));
    }

    #[cfg(unix)]
    #[test]
    fn a_new_log_is_for_its_owner() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        drop(open_log(&path).unwrap());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn left_out_lines_have_the_form_of_the_others() {
        let line = short("2026-01-02T03:04:05.678Z", &left_out_text(7));
        assert!(
            line.starts_with("03:04:05.678Z 7 lines were left out"),
            "{line}"
        );
        assert!(line.ends_with('\n'));
    }
}
