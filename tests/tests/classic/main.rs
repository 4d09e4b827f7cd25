//! The classic dialect of one endpoint, against peers that are written by hand (`docs/CLASSIC.md`).

mod bench;
mod client;
mod hostile;
mod server;
