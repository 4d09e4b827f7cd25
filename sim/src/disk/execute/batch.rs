//! Operations on many small files of one directory. Storing them is not one moment: each step takes effect on its own, so
//! that a crash can come between any two.

use proto_core::wire::{Durability, EntryKind, FilePath, StoredAs};
use proto_core::{
    FileError, HashAs, Operation, Outcome, ReadFile, RootId, SmallFile, StatFile, StoreFile,
    block_value,
};

use super::Result;
use crate::disk::Disk;
use crate::disk::content::{Content, Extent};
use crate::disk::tree::Ino;

/// How far a `StoreFiles` has come.
#[derive(Clone, Debug, Default)]
pub(in crate::disk) struct Progress {
    step: usize,
    /// Of each file: its inode, until it fails.
    written: Vec<Result<Ino>>,
}

/// What the next step of a `StoreFiles` is.
enum Step {
    Write(usize),
    Sync(usize),
    Rename(usize),
    SyncDirectory,
    End,
}

impl Step {
    fn of(at: usize, files: usize, durability: Durability) -> Self {
        let syncs = if durability == Durability::None {
            0
        } else {
            files
        };
        match at {
            _ if at < files => Self::Write(at),
            _ if at < files + syncs => Self::Sync(at - files),
            _ if at < 2 * files + syncs => Self::Rename(at - files - syncs),
            _ if at == 2 * files + syncs && durability == Durability::Full => Self::SyncDirectory,
            _ => Self::End,
        }
    }
}

impl Disk {
    /// Does one step of a `StoreFiles`; the outcome, when it was the last.
    pub(in crate::disk) fn store_step(
        &mut self,
        what: &Operation,
        progress: &mut Progress,
    ) -> Option<Result<Outcome>> {
        let Operation::StoreFiles {
            root,
            path,
            files,
            durability,
        } = what
        else {
            return Some(Err(FileError::Io));
        };
        let directory = match self.resolve(*root, path) {
            Ok(directory) => directory,
            Err(error) => return Some(Err(error)),
        };
        let (root, step) = (*root, progress.step);
        progress.step += 1;
        let reached = match Step::of(step, files.len(), *durability) {
            Step::Write(at) => {
                let written = self.write_small(directory, &files[at]);
                progress.written.push(written);
                return None;
            }
            Step::Sync(at) => {
                let ino = progress.written[at].ok().filter(|_| !files[at].link);
                if ino.is_some_and(|ino| !self.sync_small(ino)) {
                    self.give_up_small(directory, &files[at]);
                    progress.written[at] = Err(FileError::Io);
                }
                return None;
            }
            Step::Rename(at) => {
                if progress.written[at].is_ok()
                    && let Err(error) = self.rename_small(root, directory, path, &files[at])
                {
                    self.give_up_small(directory, &files[at]);
                    progress.written[at] = Err(error);
                }
                return None;
            }
            Step::SyncDirectory => match self.sync_directory(root, path) {
                Ok(_) => *durability,
                Err(_) => Durability::File,
            },
            Step::End => *durability,
        };
        self.stats.operations += 1;
        let files = progress
            .written
            .drain(..)
            .map(|written| written.map(|_| StoredAs::Written));
        Some(Ok(Outcome::Stored {
            files: files.collect(),
            durability: reached,
        }))
    }

    fn write_small(&mut self, directory: Ino, file: &StoreFile) -> Result<Ino> {
        if block_value(&file.bytes, 0, HashAs::Root) != file.value {
            return Err(FileError::Mismatch);
        }
        self.fail(self.plan.open_errors, FileError::Exhausted)?;
        self.fail(self.plan.io_errors, FileError::Io)?;
        self.fail(self.plan.space_errors, FileError::NoSpace)?;
        let now = self.wall_clock();
        if file.link {
            return self.tree.create_link(
                directory,
                &file.temp,
                &file.bytes,
                file.mtime.unwrap_or(now),
            );
        }
        if file.bytes.len() as u64 > self.free() {
            return Err(FileError::NoSpace);
        }
        let ino = self.tree.create(directory, &file.temp, now)?;
        self.tree.write(ino, 0, Extent::new(0, &file.bytes), now)?;
        self.stats.written += file.bytes.len() as u64;
        let mode = file
            .mode
            .map_or(super::NEW_MODE, |mode| mode & 0o777 & !super::UMASK);
        self.tree.set_meta(ino, file.mtime, mode)?;
        Ok(ino)
    }

    fn sync_small(&mut self, ino: Ino) -> bool {
        if self.plan.ignore_sync {
            return true;
        }
        let fails = self.strikes(self.plan.sync_errors);
        self.tree.sync(ino, fails);
        !fails
    }

    fn rename_small(
        &mut self,
        root: RootId,
        directory: Ino,
        path: &FilePath,
        file: &StoreFile,
    ) -> Result<()> {
        self.fail(self.plan.io_errors, FileError::Io)?;
        if let Some(target) = self.tree.lookup(directory, &file.name) {
            match self.tree.meta(target)?.kind {
                _ if !file.replace => return Err(FileError::Exists),
                EntryKind::File | EntryKind::Symlink => {}
                EntryKind::Directory => return Err(FileError::IsDirectory),
                EntryKind::Other => return Err(FileError::NotRegular),
            }
        }
        let fails = self.strikes(self.plan.rename_errors);
        if !fails || self.rng.one_in(2) {
            self.tree.rename(directory, &file.temp, &file.name)?;
            let to = path.join(&file.name).map_err(|_| FileError::BadName)?;
            self.appeared.push((root, to));
        }
        if fails { Err(FileError::Io) } else { Ok(()) }
    }

    fn give_up_small(&mut self, directory: Ino, file: &StoreFile) {
        // It may be gone, by a rename that failed and happened.
        let _ = self.tree.remove(directory, &file.temp);
    }

    pub(super) fn read_files(
        &mut self,
        root: RootId,
        path: &FilePath,
        files: &[ReadFile],
    ) -> Result<Outcome> {
        let directory = self.resolve(root, path)?;
        let contents = files.iter().map(|file| self.read_small(directory, file));
        Ok(Outcome::Contents(contents.collect()))
    }

    fn read_small(&mut self, directory: Ino, file: &ReadFile) -> Result<SmallFile> {
        self.fail(self.plan.io_errors, FileError::Io)?;
        let ino = self
            .tree
            .lookup(directory, &file.name)
            .ok_or(FileError::NotFound)?;
        let meta = self.tree.meta(ino)?;
        let bytes = match (file.link, meta.kind) {
            (true, EntryKind::Symlink) => self.tree.link(ino).unwrap_or_default().to_vec(),
            (false, EntryKind::File) if meta.size <= u64::from(file.max) => {
                let mut bytes = vec![0; meta.size as usize];
                self.tree
                    .content(ino)
                    .map(|content: &Content| content.read(0, &mut bytes));
                bytes
            }
            _ => return Err(FileError::Changed),
        };
        self.stats.read += bytes.len() as u64;
        let value = block_value(&bytes, 0, HashAs::Root);
        Ok(SmallFile { meta, bytes, value })
    }

    pub(super) fn stat_files(
        &mut self,
        root: RootId,
        path: &FilePath,
        files: &[StatFile],
    ) -> Result<Outcome> {
        self.fail(self.plan.io_errors, FileError::Io)?;
        let directory = self.resolve(root, path)?;
        let meta = |file: &StatFile| {
            let ino = self
                .tree
                .lookup(directory, &file.name)
                .ok_or(FileError::NotFound)?;
            let meta = self.tree.meta(ino)?;
            let Some(same) = file.same.filter(|same| same.is(&meta)) else {
                return Ok(meta);
            };
            let mode = same.mode & 0o777 & !super::UMASK;
            if mode != meta.mode {
                self.tree.set_meta(ino, None, mode)?;
            }
            self.tree.meta(ino)
        };
        Ok(Outcome::Metas(files.iter().map(meta).collect()))
    }

    pub(super) fn make_directory(
        &mut self,
        root: RootId,
        path: &FilePath,
        (mode, open): (u16, bool),
        sync: bool,
    ) -> Result<Outcome> {
        self.fail(self.plan.io_errors, FileError::Io)?;
        let folds = false;
        if path.is_root() {
            return Ok(Outcome::Made { new: false, folds });
        }
        let (parent, name) = self.parent(root, path)?;
        if let Some(there) = self.tree.lookup(parent, name) {
            let meta = self.tree.meta(there)?;
            if meta.kind != EntryKind::Directory {
                return Err(FileError::NotDirectory);
            }
            if open && meta.mode & 0o700 != 0o700 {
                self.tree.set_meta(there, None, meta.mode | 0o700)?;
            }
            return Ok(Outcome::Made { new: false, folds });
        }
        let now = self.wall_clock();
        self.tree.create_directory(parent, name, now, mode | 0o700);
        if sync && !self.plan.ignore_sync_dir {
            self.fail(self.plan.sync_errors, FileError::Io)?;
            self.tree.sync_directory(parent);
        }
        Ok(Outcome::Made { new: true, folds })
    }

    pub(super) fn set_directory(
        &mut self,
        root: RootId,
        path: &FilePath,
        mtime: Option<i64>,
        mode: Option<u16>,
        sync: bool,
    ) -> Result<Outcome> {
        self.fail(self.plan.io_errors, FileError::Io)?;
        let ino = self.resolve(root, path)?;
        let mode = match mode {
            Some(mode) => mode & 0o777 & !super::UMASK,
            None => self.tree.meta(ino)?.mode,
        };
        self.tree.set_meta(ino, mtime, mode)?;
        if sync {
            return self.sync_directory(root, path);
        }
        Ok(Outcome::Done)
    }
}
