//! The subcommands.

pub(crate) mod links;
pub(crate) mod proxy;
