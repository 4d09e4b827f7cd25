//! Whether a transfer agrees with what is in flight for it.

use alloc::format;
use alloc::vec::Vec;

use super::Transfer;
use super::job::Job;
use crate::audit::{Breach, check, rule};
use crate::file::Use;
use crate::transfer::delivery::Delivery;
use crate::transfer::{InFlight, Item};

impl Transfer {
    pub(in crate::transfer) fn ops_out(&self) -> u32 {
        self.ops_out
    }

    /// Blocks that are not on loan, and those promised.
    pub(in crate::transfer) fn blocks(&self, what: Use) -> (u32, u32) {
        match (what, &self.job) {
            (Use::Sink, Job::Sink(sink)) => sink.blocks(),
            (Use::Source, Job::Source(source)) => source.blocks(),
            (Use::Sink, Job::TreeSink(sink)) => sink.blocks(),
            (Use::Source, Job::TreeSource(source)) => source.blocks(),
            _ => (0, 0),
        }
    }

    pub(in crate::transfer) fn audit(&self) -> Result<(), Breach> {
        match &self.job {
            Job::Sink(sink) => sink.audit(),
            Job::Source(source) => source.audit(),
            Job::TreeSink(sink) => sink.audit(),
            Job::TreeSource(source) => source.audit(),
            _ => Ok(()),
        }
    }

    /// Every frame that was sent and is not known to have arrived is in flight.
    pub(in crate::transfer) fn audit_in_flight(&self, flying: &InFlight) -> Result<(), Breach> {
        let number = self.number;
        for item in self.unanswered() {
            check(flying.holds(item), rule::FRAMES, || {
                format!("{item:?} of transfer {number:?} is forgotten")
            })?;
        }
        let forgotten = match &self.job {
            Job::Source(source) => source.first_forgotten(flying),
            Job::TreeSource(source) => source.first_forgotten(flying),
            Job::Lister(lister) => lister.first_forgotten(flying),
            _ => None,
        };
        check(forgotten.is_none(), rule::BYTES, || {
            format!("the byte {forgotten:?} of transfer {number:?} is forgotten")
        })
    }

    /// Frames that were sent, and of which nothing was heard.
    fn unanswered(&self) -> Vec<Item> {
        let file = 0;
        let mut all = Vec::from([
            (self.request, Item::Request),
            (self.accept, Item::Accept),
            (self.farewell_delivery, Item::Cancel),
            (self.stored, Item::Stored { file }),
        ]);
        match &self.job {
            Job::Sink(sink) => all.extend(sink.asked()),
            Job::Source(source) => {
                all.extend(source.unanswered());
            }
            Job::TreeSink(sink) => all.extend(sink.unanswered()),
            Job::TreeSource(source) => all.extend(source.unanswered()),
            Job::Answer(answer) => all.push((answer.entry, Item::Entry { file })),
            Job::Digest(digest) => all.push((digest.entry, Item::Entry { file })),
            _ => {}
        }
        let sent = all
            .into_iter()
            .filter(|(delivery, _)| *delivery == Delivery::Sent);
        sent.map(|(_, item)| item).collect()
    }
}
