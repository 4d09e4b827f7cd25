//! What `sync --checksum` does after copying: what has the source's size and time, and was therefore left alone, is
//! compared by hash, and copied when it differs.

use transport_std::{DirEntry, EntryKind, FilePath};

use crate::copy::{Copy, Task};
use crate::exit::Error;
use crate::filter::Leaver;
use crate::hashing;
use crate::removal::sides;
use crate::session::App;
use crate::walk::{self, Side};

/// Files that are compared at once.
const WAITING_MAX: usize = 256;

/// Compares and copies, if that is wanted.
pub(crate) fn run(app: &App, copy: &mut Copy<'_>) {
    if !copy.plan().checksum || copy.plan().cancel.is_cancelled() {
        return;
    }
    match find(app, copy) {
        Ok(tasks) => copy.replace(tasks),
        Err(error) => {
            copy.progress().beside(|| app.report(&error, None));
            copy.note_error(error);
        }
    }
}

/// What differs though size and time are the same.
fn find(app: &App, copy: &mut Copy<'_>) -> Result<Vec<Task>, Error> {
    let plan = copy.plan();
    let (Some((source, target)), Some(task)) = (sides(plan), plan.tasks.first().cloned()) else {
        return Ok(Vec::new());
    };
    let leaver = match &plan.filter {
        Some(filter) => Some(Leaver::new(filter, &task.local)?),
        None => None,
    };
    let mut waiting: Vec<FilePath> = Vec::new();
    let mut found = Found::default();
    if let (Some(a), Some(b)) = (source.look(true)?, target.look(true)?)
        && is_alike(&a, &b)
    {
        waiting.push(FilePath::root());
    } else if is_directory(&source)? && is_directory(&target)? {
        walk::compare(&source, Some(&target), &mut |pair| {
            let (Some(a), Some(b)) = (pair.source, pair.target) else {
                return Ok(false);
            };
            let left_out =
                |leaver: &Leaver| leaver.leaves_out(pair.path, a.kind == EntryKind::Directory);
            if leaver.as_ref().is_some_and(left_out) {
                return Ok(false);
            }
            if is_alike(a, b) && !copy.was_written(pair.path) {
                waiting.push(pair.path.clone());
                if waiting.len() >= WAITING_MAX {
                    found.look(copy, &task, &mut waiting)?;
                }
            }
            Ok(true)
        })?;
    }
    found.look(copy, &task, &mut waiting)?;
    app.log
        .line(&format!("compared by hash: {} differ", found.tasks.len()));
    for error in found.errors {
        copy.progress().beside(|| app.report(&error, None));
        copy.note_error(error);
    }
    Ok(found.tasks)
}

fn is_alike(a: &DirEntry, b: &DirEntry) -> bool {
    a.kind == EntryKind::File && b.kind == EntryKind::File && a.size == b.size && a.mtime == b.mtime
}

fn is_directory(side: &Side<'_>) -> Result<bool, Error> {
    Ok(side
        .look(true)?
        .is_some_and(|entry| entry.kind == EntryKind::Directory))
}

#[derive(Default)]
struct Found {
    tasks: Vec<Task>,
    errors: Vec<Error>,
}

impl Found {
    /// Compares what waits.
    fn look(
        &mut self,
        copy: &Copy<'_>,
        task: &Task,
        waiting: &mut Vec<FilePath>,
    ) -> Result<(), Error> {
        let pairs: Result<Vec<hashing::Pair>, Error> = waiting
            .drain(..)
            .map(|below| hashing::Pair::below(&task.remote, &task.local, &below, false))
            .collect();
        let (pairs, plan) = (pairs?, copy.plan());
        let results = hashing::compare(&plan.links[task.session], &pairs, &plan.cancel)?;
        for (hashing::Pair { remote, local, .. }, result) in pairs.into_iter().zip(results) {
            match result {
                Ok(Some(_)) => {}
                Ok(None) => self.tasks.push(Task {
                    remote,
                    local,
                    session: task.session,
                }),
                Err(error) => self.errors.push(error),
            }
        }
        Ok(())
    }
}
