//! What is told of a file.

use aws_lc_rs::digest;
use proto_core::Meta;
use proto_core::wire::EntryKind;

/// The words that change whenever a file's content may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version {
    pub(super) size: u64,
    pub(super) mtime: i64,
    /// Change of the inode in nanoseconds; where there is none, the time of creation.
    pub(super) ctime: i64,
    pub(super) inode: u64,
    pub(super) device: u64,
}

impl Version {
    /// Sixteen bytes that are opaque to the peer: it learns neither inode nor device.
    pub(super) fn mix(&self) -> [u8; 16] {
        let mut words = Vec::with_capacity(40);
        for word in [
            self.size,
            self.mtime as u64,
            self.ctime as u64,
            self.inode,
            self.device,
        ] {
            words.extend_from_slice(&word.to_le_bytes());
        }
        let hash = digest::digest(&digest::SHA256, &words);
        hash.as_ref()[..16]
            .try_into()
            .expect("a SHA-256 has 32 bytes")
    }
}

/// Seconds and nanoseconds since 1970 in one number, saturating (the years 1677 to 2262).
pub(super) fn nanos(seconds: i64, nanoseconds: i64) -> i64 {
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds)
}

/// The metadata of something without content.
pub(super) fn directory(mtime: i64, mode: u16) -> Meta {
    Meta {
        kind: EntryKind::Directory,
        size: 0,
        mtime,
        mode: mode & 0o777,
        version: [0; 16],
    }
}
