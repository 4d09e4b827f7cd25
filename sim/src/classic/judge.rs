//! Which files may be where, and what is in them.

use std::collections::BTreeMap;

use proto_core::RootId;
use proto_core::wire::{Entry, FilePath};

use super::plan::{Goal, Way};
use crate::disk::{Content, Disk};
use crate::lab::Checked;

/// All files of a world: names are used once, so that each has one content.
#[derive(Debug, Default)]
pub(super) struct Files {
    known: BTreeMap<Vec<u8>, (Content, Way)>,
}

impl Files {
    pub(super) fn expect(&mut self, goal: &Goal) {
        if goal.way != Way::List {
            let name = goal.name.as_bytes().to_vec();
            self.known.insert(name, (goal.content(), goal.way));
        }
    }

    /// A name has appeared on a disk: the file must be whole and right, at once.
    pub(super) fn check(&self, path: &FilePath, content: Option<&Content>) -> Checked<()> {
        if path.is_reserved() {
            return Ok(());
        }
        let Some((expected, _)) = self.known.get(path.as_bytes()) else {
            return Err(format!("nobody asked for {path:?}"));
        };
        // It may be gone again by a power loss within the same instant.
        match content {
            Some(content) if content != expected => Err(format!(
                "{path:?} is not the file that was sent: {} bytes of {}",
                content.len(),
                expected.len()
            )),
            _ => Ok(()),
        }
    }

    /// An end was told that all went well: the file must be there.
    pub(super) fn check_stored(&self, path: &FilePath, disk: &Disk, root: RootId) -> Checked<()> {
        let content = disk.content(root, path);
        if content.is_none() {
            return Err(format!("{path:?} is not there"));
        }
        self.check(path, content)
    }

    /// A list has the server's files, and nothing that is not there.
    pub(super) fn check_list(&self, mut entries: &[u8]) -> Checked<()> {
        let mut listed = Vec::new();
        while !entries.is_empty() {
            let entry = Entry::decode(&mut entries).map_err(|error| format!("a list: {error}"))?;
            if !self.known.contains_key(entry.name) {
                return Err(format!("a list has {}", entry.name.escape_ascii()));
            }
            listed.push(entry.name);
        }
        let all: usize = self.known.keys().map(|name| name.len() + 1).sum();
        let planted = self.known.iter().filter(|(_, (_, way))| *way == Way::Get);
        let missing = planted
            .map(|(name, _)| name)
            .find(|name| !listed.contains(&&name[..]));
        match missing {
            Some(name) if all < 1_000 => Err(format!("a list lacks {}", name.escape_ascii())),
            _ => Ok(()),
        }
    }
}
