//! `dhow sync SRC DST`

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use transport_std::{DirEntry, EntryKind, FilePath};

use crate::args::Sync;
use crate::connection::Connection;
use crate::copy::{Copy, Plan, Task, Way};
use crate::cp::{no_server, two_servers};
use crate::escape::{self, Escaped};
use crate::exit::Error;
use crate::failure;
use crate::get::ends_with_slash;
use crate::interrupt;
use crate::json;
use crate::link::Link;
use crate::ls;
use crate::names;
use crate::prune;
use crate::put;
use crate::remote::{Operand, Remote};
use crate::session::App;
use crate::walk::{self, Side};

/// Runs the command.
///
/// # Errors
/// A usage error, a source that is not there, a server that cannot be used.
pub(crate) fn run(app: &App, args: &Sync) -> Result<u8, Error> {
    match (Operand::parse(&args.source)?, Operand::parse(&args.target)?) {
        (Operand::Remote(source), Operand::Remote(target)) => Err(two_servers(&source, &target)),
        (Operand::Local(_), Operand::Local(_)) => Err(no_server()),
        (Operand::Remote(source), Operand::Local(target)) => down(app, args, &source, &target),
        (Operand::Local(source), Operand::Remote(target)) => up(app, args, source, &target),
    }
}

fn down(app: &App, args: &Sync, source: &Remote, target: &Path) -> Result<u8, Error> {
    let cancel = interrupt::cancel_at_signal()?;
    let link = open(app, source)?;
    let is_tree = match link.connection() {
        Connection::Modern(client) => {
            let info = client
                .stat(source.path.as_bytes())
                .map_err(|error| failure::from_client(&error))?;
            info.kind == EntryKind::Directory
        }
        Connection::Classic(_) => return Err(classic()),
    };
    let name = source.path.name().unwrap_or_default();
    let name = names::from_wire(name)?;
    let local = match is_tree {
        true if source.is_directory => target.to_owned(),
        true => {
            make_directory(target)?;
            target.join(name)
        }
        false if target.is_dir() || ends_with_slash(target.as_os_str()) => target.join(name),
        false => target.to_owned(),
    };
    let task = Task {
        remote: source.path.clone(),
        local,
        session: 0,
    };
    let plan = Plan {
        way: Way::Download,
        flags: &args.copying,
        links: std::slice::from_ref(&link),
        errors: Vec::new(),
        bytes_total: 0,
        cancel,
        tasks: vec![task],
    };
    haul(app, args, plan, is_tree)
}

fn up(app: &App, args: &Sync, source: PathBuf, target: &Remote) -> Result<u8, Error> {
    if args.delete {
        return Err(Error::usage("--delete works on local targets only, as yet"));
    }
    let of_contents = has_slash(source.as_os_str());
    let (source, bytes_total) = put::read_source(source)?;
    let is_tree = source.path.is_dir();
    let cancel = interrupt::cancel_at_signal()?;
    let link = open(app, target)?;
    let into = if is_tree {
        !of_contents
    } else {
        put::is_directory(&link.connection(), target, false)?
    };
    let remote = match into {
        true => walk::child(&target.path, &source.name)?,
        false => target.path.clone(),
    };
    let task = Task {
        remote,
        local: source.path,
        session: 0,
    };
    let plan = Plan {
        way: Way::Upload,
        flags: &args.copying,
        links: std::slice::from_ref(&link),
        errors: Vec::new(),
        bytes_total,
        cancel,
        tasks: vec![task],
    };
    haul(app, args, plan, is_tree)
}

fn open<'a>(app: &'a App, remote: &Remote) -> Result<Link<'a>, Error> {
    if remote.classic {
        return Err(classic());
    }
    Link::open(app, remote)
}

fn classic() -> Error {
    Error::usage("the classic dialect tells neither sizes nor times: there is nothing to compare")
        .hint("get and put copy its files")
}

/// rsync makes the target directory, but none above it.
fn make_directory(path: &Path) -> Result<(), Error> {
    match fs::create_dir(path) {
        Err(error) if !path.is_dir() => Err(Error::io(escape::path(path), &error)),
        _ => Ok(()),
    }
}

/// `a/` and `a/.`
fn has_slash(path: &OsStr) -> bool {
    let bytes = path.as_encoded_bytes();
    ends_with_slash(path) || bytes == b"." || bytes.ends_with(b"/.")
}

fn haul(app: &App, args: &Sync, plan: Plan<'_>, is_tree: bool) -> Result<u8, Error> {
    let mut copy = Copy::begin(app, plan);
    copy.haul();
    if args.delete && is_tree {
        if copy.has_errors() && (!args.ignore_errors || interrupt::is_pressed()) {
            copy.progress()
                .beside(|| app.note("nothing is removed, because something could not be copied"));
        } else if let Err(error) = delete(app, &copy) {
            copy.progress().beside(|| app.report(&error, None));
            copy.note_error(error);
        }
    }
    Ok(copy.end())
}

/// Removes from the target what the source does not have.
fn delete(app: &App, copy: &Copy<'_>) -> Result<(), Error> {
    let plan = copy.plan();
    let Some(task) = plan.tasks.first() else {
        return Ok(());
    };
    let remote = Side::Remote(&plan.links[task.session], task.remote.clone());
    let local = Side::Local(task.local.clone());
    let (source, target) = match plan.way {
        Way::Download => (&remote, &local),
        Way::Upload => (&local, &remote),
    };
    let mut removed = 0_u64;
    let result = walk::compare(source, Some(target), &mut |pair| {
        if let (None, Some(entry)) = (pair.source, pair.target) {
            if plan.cancel.is_cancelled() {
                return Err(interrupted());
            }
            remove(target, pair.path)?;
            removed += 1;
            tell(app, copy, pair.path, entry);
        }
        Ok(false)
    });
    if removed > 0 && !app.global.json && !app.global.verbose {
        copy.progress()
            .beside(|| app.note(&format!("{removed} removed that the source does not have")));
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
        crate::exit::Exit::Interrupted,
        "interrupted",
        "interrupted while removing",
    )
    .hint("run the same command again")
}
