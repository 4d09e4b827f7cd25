//! Verification of pieces: what was written against what the source says.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::fault::{Fault as Planted, Faults};
use crate::file::{HashTree, Value, piece_count};
use crate::transfer::codes::Fault;
use crate::wire::ErrorCode;

/// What a value brought to light.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Nothing is wrong so far.
    Fine,
    /// This piece must come once more.
    Again(u64),
}

/// Compares pieces with the source's values and merges those that agree.
#[derive(Debug)]
pub(super) struct Pieces {
    tree: HashTree,
    count: u64,
    /// Pieces from `tree.merged()` on; those behind are not known yet.
    claims: VecDeque<Claim>,
    /// Pieces that were verified since this was last taken, when somebody takes them.
    verified_now: Option<Vec<(u64, Value)>>,
    faults: Faults,
}

#[derive(Clone, Copy, Debug, Default)]
struct Claim {
    value: Option<Value>,
    /// It was asked for once more.
    tried: bool,
}

impl Pieces {
    pub(super) fn new(size: u64, faults: Faults) -> Self {
        Self {
            tree: HashTree::new(size),
            count: piece_count(size),
            claims: VecDeque::new(),
            verified_now: None,
            faults,
        }
    }

    /// Pieces that are verified, with all before them.
    pub(super) fn verified(&self) -> u64 {
        self.tree.merged()
    }

    /// What is verified from now on is kept for [`take_verified`](Self::take_verified).
    pub(super) fn keep_verified(&mut self) {
        self.verified_now = Some(Vec::new());
    }

    /// Pieces that were verified since the last call, and their values.
    pub(super) fn take_verified(&mut self) -> Vec<(u64, Value)> {
        self.verified_now
            .as_mut()
            .map(core::mem::take)
            .unwrap_or_default()
    }

    /// Whether a piece of the file is not there yet.
    pub(super) fn misses(&self, piece: u64) -> bool {
        let merged = self.tree.merged();
        piece < self.count && piece >= merged && !self.tree.is_confirmed(piece)
    }

    /// A piece is there from an earlier transfer.
    pub(super) fn insert_had(&mut self, piece: u64, value: Value) {
        self.tree.insert_piece(piece, value);
    }

    /// A block of a piece that is in doubt was read, and this is its value: whether the piece is what it was, once all of
    /// it was read.
    pub(super) fn read_again(&mut self, block: u64, value: Value, expected: Value) -> Option<bool> {
        let (piece, is) = self.tree.insert(block, value)?;
        if is == expected {
            self.tree.confirm(piece);
        }
        Some(is == expected)
    }

    /// Forgets pieces from this one on.
    pub(super) fn cut(&mut self, piece: u64) {
        self.tree.cut(piece);
    }

    /// The values of the first [`verified`](Self::verified) pieces, as few as possible.
    pub(super) fn subtrees(&self) -> Vec<(u64, u32, Value)> {
        self.tree.subtrees()
    }

    /// Verified pieces behind one that is not.
    pub(super) fn ahead(&self) -> impl Iterator<Item = (u64, Value)> {
        self.tree.ahead()
    }

    /// A block was written, and this is its value.
    pub(super) fn block(&mut self, index: u64, value: Value) -> Result<Verdict, Fault> {
        match self.tree.insert(index, value) {
            Some((piece, _)) => self.judge(piece),
            None => Ok(Verdict::Fine),
        }
    }

    /// The source says that a piece has this value.
    pub(super) fn claim(&mut self, piece: u64, value: Value) -> Result<Verdict, Fault> {
        if self.count < 2 || piece >= self.count {
            return Err(Fault::VIOLATION);
        }
        let Some(claim) = self.slot(piece) else {
            return Ok(Verdict::Fine);
        };
        claim.value.get_or_insert(value);
        self.judge(piece)
    }

    /// Everything is written: compares the hash of the whole with the source's.
    pub(super) fn seal(&mut self, root: Value) -> Result<Verdict, Fault> {
        match self.tree.root() {
            Some(ours) if ours == root => Ok(Verdict::Fine),
            Some(_) if self.faults.strikes(Planted::RootUnchecked) => Ok(Verdict::Fine),
            Some(_) if self.count == 1 => self.again(0),
            _ => Err(Fault::Transfer(ErrorCode::Integrity)),
        }
    }

    /// Whether every piece has joined the root.
    pub(super) fn is_complete(&self) -> bool {
        self.tree.root().is_some()
    }

    fn judge(&mut self, piece: u64) -> Result<Verdict, Fault> {
        let theirs = self.slot(piece).and_then(|claim| claim.value);
        let (Some(ours), Some(theirs)) = (self.tree.piece(piece), theirs) else {
            return Ok(Verdict::Fine);
        };
        if ours != theirs && !self.faults.strikes(Planted::PieceUnchecked) {
            return self.again(piece);
        }
        if let Some(verified) = &mut self.verified_now {
            verified.push((piece, ours));
        }
        let before = self.tree.merged();
        self.tree.confirm(piece);
        let merged = (self.tree.merged() - before) as usize;
        self.claims.drain(..merged.min(self.claims.len()));
        Ok(Verdict::Fine)
    }

    fn again(&mut self, piece: u64) -> Result<Verdict, Fault> {
        match self.slot(piece) {
            Some(claim) if !claim.tried => claim.tried = true,
            _ => return Err(Fault::Transfer(ErrorCode::Integrity)),
        }
        self.tree.reopen(piece);
        Ok(Verdict::Again(piece))
    }

    fn slot(&mut self, piece: u64) -> Option<&mut Claim> {
        let place = piece.checked_sub(self.tree.merged())? as usize;
        if place >= self.claims.len() {
            self.claims.resize(place + 1, Claim::default());
        }
        self.claims.get_mut(place)
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::{BLOCK_SIZE, HashAs, PIECE_SIZE, block_value};
    use alloc::vec;

    const INTEGRITY: Result<Verdict, Fault> = Err(Fault::Transfer(ErrorCode::Integrity));

    #[test]
    fn a_wrong_piece_comes_once_more_and_then_fails() {
        let mut pieces = Pieces::new(PIECE_SIZE + 1, Faults::default());
        assert_eq!(pieces.claim(0, [1; 32]), Ok(Verdict::Fine));
        for _ in 0..2 {
            for block in 0..15 {
                assert_eq!(pieces.block(block, [2; 32]), Ok(Verdict::Fine));
            }
            let verdict = pieces.block(15, [2; 32]);
            if verdict == INTEGRITY {
                return;
            }
            assert_eq!(verdict, Ok(Verdict::Again(0)));
        }
        unreachable!("the second mismatch must fail");
    }

    #[test]
    fn values_may_come_before_or_after_the_bytes() {
        let content = vec![7; 2 * PIECE_SIZE as usize + 9];
        let size = content.len() as u64;
        let value = |index: u64, bytes: &[u8]| {
            block_value(bytes, index * u64::from(BLOCK_SIZE), HashAs::Subtree)
        };
        let mut source = HashTree::new(size);
        let mut sink = Pieces::new(size, Faults::default());
        for (index, bytes) in content.chunks(BLOCK_SIZE as usize).enumerate() {
            let index = index as u64;
            let whole = source.insert(index, value(index, bytes));
            if let Some((piece @ 0, value)) = whole {
                assert_eq!(sink.claim(piece, value), Ok(Verdict::Fine));
            }
            assert_eq!(sink.block(index, value(index, bytes)), Ok(Verdict::Fine));
            if let Some((piece @ 1.., value)) = whole {
                assert_eq!(sink.claim(piece, value), Ok(Verdict::Fine));
            }
        }
        assert!(sink.is_complete());
        assert_eq!(
            sink.seal(*blake3::hash(&content).as_bytes()),
            Ok(Verdict::Fine)
        );
        assert_eq!(sink.seal([0; 32]), INTEGRITY);
    }

    #[test]
    fn claims_outside_the_file_break_the_protocol() {
        assert_eq!(
            Pieces::new(PIECE_SIZE, Faults::default()).claim(0, [0; 32]),
            Err(Fault::VIOLATION)
        );
        assert_eq!(
            Pieces::new(PIECE_SIZE + 1, Faults::default()).claim(2, [0; 32]),
            Err(Fault::VIOLATION)
        );
    }
}
