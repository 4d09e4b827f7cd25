//! The file operations of a directory on its way out.

use super::TreeSource;
use crate::file::{Block, FileError, Operation, Outcome, Use};
use crate::transfer::codes::Fault;
use crate::transfer::{Context, OpKind, OpTag};

impl TreeSource {
    /// Whether [`poll_op`](Self::poll_op) has something.
    pub(in crate::transfer) fn has_op(&self) -> bool {
        if !self.working.is_empty() {
            return true;
        }
        if self.closing {
            return false;
        }
        !self.looked || self.may_list() || self.may_read()
    }

    fn may_list(&self) -> bool {
        self.meta.is_some() && self.may_find_more() && self.walk.wants_page().is_some()
    }

    /// The next operation to lend.
    pub(in crate::transfer) fn poll_op(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Result<Option<(OpTag, Operation)>, Fault> {
        let op = self.next_op(cx)?;
        self.ops_out += u32::from(op.as_ref().is_some_and(|(tag, _)| !is_of_large(tag.kind)));
        Ok(op)
    }

    fn next_op(&mut self, cx: &mut Context<'_>) -> Result<Option<(OpTag, Operation)>, Fault> {
        while let Some(&file) = self.working.first() {
            let polled = self
                .large
                .get_mut(&file)
                .and_then(|source| source.poll_op(cx));
            self.touch(cx, file);
            if let Some((kind, op)) = polled {
                return Ok(Some((OpTag { file, kind }, op)));
            }
            self.working.remove(&file);
        }
        if self.closing {
            return Ok(None);
        }
        let root = self.place.root;
        if !self.looked {
            self.looked = true;
            let path = self.place.path.clone();
            return Ok(Some((
                OpTag::one(OpKind::Step),
                Operation::Stat { root, path },
            )));
        }
        if self.may_list()
            && let Some((path, cursor)) = self.walk.wants_page()
        {
            let op = Operation::List {
                root,
                path: path.clone(),
                cursor,
                max: cx.config.limits.page,
                versions: true,
                filter: self.filter.clone(),
            };
            let (file, kind) = (self.walk.lend(), OpKind::Page);
            return Ok(Some((OpTag { file, kind }, op)));
        }
        Ok(self.read_batch(cx))
    }

    /// An operation came home.
    pub(in crate::transfer) fn handle_done(
        &mut self,
        cx: &mut Context<'_>,
        tag: OpTag,
        block: Option<Block>,
        result: Result<Outcome, FileError>,
    ) -> Result<(), Fault> {
        if is_of_large(tag.kind) {
            return self.large_done(cx, tag, block, result);
        }
        if let Some(block) = block {
            cx.pool.put(Use::Source, block);
        }
        self.ops_out = self.ops_out.saturating_sub(1);
        let done = match tag.kind {
            OpKind::Batch => self.batch_done(cx, tag.file, result),
            _ if self.closing => Ok(()),
            OpKind::Page => self.page_done(cx, tag.file, result),
            _ => self.looked_at(result),
        };
        self.settle_memory(cx);
        done
    }
}

/// Whether the operation is that of a larger file.
fn is_of_large(kind: OpKind) -> bool {
    matches!(
        kind,
        OpKind::Open | OpKind::Check | OpKind::Read { .. } | OpKind::Close
    )
}
