//! The pool against two rows of counters.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Reserve(Use, u32),
    /// Gives back so many of 8 parts of what is promised.
    Release(Use, u32),
    Take(Use),
    Put(Use),
}

fn op() -> impl Strategy<Value = Op> {
    let kind = || prop_oneof![Just(Use::Sink), Just(Use::Source)];
    prop_oneof![
        (kind(), prop_oneof![0..6_u32, Just(u32::MAX)]).prop_map(|(what, n)| Op::Reserve(what, n)),
        (kind(), 0..=8_u32).prop_map(|(what, parts)| Op::Release(what, parts)),
        kind().prop_map(Op::Take),
        kind().prop_map(Op::Put),
    ]
}

#[derive(Default)]
struct Counters {
    max: u32,
    reserved: u32,
    out: Vec<Block>,
}

#[derive(Default)]
struct Model {
    sink: Counters,
    source: Counters,
}

impl Model {
    fn of(&mut self, what: Use) -> &mut Counters {
        match what {
            Use::Sink => &mut self.sink,
            Use::Source => &mut self.source,
        }
    }

    fn apply(&mut self, pool: &mut Pool, op: &Op) {
        match *op {
            Op::Reserve(what, wanted) => {
                let of = self.of(what);
                let granted = wanted.min(of.max - of.reserved);
                assert_eq!(pool.reserve(what, wanted), granted);
                of.reserved += granted;
            }
            Op::Release(what, parts) => {
                let of = self.of(what);
                let back = of.reserved * parts / 8;
                pool.release(what, back);
                of.reserved -= back;
            }
            Op::Take(what) => {
                let of = self.of(what);
                let block = pool.take(what);
                assert_eq!(block.is_some(), (of.out.len() as u32) < of.max);
                of.out.extend(block);
            }
            Op::Put(what) => {
                if let Some(block) = self.of(what).out.pop() {
                    pool.put(what, block);
                }
            }
        }
    }

    /// M1, M4: what is out and what is promised keep to the limit of each use, and all memory to both.
    fn check(&self, pool: &Pool) {
        for (what, of) in [(Use::Sink, &self.sink), (Use::Source, &self.source)] {
            assert_eq!(pool.out(what), of.out.len() as u32);
            assert_eq!(pool.unreserved(what), of.max - of.reserved);
            assert!(
                of.out
                    .iter()
                    .all(|b| b.bytes().len() == BLOCK_SIZE as usize)
            );
        }
        let out = self.sink.out.len() + self.source.out.len();
        let memory = pool.free.len() + out;
        assert!(memory as u32 <= self.sink.max + self.source.max);
    }
}

proptest! {
    #[test]
    fn keeps_to_its_limits(
        (sink, source) in (0..6_u32, 0..6_u32),
        ops in prop::collection::vec(op(), 0..100),
    ) {
        let mut pool = Pool::new(sink, source);
        let mut model = Model::default();
        model.sink.max = sink.max(SINK_MIN);
        model.source.max = source.max(SOURCE_MIN);
        for op in &ops {
            model.apply(&mut pool, op);
            model.check(&pool);
        }
    }
}
