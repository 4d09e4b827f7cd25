//! The bytes on the wire: `docs/PROTOCOL.md` is the normative text.
//!
//! Every decoder is total: any bytes give a value or a [`WireError`], never a panic.

mod code;
mod connection_id;
mod cursor;
mod entry;
mod error;
mod file_path;
mod frame;
pub mod varint;

pub use code::{CloseCode, ErrorCode};
pub use connection_id::ConnectionId;
pub use entry::{Entry, EntryKind};
pub use error::WireError;
pub use file_path::{FilePath, PathError};
pub use frame::{Ack, Durability, Frame, RequestKind, StoredAs, write_ack};
