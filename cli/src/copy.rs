//! What the commands that copy have in common: one file or directory after the other, progress, log, results, exit code.

mod attempt;
mod outcome;
mod plan;

use std::time::Duration;

use transport_std::{FilePath, Overwrite};

use crate::again;
use crate::begun::Begun;
use crate::checksum;
use crate::dry;
use crate::exchange::Exchange;
use crate::exit::{Error, Exit};
use crate::filter;
use crate::interrupt;
use crate::manifest::Manifest;
use crate::progress::{Look, Progress};
use crate::removal;
use crate::session::App;
use crate::stdio::Pipe;
use crate::tally::Tally;

use attempt::call;
pub(crate) use plan::{Plan, Task, Way};

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
    begun: Option<Begun>,
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
        let begun = plan.begun.take();
        if let Some(begun) = &begun {
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
            begun,
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
}
