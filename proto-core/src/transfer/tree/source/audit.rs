//! Whether the accounts of a directory on its way out are right.

use alloc::format;
use alloc::vec::Vec;

use super::TreeSource;
use super::out::Body;
use crate::audit::{Breach, check, rule};
use crate::transfer::delivery::Delivery;
use crate::transfer::{InFlight, Item};

impl TreeSource {
    /// Blocks that are here, and those promised.
    pub(in crate::transfer) fn blocks(&self) -> (u32, u32) {
        let large = self.large.values().map(|source| source.blocks());
        large.fold((0, self.memory.promised()), |all, one| {
            (all.0 + one.0, all.1 + one.1)
        })
    }

    pub(in crate::transfer) fn audit(&self) -> Result<(), Breach> {
        check(
            self.charged <= self.credit || !self.accepted,
            rule::CREDIT,
            || format!("{} units were taken of {}", self.charged, self.credit),
        )?;
        for (file, out) in &self.files {
            let says = self.says(*file);
            check(says == self.due.contains(file), rule::QUEUES, || {
                format!("file {file} is to be heard: {says}; {out:?}")
            })?;
        }
        self.large.values().try_for_each(|source| source.audit())
    }

    /// Frames that were sent, and of which nothing was heard.
    pub(in crate::transfer) fn unanswered(&self) -> Vec<(Delivery, Item)> {
        let mut all = Vec::new();
        for (&file, out) in &self.files {
            all.push((out.entry, Item::Entry { file }));
            all.push((out.farewell, Item::Failed { file }));
            if out.settled || out.failed.is_some() {
                continue;
            }
            all.push((out.seal, Item::Seal { file }));
            if let Some(source) = self.large.get(&file) {
                all.extend(source.unanswered());
            }
        }
        all
    }

    /// The first byte of a file that was sent, and is neither in flight nor known to be lost or acknowledged.
    pub(in crate::transfer) fn first_forgotten(&self, flying: &InFlight) -> Option<u64> {
        let small = self.files.iter().find_map(|(file, out)| match &out.body {
            Body::Small(small) if out.failed.is_none() => {
                flying.missing(*file, 0..small.next.into(), &[&small.lost, &small.acked])
            }
            _ => None,
        });
        small.or_else(|| {
            let mut large = self.large.values();
            large.find_map(|source| source.first_forgotten(flying))
        })
    }
}
