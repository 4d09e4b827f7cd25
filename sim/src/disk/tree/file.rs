//! A regular file: what is in memory of it and what a power loss leaves.

use super::super::content::{Content, Extent};
use super::super::survival::{Fate, Survival};

/// A change of a file that no sync has covered yet.
#[derive(Clone, Debug)]
pub(super) enum FileChange {
    Put(u64, Extent),
    SetLen(u64),
}

#[derive(Clone, Debug, Default)]
pub(super) struct File {
    /// What a read gives.
    content: Content,
    /// What is on the medium for sure.
    durable: Content,
    /// What is between the two, in order.
    pending: Vec<FileChange>,
}

impl File {
    /// A file that is on the medium.
    pub(super) fn durable(content: Content) -> Self {
        Self {
            durable: content.clone(),
            content,
            pending: Vec::new(),
        }
    }

    pub(super) fn content(&self) -> &Content {
        &self.content
    }

    pub(super) fn change(&mut self, change: FileChange) {
        self.content.apply(&change);
        self.pending.push(change);
    }

    /// Makes the changes durable; with `lose`, forgets them.
    pub(super) fn sync(&mut self, lose: bool) {
        for change in self.pending.drain(..) {
            if !lose {
                self.durable.apply(&change);
            }
        }
    }

    /// Of each change, what `survival` says is on the medium; the rest is gone. Says whether there was any change.
    pub(super) fn power_loss(&mut self, survival: &mut Survival<'_>) -> bool {
        if self.pending.is_empty() {
            // A failed sync may have left bytes in memory that are on no medium.
            self.content = self.durable.clone();
            return false;
        }
        // The length goes its own way: `len` is what it was after the last change of it that survived.
        let (mut len, mut len_then) = (self.durable.len(), self.durable.len());
        for change in self.pending.drain(..) {
            let before = len_then;
            match &change {
                FileChange::SetLen(to) => {
                    len_then = *to;
                    if survival.length() {
                        self.durable.set_len(*to);
                        len = *to;
                    }
                }
                FileChange::Put(offset, extent) => {
                    len_then = len_then.max(offset + extent.len());
                    if len_then != before && survival.length() {
                        len = len_then;
                    }
                    self.durable.put_what_survives(*offset, extent, survival);
                }
            }
        }
        self.durable.set_len(len);
        self.content = self.durable.clone();
        true
    }
}

impl Content {
    fn apply(&mut self, change: &FileChange) {
        match change {
            FileChange::Put(offset, extent) => self.put(*offset, extent.clone()),
            FileChange::SetLen(len) => self.set_len(*len),
        }
    }

    fn put_what_survives(&mut self, offset: u64, extent: &Extent, survival: &mut Survival<'_>) {
        match survival.write() {
            Fate::Lost => {}
            Fate::Kept => self.put(offset, extent.clone()),
            Fate::Torn => {
                for (start, len) in survival.sectors(offset, extent.len()) {
                    self.put(offset + start, extent.part(start, len));
                }
            }
        }
    }
}
