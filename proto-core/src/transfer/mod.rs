//! Transfers: lists, metadata, and files between a source and a sink.

mod codes;
mod context;
mod delivery;
mod event;
mod item;
mod listing;
mod one;
mod op_tag;
mod request;
mod sink;
mod source;
mod transfers;

pub(crate) use context::Context;
pub(crate) use event::TransferEvent;
pub(crate) use item::Item;
pub(crate) use op_tag::OpTag;
pub use request::{Decision, Overwrite, Place, Request, Requested};
pub(crate) use transfers::{Taken, Transfers};

#[cfg(test)]
mod tests;
