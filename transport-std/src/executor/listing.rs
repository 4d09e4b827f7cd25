//! Directory listings, page by page.
//!
//! A page's cursor is the place in the directory behind its last entry. The stream that a page was read from is kept
//! for the next one, so that a listing costs what one pass over the directory costs. A stream that is not there (any
//! more) is opened anew at the cursor: nothing is lost but time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use proto_core::wire::{Entry, EntryKind, FilePath};
use proto_core::{FileError, Meta, Outcome, RootId};

use super::filters::Leaver;
use super::meta;
use super::rooted::{Directory, Entries};
use super::roots::{Root, Roots};

/// Streams kept between pages; each holds a file descriptor.
const KEPT_MAX: usize = 32;

/// One entry of a directory, and the place behind it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: Vec<u8>,
    pub(super) meta: Meta,
    /// Where reading goes on after this entry; never 0.
    pub(super) position: u64,
}

/// Streams waiting for the next page of their listing.
#[derive(Debug, Default)]
pub(super) struct Listings(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    root: RootId,
    path: FilePath,
    cursor: u64,
    entries: Entries,
    /// Was read already, but did not fit the page.
    next: Found,
}

impl Listings {
    /// The entries behind `cursor`, as many as fit `max` encoded bytes.
    pub(super) fn page(
        &self,
        directory: &Directory,
        (root, path, mut cursor): (RootId, FilePath, u64),
        (max, with_versions): (u32, bool),
        leaver: Option<&Leaver>,
    ) -> Result<Outcome, FileError> {
        let is_hidden = |found: &Found| {
            let is_directory = found.meta.kind == EntryKind::Directory;
            let left_out = |leaver: &Leaver| leaver.leaves_out(&found.name, is_directory);
            is_hidden(&found.name) || leaver.is_some_and(left_out)
        };
        let (mut entries, mut next) = match self.take(root, &path, cursor) {
            Some(kept) => (kept.entries, Some(kept.next)),
            None => (directory.entries(&path, cursor)?, None),
        };
        let (mut page, mut versions) = (Vec::new(), Vec::new());
        loop {
            let found = match next.take() {
                Some(found) => found,
                None => match entries.next()? {
                    Some(found) => found,
                    None => {
                        return Ok(Outcome::Page {
                            entries: page,
                            versions,
                            next: None,
                        });
                    }
                },
            };
            let hidden = is_hidden(&found);
            if !hidden && !append(&mut page, max, &found.name, &found.meta) {
                if page.is_empty() {
                    // Not even one entry fits: the core asks for whole ones.
                    return Err(FileError::Io);
                }
                self.keep(Kept {
                    root,
                    path,
                    cursor,
                    entries,
                    next: found,
                });
                return Ok(Outcome::Page {
                    entries: page,
                    versions,
                    next: Some(cursor),
                });
            }
            if with_versions && !hidden {
                versions.push(found.meta.version);
            }
            cursor = found.position;
        }
    }

    fn take(&self, root: RootId, path: &FilePath, cursor: u64) -> Option<Kept> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept
            .iter()
            .position(|kept| kept.root == root && kept.cursor == cursor && kept.path == *path)?;
        Some(kept.remove(at))
    }

    /// Keeps the stream, at the cost of the one that waited longest.
    fn keep(&self, stream: Kept) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push(stream);
    }
}

/// Names that no listing shows: dhow's own temporary and state files (F8), and the two that every directory has.
fn is_hidden(name: &[u8]) -> bool {
    name == b"." || name == b".." || name.starts_with(b".dhow-")
}

/// Adds an entry if there is room for it within `max`.
fn append(page: &mut Vec<u8>, max: u32, name: &[u8], meta: &Meta) -> bool {
    let size = if meta.kind == EntryKind::File {
        meta.size
    } else {
        0
    };
    let entry = Entry {
        kind: meta.kind,
        size,
        mtime: meta.mtime,
        mode: meta.mode,
        name,
    };
    let fits = page.len() + entry.encoded_len() <= max as usize;
    if fits {
        entry.encode(page);
    }
    fits
}

/// A page of a virtual root: `cursor` counts the names already given.
pub(super) fn shares_page(
    roots: &Roots,
    shares: &BTreeMap<Vec<u8>, RootId>,
    cursor: u64,
    max: u32,
) -> Result<Outcome, FileError> {
    let mut page = Vec::new();
    let begin = usize::try_from(cursor).unwrap_or(usize::MAX);
    for (number, (name, root)) in shares.iter().enumerate().skip(begin) {
        if !append(&mut page, max, name, &share_meta(roots, *root)) {
            if page.is_empty() {
                return Err(FileError::Io);
            }
            return Ok(Outcome::Page {
                entries: page,
                versions: Vec::new(),
                next: Some(number as u64),
            });
        }
    }
    Ok(Outcome::Page {
        entries: page,
        versions: Vec::new(),
        next: None,
    })
}

/// What a share looks like from outside: its directory; a bare one when that is gone.
pub(super) fn share_meta(roots: &Roots, share: RootId) -> Meta {
    match roots.get(share) {
        Ok(Root::Directory(directory)) => directory
            .stat(&FilePath::root())
            .unwrap_or(meta::directory(0, 0o555)),
        _ => meta::directory(0, 0o555),
    }
}
