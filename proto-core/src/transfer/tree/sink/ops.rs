//! The file operations of a directory on its way in.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::node::State;
use super::{ROOT, TreeSink};
use crate::file::{Block, FileError, Meta, Operation, Outcome, StatFile, StoreFile, Use};
use crate::transfer::codes::{Fault, error_code};
use crate::transfer::sink::{is_journaled, journal_name, temp_component};
use crate::transfer::tree::{BATCH_BYTES, BATCH_FILES};
use crate::transfer::{Context, NEW_DIRECTORY_MODE, OpKind, OpTag};
use crate::wire::{Durability, ErrorCode, FilePath, StoredAs};

impl TreeSink {
    /// Whether [`poll_op`](Self::poll_op) has something.
    pub(in crate::transfer) fn has_op(&self) -> bool {
        if !self.working.is_empty() {
            return true;
        }
        let batch = !self.look.is_empty() || !self.ready.is_empty();
        let batch = batch && self.batches.has_room() && self.has_room_for_reports();
        !self.aborted && (!self.make.is_empty() || !self.finish.is_empty() || batch)
    }

    /// The next operation to lend.
    pub(in crate::transfer) fn poll_op(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Result<Option<(OpTag, Operation)>, Fault> {
        while let Some(&file) = self.working.first() {
            let polled = match self.large.get_mut(&file) {
                Some(sink) => sink.poll_op(cx),
                None => Ok(None),
            };
            let polled = self.large_happened(cx, file, polled)?.flatten();
            if let Some((kind, op)) = polled {
                return Ok(Some((OpTag { file, kind }, op)));
            }
            self.working.remove(&file);
        }
        if self.aborted {
            return Ok(None);
        }
        let op = loop {
            if !self.has_op() {
                return Ok(None);
            }
            if let Some(op) = self.next_op(cx)? {
                break op;
            }
        };
        self.ops_out += 1;
        Ok(Some(op))
    }

    fn next_op(&mut self, cx: &mut Context<'_>) -> Result<Option<(OpTag, Operation)>, Fault> {
        let root = self.plan.to.root;
        let full = self.plan.durability == Durability::Full;
        if let Some(file) = self.make.pop_front() {
            let path = self.directory(file).map(|directory| directory.path.clone());
            // As rsync does: what the source has in a directory that may not be written, arrives there, too.
            let keeps = file == ROOT && self.plan.keep_top_mode;
            let open = self.plan.preserve && !keeps;
            // Bits that nobody will set are right from the beginning, should the session end before the directory does.
            let mode = match file == ROOT && !open {
                true => NEW_DIRECTORY_MODE,
                false => 0,
            };
            let tag = OpTag {
                file,
                kind: OpKind::MakeDir,
            };
            return Ok(path.map(|path| {
                (
                    tag,
                    Operation::MakeDir {
                        root,
                        path,
                        mode,
                        open,
                        sync: full,
                    },
                )
            }));
        }
        if let Some(file) = self.finish.pop_front() {
            return self.finish_directory(cx, file);
        }
        if !self.look.is_empty() {
            return Ok(self.look_batch(cx));
        }
        Ok(self.store_batch(cx))
    }

    /// Sets a directory's time and permission bits, whether it was there before or not, and syncs it.
    fn finish_directory(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
    ) -> Result<Option<(OpTag, Operation)>, Fault> {
        let (root, full) = (self.plan.to.root, self.plan.durability == Durability::Full);
        let Some(node) = self.nodes.get(&file) else {
            return Ok(None);
        };
        let State::Directory(directory) = &node.state else {
            return Ok(None);
        };
        let path = directory.path.clone();
        let preserve = self.plan.preserve;
        let keeps_mode = !directory.new && file == ROOT && self.plan.keep_top_mode;
        let tag = OpTag {
            file,
            kind: OpKind::DirMeta,
        };
        if directory.new || preserve {
            let mode = if preserve {
                node.mode
            } else {
                NEW_DIRECTORY_MODE
            };
            let op = Operation::SetDirMeta {
                root,
                path,
                mtime: preserve.then_some(node.mtime),
                mode: (!keeps_mode).then_some(mode),
                sync: full,
            };
            return Ok(Some((tag, op)));
        }
        if full {
            return Ok(Some((tag, Operation::SyncDir { root, path })));
        }
        self.directory_finished(cx, file, Ok(Outcome::Done))?;
        Ok(None)
    }

    /// Takes files of one directory from the front of a queue.
    fn batch(&mut self, looks: bool) -> Option<(FilePath, Vec<u32>)> {
        let (mut batch, mut bytes, mut names) = (Vec::new(), 0, BTreeSet::new());
        let mut parent = None;
        loop {
            let queue = if looks {
                &mut self.look
            } else {
                &mut self.ready
            };
            let Some(&file) = queue.front() else { break };
            let Some(node) = self.nodes.get(&file).filter(|node| node.outcome.is_none()) else {
                queue.pop_front();
                continue;
            };
            let other = parent.is_some_and(|parent| parent != node.parent);
            if other
                || batch.len() >= BATCH_FILES
                || bytes >= BATCH_BYTES
                || !names.insert(&node.name)
            {
                break;
            }
            parent = Some(node.parent);
            bytes += if looks { 0 } else { node.size };
            batch.push(file);
            queue.pop_front();
        }
        let path = self.directory(parent?)?.path.clone();
        Some((path, batch))
    }

    /// Looks at targets, and behind them at the journals of those that may have one: the process may have ended when a file was
    /// stored and its journal not removed.
    fn look_batch(&mut self, cx: &Context<'_>) -> Option<(OpTag, Operation)> {
        let (path, batch) = self.batch(true)?;
        let root = self.plan.to.root;
        let nodes = || batch.iter().filter_map(|file| self.nodes.get(file));
        let sets_bits = self.plan.preserve && self.plan.may_replace;
        let files = nodes().map(|node| StatFile {
            name: node.name.clone(),
            same: Some(node.same()).filter(|_| sets_bits),
        });
        let min = cx.config.limits.journal_min;
        let journals = nodes().filter(|node| is_journaled(node.size, min));
        let journals = journals.map(|node| StatFile {
            name: journal_name(&node.name),
            same: None,
        });
        let files = files.chain(journals).collect();
        let tag = self.batches.lend(batch);
        Some((tag, Operation::StatFiles { root, path, files }))
    }

    fn store_batch(&mut self, cx: &mut Context<'_>) -> Option<(OpTag, Operation)> {
        let (path, batch) = self.batch(false)?;
        let (root, durability) = (self.plan.to.root, self.plan.durability);
        let (preserve, replace) = (self.plan.preserve, self.plan.may_replace);
        let mut files = Vec::with_capacity(batch.len());
        for file in &batch {
            let Some(node) = self.nodes.get_mut(file) else {
                continue;
            };
            node.root = node.seal.map(|(_, root)| root);
            files.push(StoreFile {
                name: node.name.clone(),
                temp: temp_component(cx.rng),
                link: node.is_link(),
                bytes: core::mem::take(&mut node.body),
                value: node.root.unwrap_or_default(),
                mtime: preserve.then_some(node.mtime),
                mode: preserve.then_some(node.mode),
                replace,
            });
        }
        let tag = self.batches.lend(batch);
        let op = Operation::StoreFiles {
            root,
            path,
            files,
            durability,
        };
        Some((tag, op))
    }

    /// An operation came home.
    pub(in crate::transfer) fn handle_done(
        &mut self,
        cx: &mut Context<'_>,
        tag: OpTag,
        block: Option<Block>,
        result: Result<Outcome, FileError>,
    ) -> Result<(), Fault> {
        let file = tag.file;
        let done = match tag.kind {
            OpKind::Batch => {
                self.ops_out = self.ops_out.saturating_sub(1);
                let batch = self.batches.take_home(file);
                self.batch_done(cx, batch, result)
            }
            OpKind::MakeDir => {
                self.ops_out = self.ops_out.saturating_sub(1);
                self.made(cx, file, result)
            }
            OpKind::DirMeta => {
                self.ops_out = self.ops_out.saturating_sub(1);
                self.directory_finished(cx, file, result)
            }
            kind => match self.large.get_mut(&file) {
                Some(sink) => {
                    let before = (sink.progress().0, sink.had_bytes());
                    let done = sink.handle_done(cx, kind, block, result);
                    self.written += sink.progress().0 - before.0;
                    self.had += sink.had_bytes() - before.1;
                    self.large_happened(cx, file, done).map(drop)
                }
                None => {
                    if let Some(block) = block {
                        cx.pool.put(Use::Sink, block);
                    }
                    Ok(())
                }
            },
        };
        self.settle_memory(cx);
        done
    }

    fn made(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        result: Result<Outcome, FileError>,
    ) -> Result<(), Fault> {
        if self.aborted {
            return Ok(());
        }
        match result {
            Ok(Outcome::Made { new, folds }) => self.directory_made(cx, file, new, folds),
            result => {
                let code = result.err().map_or(ErrorCode::Io, error_code);
                if file == ROOT {
                    return Err(Fault::Transfer(code));
                }
                self.settle(cx, file, Err(code), true)
            }
        }
    }

    fn directory_finished(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        result: Result<Outcome, FileError>,
    ) -> Result<(), Fault> {
        let wanted = self.plan.durability;
        let Some(node) = self.nodes.get_mut(&file) else {
            return Ok(());
        };
        let State::Directory(directory) = &node.state else {
            return Ok(());
        };
        // Its entries stand; what of them survives is not known.
        node.durability = if result.is_ok() {
            wanted
        } else {
            wanted.min(Durability::File)
        };
        let how = if directory.new {
            StoredAs::Written
        } else {
            StoredAs::Unchanged
        };
        self.settle(cx, file, Ok(how), true)
    }

    fn batch_done(
        &mut self,
        cx: &mut Context<'_>,
        batch: Vec<u32>,
        result: Result<Outcome, FileError>,
    ) -> Result<(), Fault> {
        if self.aborted {
            return Ok(());
        }
        match result {
            Ok(Outcome::Stored { files, durability }) => {
                for (file, result) in batch.into_iter().zip(files) {
                    if let Some(node) = self.nodes.get_mut(&file) {
                        node.durability = durability;
                    }
                    let compare = self.plan.compare;
                    let how = |how| if compare { how } else { StoredAs::Written };
                    let result = result.map(how).map_err(error_code);
                    self.settle(cx, file, result, true)?;
                }
                Ok(())
            }
            Ok(Outcome::Metas(metas)) => {
                let min = cx.config.limits.journal_min;
                let mut journals = metas.get(batch.len()..).unwrap_or_default().iter();
                for file in &batch {
                    if let Some(node) = self.nodes.get_mut(file)
                        && is_journaled(node.size, min)
                    {
                        node.has_journal = journals.next().is_some_and(Result::is_ok);
                    }
                }
                for (file, meta) in batch.into_iter().zip(metas) {
                    self.looked_at(cx, file, meta)?;
                }
                self.want_more();
                Ok(())
            }
            result => {
                let code = result.err().map_or(ErrorCode::Io, error_code);
                for file in batch {
                    self.settle(cx, file, Err(code), true)?;
                }
                Ok(())
            }
        }
    }

    /// What stands where a file shall: the same, something else, or nothing.
    fn looked_at(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        target: Result<Meta, FileError>,
    ) -> Result<(), Fault> {
        let open = self.nodes.get_mut(&file);
        let Some(node) = open.filter(|node| node.outcome.is_none()) else {
            return Ok(());
        };
        if let Some(code) = node.failed {
            return self.settle(cx, file, Err(code), false);
        }
        match target {
            Err(FileError::NotFound) => node.has_journal = false,
            Err(error) => return self.settle(cx, file, Err(error_code(error)), true),
            Ok(meta) => {
                if !node.same().is(&meta) {
                    // Its journal is that of what comes now.
                    node.has_journal = false;
                } else if !node.has_journal {
                    return self.settle(cx, file, Ok(StoredAs::Unchanged), true);
                }
            }
        }
        if node.is_large() {
            self.set_state(file, State::Large);
            self.begin.push_back(file);
        } else {
            self.set_state(file, State::Gathering);
            self.want.push_back(file);
        }
        Ok(())
    }
}
