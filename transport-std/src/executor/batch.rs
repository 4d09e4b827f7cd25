//! Many small files of one directory in one operation: the directory is held open, and syncs are shared.

use std::fs::File;
use std::io::Write;

use proto_core::wire::{Durability, EntryKind};
use proto_core::{FileError, HashAs, Outcome, ReadFile, SmallFile, StoreFile, block_value};

use super::error::file_error;
use super::io::read_full_at;
use super::rooted::{self, Names};

type Result<T> = std::result::Result<T, FileError>;

/// Permission bits of new files and directories, before the mask.
pub(super) const NEW_FILE: u16 = 0o666;
pub(super) const NEW_DIRECTORY: u16 = 0o777;

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
) -> Outcome {
    let keep = durability != Durability::None;
    let written: Vec<Result<Option<File>>> = files
        .iter()
        .map(|file| write_temp(directory, file, umask).map(|open| open.filter(|_| keep)))
        .collect();
    let mut results = Vec::with_capacity(files.len());
    for (file, written) in files.iter().zip(written) {
        let synced = written.and_then(|open| match open {
            // A failed sync is final (D4).
            Some(open) => open.sync_all().map_err(|error| file_error(&error)),
            None => Ok(()),
        });
        results.push(synced.map_err(|error| given_up(directory, file, error)));
    }
    let mut renamed = false;
    for (file, result) in files.iter().zip(&mut results) {
        if result.is_ok() {
            *result = directory
                .rename(&file.temp, &file.name, file.replace)
                .map_err(|error| given_up(directory, file, error));
            renamed |= result.is_ok();
        }
    }
    let synced = durability != Durability::Full || !renamed || directory.sync().is_ok();
    Outcome::Stored {
        files: results,
        durability: if synced { durability } else { Durability::File },
    }
}

/// Writes a temporary file or link with its time and permission bits; the file is still open.
fn write_temp(directory: &Names, file: &StoreFile, umask: u16) -> Result<Option<File>> {
    if block_value(&file.bytes, 0, HashAs::Root) != file.value {
        return Err(FileError::Mismatch);
    }
    if file.link {
        directory.make_link(&file.bytes, &file.temp, file.mtime)?;
        return Ok(None);
    }
    let mut open = directory.create_file(&file.temp)?;
    let filled = open.write_all(&file.bytes).and_then(|()| {
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
        Ok(()) => Ok(Some(open)),
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
