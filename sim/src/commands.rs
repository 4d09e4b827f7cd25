//! The subcommands of the binary.

pub(crate) mod accept;
pub(crate) mod crash;
pub(crate) mod explore;
pub(crate) mod links;
pub(crate) mod mutants;
pub(crate) mod plot;
pub(crate) mod predict;
pub(crate) mod proxy;
pub(crate) mod replay;
pub(crate) mod run;
mod summary;
pub(crate) mod table;
