//! A source's file operations: which one is next, and what came of it.

use core::ops::Range;

use super::{Check, LOST_BLOCKS_SEEN, PieceOut, SIZE_MAX, Source};
use crate::fault::Fault as Planted;
use crate::file::{
    BLOCK_SIZE, Block, FileError, HashAs, HashTree, Meta, Operation, Outcome, PIECE_SIZE, Use,
    Value, block_count, block_hash, block_len,
};
use crate::transfer::codes::{Fault, check_regular};
use crate::transfer::delivery::Delivery;
use crate::transfer::{Context, OpKind};
use crate::wire::ErrorCode;

/// What a source does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    Nothing,
    Open,
    Check { whole: bool },
    Read { index: u64, again: bool },
}

impl Source {
    fn next_step(&self, read_ahead: u32) -> Next {
        let Some(meta) = &self.meta else {
            return if self.opened {
                Next::Nothing
            } else {
                Next::Open
            };
        };
        let all_read = self.tree.root().is_some();
        let away = self.lost_and_away().or_else(|| self.unsent_and_away());
        let first_unsent = self.first_unsent();
        let check_due = away.is_some() || (self.go && all_read && !self.is_verified());
        match self.check {
            Check::Needed if check_due => return Next::Check { whole: all_read },
            Check::Passed { whole: false } if all_read && !self.is_verified() => {
                return Next::Check { whole: true };
            }
            Check::Passed { .. } => {
                let may_take = |index: &u64| self.held.may_take(*index, first_unsent, &self.lost);
                if let Some(index) = away.filter(may_take) {
                    return Next::Read { index, again: true };
                }
            }
            Check::Needed | Check::Out { .. } => {}
        }
        // What the sink has is not known before it has accepted.
        let known = self.accepted || meta.size <= PIECE_SIZE;
        let more = self.go && known && self.next_read < block_count(meta.size);
        let near = self.next_read < first_unsent + u64::from(read_ahead.max(1));
        if more
            && near
            && self
                .held
                .may_read_on(self.next_read, first_unsent, &self.lost)
        {
            return Next::Read {
                index: self.next_read,
                again: false,
            };
        }
        Next::Nothing
    }

    /// Whether [`poll_op`](Self::poll_op) has something.
    pub(in crate::transfer) fn has_op(&self, read_ahead: u32) -> bool {
        if self.closing {
            return self.ops_out == 0 && self.file.is_some();
        }
        self.next_step(read_ahead) != Next::Nothing
    }

    /// The next operation to lend.
    pub(in crate::transfer) fn poll_op(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Option<(OpKind, Operation)> {
        let read_ahead = cx.config.limits.read_ahead_blocks;
        if !self.has_op(read_ahead) {
            return None;
        }
        let op = if self.closing {
            (
                OpKind::Close,
                Operation::Close {
                    file: self.file.take()?,
                },
            )
        } else {
            match self.next_step(read_ahead) {
                Next::Nothing => return None,
                Next::Open => self.open(cx),
                Next::Check { whole } => {
                    self.check = Check::Out { whole };
                    (OpKind::Check, Operation::StatOpen { file: self.file? })
                }
                Next::Read { index, again } => self.read(cx, index, again)?,
            }
        };
        self.ops_out += 1;
        Some(op)
    }

    fn open(&mut self, cx: &mut Context<'_>) -> (OpKind, Operation) {
        let file = cx.allot_file();
        self.opened = true;
        self.file = Some(file);
        let (root, path) = (self.place.root, self.place.path.clone());
        (OpKind::Open, Operation::Open { root, path, file })
    }

    fn read(
        &mut self,
        cx: &mut Context<'_>,
        index: u64,
        again: bool,
    ) -> Option<(OpKind, Operation)> {
        let (file, size, unsent) = (self.file?, self.size(), self.first_unsent());
        let block = self.held.take(cx.pool, index, unsent, &self.lost)?;
        if !again {
            self.next_read += 1;
            self.skip_reading();
        }
        let op = Operation::Read {
            file,
            offset: index * u64::from(BLOCK_SIZE),
            len: block_len(size, index),
            block,
            hash: if again {
                HashAs::Nothing
            } else {
                block_hash(size)
            },
        };
        Some((OpKind::Read { index, again }, op))
    }

    /// An operation came home.
    pub(in crate::transfer) fn handle_done(
        &mut self,
        cx: &mut Context<'_>,
        tag: OpKind,
        block: Option<Block>,
        result: Result<Outcome, FileError>,
    ) -> Result<(), Fault> {
        self.ops_out = self.ops_out.saturating_sub(1);
        match (tag, block) {
            (OpKind::Read { index, .. }, Some(block)) if !self.closing => {
                self.held.fill(index, block)
            }
            (_, Some(block)) => cx.pool.put(Use::Source, block),
            _ => {}
        }
        if tag == OpKind::Open && result.is_err() {
            self.file = None;
        }
        let outcome = if self.closing {
            Ok(())
        } else {
            self.done(tag, result)
        };
        self.settle(cx);
        outcome
    }

    fn done(&mut self, tag: OpKind, result: Result<Outcome, FileError>) -> Result<(), Fault> {
        match (tag, result?) {
            (OpKind::Open, Outcome::Meta(meta)) => {
                check_regular(meta.kind)?;
                let expected = self.expected.unwrap_or((meta.size, meta.version));
                if expected != (meta.size, meta.version) {
                    return Err(Fault::Transfer(ErrorCode::SourceChanged));
                }
                if meta.size > SIZE_MAX {
                    return Err(Fault::Transfer(ErrorCode::TooLarge));
                }
                self.tree = HashTree::new(meta.size);
                self.meta = Some(meta);
                self.skip_had();
                Ok(())
            }
            (OpKind::Check, Outcome::Meta(meta)) => self.checked(&meta),
            (OpKind::Read { index, again }, Outcome::Moved { len, value }) => {
                if len != block_len(self.size(), index) {
                    return Err(Fault::Transfer(ErrorCode::SourceChanged));
                }
                if !again {
                    self.hashed(index, value);
                }
                Ok(())
            }
            _ => Err(Fault::Transfer(ErrorCode::Io)),
        }
    }

    fn checked(&mut self, now: &Meta) -> Result<(), Fault> {
        let changed = self
            .meta
            .is_none_or(|then| then.version != now.version || then.size != now.size);
        if changed && !self.faults.strikes(Planted::VersionUnchecked) {
            return Err(Fault::Transfer(ErrorCode::SourceChanged));
        }
        if let Check::Out { whole } = self.check {
            self.check = Check::Passed { whole };
            if whole && !self.is_verified() {
                self.seal = Delivery::Due;
            }
        }
        Ok(())
    }

    fn hashed(&mut self, index: u64, value: Value) {
        if let Some((index, value)) = self.tree.insert(index, value) {
            self.tree.confirm(index);
            self.skip_hashing();
            self.pieces.push_back(PieceOut {
                index,
                value,
                delivery: Delivery::Due,
            });
        }
    }

    /// The first lost block whose bytes are not here.
    fn lost_and_away(&self) -> Option<u64> {
        self.lost_blocks().find(|&index| !self.held.contains(index))
    }

    /// The first block that was read ahead, given away with the source's memory, and may be sent.
    fn unsent_and_away(&self) -> Option<u64> {
        let mut ahead = self.first_unsent()..self.given_away;
        ahead
            .find(|&index| !self.held.contains(index) && !self.is_had(index))
            .filter(|_| self.may_go_on())
    }

    /// The first blocks of which bytes are lost, in order; some twice.
    fn lost_blocks(&self) -> impl Iterator<Item = u64> + '_ {
        let block = u64::from(BLOCK_SIZE);
        let blocks = move |range: Range<u64>| range.start / block..range.end.div_ceil(block);
        self.lost.iter().flat_map(blocks).take(LOST_BLOCKS_SEEN)
    }
}
