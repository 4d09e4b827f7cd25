//! What `get` and `put` have in common: one file or directory after the other, progress, log, results, exit code.

use std::path::PathBuf;

use serde_json::json;
use transport_std::{
    Cancel, ClientError, Durability, EntryKind, FilePath, FileReport, GetOptions, Overwrite,
    Progress as Step, PutOptions, Stored, StoredAs, Tree, TreeProgress,
};

use crate::args::{Copying, DurabilityArg};
use crate::connection::Connection;
use crate::escape::{self, Escaped};
use crate::exchange::{self, Exchange};
use crate::exit::{self, Error, Exit};
use crate::failure;
use crate::interrupt;
use crate::json;
use crate::names;
use crate::progress::Progress;
use crate::session::App;

/// Which way the bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// To this machine.
    Download,
    /// To the server.
    Upload,
}

/// One file to copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Task {
    /// The server's path.
    pub(crate) remote: FilePath,
    /// This machine's path.
    pub(crate) local: PathBuf,
    /// Which of the sessions.
    pub(crate) session: usize,
}

impl Task {
    fn source(&self, way: Way) -> String {
        match way {
            Way::Download => Escaped(self.remote.as_bytes()).to_string(),
            Way::Upload => escape::path(&self.local),
        }
    }

    fn in_words(&self, way: Way) -> String {
        let (remote, local) = (Escaped(self.remote.as_bytes()), escape::path(&self.local));
        match way {
            Way::Download => format!("download {remote} as {local}"),
            Way::Upload => format!("upload {local} as {remote}"),
        }
    }
}

/// One command.
pub(crate) struct Copy<'a> {
    /// What a command has at hand.
    pub(crate) app: &'a App,
    /// Which way.
    pub(crate) way: Way,
    /// The flags.
    pub(crate) flags: &'a Copying,
    /// The open sessions.
    pub(crate) sessions: &'a [Connection],
    /// Files that could not even be begun, reported already.
    pub(crate) errors: Vec<Error>,
    /// Bytes in all, as far as known.
    pub(crate) bytes_total: u64,
    /// What Ctrl-C uses.
    pub(crate) cancel: Cancel,
}

impl Copy<'_> {
    /// Copies all files and says what the process ends with. Errors of single files are reported and counted.
    pub(crate) fn run(mut self, tasks: &[Task]) -> u8 {
        let job = interrupt::Job::begin();
        let global = &self.app.global;
        // Log lines would tear a bar apart.
        let quiet = global.quiet || global.verbose;
        let files = tasks.len() + self.errors.len();
        let mut progress =
            Progress::new(global.progress, quiet, global.json, files, self.bytes_total);
        let mut done = 0;
        for task in tasks {
            match self.one(task, &mut progress) {
                Ok(failed) => {
                    done += 1;
                    self.errors.extend(failed);
                }
                Err(error) => {
                    let path = Some(task.remote.as_bytes());
                    progress.beside(|| self.app.report(&error, path));
                    let is_over = error.exit == Exit::Interrupted || interrupt::is_pressed();
                    self.errors.push(error);
                    if is_over {
                        break;
                    }
                }
            }
            progress.end();
        }
        progress.finish();
        drop(job);
        self.summary(done, &progress);
        for client in self.sessions {
            self.app.close(client);
        }
        exit::combined(done, &self.errors)
    }

    /// Copies a file, or a directory: then the errors of single files come back, which were reported.
    fn one(&self, task: &Task, progress: &mut Progress) -> Result<Vec<Error>, Error> {
        let client = &self.sessions[task.session];
        let source = task.source(self.way);
        let mut exchange = Exchange::new(task.in_words(self.way));
        self.app.log.line(&exchange.asked());
        let mut failed = Vec::new();
        let each = |step: TreeProgress| {
            let step = match step {
                TreeProgress::Step(step) => step,
                TreeProgress::File(report) => {
                    failed.extend(self.file(task, &report, progress));
                    return;
                }
                _ => return,
            };
            if let Some(line) = exchange.line(step) {
                self.app.log.line(&line);
            }
            match step {
                Step::Started(file) => {
                    progress.start(&source, file.size);
                    if self.app.global.json {
                        let mut fields = json!({ "size": file.size });
                        json::name(&mut fields, "path", task.remote.as_bytes());
                        json::emit("started", fields);
                    }
                }
                Step::Moved { bytes, resent, .. } => {
                    progress.moved(bytes, resent, || client.path());
                }
                _ => {}
            }
        };
        let result = self.call(client, task, each);
        self.app.log.line(&exchange.ended_tree(&result));
        let tree = result.map_err(|error| self.explain(task, &error))?;
        match &tree.file {
            Some(stored) => {
                progress.moved(stored.size, stored.stats.resent, || client.path());
                self.tell(task, stored, progress);
            }
            None => {
                progress.moved(tree.totals.bytes, tree.stats.resent, || client.path());
                self.tell_tree(task, &tree, progress);
            }
        }
        Ok(failed)
    }

    /// What became of one file of a directory; its error, if it failed.
    fn file(&self, task: &Task, report: &FileReport, progress: &Progress) -> Option<Error> {
        if report.path.is_empty() {
            // The directory itself; a file is told of at its end.
            return None;
        }
        let mut path = task.remote.as_bytes().to_vec();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(&report.path);
        let how = match report.result {
            Ok(how) => how,
            Err(code) => {
                let error = failure::from_code(code).about(Escaped(&path));
                progress.beside(|| self.app.report(&error, Some(&path)));
                return Some(error);
            }
        };
        if self.app.global.json && report.kind != EntryKind::Directory {
            let written = how == StoredAs::Written;
            let mut fields = json!({
                "size": report.size,
                "blake3": report.root.map(|hash| json::hex(&hash)),
                "outcome": if written { "written" } else { "unchanged" },
                "durability": written.then(|| durability_name(report.durability)),
            });
            if report.kind == EntryKind::Symlink {
                fields["kind"] = json!("symlink");
            }
            json::name(&mut fields, "path", &path);
            json::emit("file", fields);
        }
        None
    }

    /// The end of a directory.
    fn tell_tree(&self, task: &Task, tree: &Tree, progress: &Progress) {
        let global = &self.app.global;
        if global.json {
            let mut fields = json!({
                "files": tree.totals.files,
                "directories": tree.totals.directories,
                "links": tree.totals.links,
                "unchanged": tree.totals.unchanged,
                "failed": tree.totals.failed,
                "bytes": tree.totals.bytes,
                "seconds": json::seconds(tree.stats.elapsed),
                "resent_bytes": tree.stats.resent,
            });
            json::name(&mut fields, "path", task.remote.as_bytes());
            json::emit("directory", fields);
        } else if !global.quiet && !global.verbose {
            progress.print(&format!(
                "{}  {}",
                task.source(self.way),
                exchange::tree_outcome(tree)
            ));
        }
    }

    fn call(
        &self,
        client: &Connection,
        task: &Task,
        each: impl FnMut(TreeProgress),
    ) -> Result<Tree, ClientError> {
        let overwrite = match (self.flags.force, self.flags.no_clobber) {
            (true, _) => Overwrite::Replace,
            (_, true) => Overwrite::Never,
            _ => Overwrite::Compare,
        };
        let durability = match self.flags.durability {
            DurabilityArg::Full => Durability::Full,
            DurabilityArg::File => Durability::File,
            DurabilityArg::None => Durability::None,
        };
        let cancel = Some(self.cancel.clone());
        match self.way {
            Way::Download => {
                let options = GetOptions {
                    overwrite,
                    durability,
                    preserve: true,
                    cancel,
                };
                client.get(task.remote.as_bytes(), &task.local, &options, each)
            }
            Way::Upload => {
                let options = PutOptions {
                    overwrite,
                    durability,
                    cancel,
                };
                client.put(&task.local, task.remote.as_bytes(), &options, each)
            }
        }
    }

    /// The error in terms of the command: what is missing is the source of a download, the target's directory of an upload.
    fn explain(&self, task: &Task, error: &ClientError) -> Error {
        let mut found = failure::from_client(error);
        if self.sessions[task.session].is_classic() {
            failure::in_classic_words(&mut found);
            return found;
        }
        if self.way == Way::Upload
            && found.code == "not-found"
            && matches!(error, ClientError::Transfer { .. })
        {
            let parent = task.remote.parent();
            found.text = format!(
                "{}: the directory '{}' does not exist on the server",
                Escaped(task.remote.as_bytes()),
                Escaped(parent.as_bytes()),
            );
        }
        found
    }

    fn tell(&self, task: &Task, stored: &Stored, progress: &Progress) {
        let global = &self.app.global;
        if global.json {
            let written = stored.how == StoredAs::Written;
            let mut fields = json!({
                "size": stored.size,
                "blake3": stored.hash.map(|hash| json::hex(&hash)),
                "outcome": outcome_name(stored),
                "durability": written.then(|| durability_name(stored.durability)),
                "seconds": json::seconds(stored.stats.elapsed),
                "resent_bytes": stored.stats.resent,
            });
            json::name(&mut fields, "path", task.remote.as_bytes());
            if let Ok(local) = names::to_wire(task.local.as_os_str()) {
                json::name(&mut fields, "local", &local);
            }
            json::emit("file", fields);
        } else if !global.quiet && !global.verbose {
            progress.print(&format!(
                "{}  {}",
                task.source(self.way),
                exchange::outcome(stored)
            ));
        }
    }

    fn summary(&self, done: usize, progress: &Progress) {
        let count = progress.count();
        if self.app.global.json {
            let path = self.sessions.first().and_then(Connection::path);
            json::emit(
                "done",
                json!({
                    "files": done, "failed": self.errors.len(), "bytes": count.bytes,
                    "seconds": json::seconds(progress.elapsed()),
                    "rtt_ms": path.map(|(rtt, _)| json::milliseconds(rtt)),
                    "loss": path.map(|(_, loss)| json::share(loss)),
                    "resent_bytes": count.resent,
                }),
            );
        } else if count.files_total > 1 && !self.app.global.quiet {
            let failed = match self.errors.len() {
                0 => String::new(),
                failed => format!(", {failed} failed"),
            };
            self.app.note(&format!(
                "{done} of {} files done{failed}",
                count.files_total
            ));
        }
    }
}

/// `written` or `unchanged`.
pub(crate) fn outcome_name(stored: &Stored) -> &'static str {
    match stored.how {
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
