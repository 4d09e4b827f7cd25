//! What any receiver of a datagram can read.

use core::ops::Range;

use super::{FirstByte, PROTECTED_MIN, TOKEN_MAX, VERSION};
use crate::crypto::Level;
use crate::wire::cursor::{read_array, read_byte, read_prefixed};
use crate::wire::{ConnectionId, WireError, varint};

/// The kinds of packets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PacketKind {
    /// Long: under Initial keys.
    Initial,
    /// Long: under handshake keys.
    Handshake,
    /// Long: a server wants the client's address proved. Reserved: dropped.
    Retry,
    /// Long: the versions that a server speaks.
    VersionAnswer,
    /// Long: of this version, which is not ours and not 0. Nothing but its ids is known.
    OtherVersion(u32),
    /// Short: under 1-RTT keys.
    Short,
}

/// A packet's header as far as it can be read before header protection is taken off. Offsets count from the beginning of the
/// bytes that were decoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartialHeader {
    /// The first byte, still protected.
    pub first: FirstByte,
    /// Which packet.
    pub kind: PacketKind,
    /// Where the packet goes.
    pub destination: ConnectionId,
    /// Where it comes from; long headers only.
    pub source: Option<ConnectionId>,
    /// Place of an Initial's token; empty otherwise.
    pub token: Range<usize>,
    /// Offset of the packet number (Initial, Handshake, Short) or of whatever follows the ids. For packets that are
    /// protected, at least [`PROTECTED_MIN`] bytes follow before [`end`](Self::end).
    pub number_at: usize,
    /// One past the packet's last byte; a further packet may begin there.
    pub end: usize,
}

impl PartialHeader {
    /// Reads the header of the first packet in `datagram`. Of a coalesced datagram, call it again with what begins at
    /// [`end`](Self::end), until nothing is left.
    ///
    /// # Errors
    /// [`WireError`]: the rest of the datagram is of no use and is dropped.
    pub fn decode(datagram: &[u8]) -> Result<Self, WireError> {
        let mut bytes = datagram;
        let first = FirstByte(read_byte(&mut bytes)?);
        first.check()?;
        if first.is_long() {
            Self::decode_long(first, datagram, bytes)
        } else {
            Self::decode_short(first, datagram, bytes)
        }
    }

    fn decode_short(
        first: FirstByte,
        datagram: &[u8],
        mut bytes: &[u8],
    ) -> Result<Self, WireError> {
        let destination = ConnectionId(*read_array(&mut bytes)?);
        if bytes.len() < PROTECTED_MIN {
            return Err(WireError::Truncated);
        }
        Ok(Self {
            first,
            kind: PacketKind::Short,
            destination,
            source: None,
            token: 0..0,
            number_at: datagram.len() - bytes.len(),
            end: datagram.len(),
        })
    }

    fn decode_long(first: FirstByte, datagram: &[u8], mut bytes: &[u8]) -> Result<Self, WireError> {
        let version = u32::from_be_bytes(*read_array(&mut bytes)?);
        let destination = ConnectionId(*read_array(&mut bytes)?);
        let source = ConnectionId(*read_array(&mut bytes)?);
        let kind = kind_of(version, first)?;

        let mut token = 0..0;
        if kind == PacketKind::Initial {
            let len = read_prefixed(&mut bytes, TOKEN_MAX)?.len();
            let token_end = datagram.len() - bytes.len();
            token = token_end - len..token_end;
        }
        let mut rest = bytes.len();
        match kind {
            PacketKind::Initial | PacketKind::Handshake => {
                let len = varint::read(&mut bytes)?;
                rest = usize::try_from(len).map_err(|_| WireError::Truncated)?;
                if rest < PROTECTED_MIN {
                    return Err(WireError::BadValue);
                }
                if rest > bytes.len() {
                    return Err(WireError::Truncated);
                }
            }
            PacketKind::VersionAnswer if rest == 0 || !rest.is_multiple_of(4) => {
                return Err(WireError::BadValue);
            }
            _ => {}
        }
        let number_at = datagram.len() - bytes.len();
        Ok(Self {
            first,
            kind,
            destination,
            source: Some(source),
            token,
            number_at,
            end: number_at + rest,
        })
    }

    /// The protection level; `None` for packets that are not protected.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        match self.kind {
            PacketKind::Initial => Some(Level::Initial),
            PacketKind::Handshake => Some(Level::Handshake),
            PacketKind::Short => Some(Level::Data),
            PacketKind::Retry | PacketKind::VersionAnswer | PacketKind::OtherVersion(_) => None,
        }
    }

    /// Place of the sample for header protection (RFC 9001 §5.4.2), within a packet that is protected.
    #[must_use]
    pub fn sample(&self) -> Range<usize> {
        self.number_at + 4..self.number_at + PROTECTED_MIN
    }

    /// The versions that a `VersionAnswer` lists; none for other packets.
    pub fn versions<'a>(&self, datagram: &'a [u8]) -> impl Iterator<Item = u32> + use<'a> {
        let list = match self.kind {
            PacketKind::VersionAnswer => datagram.get(self.number_at..self.end),
            _ => None,
        };
        list.unwrap_or_default()
            .chunks_exact(4)
            .filter_map(|chunk| chunk.first_chunk().copied().map(u32::from_be_bytes))
    }
}

fn kind_of(version: u32, first: FirstByte) -> Result<PacketKind, WireError> {
    match (version, first.long_type()) {
        (VERSION, FirstByte::INITIAL) => Ok(PacketKind::Initial),
        (VERSION, FirstByte::HANDSHAKE) => Ok(PacketKind::Handshake),
        (VERSION, FirstByte::RETRY) => Ok(PacketKind::Retry),
        (0, FirstByte::VERSION_ANSWER) => Ok(PacketKind::VersionAnswer),
        (VERSION | 0, _) => Err(WireError::UnknownType),
        (other, _) => Ok(PacketKind::OtherVersion(other)),
    }
}
