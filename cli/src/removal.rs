//! What `--delete` does after copying: what the source does not have goes from the target.

use serde_json::json;
use transport_std::{DirEntry, FilePath};

use crate::copy::{Copy, Plan, Way};
use crate::escape::Escaped;
use crate::exit::{Error, Exit};
use crate::interrupt;
use crate::json;
use crate::ls;
use crate::prune;
use crate::session::App;
use crate::walk::{self, Side};

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
    } else if let Err(error) = remove_all(app, copy) {
        copy.progress().beside(|| app.report(&error, None));
        copy.note_error(error);
    }
}

fn remove_all(app: &App, copy: &Copy<'_>) -> Result<(), Error> {
    let plan = copy.plan();
    let Some((source, target)) = sides(plan) else {
        return Ok(());
    };
    let mut removed = 0_u64;
    let result = walk::compare(&source, Some(&target), &mut |pair| {
        if let (None, Some(entry)) = (pair.source, pair.target) {
            if plan.cancel.is_cancelled() {
                return Err(interrupted());
            }
            remove(&target, pair.path)?;
            removed += 1;
            tell(app, copy, pair.path, entry);
        }
        Ok(false)
    });
    if removed > 0 && !app.global.json && !app.global.verbose {
        let text = format!("{removed} removed that the source does not have");
        copy.progress().beside(|| app.note(&text));
    }
    result
}

fn remove(target: &Side<'_>, path: &FilePath) -> Result<(), Error> {
    match target {
        Side::Local(root) => prune::remove(root, path)
            .map_err(|error| Error::io(format!("removing {}", Escaped(path.as_bytes())), &error)),
        Side::Remote(..) => Err(Error::usage("--delete works on local targets only, as yet")),
    }
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
