//! The one message of the classic dialect: 2,020 bytes, the same layout for every type (`docs/CLASSIC.md`, K1).
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | type, little-endian as all numbers |
//! | 4 | 1,000 | buffer |
//! | 1,004 | 1,000 | file name, ends at a NUL |
//! | 2,004 | 4 | length of the data |
//! | 2,008 | 4 | offset of the first data byte |
//! | 2,012 | 4 | next byte wanted |
//! | 2,016 | 1 | last piece |
//! | 2,017 | 3 | padding |

/// Bytes of every message.
pub const MESSAGE_LEN: usize = 2_020;

/// Bytes of data that one message carries at most.
pub const PIECE_LEN: usize = 1_000;

/// The largest file: offsets are 31-bit numbers.
pub const FILE_MAX: u64 = i32::MAX as u64;

/// Bytes of a name at most; a NUL follows.
pub const NAME_MAX: usize = 999;

const BUFFER: usize = 4;
const NAME: usize = 1_004;
const LEN: usize = 2_004;
const SEQ: usize = 2_008;
const ACK: usize = 2_012;
const END: usize = 2_016;

/// Bit 0x40 of the first byte is set in every modern datagram and in no classic one.
const MODERN: u8 = 0x40;

/// One message, with the fields that its type has a use for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// 0, `APPLY_FILE_DIC`: a client asks for the shared directory.
    ListRequest,
    /// 1, `AGREE_FILE_DIC`: names, each followed by `\r`; up to a NUL or 1,000 bytes.
    List {
        /// The names.
        names: &'a [u8],
    },
    /// 2, `APPLY_UPLOAD_FILE`: a client asks to upload.
    UploadRequest {
        /// The file.
        name: &'a [u8],
    },
    /// 3, `AGREE_UPLOAD_FILE`: a server agrees, or has taken what came before `ack`.
    UploadAgreed {
        /// The file; may be empty.
        name: &'a [u8],
        /// The next byte wanted.
        ack: u32,
    },
    /// 4, `START_UPLOAD_FILE`: data of an upload.
    UploadPiece {
        /// The file; may be empty.
        name: &'a [u8],
        /// Offset of the first byte.
        seq: u32,
        /// At most 1,000 bytes.
        data: &'a [u8],
        /// The file ends with this piece.
        end: bool,
    },
    /// 5, `END_UPLOAD_FILE`: the whole file is stored.
    UploadEnd {
        /// The file; may be empty.
        name: &'a [u8],
    },
    /// 7, `APPLY_DOWNLOAD_FILE`: a client asks for a file.
    DownloadRequest {
        /// The file.
        name: &'a [u8],
    },
    /// 8, `AGREE_DOWNLOAD_FILE` with offset -1: a server agrees.
    DownloadAgreed {
        /// The file; may be empty.
        name: &'a [u8],
    },
    /// 8, `AGREE_DOWNLOAD_FILE` otherwise: data of a download.
    DownloadPiece {
        /// The file; may be empty.
        name: &'a [u8],
        /// Offset of the first byte.
        seq: u32,
        /// At most 1,000 bytes.
        data: &'a [u8],
        /// The file ends with this piece.
        end: bool,
    },
    /// 9, `START_DOWNLOAD_FILE`: a client wants the data at `ack`.
    DownloadWanted {
        /// The file; may be empty.
        name: &'a [u8],
        /// The next byte wanted.
        ack: u32,
    },
    /// 10, `END_DOWNLOAD_FILE`: a client has all of the file.
    DownloadEnd {
        /// The file; may be empty.
        name: &'a [u8],
    },
}

/// Why a datagram is no message that can be taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, thiserror::Error)]
pub enum BadMessage {
    /// Not 2,020 bytes, or bit 0x40 of the first is set.
    #[error("is no message of the classic dialect")]
    Size,
    /// No message has this type, or it is 6, which is named but never used.
    #[error("has an unknown type")]
    Type,
    /// The file name has no NUL, or is missing where one is asked for.
    #[error("has no file name, or one without an end")]
    Name,
    /// The length is negative or above 1,000.
    #[error("has a length below 0 or above 1000")]
    Length,
    /// An offset is negative, or the data would reach beyond 2,147,483,647 bytes.
    #[error("has a negative offset, or one beyond 2147483647 bytes")]
    Offset,
}

/// Whether the datagram belongs to this dialect: by its size and first byte alone.
#[must_use]
pub fn is_classic(datagram: &[u8]) -> bool {
    datagram.len() == MESSAGE_LEN && datagram[0] & MODERN == 0
}

fn number(bytes: &[u8; MESSAGE_LEN], at: usize) -> i32 {
    i32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn offset(number: i32) -> Result<u32, BadMessage> {
    u32::try_from(number).map_err(|_| BadMessage::Offset)
}

fn until_nul(bytes: &[u8]) -> Option<&[u8]> {
    bytes.split(|&byte| byte == 0).next()
}

impl<'a> Message<'a> {
    /// Reads a datagram. Total: whatever the bytes are, the answer is a message or the first thing that is wrong.
    ///
    /// # Errors
    /// As [`BadMessage`] tells. Fields that the type has no use for are not looked at.
    pub fn decode(datagram: &'a [u8]) -> Result<Self, BadMessage> {
        let bytes: &[u8; MESSAGE_LEN] = match datagram.try_into() {
            Ok(bytes) if is_classic(datagram) => bytes,
            _ => return Err(BadMessage::Size),
        };
        let name = || {
            let field = &bytes[NAME..LEN];
            let name = until_nul(field).filter(|name| name.len() <= NAME_MAX);
            name.ok_or(BadMessage::Name)
        };
        let asked = || {
            name().and_then(|name| match name {
                [] => Err(BadMessage::Name),
                name => Ok(name),
            })
        };
        let ack = || offset(number(bytes, ACK));
        match number(bytes, 0) {
            0 => Ok(Self::ListRequest),
            1 => Ok(Self::List {
                names: until_nul(&bytes[BUFFER..NAME]).unwrap_or_default(),
            }),
            2 => Ok(Self::UploadRequest { name: asked()? }),
            3 => Ok(Self::UploadAgreed {
                name: name()?,
                ack: ack()?,
            }),
            4 => {
                let (seq, data) = piece(bytes)?;
                let (name, end) = (name()?, bytes[END] != 0);
                Ok(Self::UploadPiece {
                    name,
                    seq,
                    data,
                    end,
                })
            }
            5 => Ok(Self::UploadEnd { name: name()? }),
            7 => Ok(Self::DownloadRequest { name: asked()? }),
            8 if number(bytes, SEQ) == -1 => Ok(Self::DownloadAgreed { name: name()? }),
            8 => {
                let (seq, data) = piece(bytes)?;
                let (name, end) = (name()?, bytes[END] != 0);
                Ok(Self::DownloadPiece {
                    name,
                    seq,
                    data,
                    end,
                })
            }
            9 => Ok(Self::DownloadWanted {
                name: name()?,
                ack: ack()?,
            }),
            10 => Ok(Self::DownloadEnd { name: name()? }),
            _ => Err(BadMessage::Type),
        }
    }

    /// Writes the message; what its type has no use for is zero. Names beyond 999 bytes and data beyond 1,000 are cut: the
    /// dialect's own code makes neither.
    pub fn encode(&self, out: &mut [u8; MESSAGE_LEN]) {
        out.fill(0);
        let mut put =
            |at: usize, number: i32| out[at..at + 4].copy_from_slice(&number.to_le_bytes());
        put(0, self.number());
        match *self {
            Self::UploadAgreed { ack, .. } | Self::DownloadWanted { ack, .. } => {
                put(ACK, clamp(ack));
            }
            Self::UploadPiece { seq, data, .. } | Self::DownloadPiece { seq, data, .. } => {
                put(SEQ, clamp(seq));
                put(LEN, data.len().min(PIECE_LEN) as i32);
            }
            Self::DownloadAgreed { .. } => put(SEQ, -1),
            _ => {}
        }
        let (name, data, end) = match *self {
            Self::ListRequest => (&[][..], &[][..], false),
            Self::List { names } => (&[][..], names, false),
            Self::UploadPiece {
                name, data, end, ..
            }
            | Self::DownloadPiece {
                name, data, end, ..
            } => (name, data, end),
            Self::UploadRequest { name }
            | Self::UploadAgreed { name, .. }
            | Self::UploadEnd { name }
            | Self::DownloadRequest { name }
            | Self::DownloadAgreed { name }
            | Self::DownloadWanted { name, .. }
            | Self::DownloadEnd { name } => (name, &[][..], false),
        };
        let (name, data) = (
            &name[..name.len().min(NAME_MAX)],
            &data[..data.len().min(PIECE_LEN)],
        );
        out[BUFFER..BUFFER + data.len()].copy_from_slice(data);
        out[NAME..NAME + name.len()].copy_from_slice(name);
        out[END] = end.into();
    }

    /// The number of the type.
    #[must_use]
    pub fn number(&self) -> i32 {
        match self {
            Self::ListRequest => 0,
            Self::List { .. } => 1,
            Self::UploadRequest { .. } => 2,
            Self::UploadAgreed { .. } => 3,
            Self::UploadPiece { .. } => 4,
            Self::UploadEnd { .. } => 5,
            Self::DownloadRequest { .. } => 7,
            Self::DownloadAgreed { .. } | Self::DownloadPiece { .. } => 8,
            Self::DownloadWanted { .. } => 9,
            Self::DownloadEnd { .. } => 10,
        }
    }

    /// Whether clients send it.
    #[must_use]
    pub fn is_from_client(&self) -> bool {
        matches!(self.number(), 0 | 2 | 4 | 7 | 9 | 10)
    }

    /// The file's name; empty where there is none.
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        match *self {
            Self::ListRequest | Self::List { .. } => &[],
            Self::UploadRequest { name }
            | Self::UploadAgreed { name, .. }
            | Self::UploadPiece { name, .. }
            | Self::UploadEnd { name }
            | Self::DownloadRequest { name }
            | Self::DownloadAgreed { name }
            | Self::DownloadPiece { name, .. }
            | Self::DownloadWanted { name, .. }
            | Self::DownloadEnd { name } => name,
        }
    }
}

/// Offset and data of a piece.
fn piece(bytes: &[u8; MESSAGE_LEN]) -> Result<(u32, &[u8]), BadMessage> {
    let len = usize::try_from(number(bytes, LEN)).ok();
    let len = len
        .filter(|len| *len <= PIECE_LEN)
        .ok_or(BadMessage::Length)?;
    let seq = offset(number(bytes, SEQ))?;
    if u64::from(seq) + len as u64 > FILE_MAX {
        return Err(BadMessage::Offset);
    }
    Ok((seq, &bytes[BUFFER..BUFFER + len]))
}

fn clamp(offset: u32) -> i32 {
    i32::try_from(offset).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
