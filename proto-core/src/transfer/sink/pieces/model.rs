//! Against what each piece's blocks and claims were.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::file::{BLOCK_SIZE, PIECE_BLOCKS, PIECE_SIZE, block_count};

#[derive(Clone, Debug)]
enum Op {
    /// A block was written, with the right value or another.
    Block { piece: u64, block: u64, good: bool },
    /// All blocks of a piece that are not there were written, one of them perhaps wrong.
    Rest { piece: u64, wrong: Option<u64> },
    /// The source says what a piece's value is, rightly or not.
    Claim { piece: u64, good: bool },
    /// The source says what the root is.
    Seal { good: bool },
}

fn op() -> impl Strategy<Value = Op> {
    let piece = || 0..4_u64;
    let good = || prop::bool::weighted(0.93);
    prop_oneof![
        4 => (piece(), 0..PIECE_BLOCKS, good())
            .prop_map(|(piece, block, good)| Op::Block { piece, block, good }),
        5 => (piece(), prop::option::weighted(0.1, 0..PIECE_BLOCKS))
            .prop_map(|(piece, wrong)| Op::Rest { piece, wrong }),
        5 => (piece(), good()).prop_map(|(piece, good)| Op::Claim { piece, good }),
        1 => good().prop_map(|good| Op::Seal { good }),
    ]
}

const INTEGRITY: Fault = Fault::Transfer(ErrorCode::Integrity);

#[derive(Clone, Default)]
struct Piece {
    /// Blocks that are there, and whether they are right.
    blocks: BTreeMap<u64, bool>,
    claim: Option<bool>,
    tried: bool,
    agreed: bool,
}

struct Model {
    size: u64,
    pieces: Vec<Piece>,
    /// What a source that has the file computes.
    values: BTreeMap<u64, Value>,
    root: Value,
}

fn value(block: u64, good: bool) -> Value {
    [block as u8 * 2 + u8::from(good); 32]
}

impl Model {
    fn new(size: u64) -> Self {
        let mut source = HashTree::new(size);
        let mut values = BTreeMap::new();
        for block in 0..block_count(size) {
            if let Some((piece, value)) = source.insert(block, value(block, true)) {
                values.insert(piece, value);
                source.confirm(piece);
            }
        }
        let root = source.root().expect("every block is there");
        let pieces = vec![Piece::default(); piece_count(size) as usize];
        Self {
            size,
            pieces,
            values,
            root,
        }
    }

    fn blocks_of(&self, piece: u64) -> usize {
        let before = piece * PIECE_BLOCKS;
        block_count(self.size)
            .saturating_sub(before)
            .min(PIECE_BLOCKS) as usize
    }

    fn verified(&self) -> u64 {
        self.pieces.iter().take_while(|piece| piece.agreed).count() as u64
    }

    fn again(&mut self, piece: u64) -> Result<Verdict, Fault> {
        let of = &mut self.pieces[piece as usize];
        of.blocks.clear();
        if core::mem::replace(&mut of.tried, true) {
            return Err(INTEGRITY);
        }
        Ok(Verdict::Again(piece))
    }

    fn judge(&mut self, piece: u64) -> Result<Verdict, Fault> {
        let blocks = self.blocks_of(piece);
        let of = &mut self.pieces[piece as usize];
        let Some(claim) = of.claim.filter(|_| of.blocks.len() == blocks) else {
            return Ok(Verdict::Fine);
        };
        if claim && of.blocks.values().all(|good| *good) {
            of.agreed = true;
            return Ok(Verdict::Fine);
        }
        self.again(piece)
    }

    fn block(&mut self, piece: u64, block: u64, good: bool) -> Result<Verdict, Fault> {
        if block >= self.blocks_of(piece) as u64 {
            return Ok(Verdict::Fine);
        }
        let of = &mut self.pieces[piece as usize];
        if of.blocks.contains_key(&block) {
            return Ok(Verdict::Fine);
        }
        of.blocks.insert(block, good);
        if self.pieces.len() == 1 {
            return Ok(Verdict::Fine);
        }
        self.judge(piece)
    }

    fn claim(&mut self, piece: u64, good: bool) -> Result<Verdict, Fault> {
        if self.pieces.len() < 2 || piece as usize >= self.pieces.len() {
            return Err(Fault::VIOLATION);
        }
        self.pieces[piece as usize].claim.get_or_insert(good);
        self.judge(piece)
    }

    fn is_complete(&self) -> bool {
        match &self.pieces[..] {
            [only] => only.blocks.len() == self.blocks_of(0),
            several => several.iter().all(|piece| piece.agreed),
        }
    }

    fn seal(&mut self, good: bool) -> Result<Verdict, Fault> {
        let right = self
            .pieces
            .iter()
            .all(|piece| piece.blocks.values().all(|good| *good));
        if !self.is_complete() {
            return Err(INTEGRITY);
        }
        match (good && right, self.pieces.len()) {
            (true, _) => Ok(Verdict::Fine),
            (false, 1) => self.again(0),
            (false, _) => Err(INTEGRITY),
        }
    }

    /// Does the same to both; an error ends the file.
    fn apply(&mut self, sink: &mut Pieces, op: &Op) -> Result<Verdict, Fault> {
        let block = |model: &mut Self, sink: &mut Pieces, piece: u64, block: u64, good| {
            let number = piece * PIECE_BLOCKS + block;
            let result = sink.block(number, value(number, good));
            assert_eq!(result, model.block(piece, block, good));
            result
        };
        match *op {
            Op::Block {
                piece,
                block: at,
                good,
            } => block(self, sink, piece, at, good),
            Op::Rest { piece, wrong } => {
                for at in 0..PIECE_BLOCKS {
                    block(self, sink, piece, at, wrong != Some(at))?;
                }
                Ok(Verdict::Fine)
            }
            Op::Claim { piece, good } => {
                let right = self.values.get(&piece).copied().unwrap_or_default();
                let result = sink.claim(piece, if good { right } else { [7; 32] });
                assert_eq!(result, self.claim(piece, good));
                result
            }
            Op::Seal { good } if self.is_complete() || !good => {
                let result = sink.seal(if good { self.root } else { [7; 32] });
                assert_eq!(result, self.seal(good));
                result
            }
            Op::Seal { .. } => Ok(Verdict::Fine),
        }
    }
}

proptest! {
    /// I1: a piece counts only when it is what the source says; the first mismatch asks once more, the second is the end.
    #[test]
    fn behaves_like_a_table_of_pieces(
        size in prop_oneof![
            1..=u64::from(BLOCK_SIZE),
            1..=PIECE_SIZE,
            PIECE_SIZE..4 * PIECE_SIZE,
        ],
        ops in prop::collection::vec(op(), 0..60),
    ) {
        let (mut sink, mut model) = (Pieces::new(size, Faults::default()), Model::new(size));
        for op in &ops {
            if model.apply(&mut sink, op).is_err() {
                return Ok(());
            }
            prop_assert_eq!(sink.is_complete(), model.is_complete());
            if model.pieces.len() > 1 {
                prop_assert_eq!(sink.verified(), model.verified());
                // Claims are remembered for what is not verified only.
                prop_assert!(sink.claims.len() as u64 + sink.verified() <= model.pieces.len() as u64);
            }
        }
    }
}
