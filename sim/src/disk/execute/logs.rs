//! Operations on journals, and on the files that they know.

use proto_core::wire::{EntryKind, FilePath};
use proto_core::{FileError, FileId, Outcome, RootId};

use super::Result;
use crate::disk::Disk;

impl Disk {
    /// Fails when the journal was taken over by another transfer.
    pub(super) fn check_log(&mut self, log: Option<FileId>) -> Result<()> {
        log.map_or(Ok(()), |log| self.handle(log).map(drop))
    }

    pub(super) fn open_own(
        &mut self,
        root: RootId,
        path: &FilePath,
        file: FileId,
        log: FileId,
    ) -> Result<Outcome> {
        self.check_open_files()?;
        let ino = self.resolve(root, path)?;
        match self.tree.meta(ino)?.kind {
            EntryKind::File => self.register(file, ino, true, Some(log)),
            EntryKind::Directory => Err(FileError::IsDirectory),
            EntryKind::Symlink | EntryKind::Other => Err(FileError::NotRegular),
        }
    }

    pub(super) fn open_log(
        &mut self,
        root: RootId,
        path: &FilePath,
        file: FileId,
        take: Option<[u8; 32]>,
    ) -> Result<Outcome> {
        self.check_open_files()?;
        let (parent, name) = self.parent(root, path)?;
        let now = self.wall_clock();
        let ino = match self.tree.lookup(parent, name) {
            Some(ino) => ino,
            None => self.tree.create(parent, name, now)?,
        };
        let content = self.tree.content(ino).ok_or(FileError::NotRegular)?;
        if let Some(owner) = self.locks.get(&ino).copied() {
            let mut begin = [0; 32];
            let read = content.read(0, &mut begin);
            if read < begin.len() || take != Some(begin) {
                return Err(FileError::InUse);
            }
            let theirs = |log: Option<FileId>| log == Some(owner);
            for handle in self.open.values_mut().filter(|handle| theirs(handle.log)) {
                handle.over = true;
            }
        }
        self.register(file, ino, true, Some(file))?;
        self.locks.insert(ino, file);
        let mut boot = [0; 16];
        boot[..8].copy_from_slice(&self.boot.to_le_bytes());
        Ok(Outcome::Log { boot })
    }

    pub(super) fn read_log(&mut self, file: FileId, offset: u64, max: u32) -> Result<Outcome> {
        self.fail(self.plan.io_errors, FileError::Io)?;
        let ino = self.handle(file)?.ino;
        let content = self.tree.content(ino).ok_or(FileError::NotRegular)?;
        let mut bytes = vec![0; max as usize];
        let read = content.read(offset, &mut bytes);
        bytes.truncate(read);
        Ok(Outcome::Bytes(bytes))
    }

    pub(super) fn close_log(&mut self, file: FileId, remove: bool) -> Result<Outcome> {
        let Some(handle) = self.open.remove(&file) else {
            return Err(self.breach(format!("{file:?} is not open")));
        };
        if !handle.over {
            self.locks.remove(&handle.ino);
            if remove {
                self.tree.remove_inode(handle.ino);
            }
        }
        self.tree.close(handle.ino);
        Ok(Outcome::Done)
    }
}
