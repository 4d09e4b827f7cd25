//! Carrying operations out: those on open files, and what all have in common.

pub(super) mod batch;
mod logs;
mod names;

use proto_core::wire::FilePath;
use proto_core::{
    BLOCK_SIZE, Block, FileError, FileId, HashAs, Operation, Outcome, RootId, block_value,
};

use super::content::Extent;
use super::tree::Ino;
use super::{Disk, Handle, WALL_CLOCK};

/// Bits that no new file has.
const UMASK: u16 = 0o022;
/// Permission bits of a new file.
const NEW_MODE: u16 = 0o644;

type Result<T> = std::result::Result<T, FileError>;

impl Disk {
    /// Does `what`, now; a write writes `bytes`. The block of a read or write comes back.
    pub(super) fn execute(
        &mut self,
        what: Operation,
        bytes: Option<Extent>,
    ) -> (Option<Block>, Result<Outcome>) {
        self.stats.operations += 1;
        match what {
            Operation::Read {
                file,
                offset,
                len,
                mut block,
                hash,
            } => {
                let result = self.read(file, offset, len, &mut block, hash);
                (Some(block), result)
            }
            Operation::Write {
                file,
                offset,
                len,
                block,
                hash,
            } => {
                let result = match bytes {
                    Some(bytes) => self.write(file, offset, &block, &bytes, hash),
                    None => Err(self.no_part_of_a_block(offset, len)),
                };
                (Some(block), result)
            }
            other => (None, self.without_block(other)),
        }
    }

    /// Does `what`, which is neither a read nor a write.
    pub(super) fn without_block(&mut self, what: Operation) -> Result<Outcome> {
        match what {
            Operation::Open { root, path, file } => self.open(root, &path, file),
            Operation::Create {
                root,
                path,
                file,
                log,
                ..
            } => {
                self.check_log(log)?;
                self.create(root, &path, file, log)
            }
            Operation::OpenPart {
                root,
                path,
                file,
                log,
            } => {
                self.check_log(Some(log))?;
                self.open_own(root, &path, file, log)
            }
            Operation::OpenLog {
                root,
                path,
                file,
                take,
            } => self.open_log(root, &path, file, take),
            Operation::ReadLog { file, offset, max } => self.read_log(file, offset, max),
            Operation::WriteLog {
                file,
                offset,
                bytes,
            } => {
                self.fail(self.plan.io_errors, FileError::Io)?;
                self.put(file, offset, &Extent::new(offset, &bytes))?;
                Ok(Outcome::Done)
            }
            Operation::CloseLog { file, remove } => self.close_log(file, remove),
            Operation::SyncSoFar { file } => self.sync(file),
            Operation::Hash {
                file,
                offset,
                len,
                hash,
            } => self.hash(file, offset, len.into(), hash),
            Operation::Truncate { file, size } => self.truncate(file, size),
            Operation::Sync { file } => self.sync(file),
            Operation::SyncDir { root, path } => self.sync_directory(root, &path),
            Operation::Rename {
                root,
                from,
                to,
                replace,
                log,
            } => {
                self.check_log(log)?;
                self.rename(root, &from, to, replace)
            }
            Operation::Remove { root, path, log } => {
                self.check_log(log)?;
                self.remove(root, &path)
            }
            Operation::RemoveTree {
                root,
                path,
                recursive,
                max,
            } => self.remove_tree(root, &path, recursive, max),
            Operation::List {
                root,
                path,
                cursor,
                max,
                versions,
                filter: None,
            } => self.list(root, &path, cursor, max, versions),
            // Nobody asks a simulated disk for a part of a directory.
            Operation::List {
                filter: Some(_), ..
            } => Err(FileError::BadName),
            Operation::Stat { root, path } => {
                self.fail(self.plan.io_errors, FileError::Io)?;
                let ino = self.resolve(root, &path)?;
                self.tree.meta(ino).map(Outcome::Meta)
            }
            Operation::StatOpen { file } => {
                self.fail(self.plan.io_errors, FileError::Io)?;
                let ino = self.handle(file)?.ino;
                self.tree.meta(ino).map(Outcome::Meta)
            }
            Operation::SetMeta { file, mtime, mode } => {
                self.fail(self.plan.io_errors, FileError::Io)?;
                let ino = self.writable(file)?;
                let mode = mode.map_or(NEW_MODE, |mode| mode & 0o777 & !UMASK);
                self.tree.set_meta(ino, mtime, mode)?;
                Ok(Outcome::Done)
            }
            Operation::FreeSpace { root } => {
                self.root(root)?;
                Ok(Outcome::Free(self.free()))
            }
            Operation::MakeDir {
                root,
                path,
                mode,
                open,
                sync,
            } => self.make_directory(root, &path, (mode, open), sync),
            Operation::SetDirMeta {
                root,
                path,
                mtime,
                mode,
                sync,
            } => self.set_directory(root, &path, mtime, mode, sync),
            Operation::StatFiles { root, path, files } => self.stat_files(root, &path, &files),
            Operation::ReadFiles { root, path, files } => self.read_files(root, &path, &files),
            Operation::StoreFiles { .. } => {
                let mut progress = batch::Progress::default();
                loop {
                    if let Some(outcome) = self.store_step(&what, &mut progress) {
                        return outcome;
                    }
                }
            }
            Operation::Close { file } => self.close(file),
            // These two have a block and were taken out before.
            Operation::Read { .. } | Operation::Write { .. } => Err(FileError::Io),
        }
    }

    /// Whether a fault that comes in `per_million` of 1,000,000 cases comes now.
    fn strikes(&mut self, per_million: u32) -> bool {
        let strikes = self.rng.chance(per_million) && !self.plan.is_mended(self.now);
        self.stats.injected += u64::from(strikes);
        strikes
    }

    /// Fails with `error` in `per_million` of 1,000,000 cases.
    fn fail(&mut self, per_million: u32, error: FileError) -> Result<()> {
        if self.strikes(per_million) {
            return Err(error);
        }
        Ok(())
    }

    pub(super) fn wall_clock(&self) -> i64 {
        WALL_CLOCK.saturating_add_unsigned(self.now.as_nanos())
    }

    fn root(&mut self, root: RootId) -> Result<Ino> {
        let known = self.roots.get(&root).copied();
        known.ok_or_else(|| self.breach(format!("{root:?} is no root of this disk")))
    }

    fn resolve(&mut self, root: RootId, path: &FilePath) -> Result<Ino> {
        let root = self.root(root)?;
        self.tree.resolve(root, path)
    }

    /// The directory that holds `path`, and the name in it.
    fn parent<'a>(&mut self, root: RootId, path: &'a FilePath) -> Result<(Ino, &'a [u8])> {
        let root = self.root(root)?;
        self.tree.parent(root, path)
    }

    fn handle(&mut self, file: FileId) -> Result<Handle> {
        let known = self.open.get(&file).copied();
        let handle = known.ok_or_else(|| self.breach(format!("{file:?} is not open")))?;
        if handle.over {
            return Err(FileError::TakenOver);
        }
        Ok(handle)
    }

    fn writable(&mut self, file: FileId) -> Result<Ino> {
        let handle = self.handle(file)?;
        if handle.writable {
            Ok(handle.ino)
        } else {
            Err(self.breach(format!("{file:?} is open for reading only")))
        }
    }

    fn breach(&mut self, what: String) -> FileError {
        self.breaches.push(what);
        FileError::Io
    }

    /// Checks what `Read` and `Write` promise about their span.
    fn check_span(&mut self, offset: u64, len: u64) -> Result<()> {
        let block = u64::from(BLOCK_SIZE);
        if offset.is_multiple_of(block) && len <= block {
            return Ok(());
        }
        Err(self.no_part_of_a_block(offset, u32::try_from(len).unwrap_or(u32::MAX)))
    }

    fn no_part_of_a_block(&mut self, offset: u64, len: u32) -> FileError {
        self.breach(format!("{len} bytes at {offset} are no part of one block"))
    }

    /// How many of `len` bytes are moved: all, or fewer when the fault comes.
    fn moved(&mut self, per_million: u32, len: u64) -> u64 {
        if len > 0 && self.strikes(per_million) {
            return self.rng.below(len);
        }
        len
    }

    fn read(
        &mut self,
        file: FileId,
        offset: u64,
        len: u32,
        block: &mut Block,
        hash: HashAs,
    ) -> Result<Outcome> {
        self.check_span(offset, len.into())?;
        self.fail(self.plan.io_errors, FileError::Io)?;
        let ino = self.handle(file)?.ino;
        let content = self.tree.content(ino).ok_or(FileError::NotRegular)?;
        let got = content.read(offset, &mut block.bytes_mut()[..len as usize]);
        let got = self.moved(self.plan.short_reads, got as u64);
        let value = block_value(&block.bytes()[..got as usize], offset, hash);
        self.stats.read += got;
        self.flip_bit(file, &mut block.bytes_mut()[..got as usize]);
        Ok(Outcome::Moved {
            len: got as u32,
            value,
        })
    }

    fn hash(&mut self, file: FileId, offset: u64, len: u64, hash: HashAs) -> Result<Outcome> {
        self.fail(self.plan.io_errors, FileError::Io)?;
        let ino = self.handle(file)?.ino;
        let size = self.tree.content(ino).ok_or(FileError::NotRegular)?.len();
        let end = offset.saturating_add(len).min(size);
        let end = offset + self.moved(self.plan.short_reads, end.saturating_sub(offset));
        let (mut values, mut at) = (Vec::new(), offset);
        while at < end {
            let mut block = vec![0; (end - at).min(BLOCK_SIZE.into()) as usize];
            let content = self.tree.content(ino).ok_or(FileError::NotRegular)?;
            content.read(at, &mut block);
            values.push(block_value(&block, at, hash));
            at += block.len() as u64;
        }
        self.stats.read += end - offset;
        Ok(Outcome::Values(values))
    }

    /// Flips a bit of what was read and hashed, at most once for each open file.
    fn flip_bit(&mut self, file: FileId, bytes: &mut [u8]) {
        let flips = !bytes.is_empty()
            && self.rng.chance(self.plan.flipped_bits)
            && !self.plan.is_mended(self.now);
        if flips && let Some(handle) = self.open.get_mut(&file).filter(|handle| !handle.flipped) {
            handle.flipped = true;
            let bit = self.rng.below(bytes.len() as u64 * 8) as usize;
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    fn write(
        &mut self,
        file: FileId,
        offset: u64,
        block: &Block,
        bytes: &Extent,
        hash: HashAs,
    ) -> Result<Outcome> {
        self.check_span(offset, bytes.len())?;
        self.fail(self.plan.io_errors, FileError::Io)?;
        self.fail(self.plan.space_errors, FileError::NoSpace)?;
        let moved = self.moved(self.plan.short_writes, bytes.len());
        self.put(file, offset, &bytes.part(0, moved))?;
        let value = block_value(&block.bytes()[..moved as usize], offset, hash);
        Ok(Outcome::Moved {
            len: moved as u32,
            value,
        })
    }

    /// Writes `bytes` if there is room.
    pub(super) fn put(&mut self, file: FileId, offset: u64, bytes: &Extent) -> Result<()> {
        let ino = self.writable(file)?;
        let content = self.tree.content(ino).ok_or(FileError::NotRegular)?;
        let end = offset.checked_add(bytes.len());
        let end = end.ok_or(FileError::TooLarge)?;
        if bytes.len() - content.allocated_in(offset, end) > self.free() {
            return Err(FileError::NoSpace);
        }
        let now = self.wall_clock();
        self.tree.write(ino, offset, bytes.clone(), now)?;
        self.stats.written += bytes.len();
        Ok(())
    }

    fn truncate(&mut self, file: FileId, size: u64) -> Result<Outcome> {
        self.fail(self.plan.io_errors, FileError::Io)?;
        let ino = self.writable(file)?;
        let now = self.wall_clock();
        self.tree.truncate(ino, size, now)?;
        Ok(Outcome::Done)
    }

    fn sync(&mut self, file: FileId) -> Result<Outcome> {
        let ino = self.handle(file)?.ino;
        if self.plan.ignore_sync {
            return Ok(Outcome::Done);
        }
        let fails = self.strikes(self.plan.sync_errors);
        self.tree.sync(ino, fails);
        if fails {
            return Err(FileError::Io);
        }
        Ok(Outcome::Done)
    }

    fn close(&mut self, file: FileId) -> Result<Outcome> {
        let Some(handle) = self.open.remove(&file) else {
            return Err(self.breach(format!("{file:?} is not open")));
        };
        let fails = self.strikes(self.plan.close_errors);
        if fails && handle.writable {
            self.tree.sync(handle.ino, true);
        }
        self.tree.close(handle.ino);
        if fails {
            return Err(FileError::Io);
        }
        Ok(Outcome::Done)
    }
}
