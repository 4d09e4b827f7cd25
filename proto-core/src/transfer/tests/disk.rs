//! A disk in memory that may fail at any operation.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::file::{Block, FileError, Meta, Operation, Outcome, block_value};
use crate::id::FileId;
use crate::wire::{Entry, EntryKind, FilePath};

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct File {
    pub(super) content: Vec<u8>,
    pub(super) mtime: i64,
    pub(super) mode: u16,
    /// Grows with every change.
    pub(super) changes: u64,
}

#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) files: BTreeMap<Vec<u8>, File>,
    /// Where each open file is; removed or renamed ones are no longer looked up by name.
    pub(super) open: BTreeMap<FileId, Vec<u8>>,
    pub(super) free: u64,
    /// Names in the order of their completion.
    pub(super) log: Vec<&'static str>,
    /// The operation that fails, counted from 0, and how.
    pub(super) fail: Option<(usize, FileError)>,
    /// Bytes of every write of this block index are spoiled, this many times; those of a read after they were hashed.
    pub(super) spoil: Option<(u64, u32)>,
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
            Operation::Open { path, file, .. } => {
                let meta = self.meta(&path)?;
                self.open.insert(file, path.as_bytes().to_vec());
                Ok(Outcome::Meta(meta))
            }
            Operation::Create { path, file, .. } => {
                if self.files.contains_key(path.as_bytes()) {
                    return Err(FileError::Exists);
                }
                self.files.insert(path.as_bytes().to_vec(), File::default());
                self.open.insert(file, path.as_bytes().to_vec());
                self.meta(&path).map(Outcome::Meta)
            }
            Operation::Stat { path, .. } => self.meta(&path).map(Outcome::Meta),
            Operation::StatOpen { file } => {
                let path = self.open.get(&file).cloned().ok_or(FileError::Io)?;
                let path = FilePath::parse(&path).map_err(|_| FileError::Io)?;
                self.meta(&path).map(Outcome::Meta)
            }
            Operation::SetMeta { file, mtime, mode } => {
                let to = self.content(file);
                to.mtime = mtime.unwrap_or(to.mtime);
                to.mode = mode.unwrap_or(0o644);
                Ok(Outcome::Done)
            }
            Operation::FreeSpace { .. } => Ok(Outcome::Free(self.free)),
            Operation::Rename {
                from, to, replace, ..
            } => {
                if !replace && self.files.contains_key(to.as_bytes()) {
                    return Err(FileError::Exists);
                }
                let file = self
                    .files
                    .remove(from.as_bytes())
                    .ok_or(FileError::NotFound)?;
                self.files.insert(to.as_bytes().to_vec(), file);
                Ok(Outcome::Done)
            }
            Operation::Remove { path, .. } => self
                .files
                .remove(path.as_bytes())
                .map(|_| Outcome::Done)
                .ok_or(FileError::NotFound),
            Operation::List { cursor, max, .. } => Ok(self.list(cursor, max)),
            Operation::Sync { .. } | Operation::SyncDir { .. } => Ok(Outcome::Done),
            _ => Err(FileError::Io),
        }
    }

    fn meta(&self, path: &FilePath) -> Result<Meta, FileError> {
        let file = self.files.get(path.as_bytes()).ok_or(FileError::NotFound)?;
        let mut version = [0; 16];
        version[..8].copy_from_slice(&file.changes.to_be_bytes());
        Ok(Meta {
            kind: EntryKind::File,
            size: file.content.len() as u64,
            mtime: file.mtime,
            mode: file.mode,
            version,
        })
    }

    fn list(&self, cursor: u64, max: u32) -> Outcome {
        let mut entries = Vec::new();
        for (next, (name, file)) in (cursor..).zip(self.files.iter().skip(cursor as usize)) {
            let size = file.content.len() as u64;
            let entry = Entry {
                kind: EntryKind::File,
                size,
                mtime: file.mtime,
                mode: file.mode,
                name,
            };
            if entries.len() + entry.encoded_len() > max as usize {
                return Outcome::Page {
                    entries,
                    next: Some(next),
                };
            }
            entry.encode(&mut entries);
        }
        Outcome::Page {
            entries,
            next: None,
        }
    }
}

fn name(op: &Operation) -> &'static str {
    match op {
        Operation::Open { .. } => "Open",
        Operation::Create { .. } => "Create",
        Operation::Read { .. } => "Read",
        Operation::Write { .. } => "Write",
        Operation::Sync { .. } => "Sync",
        Operation::SyncDir { .. } => "SyncDir",
        Operation::Rename { .. } => "Rename",
        Operation::Remove { .. } => "Remove",
        Operation::List { .. } => "List",
        Operation::Stat { .. } => "Stat",
        Operation::StatOpen { .. } => "StatOpen",
        Operation::SetMeta { .. } => "SetMeta",
        Operation::FreeSpace { .. } => "FreeSpace",
        Operation::Close { .. } => "Close",
        _ => "other",
    }
}
