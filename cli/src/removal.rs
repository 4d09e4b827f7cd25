//! What `--delete` does after copying: what the source does not have goes from the target.

use serde_json::json;
use transport_std::{DirEntry, EntryKind, FilePath, RemoveOptions};

use crate::connection::Connection;
use crate::copy::{Copy, Plan, Way};
use crate::escape::Escaped;
use crate::exit::{Error, Exit};
use crate::failure;
use crate::filter::Leaver;
use crate::interrupt;
use crate::json;
use crate::link::Link;
use crate::ls;
use crate::prune;
use crate::session::App;
use crate::walk::{self, Side};

/// Names that are removed at once.
const AT_ONCE: usize = 32;

/// When to remove from the target what the source does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Removal {
    /// Never.
    #[default]
    Never,
    /// When all else was copied.
    IfAllWell,
    /// Also when something could not be copied.
    Anyway,
}

/// Source and target of the plan's first task.
pub(crate) fn sides<'a>(plan: &Plan<'a>) -> Option<(Side<'a>, Side<'a>)> {
    let task = plan.tasks.first()?;
    let remote = Side::Remote(&plan.links[task.session], task.remote.clone());
    let local = Side::Local(task.local.clone());
    Some(match plan.way {
        Way::Download => (remote, local),
        Way::Upload => (local, remote),
    })
}

/// Removes, if that is wanted and may be.
pub(crate) fn run(app: &App, copy: &mut Copy<'_>) {
    let removal = copy.plan().removal;
    if removal == Removal::Never {
        return;
    }
    if copy.has_errors() && (removal == Removal::IfAllWell || interrupt::is_pressed()) {
        let text = "nothing is removed, because something could not be copied";
        copy.progress().beside(|| app.note(text));
        return;
    }
    match remove_all(app, copy) {
        Ok(0) => {}
        // What loses an entry has the time of that, and not the source's any more.
        Ok(_) => copy.note_later_changes(),
        Err(error) => {
            copy.progress().beside(|| app.report(&error, None));
            copy.note_error(error);
        }
    }
}

/// Removes what the source does not have; how many names that were.
fn remove_all(app: &App, copy: &Copy<'_>) -> Result<u64, Error> {
    let plan = copy.plan();
    let Some((source, target)) = sides(plan) else {
        return Ok(0);
    };
    let mut removed = 0_u64;
    let mut waiting: Vec<(FilePath, DirEntry)> = Vec::new();
    let mut flush = |waiting: &mut Vec<(FilePath, DirEntry)>| {
        if plan.cancel.is_cancelled() {
            return Err(interrupted());
        }
        for (path, entry) in remove(&target, waiting, plan)? {
            removed += 1;
            tell(app, copy, &path, &entry);
        }
        Ok(())
    };
    let local = plan.tasks.first().map(|task| task.local.as_path());
    let leaver = match (&plan.filter, local) {
        (Some(filter), Some(local)) => Some(Leaver::new(filter, local)?),
        _ => None,
    };
    let mut result = walk::compare(&source, Some(&target), &mut |pair| {
        let Some(entry) = pair.target else {
            return Ok(false);
        };
        if leaves_out(leaver.as_ref(), pair.path, entry) {
            return Ok(false);
        }
        if pair.source.is_some() {
            return Ok(true);
        }
        if is_removable(&target, leaver.as_ref(), pair.path, entry, &mut waiting)? {
            waiting.push((pair.path.clone(), entry.clone()));
        }
        if waiting.len() >= AT_ONCE {
            flush(&mut waiting)?;
        }
        Ok(false)
    });
    if result.is_ok() {
        result = flush(&mut waiting);
    }
    if removed > 0 && !app.global.json && !app.global.verbose {
        let text = format!("{removed} removed that the source does not have");
        copy.progress().beside(|| app.note(&text));
    }
    result.map(|()| removed)
}

fn leaves_out(leaver: Option<&Leaver>, path: &FilePath, entry: &DirEntry) -> bool {
    leaver.is_some_and(|leaver| leaver.leaves_out(path, entry.kind == EntryKind::Directory))
}

/// Whether an entry may go with all that is in it. When something in it is left out, that stays, and what else is in it
/// goes to `parts`.
fn is_removable(
    target: &Side<'_>,
    leaver: Option<&Leaver>,
    path: &FilePath,
    entry: &DirEntry,
    parts: &mut Vec<(FilePath, DirEntry)>,
) -> Result<bool, Error> {
    if leaver.is_none() || entry.kind != EntryKind::Directory {
        return Ok(true);
    }
    let mut all = true;
    let mut mine = Vec::new();
    for inner in target.list(path)? {
        let below = walk::child(path, &inner.name)?;
        if !leaves_out(leaver, &below, &inner)
            && is_removable(target, leaver, &below, &inner, &mut mine)?
        {
            mine.push((below, inner));
        } else {
            all = false;
        }
    }
    if !all {
        parts.append(&mut mine);
    }
    Ok(all)
}

/// Removes all that waits; what is removed comes back.
fn remove(
    target: &Side<'_>,
    waiting: &mut Vec<(FilePath, DirEntry)>,
    plan: &Plan<'_>,
) -> Result<Vec<(FilePath, DirEntry)>, Error> {
    let all = std::mem::take(waiting);
    match target {
        Side::Local(root) => {
            for (path, _) in &all {
                prune::remove(root, path).map_err(|error| {
                    Error::io(format!("removing {}", Escaped(path.as_bytes())), &error)
                })?;
            }
        }
        Side::Remote(link, root) => {
            let paths: Result<Vec<FilePath>, Error> =
                all.iter().map(|(path, _)| walk::join(root, path)).collect();
            remove_remote(link, paths?, plan)?;
        }
    }
    Ok(all)
}

/// Removes names of a server, all at once, so that a round trip serves many. What is gone already is no error.
fn remove_remote(link: &Link<'_>, mut paths: Vec<FilePath>, plan: &Plan<'_>) -> Result<(), Error> {
    let options = RemoveOptions {
        recursive: true,
        durability: plan.flags.durability.into(),
        cancel: Some(plan.cancel.clone()),
    };
    while !paths.is_empty() {
        let Connection::Modern(client) = link.connection() else {
            return Err(Error::usage("the classic dialect removes nothing"));
        };
        let one = |path: &FilePath| client.remove(path.as_bytes(), &options);
        let results: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = paths
                .iter()
                .map(|path| scope.spawn(move || one(path)))
                .collect();
            threads.into_iter().map(|thread| thread.join()).collect()
        });
        let mut lost = None;
        let mut left = Vec::new();
        for (path, result) in paths.into_iter().zip(results) {
            match result {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => match failure::from_client(&error) {
                    error if error.code == "not-found" => {}
                    error if link.is_lost(&error) => {
                        left.push(path);
                        lost = Some(error);
                    }
                    error => return Err(error),
                },
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        paths = left;
        match lost {
            Some(error) => link.again(error)?,
            None => link.went_on(),
        }
    }
    Ok(())
}

fn tell(app: &App, copy: &Copy<'_>, path: &FilePath, entry: &DirEntry) {
    app.log
        .line(&format!("removed: {}", Escaped(path.as_bytes())));
    if app.global.json {
        let mut fields = json!({ "kind": ls::kind_name(entry.kind) });
        json::name(&mut fields, "path", path.as_bytes());
        copy.progress().beside(|| json::emit("removed", fields));
    }
}

fn interrupted() -> Error {
    Error::new(
        Exit::Interrupted,
        "interrupted",
        "interrupted while removing",
    )
    .hint("run the same command again")
}
