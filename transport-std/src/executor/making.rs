//! What gives files and directories names, and takes them: also those that have none yet, and what is counted for users.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto_core::wire::FilePath;
use proto_core::{FileError, FileId, Meta, Outcome, RootId};

use super::quota::{Charge, Owner};
use super::rooted::{self, Directory};
use super::run::Disk;

type Result<T> = std::result::Result<T, FileError>;

/// Open files that stand under a temporary name for the core, and under none for the system: of a process that is killed,
/// nothing stays.
#[derive(Debug, Default)]
pub(super) struct Unnamed(Mutex<HashMap<(RootId, FilePath), Arc<File>>>);

impl Unnamed {
    fn table(&self) -> MutexGuard<'_, HashMap<(RootId, FilePath), Arc<File>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, root: RootId, path: &FilePath) -> Option<Arc<File>> {
        self.table().get(&(root, path.clone())).cloned()
    }

    fn forget(&self, root: RootId, path: &FilePath) -> Option<Arc<File>> {
        self.table().remove(&(root, path.clone()))
    }
}

impl Disk {
    /// Creates a file, which is counted for the user of the root. One of dhow's own names that no journal knows is not given
    /// to it before it is renamed, where the system can do that.
    pub(super) fn create(
        &self,
        root: RootId,
        path: &FilePath,
        log: Option<FileId>,
        size: u64,
    ) -> Result<(Arc<File>, Meta, Option<Arc<Charge>>)> {
        let charge = self.roots.charge(root, size)?.map(Arc::new);
        let undone = |error| {
            if let Some(charge) = &charge {
                charge.undo();
            }
            error
        };
        let directory = self.roots.directory(root).map_err(undone)?;
        let unnamed = match log.is_none() && path.is_reserved() {
            true => create_unnamed(&directory, path),
            false => Ok(None),
        };
        let unnamed = unnamed.map_err(undone)?;
        let named = unnamed.is_none();
        let (file, meta) = match unnamed {
            Some(made) => made,
            None => directory.create_file(path).map_err(undone)?,
        };
        if let Some(charge) = &charge
            && let Err(error) = rooted::set_owner(&file, charge.owner())
        {
            if named {
                let _ = directory.remove(path);
            }
            return Err(undone(error));
        }
        if let (Some(charge), Some(_), Some(identity)) = (&charge, log, rooted::identity(&file)) {
            self.roots.accounts().go_on(identity, 0, Some(charge));
        }
        let file = Arc::new(file);
        if !named {
            let key = (root, path.clone());
            self.unnamed.table().insert(key, Arc::clone(&file));
        }
        Ok((file, meta, charge))
    }

    /// Counts a file that is there for the user of a root, and for no other any more.
    pub(super) fn take_over(
        &self,
        root: RootId,
        file: &File,
        size: u64,
    ) -> Result<Option<Arc<Charge>>> {
        let accounts = self.roots.accounts();
        if !accounts.is_on() {
            return Ok(None);
        }
        let identity = rooted::identity(file).ok_or(FileError::Io)?;
        accounts.go_on(identity, size, None);
        let before = rooted::owner(file);
        let charge = match self.roots.adopt(root, before.as_ref(), size) {
            Some(charge) => Some(charge),
            None => self.count_for(root, file, size, before)?,
        };
        let charge = charge.map(Arc::new);
        accounts.go_on(identity, size, charge.as_ref());
        Ok(charge)
    }

    /// Counts a file that was counted for `before`, or nobody, for the user of a root.
    fn count_for(
        &self,
        root: RootId,
        file: &File,
        size: u64,
        before: Option<Owner>,
    ) -> Result<Option<Charge>> {
        let charge = self.roots.charge(root, size)?;
        if let Some(charge) = &charge {
            rooted::set_owner(file, charge.owner()).inspect_err(|_| charge.undo())?;
            if let Some(before) = before {
                self.roots.accounts().credit(&before, size, 1);
            }
        }
        Ok(charge)
    }

    /// Makes a directory that is counted for the user of a root, if it is not there.
    pub(super) fn make_directory(
        &self,
        directory: &Directory,
        (root, path): (RootId, &FilePath),
        (mode, sync): (u16, bool),
    ) -> Result<bool> {
        let charge = match self.roots.charge(root, 0) {
            // What is there costs nothing.
            Err(FileError::Quota) if directory.stat(path).is_ok() => None,
            other => other?,
        };
        let made = directory.make_directory(path, mode, sync);
        let Some(charge) = charge else { return made };
        if let Ok(true) = made {
            let owner = charge.owner();
            if let Err(error) = directory.set_directory_owner(path, owner) {
                charge.undo();
                return Err(error);
            }
        } else {
            charge.undo();
        }
        made
    }

    pub(super) fn rename(
        &self,
        root: RootId,
        (from, to): (&FilePath, &FilePath),
        replace: bool,
    ) -> Result<Outcome> {
        let directory = self.roots.directory(root)?;
        self.roots.accounts().displacing(
            || directory.owned(to).filter(|_| replace),
            || match self.unnamed.get(root, from) {
                Some(file) => {
                    directory.give_name(&file, (from, to), replace)?;
                    self.unnamed.forget(root, from);
                    Ok(())
                }
                None => directory.rename(from, to, replace),
            },
        )?;
        Ok(Outcome::Done)
    }

    pub(super) fn remove(&self, root: RootId, path: &FilePath) -> Result<Outcome> {
        let accounts = self.roots.accounts();
        if let Some(file) = self.unnamed.forget(root, path) {
            if let Some(owner) = rooted::owner(&file).filter(|_| accounts.is_on()) {
                accounts.credit(&owner, rooted::file_meta(&file)?.size, 1);
            }
            return Ok(Outcome::Done);
        }
        let directory = self.roots.directory(root)?;
        accounts.displacing(|| directory.owned(path), || directory.remove(path))?;
        Ok(Outcome::Done)
    }
}

/// A file without a name in the directory of `path`; `None` where there are none.
///
/// # Errors
/// The name is taken, or the directory cannot be used.
fn create_unnamed(directory: &Directory, path: &FilePath) -> Result<Option<(File, Meta)>> {
    let Some(name) = path.name() else {
        return Ok(None);
    };
    let parent = directory.hold(&path.parent(), false)?;
    let Some(file) = parent.create_unnamed() else {
        return Ok(None);
    };
    if parent.stat(name).is_ok() {
        return Err(FileError::Exists);
    }
    let meta = rooted::file_meta(&file)?;
    Ok(Some((file, meta)))
}
