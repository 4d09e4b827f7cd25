//! Removing a directory with all below it: depth first, through directories that are held open, so that no link is followed
//! and nothing outside is reached, whatever is renamed meanwhile.

use proto_core::wire::{EntryKind, FilePath};
use proto_core::{FileError, Outcome};

use super::quota::Accounts;
use super::rooted::{Directory, Entries, Names};

type Result<T> = std::result::Result<T, FileError>;

/// Levels below the directory named: as deep as a path may be. Each holds two file descriptors.
const DEPTH_MAX: usize = FilePath::MAX_DEPTH;

/// A directory on the way down.
struct Level {
    /// Its name in the one above.
    name: Vec<u8>,
    names: Names,
    entries: Entries,
}

/// Removes what `path` names; at most `max` names.
pub(super) fn remove(
    directory: &Directory,
    path: &FilePath,
    recursive: bool,
    max: u32,
    accounts: &Accounts,
) -> Result<Outcome> {
    let name = path.name().ok_or(FileError::IsDirectory)?;
    let parent = directory.hold(&path.parent(), false)?;
    let mut removed = 0;
    if parent.stat(name)?.kind != EntryKind::Directory {
        remove_name(accounts, &parent, name)?;
        removed = 1;
    } else if !recursive {
        remove_directory(accounts, &parent, name)?;
        removed = 1;
    } else {
        remove_below(&parent, name, max.into(), &mut removed, accounts)?;
        if removed < u64::from(max) {
            remove_directory(accounts, &parent, name)?;
            removed += 1;
        } else {
            return Ok(Outcome::Removed {
                count: removed,
                more: true,
            });
        }
    }
    Ok(Outcome::Removed {
        count: removed,
        more: false,
    })
}

/// Removes all that is below the directory `name`, until `removed` is `max`.
fn remove_below(
    parent: &Names,
    name: &[u8],
    max: u64,
    removed: &mut u64,
    accounts: &Accounts,
) -> Result<()> {
    let mut levels = vec![descend(parent, name)?];
    loop {
        let depth = levels.len();
        let Some(level) = levels.last_mut() else {
            return Ok(());
        };
        if *removed >= max {
            return Ok(());
        }
        match level.entries.next()? {
            Some(found) if found.name == b"." || found.name == b".." => {}
            Some(found) if found.meta.kind == EntryKind::Directory => {
                if depth >= DEPTH_MAX {
                    return Err(FileError::BadName);
                }
                let next = descend(&level.names, &found.name)?;
                levels.push(next);
            }
            Some(found) => *removed += gone(remove_name(accounts, &level.names, &found.name))?,
            None => {
                let done = levels.pop();
                if let (Some(done), Some(above)) = (done, levels.last()) {
                    *removed += gone(remove_directory(accounts, &above.names, &done.name))?;
                }
            }
        }
    }
}

fn remove_name(accounts: &Accounts, names: &Names, name: &[u8]) -> Result<()> {
    accounts.displacing(|| names.owned(name), || names.remove(name))
}

fn remove_directory(accounts: &Accounts, names: &Names, name: &[u8]) -> Result<()> {
    accounts.displacing(|| names.owned(name), || names.remove_directory(name))
}

fn descend(parent: &Names, name: &[u8]) -> Result<Level> {
    let names = parent.descend(name)?;
    Ok(Level {
        name: name.to_vec(),
        entries: names.entries()?,
        names,
    })
}

/// One name less, by this hand or another.
fn gone(result: Result<()>) -> Result<u64> {
    match result {
        Ok(()) => Ok(1),
        Err(FileError::NotFound) => Ok(0),
        Err(error) => Err(error),
    }
}
