//! Against one cell for each byte.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const BLOCK: u64 = BLOCK_SIZE as u64;
const FLOW: Fault = Fault::Session(CloseCode::FlowControl);

#[derive(Clone, Debug)]
enum Op {
    /// Bytes of some block, which two senders would fill otherwise.
    Data {
        block: u64,
        start: u64,
        len: u64,
        other: bool,
    },
    /// A whole block in packets of this size, each so many after the one before.
    Packets {
        block: u64,
        size: u64,
        stride: u64,
    },
    /// Single bytes, so many apart.
    Comb {
        block: u64,
        apart: u64,
    },
    SetSize,
    /// A full block goes to the disk.
    Pop,
    /// The disk is done with a block.
    Written,
    /// A block that was written is asked for once more.
    Reopen(u64),
    Clear,
}

fn op() -> impl Strategy<Value = Op> {
    // One block more than there ever is.
    let block = || 0..4_u64;
    let len = prop_oneof![0..3_000_u64, 30_000..=BLOCK, Just(BLOCK)];
    let start = prop_oneof![2 => Just(0), 3 => 0..BLOCK];
    prop_oneof![
        8 => (block(), start, len, any::<bool>())
            .prop_map(|(block, start, len, other)| Op::Data { block, start, len, other }),
        4 => (block(), prop_oneof![Just(1_141_u64), Just(8_900)], 1..60_u64)
            .prop_map(|(block, size, stride)| Op::Packets { block, size, stride }),
        1 => (block(), 600..1_400_u64).prop_map(|(block, apart)| Op::Comb { block, apart }),
        1 => Just(Op::SetSize),
        4 => Just(Op::Pop),
        4 => Just(Op::Written),
        1 => block().prop_map(Op::Reopen),
        1 => Just(Op::Clear),
    ]
}

fn byte(offset: u64, other: bool) -> u8 {
    (offset * 31 + (offset >> 8)) as u8 ^ u8::from(other)
}

/// What a block holds so far.
type Cells = Vec<Option<u8>>;

struct Model {
    size: u64,
    size_known: bool,
    /// Blocks that the pool has.
    room: usize,
    gathering: BTreeMap<u64, Cells>,
    full: VecDeque<(u64, Cells)>,
    /// Complete and not asked for again.
    done: BTreeSet<u64>,
    /// At the disk.
    writing: Vec<Block>,
    /// Bytes that were new.
    received: u64,
}

impl Model {
    fn held(&self) -> usize {
        self.gathering.len() + self.full.len()
    }

    fn len(&self, block: u64) -> usize {
        self.size.saturating_sub(block * BLOCK).min(BLOCK) as usize
    }

    /// What comes of these bytes.
    fn add(&mut self, offset: u64, data: &[u8]) -> Result<bool, Fault> {
        let (block, start) = (offset / BLOCK, (offset % BLOCK) as usize);
        let end = start + data.len();
        if data.is_empty() || end > BLOCK as usize {
            return Err(Fault::VIOLATION);
        }
        if self.size_known && offset + data.len() as u64 > self.size {
            return Err(FLOW);
        }
        if self.done.contains(&block) {
            return Ok(true);
        }
        if !self.gathering.contains_key(&block) {
            if self.held() + self.writing.len() >= self.room {
                return Ok(false);
            }
            self.gathering.insert(block, vec![None; BLOCK as usize]);
        }
        let Some(cells) = self.gathering.get_mut(&block) else {
            return Ok(false);
        };
        let begins = |at: &usize| cells[*at].is_some() && (*at == 0 || cells[at - 1].is_none());
        let ranges = (0..cells.len()).filter(begins).count();
        let mut touched = cells[start.saturating_sub(1)..(end + 1).min(cells.len())].iter();
        if ranges >= RANGES_MAX && touched.all(Option::is_none) {
            return Ok(false);
        }
        for (cell, byte) in cells[start..end].iter_mut().zip(data) {
            // I4: the first bytes stay.
            self.received += u64::from(cell.is_none());
            cell.get_or_insert(*byte);
        }
        self.complete(block);
        Ok(true)
    }

    fn complete(&mut self, block: u64) {
        let len = self.len(block);
        let whole = |cells: &Cells| cells[..len].iter().all(Option::is_some);
        if self.size_known
            && self.gathering.get(&block).is_some_and(whole)
            && let Some(cells) = self.gathering.remove(&block)
        {
            self.done.insert(block);
            self.full.push_back((block, cells));
        }
    }

    fn set_size(&mut self) -> Result<(), Fault> {
        self.size_known = true;
        for block in self.gathering.keys().copied().rev().collect::<Vec<_>>() {
            let len = self.len(block);
            if self.gathering[&block][len..].iter().any(Option::is_some) {
                return Err(FLOW);
            }
            self.complete(block);
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        let mut blocks = 0..self.size.div_ceil(BLOCK);
        self.size_known && blocks.all(|block| self.done.contains(&block))
    }
}

struct Run {
    assembly: Assembly,
    pool: Pool,
    model: Model,
}

impl Run {
    fn new(size: u64, room: u32) -> Self {
        let model = Model {
            size,
            size_known: false,
            room: room as usize,
            gathering: BTreeMap::new(),
            full: VecDeque::new(),
            done: BTreeSet::new(),
            writing: Vec::new(),
            received: 0,
        };
        let (assembly, pool) = (Assembly::default(), Pool::new(room, 0));
        Self {
            assembly,
            pool,
            model,
        }
    }

    fn data(&mut self, offset: u64, len: u64, other: bool) -> Result<bool, Fault> {
        let data: Vec<u8> = (offset..offset + len).map(|at| byte(at, other)).collect();
        let expected = self.model.add(offset, &data);
        // What is appended is what would have been added.
        let appended = offset % 3 > 0 && self.assembly.append(offset, &data);
        let result = match appended {
            true => Ok(true),
            false => self.assembly.add(&mut self.pool, true, offset, &data),
        };
        assert_eq!(result, expected);
        let no_room = Assembly::default().add(&mut self.pool, false, 0, &[0]);
        assert_eq!(no_room, Ok(false));
        result
    }

    /// Bytes of the file only, in packets.
    fn packets(&mut self, block: u64, size: u64, stride: u64) -> Result<(), Fault> {
        let len = self.model.len(block) as u64;
        let count = len.div_ceil(size);
        for first in 0..stride.min(count) {
            for packet in (first..count).step_by(stride as usize) {
                let start = packet * size;
                self.data(block * BLOCK + start, size.min(len - start), false)?;
            }
        }
        Ok(())
    }

    fn pop(&mut self) {
        let popped = self.assembly.pop_full();
        let Some((block, cells)) = self.model.full.pop_front() else {
            assert!(popped.is_none());
            return;
        };
        let (index, bytes) = popped.expect("as many full blocks as in the model");
        assert_eq!(index, block);
        let len = self.model.len(block);
        let same = |(byte, cell): (&u8, &Option<u8>)| Some(*byte) == *cell;
        assert!(
            bytes.bytes()[..len].iter().zip(&cells).all(same),
            "block {block}"
        );
        self.model.writing.push(bytes);
    }

    fn apply(&mut self, op: &Op) -> Result<(), Fault> {
        match *op {
            Op::Data {
                block,
                start,
                len,
                other,
            } => {
                // Within the block, in most cases within the file too.
                let len = len.min(BLOCK - start + u64::from(len == 2_999));
                let file = self.model.len(block) as u64;
                let len = if len % 32 == 31 {
                    len
                } else {
                    len.min(file.saturating_sub(start))
                };
                if len > 0 || start == 77 {
                    self.data(block * BLOCK + start, len, other)?;
                }
            }
            Op::Packets {
                block,
                size,
                stride,
            } => self.packets(block, size, stride)?,
            Op::Comb { block, apart } => {
                for at in (0..self.model.len(block) as u64).step_by(apart as usize) {
                    self.data(block * BLOCK + at, 1, false)?;
                }
            }
            Op::SetSize if !self.model.size_known => {
                let expected = self.model.set_size();
                let result = self.assembly.set_size(self.model.size);
                assert_eq!(result, expected);
                result?;
            }
            Op::SetSize => {}
            Op::Pop => self.pop(),
            Op::Written => {
                if let Some(block) = self.model.writing.pop() {
                    self.pool.put(Use::Sink, block);
                }
            }
            Op::Reopen(block) => {
                if self.model.full.iter().all(|(full, _)| *full != block) {
                    self.assembly.reopen(block, block + 1);
                    self.model.done.remove(&block);
                }
            }
            Op::Clear => {
                self.assembly.clear(&mut self.pool);
                for (block, _) in self.model.full.drain(..) {
                    // Only a file that comes to nothing is cleared; here it may come once more.
                    self.assembly.reopen(block, block + 1);
                    self.model.done.remove(&block);
                }
                self.model.gathering.clear();
            }
        }
        Ok(())
    }

    fn check(&self) {
        let (assembly, model) = (&self.assembly, &self.model);
        assert_eq!(assembly.held() as usize, model.held());
        assert_eq!(assembly.received(), model.received);
        assert_eq!(assembly.has_full(), !model.full.is_empty());
        assert_eq!(assembly.is_complete(), model.is_complete());
        let out = model.held() + model.writing.len();
        assert_eq!(self.pool.out(Use::Sink) as usize, out);
        let ranges = assembly.gathering.iter().map(|gather| gather.have.len());
        assert!(ranges.max().unwrap_or(0) <= RANGES_MAX, "M1");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn behaves_like_a_row_of_cells(
        size in prop_oneof![0..3 * BLOCK, (0..=3_u64).prop_map(|blocks| blocks * BLOCK)],
        room in 1..4_u32,
        ops in prop::collection::vec(op(), 0..40),
    ) {
        let mut run = Run::new(size, room);
        for op in &ops {
            if run.apply(op).is_err() {
                // The session ends: everything goes home.
                run.assembly.clear(&mut run.pool);
                prop_assert_eq!(run.pool.out(Use::Sink) as usize, run.model.writing.len());
                return Ok(());
            }
            run.check();
        }
        // Whatever came before, the rest can come, block for block.
        let _ = run.apply(&Op::Clear);
        let _ = run.apply(&Op::SetSize);
        for block in 0..size.div_ceil(BLOCK) {
            for op in [Op::Written, Op::Written, Op::Written, Op::Written] {
                prop_assert_eq!(run.apply(&op), Ok(()));
            }
            prop_assert_eq!(run.apply(&Op::Packets { block, size: 1_141, stride: 7 }), Ok(()));
            prop_assert_eq!(run.apply(&Op::Pop), Ok(()));
            run.check();
        }
        prop_assert!(run.assembly.is_complete());
    }

    /// The same bytes come of one file's packets in any order, cut anywhere, repeated and overlapping.
    #[test]
    fn the_order_of_arrival_leaves_no_trace(
        size in 1..2 * BLOCK,
        cuts in prop::collection::vec((0..2 * BLOCK, 1..9_000_u64), 0..60),
        early: bool,
    ) {
        let mut run = Run::new(size, 2);
        if early {
            prop_assert_eq!(run.apply(&Op::SetSize), Ok(()));
        }
        let last = (0..size).step_by(8_192).map(|at| (at, 8_192));
        for (start, len) in cuts.into_iter().chain(last) {
            let border = (start / BLOCK + 1) * BLOCK;
            let end = (start + len).min(border).min(size);
            if start < end {
                let _ = run.data(start, end - start, false);
            }
        }
        if !early {
            prop_assert_eq!(run.apply(&Op::SetSize), Ok(()));
        }
        prop_assert!(run.assembly.is_complete());
        while let Some((block, bytes)) = run.assembly.pop_full() {
            let at = block * BLOCK;
            let file = (at..size.min(at + BLOCK)).map(|at| byte(at, false));
            prop_assert!(bytes.bytes().iter().copied().take((size - at) as usize).eq(file));
        }
    }
}
