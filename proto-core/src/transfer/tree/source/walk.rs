//! The walk through a directory and those in it: depth first, at most one page of each level in memory.

use alloc::vec::Vec;

use crate::file::{FileError, Outcome};
use crate::wire::{Entry, FilePath};

/// Where the walk is.
#[derive(Debug)]
pub(super) struct Walk {
    levels: Vec<Level>,
    /// `List` of the last level is on loan.
    out: bool,
    begun: bool,
    closed: bool,
}

/// One directory on the way down.
#[derive(Debug)]
struct Level {
    file: u32,
    path: FilePath,
    /// Where the next page begins; `None` behind the last entry.
    cursor: Option<u64>,
    page: Vec<u8>,
    /// Bytes and entries of the page that were taken.
    at: usize,
    entry: usize,
    versions: Vec<[u8; 16]>,
    count: u32,
}

/// What the walk came to.
#[derive(Debug)]
pub(super) enum Found {
    /// An entry of the directory `parent`.
    Entry {
        parent: u32,
        directory: FilePath,
        name: Vec<u8>,
        kind: crate::wire::EntryKind,
        size: u64,
        mtime: i64,
        mode: u16,
        version: [u8; 16],
    },
    /// A directory has so many entries, and all were found.
    Left { file: u32, count: u32 },
    /// A page must be read first.
    Page,
    /// A page that no executor makes.
    Broken,
    /// The end.
    End,
}

impl Walk {
    pub(super) fn new(path: FilePath) -> Self {
        let mut this = Self {
            levels: Vec::new(),
            out: false,
            begun: false,
            closed: false,
        };
        this.enter(0, path);
        this
    }

    /// Goes into a directory.
    pub(super) fn enter(&mut self, file: u32, path: FilePath) {
        self.levels.push(Level {
            file,
            path,
            cursor: Some(0),
            page: Vec::new(),
            at: 0,
            entry: 0,
            versions: Vec::new(),
            count: 0,
        });
    }

    /// Leaves a directory, and all in it, at once.
    pub(super) fn leave(&mut self, file: u32) {
        if let Some(at) = self.levels.iter().position(|level| level.file == file) {
            self.levels.truncate(at);
        }
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
        self.levels.clear();
    }

    /// Whether the root's first page was read.
    pub(super) fn is_begun(&self) -> bool {
        self.begun
    }

    /// Directory and cursor of the page to read, when one is needed.
    pub(super) fn wants_page(&self) -> Option<(&FilePath, u64)> {
        let level = self.levels.last().filter(|_| !self.out && !self.closed)?;
        let cursor = level.cursor.filter(|_| level.at == level.page.len())?;
        Some((&level.path, cursor))
    }

    /// The number of the directory whose page is being lent.
    pub(super) fn lend(&mut self) -> u32 {
        self.out = true;
        self.levels.last().map_or(0, |level| level.file)
    }

    /// A page came home; an error is that of its directory, which is left.
    pub(super) fn page(
        &mut self,
        file: u32,
        result: Result<Outcome, FileError>,
    ) -> Result<(), FileError> {
        self.out = false;
        // It was left meanwhile.
        let Some(level) = self.levels.last_mut().filter(|level| level.file == file) else {
            return Ok(());
        };
        match result {
            Ok(Outcome::Page {
                entries,
                versions,
                next,
            }) => {
                (level.page, level.versions, level.cursor) = (entries, versions, next);
                (level.at, level.entry) = (0, 0);
                self.begun = true;
                Ok(())
            }
            Ok(_) => Err(FileError::Io),
            Err(error) => {
                self.levels.pop();
                Err(error)
            }
        }
    }

    /// Goes one step on.
    pub(super) fn step(&mut self) -> Found {
        let Some(level) = self.levels.last_mut() else {
            return Found::End;
        };
        let rest = level.page.get(level.at..).unwrap_or_default();
        if rest.is_empty() {
            if level.cursor.is_some() {
                return Found::Page;
            }
            let (file, count) = (level.file, level.count);
            self.levels.pop();
            return Found::Left { file, count };
        }
        let mut after = rest;
        let Ok(entry) = Entry::decode(&mut after) else {
            return Found::Broken;
        };
        let version = level.versions.get(level.entry).copied().unwrap_or_default();
        let found = Found::Entry {
            parent: level.file,
            directory: level.path.clone(),
            name: entry.name.to_vec(),
            kind: entry.kind,
            size: entry.size,
            mtime: entry.mtime,
            mode: entry.mode,
            version,
        };
        level.at = level.page.len() - after.len();
        level.entry += 1;
        level.count += 1;
        found
    }
}
