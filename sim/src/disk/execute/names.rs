//! Operations on names.

use proto_core::wire::{Entry, EntryKind, FilePath};
use proto_core::{FileError, FileId, Outcome, RootId};

use super::Result;
use crate::disk::tree::Ino;
use crate::disk::{Disk, Handle};

impl Disk {
    /// Fails when no more files may be open.
    pub(super) fn check_open_files(&mut self) -> Result<()> {
        self.fail(self.plan.open_errors, FileError::Exhausted)?;
        let full = self.open.len() >= self.plan.open_files_max as usize;
        if full && !self.plan.is_mended(self.now) {
            self.stats.injected += 1;
            return Err(FileError::Exhausted);
        }
        Ok(())
    }

    pub(super) fn register(
        &mut self,
        file: FileId,
        ino: Ino,
        writable: bool,
        log: Option<FileId>,
    ) -> Result<Outcome> {
        let handle = Handle {
            ino,
            writable,
            flipped: false,
            log,
            over: false,
        };
        if self.open.insert(file, handle).is_some() {
            return Err(self.breach(format!("{file:?} is open already")));
        }
        self.tree.open(ino);
        self.tree.meta(ino).map(Outcome::Meta)
    }

    pub(super) fn open(&mut self, root: RootId, path: &FilePath, file: FileId) -> Result<Outcome> {
        self.check_open_files()?;
        let ino = self.resolve(root, path)?;
        match self.tree.meta(ino)?.kind {
            EntryKind::File => self.register(file, ino, false, None),
            EntryKind::Directory => Err(FileError::IsDirectory),
            EntryKind::Symlink | EntryKind::Other => Err(FileError::NotRegular),
        }
    }

    pub(super) fn create(
        &mut self,
        root: RootId,
        path: &FilePath,
        file: FileId,
        log: Option<FileId>,
    ) -> Result<Outcome> {
        self.check_open_files()?;
        let (parent, name) = self.parent(root, path)?;
        let now = self.wall_clock();
        let ino = self.tree.create(parent, name, now)?;
        self.register(file, ino, true, log)
    }

    pub(super) fn sync_directory(&mut self, root: RootId, path: &FilePath) -> Result<Outcome> {
        let ino = self.resolve(root, path)?;
        if self.tree.meta(ino)?.kind != EntryKind::Directory {
            return Err(FileError::NotDirectory);
        }
        if self.plan.ignore_sync_dir {
            return Ok(Outcome::Done);
        }
        self.fail(self.plan.sync_errors, FileError::Io)?;
        self.tree.sync_directory(ino);
        Ok(Outcome::Done)
    }

    pub(super) fn rename(
        &mut self,
        root: RootId,
        from: &FilePath,
        to: FilePath,
        replace: bool,
    ) -> Result<Outcome> {
        self.fail(self.plan.io_errors, FileError::Io)?;
        let (parent, old) = self.parent(root, from)?;
        let (new_parent, new) = self.parent(root, &to)?;
        let moved = self.tree.lookup(parent, old).ok_or(FileError::NotFound)?;
        let is_directory = self.tree.meta(moved)?.kind == EntryKind::Directory;
        let below = [from.as_bytes(), b"/"].concat();
        if is_directory && to.as_bytes().starts_with(&below) {
            return Err(FileError::BadName);
        }
        if let Some(target) = self.tree.lookup(new_parent, new) {
            if target == moved && replace {
                return Ok(Outcome::Done);
            }
            if !replace {
                return Err(FileError::Exists);
            }
            match self.tree.meta(target)?.kind {
                EntryKind::File if is_directory => return Err(FileError::NotDirectory),
                EntryKind::File => {}
                EntryKind::Directory => return Err(FileError::IsDirectory),
                EntryKind::Symlink | EntryKind::Other => return Err(FileError::NotRegular),
            }
        }
        // POSIX lets a rename that fails with EIO have happened.
        let fails = self.strikes(self.plan.rename_errors);
        if !fails || self.rng.one_in(2) {
            if parent == new_parent {
                self.tree.rename(parent, old, new)?;
            } else {
                self.tree.move_to(parent, old, new_parent, new)?;
            }
            self.appeared.push((root, to));
        }
        if fails {
            return Err(FileError::Io);
        }
        Ok(Outcome::Done)
    }

    pub(super) fn remove(&mut self, root: RootId, path: &FilePath) -> Result<Outcome> {
        self.fail(self.plan.io_errors, FileError::Io)?;
        let (parent, name) = self.parent(root, path)?;
        let ino = self.tree.lookup(parent, name).ok_or(FileError::NotFound)?;
        if self.tree.meta(ino)?.kind == EntryKind::Directory {
            return Err(FileError::IsDirectory);
        }
        self.tree.remove(parent, name)?;
        Ok(Outcome::Done)
    }

    /// Removes the names below `path`, the deepest first, and `path` itself.
    pub(super) fn remove_tree(
        &mut self,
        root: RootId,
        path: &FilePath,
        recursive: bool,
        max: u32,
    ) -> Result<Outcome> {
        self.fail(self.plan.io_errors, FileError::Io)?;
        let (top, name) = self.parent(root, path)?;
        for count in 1..=u64::from(max) {
            let (mut parent, mut name) = (top, name.to_vec());
            let mut ino = self.tree.lookup(top, &name).ok_or(FileError::NotFound)?;
            let mut is_top = true;
            while let Some((below, inner)) = self.tree.names(ino).into_iter().next() {
                if !recursive {
                    return Err(FileError::NotEmpty);
                }
                (parent, name, ino, is_top) = (ino, below, inner, false);
            }
            self.tree.remove(parent, &name)?;
            if is_top {
                return Ok(Outcome::Removed { count, more: false });
            }
        }
        let (count, more) = (max.into(), true);
        Ok(Outcome::Removed { count, more })
    }

    pub(super) fn list(
        &mut self,
        root: RootId,
        path: &FilePath,
        cursor: u64,
        max: u32,
        with_versions: bool,
    ) -> Result<Outcome> {
        self.fail(self.plan.io_errors, FileError::Io)?;
        let directory = self.resolve(root, path)?;
        let (mut entries, mut versions) = (Vec::new(), Vec::new());
        let mut cursor = cursor;
        while let Some((cookie, name, ino)) = self.tree.next_entry(directory, cursor)? {
            if !name.starts_with(b".dhow-") {
                let meta = self.tree.meta(ino)?;
                let entry = Entry {
                    kind: meta.kind,
                    size: meta.size,
                    mtime: meta.mtime,
                    mode: meta.mode,
                    name: &name,
                };
                if entries.len() + entry.encoded_len() > max as usize {
                    let next = Some(cookie);
                    return Ok(Outcome::Page {
                        entries,
                        versions,
                        next,
                    });
                }
                entry.encode(&mut entries);
                versions.extend(with_versions.then_some(meta.version));
            }
            cursor = cookie + 1;
        }
        Ok(Outcome::Page {
            entries,
            versions,
            next: None,
        })
    }
}
