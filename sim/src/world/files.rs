//! What each file may hold: what was there before, and what transfers may have brought.

use std::collections::BTreeMap;

use proto_core::wire::FilePath;
use proto_core::{HashAs, RootId, block_value};

use crate::disk::Content;
use crate::scenario::{Planted, PlantedKind};

/// A host, a root on it, and a path below that.
pub(super) type Where = (usize, RootId, FilePath);

/// Larger files are not hashed once more for a check: their bytes are compared anyway.
const HASHED_MAX: u64 = 16 << 20;

/// All files of a run.
#[derive(Debug, Default)]
pub(super) struct Files {
    before: BTreeMap<Where, PlantedKind>,
    /// Places from which a place may get its content.
    sources: BTreeMap<Where, Vec<Where>>,
}

impl Files {
    pub(super) fn plant(&mut self, host: usize, root: RootId, planted: Planted) {
        self.before.insert((host, root, planted.path), planted.what);
    }

    /// A transfer may bring what is at `from` to the place `to`.
    pub(super) fn expect_copy(&mut self, from: Where, to: Where) {
        self.sources.entry(to).or_default().push(from);
    }

    /// What was there before a run.
    pub(super) fn before(&self, place: &Where) -> Option<&PlantedKind> {
        self.before.get(place)
    }

    /// Everything that was there before a run.
    pub(super) fn planted(&self) -> impl Iterator<Item = (&Where, &PlantedKind)> {
        self.before.iter()
    }

    /// The content of a file that was there before a run.
    pub(super) fn content(&self, place: &Where) -> Option<&Content> {
        match self.before.get(place)? {
            PlantedKind::File(content, _) => Some(content),
            PlantedKind::Directory | PlantedKind::Device => None,
        }
    }

    /// Whether a transfer may have brought `content` to `place`.
    pub(super) fn may_appear(&self, place: &Where, content: &Content) -> bool {
        let sources = self.sources.get(place).into_iter().flatten();
        let mut contents = sources.filter_map(|source| self.content(source));
        contents.any(|source| source == content)
    }

    /// Whether `place` may hold `content` at any time.
    pub(super) fn may_hold(&self, place: &Where, content: &Content) -> bool {
        self.content(place) == Some(content) || self.may_appear(place, content)
    }

    /// Whether a transfer may bring something to `place`.
    pub(super) fn is_target(&self, place: &Where) -> bool {
        self.sources.contains_key(place)
    }
}

/// The BLAKE3 hash of a content, unless it is large.
pub(super) fn root_hash(content: &Content) -> Option<[u8; 32]> {
    if content.len() > HASHED_MAX {
        return None;
    }
    let mut bytes = vec![0; content.len() as usize];
    content.read(0, &mut bytes);
    Some(block_value(&bytes, 0, HashAs::Root))
}
