//! `--dry-run`: both sides are listed, and what would be done is printed; nothing is changed.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::json;
use transport_std::{CongestionControl, DirEntry, EntryKind, FilePath};

use crate::copy::{Plan, Task, Way};
use crate::escape::Escaped;
use crate::exit::{self, Error};
use crate::filter::Leaver;
use crate::hashing;
use crate::json;
use crate::rates;
use crate::removal::Removal;
use crate::session::App;
use crate::units;
use crate::walk::{self, Pair, Side};

/// What would be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Copy,
    Make,
    Link,
    Remove,
    /// `--no-clobber` is in the way, or another kind of thing.
    Refuse,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Make => "make",
            Self::Link => "link",
            Self::Remove => "remove",
            Self::Refuse => "refuse",
        }
    }
}

/// Counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Forecast {
    files: u64,
    bytes: u64,
    directories: u64,
    links: u64,
    unchanged: u64,
    refused: u64,
    removed: u64,
}

struct Dry<'a> {
    app: &'a App,
    plan: &'a Plan<'a>,
    out: io::BufWriter<io::Stdout>,
    written: io::Result<()>,
    forecast: Forecast,
    /// Files of the present task that look the same, and shall be compared by hash, and links at both sides.
    alike: Vec<(FilePath, EntryKind, u64)>,
}

/// Files that are compared at once.
const WAITING_MAX: usize = 256;

/// Prints what would be done; the exit code is that of what can be foreseen.
///
/// # Errors
/// stdout cannot be written.
pub(crate) fn run(app: &App, plan: &Plan<'_>) -> Result<u8, Error> {
    if plan.way == Way::Download && plan.flags.gitignore {
        let text = "--dry-run cannot look into .gitignore files of a server";
        return Err(Error::usage(text).hint("leave one of --dry-run and --gitignore out"));
    }
    let mut dry = Dry {
        app,
        plan,
        out: io::BufWriter::new(io::stdout()),
        written: Ok(()),
        forecast: Forecast::default(),
        alike: Vec::new(),
    };
    let mut errors: Vec<Error> = plan.errors.clone();
    let mut done = 0;
    for task in &plan.tasks {
        match dry.task(task) {
            Ok(()) => done += 1,
            Err(error) => {
                app.report(&error, Some(task.remote.as_bytes()));
                errors.push(error);
            }
        }
    }
    dry.end();
    for link in plan.links {
        link.close();
    }
    Error::of_stdout(dry.written.and_then(|()| dry.out.flush()))?;
    Ok(exit::combined(done, exit::exits(&errors)))
}

impl Dry<'_> {
    fn task(&mut self, task: &Task) -> Result<(), Error> {
        let link = &self.plan.links[task.session];
        let remote = Side::Remote(link, task.remote.clone());
        let local = Side::Local(task.local.clone());
        let (source, target) = match self.plan.way {
            Way::Download => (remote, local),
            Way::Upload => (local, remote),
        };
        let found = source.look(true)?;
        let Some(found) = found else {
            return Err(
                crate::failure::from_code(transport_std::ErrorCode::NotFound).about(source.shown()),
            );
        };
        let there = target.look(found.kind == EntryKind::Directory)?;
        let root = FilePath::root();
        self.visit(
            &Pair {
                path: &root,
                source: Some(&found),
                target: there.as_ref(),
            },
            &target,
        );
        if found.kind != EntryKind::Directory {
            return self.compare(task, &target);
        }
        let is_directory = there.is_some_and(|entry| entry.kind == EntryKind::Directory);
        let leaver = match &self.plan.filter {
            Some(filter) => Some(Leaver::new(filter, &task.local)?),
            None => None,
        };
        walk::compare(&source, is_directory.then_some(&target), &mut |pair| {
            let entry = pair.source.or(pair.target);
            let left_out = entry.zip(leaver.as_ref()).is_some_and(|(entry, leaver)| {
                leaver.leaves_out(pair.path, entry.kind == EntryKind::Directory)
            });
            if !left_out {
                self.visit(&pair, &target);
            }
            if self.alike.len() >= WAITING_MAX {
                self.compare(task, &target)?;
            }
            Ok(!left_out)
        })?;
        self.compare(task, &target)
    }

    /// Compares by hash what may be the same: a listing does not tell where links lead.
    fn compare(&mut self, task: &Task, target: &Side<'_>) -> Result<(), Error> {
        let alike = std::mem::take(&mut self.alike);
        let pair = |(below, kind, _): &(FilePath, EntryKind, u64)| {
            let link = *kind == EntryKind::Symlink;
            hashing::Pair::below(&task.remote, &task.local, below, link)
        };
        let pairs = alike.iter().map(pair).collect::<Result<Vec<_>, Error>>()?;
        if pairs.is_empty() {
            return Ok(());
        }
        let plan = self.plan;
        let results = hashing::compare(&plan.links[task.session], &pairs, &plan.cancel)?;
        for ((below, kind, size), result) in alike.into_iter().zip(results) {
            if result?.is_some() {
                self.forecast.unchanged += 1;
                continue;
            }
            let action = copying(kind);
            self.count(action, size);
            self.line(action, size, false, &target.path_of(&below));
        }
        Ok(())
    }

    fn visit(&mut self, pair: &Pair<'_>, target: &Side<'_>) {
        let action = match (pair.source, pair.target) {
            (Some(source), there) => self.action(source, there),
            (None, Some(_)) if self.plan.removal != Removal::Never => Some(Action::Remove),
            _ => return,
        };
        let entry = pair.source.or(pair.target);
        let size = entry.map_or(0, |entry| entry.size);
        match (action, entry.map(|entry| entry.kind)) {
            (None, Some(kind @ EntryKind::Symlink)) => {
                self.alike.push((pair.path.clone(), kind, size));
            }
            (None, Some(kind @ EntryKind::File)) if self.plan.checksum => {
                self.alike.push((pair.path.clone(), kind, size));
            }
            (None, Some(EntryKind::File | EntryKind::Other)) => self.forecast.unchanged += 1,
            _ => {}
        }
        if let Some(action) = action {
            self.count(action, size);
            let is_directory = entry.is_some_and(|entry| entry.kind == EntryKind::Directory);
            self.line(action, size, is_directory, &target.path_of(pair.path));
        }
    }

    fn count(&mut self, action: Action, size: u64) {
        let count = &mut self.forecast;
        match action {
            Action::Copy => {
                count.files += 1;
                count.bytes = count.bytes.saturating_add(size);
            }
            Action::Make => count.directories += 1,
            Action::Link => count.links += 1,
            Action::Remove => count.removed += 1,
            Action::Refuse => count.refused += 1,
        }
    }

    /// What becomes of an entry of the source; nothing when it is there already.
    fn action(&self, source: &DirEntry, there: Option<&DirEntry>) -> Option<Action> {
        let flags = self.plan.flags;
        match (source.kind, there) {
            (EntryKind::Other, _) => Some(Action::Refuse),
            (EntryKind::Directory, None) => Some(Action::Make),
            (EntryKind::Directory, Some(there)) => {
                (there.kind != EntryKind::Directory).then_some(Action::Refuse)
            }
            (kind, None) => Some(copying(kind)),
            (kind, Some(there)) => {
                let is_same = kind == there.kind
                    && match kind {
                        EntryKind::File => source.size == there.size && source.mtime == there.mtime,
                        // Where they lead is seen later.
                        EntryKind::Symlink => true,
                        _ => false,
                    };
                if flags.no_clobber || there.kind == EntryKind::Directory {
                    Some(Action::Refuse)
                } else if is_same && !flags.force {
                    None
                } else {
                    Some(copying(kind))
                }
            }
        }
    }

    fn line(&mut self, action: Action, size: u64, is_directory: bool, path: &[u8]) {
        if self.written.is_err() {
            return;
        }
        self.written = if self.app.global.json {
            let mut fields = json!({ "action": action.name(), "size": size });
            json::name(&mut fields, "path", path);
            self.out.write_all(json::line("would", fields).as_bytes())
        } else {
            let size = if action == Action::Copy {
                units::size(size)
            } else {
                String::new()
            };
            let slash = if is_directory { "/" } else { "" };
            writeln!(
                self.out,
                "{:<7}{size:>10}  {}{slash}",
                action.name(),
                Escaped(path)
            )
        };
    }

    fn end(&mut self) {
        let count = self.forecast;
        let rate = self.rate();
        let seconds =
            rate.map(|(rate, _)| Duration::from_secs_f64(count.bytes as f64 / rate as f64));
        if self.written.is_err() {
            return;
        }
        self.written = if self.app.global.json {
            let fields = json!({
                "files": count.files, "bytes": count.bytes, "directories": count.directories, "links": count.links,
                "unchanged": count.unchanged, "refused": count.refused, "removed": count.removed,
                "rate": rate.map(|(rate, _)| rate), "rate_from": rate.map(|(_, from)| from),
                "seconds": seconds.map(json::seconds),
            });
            self.out
                .write_all(json::line("forecast", fields).as_bytes())
        } else {
            let time = match (rate, seconds) {
                (Some((rate, from)), Some(seconds)) if count.bytes > 0 => {
                    let from = if from == "stated" {
                        "as stated"
                    } else {
                        "as measured last time"
                    };
                    format!(
                        "\nabout {} at {}/s, {from}",
                        units::duration(seconds),
                        units::size(rate)
                    )
                }
                _ => String::new(),
            };
            writeln!(self.out, "{}{time}", in_words(&count))
        };
    }

    /// Bytes a second, and where that is from.
    fn rate(&self) -> Option<(u64, &'static str)> {
        if let (CongestionControl::Fixed(rate), Way::Upload) = (self.app.global.cc, self.plan.way) {
            return Some((rate, "stated"));
        }
        let link = self.plan.links.first()?;
        let rate = rates::recall(&self.app.home, &link.name(), self.plan.way)?;
        Some((rate, "measured"))
    }
}

fn copying(kind: EntryKind) -> Action {
    if kind == EntryKind::Symlink {
        Action::Link
    } else {
        Action::Copy
    }
}

fn in_words(count: &Forecast) -> String {
    let mut text = format!(
        "would copy {} files, {}",
        count.files,
        units::size(count.bytes)
    );
    for (number, what) in [
        (count.directories, "directories to make"),
        (count.links, "links to make"),
        (count.unchanged, "unchanged"),
        (count.refused, "refused"),
        (count.removed, "to remove"),
    ] {
        if number > 0 {
            text.push_str(&format!(", {number} {what}"));
        }
    }
    text
}
