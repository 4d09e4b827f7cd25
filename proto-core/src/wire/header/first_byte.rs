//! The first byte of a packet.
//!
//! | bits | long | short |
//! |---|---|---|
//! | 0x80 | 1 | 0 |
//! | 0x40 | 1 | 1 |
//! | 0x20 | type | 0 |
//! | 0x10 | type | 0 (protected) |
//! | 0x08 | 0 (protected) | 0 (protected) |
//! | 0x04 | 0 (protected) | key phase (protected) |
//! | 0x03 | packet number length − 1 (protected) | the same |

use crate::wire::WireError;

/// A packet's first byte; what the methods say of protected bits holds once protection is off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FirstByte(pub u8);

const LONG: u8 = 0x80;
const FIXED: u8 = 0x40;
const TYPE: u8 = 0x30;
const SHORT_UNUSED: u8 = 0x20;
const LONG_RESERVED: u8 = 0x0c;
const SHORT_RESERVED: u8 = 0x18;
const KEY_PHASE: u8 = 0x04;
const NUMBER_LEN: u8 = 0x03;

impl FirstByte {
    pub(super) const INITIAL: Self = Self(LONG | FIXED);
    pub(super) const HANDSHAKE: Self = Self(LONG | FIXED | 0x10);
    pub(super) const RETRY: Self = Self(LONG | FIXED | 0x20);
    pub(super) const VERSION_ANSWER: Self = Self(LONG | FIXED | 0x30);

    pub(super) const fn short(key_phase: bool) -> Self {
        Self(FIXED | if key_phase { KEY_PHASE } else { 0 })
    }

    /// `None` unless `len` is 1 to 4.
    pub(super) const fn with_number_len(self, len: usize) -> Option<Self> {
        match len {
            1..=4 => Some(Self(self.0 | (len as u8 - 1))),
            _ => None,
        }
    }

    /// Checks the bits that are never protected.
    pub(super) fn check(self) -> Result<(), WireError> {
        if self.0 & FIXED == 0 {
            return Err(WireError::UnknownType);
        }
        if !self.is_long() && self.0 & SHORT_UNUSED != 0 {
            return Err(WireError::BadValue);
        }
        Ok(())
    }

    /// Whether the bits that are never protected are those of a short header.
    pub(super) const fn is_short(self) -> bool {
        self.0 & (LONG | FIXED | SHORT_UNUSED) == FIXED
    }

    /// The bits that tell long packets apart.
    pub(super) const fn long_type(self) -> Self {
        Self(self.0 & (LONG | FIXED | TYPE))
    }

    /// Whether this is a long header.
    #[must_use]
    pub const fn is_long(self) -> bool {
        self.0 & LONG != 0
    }

    /// Bytes of the packet number, 1 to 4.
    #[must_use]
    pub const fn number_len(self) -> usize {
        (self.0 & NUMBER_LEN) as usize + 1
    }

    /// Which of two key generations; of no meaning in a long header.
    #[must_use]
    pub const fn key_phase(self) -> bool {
        self.0 & KEY_PHASE != 0
    }

    /// Whether the reserved protected bits are zero. To be asked only of a packet that was opened (RFC 9000 §17.2): before,
    /// the answer would tell an attacker about the mask.
    #[must_use]
    pub const fn reserved_bits_are_zero(self) -> bool {
        let reserved = if self.is_long() {
            LONG_RESERVED
        } else {
            SHORT_RESERVED
        };
        self.0 & reserved == 0
    }
}
