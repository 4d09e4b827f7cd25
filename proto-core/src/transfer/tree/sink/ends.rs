//! The end of a file: it is settled, stored or failed, and its directory with it once all in it is.

use alloc::vec::Vec;

use super::node::{Node, State};
use super::{ROOT, TreeSink};
use crate::range_set::RangeSet;
use crate::transfer::Context;
use crate::transfer::codes::Fault;
use crate::transfer::delivery::Delivery;
use crate::transfer::tree::FileReport;
use crate::wire::{Durability, EntryKind, ErrorCode, StoredAs};

impl TreeSink {
    /// Nothing more is to be done for a file; `tell` says whether the source must hear of it.
    pub(super) fn settle(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        result: Result<StoredAs, ErrorCode>,
        tell: bool,
    ) -> Result<(), Fault> {
        let mut todo = Vec::from([(file, result, tell)]);
        while let Some((file, result, tell)) = todo.pop() {
            let path = self.shown_path(file);
            let Some(node) = self.nodes.get_mut(&file) else {
                continue;
            };
            if node.outcome.is_some() {
                continue;
            }
            let report = FileReport {
                path,
                kind: node.kind,
                size: node.size,
                durability: match result {
                    Ok(StoredAs::Written) => node.durability,
                    _ => Durability::None,
                },
                root: node
                    .root
                    .filter(|_| node.kind == EntryKind::File && result == Ok(StoredAs::Written)),
                result,
            };
            node.outcome = Some(result);
            node.body = Vec::new();
            node.have = RangeSet::new();
            self.units.wanted -= core::mem::take(&mut node.wanted);
            node.want = Delivery::Unneeded;
            if tell {
                node.told = Delivery::Due;
            }
            let parent = node.parent;
            let written = result == Ok(StoredAs::Written);
            if written && !node.is_large() && node.kind == EntryKind::File {
                self.written += node.size;
            }
            self.totals.add(&report);
            if result.is_err() && node.kind == EntryKind::Directory {
                self.failed.add(file, &report.path);
            }
            self.reports.push(report);
            self.gathering.remove(&file);
            if result.is_err() {
                let lost = self.orphans.remove(&file).unwrap_or_default();
                todo.extend(
                    lost.into_iter()
                        .map(|child| (child, Err(ErrorCode::NotFound), true)),
                );
            }
            if file == ROOT {
                self.root_settled = true;
            } else {
                self.child_settled(parent)?;
            }
            self.touch(file);
            if !tell {
                self.remove(cx, file);
            }
        }
        self.want_more();
        Ok(())
    }

    /// An entry of a directory is settled.
    fn child_settled(&mut self, parent: u32) -> Result<(), Fault> {
        if let Some(Node {
            state: State::Directory(directory),
            ..
        }) = self.nodes.get_mut(&parent)
        {
            directory.settled += 1;
        }
        self.check_directory(parent)
    }

    /// Finishes a directory whose entries are all settled.
    pub(super) fn check_directory(&mut self, file: u32) -> Result<(), Fault> {
        let Some(node) = self.nodes.get_mut(&file) else {
            return Ok(());
        };
        let (State::Directory(directory), None) = (&mut node.state, node.outcome) else {
            return Ok(());
        };
        let Some(count) = directory.count else {
            return Ok(());
        };
        if directory.settled > count {
            return Err(Fault::VIOLATION);
        }
        if directory.made && directory.settled == count && !directory.finishing {
            directory.finishing = true;
            self.finish.push_back(file);
        }
        Ok(())
    }

    /// The source knows of a file's end, or needs not be told.
    pub(super) fn remove(&mut self, cx: &mut Context<'_>, file: u32) {
        let Some(node) = self.nodes.remove(&file) else {
            return;
        };
        self.due.remove(&file);
        self.over.insert(file.into()..u64::from(file) + 1);
        self.units.free(cx.pool, cx.now, cx.rtt, node.charged);
    }
}
