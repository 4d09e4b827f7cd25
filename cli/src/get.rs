//! `dhow get REMOTE... LOCAL`

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::args::Copying;
use crate::copy::{Copy, Plan, Task, Way};
use crate::escape;
use crate::exit::{self, Error, Exit};
use crate::interrupt;
use crate::known_hosts::host_name;
use crate::link::Link;
use crate::names;
use crate::remote::{Operand, Remote};
use crate::session::App;

/// Runs the command.
///
/// # Errors
/// A usage error; a server that cannot be used, when nothing could be copied.
pub(crate) fn run(app: &App, operands: &[OsString], flags: &Copying) -> Result<u8, Error> {
    let (sources, target) = read_operands(operands)?;
    let targets = local_targets(&sources, target)?;
    let cancel = interrupt::cancel_at_signal()?;
    let mut links: Vec<Link<'_>> = Vec::new();
    let mut servers: Vec<((bool, String), Result<usize, Error>)> = Vec::new();
    let mut tasks = Vec::new();
    let mut errors = Vec::new();
    for (source, local) in sources.iter().zip(targets) {
        let name = host_name(&source.host, source.port_or(app.global.port));
        let server = (source.classic, name);
        let known = servers.iter().find(|(name, _)| *name == server);
        let session = match known.map(|(_, session)| session.clone()) {
            Some(session) => session,
            None => {
                let session = Link::open(app, source).map(|link| {
                    links.push(link);
                    links.len() - 1
                });
                servers.push((server, session.clone()));
                session
            }
        };
        match session {
            Ok(session) => tasks.push(Task {
                remote: source.path.clone(),
                local,
                session,
            }),
            Err(error) => {
                app.report(&error, Some(source.path.as_bytes()));
                errors.push(error);
            }
        }
    }
    if tasks.is_empty() {
        return Ok(exit::combined(0, exit::exits(&errors)));
    }
    let plan = Plan {
        way: Way::Download,
        flags,
        links: &links,
        errors,
        bytes_total: 0,
        cancel,
        tasks,
    };
    let mut copy = Copy::begin(app, plan);
    copy.haul();
    Ok(copy.end())
}

fn read_operands(operands: &[OsString]) -> Result<(Vec<Remote>, &Path), Error> {
    let Some((target, sources)) = operands.split_last() else {
        return Err(Error::usage("get needs a remote file and a local target"));
    };
    let target = match Operand::parse(target)? {
        Operand::Local(_) if target == "-" => return Err(no_stdio("stdout")),
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

/// `-` is a promise of the manual that is not kept yet: better said than a file named `-`.
pub(crate) fn no_stdio(which: &str) -> Error {
    Error::usage(format!("{which} is not supported yet")).hint("./- is a file of that name")
}

/// Where each source goes, by the rules of `cp`.
fn local_targets(sources: &[Remote], target: &Path) -> Result<Vec<PathBuf>, Error> {
    let is_directory = target.is_dir();
    let must_be_directory = sources.len() > 1 || ends_with_slash(target.as_os_str());
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
        let targets = local_targets(&sources, target)?;
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
        for operands in [["a", "b"], ["h:a", "h:b"], ["h:a", "-"]] {
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
