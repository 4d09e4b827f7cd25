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
mod header;
pub mod packet_number;
mod run_head;
mod transport_params;
pub mod varint;
#[cfg(test)]
mod vectors;

pub use code::{CloseCode, ErrorCode};
pub use connection_id::ConnectionId;
pub use entry::{Entry, EntryKind};
pub use error::WireError;
pub use file_path::{FilePath, PathError};
pub use frame::{Ack, Data, Durability, Frame, RequestKind, StoredAs, write_ack, write_ack_ecn};
pub use header::{
    FirstByte, HeaderLayout, LongHeader, LongType, PROTECTED_MIN, PacketKind, PartialHeader,
    ShortHeader, TOKEN_MAX, VERSION, write_version_answer,
};
pub use run_head::RunHead;
pub use transport_params::{ParamsError, TransportParams};
