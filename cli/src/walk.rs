//! Looking through directories of both sides at once, level by level.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use transport_std::{Client, DirEntry, EntryKind, FileInfo, FilePath};

use crate::connection::Connection;
use crate::escape;
use crate::exit::{Error, Exit};
use crate::failure;
use crate::link::Link;
use crate::names;

/// Entries of one directory; a server that tells more is not listened to (C6).
const ENTRIES_MAX: usize = 1_000_000;

/// A directory of one side.
#[derive(Clone)]
pub(crate) enum Side<'a> {
    /// Of this machine.
    Local(PathBuf),
    /// Of a server.
    Remote(&'a Link<'a>, FilePath),
}

/// A name that stands at one side or at both.
#[derive(Debug)]
pub(crate) struct Pair<'a> {
    /// Below the directories that are compared.
    pub(crate) path: &'a FilePath,
    /// What stands at the source.
    pub(crate) source: Option<&'a DirEntry>,
    /// What stands at the target.
    pub(crate) target: Option<&'a DirEntry>,
}

impl Side<'_> {
    /// What stands here; nothing if nothing does. A local link is followed if `follow` says so, as the server does.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub(crate) fn look(&self, follow: bool) -> Result<Option<DirEntry>, Error> {
        match self {
            Self::Local(path) => {
                let found = if follow {
                    fs::metadata(path)
                } else {
                    fs::symlink_metadata(path)
                };
                match found {
                    Ok(metadata) => Ok(Some(of_metadata(Vec::new(), &metadata))),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(Error::io(escape::path(path), &error)),
                }
            }
            Self::Remote(link, path) => {
                let Connection::Modern(client) = link.connection() else {
                    return Err(Error::usage(
                        "a classic server tells the names of its files, and no more",
                    ));
                };
                match client.stat(path.as_bytes()) {
                    Ok(FileInfo {
                        kind,
                        size,
                        mtime,
                        mode,
                    }) => Ok(Some(DirEntry {
                        name: Vec::new(),
                        kind,
                        size,
                        mtime,
                        mode,
                    })),
                    Err(error) => match failure::from_client(&error) {
                        error if error.code == "not-found" => Ok(None),
                        error => Err(error),
                    },
                }
            }
        }
    }

    /// The path of `below`, as it travels.
    pub(crate) fn path_of(&self, below: &FilePath) -> Vec<u8> {
        let root = match self {
            Self::Local(path) => path.as_os_str().as_encoded_bytes(),
            Self::Remote(_, path) => path.as_bytes(),
        };
        match (root, below.as_bytes()) {
            (b"", below) => below.to_vec(),
            (root, b"") => root.to_vec(),
            (root, below) if root.ends_with(b"/") => [root, below].concat(),
            (root, below) => [root, b"/", below].concat(),
        }
    }

    /// Escaped.
    pub(crate) fn shown(&self) -> String {
        escape::Escaped(&self.path_of(&FilePath::root())).to_string()
    }

    /// As [`list`](Self::list), of several directories at once.
    pub(crate) fn list_all(&self, below: &[&FilePath]) -> Vec<Result<Vec<DirEntry>, Error>> {
        match self {
            Self::Remote(link, root) if below.len() > 1 => {
                let Connection::Modern(client) = link.connection() else {
                    return below.iter().map(|path| self.list(path)).collect();
                };
                let ask = |path: &FilePath| list_once(&client, &join(root, path)?);
                let first: Vec<_> = std::thread::scope(|scope| {
                    let threads: Vec<_> =
                        below.iter().map(|path| scope.spawn(|| ask(path))).collect();
                    threads.into_iter().map(|thread| thread.join()).collect()
                });
                let each = below.iter().zip(first);
                each.map(|(path, result)| match result {
                    Ok(Ok(mut entries)) => {
                        entries.sort_by(|a, b| a.name.cmp(&b.name));
                        Ok(entries)
                    }
                    // In a new session, if that helps.
                    _ => self.list(path),
                })
                .collect()
            }
            _ => below.iter().map(|path| self.list(path)).collect(),
        }
    }

    /// The entries of the directory `below` this one, by name. Names that dhow keeps for itself are left out (F8).
    ///
    /// # Errors
    /// It cannot be listed, or holds more than a million entries.
    pub(crate) fn list(&self, below: &FilePath) -> Result<Vec<DirEntry>, Error> {
        let mut entries = match self {
            Self::Local(root) => list_local(&local(root, below)?)?,
            Self::Remote(link, root) => list_remote(link, &join(root, below)?)?,
        };
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
}

/// The path of `below` in a local directory.
///
/// # Errors
/// This system cannot hold a name of it.
pub(crate) fn local(root: &std::path::Path, below: &FilePath) -> Result<PathBuf, Error> {
    let mut path = root.to_owned();
    for name in below.components() {
        path.push(names::from_wire(name)?);
    }
    Ok(path)
}

/// The path of `below` in a remote directory.
///
/// # Errors
/// It is too long or too deep (F5).
pub(crate) fn join(root: &FilePath, below: &FilePath) -> Result<FilePath, Error> {
    below
        .components()
        .try_fold(root.clone(), |path, name| child(&path, name))
}

/// A name in a directory.
///
/// # Errors
/// Its path is too long or too deep (F5).
pub(crate) fn child(path: &FilePath, name: &[u8]) -> Result<FilePath, Error> {
    path.join(name).map_err(|error| {
        let text = format!("{}: {error}", escape::Escaped(name));
        Error::new(Exit::Refused, "name-refused", text)
    })
}

fn list_local(path: &std::path::Path) -> Result<Vec<DirEntry>, Error> {
    let failed = |error: std::io::Error| Error::io(escape::path(path), &error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = names::to_wire(&entry.file_name())?;
        if FilePath::parse(&name).is_ok_and(|path| path.is_reserved()) {
            continue;
        }
        // What has gone meanwhile is not there.
        match entry.metadata() {
            Ok(metadata) => entries.push(of_metadata(name, &metadata)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(entries)
}

fn list_remote(link: &Link<'_>, path: &FilePath) -> Result<Vec<DirEntry>, Error> {
    loop {
        let Connection::Modern(client) = link.connection() else {
            return Err(Error::usage("a classic server has no directories"));
        };
        match list_once(&client, path) {
            Ok(entries) => {
                link.went_on();
                return Ok(entries);
            }
            Err(error) if link.is_lost(&error) => link.again(error)?,
            Err(error) => return Err(error),
        }
    }
}

fn list_once(client: &Client, path: &FilePath) -> Result<Vec<DirEntry>, Error> {
    let mut entries = Vec::new();
    let mut too_many = false;
    let listed = client.list_each(path.as_bytes(), |entry| {
        if entries.len() < ENTRIES_MAX {
            entries.push(entry);
        } else {
            too_many = true;
        }
    });
    listed.map_err(|error| failure::from_client(&error))?;
    if too_many {
        let text = format!(
            "{}: more than a million entries",
            escape::Escaped(path.as_bytes())
        );
        return Err(Error::new(Exit::Other, "too-large", text));
    }
    Ok(entries)
}

fn of_metadata(name: Vec<u8>, metadata: &fs::Metadata) -> DirEntry {
    let kind = match metadata.file_type() {
        kind if kind.is_file() => EntryKind::File,
        kind if kind.is_dir() => EntryKind::Directory,
        kind if kind.is_symlink() => EntryKind::Symlink,
        _ => EntryKind::Other,
    };
    let size = if kind == EntryKind::File {
        metadata.len()
    } else {
        0
    };
    DirEntry {
        name,
        kind,
        size,
        mtime: metadata.modified().map_or(0, nanoseconds),
        mode: mode(metadata),
    }
}

/// Since 1970, negative before.
fn nanoseconds(time: SystemTime) -> i64 {
    let clamp =
        |duration: std::time::Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => clamp(since),
        Err(before) => -clamp(before.duration()),
    }
}

#[cfg(unix)]
fn mode(metadata: &fs::Metadata) -> u16 {
    (std::os::unix::fs::MetadataExt::mode(metadata) & 0o777) as u16
}

#[cfg(not(unix))]
fn mode(metadata: &fs::Metadata) -> u16 {
    if metadata.permissions().readonly() {
        0o444
    } else {
        0o644
    }
}

/// Directories that are listed at once, so that a round trip serves many.
const AT_ONCE: usize = 16;

/// Shows `visit` every name that stands in either directory, a directory before what is in it, level by level. A
/// directory of the source is looked through if `visit` says so. Links are never followed.
///
/// # Errors
/// A directory cannot be listed, or `visit` fails: nothing more is visited.
pub(crate) fn compare(
    source: &Side<'_>,
    target: Option<&Side<'_>>,
    visit: &mut impl FnMut(Pair<'_>) -> Result<bool, Error>,
) -> Result<(), Error> {
    // What is to be looked through, and whether it stands at the target, too.
    let mut waiting = VecDeque::from([(FilePath::root(), target.is_some())]);
    while !waiting.is_empty() {
        let some: Vec<(FilePath, bool)> = waiting.drain(..waiting.len().min(AT_ONCE)).collect();
        let theirs: Vec<&FilePath> = some.iter().map(|(path, _)| path).collect();
        let mut theirs = source.list_all(&theirs).into_iter();
        let ours: Vec<&FilePath> = some
            .iter()
            .filter(|(_, both)| *both)
            .map(|(path, _)| path)
            .collect();
        let mut ours = target
            .map(|side| side.list_all(&ours))
            .unwrap_or_default()
            .into_iter();
        for (below, both) in &some {
            let theirs = theirs.next().unwrap_or_else(|| Ok(Vec::new()))?;
            let ours = match both {
                true => ours.next().unwrap_or_else(|| Ok(Vec::new()))?,
                false => Vec::new(),
            };
            level(below, &theirs, &ours, visit, &mut waiting)?;
        }
    }
    Ok(())
}

/// One directory: both lists are in order.
fn level(
    below: &FilePath,
    theirs: &[DirEntry],
    ours: &[DirEntry],
    visit: &mut impl FnMut(Pair<'_>) -> Result<bool, Error>,
    waiting: &mut VecDeque<(FilePath, bool)>,
) -> Result<(), Error> {
    let (mut theirs, mut ours) = (theirs.iter().peekable(), ours.iter().peekable());
    loop {
        let order = match (theirs.peek(), ours.peek()) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.name.cmp(&b.name),
        };
        let at_source = if order.is_le() { theirs.next() } else { None };
        let at_target = if order.is_ge() { ours.next() } else { None };
        let Some(name) = at_source.or(at_target).map(|entry| &entry.name) else {
            return Ok(());
        };
        let path = child(below, name)?;
        let goes_on = visit(Pair {
            path: &path,
            source: at_source,
            target: at_target,
        })?;
        let is_directory = |entry: Option<&DirEntry>| {
            entry.is_some_and(|entry| entry.kind == EntryKind::Directory)
        };
        if is_directory(at_source) && goes_on {
            waiting.push_back((path, is_directory(at_target)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_either_side_are_shown_once() {
        let root = tempfile::tempdir().unwrap();
        let make = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        };
        for path in [
            "s/a",
            "s/both/x",
            "s/both/y",
            "s/new/deep/z",
            "t/both/y",
            "t/both/old",
            "t/c",
            "t/gone/w",
            "t/.dhow-1",
        ] {
            make(path);
        }
        let (source, target) = (
            Side::Local(root.path().join("s")),
            Side::Local(root.path().join("t")),
        );
        let mut seen = Vec::new();
        compare(&source, Some(&target), &mut |pair| {
            let path = String::from_utf8(pair.path.as_bytes().to_vec()).unwrap();
            let sign = match (pair.source, pair.target) {
                (Some(_), Some(_)) => '=',
                (Some(_), None) => '+',
                _ => '-',
            };
            seen.push(format!("{sign}{path}"));
            Ok(true)
        })
        .unwrap();
        assert_eq!(
            seen,
            [
                "+a",
                "=both",
                "-c",
                "-gone",
                "+new",
                "-both/old",
                "+both/x",
                "=both/y",
                "+new/deep",
                "+new/deep/z"
            ]
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("s")).unwrap();
        std::os::unix::fs::symlink(root.path(), root.path().join("s/loop")).unwrap();
        let mut kinds = Vec::new();
        compare(&Side::Local(root.path().join("s")), None, &mut |pair| {
            kinds.push(pair.source.unwrap().kind);
            Ok(true)
        })
        .unwrap();
        assert_eq!(kinds, [EntryKind::Symlink]);
    }
}
