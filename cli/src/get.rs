//! `dhow get REMOTE... LOCAL`

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use transport_std::EntryKind;

use crate::args::{Copying, DurabilityArg};
use crate::begun::Begun;
use crate::connection::Connection;
use crate::copy::{self, Plan, Task, Way};
use crate::escape;
use crate::exit::{self, Error, Exit};
use crate::failure;
use crate::filter;
use crate::glob;
use crate::interrupt;
use crate::link::Link;
use crate::names;
use crate::remote::{Operand, Remote};
use crate::servers::Servers;
use crate::session::App;
use crate::stdio::{Pipe, Spool, is_dash};

/// Runs the command.
///
/// # Errors
/// A usage error; a server that cannot be used, when nothing could be copied.
pub(crate) fn run(app: &App, operands: &[OsString], flags: &Copying) -> Result<u8, Error> {
    let (sources, target) = read_operands(operands)?;
    filter::of_flags(flags)?;
    if is_dash(target) {
        return to_stdout(app, &sources, flags);
    }
    let several = sources.len() > 1;
    if !sources.iter().any(may_be_several) {
        // What is wrong here needs no server to be told.
        local_targets(&sources, target, several)?;
    }
    let cancel = interrupt::cancel_at_signal()?;
    let mut servers = Servers::default();
    let mut errors = Vec::new();
    let mut found: Vec<(Remote, usize)> = Vec::new();
    for source in &sources {
        match find(&mut servers, app, source) {
            Ok(paths) => found.extend(paths),
            Err(error) => {
                app.report(&error, Some(source.path.as_bytes()));
                errors.push(error);
            }
        }
    }
    if found.is_empty() {
        return Ok(exit::combined(0, exit::exits(&errors)));
    }
    let remotes: Vec<Remote> = found.iter().map(|(remote, _)| remote.clone()).collect();
    let several = several || found.len() > 1;
    let begun = match several {
        true => None,
        false => begun(app, &servers.links, &found, target)?,
    };
    let targets = match begun {
        Some(_) => vec![target.to_owned()],
        None => local_targets(&remotes, target, several)?,
    };
    let task = |((remote, session), local): ((Remote, usize), PathBuf)| Task {
        remote: remote.path,
        local,
        session,
    };
    let plan = Plan {
        errors,
        keep_top_mode: target.is_dir() && begun.is_none(),
        begun,
        ..Plan::new(
            Way::Download,
            flags,
            &servers.links,
            cancel,
            found.into_iter().zip(targets).map(task).collect(),
        )
    };
    copy::run(app, plan)
}

/// The directory that a download makes, if nothing stands at its target, or goes on with. Of a file's name, it comes to
/// nothing: only the server knows what it is.
fn begun(
    app: &App,
    links: &[Link<'_>],
    found: &[(Remote, usize)],
    target: &Path,
) -> Result<Option<Begun>, Error> {
    let [(source, session)] = found else {
        return Ok(None);
    };
    let link = &links[*session];
    let (Connection::Modern(client), Ok(local)) = (link.connection(), std::path::absolute(target))
    else {
        return Ok(None);
    };
    if ends_with_slash(target.as_os_str()) {
        return Ok(None);
    }
    let way = Way::Download;
    let begun = Begun::new(&app.home, way, &link.name(), &source.path, &local);
    if !target.is_dir() {
        return Ok(Some(begun));
    }
    if !begun.is_unfinished() {
        return Ok(None);
    }
    let info = client
        .stat(source.path.as_bytes())
        .map_err(|error| failure::from_client(&error).about(source))?;
    if info.kind != EntryKind::Directory {
        return Ok(None);
    }
    app.note(&format!(
        "{}: going on with what was begun",
        escape::path(target)
    ));
    Ok(Some(begun))
}

/// What a source means on its server.
fn find<'a>(
    servers: &mut Servers<'a>,
    app: &'a App,
    source: &Remote,
) -> Result<Vec<(Remote, usize)>, Error> {
    let session = servers.of(app, source)?;
    if source.classic {
        return Ok(vec![(source.clone(), session)]);
    }
    let paths = glob::expand(&servers.links[session], &source.path)?;
    let each = |path| {
        let is_directory = path == source.path && source.is_directory;
        let mut remote = source.with_path(path);
        remote.is_directory = is_directory;
        (remote, session)
    };
    Ok(paths.into_iter().map(each).collect())
}

fn may_be_several(source: &Remote) -> bool {
    !source.classic && glob::is_pattern(source.path.as_bytes())
}

/// One file to stdout, in order, as far as it is here and its hashes are right.
fn to_stdout(app: &App, sources: &[Remote], flags: &Copying) -> Result<u8, Error> {
    let [source] = sources else {
        return Err(Error::usage(
            "- takes one file: several would run into each other",
        ));
    };
    if app.global.json {
        return Err(Error::usage("--json and a file cannot both go to stdout"));
    }
    let cancel = interrupt::cancel_at_signal()?;
    let link = Link::open(app, source)?;
    if let Connection::Modern(client) = link.connection() {
        let info = client
            .stat(source.path.as_bytes())
            .map_err(|error| failure::from_client(&error))?;
        if info.kind == EntryKind::Directory {
            let text = "a directory cannot go to stdout";
            return Err(Error::new(Exit::Refused, "is-directory", text).about(source));
        }
    }
    let spool = Spool::new("file")?;
    let flags = Copying {
        durability: DurabilityArg::None,
        ..flags.clone()
    };
    let task = Task {
        remote: source.path.clone(),
        local: spool.path.clone(),
        session: 0,
    };
    let plan = Plan {
        pipe: Some(Pipe::new(spool)),
        ..Plan::new(
            Way::Download,
            &flags,
            std::slice::from_ref(&link),
            cancel,
            vec![task],
        )
    };
    copy::run(app, plan)
}

fn read_operands(operands: &[OsString]) -> Result<(Vec<Remote>, &Path), Error> {
    let Some((target, sources)) = operands.split_last() else {
        return Err(Error::usage("get needs a remote file and a local target"));
    };
    let target = match Operand::parse(target)? {
        Operand::Local(_) => Path::new(target),
        Operand::Remote(remote) => {
            return Err(Error::usage(format!(
                "get downloads: its last operand must be local, not {remote}"
            ))
            .hint("to upload, use put; ./a:b is a local file of that name"));
        }
    };
    let read = |operand: &OsString| match Operand::parse(operand)? {
        Operand::Remote(remote) => Ok(remote),
        Operand::Local(path) => Err(Error::usage(format!(
            "get downloads: {} is no remote file",
            escape::path(&path)
        ))
        .hint("write host:path; to upload, use put")),
    };
    let sources: Result<Vec<Remote>, Error> = sources.iter().map(read).collect();
    Ok((sources?, target))
}

/// Where each source goes, by the rules of `cp`.
fn local_targets(sources: &[Remote], target: &Path, several: bool) -> Result<Vec<PathBuf>, Error> {
    let is_directory = target.is_dir();
    let must_be_directory = several || ends_with_slash(target.as_os_str());
    if must_be_directory && !is_directory {
        let text = format!("{} is not a directory", escape::path(target));
        return Err(Error::new(Exit::NotFound, "not-directory", text).hint("make it first"));
    }
    if !is_directory {
        return Ok(vec![target.to_owned()]);
    }
    let mut targets: Vec<PathBuf> = Vec::with_capacity(sources.len());
    for source in sources {
        let name = source.path.name().unwrap_or_default();
        // What has no name is the whole share: it is copied into the target.
        let path = match name {
            b"" => target.to_owned(),
            name => target.join(names::from_wire(name)?),
        };
        if targets.contains(&path) {
            let text = format!("two sources would become {}", escape::path(&path));
            return Err(Error::usage(text).hint("get one of them under another name"));
        }
        targets.push(path);
    }
    Ok(targets)
}

/// Whether a path was written as a directory's.
pub(crate) fn ends_with_slash(path: &OsStr) -> bool {
    let bytes = path.as_encoded_bytes();
    bytes.ends_with(b"/") || (cfg!(windows) && bytes.ends_with(b"\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(operands: &[&str]) -> Result<Vec<String>, Error> {
        let operands: Vec<OsString> = operands.iter().map(OsString::from).collect();
        let (sources, target) = read_operands(&operands)?;
        let targets = local_targets(&sources, target, sources.len() > 1)?;
        Ok(targets
            .into_iter()
            .map(|path| path.to_str().unwrap().to_owned())
            .collect())
    }

    #[test]
    fn targets_follow_cp() {
        let directory = tempfile::tempdir().unwrap();
        let d = directory.path().to_str().unwrap();
        assert_eq!(targets(&["h:a/b", d]), Ok(vec![format!("{d}/b")]));
        assert_eq!(
            targets(&["h:a/b", &format!("{d}/c")]),
            Ok(vec![format!("{d}/c")])
        );
        assert_eq!(
            targets(&["h:a", "h:x/b", d]),
            Ok(vec![format!("{d}/a"), format!("{d}/b")])
        );
        assert_eq!(
            targets(&["h:a", &format!("{d}/")]),
            Ok(vec![format!("{d}/a")])
        );
        assert_eq!(
            targets(&["h:a", &format!("{d}/new/")]).unwrap_err().code,
            "not-directory"
        );
        assert_eq!(
            targets(&["h:a", "h:b", &format!("{d}/new")])
                .unwrap_err()
                .code,
            "not-directory"
        );
        assert_eq!(
            targets(&["h:a/x", "h:b/x", d]).unwrap_err().exit,
            Exit::Usage
        );
    }

    #[test]
    fn operands_that_make_no_sense() {
        for operands in [["a", "b"], ["h:a", "h:b"]] {
            assert_eq!(
                targets(&operands).unwrap_err().exit,
                Exit::Usage,
                "{operands:?}"
            );
        }
        assert_eq!(targets(&["h:d/", "x"]), Ok(vec!["x".to_owned()]));
        assert_eq!(targets(&["h:", "x"]), Ok(vec!["x".to_owned()]));
    }
}
