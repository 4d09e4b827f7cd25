//! The hash of a whole file, read on the disk's threads: no block of the pool is needed, and no byte travels.

use super::codes::{Fault, check_regular};
use super::delivery::Delivery;
use super::{Context, OpKind, Place};
use crate::file::{
    BLOCK_SIZE, FileError, HashTree, Meta, Operation, Outcome, PIECE_BLOCKS, PIECE_SIZE, ReadFile,
    Value, block_hash, piece_count,
};
use crate::id::FileId;
use crate::wire::{ErrorCode, FilePath};

/// Bytes that one operation hashes: so many that asking costs little, so few that a disk serves others between two.
const SPAN: u64 = 4 * PIECE_SIZE;

/// Operations on loan at once: a disk that can read in parallel does. It also bounds how far ahead of the first unmerged
/// piece values are kept.
const SPANS_OUT: u32 = 4;

/// The hash of an open file.
#[derive(Debug)]
pub(super) struct Summing {
    size: u64,
    tree: HashTree,
    /// First byte that was not asked for.
    next: u64,
    /// Bytes that were hashed.
    done: u64,
    out: u32,
}

impl Summing {
    /// Of a file of `size` bytes.
    pub(super) fn new(size: u64) -> Self {
        Self {
            size,
            tree: HashTree::new(size),
            next: 0,
            done: 0,
            out: 0,
        }
    }

    /// The root, when all was read.
    pub(super) fn root(&self) -> Option<Value> {
        self.tree.root()
    }

    /// As [`root`](Self::root).
    pub(super) fn root_ref(&self) -> Option<&Value> {
        self.tree.root_ref()
    }

    pub(super) fn has_op(&self) -> bool {
        let merged = self.tree.merged().saturating_mul(PIECE_SIZE);
        let ahead = self.next.saturating_sub(merged);
        self.next < self.size && self.out < SPANS_OUT && ahead < u64::from(SPANS_OUT) * SPAN
    }

    pub(super) fn poll_op(&mut self, file: FileId) -> Option<(OpKind, Operation)> {
        if !self.has_op() {
            return None;
        }
        let offset = self.next;
        let len = SPAN.min(self.size - offset);
        self.next += len;
        self.out += 1;
        let (index, again) = (offset / u64::from(BLOCK_SIZE), false);
        let hash = block_hash(self.size);
        let operation = Operation::Hash {
            file,
            offset,
            len: len as u32,
            hash,
        };
        Some((OpKind::Read { index, again }, operation))
    }

    /// The values of the blocks from `index` on.
    pub(super) fn handle_done(&mut self, index: u64, values: &[Value]) -> Result<(), Fault> {
        self.out = self.out.saturating_sub(1);
        let begin = index.saturating_mul(u64::from(BLOCK_SIZE));
        let len = SPAN.min(self.size.saturating_sub(begin));
        if values.len() as u64 != len.div_ceil(u64::from(BLOCK_SIZE)) {
            // The file has become shorter.
            return Err(Fault::Transfer(ErrorCode::SourceChanged));
        }
        for (block, value) in (index..).zip(values) {
            self.tree.insert(block, *value);
        }
        let first = index / PIECE_BLOCKS;
        for piece in first..(first + SPAN / PIECE_SIZE).min(piece_count(self.size)) {
            self.tree.confirm(piece);
        }
        self.done += len;
        Ok(())
    }
}

/// The hash of the file at a place, which must not change meanwhile.
#[derive(Debug)]
pub(super) struct Digest {
    place: Place,
    /// A symbolic link is expected, and its target's bytes are hashed.
    link: bool,
    /// Their size and hash.
    target: Option<(u64, Value)>,
    /// Open under this number.
    file: Option<FileId>,
    opened: bool,
    meta: Option<Meta>,
    summing: Summing,
    check: Delivery,
    closing: bool,
    ops_out: u32,
    /// ENTRY is to be told.
    pub(super) entry: Delivery,
}

impl Digest {
    /// Of the file at a place, or of the target of the symbolic link there.
    pub(super) fn new(place: Place, link: bool) -> Self {
        Self {
            place,
            link,
            target: None,
            file: None,
            opened: false,
            meta: None,
            summing: Summing::new(0),
            check: Delivery::Unneeded,
            closing: false,
            ops_out: 0,
            entry: Delivery::Unneeded,
        }
    }

    /// What the file is, once it is open.
    pub(super) fn meta(&self) -> Option<&Meta> {
        self.meta.as_ref()
    }

    /// Size and hash, when all was read and the file was the same before and after.
    pub(super) fn result(&self) -> Option<(u64, &Value)> {
        if let Some((size, root)) = &self.target {
            return Some((*size, root));
        }
        let root = self.summing.root_ref();
        root.filter(|_| self.check == Delivery::Done)
            .map(|root| (self.summing.size, root))
    }

    /// Bytes read, bytes of the whole.
    pub(super) fn progress(&self) -> (u64, u64) {
        (self.summing.done, self.summing.size)
    }

    /// Nothing more is read; the file is closed.
    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    /// Whether everything is home and closed.
    pub(super) fn is_closed(&self) -> bool {
        self.closing && self.ops_out == 0 && self.file.is_none()
    }

    fn check_is_due(&self) -> bool {
        !self.link
            && self.meta.is_some()
            && self.summing.root().is_some()
            && self.check == Delivery::Unneeded
    }

    pub(super) fn has_op(&self) -> bool {
        if self.closing {
            return self.ops_out == 0 && self.file.is_some();
        }
        !self.opened || (!self.link && (self.summing.has_op() || self.check_is_due()))
    }

    pub(super) fn poll_op(&mut self, cx: &mut Context<'_>) -> Option<(OpKind, Operation)> {
        if !self.has_op() {
            return None;
        }
        let op = if self.closing {
            let file = self.file.take()?;
            (OpKind::Close, Operation::Close { file })
        } else if self.link {
            self.opened = true;
            let name = self.place.path.name()?.to_vec();
            let link = ReadFile {
                name,
                link: true,
                max: FilePath::MAX_LEN as u32,
            };
            let op = Operation::ReadFiles {
                root: self.place.root,
                path: self.place.path.parent(),
                files: alloc::vec![link],
            };
            (OpKind::Open, op)
        } else if !self.opened {
            self.opened = true;
            let file = cx.allot_file();
            self.file = Some(file);
            let (root, path) = (self.place.root, self.place.path.clone());
            (OpKind::Open, Operation::Open { root, path, file })
        } else if self.check_is_due() {
            self.check = Delivery::Sent;
            (OpKind::Check, Operation::StatOpen { file: self.file? })
        } else {
            self.summing.poll_op(self.file?)?
        };
        self.ops_out += 1;
        Some(op)
    }

    pub(super) fn handle_done(
        &mut self,
        tag: OpKind,
        result: Result<Outcome, FileError>,
    ) -> Result<(), Fault> {
        self.ops_out = self.ops_out.saturating_sub(1);
        if tag == OpKind::Open && result.is_err() {
            self.file = None;
        }
        if self.closing {
            return Ok(());
        }
        match (tag, result?) {
            (OpKind::Open, Outcome::Meta(meta)) => {
                check_regular(meta.kind)?;
                self.summing = Summing::new(meta.size);
                self.meta = Some(meta);
                self.entry = Delivery::Due;
                Ok(())
            }
            (OpKind::Open, Outcome::Contents(mut links)) if self.link => {
                // Another thing than a link fails as one that has changed.
                let link = links.pop().ok_or(Fault::Transfer(ErrorCode::Io))??;
                self.target = Some((link.bytes.len() as u64, link.value));
                self.meta = Some(link.meta);
                self.entry = Delivery::Due;
                self.closing = true;
                Ok(())
            }
            (OpKind::Read { index, .. }, Outcome::Values(values)) => {
                self.summing.handle_done(index, &values)
            }
            (OpKind::Check, Outcome::Meta(now)) => {
                let same = |then: Meta| (then.version, then.size) == (now.version, now.size);
                if !self.meta.is_some_and(same) {
                    return Err(Fault::Transfer(ErrorCode::SourceChanged));
                }
                self.check = Delivery::Done;
                self.closing = true;
                Ok(())
            }
            _ => Err(Fault::Transfer(ErrorCode::Io)),
        }
    }
}
