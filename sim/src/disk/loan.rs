//! Operations on loan: taken, carried out in the order in which they end, handed back.

use std::sync::Arc;

use proto_core::{Duration, FileDone, FileOp, Instant, Operation};

use super::Disk;
use super::access::Access;
use super::content::Extent;
use super::execute::batch::Progress;

/// Between two steps of an operation that has several.
const STEP: Duration = Duration::from_micros(2);

/// An operation on loan. Copies of a disk share it: it holds a block.
#[derive(Clone, Debug)]
pub(super) struct Loan {
    op: Arc<FileOp>,
    /// What a `Write` writes.
    bytes: Option<Extent>,
    /// How far a `StoreFiles` has come.
    progress: Progress,
}

/// What a `Write` writes; `None` when it wants more than its block holds, and for other operations.
pub(super) fn bytes_of(what: &Operation) -> Option<Extent> {
    match what {
        Operation::Write {
            offset, len, block, ..
        } => {
            let bytes = block.bytes().get(..*len as usize)?;
            Some(Extent::new(*offset, bytes))
        }
        _ => None,
    }
}

impl Loan {
    fn new(op: FileOp) -> Self {
        let bytes = bytes_of(&op.what);
        Self {
            op: Arc::new(op),
            bytes,
            progress: Progress::default(),
        }
    }

    pub(super) fn what(&self) -> &Operation {
        &self.op.what
    }

    pub(super) fn into_parts(self) -> (Arc<FileOp>, Progress) {
        (self.op, self.progress)
    }

    /// What a `Write` writes; nothing for other operations.
    pub(super) fn into_bytes(self) -> Option<Extent> {
        self.bytes
    }
}

impl Disk {
    /// Takes an operation; it ends later.
    pub fn submit(&mut self, now: Instant, op: FileOp) {
        self.mark_busy(&op.what);
        let (plan, rng) = (&self.plan, &mut self.rng);
        let ends = self.device.schedule(plan, rng, now, &op.what);
        self.ends_at = self.ends_at.max(ends);
        self.loans.push(ends, Loan::new(op));
    }

    /// When the next operation ends.
    #[must_use]
    pub fn next_time(&self) -> Option<Instant> {
        self.loans.next_time()
    }

    /// Carries out the next operation that ends at `now`, and hands it back. Call until `None`. Of one that takes several
    /// steps, one is done at a time; between them the disk is as a crash would find it.
    pub fn complete(&mut self, now: Instant) -> Option<FileDone> {
        let (_, mut loan) = self.loans.pop_due(now)?;
        self.now = self.now.max(now);
        if let Operation::StoreFiles { .. } = loan.what() {
            let op = loan.op.clone();
            let Some(result) = self.store_step(&op.what, &mut loan.progress) else {
                let ends = now + STEP;
                self.loans.push(ends, loan);
                return None;
            };
            return Some(FileDone {
                id: op.id,
                block: None,
                result,
            });
        }
        let Loan { op, bytes, .. } = loan;
        self.mark_done(&op.what);
        let FileOp { id, what } = Arc::unwrap_or_clone(op);
        let (block, result) = self.execute(what, bytes);
        Some(FileDone { id, block, result })
    }

    /// Notes what is on loan, and a breach if it conflicts with what already is.
    pub(super) fn mark_busy(&mut self, what: &Operation) {
        if let Some((file, access)) = Access::of(what) {
            let busy = self.busy.entry(file).or_default();
            if let Some(other) = busy.iter().find(|other| access.conflicts(**other)) {
                let breach = format!("{what:?} while {other:?} of {file:?} is on loan");
                self.breaches.push(breach);
            }
            busy.push(access);
        }
    }

    pub(super) fn mark_done(&mut self, what: &Operation) {
        if let Some((file, access)) = Access::of(what)
            && let Some(busy) = self.busy.get_mut(&file)
        {
            if let Some(place) = busy.iter().position(|other| *other == access) {
                busy.swap_remove(place);
            }
            if busy.is_empty() {
                self.busy.remove(&file);
            }
        }
    }

    /// When the last operation on loan ends, but for the steps of a batch; `None` when there is none.
    #[must_use]
    pub fn busy_until(&self) -> Option<Instant> {
        (self.on_loan() > 0).then_some(self.ends_at)
    }

    /// Operations on loan.
    #[must_use]
    pub fn on_loan(&self) -> usize {
        self.loans.len()
    }
}
