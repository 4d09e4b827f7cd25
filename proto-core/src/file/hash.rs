//! BLAKE3 over blocks: subtree values computed wherever the bytes are, merged into pieces and a root.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use blake3::Hasher;
use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

use super::{BLOCK_SIZE, HashAs};

/// Size of a piece in bytes: the unit of verification on the way (`docs/PROTOCOL.md`).
pub const PIECE_SIZE: u64 = 1 << 20;

/// Blocks of a whole piece.
pub(crate) const PIECE_BLOCKS: u64 = PIECE_SIZE / BLOCK_SIZE as u64;

/// A BLAKE3 chaining value or root.
pub(crate) type Value = [u8; 32];

/// What an executor returns with a `Read` or `Write` of `bytes` at `offset` of a file: a pure function.
///
/// `offset` is a multiple of [`BLOCK_SIZE`](super::BLOCK_SIZE) and `bytes` at most one block, not empty for
/// [`HashAs::Subtree`]; otherwise the answer is zeros.
#[must_use]
pub fn block_value(bytes: &[u8], offset: u64, hash: HashAs) -> [u8; 32] {
    match hash {
        HashAs::Nothing => [0; 32],
        HashAs::Root => *blake3::hash(bytes).as_bytes(),
        HashAs::Subtree => {
            let aligned = offset.is_multiple_of(u64::from(BLOCK_SIZE));
            if bytes.is_empty() || bytes.len() > BLOCK_SIZE as usize || !aligned {
                return [0; 32];
            }
            let mut hasher = Hasher::new();
            hasher.set_input_offset(offset);
            hasher.update(bytes);
            hasher.finalize_non_root()
        }
    }
}

/// Blocks of a file of `size` bytes.
pub(crate) fn block_count(size: u64) -> u64 {
    size.div_ceil(u64::from(BLOCK_SIZE))
}

/// Pieces of a file of `size` bytes.
pub(crate) fn piece_count(size: u64) -> u64 {
    size.div_ceil(PIECE_SIZE)
}

/// Bytes of the block `index` of a file of `size` bytes; 0 behind its end.
pub(crate) fn block_len(size: u64, index: u64) -> u32 {
    let start = index.saturating_mul(u64::from(BLOCK_SIZE));
    size.saturating_sub(start).min(u64::from(BLOCK_SIZE)) as u32
}

/// What an executor shall compute of the blocks of a file of `size` bytes.
pub(crate) fn block_hash(size: u64) -> HashAs {
    if size <= u64::from(BLOCK_SIZE) {
        HashAs::Root
    } else {
        HashAs::Subtree
    }
}

/// Merges the values of a file's blocks into those of its pieces, and these into the root.
///
/// Blocks may come in any order. A piece joins the root when it was [confirmed](Self::confirm) and all before it
/// were; until then it takes a slot, and the caller bounds how far ahead of [`merged`](Self::merged) blocks may come.
/// A file of one piece has no piece value, only a root.
#[derive(Debug)]
pub(crate) struct HashTree {
    size: u64,
    /// Pieces from `merged` on.
    slots: VecDeque<Slot>,
    merged: u64,
    /// Subtrees of the merged pieces, from the left: the last piece, and one for each bit that is set in the number of
    /// those before it.
    stack: Vec<Value>,
    root: Option<Value>,
}

#[derive(Clone, Debug)]
struct Slot {
    /// One bit for each block whose value is there.
    have: u16,
    confirmed: bool,
    /// The blocks' values; the piece's value in the first place when the piece is whole.
    values: [Value; PIECE_BLOCKS as usize],
}

const EMPTY_SLOT: Slot = Slot {
    have: 0,
    confirmed: false,
    values: [[0; 32]; PIECE_BLOCKS as usize],
};

impl HashTree {
    /// The tree of a file of `size` bytes. That of an empty file is complete at once.
    pub(crate) fn new(size: u64) -> Self {
        Self {
            size,
            slots: VecDeque::new(),
            merged: 0,
            stack: Vec::new(),
            root: (size == 0).then(|| *blake3::hash(&[]).as_bytes()),
        }
    }

    /// Takes the value of a block, computed as [`block_hash`] says, and returns the piece that it completes, if the
    /// file has more than one. A block that is there already, or behind the end, changes nothing.
    pub(crate) fn insert(&mut self, block: u64, value: Value) -> Option<(u64, Value)> {
        if block >= block_count(self.size) || self.root.is_some() {
            return None;
        }
        if self.size <= u64::from(BLOCK_SIZE) {
            self.root = Some(value);
            return None;
        }
        let piece = block / PIECE_BLOCKS;
        let place = piece.checked_sub(self.merged)? as usize;
        if place >= self.slots.len() {
            self.slots.resize(place + 1, EMPTY_SLOT);
        }
        let blocks = self.blocks_of(piece);
        let slot = self.slots.get_mut(place)?;
        let within = (block % PIECE_BLOCKS) as usize;
        if slot.have & (1 << within) != 0 {
            return None;
        }
        slot.have |= 1 << within;
        slot.values[within] = value;
        if slot.have.count_ones() as usize != blocks {
            return None;
        }
        if piece_count(self.size) == 1 {
            self.root = Some(merge_level_by_level(&mut slot.values[..blocks], true));
            return None;
        }
        let value = merge_level_by_level(&mut slot.values[..blocks], false);
        slot.values[0] = value;
        Some((piece, value))
    }

    /// The value of a whole piece that is not merged yet.
    pub(crate) fn piece(&self, piece: u64) -> Option<Value> {
        let slot = self.slots.get(piece.checked_sub(self.merged)? as usize)?;
        let whole = slot.have.count_ones() as usize == self.blocks_of(piece);
        whole.then_some(slot.values[0])
    }

    /// Takes the value of a whole piece, in place of its blocks', and lets it join the root. One that is there already, or
    /// behind the end, changes nothing.
    pub(crate) fn insert_piece(&mut self, piece: u64, value: Value) {
        let Some(place) = piece.checked_sub(self.merged).map(|place| place as usize) else {
            return;
        };
        if piece >= piece_count(self.size) || self.root.is_some() {
            return;
        }
        if place >= self.slots.len() {
            self.slots.resize(place + 1, EMPTY_SLOT);
        }
        let blocks = self.blocks_of(piece);
        if let Some(slot) = self.slots.get_mut(place)
            && !slot.confirmed
        {
            slot.have =
                u16::MAX >> (PIECE_BLOCKS as usize - blocks.clamp(1, PIECE_BLOCKS as usize));
            slot.values[0] = value;
            self.confirm(piece);
        }
    }

    /// Takes the value of 2^`level` pieces that join the root next; false when these are not whole, the first is not the
    /// next, or the last of all would be among more than one.
    pub(crate) fn insert_subtree(&mut self, piece: u64, level: u32, value: Value) -> bool {
        let count = 1u64.checked_shl(level).unwrap_or(0);
        let end = piece.saturating_add(count);
        let pieces = piece_count(self.size);
        let fits = end < pieces || (end == pieces && level == 0);
        if piece != self.merged || count == 0 || !piece.is_multiple_of(count) || !fits {
            return false;
        }
        self.slots.drain(..self.slots.len().min(count as usize));
        self.merge_many(value, count);
        self.settle();
        true
    }

    /// Forgets what is known of this piece and of later ones, as far as they have not joined the root.
    pub(crate) fn cut(&mut self, piece: u64) {
        let keep = piece.saturating_sub(self.merged) as usize;
        self.slots.truncate(keep);
    }

    /// What has joined the root, as few values as possible: of each the first piece, the power of 2 that says how many
    /// pieces it is of, and the value. The last piece of all is one of its own.
    pub(crate) fn subtrees(&self) -> Vec<(u64, u32, Value)> {
        let mut at = 0;
        let mut sizes = self.merged.saturating_sub(1);
        let mut all = Vec::with_capacity(self.stack.len());
        for value in &self.stack {
            let level = sizes.checked_ilog2();
            all.push((at, level.unwrap_or(0), *value));
            let count = level.map_or(0, |level| 1 << level);
            at += count;
            sizes -= count;
        }
        all
    }

    /// Whether a piece that has not joined the root is only waiting for those before it.
    pub(crate) fn is_confirmed(&self, piece: u64) -> bool {
        let slot = |place: u64| self.slots.get(place as usize);
        let slot = piece.checked_sub(self.merged).and_then(slot);
        slot.is_some_and(|slot| slot.confirmed)
    }

    /// Pieces that are confirmed and have not joined the root, because others before them are missing.
    pub(crate) fn ahead(&self) -> impl Iterator<Item = (u64, Value)> {
        let slots = (self.merged..).zip(&self.slots);
        slots
            .filter(|(_, slot)| slot.confirmed)
            .map(|(piece, slot)| (piece, slot.values[0]))
    }

    /// Lets a whole piece join the root.
    pub(crate) fn confirm(&mut self, piece: u64) {
        if self.piece(piece).is_none() {
            return;
        }
        if let Some(slot) = self.slots.get_mut((piece - self.merged) as usize) {
            slot.confirmed = true;
        }
        self.settle();
    }

    /// Merges what has become next, and all of it at the end.
    fn settle(&mut self) {
        while self.slots.front().is_some_and(|slot| slot.confirmed) {
            if let Some(slot) = self.slots.pop_front() {
                self.merge_many(slot.values[0], 1);
            }
        }
        if self.merged == piece_count(self.size) && self.root.is_none() {
            self.root = self.finish();
        }
    }

    /// Forgets a piece's blocks, to take them once more; those of a file of one piece, too.
    pub(crate) fn reopen(&mut self, piece: u64) {
        self.root = None;
        let place = piece.checked_sub(self.merged);
        if let Some(slot) = place.and_then(|place| self.slots.get_mut(place as usize)) {
            slot.have = 0;
            slot.confirmed = false;
        }
    }

    /// Pieces that have joined the root: all below this number.
    pub(crate) fn merged(&self) -> u64 {
        self.merged
    }

    /// The hash of the whole, once every piece was confirmed.
    pub(crate) fn root(&self) -> Option<Value> {
        self.root
    }

    /// As [`root`](Self::root).
    pub(crate) fn root_ref(&self) -> Option<&Value> {
        self.root.as_ref()
    }

    fn blocks_of(&self, piece: u64) -> usize {
        let before = piece.saturating_mul(PIECE_BLOCKS);
        block_count(self.size)
            .saturating_sub(before)
            .min(PIECE_BLOCKS) as usize
    }

    /// Pushes the next `count` pieces, a power of 2. Subtrees of equal size are merged only when more follows, since the last
    /// merge of all is the root's.
    fn merge_many(&mut self, value: Value, count: u64) {
        while self.stack.len() > self.merged.count_ones() as usize {
            if let (Some(right), Some(left)) = (self.stack.pop(), self.stack.pop()) {
                self.stack
                    .push(merge_subtrees_non_root(&left, &right, Mode::Hash));
            }
        }
        self.stack.push(value);
        self.merged += count;
    }

    fn finish(&self) -> Option<Value> {
        let mut lefts = self.stack.iter().rev();
        let mut right = *lefts.next()?;
        while let Some(left) = lefts.next() {
            right = if lefts.len() == 0 {
                *merge_subtrees_root(left, &right, Mode::Hash).as_bytes()
            } else {
                merge_subtrees_non_root(left, &right, Mode::Hash)
            };
        }
        Some(right)
    }
}

/// Merges neighbours until one value is left. An odd one at the right moves up a level, which gives BLAKE3's tree: every
/// left subtree is full.
fn merge_level_by_level(values: &mut [Value], root: bool) -> Value {
    let mut len = values.len();
    while len > 1 {
        for i in 0..len / 2 {
            let (left, right) = (values[2 * i], values[2 * i + 1]);
            values[i] = if root && len == 2 {
                *merge_subtrees_root(&left, &right, Mode::Hash).as_bytes()
            } else {
                merge_subtrees_non_root(&left, &right, Mode::Hash)
            };
        }
        if len % 2 == 1 {
            values[len / 2] = values[len - 1];
        }
        len = len.div_ceil(2);
    }
    values.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn content(size: u64) -> Vec<u8> {
        (0..size).map(|i| (i * 31 + (i >> 9)) as u8).collect()
    }

    /// The root by way of blocks in the order of `keys`, confirming pieces in the order of completion.
    fn root_of(content: &[u8], order: &[u64]) -> Option<Value> {
        let size = content.len() as u64;
        let mut tree = HashTree::new(size);
        for &block in order {
            let start = (block * u64::from(BLOCK_SIZE)) as usize;
            let bytes = &content[start..start + block_len(size, block) as usize];
            let value = block_value(bytes, start as u64, block_hash(size));
            if let Some((piece, value)) = tree.insert(block, value) {
                assert_eq!(tree.piece(piece), Some(value));
                tree.confirm(piece);
            }
        }
        tree.root()
    }

    #[test]
    fn equals_blake3_around_every_border() {
        let (block, piece) = (u64::from(BLOCK_SIZE), PIECE_SIZE);
        let borders = [
            0,
            1024,
            block,
            2 * block,
            3 * block,
            piece,
            piece + block,
            2 * piece,
            3 * piece,
            5 * piece,
            8 * piece,
        ];
        for border in borders {
            for size in [border.saturating_sub(1), border, border + 1] {
                let content = content(size);
                let order: Vec<u64> = (0..block_count(size)).collect();
                let expected = *blake3::hash(&content).as_bytes();
                assert_eq!(root_of(&content, &order), Some(expected), "size {size}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn equals_blake3_in_any_order(size in 0u64..6 << 20, seed in any::<u64>()) {
            let content = content(size);
            let mut order: Vec<u64> = (0..block_count(size)).collect();
            let mut state = seed | 1;
            for i in (1..order.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                order.swap(i, (state >> 33) as usize % (i + 1));
            }
            prop_assert_eq!(root_of(&content, &order), Some(*blake3::hash(&content).as_bytes()));
        }
    }

    #[test]
    fn a_reopened_piece_takes_its_blocks_again() {
        let content = content(PIECE_SIZE + 5);
        let mut tree = HashTree::new(PIECE_SIZE + 5);
        for block in 0..16 {
            tree.insert(block, [9; 32]);
        }
        let wrong = tree.piece(0);
        tree.reopen(0);
        assert_eq!(tree.piece(0), None);
        tree.confirm(0);
        assert_eq!(tree.merged(), 0);
        for (block, bytes) in content.chunks(BLOCK_SIZE as usize).enumerate() {
            let at = block as u64 * u64::from(BLOCK_SIZE);
            if let Some((piece, _)) =
                tree.insert(block as u64, block_value(bytes, at, HashAs::Subtree))
            {
                tree.confirm(piece);
            }
        }
        assert!(wrong.is_some());
        assert_eq!(tree.root(), Some(*blake3::hash(&content).as_bytes()));
    }
}
