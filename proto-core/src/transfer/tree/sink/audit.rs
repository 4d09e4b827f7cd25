//! Whether the accounts of a directory on its way in are right.

use alloc::format;
use alloc::vec::Vec;

use super::TreeSink;
use crate::audit::{Breach, check, rule};
use crate::transfer::Item;
use crate::transfer::delivery::Delivery;

impl TreeSink {
    /// Blocks that are not on loan, and those promised.
    pub(in crate::transfer) fn blocks(&self) -> (u32, u32) {
        let large = self.large.values().map(|sink| sink.blocks());
        large.fold((0, self.units.promised()), |all, one| {
            (all.0 + one.0, all.1 + one.1)
        })
    }

    pub(in crate::transfer) fn audit(&self) -> Result<(), Breach> {
        let (mut charged, mut wanted) = (0, 0);
        for (file, node) in &self.nodes {
            charged += node.charged;
            wanted += node.wanted;
            let control = self
                .large
                .get(file)
                .is_some_and(|sink| sink.next_control().is_some());
            let says = control || node.want.is_due() || node.told.is_due();
            check(says == self.due.contains(file), rule::QUEUES, || {
                format!("file {file} is to be heard: {says}; {node:?}")
            })?;
        }
        self.units.audit(charged, wanted)?;
        self.large.values().try_for_each(|sink| sink.audit())
    }

    /// Frames that were sent, and of which nothing was heard.
    pub(in crate::transfer) fn unanswered(&self) -> Vec<(Delivery, Item)> {
        let mut all = Vec::new();
        for (&file, node) in &self.nodes {
            let want = Item::Want {
                file,
                start: 0,
                len: 0,
            };
            all.push((node.want, want));
            let told = match node.outcome {
                Some(Err(_)) => Item::Failed { file },
                _ => Item::Stored { file },
            };
            all.push((node.told, told));
        }
        for sink in self.large.values() {
            all.extend(sink.asked());
        }
        all
    }
}
