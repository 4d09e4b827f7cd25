//! A disk in memory that may fail at any operation.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::file::{
    Block, FileError, FilterBelow, HashAs, Meta, Operation, Outcome, ReadFile, SmallFile, StatFile,
    StoreFile, block_value,
};
use crate::id::FileId;
use crate::wire::{Entry, EntryKind, FilePath, StoredAs};

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct File {
    pub(super) content: Vec<u8>,
    pub(super) mtime: i64,
    pub(super) mode: u16,
    /// A symbolic link to the content.
    pub(super) link: bool,
    /// Grows with every change.
    pub(super) changes: u64,
}

#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) files: BTreeMap<Vec<u8>, File>,
    /// Directories, with time and permission bits; without any, there are no directories, and every path stands for itself.
    pub(super) dirs: BTreeMap<Vec<u8>, (i64, u16)>,
    /// Where each open file is; removed or renamed ones are no longer looked up by name.
    pub(super) open: BTreeMap<FileId, Vec<u8>>,
    /// Names that differ in ASCII case are one.
    pub(super) folds: bool,
    pub(super) free: u64,
    /// Names in the order of their completion.
    pub(super) log: Vec<&'static str>,
    /// The operation that fails, counted from 0, and how.
    pub(super) fail: Option<(usize, FileError)>,
    /// Bytes of every write of this block index are spoiled, this many times; those of a read after they were hashed.
    pub(super) spoil: Option<(u64, u32)>,
    /// Counts the starts of the machine.
    pub(super) boot: u8,
    /// Who has which journal, and which temporary files belong to whom.
    pub(super) locks: BTreeMap<Vec<u8>, FileId>,
    pub(super) parts: BTreeMap<FileId, FileId>,
    /// Journals that were taken over.
    pub(super) over: BTreeSet<FileId>,
    /// Bytes that were read of open files, journals not counted.
    pub(super) read: u64,
}

impl Disk {
    pub(super) fn open_files(&self) -> usize {
        self.open.len()
    }

    pub(super) fn temp_files(&self) -> usize {
        self.files
            .keys()
            .filter(|path| path.windows(6).any(|part| part == b".dhow-"))
            .count()
    }

    /// The process ends: nothing is open or locked any more.
    pub(super) fn process_ends(&mut self) {
        self.open.clear();
        self.locks.clear();
        self.parts.clear();
        self.over.clear();
    }

    /// Fails when the journal of the file, or the journal itself, was taken over.
    fn check(&self, file: FileId) -> Result<(), FileError> {
        let log = self.parts.get(&file).copied().unwrap_or(file);
        if self.over.contains(&log) {
            return Err(FileError::TakenOver);
        }
        Ok(())
    }

    fn log(&mut self, op: Operation) -> Result<Outcome, FileError> {
        match op {
            Operation::OpenLog {
                path, file, take, ..
            } => {
                let name = path.as_bytes().to_vec();
                if let Some(owner) = self.locks.get(&name) {
                    let content = &self.files[&name].content;
                    if take.is_none_or(|take| !content.starts_with(&take)) {
                        return Err(FileError::InUse);
                    }
                    self.over.insert(*owner);
                }
                self.files.entry(name.clone()).or_default();
                self.locks.insert(name.clone(), file);
                self.open.insert(file, name);
                Ok(Outcome::Log {
                    boot: [self.boot + 1; 16],
                })
            }
            Operation::OpenPart {
                path, file, log, ..
            } => {
                self.check(log)?;
                let meta = self.meta(&path)?;
                self.open.insert(file, path.as_bytes().to_vec());
                self.parts.insert(file, log);
                Ok(Outcome::Meta(meta))
            }
            Operation::ReadLog { file, offset, max } => {
                self.check(file)?;
                let content = &self.content(file).content;
                let start = (offset as usize).min(content.len());
                let end = (start + max as usize).min(content.len());
                Ok(Outcome::Bytes(content[start..end].to_vec()))
            }
            Operation::WriteLog {
                file,
                offset,
                bytes,
            } => {
                self.check(file)?;
                let content = &mut self.content(file).content;
                let end = offset as usize + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[offset as usize..end].copy_from_slice(&bytes);
                Ok(Outcome::Done)
            }
            Operation::CloseLog { file, remove } => {
                let path = self.open.remove(&file).expect("the journal is open");
                if self.check(file).is_ok() {
                    self.locks.remove(&path);
                    if remove {
                        self.files.remove(&path);
                    }
                }
                Ok(Outcome::Done)
            }
            Operation::SyncSoFar { file } => {
                assert!(self.open.contains_key(&file), "the file is open");
                self.check(file).map(|()| Outcome::Done)
            }
            _ => Err(FileError::Io),
        }
    }

    fn spoils(&mut self, offset: u64) -> bool {
        match &mut self.spoil {
            Some((index, times)) if *index * 65_536 == offset && *times > 0 => {
                *times -= 1;
                true
            }
            _ => false,
        }
    }

    /// Does the operation; the second is the block to send home.
    pub(super) fn run(&mut self, op: Operation) -> (Result<Outcome, FileError>, Option<Block>) {
        let number = self.log.len();
        self.log.push(name(&op));
        let failure = self.fail.filter(|fail| fail.0 == number).map(|fail| fail.1);
        match op {
            Operation::Read {
                file,
                offset,
                len,
                mut block,
                hash,
            } if failure.is_none() => {
                let content = &self.content(file).content;
                let start = (offset as usize).min(content.len());
                let end = (start + len as usize).min(content.len());
                self.read += (end - start) as u64;
                let content = &self.content(file).content;
                block.bytes_mut()[..end - start].copy_from_slice(&content[start..end]);
                let value = block_value(&content[start..end], offset, hash);
                if self.spoils(offset) {
                    block.bytes_mut()[0] ^= 1;
                }
                (
                    Ok(Outcome::Moved {
                        len: (end - start) as u32,
                        value,
                    }),
                    Some(block),
                )
            }
            Operation::Write { file, block, .. } if self.check(file).is_err() => {
                (Err(FileError::TakenOver), Some(block))
            }
            Operation::Write {
                file,
                offset,
                len,
                mut block,
                hash,
            } if failure.is_none() => {
                if self.spoils(offset) {
                    block.bytes_mut()[0] ^= 1;
                }
                let value = block_value(&block.bytes()[..len as usize], offset, hash);
                let content = &mut self.content(file).content;
                let end = offset as usize + len as usize;
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[offset as usize..end].copy_from_slice(&block.bytes()[..len as usize]);
                (Ok(Outcome::Moved { len, value }), Some(block))
            }
            Operation::Read { block, .. } | Operation::Write { block, .. } => {
                (Err(failure.unwrap_or(FileError::Io)), Some(block))
            }
            Operation::Close { file } => {
                let known = self.open.remove(&file);
                assert!(known.is_some(), "closed twice");
                (failure.map_or(Ok(Outcome::Done), Err), None)
            }
            op => (failure.map_or_else(|| self.simple(op), Err), None),
        }
    }

    fn content(&mut self, file: FileId) -> &mut File {
        let path = self.open.get(&file).cloned().expect("the file is open");
        self.files.entry(path).or_default()
    }

    fn simple(&mut self, op: Operation) -> Result<Outcome, FileError> {
        match op {
            Operation::Open { path, .. } if self.dirs.contains_key(path.as_bytes()) => {
                Err(FileError::IsDirectory)
            }
            Operation::Open { path, file, .. } => {
                let meta = self.meta(&path)?;
                self.open.insert(file, path.as_bytes().to_vec());
                Ok(Outcome::Meta(meta))
            }
            Operation::Create {
                path, file, log, ..
            } => {
                if let Some(log) = log {
                    self.check(log)?;
                    self.parts.insert(file, log);
                }
                if self.files.contains_key(path.as_bytes()) {
                    return Err(FileError::Exists);
                }
                self.files.insert(path.as_bytes().to_vec(), File::default());
                self.open.insert(file, path.as_bytes().to_vec());
                self.meta(&path).map(Outcome::Meta)
            }
            Operation::Stat { path, .. } => self.meta(&path).map(Outcome::Meta),
            Operation::Hash {
                file,
                offset,
                len,
                hash,
            } => {
                let content = &self.content(file).content;
                let start = (offset as usize).min(content.len());
                let end = (start + len as usize).min(content.len());
                let blocks = content[start..end].chunks(65_536);
                let at = (offset..).step_by(65_536);
                let values = at
                    .zip(blocks)
                    .map(|(at, block)| block_value(block, at, hash));
                Ok(Outcome::Values(values.collect()))
            }
            Operation::StatOpen { file } => {
                let path = self.open.get(&file).cloned().ok_or(FileError::Io)?;
                let path = FilePath::parse(&path).map_err(|_| FileError::Io)?;
                self.meta(&path).map(Outcome::Meta)
            }
            Operation::SetMeta { file, mtime, mode } => {
                self.check(file)?;
                let to = self.content(file);
                to.mtime = mtime.unwrap_or(to.mtime);
                to.mode = mode.unwrap_or(0o644);
                Ok(Outcome::Done)
            }
            Operation::FreeSpace { .. } => Ok(Outcome::Free(self.free)),
            Operation::Rename {
                from,
                to,
                replace,
                log,
                ..
            } => {
                self.check_own_name(to.as_bytes());
                log.map_or(Ok(()), |log| self.check(log))?;
                if !replace && self.files.contains_key(to.as_bytes()) {
                    return Err(FileError::Exists);
                }
                if self.dirs.contains_key(to.as_bytes()) {
                    return Err(FileError::IsDirectory);
                }
                if self.dirs.contains_key(from.as_bytes()) {
                    return self.rename_directory(from.as_bytes(), to.as_bytes());
                }
                let file = self
                    .files
                    .remove(from.as_bytes())
                    .ok_or(FileError::NotFound)?;
                self.files.insert(to.as_bytes().to_vec(), file);
                Ok(Outcome::Done)
            }
            Operation::Remove { path, log, .. } => {
                log.map_or(Ok(()), |log| self.check(log))?;
                let removed = self.files.remove(path.as_bytes());
                removed.map(|_| Outcome::Done).ok_or(FileError::NotFound)
            }
            Operation::RemoveTree {
                path,
                recursive,
                max,
                ..
            } => self.remove_tree(path.as_bytes(), recursive, max as usize),
            Operation::List {
                path,
                cursor,
                max,
                versions,
                filter,
                ..
            } => self.list(&path, cursor, max, (versions, filter)),
            Operation::MakeDir {
                path, mode, open, ..
            } => {
                self.check_own_name(path.as_bytes());
                if self.files.contains_key(path.as_bytes()) {
                    return Err(FileError::NotDirectory);
                }
                self.has_parent(path.as_bytes())?;
                let new = !self.dirs.contains_key(path.as_bytes());
                self.dirs
                    .entry(path.as_bytes().to_vec())
                    .and_modify(|dir| dir.1 |= if open { 0o700 } else { 0 })
                    .or_insert((0, mode | 0o700));
                let folds = self.folds;
                Ok(Outcome::Made { new, folds })
            }
            Operation::SetDirMeta {
                path, mtime, mode, ..
            } => {
                let dir = self
                    .dirs
                    .get_mut(path.as_bytes())
                    .ok_or(FileError::NotFound)?;
                *dir = (mtime.unwrap_or(dir.0), mode.unwrap_or(dir.1));
                Ok(Outcome::Done)
            }
            Operation::StatFiles { path, files, .. } => {
                let meta = |file: StatFile| {
                    let path = path.join(&file.name).map_err(|_| FileError::BadName)?;
                    let meta = self.meta(&path)?;
                    if let Some(same) = file.same.filter(|same| same.is(&meta))
                        && let Some(file) = self.files.get_mut(path.as_bytes())
                    {
                        file.mode = same.mode;
                    }
                    Ok(meta)
                };
                Ok(Outcome::Metas(files.into_iter().map(meta).collect()))
            }
            Operation::ReadFiles { path, files, .. } => {
                let read = |file| self.read_small(&path, file);
                Ok(Outcome::Contents(files.into_iter().map(read).collect()))
            }
            Operation::StoreFiles {
                path,
                files,
                durability,
                ..
            } => {
                let closed = |dir: &(i64, u16)| dir.1 & 0o200 == 0;
                if self.dirs.get(path.as_bytes()).is_some_and(closed) {
                    return Err(FileError::Denied);
                }
                let mut names = BTreeSet::new();
                for file in &files {
                    assert!(names.insert(file.name.clone()), "one name twice in a batch");
                }
                let mut results = Vec::new();
                for file in files {
                    results.push(self.store_small(&path, file).map(|()| StoredAs::Written));
                }
                Ok(Outcome::Stored {
                    files: results,
                    durability,
                })
            }
            Operation::Sync { .. } | Operation::SyncDir { .. } => Ok(Outcome::Done),
            op => self.log(op),
        }
    }

    fn meta(&self, path: &FilePath) -> Result<Meta, FileError> {
        if let Some(&(mtime, mode)) = self.dirs.get(path.as_bytes()) {
            return Ok(Meta {
                kind: EntryKind::Directory,
                size: 0,
                mtime,
                mode,
                version: [0; 16],
            });
        }
        let file = self.files.get(path.as_bytes()).ok_or(FileError::NotFound)?;
        let mut version = [0; 16];
        version[..8].copy_from_slice(&file.changes.to_be_bytes());
        Ok(Meta {
            kind: if file.link {
                EntryKind::Symlink
            } else {
                EntryKind::File
            },
            size: if file.link {
                0
            } else {
                file.content.len() as u64
            },
            mtime: file.mtime,
            mode: file.mode,
            version,
        })
    }

    /// A core that asks for such a name would overwrite another file.
    fn check_own_name(&self, path: &[u8]) {
        let mut names = self.files.keys().chain(self.dirs.keys());
        let other = names.find(|name| name.eq_ignore_ascii_case(path) && *name != path);
        assert!(
            !self.folds || other.is_none(),
            "{:?} collides",
            path.escape_ascii()
        );
    }

    fn has_parent(&self, path: &[u8]) -> Result<(), FileError> {
        let parent = FilePath::parse(path)
            .map_err(|_| FileError::BadName)?
            .parent();
        let there = parent.is_root() || self.dirs.contains_key(parent.as_bytes());
        if there {
            Ok(())
        } else {
            Err(FileError::NotFound)
        }
    }

    fn read_small(&self, path: &FilePath, file: ReadFile) -> Result<SmallFile, FileError> {
        let path = path.join(&file.name).map_err(|_| FileError::BadName)?;
        let meta = self.meta(&path)?;
        let known = &self.files[path.as_bytes()];
        if known.link != file.link || known.content.len() > file.max as usize {
            return Err(FileError::Changed);
        }
        Ok(SmallFile {
            meta,
            bytes: known.content.clone(),
            value: block_value(&known.content, 0, HashAs::Root),
        })
    }

    fn store_small(&mut self, path: &FilePath, file: StoreFile) -> Result<(), FileError> {
        if block_value(&file.bytes, 0, HashAs::Root) != file.value {
            return Err(FileError::Mismatch);
        }
        let path = path.join(&file.name).map_err(|_| FileError::BadName)?;
        self.check_own_name(path.as_bytes());
        self.has_parent(path.as_bytes())?;
        if self.dirs.contains_key(path.as_bytes()) {
            return Err(FileError::IsDirectory);
        }
        if !file.replace && self.files.contains_key(path.as_bytes()) {
            return Err(FileError::Exists);
        }
        let stored = File {
            content: file.bytes,
            mtime: file.mtime.unwrap_or(0),
            mode: file.mode.unwrap_or(0o644),
            link: file.link,
            changes: 0,
        };
        self.files.insert(path.as_bytes().to_vec(), stored);
        Ok(())
    }

    /// All that stands below a directory, the deepest first.
    fn below(&self, path: &[u8]) -> Vec<Vec<u8>> {
        let prefix = [path, b"/"].concat();
        let names = self.files.keys().chain(self.dirs.keys());
        let mut all: Vec<_> = names
            .filter(|name| name.starts_with(&prefix))
            .cloned()
            .collect();
        all.sort_by_key(|name| core::cmp::Reverse(name.split(|&b| b == b'/').count()));
        all
    }

    fn remove_tree(
        &mut self,
        path: &[u8],
        recursive: bool,
        max: usize,
    ) -> Result<Outcome, FileError> {
        let is_dir = self.dirs.contains_key(path);
        if !is_dir && !self.files.contains_key(path) {
            return Err(FileError::NotFound);
        }
        let mut all = if is_dir { self.below(path) } else { Vec::new() };
        if !recursive && !all.is_empty() {
            return Err(FileError::NotEmpty);
        }
        all.push(path.to_vec());
        let more = all.len() > max;
        all.truncate(max);
        for name in &all {
            self.files.remove(name);
            self.dirs.remove(name);
        }
        let count = all.len() as u64;
        Ok(Outcome::Removed { count, more })
    }

    fn rename_directory(&mut self, from: &[u8], to: &[u8]) -> Result<Outcome, FileError> {
        if self.files.contains_key(to) {
            return Err(FileError::NotDirectory);
        }
        let moved = |name: &[u8]| [to, &name[from.len()..]].concat();
        for name in self.below(from).into_iter().chain([from.to_vec()]) {
            if let Some(file) = self.files.remove(&name) {
                self.files.insert(moved(&name), file);
            }
            if let Some(dir) = self.dirs.remove(&name) {
                self.dirs.insert(moved(&name), dir);
            }
        }
        Ok(Outcome::Done)
    }

    fn list(
        &self,
        directory: &FilePath,
        cursor: u64,
        max: u32,
        (with_versions, filter): (bool, Option<Arc<FilterBelow>>),
    ) -> Result<Outcome, FileError> {
        let path = directory.as_bytes();
        // Here a rule is a path below the base.
        let is_left_out = |name: &[u8]| {
            filter.as_ref().is_some_and(|filter| {
                let full = directory.join(name).unwrap_or_default();
                let rules = filter.filter.rules.split(|&byte| byte == b'\n');
                let mut rules = rules.filter_map(|rule| filter.base.join(rule).ok());
                rules.any(|rule| rule == full)
            })
        };
        let below = |name: &'_ [u8]| -> Option<Vec<u8>> {
            if self.dirs.is_empty() {
                return Some(name.to_vec());
            }
            let rest = match path {
                b"" => name,
                path => name.strip_prefix(path)?.strip_prefix(b"/")?,
            };
            (!rest.is_empty() && !rest.contains(&b'/')).then(|| rest.to_vec())
        };
        if !self.dirs.is_empty() && !self.dirs.contains_key(path) {
            return Err(FileError::NotFound);
        }
        let names = self.files.keys().chain(self.dirs.keys());
        let mut names: Vec<_> = names
            .filter_map(|name| Some((below(name)?, name.clone())))
            .filter(|(name, _)| !is_left_out(name))
            .collect();
        names.sort();
        let (mut entries, mut versions) = (Vec::new(), Vec::new());
        for (next, (name, full)) in (cursor..).zip(names.iter().skip(cursor as usize)) {
            let full = FilePath::parse(full).map_err(|_| FileError::Io)?;
            let meta = self.meta(&full)?;
            let entry = Entry {
                kind: meta.kind,
                size: meta.size,
                mtime: meta.mtime,
                mode: meta.mode,
                name,
            };
            if entries.len() + entry.encoded_len() > max as usize {
                return Ok(Outcome::Page {
                    entries,
                    versions,
                    next: Some(next),
                });
            }
            entry.encode(&mut entries);
            versions.extend(with_versions.then_some(meta.version));
        }
        Ok(Outcome::Page {
            entries,
            versions,
            next: None,
        })
    }
}

fn name(op: &Operation) -> &'static str {
    match op {
        Operation::Open { .. } => "Open",
        Operation::Create { .. } => "Create",
        Operation::Read { .. } => "Read",
        Operation::Hash { .. } => "Hash",
        Operation::Write { .. } => "Write",
        Operation::Sync { .. } => "Sync",
        Operation::SyncDir { .. } => "SyncDir",
        Operation::Rename { .. } => "Rename",
        Operation::Remove { .. } => "Remove",
        Operation::RemoveTree { .. } => "RemoveTree",
        Operation::List { .. } => "List",
        Operation::Stat { .. } => "Stat",
        Operation::StatOpen { .. } => "StatOpen",
        Operation::SetMeta { .. } => "SetMeta",
        Operation::FreeSpace { .. } => "FreeSpace",
        Operation::Close { .. } => "Close",
        Operation::MakeDir { .. } => "MakeDir",
        Operation::SetDirMeta { .. } => "SetDirMeta",
        Operation::StatFiles { .. } => "StatFiles",
        Operation::ReadFiles { .. } => "ReadFiles",
        Operation::StoreFiles { .. } => "StoreFiles",
        Operation::OpenPart { .. } => "OpenPart",
        Operation::OpenLog { .. } => "OpenLog",
        Operation::ReadLog { .. } => "ReadLog",
        Operation::WriteLog { .. } => "WriteLog",
        Operation::CloseLog { .. } => "CloseLog",
        Operation::SyncSoFar { .. } => "SyncSoFar",
        Operation::Truncate { .. } => "Truncate",
    }
}
