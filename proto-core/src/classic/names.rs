//! Names of files, as messages and lists carry them (`docs/CLASSIC.md`, K5).

use alloc::vec::Vec;

use super::message::{NAME_MAX, PIECE_LEN};
use crate::wire::{Entry, EntryKind, FilePath};

/// A name that may be asked for: a single component (F5), none of dhow's own (F8), without control bytes (F7).
pub(super) fn file_name(bytes: &[u8]) -> Option<FilePath> {
    let path = FilePath::parse(bytes).ok()?;
    let single = path.components().count() == 1;
    (single && !path.is_reserved() && !path.has_control_bytes()).then_some(path)
}

/// A server's list in the making: as many names as one message holds.
#[derive(Debug, Default)]
pub(super) struct NameList {
    names: Vec<u8>,
    full: bool,
}

impl NameList {
    /// Takes a page of encoded entries: regular files whose names can be asked for.
    pub(super) fn add_page(&mut self, mut page: &[u8]) {
        while !self.full
            && !page.is_empty()
            && let Ok(entry) = Entry::decode(&mut page)
        {
            if entry.kind == EntryKind::File && file_name(entry.name).is_some() {
                self.add(entry.name);
            }
        }
    }

    /// A name, its `\r`, and at the very end a NUL must fit. Only whole names are listed.
    fn add(&mut self, name: &[u8]) {
        if self.names.len() + name.len() + 1 > PIECE_LEN - 1 {
            self.full = true;
        } else {
            self.names.extend_from_slice(name);
            self.names.push(b'\r');
        }
    }

    /// Whether there is no use for more.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.names
    }
}

/// A received list as encoded entries, of which only the names are known. What is no name of a file is left out: `.`, `..`,
/// paths, and a last name without its `\r`, which was cut.
pub(super) fn entries_of(names: &[u8]) -> Vec<u8> {
    let mut entries = Vec::with_capacity(2 * PIECE_LEN);
    let whole = names.iter().rposition(|&byte| byte == b'\r').unwrap_or(0);
    for name in names[..whole].split(|&byte| byte == b'\r') {
        if name.len() <= NAME_MAX && file_name(name).is_some() {
            let entry = Entry {
                kind: EntryKind::Other,
                size: 0,
                mtime: 0,
                mode: 0,
                name,
            };
            entry.encode(&mut entries);
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_in(mut entries: &[u8]) -> Vec<Vec<u8>> {
        let mut names = Vec::new();
        while !entries.is_empty() {
            names.push(Entry::decode(&mut entries).unwrap().name.to_vec());
        }
        names
    }

    fn page(entries: &[(EntryKind, &[u8])]) -> Vec<u8> {
        let mut page = Vec::new();
        for &(kind, name) in entries {
            let entry = Entry {
                kind,
                size: 1,
                mtime: 0,
                mode: 0,
                name,
            };
            entry.encode(&mut page);
        }
        page
    }

    #[test]
    fn f5_f7_f8_names_are_single_components_without_tricks() {
        for good in [
            &b"a"[..],
            b"a b.txt",
            b"...",
            b"\xff\xfe",
            b"C:\\x",
            &[b'n'; 255],
        ] {
            assert!(file_name(good).is_some(), "{}", good.escape_ascii());
        }
        let long = [b'n'; 256];
        for bad in [
            &b""[..],
            b".",
            b"..",
            b"a/b",
            b"/a",
            b"a/",
            b"../a",
            b".dhow-x",
            b"a\nb",
            b"a\rb",
            b"\x7f",
            &long,
        ] {
            assert!(file_name(bad).is_none(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn only_files_are_listed() {
        let mut list = NameList::default();
        list.add_page(&page(&[
            (EntryKind::File, b"a"),
            (EntryKind::Directory, b"d"),
            (EntryKind::File, b"x\ry"),
            (EntryKind::Symlink, b"l"),
            (EntryKind::File, b"b c"),
        ]));
        assert_eq!(list.as_bytes(), b"a\rb c\r");
        assert_eq!(names_in(&entries_of(list.as_bytes())), [&b"a"[..], b"b c"]);
    }

    #[test]
    fn a_list_ends_with_a_whole_name() {
        let mut list = NameList::default();
        for byte in b'a'..=b'z' {
            list.add_page(&page(&[(EntryKind::File, &[byte; 99])]));
        }
        assert!(list.is_full());
        assert_eq!(list.as_bytes().len(), 900);
        let mut exact = NameList::default();
        for len in [255, 255, 255, 230] {
            exact.add_page(&page(&[(EntryKind::File, &alloc::vec![b'x'; len])]));
        }
        assert_eq!((exact.as_bytes().len(), exact.is_full()), (999, false));
    }

    #[test]
    fn lists_of_the_original_are_understood() {
        let names = |bytes: &[u8]| names_in(&entries_of(bytes));
        assert_eq!(
            names(b".\r..\rreport.pdf\ra b\rfol/der\r\r"),
            [&b"report.pdf"[..], b"a b"]
        );
        assert!(names(b"").is_empty());
        assert!(names(b"without an end").is_empty());
        // Cut at 1,000 bytes, with a line feed in the place of the NUL.
        let mut full = [b'y'; PIECE_LEN];
        full[9] = b'\r';
        full[PIECE_LEN - 1] = b'\n';
        assert_eq!(names(&full), [&b"yyyyyyyyy"[..]]);
    }
}
