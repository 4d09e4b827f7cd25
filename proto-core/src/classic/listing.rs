//! A server's list: pages of a directory until one message is full.

use super::names::NameList;
use crate::file::{FileError, Operation, Outcome};
use crate::transfer::{Place, error_code};
use crate::wire::ErrorCode;

/// Bytes of a page asked for.
const PAGE: u32 = 16 << 10;

/// Pages looked at, at most: a directory full of directories must not keep the disk busy for one list.
const PAGES_MAX: u32 = 64;

/// The list of one directory.
#[derive(Debug)]
pub(super) struct Listing {
    place: Place,
    /// Where the next page begins; `None` after the last one that is wanted.
    cursor: Option<u64>,
    pages: u32,
    out: bool,
    list: NameList,
}

impl Listing {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            cursor: Some(0),
            pages: 0,
            out: false,
            list: NameList::default(),
        }
    }

    /// Names, each followed by `\r`.
    pub(super) fn names(&self) -> &[u8] {
        self.list.as_bytes()
    }

    /// Whether the list can be sent.
    pub(super) fn is_whole(&self) -> bool {
        self.cursor.is_none()
    }

    /// Whether no operation is on loan or wanted.
    pub(super) fn is_over(&self) -> bool {
        !self.out && self.cursor.is_none()
    }

    pub(super) fn has_op(&self) -> bool {
        !self.out && self.cursor.is_some()
    }

    pub(super) fn poll_op(&mut self) -> Option<Operation> {
        let cursor = self.cursor.filter(|_| !self.out)?;
        self.out = true;
        Some(Operation::List {
            root: self.place.root,
            path: self.place.path.clone(),
            cursor,
            max: PAGE,
            versions: false,
            filter: None,
        })
    }

    pub(super) fn handle_done(
        &mut self,
        result: Result<Outcome, FileError>,
    ) -> Result<(), ErrorCode> {
        self.out = false;
        let wanted = self.cursor.take().is_some();
        match result.map_err(error_code)? {
            Outcome::Page { entries, next, .. } if wanted => {
                self.list.add_page(&entries);
                self.pages += 1;
                self.cursor = next.filter(|_| !self.list.is_full() && self.pages < PAGES_MAX);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Nothing more is wanted.
    pub(super) fn close(&mut self) {
        self.cursor = None;
    }
}
