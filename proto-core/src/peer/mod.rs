//! One session with one peer.

mod packet_writer;

pub(crate) use packet_writer::{PacketWriter, SentFrame};
