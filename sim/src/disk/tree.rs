//! Inodes: files and directories, what is in memory of them and what a power loss leaves.

mod power_loss;

use std::collections::BTreeMap;

use proto_core::wire::{EntryKind, FilePath};
use proto_core::{FileError, Meta};

use super::content::{Content, Extent};
use crate::rng::mix;

/// An inode's number; never used again.
pub(super) type Ino = u64;

/// A change of a file that no sync has covered yet.
#[derive(Clone, Debug)]
enum FileChange {
    Put(u64, Extent),
    SetLen(u64),
}

/// A change of a directory: what each name stands for afterwards, all together or not at all.
type DirectoryChange = Vec<(Vec<u8>, Option<Ino>)>;

#[derive(Debug, Default)]
struct File {
    content: Content,
    synced: Content,
    pending: Vec<FileChange>,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    ino: Ino,
    /// Place in the order of listing; later names come later.
    cookie: u64,
}

#[derive(Debug, Default)]
struct Directory {
    entries: BTreeMap<Vec<u8>, Link>,
    order: BTreeMap<u64, Vec<u8>>,
    last_cookie: u64,
    synced: BTreeMap<Vec<u8>, Ino>,
    pending: Vec<DirectoryChange>,
}

#[derive(Debug)]
enum Body {
    File(File),
    Directory(Directory),
    /// A device, socket or FIFO.
    Other,
}

#[derive(Debug)]
struct Inode {
    body: Body,
    mtime: i64,
    mode: u16,
    /// Counts every change, as a ctime of endless resolution.
    changes: u64,
    linked: bool,
    handles: u32,
}

/// All inodes of a disk.
#[derive(Debug, Default)]
pub(super) struct Tree {
    inodes: BTreeMap<Ino, Inode>,
    last: Ino,
    used: u64,
}

impl Directory {
    fn apply(entries: &mut BTreeMap<Vec<u8>, Ino>, change: &DirectoryChange) {
        for (name, ino) in change {
            match ino {
                Some(ino) => entries.insert(name.clone(), *ino),
                None => entries.remove(name),
            };
        }
    }

    fn link(&mut self, name: &[u8], ino: Ino) {
        self.unlink(name);
        self.last_cookie += 1;
        let cookie = self.last_cookie;
        self.entries.insert(name.to_vec(), Link { ino, cookie });
        self.order.insert(cookie, name.to_vec());
    }

    fn unlink(&mut self, name: &[u8]) -> Option<Ino> {
        let link = self.entries.remove(name)?;
        self.order.remove(&link.cookie);
        Some(link.ino)
    }
}

impl Tree {
    fn new_inode(&mut self, body: Body, mtime: i64, mode: u16) -> Ino {
        self.last += 1;
        let inode = Inode {
            body,
            mtime,
            mode,
            changes: 0,
            linked: true,
            handles: 0,
        };
        self.inodes.insert(self.last, inode);
        self.last
    }

    /// A directory that stands in no other: the target of a root.
    pub(super) fn new_root(&mut self) -> Ino {
        self.new_inode(Body::Directory(Directory::default()), 0, 0o755)
    }

    fn inode(&mut self, ino: Ino) -> Result<&mut Inode, FileError> {
        self.inodes.get_mut(&ino).ok_or(FileError::Io)
    }

    fn directory(&mut self, ino: Ino) -> Result<&mut Directory, FileError> {
        match &mut self.inode(ino)?.body {
            Body::Directory(directory) => Ok(directory),
            _ => Err(FileError::NotDirectory),
        }
    }

    /// Bytes that all linked or open files take.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// What `name` stands for in the directory `parent`.
    pub(super) fn lookup(&self, parent: Ino, name: &[u8]) -> Option<Ino> {
        match &self.inodes.get(&parent)?.body {
            Body::Directory(directory) => Some(directory.entries.get(name)?.ino),
            _ => None,
        }
    }

    /// What `path` stands for, from `root` on.
    pub(super) fn resolve(&self, root: Ino, path: &FilePath) -> Result<Ino, FileError> {
        path.components()
            .try_fold(root, |at, name| self.lookup(at, name))
            .ok_or(FileError::NotFound)
    }

    /// The directory that holds `path`, and the name in it.
    pub(super) fn parent<'a>(
        &self,
        root: Ino,
        path: &'a FilePath,
    ) -> Result<(Ino, &'a [u8]), FileError> {
        let name = path.name().ok_or(FileError::IsDirectory)?;
        let parent = self.resolve(root, &path.parent())?;
        match self.inodes.get(&parent).map(|inode| &inode.body) {
            Some(Body::Directory(_)) => Ok((parent, name)),
            _ => Err(FileError::NotFound),
        }
    }

    fn add(&mut self, parent: Ino, name: &[u8], body: Body, now: i64, mode: u16) -> Ino {
        let ino = self.new_inode(body, now, mode);
        if let Ok(directory) = self.directory(parent) {
            directory.link(name, ino);
            directory.pending.push(vec![(name.to_vec(), Some(ino))]);
        }
        ino
    }

    /// An empty file under a name that is free.
    pub(super) fn create(&mut self, parent: Ino, name: &[u8], now: i64) -> Result<Ino, FileError> {
        if self.lookup(parent, name).is_some() {
            return Err(FileError::Exists);
        }
        Ok(self.add(parent, name, Body::File(File::default()), now, 0o600))
    }

    /// A whole file that has always been there; replaces what had the name.
    pub(super) fn plant(&mut self, parent: Ino, name: &[u8], content: Content, mtime: i64) -> Ino {
        self.used += content.allocated();
        let file = File {
            synced: content.clone(),
            content,
            pending: Vec::new(),
        };
        let ino = self.add(parent, name, Body::File(file), mtime, 0o644);
        self.sync_directory(parent);
        ino
    }

    /// A directory that has always been there.
    pub(super) fn plant_directory(&mut self, parent: Ino, name: &[u8]) -> Ino {
        let ino = self.add(
            parent,
            name,
            Body::Directory(Directory::default()),
            0,
            0o755,
        );
        self.sync_directory(parent);
        ino
    }

    /// A device that has always been there.
    pub(super) fn plant_device(&mut self, parent: Ino, name: &[u8]) -> Ino {
        let ino = self.add(parent, name, Body::Other, 0, 0o600);
        self.sync_directory(parent);
        ino
    }

    /// Metadata as an executor gives it.
    pub(super) fn meta(&self, ino: Ino) -> Result<Meta, FileError> {
        let inode = self.inodes.get(&ino).ok_or(FileError::Io)?;
        let (kind, size) = match &inode.body {
            Body::File(file) => (EntryKind::File, file.content.len()),
            Body::Directory(_) => (EntryKind::Directory, 0),
            Body::Other => (EntryKind::Other, 0),
        };
        let mut version = [0; 16];
        let first = mix(mix(ino) ^ inode.changes);
        version[..8].copy_from_slice(&first.to_le_bytes());
        version[8..].copy_from_slice(&mix(first ^ size ^ inode.mtime as u64).to_le_bytes());
        Ok(Meta {
            kind,
            size,
            mtime: inode.mtime,
            mode: inode.mode,
            version,
        })
    }

    /// A file's bytes; `None` for what is none.
    pub(super) fn content(&self, ino: Ino) -> Option<&Content> {
        match &self.inodes.get(&ino)?.body {
            Body::File(file) => Some(&file.content),
            _ => None,
        }
    }

    fn change(&mut self, ino: Ino, now: i64, change: FileChange) -> Result<(), FileError> {
        let inode = self.inode(ino)?;
        let Body::File(file) = &mut inode.body else {
            return Err(FileError::Io);
        };
        let before = file.content.allocated();
        file.content.apply(&change);
        file.pending.push(change);
        inode.changes += 1;
        inode.mtime = now;
        let after = file.content.allocated();
        self.used = self.used - before + after;
        Ok(())
    }

    /// Writes into a file.
    pub(super) fn write(
        &mut self,
        ino: Ino,
        offset: u64,
        bytes: &[u8],
        now: i64,
    ) -> Result<(), FileError> {
        self.change(
            ino,
            now,
            FileChange::Put(offset, Extent::new(offset, bytes)),
        )
    }

    /// Sets a file's length.
    pub(super) fn truncate(&mut self, ino: Ino, len: u64, now: i64) -> Result<(), FileError> {
        self.change(ino, now, FileChange::SetLen(len))
    }

    /// Sets modification time and permission bits.
    pub(super) fn set_meta(
        &mut self,
        ino: Ino,
        mtime: Option<i64>,
        mode: u16,
    ) -> Result<(), FileError> {
        let inode = self.inode(ino)?;
        inode.mtime = mtime.unwrap_or(inode.mtime);
        inode.mode = mode;
        inode.changes += 1;
        Ok(())
    }

    /// Makes a file's changes durable; with `lose`, forgets them as a failed `fsync` does: the bytes stay readable
    /// until the power goes.
    pub(super) fn sync(&mut self, ino: Ino, lose: bool) {
        if let Some(Inode {
            body: Body::File(file),
            ..
        }) = self.inodes.get_mut(&ino)
        {
            for change in file.pending.drain(..) {
                if !lose {
                    file.synced.apply(&change);
                }
            }
        }
    }

    /// Makes a directory's entries durable.
    pub(super) fn sync_directory(&mut self, ino: Ino) {
        let mut gone = Vec::new();
        if let Ok(directory) = self.directory(ino) {
            for change in directory.pending.drain(..) {
                for (name, _) in &change {
                    gone.extend(directory.synced.get(name).copied());
                }
                gone.extend(change.iter().filter_map(|(_, ino)| *ino));
                Directory::apply(&mut directory.synced, &change);
            }
        }
        for ino in gone {
            let unused = |inode: &Inode| !inode.linked && inode.handles == 0;
            if self.inodes.get(&ino).is_some_and(unused) {
                self.inodes.remove(&ino);
            }
        }
    }

    /// Renames within a directory; what had the new name is gone.
    pub(super) fn rename(&mut self, parent: Ino, from: &[u8], to: &[u8]) -> Result<(), FileError> {
        let directory = self.directory(parent)?;
        let ino = directory.unlink(from).ok_or(FileError::NotFound)?;
        let replaced = directory.unlink(to);
        directory.link(to, ino);
        let change = vec![(from.to_vec(), None), (to.to_vec(), Some(ino))];
        directory.pending.push(change);
        if let Some(replaced) = replaced {
            self.unlinked(replaced);
        }
        Ok(())
    }

    /// Takes a name away.
    pub(super) fn remove(&mut self, parent: Ino, name: &[u8]) -> Result<(), FileError> {
        let directory = self.directory(parent)?;
        let ino = directory.unlink(name).ok_or(FileError::NotFound)?;
        directory.pending.push(vec![(name.to_vec(), None)]);
        self.unlinked(ino);
        Ok(())
    }

    fn unlinked(&mut self, ino: Ino) {
        if let Ok(inode) = self.inode(ino) {
            inode.linked = false;
        }
        self.free_unused(ino);
    }

    /// Counts a handle on a file.
    pub(super) fn open(&mut self, ino: Ino) {
        if let Ok(inode) = self.inode(ino) {
            inode.handles += 1;
        }
    }

    /// Gives a handle back.
    pub(super) fn close(&mut self, ino: Ino) {
        if let Ok(inode) = self.inode(ino) {
            inode.handles = inode.handles.saturating_sub(1);
        }
        self.free_unused(ino);
    }

    fn free_unused(&mut self, ino: Ino) {
        if let Some(inode) = self.inodes.get(&ino)
            && !inode.linked
            && inode.handles == 0
            && let Body::File(file) = &inode.body
        {
            self.used -= file.content.allocated();
        }
    }

    /// The next name at or after `cursor` in the order of listing, with its place and inode.
    pub(super) fn next_entry(
        &mut self,
        directory: Ino,
        cursor: u64,
    ) -> Result<Option<(u64, Vec<u8>, Ino)>, FileError> {
        let directory = self.directory(directory)?;
        let next = directory.order.range(cursor..).next();
        Ok(next.and_then(|(&cookie, name)| {
            let ino = directory.entries.get(name)?.ino;
            Some((cookie, name.clone(), ino))
        }))
    }

    /// All names of a directory, in order.
    pub(super) fn names(&self, directory: Ino) -> Vec<(Vec<u8>, Ino)> {
        match self.inodes.get(&directory).map(|inode| &inode.body) {
            Some(Body::Directory(directory)) => {
                let entries = directory.entries.iter();
                entries
                    .map(|(name, link)| (name.clone(), link.ino))
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Content {
    fn apply(&mut self, change: &FileChange) {
        match change {
            FileChange::Put(offset, extent) => self.put(*offset, extent.clone()),
            FileChange::SetLen(len) => self.set_len(*len),
        }
    }
}
