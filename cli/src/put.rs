//! `dhow put LOCAL... REMOTE`

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::PathBuf;

use transport_std::{ClientError, EntryKind, ErrorCode, Failure, FilePath};

use crate::args::Copying;
use crate::begun::Begun;
use crate::connection::Connection;
use crate::copy::{self, Plan, Task, Way};
use crate::escape::{self, Escaped};
use crate::exit::{self, Error, Exit};
use crate::failure;
use crate::filter;
use crate::interrupt;
use crate::link::Link;
use crate::names;
use crate::remote::{Operand, Remote};
use crate::session::App;
use crate::stdio::{Spool, is_dash};

/// A local file or directory to upload.
pub(crate) struct Source {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What it is called, as it travels.
    pub(crate) name: Vec<u8>,
}

/// Runs the command.
///
/// # Errors
/// A usage error, or a server that cannot be used.
pub(crate) fn run(app: &App, operands: &[OsString], flags: &Copying) -> Result<u8, Error> {
    let (operands, target) = read_operands(operands)?;
    filter::of_flags(flags)?;
    let several = operands.len() > 1;
    if operands.iter().any(|path| is_dash(path)) {
        return from_stdin(app, several, &target, flags);
    }
    let mut errors = Vec::new();
    let mut sources = Vec::new();
    let mut bytes_total = 0_u64;
    for path in operands {
        match read_source(path) {
            Ok((source, size)) => {
                bytes_total = bytes_total.saturating_add(size);
                sources.push(source);
            }
            Err(error) => {
                app.report(&error, None);
                errors.push(error);
            }
        }
    }
    if sources.is_empty() {
        return Ok(exit::combined(0, exit::exits(&errors)));
    }
    if target.classic && flags.no_clobber {
        return Err(Error::usage(
            "--no-clobber: what an upload replaces is the classic server's matter",
        ));
    }
    let cancel = interrupt::cancel_at_signal()?;
    let link = Link::open(app, &target)?;
    let mut into = is_directory(&link.connection(), &target, several)?;
    let mut begun = begun(app, &link, &sources, &target);
    if begun.as_ref().is_some_and(Begun::is_unfinished) && into {
        app.note(&format!("{target}: going on with what was begun"));
        into = false;
    }
    let plan = Plan {
        errors,
        bytes_total,
        begun: begun.take_if(|_| !into),
        ..Plan::new(
            Way::Upload,
            flags,
            std::slice::from_ref(&link),
            cancel,
            plan(sources, &target, into)?,
        )
    };
    copy::run(app, plan)
}

/// The directory that an upload makes, if nothing stands at its target, or goes on with.
fn begun(app: &App, link: &Link<'_>, sources: &[Source], target: &Remote) -> Option<Begun> {
    let [source] = sources else {
        return None;
    };
    if target.is_directory || target.classic || !source.path.is_dir() {
        return None;
    }
    let real = fs::canonicalize(&source.path).ok()?;
    let (way, server) = (Way::Upload, link.name());
    Some(Begun::new(&app.home, way, &server, &target.path, &real))
}

/// What comes on stdin as one file. Its name must be given.
fn from_stdin(app: &App, several: bool, target: &Remote, flags: &Copying) -> Result<u8, Error> {
    if several {
        return Err(Error::usage(
            "- takes one file: put other files with another command",
        ));
    }
    if flags.dry_run {
        return Err(Error::usage(
            "--dry-run knows nothing of what will come on stdin",
        ));
    }
    let cancel = interrupt::cancel_at_signal()?;
    let link = Link::open(app, target)?;
    if is_directory(&link.connection(), target, false)? {
        let text = format!("{target} is a directory: what shall the file be called in it?");
        return Err(Error::usage(text));
    }
    let spool = Spool::new("stdin")?;
    let bytes_total = spool.fill()?;
    let task = Task {
        remote: target.path.clone(),
        local: spool.path.clone(),
        session: 0,
    };
    let plan = Plan {
        bytes_total,
        ..Plan::new(
            Way::Upload,
            flags,
            std::slice::from_ref(&link),
            cancel,
            vec![task],
        )
    };
    copy::run(app, plan)
}

fn read_operands(operands: &[OsString]) -> Result<(Vec<PathBuf>, Remote), Error> {
    let Some((target, sources)) = operands.split_last() else {
        return Err(Error::usage("put needs a local file and a remote target"));
    };
    let target = match Operand::parse(target)? {
        Operand::Remote(remote) => remote,
        Operand::Local(path) => {
            let text = format!(
                "put uploads: its last operand must be remote, not {}",
                escape::path(&path)
            );
            return Err(Error::usage(text).hint("write host:path; to download, use get"));
        }
    };
    let read = |operand: &OsString| match Operand::parse(operand)? {
        Operand::Local(path) => Ok(path),
        Operand::Remote(remote) => Err(Error::usage(format!(
            "put uploads: {remote} is no local file"
        ))
        .hint("to download, use get; ./a:b is a local file of that name")),
    };
    let sources: Result<Vec<PathBuf>, Error> = sources.iter().map(read).collect();
    Ok((sources?, target))
}

/// A local source, and its size if it is a file.
///
/// # Errors
/// It is not there, or neither file nor directory.
pub(crate) fn read_source(path: PathBuf) -> Result<(Source, u64), Error> {
    let metadata = fs::metadata(&path).map_err(|error| Error::io(escape::path(&path), &error))?;
    if !metadata.is_file() && !metadata.is_dir() {
        let text = format!("{} is not a regular file", escape::path(&path));
        return Err(Error::new(Exit::Refused, "not-regular", text));
    }
    // `.` and `..` have names, too.
    let real = fs::canonicalize(&path).map_err(|error| Error::io(escape::path(&path), &error))?;
    let named = if path.file_name().is_some() {
        &path
    } else {
        &real
    };
    let name = names::to_wire(named.file_name().unwrap_or(OsStr::new("")))?;
    let size = if metadata.is_file() {
        metadata.len()
    } else {
        0
    };
    Ok((Source { path, name }, size))
}

/// Whether the target is a directory to put files into: written so, or found so on the server.
///
/// # Errors
/// Several files shall have one name; the server cannot be asked.
pub(crate) fn is_directory(
    connection: &Connection,
    target: &Remote,
    several: bool,
) -> Result<bool, Error> {
    if target.is_directory {
        return Ok(true);
    }
    let client = match connection {
        Connection::Modern(client) => client,
        Connection::Classic(_) if several => return Err(one_name(target)),
        Connection::Classic(_) => return Ok(false),
    };
    match client.stat(target.path.as_bytes()) {
        Ok(info) if info.kind == EntryKind::Directory => Ok(true),
        Ok(_)
        | Err(ClientError::Transfer {
            failure: Failure::Refused(ErrorCode::NotFound),
            ..
        }) if several => Err(one_name(target)),
        // A file, nothing yet, or something that the upload itself will tell about.
        Ok(_)
        | Err(ClientError::Transfer {
            failure: Failure::Refused(_) | Failure::Peer(_),
            ..
        }) => Ok(false),
        Err(error) => Err(failure::from_client(&error)),
    }
}

fn one_name(target: &Remote) -> Error {
    let text = format!("{target} is not a directory, and several files cannot have one name");
    Error::new(Exit::NotFound, "not-directory", text).hint("name a directory that exists")
}

fn plan(sources: Vec<Source>, target: &Remote, into_directory: bool) -> Result<Vec<Task>, Error> {
    let mut tasks: Vec<Task> = Vec::with_capacity(sources.len());
    for source in sources {
        let remote: FilePath = if into_directory {
            target.path.join(&source.name).map_err(|error| {
                let text = format!("{}: {error}", Escaped(&source.name));
                Error::new(Exit::Refused, "name-refused", text)
            })?
        } else {
            target.path.clone()
        };
        if tasks.iter().any(|task| task.remote == remote) {
            let text = format!("two files would become {}", target.with_path(remote));
            return Err(Error::usage(text).hint("put one of them under another name"));
        }
        tasks.push(Task {
            remote,
            local: source.path,
            session: 0,
        });
    }
    Ok(tasks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operands(texts: &[&str]) -> Vec<OsString> {
        texts.iter().map(OsString::from).collect()
    }

    fn planned(names: &[&str], target: &str, into_directory: bool) -> Result<Vec<String>, Error> {
        let Ok(Operand::Remote(target)) = Operand::parse(OsStr::new(target)) else {
            panic!()
        };
        let source = |name: &&str| Source {
            path: PathBuf::from(name),
            name: name.rsplit('/').next().unwrap().into(),
        };
        let tasks = plan(names.iter().map(source).collect(), &target, into_directory)?;
        Ok(tasks
            .iter()
            .map(|task| String::from_utf8(task.remote.as_bytes().to_vec()).unwrap())
            .collect())
    }

    #[test]
    fn targets_follow_cp() {
        assert_eq!(planned(&["x/a"], "h:", true), Ok(vec!["a".to_owned()]));
        assert_eq!(
            planned(&["a", "b"], "h:d/e", true),
            Ok(vec!["d/e/a".to_owned(), "d/e/b".to_owned()])
        );
        assert_eq!(
            planned(&["a"], "h:d/new", false),
            Ok(vec!["d/new".to_owned()])
        );
        assert_eq!(
            planned(&["x/a", "y/a"], "h:d", true).unwrap_err().exit,
            Exit::Usage
        );
    }

    #[test]
    fn operands_that_make_no_sense() {
        for texts in [["a", "b"], ["h:a", "h:b"]] {
            assert_eq!(
                read_operands(&operands(&texts)).unwrap_err().exit,
                Exit::Usage,
                "{texts:?}"
            );
        }
    }

    #[test]
    fn files_and_directories_are_sent() {
        let directory = tempfile::tempdir().unwrap();
        let (source, size) = read_source(directory.path().to_owned()).unwrap();
        assert_eq!((source.path.as_path(), size), (directory.path(), 0));
        assert!(!source.name.is_empty());
        let missing = read_source(directory.path().join("x")).err().unwrap();
        assert_eq!(missing.exit, Exit::NotFound);
        let file = directory.path().join("f");
        fs::write(&file, "abc").unwrap();
        let (source, size) = read_source(file).unwrap();
        assert_eq!((source.name.as_slice(), size), (&b"f"[..], 3));
    }
}
