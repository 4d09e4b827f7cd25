//! What a user is told of the files and directories of a command: lines and JSON events.

use serde_json::json;
use transport_std::{Durability, EntryKind, FileInfo, FileReport, Stored, StoredAs, Tree};

use crate::copy::{Task, Way};
use crate::escape::Escaped;
use crate::exchange;
use crate::failure;
use crate::json;
use crate::names;
use crate::progress::{Progress, Settled};
use crate::session::App;
use crate::tally::{News, Tally};

/// Tells of one task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Teller<'a> {
    /// What a command has at hand.
    pub(crate) app: &'a App,
    /// Which way.
    pub(crate) way: Way,
    /// The task.
    pub(crate) task: &'a Task,
}

impl Teller<'_> {
    /// The server agreed.
    pub(crate) fn started(&self, file: &FileInfo, progress: &mut Progress) {
        let size = file.size;
        let is_directory = file.kind == EntryKind::Directory;
        progress.start(&self.task.source(self.way), size, is_directory);
        if self.app.global.json {
            let mut fields = json!({ "size": size });
            json::name(&mut fields, "path", self.task.remote.as_bytes());
            json::emit("started", fields);
        }
    }

    /// What became of one entry of a directory. What was told in an earlier try is not told again.
    pub(crate) fn entry(
        &self,
        number: usize,
        report: &FileReport,
        tally: &mut Tally,
        progress: &mut Progress,
    ) -> News {
        let mut path = self.task.remote.as_bytes().to_vec();
        if !path.is_empty() && !report.path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(&report.path);
        // The task itself is told of at its end.
        let is_task = report.path.is_empty();
        let error = report
            .result
            .err()
            .map(|code| failure::from_code(code).about(Escaped(&path)));
        let exit = error
            .as_ref()
            .map_or(crate::exit::Exit::Other, |error| error.exit);
        if tally.take(number, report, exit) == News::Known {
            return News::Known;
        }
        let bytes = if report.kind == EntryKind::File {
            report.size
        } else {
            0
        };
        match (report.kind, report.result) {
            (EntryKind::Directory, _) => {}
            (_, Ok(StoredAs::Written)) => progress.settle(Settled::Verified(bytes)),
            (_, Ok(StoredAs::Unchanged)) => progress.settle(Settled::Unchanged(bytes)),
            (_, Err(_)) => progress.settle(Settled::Failed),
        }
        match (error, report.result) {
            (Some(error), _) => progress.beside(|| self.app.report(&error, Some(&path))),
            (None, Ok(how))
                if self.app.global.json && !is_task && report.kind != EntryKind::Directory =>
            {
                emit_entry(&path, report, how);
            }
            _ => {}
        }
        News::New
    }

    /// A file that went alone is done.
    pub(crate) fn file(&self, stored: &Stored, progress: &Progress) {
        let global = &self.app.global;
        if global.json {
            let written = stored.how == StoredAs::Written;
            let mut fields = json!({
                "size": stored.size,
                "blake3": stored.hash.map(|hash| json::hex(&hash)),
                "outcome": outcome_name(stored.how),
                "durability": written.then(|| durability_name(stored.durability)),
                "seconds": json::seconds(stored.stats.elapsed),
                "resent_bytes": stored.stats.resent,
            });
            json::name(&mut fields, "path", self.task.remote.as_bytes());
            if let Ok(local) = names::to_wire(self.task.local.as_os_str()) {
                json::name(&mut fields, "local", &local);
            }
            json::emit("file", fields);
        } else if !global.quiet && !global.verbose {
            self.print(&exchange::outcome(stored), progress);
        }
    }

    /// A directory is done: its counts over all tries.
    pub(crate) fn directory(&self, number: usize, tree: &Tree, tally: &Tally, progress: &Progress) {
        let totals = tally.totals_of(number);
        let global = &self.app.global;
        if global.json {
            let mut fields = json!({
                "files": totals.files,
                "directories": totals.directories,
                "links": totals.links,
                "unchanged": totals.unchanged,
                "failed": totals.failed,
                "bytes": totals.bytes,
                "seconds": json::seconds(tree.stats.elapsed),
                "resent_bytes": tree.stats.resent,
            });
            json::name(&mut fields, "path", self.task.remote.as_bytes());
            json::emit("directory", fields);
        } else if !global.quiet && !global.verbose {
            self.print(&exchange::tree_outcome(&totals, &tree.stats), progress);
        }
    }

    fn print(&self, outcome: &str, progress: &Progress) {
        progress.print(&format!("{}  {outcome}", self.task.source(self.way)));
    }
}

fn emit_entry(path: &[u8], report: &FileReport, how: StoredAs) {
    let written = how == StoredAs::Written;
    let mut fields = json!({
        "size": report.size,
        "blake3": report.root.map(|hash| json::hex(&hash)),
        "outcome": outcome_name(how),
        "durability": written.then(|| durability_name(report.durability)),
    });
    if report.kind == EntryKind::Symlink {
        fields["kind"] = json!("symlink");
    }
    json::name(&mut fields, "path", path);
    json::emit("file", fields);
}

/// `written` or `unchanged`.
pub(crate) fn outcome_name(how: StoredAs) -> &'static str {
    match how {
        StoredAs::Written => "written",
        StoredAs::Unchanged => "unchanged",
    }
}

/// `full`, `file` or `none`.
pub(crate) fn durability_name(durability: Durability) -> &'static str {
    match durability {
        Durability::Full => "full",
        Durability::File => "file",
        Durability::None => "none",
    }
}
