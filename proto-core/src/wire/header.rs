//! Packet headers: what is written, and what can be read before header protection is taken off.
//!
//! | form | fields |
//! |---|---|
//! | long | first byte, version (4), destination id (8), source id (8), Initial only: token length (varint) and token; length (varint) of what follows; packet number (1–4), payload |
//! | short | first byte, destination id (8), packet number (1–4), payload |
//!
//! See `docs/PROTOCOL.md`, "Packets".

mod first_byte;
mod partial;
#[cfg(test)]
mod tests;
mod version;

pub use first_byte::FirstByte;
pub use partial::{PacketKind, PartialHeader};
pub use version::{VERSION, write_version_answer};

use super::cursor::{Sink, SliceSink};
use super::{ConnectionId, packet_number, varint};

/// Bytes of an Initial's token.
pub const TOKEN_MAX: usize = 256;

/// The least that packet number and payload take together: the sample for header protection begins 4 bytes after the
/// beginning of the packet number and is 16 bytes (RFC 9001 §5.4.2).
pub const PROTECTED_MIN: usize = 20;

/// Which long packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LongType<'a> {
    /// First packets in each direction.
    Initial {
        /// What the server gave to prove the client's address; empty when nothing. At most [`TOKEN_MAX`] bytes.
        token: &'a [u8],
    },
    /// Packets under handshake keys.
    Handshake,
}

/// The header of an Initial or Handshake packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LongHeader<'a> {
    /// Initial or Handshake.
    pub ty: LongType<'a>,
    /// The receiver's id.
    pub destination: ConnectionId,
    /// The sender's id.
    pub source: ConnectionId,
}

/// The header of a packet under 1-RTT keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShortHeader {
    /// The receiver's id.
    pub destination: ConnectionId,
    /// Which of two key generations (RFC 9001 §6).
    pub key_phase: bool,
}

/// Where the parts of a written packet are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeaderLayout {
    /// Offset of the packet number.
    pub number_at: usize,
    /// Offset of the payload: the header's length.
    pub payload_at: usize,
    length_at: Option<usize>,
}

impl LongHeader<'_> {
    /// Bytes of the header with a packet number of `number_len` bytes.
    #[must_use]
    pub fn encoded_len(&self, number_len: usize) -> usize {
        let token = match self.ty {
            LongType::Initial { token } => varint::len(token.len() as u64) + token.len(),
            LongType::Handshake => 0,
        };
        1 + 4 + 2 * ConnectionId::LEN + token + 2 + number_len
    }

    /// Writes the header, not yet protected, at the beginning of `out`. Its length field is to be set with
    /// [`HeaderLayout::set_length`]. `None` when there is no room, the token is too long, or `number_len` is not 1 to 4.
    pub fn encode(&self, number: u64, number_len: usize, out: &mut [u8]) -> Option<HeaderLayout> {
        let mut sink = SliceSink::new(out);
        let first = match self.ty {
            LongType::Initial { .. } => FirstByte::INITIAL,
            LongType::Handshake => FirstByte::HANDSHAKE,
        };
        sink.byte(first.with_number_len(number_len)?.0)?;
        sink.bytes(&VERSION.to_be_bytes())?;
        sink.bytes(&self.destination.0)?;
        sink.bytes(&self.source.0)?;
        if let LongType::Initial { token } = self.ty {
            if token.len() > TOKEN_MAX {
                return None;
            }
            sink.prefixed(token)?;
        }
        let length_at = sink.len();
        sink.bytes(&[0; 2])?;
        let number_at = sink.len();
        packet_number::write(out.get_mut(number_at..)?, number, number_len)?;
        Some(HeaderLayout {
            number_at,
            payload_at: number_at + number_len,
            length_at: Some(length_at),
        })
    }
}

impl ShortHeader {
    /// Offset of the packet number.
    pub const NUMBER_AT: usize = 1 + ConnectionId::LEN;

    /// Whether the datagram is one packet with a short header to `destination`, as [`PartialHeader::decode`] would find.
    #[must_use]
    pub fn leads(datagram: &[u8], destination: ConnectionId) -> bool {
        let Some((&[first, ref id @ ..], rest)) =
            datagram.split_first_chunk::<{ Self::NUMBER_AT }>()
        else {
            return false;
        };
        FirstByte(first).is_short() && *id == destination.0 && rest.len() >= PROTECTED_MIN
    }

    /// Bytes of the header with a packet number of `number_len` bytes.
    #[must_use]
    pub fn encoded_len(&self, number_len: usize) -> usize {
        1 + ConnectionId::LEN + number_len
    }

    /// Writes the header, not yet protected, at the beginning of `out`. `None` when there is no room or `number_len` is
    /// not 1 to 4.
    pub fn encode(&self, number: u64, number_len: usize, out: &mut [u8]) -> Option<HeaderLayout> {
        let mut sink = SliceSink::new(out);
        let first = FirstByte::short(self.key_phase).with_number_len(number_len)?;
        sink.byte(first.0)?;
        sink.bytes(&self.destination.0)?;
        let number_at = sink.len();
        packet_number::write(out.get_mut(number_at..)?, number, number_len)?;
        Some(HeaderLayout {
            number_at,
            payload_at: number_at + number_len,
            length_at: None,
        })
    }
}

impl HeaderLayout {
    /// Writes the length field of a long header at the beginning of `packet`, for a payload of `payload_len` bytes, the tag
    /// included. Nothing is written for a short header, whose packet ends with the datagram.
    ///
    /// `None` when packet number and payload are more than 16,383 or fewer than [`PROTECTED_MIN`] bytes.
    pub fn set_length(&self, packet: &mut [u8], payload_len: usize) -> Option<()> {
        let len = (self.payload_at - self.number_at).checked_add(payload_len)?;
        if len < PROTECTED_MIN {
            return None;
        }
        if let Some(at) = self.length_at {
            // Always two bytes, so that the payload's place does not depend on its length.
            let field = u16::try_from(len).ok().filter(|&len| len < 0x4000)? | 0x4000;
            let place = packet.get_mut(at..)?.first_chunk_mut()?;
            *place = field.to_be_bytes();
        }
        Some(())
    }
}
