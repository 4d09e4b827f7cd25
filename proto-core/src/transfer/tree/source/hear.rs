//! What the sink says of files: how much may be announced, what it wants, what it has, what became of them.

use super::out::Body;
use super::{ROOT, TreeSource};
use crate::file::Value;
use crate::transfer::Context;
use crate::transfer::codes::Fault;
use crate::wire::{Durability, ErrorCode, StoredAs};

impl TreeSource {
    /// The sink lets more be announced, or more blocks of a larger file begin.
    pub(in crate::transfer) fn handle_credit(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        limit: u64,
    ) {
        if file == ROOT {
            self.credit = self.credit.max(limit);
            return;
        }
        match self.files.get_mut(&file).map(|out| &mut out.body) {
            Some(Body::Large { credit, .. }) => *credit = limit.max(*credit),
            _ => return,
        }
        if let Some(source) = self.large.get_mut(&file) {
            source.handle_credit(limit);
        }
        self.touch(cx, file);
    }

    /// The sink wants a file, or a part of it once more; false when it must ask again.
    pub(in crate::transfer) fn handle_want(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        start: u64,
        end: u64,
    ) -> Result<bool, Fault> {
        let Some(out) = self.files.get_mut(&file) else {
            return self.past(file).map(|()| true);
        };
        if start > end || end > out.size {
            return Err(Fault::VIOLATION);
        }
        // It was said again, or before the sink heard that this end cannot.
        if out.settled || out.failed.is_some() {
            return Ok(true);
        }
        match &mut out.body {
            Body::Unread { wanted } => {
                if !core::mem::replace(wanted, true) {
                    self.to_read.push_back(file);
                }
            }
            Body::Large {
                picture, wanted, ..
            } if !*wanted => {
                picture.want(out.size, start, end)?;
                *wanted = picture.is_whole(out.size)?;
                if *wanted {
                    self.wanted.push_back(file);
                }
            }
            Body::Large { .. } => {
                if let Some(source) = self.large.get_mut(&file)
                    && source.meta().is_some()
                {
                    let taken = source.handle_want(cx.pool, start, end)?;
                    self.touch(cx, file);
                    return Ok(taken);
                }
            }
            Body::Small(_) | Body::Reading => {}
            Body::Nothing | Body::Directory { .. } => return Err(Fault::VIOLATION),
        }
        self.touch(cx, file);
        Ok(true)
    }

    /// The sink has pieces of a file from an earlier transfer.
    pub(in crate::transfer) fn handle_have(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        (index, level): (u64, u8),
        value: Value,
    ) -> Result<(), Fault> {
        let Some(out) = self.files.get_mut(&file) else {
            return self.past(file);
        };
        match (&mut out.body, self.large.get_mut(&file)) {
            (Body::Large { .. }, Some(source)) => source.handle_have(index, level, value)?,
            (
                Body::Large {
                    picture, wanted, ..
                },
                None,
            ) => {
                if *wanted {
                    let known = picture.repeats(index, level, value);
                    return if known { Ok(()) } else { Err(Fault::VIOLATION) };
                }
                picture.have(out.size, index, level, value)?;
                *wanted = picture.is_whole(out.size)?;
                if *wanted {
                    self.wanted.push_back(file);
                }
            }
            // It is settled, or has failed.
            (Body::Nothing, _) => {}
            _ => return Err(Fault::VIOLATION),
        }
        self.touch(cx, file);
        Ok(())
    }

    /// A frame about a file that is settled, or was never announced.
    fn past(&self, file: u32) -> Result<(), Fault> {
        if file < self.next {
            Ok(())
        } else {
            Err(Fault::VIOLATION)
        }
    }

    /// The sink has stored a file, or cannot.
    pub(in crate::transfer) fn handle_outcome(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        result: Result<(StoredAs, Durability), ErrorCode>,
    ) -> Result<(), Fault> {
        let Some(out) = self.files.get(&file) else {
            return self.past(file);
        };
        if !out.entry.is_begun() {
            return Err(Fault::VIOLATION);
        }
        // It was said again, while ENTRY still waits for its acknowledgement.
        if out.settled {
            return Ok(());
        }
        // Nobody can have stored what was not sent to the end.
        let known = match &out.body {
            Body::Small(small) => small.is_sent(),
            Body::Large { .. } => self
                .large
                .get(&file)
                .is_some_and(|source| source.is_verified()),
            Body::Directory { count, .. } => count.is_some(),
            Body::Unread { .. } | Body::Reading | Body::Nothing => false,
        };
        if matches!(result, Ok((StoredAs::Written, _))) && !known {
            return Err(Fault::VIOLATION);
        }
        self.settle(cx, file, result);
        Ok(())
    }
}
