//! `dhow sync SRC DST`

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use transport_std::{EntryKind, FilePath, MakeDirOptions};

use crate::args::Sync;
use crate::connection::Connection;
use crate::copy::{self, Plan, Task, Way};
use crate::cp::{no_server, two_servers};
use crate::escape;
use crate::exit::Error;
use crate::failure;
use crate::filter;
use crate::get::ends_with_slash;
use crate::interrupt;
use crate::link::Link;
use crate::names;
use crate::put;
use crate::remote::{Operand, Remote};
use crate::removal::Removal;
use crate::session::App;
use crate::walk::{self, Side};

/// Runs the command.
///
/// # Errors
/// A usage error, a source that is not there, a server that cannot be used.
pub(crate) fn run(app: &App, args: &Sync) -> Result<u8, Error> {
    filter::of_flags(&args.copying)?;
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
            if !args.copying.dry_run {
                make_directory(target)?;
            }
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
        removal: removal(args, is_tree),
        checksum: args.checksum,
        keep_top_mode: task.local.is_dir(),
        ..Plan::new(
            Way::Download,
            &args.copying,
            std::slice::from_ref(&link),
            cancel,
            vec![task],
        )
    };
    copy::run(app, plan)
}

fn up(app: &App, args: &Sync, source: PathBuf, target: &Remote) -> Result<u8, Error> {
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
    if is_tree && into && !args.copying.dry_run {
        make_remote_directory(&link, &target.path, args)?;
    }
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
        bytes_total,
        removal: removal(args, is_tree),
        checksum: args.checksum,
        ..Plan::new(
            Way::Upload,
            &args.copying,
            std::slice::from_ref(&link),
            cancel,
            vec![task],
        )
    };
    copy::run(app, plan)
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

fn make_remote_directory(link: &Link<'_>, path: &FilePath, args: &Sync) -> Result<(), Error> {
    if Side::Remote(link, path.clone()).look(false)?.is_some() {
        return Ok(());
    }
    let options = MakeDirOptions {
        durability: args.copying.durability.into(),
        ..MakeDirOptions::default()
    };
    match link.connection() {
        Connection::Modern(client) => {
            let made = client.make_dir(path.as_bytes(), &options);
            made.map(|_| ())
                .map_err(|error| failure::from_client(&error))
        }
        Connection::Classic(_) => Err(classic()),
    }
}

/// `a/` and `a/.`
fn has_slash(path: &OsStr) -> bool {
    let bytes = path.as_encoded_bytes();
    ends_with_slash(path) || bytes == b"." || bytes.ends_with(b"/.")
}

fn removal(args: &Sync, is_tree: bool) -> Removal {
    match (args.delete && is_tree, args.ignore_errors) {
        (false, _) => Removal::Never,
        (true, false) => Removal::IfAllWell,
        (true, true) => Removal::Anyway,
    }
}
