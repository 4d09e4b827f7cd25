//! Larger files: a sink of its own for each.

use alloc::boxed::Box;

use super::TreeSink;
use crate::file::Value;
use crate::transfer::codes::{Fault, is_passing};
use crate::transfer::sink::{Announced, Plan, Sink};
use crate::transfer::tree::LARGE_MAX;
use crate::transfer::{Context, Place};

impl TreeSink {
    /// Begins larger files, as far as there is memory.
    pub(in crate::transfer) fn begin_large(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        while self.large.len() < LARGE_MAX
            && !self.aborted
            && let Some(&file) = self.begin.front()
        {
            let node = self.nodes.get(&file).filter(|node| node.outcome.is_none());
            let Some((node, path)) = node.and_then(|node| Some((node, self.path_of(node)?))) else {
                self.begin.pop_front();
                continue;
            };
            let announced = Announced {
                size: node.size,
                mtime: node.mtime,
                mode: node.mode,
                version: node.version,
            };
            let plan = Plan {
                to: Place {
                    root: self.plan.to.root,
                    path,
                },
                compare: false,
                waits: true,
                may_replace: self.plan.may_replace,
                durability: self.plan.durability,
                preserve: self.plan.preserve,
                keep_top_mode: false,
                announced: None,
                may_take: self.plan.plain_names,
                tree: false,
            };
            self.units.lend_spare(cx.pool);
            let Ok(sink) = Sink::new(cx, plan) else {
                self.units.regain_spare(cx.pool);
                return Ok(());
            };
            self.begin.pop_front();
            let mut sink = Box::new(sink.numbered(file));
            sink.handle_entry(announced)?;
            self.large.insert(file, sink);
            self.touch(file);
        }
        Ok(())
    }

    /// After something happened to a larger file.
    pub(super) fn large_happened<T>(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        result: Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        let value = match result {
            Ok(value) => Some(value),
            Err(Fault::Transfer(code)) => {
                self.end_large(cx, file, is_passing(code));
                self.settle(cx, file, Err(code), true)?;
                None
            }
            Err(fault) => return Err(fault),
        };
        let stored = self
            .large
            .get(&file)
            .and_then(|sink| Some((sink.stored()?, sink.root())));
        if let Some(((how, durability), root)) = stored {
            self.forget_large(cx, file);
            if let Some(node) = self.nodes.get_mut(&file) {
                node.durability = durability;
                node.root = root;
            }
            self.settle(cx, file, Ok(how), true)?;
        }
        if self.large.get(&file).is_some_and(|sink| sink.is_gone()) {
            self.forget_large(cx, file);
        }
        self.touch(file);
        self.settle_memory(cx);
        Ok(value)
    }

    fn forget_large(&mut self, cx: &mut Context<'_>, file: u32) {
        self.large.remove(&file);
        if !self.aborted {
            self.units.regain_spare(cx.pool);
        }
    }

    /// A larger file comes to nothing; with `keep`, what is there stays for a later transfer.
    pub(super) fn end_large(&mut self, cx: &mut Context<'_>, file: u32, keep: bool) {
        if let Some(sink) = self.large.get_mut(&file) {
            // Too late only when it is being renamed: then it is stored, and nobody hears of it.
            sink.abort(cx, keep);
            if sink.is_gone() || sink.stored().is_some() {
                self.forget_large(cx, file);
            }
        }
        self.touch(file);
    }

    pub(super) fn large_data(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        offset: u64,
        data: &[u8],
    ) -> Result<bool, Fault> {
        let Some(sink) = self.large.get_mut(&file) else {
            return Ok(true);
        };
        let before = sink.owed().moved;
        let taken = sink.handle_data(cx, offset, data);
        self.received += sink.owed().moved - before;
        Ok(self.large_happened(cx, file, taken)?.unwrap_or(true))
    }

    pub(super) fn large_seal(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        size: u64,
        root: Value,
    ) -> Result<(), Fault> {
        let Some(sink) = self.large.get_mut(&file) else {
            return Ok(());
        };
        let sealed = sink.handle_seal(size, root);
        self.large_happened(cx, file, sealed).map(drop)
    }

    /// The source says what a piece's value is; false when it must say so again.
    pub(in crate::transfer) fn handle_piece(
        &mut self,
        cx: &mut Context<'_>,
        file: u64,
        index: u64,
        value: Value,
    ) -> Result<bool, Fault> {
        let file = crate::transfer::tree::number(file)?;
        let Some(sink) = self.large.get_mut(&file) else {
            let open = self
                .nodes
                .get(&file)
                .is_some_and(|node| node.outcome.is_none());
            return if open {
                Err(Fault::VIOLATION)
            } else {
                Ok(true)
            };
        };
        let taken = sink.handle_piece(index, value);
        Ok(self.large_happened(cx, file, taken)?.unwrap_or(true))
    }
}
