//! What came of a command, and of each of its tasks.

use serde_json::json;
use transport_std::{ClientError, Failure, StoredAs, Tree};

use super::{Copy, Task, Way};
use crate::connection::Connection;
use crate::escape::Escaped;
use crate::exit::{self, Error};
use crate::failure;
use crate::json;
use crate::manifest::Manifest;
use crate::progress::{Settled, Step};
use crate::rates;
use crate::telling::Teller;

impl Copy<'_> {
    /// Says what came of it, ends the sessions, and gives what the process ends with.
    pub(super) fn end(mut self) -> Result<u8, Error> {
        self.progress.finish();
        if let Some(Err(error)) = self.manifest.take().map(Manifest::finish) {
            self.app.report(&error, None);
            self.plan.errors.push(error);
        }
        self.summary();
        if let Some(link) = self.plan.links.first() {
            let (bytes, elapsed) = self.travelled;
            rates::remember(&self.app.home, &link.name(), self.plan.way, bytes, elapsed);
        }
        for link in self.plan.links {
            link.close();
        }
        let failures = self.plan.errors.iter().map(|error| error.exit);
        let code = exit::combined(self.done, failures.chain(self.tally.failures()));
        if let Some(begun) = self.begun.take() {
            begun.end(code);
        }
        Ok(code)
    }

    /// Tells of a task that is done.
    pub(super) fn settled(
        &mut self,
        number: usize,
        task: &Task,
        tree: &Tree,
        connection: &Connection,
    ) {
        let teller = Teller {
            app: self.app,
            way: self.plan.way,
            task,
        };
        // The last step may not have been told of.
        let end = |bytes: u64| Step {
            bytes,
            had: bytes.saturating_sub(tree.stats.bytes),
            size: bytes,
            resent: tree.stats.resent,
            files: 0,
            limited_by: None,
        };
        match &tree.file {
            Some(stored) => {
                if connection.is_classic() {
                    self.progress.settle(Settled::Verified(stored.size));
                }
                // What was there already counts as such.
                let moved = if stored.how == StoredAs::Written {
                    stored.size
                } else {
                    0
                };
                self.progress.moved(end(moved), || connection.path());
                teller.file(stored, &self.progress);
            }
            None => {
                self.progress
                    .moved(end(tree.totals.bytes), || connection.path());
                teller.directory(number, tree, &self.tally, &self.progress);
            }
        }
    }

    /// The error in terms of the command: what is missing is the source of a download, the target's directory of an upload.
    pub(super) fn explain(&self, task: &Task, error: &ClientError) -> Error {
        let mut found = failure::from_client(error);
        if self.plan.links[task.session].connection().is_classic() {
            failure::in_classic_words(&mut found);
            return found;
        }
        if self.plan.way == Way::Upload
            && found.code == "not-found"
            && matches!(error, ClientError::Transfer { failure, .. } if !matches!(failure, Failure::Here(_)))
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

    fn summary(&self) {
        let count = self.progress.count();
        let tasks = self.plan.tasks.len() + self.begun_in_vain;
        let failed = self.plan.errors.len() + self.tally.failures().count();
        if self.app.global.json {
            let path = self
                .plan
                .links
                .first()
                .and_then(|link| link.connection().path());
            json::emit(
                "done",
                json!({
                    "files": self.done, "failed": failed, "bytes": count.bytes,
                    "seconds": json::seconds(self.progress.elapsed()),
                    "rtt_ms": path.map(|path| json::milliseconds(path.rtt)),
                    "loss": path.map(|path| json::share(path.loss)),
                    "resent_bytes": count.resent,
                    "moved_bytes": count.moved,
                    "verified_bytes": count.verified,
                    "limited_by": self.progress.limited_by(),
                }),
            );
        } else if tasks > 1 && !self.app.global.quiet {
            let failed = match failed {
                0 => String::new(),
                failed => format!(", {failed} failed"),
            };
            self.app
                .note(&format!("{} of {tasks} files done{failed}", self.done));
        }
    }
}
