//! One try to copy a file or a directory, in one session.

use transport_std::{
    Cancel, ClientError, EntryKind, FilePath, FileReport, GetOptions, Overwrite, Progress as Moved,
    PutOptions, Tree, TreeProgress,
};

use super::{Copy, Plan, Task, Way};
use crate::connection::Connection;
use crate::exchange::Exchange;
use crate::exit::Error;
use crate::manifest::Manifest;
use crate::progress::Step;
use crate::stdio::Pipe;
use crate::tally::News;
use crate::telling::Teller;
use crate::walk;

impl Copy<'_> {
    pub(super) fn attempt(
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
            begun,
            ..
        } = self;
        let cancel = plan.cancel.clone();
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
            if let Some(begun) = begun.as_mut() {
                begun.heed(&step);
            }
            if let Moved::Started(file) = step {
                size = file.size;
                teller.started(&file, progress);
            }
            if let (Moved::Moved { whole, .. }, Some(pipe)) = (step, pipe.as_mut()) {
                pour(pipe, whole, &cancel);
            }
            if let Some(step) = shown(&step, size) {
                progress.moved(step, || connection.path());
            }
        };
        let result = call(plan, plan.overwrite(number), connection, task, each);
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
}

/// Writes what stands whole, unless nobody wants more.
fn pour(pipe: &mut Pipe, whole: u64, cancel: &Cancel) {
    pipe.pour(whole);
    if pipe.is_closed() {
        cancel.cancel();
    }
}

/// How far a job is, as it is shown; `announced` is what was said of its size.
fn shown(step: &Moved, announced: u64) -> Option<Step> {
    let Moved::Moved {
        bytes,
        had,
        size,
        resent,
        files,
        limited_by,
        ..
    } = *step
    else {
        return None;
    };
    Some(Step {
        bytes,
        had,
        size: announced.max(size),
        resent,
        files,
        limited_by: Some(limited_by),
    })
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

/// Asks for a task.
pub(super) fn call(
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
