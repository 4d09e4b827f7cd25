//! Carrying operations out.

use proto_core::wire::{Entry, EntryKind, FilePath};
use proto_core::{
    BLOCK_SIZE, Block, FileError, FileId, HashAs, Operation, Outcome, RootId, block_value,
};

use super::tree::Ino;
use super::{Disk, Handle, WALL_CLOCK};

/// Bits that no new file has.
const UMASK: u16 = 0o022;
/// Permission bits of a new file.
const NEW_MODE: u16 = 0o644;

type Result<T> = std::result::Result<T, FileError>;

impl Disk {
    /// Does `what`, now. The block of a read or write comes back.
    pub(super) fn execute(&mut self, what: Operation) -> (Option<Block>, Result<Outcome>) {
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
                let result = self.write(file, offset, len, &block, hash);
                (Some(block), result)
            }
            other => (None, self.without_block(other)),
        }
    }

    fn without_block(&mut self, what: Operation) -> Result<Outcome> {
        match what {
            Operation::Open { root, path, file } => self.open(root, &path, file),
            Operation::Create { root, path, file } => self.create(root, &path, file),
            Operation::Truncate { file, size } => {
                self.fail(self.plan.io_errors, FileError::Io)?;
                let ino = self.writable(file)?;
                let now = self.wall_clock();
                self.tree.truncate(ino, size, now)?;
                Ok(Outcome::Done)
            }
            Operation::Sync { file } => {
                let ino = self.handle(file)?.ino;
                let fails = self.fail(self.plan.sync_errors, FileError::Io);
                self.tree.sync(ino, fails.is_err());
                fails.map(|()| Outcome::Done)
            }
            Operation::SyncDir { root, path } => self.sync_directory(root, &path),
            Operation::Rename {
                root,
                from,
                to,
                replace,
            } => self.rename(root, &from, to, replace),
            Operation::Remove { root, path } => self.remove(root, &path),
            Operation::List {
                root,
                path,
                cursor,
                max,
            } => self.list(root, &path, cursor, max),
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
            Operation::Close { file } => {
                let handle = self.handle(file)?;
                self.open.remove(&file);
                self.tree.close(handle.ino);
                Ok(Outcome::Done)
            }
            // These two have a block and were taken out before.
            Operation::Read { .. } | Operation::Write { .. } => Err(FileError::Io),
        }
    }

    /// Fails with `error` in `per_million` of 1,000,000 cases.
    fn fail(&mut self, per_million: u32, error: FileError) -> Result<()> {
        if self.rng.chance(per_million) {
            self.stats.injected += 1;
            return Err(error);
        }
        Ok(())
    }

    fn wall_clock(&self) -> i64 {
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
        known.ok_or_else(|| self.breach(format!("{file:?} is not open")))
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

    fn register(&mut self, file: FileId, ino: Ino, writable: bool) -> Result<Outcome> {
        let handle = Handle { ino, writable };
        if self.open.insert(file, handle).is_some() {
            return Err(self.breach(format!("{file:?} is open already")));
        }
        self.tree.open(ino);
        self.tree.meta(ino).map(Outcome::Meta)
    }

    fn open(&mut self, root: RootId, path: &FilePath, file: FileId) -> Result<Outcome> {
        self.fail(self.plan.open_errors, FileError::Exhausted)?;
        let ino = self.resolve(root, path)?;
        match self.tree.meta(ino)?.kind {
            EntryKind::File => self.register(file, ino, false),
            EntryKind::Directory => Err(FileError::IsDirectory),
            EntryKind::Symlink | EntryKind::Other => Err(FileError::NotRegular),
        }
    }

    fn create(&mut self, root: RootId, path: &FilePath, file: FileId) -> Result<Outcome> {
        self.fail(self.plan.open_errors, FileError::Exhausted)?;
        let (parent, name) = self.parent(root, path)?;
        let now = self.wall_clock();
        let ino = self.tree.create(parent, name, now)?;
        self.register(file, ino, true)
    }

    /// Checks what `Read` and `Write` promise about their span.
    fn span(&mut self, offset: u64, len: u32) -> Result<()> {
        if !offset.is_multiple_of(BLOCK_SIZE.into()) || len > BLOCK_SIZE {
            return Err(self.breach(format!("{len} bytes at {offset} are no part of one block")));
        }
        Ok(())
    }

    fn read(
        &mut self,
        file: FileId,
        offset: u64,
        len: u32,
        block: &mut Block,
        hash: HashAs,
    ) -> Result<Outcome> {
        self.span(offset, len)?;
        self.fail(self.plan.io_errors, FileError::Io)?;
        let ino = self.handle(file)?.ino;
        let content = self.tree.content(ino).ok_or(FileError::NotRegular)?;
        let bytes = &mut block.bytes_mut()[..len as usize];
        let got = content.read(offset, bytes);
        let value = block_value(&bytes[..got], offset, hash);
        self.stats.read += got as u64;
        let len = got as u32;
        Ok(Outcome::Moved { len, value })
    }

    fn write(
        &mut self,
        file: FileId,
        offset: u64,
        len: u32,
        block: &Block,
        hash: HashAs,
    ) -> Result<Outcome> {
        self.span(offset, len)?;
        self.fail(self.plan.io_errors, FileError::Io)?;
        self.fail(self.plan.space_errors, FileError::NoSpace)?;
        let ino = self.writable(file)?;
        let content = self.tree.content(ino).ok_or(FileError::NotRegular)?;
        let end = offset.checked_add(len.into()).ok_or(FileError::TooLarge)?;
        if u64::from(len) - content.allocated_in(offset, end) > self.free() {
            return Err(FileError::NoSpace);
        }
        let bytes = &block.bytes()[..len as usize];
        let now = self.wall_clock();
        self.tree.write(ino, offset, bytes, now)?;
        self.stats.written += u64::from(len);
        let value = block_value(bytes, offset, hash);
        Ok(Outcome::Moved { len, value })
    }

    fn sync_directory(&mut self, root: RootId, path: &FilePath) -> Result<Outcome> {
        let ino = self.resolve(root, path)?;
        if self.tree.meta(ino)?.kind != EntryKind::Directory {
            return Err(FileError::NotDirectory);
        }
        self.fail(self.plan.sync_errors, FileError::Io)?;
        self.tree.sync_directory(ino);
        Ok(Outcome::Done)
    }

    fn rename(
        &mut self,
        root: RootId,
        from: &FilePath,
        to: FilePath,
        replace: bool,
    ) -> Result<Outcome> {
        if from.parent() != to.parent() || from == &to {
            return Err(self.breach(format!("{from:?} cannot be renamed to {to:?}")));
        }
        self.fail(self.plan.io_errors, FileError::Io)?;
        let (parent, old) = self.parent(root, from)?;
        let (_, new) = self.parent(root, &to)?;
        if self.tree.lookup(parent, old).is_none() {
            return Err(FileError::NotFound);
        }
        if let Some(target) = self.tree.lookup(parent, new) {
            if !replace {
                return Err(FileError::Exists);
            }
            match self.tree.meta(target)?.kind {
                EntryKind::File => {}
                EntryKind::Directory => return Err(FileError::IsDirectory),
                EntryKind::Symlink | EntryKind::Other => return Err(FileError::NotRegular),
            }
        }
        self.tree.rename(parent, old, new)?;
        self.appeared.push((root, to));
        Ok(Outcome::Done)
    }

    fn remove(&mut self, root: RootId, path: &FilePath) -> Result<Outcome> {
        self.fail(self.plan.io_errors, FileError::Io)?;
        let (parent, name) = self.parent(root, path)?;
        let ino = self.tree.lookup(parent, name).ok_or(FileError::NotFound)?;
        if self.tree.meta(ino)?.kind == EntryKind::Directory {
            return Err(FileError::IsDirectory);
        }
        self.tree.remove(parent, name)?;
        Ok(Outcome::Done)
    }

    fn list(&mut self, root: RootId, path: &FilePath, cursor: u64, max: u32) -> Result<Outcome> {
        self.fail(self.plan.io_errors, FileError::Io)?;
        let directory = self.resolve(root, path)?;
        let mut entries = Vec::new();
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
                    return Ok(Outcome::Page { entries, next });
                }
                entry.encode(&mut entries);
            }
            cursor = cookie + 1;
        }
        Ok(Outcome::Page {
            entries,
            next: None,
        })
    }
}
