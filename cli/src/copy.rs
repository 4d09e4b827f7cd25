//! What the commands that copy have in common: one file or directory after the other, progress, log, results, exit code.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use transport_std::{
    Cancel, ClientError, EntryKind, Failure, FilePath, FileReport, Filter, GetOptions, Overwrite,
    Progress as Moved, PutOptions, StoredAs, Tree, TreeProgress,
};

use crate::again;
use crate::args::Copying;
use crate::begun::Begun;
use crate::checksum;
use crate::connection::Connection;
use crate::dry;
use crate::escape::{self, Escaped};
use crate::exchange::Exchange;
use crate::exit::{self, Error, Exit};
use crate::failure;
use crate::filter;
use crate::interrupt;
use crate::json;
use crate::link::Link;
use crate::manifest::Manifest;
use crate::progress::{Look, Progress, Settled, Step};
use crate::rates;
use crate::removal::{self, Removal};
use crate::session::App;
use crate::stdio::Pipe;
use crate::tally::{News, Tally};
use crate::telling::Teller;
use crate::walk;

/// Which way the bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// To this machine.
    Download,
    /// To the server.
    Upload,
}

/// One file or directory to copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Task {
    /// The server's path.
    pub(crate) remote: FilePath,
    /// This machine's path.
    pub(crate) local: PathBuf,
    /// Which of the links.
    pub(crate) session: usize,
}

impl Task {
    /// The source's name, escaped.
    pub(crate) fn source(&self, way: Way) -> String {
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

/// What a command is to copy, and how.
pub(crate) struct Plan<'a> {
    /// Which way.
    pub(crate) way: Way,
    /// The flags.
    pub(crate) flags: &'a Copying,
    /// The servers.
    pub(crate) links: &'a [Link<'a>],
    /// Files that could not even be begun, reported already.
    pub(crate) errors: Vec<Error>,
    /// Bytes in all, as far as known.
    pub(crate) bytes_total: u64,
    /// What Ctrl-C uses.
    pub(crate) cancel: Cancel,
    /// What to copy.
    pub(crate) tasks: Vec<Task>,
    /// What to do with what the source does not have.
    pub(crate) removal: Removal,
    /// What has size and time of the source is compared by hash, too.
    pub(crate) checksum: bool,
    /// From this task on, what stands at the target is replaced.
    pub(crate) replace_from: Option<usize>,
    /// A whole share goes into a directory that was there, whose permission bits are the user's (C2).
    pub(crate) keep_top_mode: bool,
    /// The one directory that is made, or that an earlier command began to make.
    pub(crate) begun: Option<Begun>,
    /// Where the one file that is downloaded goes besides.
    pub(crate) pipe: Option<Pipe>,
    /// What of directories is left out; made of the flags when the plan is run.
    pub(crate) filter: Option<Filter>,
}

impl<'a> Plan<'a> {
    /// To copy `tasks`, and nothing but that.
    pub(crate) fn new(
        way: Way,
        flags: &'a Copying,
        links: &'a [Link<'a>],
        cancel: Cancel,
        tasks: Vec<Task>,
    ) -> Self {
        Self {
            way,
            flags,
            links,
            errors: Vec::new(),
            bytes_total: 0,
            cancel,
            tasks,
            removal: Removal::Never,
            checksum: false,
            replace_from: None,
            keep_top_mode: false,
            begun: None,
            pipe: None,
            filter: None,
        }
    }

    /// What becomes of something that stands at the target of this task already.
    fn overwrite(&self, number: usize) -> Overwrite {
        let replace = self.replace_from.is_some_and(|first| number >= first);
        match (self.flags.force || replace, self.flags.no_clobber) {
            (true, _) => Overwrite::Replace,
            (_, true) => Overwrite::Never,
            _ => Overwrite::Compare,
        }
    }
}

/// Does what is planned, or tells what that would be. What the process ends with comes back.
///
/// # Errors
/// Nothing could be begun.
pub(crate) fn run(app: &App, mut plan: Plan<'_>) -> Result<u8, Error> {
    plan.filter = filter::of_flags(plan.flags)?;
    if plan.flags.dry_run {
        return dry::run(app, &plan);
    }
    let mut copy = Copy::begin(app, plan)?;
    copy.haul();
    copy.pour();
    checksum::run(app, &mut copy);
    removal::run(app, &mut copy);
    copy.restore_times();
    copy.end()
}

/// One command at work.
pub(crate) struct Copy<'a> {
    app: &'a App,
    plan: Plan<'a>,
    progress: Progress,
    tally: Tally,
    manifest: Option<Manifest>,
    pipe: Option<Pipe>,
    /// Tasks that are done.
    done: usize,
    /// Bytes that travelled, and for how long.
    travelled: (u64, Duration),
    /// Operands that could not even be begun.
    begun_in_vain: usize,
    /// Directories were changed after they were done.
    late: bool,
    _job: interrupt::Job,
}

impl<'a> Copy<'a> {
    /// From now on Ctrl-C ends the command in good order.
    fn begin(app: &'a App, mut plan: Plan<'a>) -> Result<Self, Error> {
        let manifest = plan
            .flags
            .manifest
            .as_deref()
            .map(Manifest::create)
            .transpose()?;
        let job = interrupt::Job::begin();
        if let Some(begun) = &plan.begun {
            begun.note();
        }
        let begun_in_vain = plan.errors.len();
        let global = &app.global;
        // Log lines would tear a bar apart.
        let quiet = global.quiet || global.verbose;
        let look = Look {
            mode: global.progress,
            quiet,
            json: global.json,
        };
        let progress = Progress::new(look, plan.way, plan.tasks.len(), plan.bytes_total);
        Ok(Self {
            app,
            pipe: plan.pipe.take(),
            plan,
            progress,
            tally: Tally::default(),
            manifest,
            done: 0,
            travelled: (0, Duration::ZERO),
            begun_in_vain,
            late: false,
            _job: job,
        })
    }

    /// Copies all files. Errors of single files are reported and counted.
    fn haul(&mut self) {
        self.haul_from(0);
    }

    /// Writes what is left of a file that goes to stdout.
    fn pour(&mut self) {
        let Some(pipe) = self.pipe.take() else {
            return;
        };
        if self.done == 0 && !pipe.is_closed() {
            return;
        }
        let poured = self.progress.beside(|| pipe.finish());
        if let Err(error) = poured {
            self.app.report(&error, None);
            self.plan.errors.push(error);
            self.done = 0;
        }
    }

    /// Copies further files, whatever stands at their targets.
    pub(crate) fn replace(&mut self, tasks: Vec<Task>) {
        let first = self.plan.tasks.len();
        self.late |= !tasks.is_empty();
        self.plan.tasks.extend(tasks);
        self.plan.replace_from = Some(first);
        self.haul_from(first);
    }

    /// Something came into directories, or went from them, that were done before.
    pub(crate) fn note_later_changes(&mut self) {
        self.late = true;
    }

    /// Gives directories that were changed after they were done the source's times again: the first task once more, of
    /// which nothing else is left to do.
    fn restore_times(&mut self) {
        if !self.late || self.plan.cancel.is_cancelled() {
            return;
        }
        let Some(task) = self.plan.tasks.first() else {
            return;
        };
        let connection = self.plan.links[task.session].connection();
        let overwrite = match self.plan.flags.no_clobber {
            true => Overwrite::Never,
            false => Overwrite::Compare,
        };
        if let Err(error) = call(&self.plan, overwrite, &connection, task, |_| {}) {
            let error = self.explain(task, &error);
            self.progress.beside(|| self.app.report(&error, None));
            self.plan.errors.push(error);
        }
    }

    /// Whether this command has written a file of its first task.
    pub(crate) fn was_written(&self, path: &FilePath) -> bool {
        self.tally.was_written(0, path.as_bytes())
    }

    fn haul_from(&mut self, first: usize) {
        for number in first..self.plan.tasks.len() {
            self.progress.next();
            let result = self.one(number);
            match result {
                Ok(()) => self.done += 1,
                // It was given up since nobody reads what it would write.
                Err(_) if self.pipe.as_ref().is_some_and(Pipe::is_closed) => break,
                Err(mut error) => {
                    if error.exit == Exit::Interrupted {
                        error.hint = Some(format!(
                            "to go on, run the same command again: {}",
                            again::command()
                        ));
                    }
                    let path = self.plan.tasks[number].remote.as_bytes();
                    self.progress.beside(|| self.app.report(&error, Some(path)));
                    let is_over = error.exit == Exit::Interrupted || interrupt::is_pressed();
                    self.plan.errors.push(error);
                    if is_over {
                        break;
                    }
                }
            }
        }
    }

    /// Whether something could not be copied.
    pub(crate) fn has_errors(&self) -> bool {
        !self.plan.errors.is_empty() || self.tally.failures().next().is_some()
    }

    /// The plan, for what is to be done after copying.
    pub(crate) fn plan(&self) -> &Plan<'a> {
        &self.plan
    }

    /// Counts an error that was reported already.
    pub(crate) fn note_error(&mut self, error: Error) {
        self.plan.errors.push(error);
    }

    /// Where progress is shown.
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Says what came of it, ends the sessions, and gives what the process ends with.
    fn end(mut self) -> Result<u8, Error> {
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
        if let Some(begun) = self.plan.begun.take() {
            begun.end(code);
        }
        Ok(code)
    }

    /// Copies a file, or a directory, in as many sessions as it takes.
    fn one(&mut self, number: usize) -> Result<(), Error> {
        let task = self.plan.tasks[number].clone();
        let links = self.plan.links;
        let link = &links[task.session];
        let mut exchange = Exchange::new(task.in_words(self.plan.way));
        self.app.log.line(&exchange.asked());
        loop {
            let connection = link.connection();
            let before = (self.progress.count().bytes, self.tally.totals_of(number));
            self.progress.begin(self.tally.totals_of(number).bytes);
            let result = self.attempt(number, &task, &connection, &mut exchange);
            if (self.progress.count().bytes, self.tally.totals_of(number)) != before {
                link.went_on();
            }
            self.app.log.line(&exchange.ended_tree(&result));
            let error = match result {
                Ok(tree) => {
                    self.settled(number, &task, &tree, &connection);
                    return Ok(());
                }
                Err(error) => self.explain(&task, &error),
            };
            if !link.is_lost(&error) || interrupt::is_pressed() {
                return Err(error);
            }
            // What is stored has the source's size and time: the next try leaves it alone.
            self.progress.beside(|| link.again(error))?;
            self.app
                .log
                .line(&format!("asks again: {}", exchange.what()));
        }
    }

    fn attempt(
        &mut self,
        number: usize,
        task: &Task,
        connection: &Connection,
        exchange: &mut Exchange,
    ) -> Result<Tree, ClientError> {
        let Self {
            app,
            plan,
            progress,
            tally,
            manifest,
            pipe,
            ..
        } = self;
        let cancel = plan.cancel.clone();
        let mut begun = plan.begun.take();
        let (app, way) = (*app, plan.way);
        let teller = Teller { app, way, task };
        let mut size = 0;
        let mut failures = Vec::new();
        let each = |step: TreeProgress| {
            let step = match step {
                TreeProgress::Step(step) => step,
                TreeProgress::File(report) => {
                    let news = teller.entry(number, &report, tally, progress);
                    if let (News::New, Some(manifest)) = (news, manifest.as_mut()) {
                        failures.extend(listed(manifest, task, &report));
                    }
                    return;
                }
                _ => return,
            };
            if let Some(line) = exchange.line(step) {
                app.log.line(&line);
            }
            if let Some(begun) = &mut begun {
                begun.heed(&step);
            }
            match step {
                Moved::Started(file) => {
                    size = file.size;
                    teller.started(&file, progress);
                }
                Moved::Moved {
                    bytes,
                    had,
                    whole,
                    size: known,
                    resent,
                    files,
                    limited_by,
                } => {
                    if let Some(pipe) = pipe.as_mut() {
                        pipe.pour(whole);
                        if pipe.is_closed() {
                            // Nobody wants the rest.
                            cancel.cancel();
                        }
                    }
                    let step = Step {
                        bytes,
                        had,
                        size: size.max(known),
                        resent,
                        files,
                        limited_by: Some(limited_by),
                    };
                    progress.moved(step, || connection.path());
                }
                _ => {}
            }
        };
        let result = call(plan, plan.overwrite(number), connection, task, each);
        plan.begun = begun;
        for error in failures {
            progress.beside(|| app.report(&error, Some(task.remote.as_bytes())));
            plan.errors.push(error);
        }
        if let Ok(Tree { stats, .. }) = &result {
            self.travelled.0 += stats.bytes;
            self.travelled.1 += stats.elapsed;
        }
        result
    }

    /// Tells of a task that is done.
    fn settled(&mut self, number: usize, task: &Task, tree: &Tree, connection: &Connection) {
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
    fn explain(&self, task: &Task, error: &ClientError) -> Error {
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

/// Writes a file into the manifest.
fn listed(manifest: &mut Manifest, task: &Task, report: &FileReport) -> Option<Error> {
    if report.kind != EntryKind::File || report.result.is_err() {
        return None;
    }
    let below = FilePath::parse(&report.path).unwrap_or(FilePath::root());
    let local = walk::local(&task.local, &below);
    local
        .and_then(|local| manifest.add(&local, report.root))
        .err()
}

fn call(
    plan: &Plan<'_>,
    overwrite: Overwrite,
    connection: &Connection,
    task: &Task,
    each: impl FnMut(TreeProgress),
) -> Result<Tree, ClientError> {
    let durability = plan.flags.durability.into();
    let cancel = Some(plan.cancel.clone());
    match plan.way {
        Way::Download => {
            let options = GetOptions {
                filter: plan.filter.clone(),
                overwrite,
                durability,
                preserve: true,
                keep_top_mode: plan.keep_top_mode && task.remote.is_root(),
                cancel,
            };
            connection.get(task.remote.as_bytes(), &task.local, &options, each)
        }
        Way::Upload => {
            let options = PutOptions {
                filter: plan.filter.clone(),
                overwrite,
                durability,
                cancel,
            };
            connection.put(&task.local, task.remote.as_bytes(), &options, each)
        }
    }
}
