//! `dhow mkdir`, `dhow rm` and `dhow mv`.

use std::ffi::OsString;

use serde_json::json;
use transport_std::{
    Changed, Client, ClientError, EntryKind, FilePath, MakeDirOptions, RemoveOptions, RenameOptions,
};

use crate::args::{Mkdir, Mv, Rm};
use crate::connection::Connection;
use crate::escape::Escaped;
use crate::exit::{self, Error, Exit};
use crate::failure;
use crate::glob;
use crate::interrupt;
use crate::json;
use crate::link::Link;
use crate::ls;
use crate::remote::Remote;
use crate::servers::{Servers, server_name};
use crate::session::App;
use crate::telling::durability_name;
use crate::walk;

/// Runs `mkdir`.
///
/// # Errors
/// A usage error.
pub(crate) fn mkdir(app: &App, args: &Mkdir) -> Result<u8, Error> {
    let remotes = read(&args.remotes, "mkdir")?;
    interrupt::end_at_signal(|| {})?;
    let options = MakeDirOptions {
        parents: args.parents,
        exclusive: !args.parents,
        durability: args.durability.into(),
        cancel: None,
    };
    each(app, &remotes, |link, remote| {
        let path = &remote.path;
        let (changed, _) = change(
            app,
            link,
            &format!("make directory {}", Escaped(path.as_bytes())),
            |client| client.make_dir(path.as_bytes(), &options),
        )?;
        tell(app, "made", path, None, &changed);
        Ok(1)
    })
}

/// Runs `rm`.
///
/// # Errors
/// A usage error.
pub(crate) fn rm(app: &App, args: &Rm) -> Result<u8, Error> {
    let remotes = read(&args.remotes, "rm")?;
    interrupt::end_at_signal(|| {})?;
    each(app, &remotes, |link, remote| {
        let paths = match glob::expand(link, &remote.path) {
            Err(error) if args.force && error.code == "not-found" => return Ok(0),
            paths => paths?,
        };
        let mut done = 0;
        for path in paths {
            match remove(app, link, &path, args) {
                Err(error) if args.force && error.code == "not-found" => {}
                result => result?,
            }
            done += 1;
        }
        Ok(done)
    })
}

fn remove(app: &App, link: &Link<'_>, path: &FilePath, args: &Rm) -> Result<(), Error> {
    let shown = Escaped(path.as_bytes());
    if path.is_root() {
        let text = "what a server shares is its owner's: it is not removed";
        return Err(
            Error::new(Exit::Refused, "denied", text).hint("name what is in it, such as 'host:*'")
        );
    }
    if !args.recursive && !args.dir && kind_of(link, path)? == Some(EntryKind::Directory) {
        let text = format!("{shown}: is a directory");
        return Err(Error::new(Exit::Refused, "is-directory", text)
            .hint("-r removes it with all that is in it, -d if it is empty"));
    }
    let options = RemoveOptions {
        recursive: args.recursive,
        durability: args.durability.into(),
        cancel: None,
    };
    let result = change(app, link, &format!("remove {shown}"), |client| {
        client.remove(path.as_bytes(), &options)
    });
    let changed = match result {
        Ok((changed, _)) => changed,
        // It may have gone before the answer was lost.
        Err((error, true)) if error.code == "not-found" => return Ok(()),
        Err((error, _)) => return Err(error),
    };
    tell(app, "removed", path, None, &changed);
    Ok(())
}

/// Runs `mv`.
///
/// # Errors
/// A usage error, a server that cannot be used, a target that is no directory where one is needed.
pub(crate) fn mv(app: &App, args: &Mv) -> Result<u8, Error> {
    let mut remotes = read(&args.operands, "mv")?;
    let Some(target) = remotes.pop() else {
        return Err(Error::usage("mv needs a source and a target"));
    };
    if let Some(other) = remotes
        .iter()
        .find(|source| server_name(app, source) != server_name(app, &target))
    {
        return Err(
            Error::usage(format!("{other} and {target} are of two servers"))
                .hint("get it from one and put it to the other, then rm it"),
        );
    }
    interrupt::end_at_signal(|| {})?;
    let link = Link::open(app, &target)?;
    let mut sources = Vec::new();
    for source in &remotes {
        sources.extend(glob::expand(&link, &source.path)?);
    }
    let is_directory =
        target.is_directory || kind_of(&link, &target.path)? == Some(EntryKind::Directory);
    if sources.len() > 1 && !is_directory {
        let text = format!("{target} is not a directory, and several cannot have one name");
        return Err(Error::new(Exit::NotFound, "not-directory", text));
    }
    let (mut done, mut errors) = (0, Vec::new());
    for from in &sources {
        let to = match is_directory {
            true => walk::child(&target.path, from.name().unwrap_or_default()),
            false => Ok(target.path.clone()),
        };
        match to.and_then(|to| rename(app, &link, from, &to, args)) {
            Ok(()) => done += 1,
            Err(error) => {
                app.report(&error, Some(from.as_bytes()));
                errors.push(error);
            }
        }
    }
    link.close();
    Ok(exit::combined(done, exit::exits(&errors)))
}

fn rename(
    app: &App,
    link: &Link<'_>,
    from: &FilePath,
    to: &FilePath,
    args: &Mv,
) -> Result<(), Error> {
    let options = RenameOptions {
        replace: !args.no_clobber,
        durability: args.durability.into(),
        cancel: None,
    };
    let what = format!(
        "rename {} to {}",
        Escaped(from.as_bytes()),
        Escaped(to.as_bytes())
    );
    let result = change(app, link, &what, |client| {
        client.rename(from.as_bytes(), to.as_bytes(), &options)
    });
    let changed = match result {
        Ok((changed, _)) => changed,
        // It may have been done before the answer was lost.
        Err((error, true)) if error.code == "not-found" && kind_of(link, to)?.is_some() => {
            return Ok(());
        }
        Err((error, _)) => return Err(error),
    };
    tell(app, "renamed", from, Some(to), &changed);
    Ok(())
}

/// What stands at a path of a server; nothing if nothing does.
fn kind_of(link: &Link<'_>, path: &FilePath) -> Result<Option<EntryKind>, Error> {
    let found = walk::Side::Remote(link, path.clone()).look(false)?;
    Ok(found.map(|entry| entry.kind))
}

/// Asks for a change until there is an answer. Whether it was asked for more than once comes with it: then a change may
/// have been made by a try whose answer was lost.
fn change(
    app: &App,
    link: &Link<'_>,
    what: &str,
    ask: impl Fn(&Client) -> Result<Changed, ClientError>,
) -> Result<(Changed, bool), (Error, bool)> {
    let mut again = false;
    app.log.line(&format!("asks: {what}"));
    loop {
        let Connection::Modern(client) = link.connection() else {
            return Err((Error::usage("the classic dialect changes no names"), again));
        };
        match ask(&client) {
            Ok(changed) => {
                link.went_on();
                app.log
                    .line(&format!("done: {what}, {} names", changed.count));
                return Ok((changed, again));
            }
            Err(error) => {
                let error = failure::from_client(&error);
                app.log.line(&format!("failed: {what}: {error}"));
                if !link.is_lost(&error) {
                    return Err((error, again));
                }
                link.again(error).map_err(|error| (error, again))?;
                again = true;
            }
        }
    }
}

impl From<(Error, bool)> for Error {
    fn from((error, _): (Error, bool)) -> Self {
        error
    }
}

fn tell(app: &App, event: &str, path: &FilePath, to: Option<&FilePath>, changed: &Changed) {
    if app.global.json {
        let mut fields =
            json!({ "names": changed.count, "durability": durability_name(changed.durability) });
        json::name(&mut fields, "path", path.as_bytes());
        if let Some(to) = to {
            json::name(&mut fields, "to", to.as_bytes());
        }
        json::emit(event, fields);
    }
}

fn read(operands: &[OsString], command: &str) -> Result<Vec<Remote>, Error> {
    let read = |operand: &OsString| match ls::read_remote(operand, command)? {
        remote if remote.classic => Err(Error::usage("the classic dialect changes no names")),
        remote => Ok(remote),
    };
    operands.iter().map(read).collect()
}

/// Does something for each operand; errors are reported, and the others go on.
fn each(
    app: &App,
    remotes: &[Remote],
    mut work: impl FnMut(&Link<'_>, &Remote) -> Result<usize, Error>,
) -> Result<u8, Error> {
    let mut servers = Servers::default();
    let (mut done, mut errors) = (0, Vec::new());
    for remote in remotes {
        let result = match servers.of(app, remote) {
            Ok(number) => work(&servers.links[number], remote),
            Err(error) => Err(error),
        };
        match result {
            Ok(count) => done += count,
            Err(error) => {
                app.report(&error, Some(remote.path.as_bytes()));
                errors.push(error);
            }
        }
    }
    for link in &servers.links {
        link.close();
    }
    Ok(exit::combined(done, exit::exits(&errors)))
}
