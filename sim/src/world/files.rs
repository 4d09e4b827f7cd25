//! What each file may hold: what was there before, what it changed to, and what transfers may have brought.

use std::collections::{BTreeMap, BTreeSet};

use proto_core::wire::FilePath;
use proto_core::{HashAs, RootId, block_value};

use crate::disk::Content;
use crate::lab::HostId;
use crate::scenario::{Planted, below};

/// A host, a root on it, and a path below that.
pub(super) type Where = (HostId, RootId, FilePath);

/// Larger files are not hashed once more for a check: their bytes are compared anyway.
const HASHED_MAX: u64 = 256 << 10;

/// All files of a run.
#[derive(Debug, Default)]
pub(super) struct Files {
    before: BTreeMap<Where, Planted>,
    /// Contents that a file had from the beginning, or changed to by itself.
    own: BTreeMap<Where, Vec<Content>>,
    /// Places from which a place may get its content.
    sources: BTreeMap<Where, Vec<Where>>,
    /// Directories that are copied as a whole.
    trees: Vec<Where>,
    /// Targets that need not survive a power loss whole.
    fragile: BTreeSet<Where>,
    /// What was told to be stored for good, and must be there from then on.
    promised: BTreeSet<Where>,
}

impl Files {
    pub(super) fn plant(&mut self, host: HostId, root: RootId, planted: Planted) {
        let place = (host, root, planted.path.clone());
        self.own
            .entry(place.clone())
            .or_default()
            .extend(planted.bytes());
        self.before.insert(place, planted);
    }

    /// The file at `place` changes to `content` by itself.
    pub(super) fn change(&mut self, place: Where, content: Content) {
        // Nobody made the change durable.
        self.fragile.insert(place.clone());
        self.own.entry(place).or_default().push(content);
    }

    /// A transfer may bring what is at `from` to the place `to`; `durable` says whether it does so that a power loss
    /// finds it whole.
    pub(super) fn expect_copy(&mut self, from: Where, to: Where, durable: bool) {
        if !durable {
            self.fragile.insert(to.clone());
        }
        self.sources.entry(to).or_default().push(from);
    }

    /// A directory may be filled.
    pub(super) fn expect_tree(&mut self, to: Where) {
        self.trees.push(to);
    }

    /// Whether `place` lies in a directory that may be filled.
    pub(super) fn is_in_tree(&self, place: &Where) -> bool {
        let holds = |of: &Where| (of.0, of.1) == (place.0, place.1);
        let mut trees = self.trees.iter();
        trees.any(|of| holds(of) && below(&of.2, &place.2).is_some())
    }

    /// Targets on `host` at which a power loss may leave a remnant.
    pub(super) fn fragile_on(&self, host: HostId) -> impl Iterator<Item = &Where> {
        self.fragile.iter().filter(move |place| place.0 == host)
    }

    /// Whether a power loss may leave a remnant at `place`.
    pub(super) fn is_fragile(&self, place: &Where) -> bool {
        self.fragile.contains(place)
    }

    /// What was there before a run.
    pub(super) fn before(&self, place: &Where) -> Option<&Planted> {
        self.before.get(place)
    }

    /// Everything that was there before a run.
    pub(super) fn planted(&self) -> impl Iterator<Item = (&Where, &Planted)> {
        self.before.iter()
    }

    /// Whether the file at `place` has one content for the whole run.
    pub(super) fn is_constant(&self, place: &Where) -> bool {
        let own = self.own.get(place).map_or(0, Vec::len);
        own == 1 && !self.is_target(place)
    }

    /// Whether a transfer may have brought `content` to `place`.
    pub(super) fn may_appear(&self, place: &Where, content: &Content) -> bool {
        let mut seen = BTreeSet::new();
        let sources = self.sources.get(place).into_iter().flatten();
        sources
            .into_iter()
            .any(|from| self.may_come(from, content, &mut seen))
    }

    /// Whether `place` may hold `content` at any time.
    pub(super) fn may_hold(&self, place: &Where, content: &Content) -> bool {
        self.may_come(place, content, &mut BTreeSet::new())
    }

    fn may_come<'a>(
        &'a self,
        place: &'a Where,
        content: &Content,
        seen: &mut BTreeSet<&'a Where>,
    ) -> bool {
        let own = self.own.get(place).into_iter().flatten();
        if own.into_iter().any(|own| own == content) {
            return true;
        }
        let sources = self.sources.get(place).into_iter().flatten();
        let mut new = sources
            .filter(|source| seen.insert(source))
            .collect::<Vec<_>>();
        new.drain(..)
            .any(|source| self.may_come(source, content, seen))
    }

    /// Whether a transfer may bring something to `place`.
    pub(super) fn is_target(&self, place: &Where) -> bool {
        self.sources.contains_key(place)
    }

    /// Whether more than one transfer may bring something to `place`, or transfers take it from there.
    pub(super) fn is_contested(&self, place: &Where) -> bool {
        self.sources.get(place).is_some_and(|from| from.len() > 1)
    }

    /// Somebody was told that what stands at `place` is there for good.
    pub(super) fn promise(&mut self, place: Where) {
        self.promised.insert(place);
    }

    /// What must be there.
    pub(super) fn promised(&self) -> impl Iterator<Item = &Where> {
        self.promised.iter()
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
