//! The end of the process that uses the disk, and that of the machine.

use proto_core::{Instant, Operation};

use super::content::Extent;
use super::device::Device;
use super::survival::Survival;
use super::{Disk, Loan};
use crate::queue::Queue;
use crate::rng::Rng;

impl Disk {
    /// The process dies, the operating system lives: operations on loan are carried out or not, a write also in part, and
    /// never come home; all files are closed; what was written stays readable and becomes durable when it is synced. The
    /// next process may use the same numbers for its files.
    pub fn process_crash(&mut self) {
        self.abandon_loans();
        self.tree.process_crash();
    }

    /// The power goes and comes back: operations on loan are carried out or not, and never come home; what was not
    /// synced survives or not, change by change, and writes sector by sector.
    pub fn power_loss(&mut self) {
        self.abandon_loans();
        self.appeared.clear();
        self.boot += 1;
        let roots: Vec<_> = self.roots.values().copied().collect();
        let mut survival = Survival::draw(&mut self.rng);
        self.tree.power_loss(&roots, &mut survival);
    }

    /// Lets the disk draw from `rng` from now on: copies of one disk meet different fates.
    pub fn set_rng(&mut self, rng: Rng) {
        self.rng = rng;
    }

    fn abandon_loans(&mut self) {
        let mut loans = Queue::default();
        std::mem::swap(&mut loans, &mut self.loans);
        while let Some((_, loan)) = loans.pop_due(Instant::from_nanos(u64::MAX)) {
            if self.rng.one_in(2) {
                self.carry_out(loan);
            }
        }
        self.device = Device::default();
        self.ends_at = Instant::ZERO;
        self.busy.clear();
        self.open.clear();
        self.locks.clear();
    }

    /// Does what `loan` says; nobody asks for the result.
    fn carry_out(&mut self, loan: Loan) {
        match *loan.what() {
            Operation::Write { file, offset, .. } => {
                if let Some(bytes) = loan.into_bytes() {
                    let len = bytes.len();
                    let all = self.rng.one_in(2);
                    let len = if all { len } else { self.rng.below(len) };
                    // An error has nobody to be told.
                    let _ = self.put(file, offset, &bytes.part(0, len));
                }
            }
            Operation::WriteLog {
                file,
                offset,
                ref bytes,
            } => {
                let all = self.rng.one_in(2);
                let len = if all {
                    bytes.len()
                } else {
                    self.rng.below(bytes.len() as u64) as usize
                };
                let _ = self.put(file, offset, &Extent::new(offset, &bytes[..len]));
            }
            // Reads change nothing.
            Operation::Read { .. } | Operation::ReadLog { .. } => {}
            Operation::StoreFiles { .. } => {
                let (op, mut progress) = loan.into_parts();
                while self.store_step(&op.what, &mut progress).is_none() && !self.rng.one_in(8) {}
            }
            ref what => drop(self.without_block(what.clone())),
        }
    }
}
