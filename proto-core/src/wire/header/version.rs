//! Versions, and the answer to a version that is not spoken.

use super::{FirstByte, PacketKind, PartialHeader};
use crate::wire::cursor::{Sink, SliceSink};

/// The version of the protocol: "dho1".
pub const VERSION: u32 = 0x6468_6f31;

/// Writes the Version answer to a packet of another version at the beginning of `out` and says its length.
///
/// `None` when `cause` is not of another version, when the answer would be larger than the datagram of `cause_len` bytes that
/// caused it (H3), or when there is no room.
pub fn write_version_answer(
    out: &mut [u8],
    cause: &PartialHeader,
    cause_len: usize,
) -> Option<usize> {
    if !matches!(cause.kind, PacketKind::OtherVersion(_)) {
        return None;
    }
    let mut out = SliceSink::new(out);
    out.byte(FirstByte::VERSION_ANSWER.0)?;
    out.bytes(&[0; 4])?;
    out.bytes(&cause.source?.0)?;
    out.bytes(&cause.destination.0)?;
    out.bytes(&VERSION.to_be_bytes())?;
    (out.len() <= cause_len).then_some(out.len())
}
