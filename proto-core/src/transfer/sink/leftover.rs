//! The journal of a target that is what it should be.
//!
//! Either the process ended when the file had its name and its journal was not removed: then the temporary file of which it tells
//! is gone, and the journal is of no use. Or a command that replaces the file whatever it is, was not done with it: then both stay,
//! for when it runs again.

use super::Sink;
use super::commit::{Step, numbered_temp};
use super::journal::{Header, SLOT};
use crate::file::{FileError, Operation, Outcome};

impl Sink {
    /// The operation of a step.
    pub(super) fn leftover_op(&mut self) -> Option<Operation> {
        let file = self.log.as_ref()?.file;
        Some(match self.step {
            Step::ReadHeader => Operation::ReadLog {
                file,
                offset: 0,
                max: SLOT as u32,
            },
            Step::StatPart => Operation::Stat {
                root: self.plan.to.root,
                path: self.leftover.clone()?,
            },
            _ => Operation::CloseLog {
                file,
                remove: !self.leftover_is_there,
            },
        })
    }

    /// What a look at the journal, and then at the temporary file, says.
    pub(super) fn leftover_done(&mut self, result: &Result<Outcome, FileError>) {
        match (self.step, result) {
            (Step::ReadHeader, Ok(Outcome::Bytes(bytes))) => {
                let header = bytes.first_chunk::<SLOT>().and_then(Header::decode);
                self.leftover = header
                    .and_then(|(header, _)| numbered_temp(header.temp, &self.plan.to.path).ok());
            }
            (Step::ReadHeader, _) => self.leftover_is_there = true,
            (_, result) => self.leftover_is_there = *result != Err(FileError::NotFound),
        }
    }
}
