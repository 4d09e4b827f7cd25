//! From frame to bytes and back: the type, then what the frame's own file says of its fields.

use super::super::cursor::{LengthSink, Sink, SliceSink, read_byte};
use super::super::{WireError, varint};
use super::file::Place;
use super::{Ack, Frame, data, file, kind, path, request, session};

impl<'a> Frame<'a> {
    /// Writes the frame at the beginning of `out` and says its length. `None` when it does not fit, or when it breaks a
    /// limit by which every receiver would refuse it; what `out` then holds is not defined.
    ///
    /// `Padding` is written as a single byte.
    #[must_use]
    pub fn encode(&self, out: &mut [u8]) -> Option<usize> {
        let mut out = SliceSink::new(out);
        self.encode_to(&mut out)?;
        Some(out.len())
    }

    /// Bytes that [`encode`](Self::encode) writes; `usize::MAX` for a frame that breaks a limit.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let mut len = LengthSink::default();
        self.encode_to(&mut len).map_or(usize::MAX, |()| len.0)
    }

    /// Reads one frame and advances `bytes` over it. A run of zero bytes is one `Padding`.
    ///
    /// # Errors
    /// [`WireError`]; `bytes` is then anywhere within the frame.
    pub fn decode(bytes: &mut &'a [u8]) -> Result<Self, WireError> {
        Ok(match read_byte(bytes)? {
            kind::PADDING => {
                let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
                *bytes = &bytes[zeros..];
                Self::Padding
            }
            kind::PING => Self::Ping,
            kind::ACK => Ack::decode(bytes, false)?,
            kind::ACK_ECN => Ack::decode(bytes, true)?,
            kind::CRYPTO => session::decode_crypto(bytes)?,
            kind::NEW_CONNECTION_ID => path::decode_new_id(bytes)?,
            kind::RETIRE_CONNECTION_ID => path::decode_retire_id(bytes)?,
            kind::PATH_CHALLENGE => path::decode_challenge(bytes)?,
            kind::PATH_RESPONSE => path::decode_response(bytes)?,
            kind::CLOSE => session::decode_close(bytes)?,
            kind::HANDSHAKE_DONE => Self::HandshakeDone,
            kind::REQUEST => request::Request::decode(bytes)?,
            kind::ACCEPT => request::decode_accept(bytes)?,
            kind::REFUSE => request::decode_refuse(bytes)?,
            kind::CANCEL => request::decode_cancel(bytes)?,
            kind::ENTRY => file::decode_entry(bytes)?,
            kind::WANT => data::decode_want(bytes)?,
            kind::CREDIT => data::decode_credit(bytes)?,
            kind::DATA => data::decode_data(bytes)?,
            kind::PIECE => file::decode_piece(bytes)?,
            kind::SEAL => file::decode_seal(bytes)?,
            kind::STORED => file::decode_stored(bytes)?,
            kind::FAILED => file::decode_failed(bytes)?,
            kind::PAGE => data::decode_page(bytes)?,
            kind::HAVE => file::decode_have(bytes)?,
            kind::DONE => request::decode_done(bytes)?,
            kind::ACK_FREQUENCY => Self::AckFrequency {
                sequence: varint::read(bytes)?,
                packets: varint::read(bytes)?,
                delay: varint::read(bytes)?,
                reordering: varint::read(bytes)?,
            },
            kind::RATE_LIMIT => Self::RateLimit {
                sequence: varint::read(bytes)?,
                rate: varint::read(bytes)?,
            },
            _ => return Err(WireError::UnknownType),
        })
    }

    /// Whether the receiver owes an acknowledgement for it (RFC 9002 §2).
    #[must_use]
    pub fn is_ack_eliciting(&self) -> bool {
        !matches!(self, Self::Padding | Self::Ack(_) | Self::Close { .. })
    }

    /// Whether a packet of such frames alone only tries a path out: it does not say that the sender has moved
    /// (RFC 9000 §9.1).
    #[must_use]
    pub fn is_probing(&self) -> bool {
        matches!(
            self,
            Self::Padding
                | Self::NewConnectionId { .. }
                | Self::PathChallenge { .. }
                | Self::PathResponse { .. }
        )
    }

    /// The name in `docs/PROTOCOL.md`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.kind().1
    }

    /// How many bytes a `Data` frame of at most `room` bytes may carry; 0 when none.
    #[must_use]
    pub fn data_room(transfer: u64, file: u64, offset: u64, room: usize) -> usize {
        let fixed = 1 + varint::len(transfer) + varint::len(file) + varint::len(offset);
        body_room(fixed, offset, room)
    }

    /// How many bytes a `Crypto` frame of at most `room` bytes may carry; 0 when none.
    #[must_use]
    pub fn crypto_room(offset: u64, room: usize) -> usize {
        body_room(1 + varint::len(offset), offset, room)
    }

    /// How many bytes a `Page` frame of at most `room` bytes may carry; 0 when none.
    #[must_use]
    pub fn page_room(transfer: u64, offset: u64, room: usize) -> usize {
        body_room(
            2 + varint::len(transfer) + varint::len(offset),
            offset,
            room,
        )
    }

    /// Type and name.
    fn kind(&self) -> (u8, &'static str) {
        match self {
            Self::Padding => (kind::PADDING, "PADDING"),
            Self::Ping => (kind::PING, "PING"),
            Self::Ack(Ack { ecn: Some(_), .. }) => (kind::ACK_ECN, "ACK_ECN"),
            Self::Ack(_) => (kind::ACK, "ACK"),
            Self::Crypto { .. } => (kind::CRYPTO, "CRYPTO"),
            Self::HandshakeDone => (kind::HANDSHAKE_DONE, "HANDSHAKE_DONE"),
            Self::NewConnectionId { .. } => (kind::NEW_CONNECTION_ID, "NEW_CONNECTION_ID"),
            Self::RetireConnectionId { .. } => (kind::RETIRE_CONNECTION_ID, "RETIRE_CONNECTION_ID"),
            Self::PathChallenge { .. } => (kind::PATH_CHALLENGE, "PATH_CHALLENGE"),
            Self::PathResponse { .. } => (kind::PATH_RESPONSE, "PATH_RESPONSE"),
            Self::Close { .. } => (kind::CLOSE, "CLOSE"),
            Self::Request { .. } => (kind::REQUEST, "REQUEST"),
            Self::Accept { .. } => (kind::ACCEPT, "ACCEPT"),
            Self::Refuse { .. } => (kind::REFUSE, "REFUSE"),
            Self::Cancel { .. } => (kind::CANCEL, "CANCEL"),
            Self::Entry { .. } => (kind::ENTRY, "ENTRY"),
            Self::Want { .. } => (kind::WANT, "WANT"),
            Self::Credit { .. } => (kind::CREDIT, "CREDIT"),
            Self::Data { .. } => (kind::DATA, "DATA"),
            Self::Piece { .. } => (kind::PIECE, "PIECE"),
            Self::Seal { .. } => (kind::SEAL, "SEAL"),
            Self::Stored { .. } => (kind::STORED, "STORED"),
            Self::Failed { .. } => (kind::FAILED, "FAILED"),
            Self::Page { .. } => (kind::PAGE, "PAGE"),
            Self::Have { .. } => (kind::HAVE, "HAVE"),
            Self::Done { .. } => (kind::DONE, "DONE"),
            Self::AckFrequency { .. } => (kind::ACK_FREQUENCY, "ACK_FREQUENCY"),
            Self::RateLimit { .. } => (kind::RATE_LIMIT, "RATE_LIMIT"),
        }
    }

    // One arm a frame: longer than other functions, and without a branch of its own.
    fn encode_to(&self, out: &mut impl Sink) -> Option<()> {
        out.byte(self.kind().0)?;
        match *self {
            Self::Padding | Self::Ping | Self::HandshakeDone => Some(()),
            Self::Ack(ref ack) => ack.encode(out),
            Self::Crypto { offset, data } => session::encode_crypto(out, offset, data),
            Self::NewConnectionId {
                sequence,
                retire_prior_to,
                id,
                token,
            } => path::encode_new_id(out, sequence, retire_prior_to, id, token),
            Self::RetireConnectionId { sequence } => out.varint(sequence),
            Self::PathChallenge { ref data } | Self::PathResponse { ref data } => out.bytes(data),
            Self::Close { code, reason } => session::encode_close(out, code, reason),
            Self::Request {
                transfer,
                kind,
                compare,
                no_clobber,
                tree,
                resume,
                durability,
                amount,
                path,
                argument,
            } => request::Request {
                transfer,
                kind,
                compare,
                no_clobber,
                tree,
                resume,
                durability,
                amount,
                path,
                argument,
            }
            .encode(out),
            Self::Accept { transfer, credit } => request::encode_accept(out, transfer, credit),
            Self::Refuse { transfer, code } | Self::Cancel { transfer, code } => {
                request::encode_code(out, transfer, code)
            }
            Self::Entry {
                transfer,
                file,
                parent,
                version,
                ref entry,
            } => file::encode_entry(out, Place { transfer, file }, parent, version, entry),
            Self::Want {
                transfer,
                file,
                start,
                end,
            } => data::encode_want(out, Place { transfer, file }, start, end),
            Self::Credit {
                transfer,
                file,
                limit,
            } => data::encode_credit(out, Place { transfer, file }, limit),
            Self::Data {
                transfer,
                file,
                offset,
                data,
            } => data::encode_data(out, Place { transfer, file }, offset, data),
            Self::Piece {
                transfer,
                file,
                index,
                value,
            } => file::encode_piece(out, Place { transfer, file }, index, value),
            Self::Have {
                transfer,
                file,
                index,
                level,
                value,
            } => file::encode_have(out, Place { transfer, file }, index, level, value),
            Self::Seal {
                transfer,
                file,
                size,
                root,
            } => file::encode_seal(out, Place { transfer, file }, size, root),
            Self::Stored {
                transfer,
                file,
                how,
                durability,
            } => file::encode_stored(out, Place { transfer, file }, how, durability),
            Self::Failed {
                transfer,
                file,
                code,
            } => file::encode_failed(out, Place { transfer, file }, code),
            Self::Done {
                transfer,
                count,
                durability,
            } => request::encode_done(out, transfer, count, durability),
            Self::Page {
                transfer,
                offset,
                last,
                data,
            } => data::encode_page(out, transfer, offset, last, data),
            Self::AckFrequency {
                sequence,
                packets,
                delay,
                reordering,
            } => {
                let fields = [sequence, packets, delay, reordering];
                fields.into_iter().try_for_each(|field| out.varint(field))
            }
            Self::RateLimit { sequence, rate } => {
                out.varint(sequence)?;
                out.varint(rate)
            }
        }
    }
}

/// The largest body that fits into `room` after `fixed` bytes and its own length, and that ends at 2^62 − 1 or before.
fn body_room(fixed: usize, offset: u64, room: usize) -> usize {
    let left = room.saturating_sub(fixed);
    let fits = [(1, 0x3f), (2, 0x3fff), (4, 0x3fff_ffff)]
        .into_iter()
        .map(|(len, max)| left.saturating_sub(len).min(max))
        .max()
        .unwrap_or(0);
    let below_end = varint::MAX.saturating_sub(offset);
    fits.min(usize::try_from(below_end).unwrap_or(usize::MAX))
}
