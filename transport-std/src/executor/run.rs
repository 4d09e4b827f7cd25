//! One operation, carried out.

use std::collections::HashMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto_core::{
    BLOCK_SIZE, Block, FileDone, FileError, FileId, FileOp, FilterBelow, HashAs, Meta, Operation,
    Outcome, RootId, block_value,
};

use proto_core::wire::FilePath;

use super::error::file_error;
use super::filters::Filters;
use super::io::{read_full_at, write_all_at};
use super::lease::Lease;
use super::listing::{Listings, share_meta, shares_page};
use super::making::Unnamed;
use super::quota::Charge;
use super::roots::{Root, Roots};
use super::{batch, meta, removal, rooted, sparse};

type Result<T> = std::result::Result<T, FileError>;

/// An open file, and the lease under which it may be touched.
#[derive(Clone, Debug)]
struct Opened {
    file: Arc<File>,
    lease: Option<Arc<Lease>>,
    /// What it is counted with for a user.
    charge: Option<Arc<Charge>>,
}

/// What all threads of an executor share.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) roots: Roots,
    files: Mutex<HashMap<FileId, Opened>>,
    pub(super) unnamed: Unnamed,
    listings: Listings,
    filters: Filters,
    umask: u16,
    boot: [u8; 16],
}

impl Disk {
    pub(super) fn new(roots: Roots) -> Self {
        Self {
            roots,
            files: Mutex::default(),
            unnamed: Unnamed::default(),
            listings: Listings::default(),
            filters: Filters::default(),
            umask: rooted::umask(),
            boot: rooted::boot_id(),
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
                self.keep(file, Arc::new(opened), None, None);
                Ok(Outcome::Meta(meta))
            }
            Operation::Create {
                root,
                path,
                file,
                log,
                size,
            } => self.under(log, || {
                let (created, meta, charge) = self.create(root, &path, log, size)?;
                self.keep(file, created, log, charge);
                Ok(Outcome::Meta(meta))
            }),
            Operation::OpenPart {
                root,
                path,
                file,
                log,
            } => self.under(Some(log), || {
                let (opened, meta) = self.roots.directory(root)?.open_own(&path, false)?;
                let charge = self.take_over(root, &opened, meta.size)?;
                self.keep(file, Arc::new(opened), Some(log), charge);
                Ok(Outcome::Meta(meta))
            }),
            Operation::OpenLog {
                root,
                path,
                file,
                take,
            } => self.open_log(root, &path, file, take),
            Operation::ReadLog { file, offset, max } => self.with_file(file, |file| {
                let mut bytes = vec![0; max as usize];
                let count = read_full_at(file, &mut bytes, offset);
                bytes.truncate(count.map_err(|error| file_error(&error))?);
                Ok(Outcome::Bytes(bytes))
            }),
            Operation::WriteLog {
                file,
                offset,
                bytes,
            } => self.on_file(file, |file| write_all_at(file, &bytes, offset)),
            Operation::CloseLog { file, remove } => Ok(self.close_log(file, remove)),
            Operation::SyncSoFar { file } => self.on_file(file, File::sync_data),
            Operation::Hash {
                file,
                offset,
                len,
                hash,
            } => self.hash(file, offset, len, hash),
            Operation::Truncate { file, size } => self.with_file(file, |open| {
                self.grow(file, size)?;
                open.set_len(size).map_err(|error| file_error(&error))?;
                Ok(Outcome::Done)
            }),
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
                log,
            } => self.under(log, || self.rename(root, (&from, &to), replace)),
            Operation::Remove { root, path, log } => self.under(log, || self.remove(root, &path)),
            Operation::RemoveTree {
                root,
                path,
                recursive,
                max,
            } => {
                let directory = self.roots.directory(root)?;
                removal::remove(&directory, &path, recursive, max, self.roots.accounts())
            }
            Operation::List {
                root,
                path,
                cursor,
                max,
                versions,
                filter,
            } => self.list((root, path, cursor), max, versions, filter.as_ref()),
            Operation::Stat { root, path } => self.stat(root, &path).map(Outcome::Meta),
            Operation::StatOpen { file } => {
                self.with_file(file, |file| rooted::file_meta(file).map(Outcome::Meta))
            }
            Operation::SetMeta { file, mtime, mode } => self.set_meta(file, mtime, mode),
            Operation::FreeSpace { root } => {
                self.roots.directory(root)?.free_space().map(Outcome::Free)
            }
            Operation::MakeDir {
                root,
                path,
                mode,
                open,
                sync,
            } => {
                let directory = self.roots.directory(root)?;
                let new = !path.is_root()
                    && self.make_directory(&directory, (root, &path), (mode, sync))?;
                if open && !new {
                    directory.open_up(&path);
                }
                let folds = directory.folds_names(&path);
                Ok(Outcome::Made { new, folds })
            }
            Operation::SetDirMeta {
                root,
                path,
                mtime,
                mode,
                sync,
            } => {
                let mode = mode.map(|mode| mode & 0o777 & !self.umask);
                let directory = self.roots.directory(root)?;
                directory.set_directory(&path, mtime, mode, sync)?;
                Ok(Outcome::Done)
            }
            Operation::StatFiles { root, path, files } => {
                let held = self.roots.directory(root)?.hold(&path, false)?;
                Ok(batch::stat(&held, &files, self.umask))
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
                let charge = |size| self.roots.charge(root, size);
                let counting = (self.roots.accounts(), &charge as &batch::MakeCharge<'_>);
                Ok(batch::store(
                    &held, &files, durability, self.umask, counting,
                ))
            }
            Operation::Close { file } => {
                let closed = self.files().remove(&file);
                if let Some((file, charge)) = closed.and_then(|it| Some((it.file, it.charge?))) {
                    charge.settle(rooted::file_meta(&file)?.size);
                }
                Ok(Outcome::Done)
            }
            // `perform` takes these two.
            Operation::Read { .. } | Operation::Write { .. } => Err(FileError::Io),
        }
    }

    fn files(&self) -> MutexGuard<'_, HashMap<FileId, Opened>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An open file. The core never names one that is not open; if it did, that is an `Io` error.
    fn opened(&self, file: FileId) -> Result<Opened> {
        self.files().get(&file).cloned().ok_or(FileError::Io)
    }

    /// A file shall reach up to `end`: its user is charged.
    pub(super) fn grow(&self, file: FileId, end: u64) -> Result<()> {
        match self.opened(file)?.charge {
            Some(charge) => charge.grow(end),
            None => Ok(()),
        }
    }

    /// Notes an open file, with the lease of the journal `log` and what it is counted with.
    fn keep(
        &self,
        file: FileId,
        opened: Arc<File>,
        log: Option<FileId>,
        charge: Option<Arc<Charge>>,
    ) {
        let lease = log.and_then(|log| self.opened(log).ok()?.lease);
        let opened = Opened {
            file: opened,
            lease,
            charge,
        };
        self.files().insert(file, opened);
    }

    /// Does something under the lease of a journal, if there is one.
    fn under<T>(&self, log: Option<FileId>, what: impl FnOnce() -> Result<T>) -> Result<T> {
        match log {
            Some(log) => {
                let lease = self.opened(log)?.lease.ok_or(FileError::Io)?;
                lease.under(what)
            }
            None => what(),
        }
    }

    /// Does something with an open file, under its lease.
    pub(super) fn with_file<T>(
        &self,
        file: FileId,
        what: impl FnOnce(&File) -> Result<T>,
    ) -> Result<T> {
        let opened = self.opened(file)?;
        match &opened.lease {
            Some(lease) => lease.under(|| what(&opened.file)),
            None => what(&opened.file),
        }
    }

    fn open_log(
        &self,
        root: RootId,
        path: &FilePath,
        file: FileId,
        take: Option<[u8; 32]>,
    ) -> Result<Outcome> {
        let directory = self.roots.directory(root)?;
        let lease = self.roots.leases().open(&directory, root, path, take)?;
        let opened = Opened {
            file: lease.log.clone(),
            lease: Some(lease),
            charge: None,
        };
        self.files().insert(file, opened);
        self.roots.sweep(root, &path.parent());
        Ok(Outcome::Log { boot: self.boot })
    }

    fn close_log(&self, file: FileId, remove: bool) -> Outcome {
        let opened = self.files().remove(&file);
        if let Some(lease) = opened.and_then(|opened| opened.lease).filter(|_| remove) {
            // It is of no use, and swept away some day, if it cannot be removed.
            let _ = lease.under(|| self.roots.directory(lease.root)?.remove(&lease.path));
        }
        Outcome::Done
    }

    fn on_file(
        &self,
        file: FileId,
        what: impl FnOnce(&File) -> std::io::Result<()>,
    ) -> Result<Outcome> {
        self.with_file(file, |file| what(file).map_err(|error| file_error(&error)))?;
        Ok(Outcome::Done)
    }

    fn read(
        &self,
        (file, offset, len): (FileId, u64, u32),
        block: &mut Block,
        hash: HashAs,
        already: usize,
    ) -> Result<Outcome> {
        let bytes = block
            .bytes_mut()
            .get_mut(..len as usize)
            .ok_or(FileError::Io)?;
        let rest = bytes.get_mut(already..).ok_or(FileError::Io)?;
        let count = self.with_file(file, |file| {
            read_full_at(file, rest, offset + already as u64).map_err(|error| file_error(&error))
        })?;
        let count = already + count;
        Ok(Outcome::Moved {
            len: count as u32,
            value: block_value(&bytes[..count], offset, hash),
        })
    }

    fn hash(&self, file: FileId, offset: u64, len: u32, hash: HashAs) -> Result<Outcome> {
        let (mut block, mut values) = (vec![0; BLOCK_SIZE as usize], Vec::new());
        let end = offset.saturating_add(len.into());
        let mut at = offset;
        while at < end {
            let wanted = (end - at).min(BLOCK_SIZE.into()) as usize;
            let count = self.with_file(file, |file| {
                read_full_at(file, &mut block[..wanted], at).map_err(|error| file_error(&error))
            })?;
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
        let bytes = block.bytes().get(..len as usize).ok_or(FileError::Io)?;
        let rest = bytes.get(already..).ok_or(FileError::Io)?;
        let is_hole = already == 0 && sparse::is_hole(bytes);
        // Charged under the lease: who has lost it is not charged any more.
        self.with_file(file, |open| {
            self.grow(file, offset.saturating_add(len.into()))?;
            let written = match is_hole {
                true => sparse::write(open, bytes, offset),
                false => write_all_at(open, rest, offset + already as u64),
            };
            written.map_err(|error| file_error(&error))
        })?;
        Ok(Outcome::Moved {
            len,
            value: block_value(bytes, offset, hash),
        })
    }

    fn list(
        &self,
        (root, path, cursor): (RootId, FilePath, u64),
        max: u32,
        versions: bool,
        filter: Option<&Arc<FilterBelow>>,
    ) -> Result<Outcome> {
        match self.roots.get(root)? {
            Root::Directory(directory) => {
                let leaver = match filter {
                    Some(filter) => {
                        let ready = self.filters.get(filter)?;
                        Some(ready.of_directory(&directory, &path)?)
                    }
                    None => None,
                };
                let place = (root, path, cursor);
                let leaver = leaver.as_ref();
                self.listings
                    .page(&directory, place, (max, versions), leaver)
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
