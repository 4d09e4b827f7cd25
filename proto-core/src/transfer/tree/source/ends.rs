//! The end of a file: it is settled, or cannot be sent, and is forgotten once nothing in it is open.

use alloc::vec::Vec;

use super::out::Body;
use super::{ROOT, TreeSource};
use crate::transfer::Context;
use crate::transfer::delivery::Delivery;
use crate::transfer::tree::FileReport;
use crate::wire::{Durability, EntryKind, ErrorCode, StoredAs};

impl TreeSource {
    /// Nothing more is to be done for a file.
    pub(super) fn settle(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        outcome: Result<(StoredAs, Durability), ErrorCode>,
    ) {
        let result = outcome.map(|(how, _)| how);
        let path = self.path_of(file);
        let Some(out) = self.files.get_mut(&file) else {
            return;
        };
        if core::mem::replace(&mut out.settled, true) {
            return;
        }
        let root = match (&out.body, out.kind) {
            (Body::Small(small), EntryKind::File) => Some(small.root),
            (Body::Large { .. }, _) => self.large.get(&file).and_then(|source| source.root()),
            _ => None,
        };
        let report = FileReport {
            path,
            kind: out.kind,
            size: out.size,
            durability: outcome.map_or(Durability::None, |(_, durability)| durability),
            root: root.filter(|_| result == Ok(StoredAs::Written)),
            result,
        };
        self.totals.add(&report);
        self.reports.push(report);
        if let Body::Small(small) = &out.body {
            self.flying = self.flying.saturating_sub(small.flying());
        }
        self.memory.free(out.body.held());
        if let Body::Directory { .. } = out.body {
            if result.is_err() {
                out.lost = true;
                self.walk.leave(file);
            }
        } else if !matches!(out.body, Body::Reading) {
            out.body = Body::Nothing;
        }
        if let Some(source) = self.large.get_mut(&file) {
            source.close(cx);
        }
        self.touch(cx, file);
        if file == ROOT {
            self.settle_lost(cx);
        }
        self.forget(file);
    }

    /// The sink is done, and answers no more: what it has not heard of lies in directories that failed.
    fn settle_lost(&mut self, cx: &mut Context<'_>) {
        let open = self.files.iter().filter(|(_, out)| !out.settled);
        let open = open.map(|(file, out)| (*file, out.parent));
        let lost: Vec<u32> = open
            .filter(|(_, parent)| self.is_lost(*parent))
            .map(|(file, _)| file)
            .collect();
        for file in lost {
            self.settle(cx, file, Err(ErrorCode::NotFound));
        }
    }

    /// Whether a directory failed, or one above it.
    fn is_lost(&self, directory: u32) -> bool {
        let mut at = directory;
        while let Some(out) = self.files.get(&at) {
            if out.lost || at == ROOT {
                return out.lost;
            }
            at = out.parent;
        }
        false
    }

    /// Forgets what is settled and has no children that are not.
    fn forget(&mut self, file: u32) {
        let mut file = file;
        while let Some(out) = self.files.get(&file) {
            if !out.settled || out.children > 0 {
                return;
            }
            let parent = out.parent;
            self.files.remove(&file);
            self.due.remove(&file);
            if file == ROOT {
                self.root_settled = true;
                return;
            }
            if let Some(above) = self.files.get_mut(&parent) {
                above.children -= 1;
            }
            file = parent;
        }
    }

    /// This end cannot send a file.
    pub(super) fn fail(&mut self, cx: &mut Context<'_>, file: u32, code: ErrorCode) {
        if let Some(out) = self.files.get_mut(&file)
            && out.failed.is_none()
            && !out.settled
        {
            out.failed = Some(code);
            out.farewell = Delivery::Due;
            if out.entry == Delivery::Unneeded && !out.queued {
                out.queued = true;
                self.ready.push_back(file);
            }
            self.memory.free(out.body.held());
            if let Some(source) = self.large.get_mut(&file) {
                source.close(cx);
            }
            self.touch(cx, file);
        }
    }
}
