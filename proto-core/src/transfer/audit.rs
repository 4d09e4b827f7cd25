//! Whether transfers agree with what is in flight for them, with their numbers and with the pool.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;

use super::one::Transfer;
use super::{Item, Transfers};
use crate::audit::{Breach, check, rule};
use crate::file::Use;
use crate::range_set::RangeSet;
use crate::slab::Key;
use crate::time::Instant;

/// What is in packets of which nothing was heard, of one transfer.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// Bytes of DATA of each file, or of PAGE.
    bytes: BTreeMap<u32, RangeSet>,
    /// Other frames. What a WANT or PIECE is about counts, a CREDIT does not.
    controls: Vec<(u8, u32, u64)>,
}

impl InFlight {
    pub(super) fn holds(&self, item: Item) -> bool {
        self.controls.contains(&label(item))
    }

    /// The first byte of a file's `within` that is in none of the sets and not in flight.
    pub(super) fn missing(
        &self,
        file: u32,
        within: Range<u64>,
        known: &[&RangeSet],
    ) -> Option<u64> {
        let flying = self.bytes.get(&file);
        let mut at = within.start;
        while at < within.end {
            let sets = known.iter().copied().chain(flying);
            let ends = sets.filter_map(|set| set.range_of(at));
            match ends.map(|range| range.end).max() {
                Some(end) => at = end,
                None => return Some(at),
            }
        }
        None
    }
}

/// What is in flight, by transfer.
#[derive(Debug, Default)]
pub(crate) struct AllInFlight {
    of: Vec<(Key, InFlight)>,
    /// Bytes that are not in `of` yet: packets mostly carry on where the one before ended.
    run: Option<(Key, u32, Range<u64>)>,
}

impl AllInFlight {
    pub(crate) fn add(&mut self, key: Key, item: Item) {
        let (file, offset, len) = match item {
            Item::Data {
                file, offset, len, ..
            } => (file, offset, len),
            Item::Page { offset, len } if len > 0 => (0, offset, len),
            item => return self.entry(key).controls.push(label(item)),
        };
        let end = offset.saturating_add(u64::from(len));
        match &mut self.run {
            Some((of, number, run)) if (*of, *number) == (key, file) && run.end == offset => {
                run.end = end;
            }
            _ => {
                self.end_run();
                self.run = Some((key, file, offset..end));
            }
        }
    }

    fn end_run(&mut self) {
        if let Some((key, file, run)) = self.run.take() {
            self.entry(key).bytes.entry(file).or_default().insert(run);
        }
    }

    fn entry(&mut self, key: Key) -> &mut InFlight {
        let at = self.of.iter().rposition(|(other, _)| *other == key);
        let at = at.unwrap_or_else(|| {
            self.of.push((key, InFlight::default()));
            self.of.len() - 1
        });
        &mut self.of[at].1
    }
}

/// Tells apart the frames that a transfer waits for.
fn label(item: Item) -> (u8, u32, u64) {
    match item {
        Item::Request => (0, 0, 0),
        Item::Accept => (1, 0, 0),
        Item::Refuse | Item::Cancel => (2, 0, 0),
        Item::Failed { file } => (2, file, 0),
        Item::Entry { file } => (3, file, 0),
        Item::Want { file, start, .. } => (4, file, start),
        Item::Credit { file } => (5, file, 0),
        Item::Data { file, offset, .. } => (6, file, offset),
        Item::Piece { file, index } => (7, file, u64::from(index)),
        Item::Seal { file } => (8, file, 0),
        Item::Stored { file } => (9, file, 0),
        Item::Page { .. } => (10, 0, 0),
        Item::Have { file, index } => (11, file, u64::from(index)),
    }
}

impl Transfers {
    /// Checks numbers, routes and every transfer by itself.
    pub(crate) fn audit(&self) -> Result<(), Breach> {
        let count = self.all.len();
        check(count <= 2 * self.open_max as usize, rule::QUEUES, || {
            format!("{count} transfers in a session")
        })?;
        let rising = self.routes.windows(2).all(|pair| pair[0].0 < pair[1].0);
        check(rising, rule::IDS, || {
            format!("routes are out of order: {:?}", self.routes)
        })?;
        for (number, key) in &self.routes {
            let known = self
                .all
                .get(*key)
                .is_some_and(|of| of.number == Some(*number));
            check(known, rule::IDS, || {
                format!("number {number} leads to nothing")
            })?;
        }
        let numbered = self
            .all
            .iter()
            .filter(|(_, of)| of.number.is_some())
            .count();
        check(numbered == self.routes.len(), rule::IDS, || {
            format!(
                "{numbered} transfers have numbers, {} have routes",
                self.routes.len()
            )
        })?;
        let (armed, decisions) = (self.deadline(), self.decisions().min());
        let late = decisions.is_some_and(|at| armed.is_none_or(|armed| armed > at));
        check(!late, rule::TIMERS, || {
            format!("a request is to be decided by {decisions:?}, the timer is {armed:?}")
        })?;
        self.all
            .iter()
            .try_for_each(|(_, transfer)| transfer.audit())
    }

    /// Checks that whatever waits for an answer is in flight.
    pub(crate) fn audit_in_flight(&self, mut flying: AllInFlight) -> Result<(), Breach> {
        flying.end_run();
        let nothing = InFlight::default();
        self.all.iter().try_for_each(|(key, transfer)| {
            let mut all = flying.of.iter();
            let of = all.find(|(other, _)| *other == key);
            transfer.audit_in_flight(of.map_or(&nothing, |(_, of)| of))
        })
    }

    /// When requests must be decided.
    pub(crate) fn decisions(&self) -> impl Iterator<Item = Instant> + '_ {
        self.all
            .iter()
            .filter_map(|(_, transfer)| transfer.decide_by())
    }

    /// Blocks that are not on loan, and those promised.
    pub(crate) fn blocks(&self, what: Use) -> (u32, u32) {
        let blocks = self.all.iter().map(|(_, transfer)| transfer.blocks(what));
        blocks.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
    }

    /// How many operations a transfer waits for; `None` when it is gone.
    pub(crate) fn ops_out(&self, key: Key) -> Option<u32> {
        self.all.get(key).map(Transfer::ops_out)
    }

    /// The same for every transfer.
    pub(crate) fn all_ops_out(&self) -> impl Iterator<Item = (Key, u32)> + '_ {
        self.all
            .iter()
            .map(|(key, transfer)| (key, transfer.ops_out()))
    }
}
