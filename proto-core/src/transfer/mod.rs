//! Transfers: lists, metadata, and files between a source and a sink (`docs/PROTOCOL.md` §10).
//!
//! [`Transfers`] holds those of one session and routes frames, operations and events. `one` is a single transfer: its
//! phases from request to end. Its work is a `source` (reads ahead, sends, sends again), a `sink` (gathers, writes,
//! verifies, stores), many of these in a `tree`, or one end of a `listing`; each is the same in either role.
//! A `change` of names is the responder's alone.

mod audit;
mod change;
mod codes;
mod context;
mod delivery;
mod digest;
mod event;
mod item;
mod listing;
mod one;
mod op_tag;
mod progress;
mod request;
mod run;
mod sink;
mod source;
mod transfers;
mod tree;

pub(crate) use audit::AllInFlight;
use audit::InFlight;
pub(crate) use codes::error_code;
pub(crate) use context::Context;
pub(crate) use event::TransferEvent;
pub(crate) use item::Item;
pub(crate) use op_tag::{OpKind, OpTag};
pub use request::{Decision, Overwrite, Place, Request, Requested};
pub(crate) use run::Run;
pub(crate) use transfers::{Taken, Transfers};
pub use tree::{FileReport, TreeTotals};

/// Permission bits of a new directory that has nobody else's, before the executor's mask.
const NEW_DIRECTORY_MODE: u16 = 0o777;

#[cfg(test)]
mod tests;
