//! The tree against a list of blocks and BLAKE3's own definition of a tree.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    /// A block of a piece, with one of two values.
    Insert {
        piece: u64,
        block: u64,
        good: bool,
    },
    /// All blocks of a piece that are not there, from one of them on round to the one before, upwards or downwards.
    Fill {
        piece: u64,
        from: u64,
        down: bool,
    },
    Confirm(u64),
    Reopen(u64),
}

fn op() -> impl Strategy<Value = Op> {
    // One piece more than there ever is.
    let piece = || 0..7_u64;
    prop_oneof![
        4 => (piece(), 0..PIECE_BLOCKS, any::<bool>())
            .prop_map(|(piece, block, good)| Op::Insert { piece, block, good }),
        3 => (piece(), 0..PIECE_BLOCKS, any::<bool>())
            .prop_map(|(piece, from, down)| Op::Fill { piece, from, down }),
        3 => piece().prop_map(Op::Confirm),
        1 => piece().prop_map(Op::Reopen),
    ]
}

fn size() -> impl Strategy<Value = u64> {
    let block = u64::from(BLOCK_SIZE);
    prop_oneof![
        0..=block,
        block..=PIECE_SIZE,
        PIECE_SIZE..6 * PIECE_SIZE,
        (1..6_u64).prop_map(|pieces| pieces * PIECE_SIZE),
    ]
}

/// BLAKE3 §2.1: the left subtree is the largest complete one that leaves something for the right one.
fn subtree(values: &[Value], root: bool) -> Value {
    let [left, .., _] = values else {
        return values[0];
    };
    let mut split = 1;
    while split * 2 < values.len() {
        split *= 2;
    }
    let left = if split == 1 {
        *left
    } else {
        subtree(&values[..split], false)
    };
    let right = subtree(&values[split..], false);
    if root {
        *merge_subtrees_root(&left, &right, Mode::Hash).as_bytes()
    } else {
        merge_subtrees_non_root(&left, &right, Mode::Hash)
    }
}

struct Model {
    size: u64,
    blocks: BTreeMap<u64, Value>,
    confirmed: Vec<bool>,
}

impl Model {
    fn range(&self, piece: u64) -> core::ops::Range<u64> {
        let count = block_count(self.size);
        let start = (piece * PIECE_BLOCKS).min(count);
        start..(start + PIECE_BLOCKS).min(count)
    }

    fn value(&self, piece: u64) -> Option<Value> {
        let range = self.range(piece);
        let values: Option<Vec<_>> = range.map(|b| self.blocks.get(&b).copied()).collect();
        values.filter(|v| !v.is_empty()).map(|v| subtree(&v, false))
    }

    /// Pieces that are confirmed with all before them: these are out of reach.
    fn merged(&self) -> u64 {
        self.confirmed.iter().take_while(|c| **c).count() as u64
    }

    fn root(&self) -> Option<Value> {
        let count = block_count(self.size);
        if count == 0 {
            return Some(*blake3::hash(&[]).as_bytes());
        }
        let values: Option<Vec<_>> = (0..count).map(|b| self.blocks.get(&b).copied()).collect();
        let confirmed = self.confirmed.len() == 1 || self.confirmed.iter().all(|c| *c);
        values
            .filter(|_| confirmed)
            .map(|values| subtree(&values, true))
    }

    fn insert(&mut self, tree: &mut HashTree, block: u64, good: bool) {
        let value = [block as u8 * 2 + u8::from(good); 32];
        let piece = block / PIECE_BLOCKS;
        let fresh = block < block_count(self.size) && !self.blocks.contains_key(&block);
        let completed = tree.insert(block, value);
        if fresh {
            self.blocks.insert(block, value);
        }
        let several = self.confirmed.len() > 1;
        let whole = self.value(piece).filter(|_| fresh && several);
        assert_eq!(completed, whole.map(|value| (piece, value)));
    }

    fn apply(&mut self, tree: &mut HashTree, op: &Op) {
        match *op {
            Op::Insert { piece, block, good } => {
                self.insert(tree, piece * PIECE_BLOCKS + block, good);
            }
            Op::Fill { piece, from, down } => {
                for step in 0..PIECE_BLOCKS {
                    let step = if down { PIECE_BLOCKS - step } else { step };
                    let block = (from + step) % PIECE_BLOCKS;
                    self.insert(tree, piece * PIECE_BLOCKS + block, true);
                }
            }
            // Only a piece of several is ever confirmed; only one that has not joined the root is reopened.
            Op::Confirm(piece) if self.confirmed.len() > 1 => {
                tree.confirm(piece);
                if self.value(piece).is_some() {
                    self.confirmed[piece as usize] = true;
                }
            }
            Op::Reopen(piece) if piece >= self.merged() && piece_count(self.size) > piece => {
                tree.reopen(piece);
                for block in self.range(piece) {
                    self.blocks.remove(&block);
                }
                self.confirmed[piece as usize] = false;
            }
            Op::Confirm(_) | Op::Reopen(_) => {}
        }
    }

    fn check(&self, tree: &HashTree) {
        assert_eq!(tree.merged(), self.merged());
        assert_eq!(tree.root(), self.root());
        assert_eq!(tree.root_ref(), self.root().as_ref());
        if self.confirmed.len() < 2 {
            return;
        }
        for piece in 0..self.confirmed.len() as u64 + 1 {
            let value = self.value(piece).filter(|_| piece >= self.merged());
            assert_eq!(tree.piece(piece), value, "piece {piece}");
        }
        // Memory: a slot for each piece from the first unmerged one to the last begun one.
        assert!(tree.slots.len() as u64 + tree.merged() <= self.confirmed.len() as u64);
        let before_last = tree.merged().saturating_sub(1);
        assert!(tree.stack.len() as u32 <= before_last.count_ones() + 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn behaves_like_a_list_of_blocks(size in size(), ops in prop::collection::vec(op(), 0..50)) {
        let mut tree = HashTree::new(size);
        let mut model = Model {
            size,
            blocks: BTreeMap::new(),
            confirmed: vec![false; piece_count(size) as usize],
        };
        model.check(&tree);
        for op in &ops {
            model.apply(&mut tree, op);
            model.check(&tree);
        }
        // Whatever came before, the rest can always come.
        for piece in 0..piece_count(size) {
            let mut rest = vec![Op::Fill { piece, from: 5, down: true }];
            rest.push(Op::Confirm(piece));
            for op in &rest {
                model.apply(&mut tree, op);
                model.check(&tree);
            }
        }
        prop_assert!(tree.root().is_some());
    }
}
