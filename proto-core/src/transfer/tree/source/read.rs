//! Small files and links: read in batches, kept until the sink has them.

use alloc::vec::Vec;

use super::TreeSource;
use super::out::{Body, Out, Small};
use crate::file::{FileError, Operation, Outcome, ReadFile, SmallFile};
use crate::transfer::codes::{Fault, error_code};
use crate::transfer::delivery::Delivery;
use crate::transfer::tree::{BATCH_BYTES, BATCH_FILES, SMALL_MAX, units};
use crate::transfer::{Context, OpTag};
use crate::wire::{EntryKind, ErrorCode, FilePath};

impl TreeSource {
    /// Whether a batch may be lent.
    pub(super) fn may_read(&self) -> bool {
        let first = self.to_read.front().and_then(|file| self.files.get(file));
        let units = first.map_or(0, read_units);
        !self.to_read.is_empty() && self.batches.has_room() && self.memory.has(units)
    }

    /// Small files of one directory, to be read in one loan.
    pub(super) fn read_batch(&mut self, cx: &mut Context<'_>) -> Option<(OpTag, Operation)> {
        let (mut batch, mut files, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut parent = None;
        while self.batches.has_room()
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
        let tag = self.batches.lend(batch);
        Some((tag, Operation::ReadFiles { root, path, files }))
    }

    pub(super) fn batch_done(
        &mut self,
        cx: &mut Context<'_>,
        number: u32,
        result: Result<Outcome, FileError>,
    ) -> Result<(), Fault> {
        let files = self.batches.take_home(number);
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
