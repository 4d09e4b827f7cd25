//! Inodes: files and directories by number, and how names lead to them.

mod directory;
mod file;
mod power_loss;

use std::collections::BTreeMap;

use proto_core::wire::{EntryKind, FilePath};
use proto_core::{FileError, Meta};

use super::content::{Content, Extent};
use crate::rng::mix;
use directory::Directory;
use file::{File, FileChange};

/// An inode's number; never used again.
pub(super) type Ino = u64;

#[derive(Clone, Debug)]
enum Body {
    File(File),
    Directory(Directory),
    /// A symbolic link and its target.
    Link(Vec<u8>),
    /// A device, socket or FIFO.
    Other,
}

/// What `SetMeta` sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Attributes {
    mtime: i64,
    mode: u16,
}

#[derive(Clone, Debug)]
struct Inode {
    body: Body,
    attributes: Attributes,
    /// Those that are on the medium for sure.
    durable: Attributes,
    /// Counts every change, as a ctime of endless resolution.
    changes: u64,
    linked: bool,
    handles: u32,
}

/// All inodes of a disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    inodes: BTreeMap<Ino, Inode>,
    last: Ino,
    used: u64,
}

impl Tree {
    fn new_inode(&mut self, body: Body, mtime: i64, mode: u16) -> Ino {
        self.last += 1;
        let attributes = Attributes { mtime, mode };
        let inode = Inode {
            body,
            attributes,
            durable: attributes,
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
            Body::Directory(directory) => directory.get(name),
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
        let directory = self.directory(parent);
        let replaced = directory
            .ok()
            .and_then(|directory| directory.add(name, ino));
        if let Some(replaced) = replaced {
            self.unlinked(replaced);
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
        let ino = self.replace(parent, name, content, mtime);
        self.sync_directory(parent);
        ino
    }

    /// A whole file, its bytes on the medium; its name, that of another file or a new one, is not durable yet.
    pub(super) fn replace(&mut self, parent: Ino, name: &[u8], content: Content, now: i64) -> Ino {
        self.used += content.allocated();
        let file = Body::File(File::durable(content));
        self.add(parent, name, file, now, 0o644)
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

    /// A link that has always been there.
    pub(super) fn plant_link(&mut self, parent: Ino, name: &[u8], target: &[u8], mtime: i64) {
        self.add(parent, name, Body::Link(target.to_vec()), mtime, 0o777);
        self.sync_directory(parent);
    }

    /// A link under a name that is free.
    pub(super) fn create_link(
        &mut self,
        parent: Ino,
        name: &[u8],
        target: &[u8],
        mtime: i64,
    ) -> Result<Ino, FileError> {
        if self.lookup(parent, name).is_some() {
            return Err(FileError::Exists);
        }
        Ok(self.add(parent, name, Body::Link(target.to_vec()), mtime, 0o777))
    }

    /// An empty directory under a name that is free.
    pub(super) fn create_directory(&mut self, parent: Ino, name: &[u8], now: i64, mode: u16) {
        self.add(
            parent,
            name,
            Body::Directory(Directory::default()),
            now,
            mode,
        );
    }

    /// A link's target; `None` for what is none.
    pub(super) fn link(&self, ino: Ino) -> Option<&[u8]> {
        match &self.inodes.get(&ino)?.body {
            Body::Link(target) => Some(target),
            _ => None,
        }
    }

    /// Metadata as an executor gives it.
    pub(super) fn meta(&self, ino: Ino) -> Result<Meta, FileError> {
        let inode = self.inodes.get(&ino).ok_or(FileError::Io)?;
        let (kind, size) = match &inode.body {
            Body::File(file) => (EntryKind::File, file.content().len()),
            Body::Directory(_) => (EntryKind::Directory, 0),
            Body::Link(_) => (EntryKind::Symlink, 0),
            Body::Other => (EntryKind::Other, 0),
        };
        let mut version = [0; 16];
        let first = mix(mix(ino) ^ inode.changes);
        version[..8].copy_from_slice(&first.to_le_bytes());
        let Attributes { mtime, mode } = inode.attributes;
        version[8..].copy_from_slice(&mix(first ^ size ^ mtime as u64).to_le_bytes());
        Ok(Meta {
            kind,
            size,
            mtime,
            mode,
            version,
        })
    }

    /// A file's bytes; `None` for what is none.
    pub(super) fn content(&self, ino: Ino) -> Option<&Content> {
        match &self.inodes.get(&ino)?.body {
            Body::File(file) => Some(file.content()),
            _ => None,
        }
    }

    fn change(&mut self, ino: Ino, now: i64, change: FileChange) -> Result<(), FileError> {
        let inode = self.inode(ino)?;
        let Body::File(file) = &mut inode.body else {
            return Err(FileError::Io);
        };
        let before = file.content().allocated();
        file.change(change);
        let after = file.content().allocated();
        inode.changes += 1;
        inode.attributes.mtime = now;
        self.used = self.used - before + after;
        Ok(())
    }

    /// Writes into a file.
    pub(super) fn write(
        &mut self,
        ino: Ino,
        offset: u64,
        extent: Extent,
        now: i64,
    ) -> Result<(), FileError> {
        self.change(ino, now, FileChange::Put(offset, extent))
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
        let mtime = mtime.unwrap_or(inode.attributes.mtime);
        inode.attributes = Attributes { mtime, mode };
        inode.changes += 1;
        Ok(())
    }

    /// Makes a file's changes durable; with `lose`, forgets them as a failed `fsync` does: the bytes stay readable
    /// until the power goes.
    pub(super) fn sync(&mut self, ino: Ino, lose: bool) {
        if let Ok(inode) = self.inode(ino)
            && let Body::File(file) = &mut inode.body
        {
            file.sync(lose);
            if !lose {
                inode.durable = inode.attributes;
            }
        }
    }

    /// Makes a directory's entries durable.
    pub(super) fn sync_directory(&mut self, ino: Ino) {
        let touched = self.directory(ino).map(Directory::sync);
        for ino in touched.unwrap_or_default() {
            let unused = |inode: &Inode| !inode.linked && inode.handles == 0;
            if self.inodes.get(&ino).is_some_and(unused) {
                self.inodes.remove(&ino);
            }
        }
    }

    /// Renames within a directory; what had the new name is gone.
    pub(super) fn rename(&mut self, parent: Ino, from: &[u8], to: &[u8]) -> Result<(), FileError> {
        let renamed = self.directory(parent)?.rename(from, to);
        if let Some(replaced) = renamed.ok_or(FileError::NotFound)? {
            self.unlinked(replaced);
        }
        Ok(())
    }

    /// Renames from one directory into another; what had the new name is gone. Journals make this one change, which either
    /// survives or not; here it always does, with all that was done to the two directories before.
    pub(super) fn move_to(
        &mut self,
        parent: Ino,
        from: &[u8],
        new_parent: Ino,
        to: &[u8],
    ) -> Result<(), FileError> {
        let ino = self.directory(parent)?.remove(from);
        let ino = ino.ok_or(FileError::NotFound)?;
        if let Some(replaced) = self.directory(new_parent)?.add(to, ino) {
            self.unlinked(replaced);
        }
        self.sync_directory(new_parent);
        self.sync_directory(parent);
        Ok(())
    }

    /// Takes a name away.
    pub(super) fn remove(&mut self, parent: Ino, name: &[u8]) -> Result<(), FileError> {
        let ino = self.directory(parent)?.remove(name);
        self.unlinked(ino.ok_or(FileError::NotFound)?);
        Ok(())
    }

    /// Takes the name of a file away, wherever it is.
    pub(super) fn remove_inode(&mut self, ino: Ino) {
        let directories = self
            .inodes
            .iter()
            .filter_map(|(at, inode)| match &inode.body {
                Body::Directory(directory) => {
                    let mut names = directory.names();
                    let found = names.find(|(_, named)| *named == ino);
                    found.map(|(name, _)| (*at, name.to_vec()))
                }
                _ => None,
            });
        if let Some((parent, name)) = directories.into_iter().next() {
            // It was found a moment ago.
            let _ = self.remove(parent, &name);
        }
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
            self.used -= file.content().allocated();
        }
    }

    /// The next name at or after `cursor` in the order of listing, with its place and inode.
    pub(super) fn next_entry(
        &mut self,
        directory: Ino,
        cursor: u64,
    ) -> Result<Option<(u64, Vec<u8>, Ino)>, FileError> {
        let next = self.directory(directory)?.next_entry(cursor);
        Ok(next.map(|(cookie, name, ino)| (cookie, name.to_vec(), ino)))
    }

    /// All names of a directory, in order.
    pub(super) fn names(&self, directory: Ino) -> Vec<(Vec<u8>, Ino)> {
        match self.inodes.get(&directory).map(|inode| &inode.body) {
            Some(Body::Directory(directory)) => {
                let names = directory.names();
                names.map(|(name, ino)| (name.to_vec(), ino)).collect()
            }
            _ => Vec::new(),
        }
    }
}
