//! What is told of a file or directory, and its bytes: kind, size, time, mode, name (PROTOCOL.md, "Entries").

use alloc::vec::Vec;

use super::cursor::{LengthSink, Sink, read_array, read_byte, read_prefixed};
use super::{FilePath, WireError, varint};

/// Permission bits that travel.
const MODE_MASK: u64 = 0o777;

/// The kind of a directory entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum EntryKind {
    /// A regular file.
    File = 0,
    /// A directory.
    Directory = 1,
    /// A symbolic link.
    Symlink = 2,
    /// A device, socket, FIFO or another kind.
    Other = 3,
}

/// One directory entry, or one file of a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// File, directory, ….
    pub kind: EntryKind,
    /// Bytes; 0 for what is no regular file.
    pub size: u64,
    /// Modification time, nanoseconds since 1970, negative before.
    pub mtime: i64,
    /// Permission bits, `mode & 0o777`.
    pub mode: u16,
    /// In a listing, the name in its directory; in a transfer, the path below the requested one, empty for that one itself.
    pub name: &'a [u8],
}

impl EntryKind {
    fn from_wire(byte: u8) -> Result<Self, WireError> {
        match byte {
            0 => Ok(Self::File),
            1 => Ok(Self::Directory),
            2 => Ok(Self::Symlink),
            3 => Ok(Self::Other),
            _ => Err(WireError::BadValue),
        }
    }
}

impl<'a> Entry<'a> {
    /// Appends the entry to `out`.
    ///
    /// Nothing is appended for an entry that the wire cannot carry: a size above 2^62 − 1, a mode above 0o777, a name
    /// above [`FilePath::MAX_LEN`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        let before = out.len();
        if self.encode_to(out).is_none() {
            out.truncate(before);
        }
    }

    /// Bytes that [`encode`](Self::encode) appends.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let mut len = LengthSink::default();
        self.encode_to(&mut len).map_or(0, |()| len.0)
    }

    /// Reads an entry and advances `bytes` over it.
    ///
    /// The name is checked for its length only: [`FilePath::parse`] does the rest.
    ///
    /// # Errors
    /// [`WireError::Truncated`], [`WireError::BadValue`]; `bytes` is then anywhere within the entry.
    pub fn decode(bytes: &mut &'a [u8]) -> Result<Self, WireError> {
        let entry = Self {
            kind: EntryKind::from_wire(read_byte(bytes)?)?,
            size: varint::read(bytes)?,
            mtime: i64::from_be_bytes(*read_array(bytes)?),
            mode: match varint::read(bytes)? {
                mode @ 0..=MODE_MASK => mode as u16,
                _ => return Err(WireError::BadValue),
            },
            name: read_prefixed(bytes, FilePath::MAX_LEN)?,
        };
        Ok(entry)
    }

    pub(super) fn encode_to(&self, out: &mut impl Sink) -> Option<()> {
        if u64::from(self.mode) > MODE_MASK || self.name.len() > FilePath::MAX_LEN {
            return None;
        }
        out.byte(self.kind as u8)?;
        out.varint(self.size)?;
        out.bytes(&self.mtime.to_be_bytes())?;
        out.varint(self.mode.into())?;
        out.prefixed(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ENTRY: Entry<'_> = Entry {
        kind: EntryKind::File,
        size: 1,
        mtime: -1,
        mode: 0o644,
        name: b"a",
    };

    #[test]
    fn what_the_wire_cannot_carry_is_left_out() {
        let name = [b'n'; FilePath::MAX_LEN + 1];
        let bad = [
            Entry {
                size: varint::MAX + 1,
                ..ENTRY
            },
            Entry {
                mode: 0o1000,
                ..ENTRY
            },
            Entry {
                name: &name,
                ..ENTRY
            },
        ];
        for entry in bad {
            let mut out = vec![7];
            entry.encode(&mut out);
            assert_eq!(out, [7]);
            assert_eq!(entry.encoded_len(), 0);
        }
    }

    #[test]
    fn bad_fields_are_refused() {
        let mut good = Vec::new();
        ENTRY.encode(&mut good);
        assert_eq!(Entry::decode(&mut &good[..]), Ok(ENTRY));
        for cut in 0..good.len() {
            assert_eq!(Entry::decode(&mut &good[..cut]), Err(WireError::Truncated));
        }
        // Kind 4; mode 0o1000; a name of 4,097 bytes.
        for (at, value) in [(0, 4), (10, 0x42), (12, 0x50)] {
            let mut bad = good.clone();
            bad[at] = value;
            bad.extend_from_slice(&[1; 5000]);
            assert_eq!(
                Entry::decode(&mut &bad[..]),
                Err(WireError::BadValue),
                "{at}"
            );
        }
    }

    proptest! {
        #[test]
        fn round_trip(
            kind in 0..4_u8,
            size in 0..=varint::MAX,
            mtime in any::<i64>(),
            mode in 0..=0o777_u16,
            name in prop::collection::vec(any::<u8>(), 0..300),
            tail in any::<Vec<u8>>(),
        ) {
            let kind = EntryKind::from_wire(kind).unwrap();
            let entry = Entry { kind, size, mtime, mode, name: &name };
            let mut out = Vec::new();
            entry.encode(&mut out);
            prop_assert_eq!(out.len(), entry.encoded_len());
            out.extend_from_slice(&tail);
            let mut rest = &out[..];
            prop_assert_eq!(Entry::decode(&mut rest), Ok(entry));
            prop_assert_eq!(rest, &tail[..]);
        }

        #[test]
        fn any_bytes_give_an_entry_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(entry) = Entry::decode(&mut &bytes[..]) {
                let mut out = Vec::new();
                entry.encode(&mut out);
                prop_assert_eq!(Entry::decode(&mut &out[..]), Ok(entry));
            }
        }
    }
}
