//! What the walk finds: it is numbered, and announced in turn.

use alloc::vec::Vec;

use super::out::{Body, Out};
use super::walk::Found;
use super::{FILES_MAX, FOUND_MAX, ROOT, TreeSource};
use crate::file::{FileError, Meta, Outcome};
use crate::transfer::Context;
use crate::transfer::codes::{Fault, error_code};
use crate::transfer::delivery::Delivery;
use crate::transfer::source::Picture;
use crate::transfer::tree::{ENTRIES_MAX, SMALL_MAX};
use crate::wire::{EntryKind, ErrorCode, FilePath};

impl TreeSource {
    /// Whether the walk may go on.
    pub(super) fn may_find_more(&self) -> bool {
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
                    let meta = Meta {
                        kind,
                        size,
                        mtime,
                        mode,
                        version,
                    };
                    let out = Out::found(parent, name, &meta, body);
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
    pub(super) fn announce(&mut self, file: u32) {
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

    /// What the directory itself is.
    pub(super) fn looked_at(&mut self, result: Result<Outcome, FileError>) -> Result<(), Fault> {
        let Outcome::Meta(meta) = result? else {
            return Err(Fault::Transfer(ErrorCode::Io));
        };
        self.meta = Some(meta);
        let meta = Meta {
            kind: EntryKind::Directory,
            size: 0,
            mode: meta.mode & 0o777,
            ..meta
        };
        let body = Body::Directory {
            path: self.place.path.clone(),
            count: None,
        };
        let out = Out::found(ROOT, Vec::new(), &meta, body);
        self.files.insert(ROOT, out);
        self.next = 1;
        self.found = 1;
        self.announce(ROOT);
        Ok(())
    }

    pub(super) fn page_done(
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
}
