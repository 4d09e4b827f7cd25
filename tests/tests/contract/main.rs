//! proto-core's contract and requirements, over two endpoints in virtual time. One concept a file; a requirement's test
//! begins with its number.

mod acks;
mod clock;
mod determinism;
mod durability;
mod forgery;
mod handshakes;
mod ids;
mod key_updates;
mod memory;
mod migration;
mod names;
mod path_mtu;
mod polls;
mod resets;
mod runs;
mod server;
mod trains;
