//! Many small files of one directory in one operation: the directory is held open, and syncs are shared.

use std::fs::File;
use std::io::Write;

use proto_core::wire::{Durability, EntryKind, StoredAs};
use proto_core::{
    FileError, HashAs, Outcome, ReadFile, SameFile, SmallFile, StatFile, StoreFile, block_value,
};

use super::error::file_error;
use super::io::read_full_at;
use super::quota::{Accounts, Charge};
use super::rooted::{self, Names};
use super::sparse;

type Result<T> = std::result::Result<T, FileError>;

/// Permission bits of new files, before the mask.
pub(super) const NEW_FILE: u16 = 0o666;

/// Charges a user with a file of so many bytes, if something is counted for them.
pub(super) type MakeCharge<'a> = dyn Fn(u64) -> Result<Option<Charge>> + 'a;

/// Looks at names, and gives files that are the same otherwise their permission bits.
pub(super) fn stat(directory: &Names, files: &[StatFile], umask: u16) -> Outcome {
    let metas = files.iter().map(|file| {
        let meta = directory.stat(&file.name)?;
        let mode = |same: SameFile| same.mode & 0o777 & !umask;
        match file.same {
            Some(same) if same.is(&meta) && mode(same) != meta.mode => {
                let (open, meta) = directory.open_file(&file.name)?;
                if !same.is(&meta) {
                    return Ok(meta);
                }
                rooted::set_mode(&open, mode(same)).map_err(|error| file_error(&error))?;
                rooted::file_meta(&open)
            }
            _ => Ok(meta),
        }
    });
    Outcome::Metas(metas.collect())
}

/// Reads files and links whole.
pub(super) fn read(directory: &Names, files: &[ReadFile]) -> Outcome {
    let contents = files.iter().map(|file| read_one(directory, file));
    Outcome::Contents(contents.collect())
}

fn read_one(directory: &Names, wanted: &ReadFile) -> Result<SmallFile> {
    if wanted.link {
        let meta = directory.stat(&wanted.name)?;
        if meta.kind != EntryKind::Symlink {
            return Err(FileError::Changed);
        }
        let bytes = directory.read_link(&wanted.name)?;
        let value = block_value(&bytes, 0, HashAs::Root);
        return Ok(SmallFile { meta, bytes, value });
    }
    let (file, meta) = directory.open_file(&wanted.name)?;
    if meta.size > u64::from(wanted.max) {
        return Err(FileError::Changed);
    }
    let mut bytes = vec![0; meta.size as usize];
    let count = read_full_at(&file, &mut bytes, 0).map_err(|error| file_error(&error))?;
    // Written while it was read (I2).
    if count < bytes.len() || rooted::file_meta(&file)?.version != meta.version {
        return Err(FileError::Changed);
    }
    let value = block_value(&bytes, 0, HashAs::Root);
    Ok(SmallFile { meta, bytes, value })
}

/// Stores files and links: writes all, syncs all, renames all, syncs the directory (D1).
pub(super) fn store(
    directory: &Names,
    files: &[StoreFile],
    durability: Durability,
    umask: u16,
    (accounts, charge): (&Accounts, &MakeCharge<'_>),
) -> Outcome {
    let sync = durability != Durability::None;
    let mut charges = Vec::with_capacity(files.len());
    let mut written: Vec<Result<Written>> = Vec::with_capacity(files.len());
    for file in files {
        let charged = match file.link {
            true => Ok(None),
            false => charge(file.bytes.len() as u64),
        };
        match charged {
            Ok(charge) => {
                written.push(write_temp(directory, file, umask, charge.as_ref()));
                charges.push(charge);
            }
            Err(error) => {
                written.push(Err(error));
                charges.push(None);
            }
        }
    }
    let mut synced = Vec::with_capacity(files.len());
    for (file, written) in files.iter().zip(written) {
        let done = written.and_then(|written| match &written {
            // A failed sync is final (D4).
            Written::Named(open) | Written::Unnamed(open) if sync => match open.sync_all() {
                Ok(()) => Ok(written),
                Err(error) => Err(file_error(&error)),
            },
            _ => Ok(written),
        });
        synced.push(done.map_err(|error| given_up(directory, file, error)));
    }
    let mut results = Vec::with_capacity(files.len());
    let mut renamed = false;
    for ((file, synced), charge) in files.iter().zip(synced).zip(&charges) {
        let result = synced.and_then(|written| {
            if let Written::Done(how) = written {
                return Ok(how);
            }
            accounts
                .displacing(
                    || directory.owned(&file.name).filter(|_| file.replace),
                    || commit(directory, file, &written),
                )
                .map(|()| StoredAs::Written)
                .map_err(|error| given_up(directory, file, error))
        });
        if let (Err(_), Some(charge)) = (&result, charge) {
            charge.undo();
        }
        renamed |= result.is_ok();
        results.push(result);
    }
    let synced = durability != Durability::Full || !renamed || directory.sync().is_ok();
    Outcome::Stored {
        files: results,
        durability: if synced { durability } else { Durability::File },
    }
}

/// What was written, before it has its name.
enum Written {
    /// A symbolic link that has its name: to the same one was there, or nothing was.
    Done(StoredAs),
    /// A symbolic link, under the temporary name.
    Link,
    /// An open file, under the temporary name.
    Named(File),
    /// An open file that has no name yet: of a process that is killed, nothing stays.
    Unnamed(File),
}

/// Gives what was written the file's name.
fn commit(directory: &Names, file: &StoreFile, written: &Written) -> Result<()> {
    if let Written::Unnamed(open) = written {
        match directory.give_name(open, &file.name) {
            // Nothing but a name can replace another.
            Err(FileError::Exists) if file.replace => directory.give_name(open, &file.temp)?,
            other => return other,
        }
    }
    directory.rename(&file.temp, &file.name, file.replace)
}

/// Writes a temporary file or link with its time and permission bits.
fn write_temp(
    directory: &Names,
    file: &StoreFile,
    umask: u16,
    charge: Option<&Charge>,
) -> Result<Written> {
    if block_value(&file.bytes, 0, HashAs::Root) != file.value {
        return Err(FileError::Mismatch);
    }
    if file.link {
        if file.replace && directory.read_link(&file.name).as_ref() == Ok(&file.bytes) {
            if let Some(mtime) = file.mtime {
                directory.set_link_time(&file.name, mtime)?;
            }
            return Ok(Written::Done(StoredAs::Unchanged));
        }
        // A link is whole at once. Nothing but a name can replace another.
        match directory.make_link(&file.bytes, &file.name, file.mtime) {
            Err(FileError::Exists) if file.replace => {}
            other => return other.map(|()| Written::Done(StoredAs::Written)),
        }
        directory.make_link(&file.bytes, &file.temp, file.mtime)?;
        return Ok(Written::Link);
    }
    let unnamed = directory.create_unnamed();
    let named = unnamed.is_none();
    let mut open = match unnamed {
        Some(open) => open,
        None => directory.create_file(&file.temp)?,
    };
    if let Some(charge) = charge {
        rooted::set_owner(&open, charge.owner())
            .map_err(|error| given_up(directory, file, error))?;
    }
    let filled = match sparse::is_hole(&file.bytes) {
        true => open.set_len(file.bytes.len() as u64),
        false => open.write_all(&file.bytes),
    };
    let filled = filled.and_then(|()| {
        let mode = file.mode.unwrap_or(NEW_FILE) & 0o777 & !umask;
        if mode != 0o600 {
            rooted::set_mode(&open, mode)?;
        }
        match file.mtime {
            Some(mtime) => rooted::set_modified(&open, mtime),
            None => Ok(()),
        }
    });
    match filled {
        Ok(()) if named => Ok(Written::Named(open)),
        Ok(()) => Ok(Written::Unnamed(open)),
        Err(error) => Err(given_up(directory, file, file_error(&error))),
    }
}

/// Removes what may be left of a file that failed.
fn given_up(directory: &Names, file: &StoreFile, error: FileError) -> FileError {
    // Nothing is there when it failed before it was made, or was removed before.
    if error != FileError::Mismatch {
        let _ = directory.remove(&file.temp);
    }
    error
}
