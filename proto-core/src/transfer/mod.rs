//! Transfers: lists, metadata, and files between a source and a sink.

mod context;
mod item;
mod request;

pub(crate) use context::Context;
pub(crate) use item::Item;
pub use request::{Decision, Overwrite, Place, Request, Requested};
mod stub;
pub(crate) use stub::{OpTag, Taken, TransferEvent, Transfers};
