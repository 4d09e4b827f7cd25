//! The walk's steps, and the file operations of a directory on its way out.

use alloc::vec::Vec;

use super::out::{Body, Out, Small};
use super::walk::Found;
use super::{FILES_MAX, FOUND_MAX, ROOT, TreeSource};
use crate::file::{Block, FileError, Operation, Outcome, ReadFile, SmallFile, Use};
use crate::transfer::codes::{Fault, error_code};
use crate::transfer::delivery::Delivery;
use crate::transfer::source::Picture;
use crate::transfer::tree::{BATCH_BYTES, BATCH_FILES, BATCHES_MAX, ENTRIES_MAX, SMALL_MAX, units};
use crate::transfer::{Context, OpKind, OpTag};
use crate::wire::{EntryKind, ErrorCode, FilePath};

impl TreeSource {
    /// The path of a directory that is not forgotten.
    pub(super) fn directory_of(&self, file: u32) -> Option<&FilePath> {
        match &self.files.get(&file)?.body {
            Body::Directory { path, .. } => Some(path),
            _ => None,
        }
    }

    fn may_find_more(&self) -> bool {
        self.found < FOUND_MAX && self.files.len() < FILES_MAX && self.has_room_for_reports()
    }

    /// Finds more, up to what may wait to be announced.
    pub(in crate::transfer) fn walk_on(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        if self.meta.is_none() || !self.walk.is_begun() || self.closing {
            return Ok(());
        }
        while self.may_find_more() {
            match self.walk.step() {
                Found::Page | Found::End => return Ok(()),
                Found::Broken => return Err(Fault::Transfer(ErrorCode::Io)),
                Found::Left { file, count } => self.left(cx, file, count),
                Found::Entry {
                    parent,
                    directory,
                    name,
                    kind,
                    size,
                    mtime,
                    mode,
                    version,
                } => {
                    let body = match kind {
                        EntryKind::Directory | EntryKind::Other => Body::Nothing,
                        EntryKind::File if size > SMALL_MAX => Body::Large {
                            picture: Picture::default(),
                            wanted: false,
                            credit: 0,
                        },
                        EntryKind::File => Body::Unread {
                            wanted: !self.compare,
                        },
                        EntryKind::Symlink => Body::Unread { wanted: true },
                    };
                    let out = Out {
                        parent,
                        name,
                        kind,
                        size,
                        mtime,
                        mode,
                        version,
                        queued: false,
                        entry: Delivery::Unneeded,
                        seal: Delivery::Unneeded,
                        failed: None,
                        farewell: Delivery::Unneeded,
                        body,
                        settled: false,
                        lost: false,
                        children: 0,
                    };
                    self.found(cx, &directory, out)?;
                }
            }
        }
        Ok(())
    }

    /// Gives what was found its number.
    fn found(
        &mut self,
        cx: &mut Context<'_>,
        directory: &FilePath,
        mut out: Out,
    ) -> Result<(), Fault> {
        let file = self.next;
        if file >= ENTRIES_MAX {
            return Err(Fault::Transfer(ErrorCode::TooLarge));
        }
        self.next += 1;
        self.found += 1;
        let path = directory.join(&out.name).ok();
        let too_deep = path.is_none();
        if let (EntryKind::Directory, Some(path)) = (out.kind, path) {
            self.walk.enter(file, path.clone());
            out.body = Body::Directory { path, count: None };
        }
        if let Some(parent) = self.files.get_mut(&out.parent) {
            parent.children += 1;
        }
        if out.kind != EntryKind::Directory {
            self.files_found += 1;
        }
        if out.kind == EntryKind::File {
            self.known_bytes += out.size;
        }
        let read_first = matches!(out.body, Body::Unread { wanted: true });
        self.files.insert(file, out);
        if too_deep {
            self.fail(cx, file, ErrorCode::NameRefused);
        } else if read_first {
            self.to_read.push_back(file);
        } else {
            self.announce(file);
        }
        Ok(())
    }

    /// Puts a file into the queue of those to be announced.
    fn announce(&mut self, file: u32) {
        if let Some(out) = self.files.get_mut(&file)
            && !out.queued
        {
            out.queued = true;
            self.ready.push_back(file);
        }
    }

    fn left(&mut self, cx: &mut Context<'_>, file: u32, count: u32) {
        if let Some(out) = self.files.get_mut(&file)
            && let Body::Directory { count: known, .. } = &mut out.body
        {
            *known = Some(count);
            out.seal = Delivery::Due;
            self.touch(cx, file);
        }
    }

    /// Whether [`poll_op`](Self::poll_op) has something.
    pub(in crate::transfer) fn has_op(&self) -> bool {
        if !self.working.is_empty() {
            return true;
        }
        if self.closing {
            return false;
        }
        !self.looked || self.may_list() || self.may_read()
    }

    fn may_list(&self) -> bool {
        self.meta.is_some() && self.may_find_more() && self.walk.wants_page().is_some()
    }

    fn may_read(&self) -> bool {
        let first = self.to_read.front().and_then(|file| self.files.get(file));
        let units = first.map_or(0, read_units);
        !self.to_read.is_empty() && self.batches.len() < BATCHES_MAX && self.memory.has(units)
    }

    /// The next operation to lend.
    pub(in crate::transfer) fn poll_op(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Result<Option<(OpTag, Operation)>, Fault> {
        let op = self.next_op(cx)?;
        self.ops_out += u32::from(op.as_ref().is_some_and(|(tag, _)| !is_of_large(tag.kind)));
        Ok(op)
    }

    fn next_op(&mut self, cx: &mut Context<'_>) -> Result<Option<(OpTag, Operation)>, Fault> {
        while let Some(&file) = self.working.first() {
            let polled = self
                .large
                .get_mut(&file)
                .and_then(|source| source.poll_op(cx));
            self.touch(cx, file);
            if let Some((kind, op)) = polled {
                return Ok(Some((OpTag { file, kind }, op)));
            }
            self.working.remove(&file);
        }
        if self.closing {
            return Ok(None);
        }
        let root = self.place.root;
        if !self.looked {
            self.looked = true;
            let path = self.place.path.clone();
            return Ok(Some((
                OpTag::one(OpKind::Step),
                Operation::Stat { root, path },
            )));
        }
        if self.may_list()
            && let Some((path, cursor)) = self.walk.wants_page()
        {
            let op = Operation::List {
                root,
                path: path.clone(),
                cursor,
                max: cx.config.limits.page,
                versions: true,
                filter: self.filter.clone(),
            };
            let (file, kind) = (self.walk.lend(), OpKind::Page);
            return Ok(Some((OpTag { file, kind }, op)));
        }
        Ok(self.read_batch(cx))
    }

    /// Small files of one directory, to be read in one loan.
    fn read_batch(&mut self, cx: &mut Context<'_>) -> Option<(OpTag, Operation)> {
        let (mut batch, mut files, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut parent = None;
        while self.batches.len() < BATCHES_MAX
            && batch.len() < BATCH_FILES
            && bytes < BATCH_BYTES
            && let Some(&file) = self.to_read.front()
        {
            let Some(out) = self.files.get_mut(&file) else {
                self.to_read.pop_front();
                continue;
            };
            if out.settled || out.failed.is_some() || !matches!(out.body, Body::Unread { .. }) {
                self.to_read.pop_front();
                continue;
            }
            if parent.is_some_and(|parent| parent != out.parent) {
                break;
            }
            let units = read_units(out);
            if !self.memory.take(cx.pool, units) {
                break;
            }
            parent = Some(out.parent);
            out.body = Body::Reading;
            bytes += out.size;
            batch.push((file, units));
            files.push(ReadFile {
                name: out.name.clone(),
                link: out.kind == EntryKind::Symlink,
                max: out.size.max(FilePath::MAX_LEN as u64) as u32,
            });
            self.to_read.pop_front();
        }
        let path = self.directory_of(parent?)?.clone();
        let root = self.place.root;
        let number = self.next_batch;
        self.next_batch = self.next_batch.wrapping_add(1);
        self.batches.insert(number, batch);
        let tag = OpTag {
            file: number,
            kind: OpKind::Batch,
        };
        Some((tag, Operation::ReadFiles { root, path, files }))
    }

    /// An operation came home.
    pub(in crate::transfer) fn handle_done(
        &mut self,
        cx: &mut Context<'_>,
        tag: OpTag,
        block: Option<Block>,
        result: Result<Outcome, FileError>,
    ) -> Result<(), Fault> {
        if is_of_large(tag.kind) {
            return self.large_done(cx, tag, block, result);
        }
        if let Some(block) = block {
            cx.pool.put(Use::Source, block);
        }
        self.ops_out = self.ops_out.saturating_sub(1);
        let done = match tag.kind {
            OpKind::Batch => self.batch_done(cx, tag.file, result),
            _ if self.closing => Ok(()),
            OpKind::Page => self.page_done(cx, tag.file, result),
            _ => self.looked_at(result),
        };
        self.settle_memory(cx);
        done
    }

    fn looked_at(&mut self, result: Result<Outcome, FileError>) -> Result<(), Fault> {
        let Outcome::Meta(meta) = result? else {
            return Err(Fault::Transfer(ErrorCode::Io));
        };
        self.meta = Some(meta);
        let out = Out {
            parent: ROOT,
            name: Vec::new(),
            kind: EntryKind::Directory,
            size: 0,
            mtime: meta.mtime,
            mode: meta.mode & 0o777,
            version: meta.version,
            queued: false,
            entry: Delivery::Unneeded,
            seal: Delivery::Unneeded,
            failed: None,
            farewell: Delivery::Unneeded,
            body: Body::Directory {
                path: self.place.path.clone(),
                count: None,
            },
            settled: false,
            lost: false,
            children: 0,
        };
        self.files.insert(ROOT, out);
        self.next = 1;
        self.found = 1;
        self.announce(ROOT);
        Ok(())
    }

    fn page_done(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        result: Result<Outcome, FileError>,
    ) -> Result<(), Fault> {
        if let Err(error) = self.walk.page(file, result) {
            // Nobody knows how many entries were missed; those of the root are the whole.
            let begun = self.files.get(&file).is_none_or(|out| out.children > 0);
            if file == ROOT || begun {
                return Err(error.into());
            }
            self.fail(cx, file, error_code(error));
        }
        self.walk_on(cx)
    }

    fn batch_done(
        &mut self,
        cx: &mut Context<'_>,
        number: u32,
        result: Result<Outcome, FileError>,
    ) -> Result<(), Fault> {
        let files = self.batches.remove(&number).unwrap_or_default();
        let contents = match result {
            Ok(Outcome::Contents(contents)) => contents,
            Ok(_) => Vec::new(),
            Err(error) => files.iter().map(|_| Err(error)).collect(),
        };
        let mut contents = contents.into_iter();
        for (file, units) in files {
            let content = contents.next().unwrap_or(Err(FileError::Io));
            self.memory.free(units);
            self.read(cx, file, units, content);
        }
        self.walk_on(cx)
    }

    fn read(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        units: u64,
        content: Result<SmallFile, FileError>,
    ) {
        let Some(out) = self.files.get_mut(&file) else {
            return;
        };
        let Body::Reading = out.body else {
            return;
        };
        out.body = Body::Nothing;
        if out.settled {
            return;
        }
        let content = match content {
            Ok(content) => content,
            Err(error) => return self.fail(cx, file, error_code(error)),
        };
        let announced = out.queued;
        let changed = announced && content.meta.version != out.version;
        let len = content.bytes.len() as u64;
        if changed || units::of_body(len).max(1) > units || len > SMALL_MAX {
            return self.fail(cx, file, ErrorCode::SourceChanged);
        }
        if !announced {
            if out.kind == EntryKind::File {
                self.known_bytes = (self.known_bytes + len).saturating_sub(out.size);
            }
            out.size = len;
            (out.mtime, out.mode) = (content.meta.mtime, content.meta.mode & 0o777);
            out.version = content.meta.version;
        }
        let held = units::of_body(len);
        let taken = self.memory.take(cx.pool, held);
        debug_assert!(taken, "less than was free just now");
        out.seal = Delivery::Due;
        out.body = Body::Small(Small {
            bytes: content.bytes,
            root: content.value,
            units: held,
            len: len as u32,
            next: 0,
            acked: Default::default(),
            lost: Default::default(),
        });
        self.announce(file);
        self.touch(cx, file);
    }

    fn large_done(
        &mut self,
        cx: &mut Context<'_>,
        tag: OpTag,
        block: Option<Block>,
        result: Result<Outcome, FileError>,
    ) -> Result<(), Fault> {
        let file = tag.file;
        let Some(source) = self.large.get_mut(&file) else {
            if let Some(block) = block {
                cx.pool.put(Use::Source, block);
            }
            return Ok(());
        };
        let done = source.handle_done(cx, tag.kind, block, result);
        self.touch(cx, file);
        match done {
            Err(Fault::Transfer(code)) => self.fail(cx, file, code),
            other => other?,
        }
        self.begin_large(cx);
        self.settle_memory(cx);
        Ok(())
    }

    /// Gives the bodies that wait for credit back to the disk: they are read again when their turn comes.
    pub(super) fn drop_bodies(&mut self) {
        let waiting: Vec<u32> = self.ready.iter().copied().collect();
        for file in waiting {
            let Some(out) = self.files.get_mut(&file) else {
                continue;
            };
            if let Body::Small(small) = &mut out.body
                && small.next == 0
                && out.entry == Delivery::Unneeded
                && !self.compare
            {
                self.memory.free(core::mem::take(&mut small.units));
                out.body = Body::Unread { wanted: true };
                out.queued = false;
                out.seal = Delivery::Unneeded;
                self.to_read.push_back(file);
            }
        }
        let files = &self.files;
        self.ready
            .retain(|file| files.get(file).is_some_and(|out| out.queued));
    }
}

/// Units of memory for reading a small file or a link.
fn read_units(out: &Out) -> u64 {
    match out.kind {
        EntryKind::Symlink => units::of_body(FilePath::MAX_LEN as u64),
        _ => units::of_body(out.size).max(1),
    }
}

/// Whether the operation is that of a larger file.
fn is_of_large(kind: OpKind) -> bool {
    matches!(
        kind,
        OpKind::Open | OpKind::Check | OpKind::Read { .. } | OpKind::Close
    )
}
