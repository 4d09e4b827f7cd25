//! One operation, carried out.

use std::collections::HashMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto_core::{
    BLOCK_SIZE, Block, FileDone, FileError, FileId, FileOp, HashAs, Meta, Operation, Outcome,
    RootId, block_value,
};

use proto_core::wire::FilePath;

use super::error::file_error;
use super::io::{read_full_at, write_all_at};
use super::listing::{Listings, share_meta, shares_page};
use super::roots::{Root, Roots};
use super::{batch, meta, removal, rooted};

type Result<T> = std::result::Result<T, FileError>;

/// What all threads of an executor share.
#[derive(Debug)]
pub(super) struct Disk {
    roots: Roots,
    files: Mutex<HashMap<FileId, Arc<File>>>,
    listings: Listings,
    umask: u16,
}

impl Disk {
    pub(super) fn new(roots: Roots) -> Self {
        Self {
            roots,
            files: Mutex::default(),
            listings: Listings::default(),
            umask: rooted::umask(),
        }
    }

    /// Carries the operation out, waiting for the disk. Of one on bytes, the first `already` were moved before.
    pub(super) fn run(&self, operation: FileOp, already: usize) -> FileDone {
        let (block, result) = self.perform(operation.what, already);
        FileDone {
            id: operation.id,
            block,
            result,
        }
    }

    /// What came of the operation, and its block.
    pub(super) fn perform(
        &self,
        what: Operation,
        already: usize,
    ) -> (Option<Block>, Result<Outcome>) {
        match what {
            Operation::Read {
                file,
                offset,
                len,
                mut block,
                hash,
            } => {
                let result = shielded(|| self.read((file, offset, len), &mut block, hash, already));
                (Some(block), result)
            }
            Operation::Write {
                file,
                offset,
                len,
                block,
                hash,
            } => {
                let result = shielded(|| self.write((file, offset, len), &block, hash, already));
                (Some(block), result)
            }
            other => (None, shielded(|| self.run_without_block(other))),
        }
    }

    fn run_without_block(&self, what: Operation) -> Result<Outcome> {
        match what {
            Operation::Open { root, path, file } => {
                let (opened, meta) = self.roots.directory(root)?.open_file(&path)?;
                self.files().insert(file, Arc::new(opened));
                Ok(Outcome::Meta(meta))
            }
            Operation::Create { root, path, file } => {
                let (created, meta) = self.roots.directory(root)?.create_file(&path)?;
                self.files().insert(file, Arc::new(created));
                Ok(Outcome::Meta(meta))
            }
            Operation::Hash {
                file,
                offset,
                len,
                hash,
            } => self.hash(file, offset, len, hash),
            Operation::Truncate { file, size } => self.on_file(file, |file| file.set_len(size)),
            Operation::Sync { file } => self.on_file(file, File::sync_all),
            Operation::SyncDir { root, path } => {
                self.roots.directory(root)?.sync_directory(&path)?;
                Ok(Outcome::Done)
            }
            Operation::Rename {
                root,
                from,
                to,
                replace,
            } => {
                self.roots.directory(root)?.rename(&from, &to, replace)?;
                Ok(Outcome::Done)
            }
            Operation::Remove { root, path } => {
                self.roots.directory(root)?.remove(&path)?;
                Ok(Outcome::Done)
            }
            Operation::RemoveTree {
                root,
                path,
                recursive,
                max,
            } => {
                let directory = self.roots.directory(root)?;
                removal::remove(&directory, &path, recursive, max)
            }
            Operation::List {
                root,
                path,
                cursor,
                max,
                versions,
            } => self.list(root, path, cursor, max, versions),
            Operation::Stat { root, path } => self.stat(root, &path).map(Outcome::Meta),
            Operation::StatOpen { file } => {
                rooted::file_meta(&*self.file(file)?).map(Outcome::Meta)
            }
            Operation::SetMeta { file, mtime, mode } => self.set_meta(file, mtime, mode),
            Operation::FreeSpace { root } => {
                self.roots.directory(root)?.free_space().map(Outcome::Free)
            }
            Operation::MakeDir { root, path, sync } => {
                let new = self.roots.directory(root)?.make_directory(&path, sync)?;
                Ok(Outcome::Made { new })
            }
            Operation::SetDirMeta {
                root,
                path,
                mtime,
                mode,
                sync,
            } => {
                let mode = mode.unwrap_or(batch::NEW_DIRECTORY) & !self.umask;
                let directory = self.roots.directory(root)?;
                directory.set_directory(&path, mtime, mode, sync)?;
                Ok(Outcome::Done)
            }
            Operation::StatFiles { root, path, names } => {
                let held = self.roots.directory(root)?.hold(&path, false)?;
                let metas = names.iter().map(|name| held.stat(name));
                Ok(Outcome::Metas(metas.collect()))
            }
            Operation::ReadFiles { root, path, files } => {
                let held = self.roots.directory(root)?.hold(&path, true)?;
                Ok(batch::read(&held, &files))
            }
            Operation::StoreFiles {
                root,
                path,
                files,
                durability,
            } => {
                let held = self.roots.directory(root)?.hold(&path, false)?;
                Ok(batch::store(&held, &files, durability, self.umask))
            }
            Operation::Close { file } => {
                self.files().remove(&file);
                Ok(Outcome::Done)
            }
            // `perform` takes these two.
            Operation::Read { .. } | Operation::Write { .. } => Err(FileError::Io),
        }
    }

    fn files(&self) -> MutexGuard<'_, HashMap<FileId, Arc<File>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An open file. The core never names one that is not open; if it did, that is an `Io` error.
    pub(super) fn file(&self, file: FileId) -> Result<Arc<File>> {
        self.files().get(&file).cloned().ok_or(FileError::Io)
    }

    fn on_file(
        &self,
        file: FileId,
        what: impl FnOnce(&File) -> std::io::Result<()>,
    ) -> Result<Outcome> {
        what(&*self.file(file)?).map_err(|error| file_error(&error))?;
        Ok(Outcome::Done)
    }

    fn read(
        &self,
        (file, offset, len): (FileId, u64, u32),
        block: &mut Block,
        hash: HashAs,
        already: usize,
    ) -> Result<Outcome> {
        let file = self.file(file)?;
        let bytes = block
            .bytes_mut()
            .get_mut(..len as usize)
            .ok_or(FileError::Io)?;
        let rest = bytes.get_mut(already..).ok_or(FileError::Io)?;
        let count = read_full_at(&file, rest, offset + already as u64)
            .map_err(|error| file_error(&error))?;
        let count = already + count;
        Ok(Outcome::Moved {
            len: count as u32,
            value: block_value(&bytes[..count], offset, hash),
        })
    }

    fn hash(&self, file: FileId, offset: u64, len: u32, hash: HashAs) -> Result<Outcome> {
        let file = self.file(file)?;
        let (mut block, mut values) = (vec![0; BLOCK_SIZE as usize], Vec::new());
        let end = offset.saturating_add(len.into());
        let mut at = offset;
        while at < end {
            let wanted = (end - at).min(BLOCK_SIZE.into()) as usize;
            let count = read_full_at(&file, &mut block[..wanted], at);
            let count = count.map_err(|error| file_error(&error))?;
            if count > 0 {
                values.push(block_value(&block[..count], at, hash));
            }
            if count < wanted {
                break;
            }
            at += count as u64;
        }
        Ok(Outcome::Values(values))
    }

    fn write(
        &self,
        (file, offset, len): (FileId, u64, u32),
        block: &Block,
        hash: HashAs,
        already: usize,
    ) -> Result<Outcome> {
        let file = self.file(file)?;
        let bytes = block.bytes().get(..len as usize).ok_or(FileError::Io)?;
        let rest = bytes.get(already..).ok_or(FileError::Io)?;
        write_all_at(&file, rest, offset + already as u64).map_err(|error| file_error(&error))?;
        Ok(Outcome::Moved {
            len,
            value: block_value(bytes, offset, hash),
        })
    }

    fn list(
        &self,
        root: RootId,
        path: FilePath,
        cursor: u64,
        max: u32,
        versions: bool,
    ) -> Result<Outcome> {
        match self.roots.get(root)? {
            Root::Directory(directory) => {
                let place = (root, path, cursor);
                self.listings.page(&directory, place, max, versions)
            }
            Root::Shares(shares) if path.is_root() => {
                shares_page(&self.roots, &shares, cursor, max)
            }
            Root::Shares(_) => Err(FileError::Denied),
        }
    }

    fn stat(&self, root: RootId, path: &FilePath) -> Result<Meta> {
        match self.roots.get(root)? {
            Root::Directory(directory) => directory.stat(path),
            Root::Shares(_) if path.is_root() => Ok(meta::directory(0, 0o555)),
            Root::Shares(shares) => {
                let share = shares.get(path.as_bytes()).ok_or(FileError::NotFound)?;
                Ok(share_meta(&self.roots, *share))
            }
        }
    }

    fn set_meta(&self, file: FileId, mtime: Option<i64>, mode: Option<u16>) -> Result<Outcome> {
        self.on_file(file, |file| {
            rooted::set_mode(file, mode.unwrap_or(batch::NEW_FILE) & 0o777 & !self.umask)?;
            match mtime {
                Some(mtime) => rooted::set_modified(file, mtime),
                None => Ok(()),
            }
        })
    }
}

/// A panic becomes an `Io` error: an operation without an answer would hang its transfer and keep its block for ever.
fn shielded<T>(operation: impl FnOnce() -> Result<T>) -> Result<T> {
    // What an operation may leave half done is the disk's and the block's; both are worthless after an error anyway.
    // The locks are free again, and their holders leave tables whole.
    catch_unwind(AssertUnwindSafe(operation)).unwrap_or(Err(FileError::Io))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_the_block_stays() {
        let mut block = Block::default();
        let result: Result<Outcome> = shielded(|| {
            block.bytes_mut()[..1].fill(7);
            panic!("on purpose");
        });
        assert_eq!(result.err(), Some(FileError::Io));
        assert_eq!(block.bytes()[0], 7);
        assert_eq!(shielded(|| Ok(5)), Ok(5));
        assert_eq!(
            shielded::<()>(|| Err(FileError::Denied)),
            Err(FileError::Denied)
        );
    }
}
