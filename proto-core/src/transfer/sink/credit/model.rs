//! A source that uses all credit, a disk that completes writes, and credit between them.

use proptest::prelude::*;

use super::*;

const TOTAL: u64 = 400;
const RTT: Duration = Duration::from_millis(20);

#[derive(Clone, Debug)]
enum Op {
    /// The source begins so many blocks more, as far as it was told.
    Begin(u64),
    /// So many blocks that were begun first are written.
    Complete(u64),
    /// So many written blocks are asked for once more.
    Again(u64),
    /// One of those is written.
    Repay,
    /// The sink may take blocks up to this one more.
    Verify(u64),
    /// CREDIT is sent if it is due, and arrives or not.
    Tell {
        arrives: bool,
    },
    /// What was sent last is found lost.
    Lost,
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (1..20_u64).prop_map(Op::Begin),
        6 => (1..20_u64).prop_map(Op::Complete),
        1 => (1..16_u64).prop_map(Op::Again),
        2 => Just(Op::Repay),
        2 => (1..40_u64).prop_map(Op::Verify),
        4 => prop::bool::weighted(0.8).prop_map(|arrives| Op::Tell { arrives }),
        1 => Just(Op::Lost),
        3 => (0..60_u64).prop_map(Op::Wait),
    ]
}

struct Run {
    pool: Pool,
    credit: Credit,
    now: Instant,
    cap: u64,
    /// The limit that the source knows.
    known: u64,
    begun: u64,
    completed: u64,
    debt: u64,
}

impl Run {
    fn apply(&mut self, op: &Op) {
        let before = self.credit.limit();
        match *op {
            Op::Begin(blocks) => {
                self.begun = (self.begun + blocks)
                    .min(self.known.min(TOTAL))
                    .max(self.begun);
            }
            Op::Complete(blocks) => {
                for _ in 0..blocks.min(self.begun - self.completed) {
                    self.completed += 1;
                    self.credit
                        .complete(&mut self.pool, self.now, RTT, self.cap);
                }
            }
            Op::Again(blocks) => {
                let blocks = blocks.min(self.completed - self.debt.min(self.completed));
                let granted = self.credit.borrow(blocks, TOTAL);
                assert!(granted <= blocks);
                self.debt += granted;
            }
            Op::Repay if self.debt > 0 => {
                self.debt -= 1;
                self.credit.repay(self.cap);
            }
            Op::Repay => {}
            Op::Verify(blocks) => {
                self.cap = (self.cap + blocks).min(TOTAL);
                self.credit.raise(self.cap);
            }
            Op::Tell { arrives } => {
                if self.credit.is_due() {
                    self.credit.tell();
                    if arrives {
                        self.known = self.known.max(self.credit.limit());
                    }
                }
            }
            Op::Lost => self.credit.lost(),
            Op::Wait(millis) => self.now += Duration::from_millis(millis),
        }
        assert!(self.credit.limit() >= before, "credit is never taken back");
    }

    /// M4: whatever the source does with its credit, what it can make the sink hold fits what the pool has promised.
    fn check(&self, max: u32, pool: u32) {
        let credit = &self.credit;
        let reserved = u64::from(credit.reserved());
        assert_eq!(pool - self.pool.unreserved(Use::Sink), credit.reserved());
        assert!(credit.reserved() <= max);
        let may_be_begun = credit.limit().min(TOTAL).saturating_sub(self.completed);
        assert!(may_be_begun + self.debt <= reserved);
        assert!(self.known <= credit.limit());
    }

    /// Nobody waits for the other for ever: with all writes at home the source has credit, or is due some.
    fn check_progress(&mut self) {
        self.apply(&Op::Complete(TOTAL));
        while self.debt > 0 {
            self.apply(&Op::Repay);
        }
        let goal = self.cap.min(TOTAL);
        for _ in 0..TOTAL {
            // What was lost is found out in the end.
            self.apply(&Op::Lost);
            self.apply(&Op::Tell { arrives: true });
            self.apply(&Op::Begin(TOTAL));
            self.apply(&Op::Complete(TOTAL));
        }
        assert!(
            self.completed >= goal,
            "{} of {goal} blocks",
            self.completed
        );
    }
}

proptest! {
    #[test]
    fn credit_fits_the_pool_and_comes(
        (initial, max, pool) in (1..20_u32, 1..60_u32, 1..80_u32),
        ops in prop::collection::vec(op(), 0..150),
    ) {
        let mut blocks = Pool::new(pool, 0);
        let now = Instant::ZERO;
        let credit = Credit::reserve(&mut blocks, initial, max, now).expect("an unused pool");
        let cap = credit.limit();
        let known = credit.limit();
        let mut run = Run { pool: blocks, credit, now, cap, known, begun: 0, completed: 0, debt: 0 };
        run.check(max, pool);
        for op in &ops {
            run.apply(op);
            run.check(max, pool);
        }
        run.check_progress();
        run.check(max, pool);
        run.credit.release(&mut run.pool);
        prop_assert_eq!(run.pool.unreserved(Use::Sink), pool);
    }
}
