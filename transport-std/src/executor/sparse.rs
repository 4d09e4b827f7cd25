//! Zeros that are not written: what is sparse at the source is sparse at the sink, whatever is known of the source's holes.

use std::fs::File;
use std::io::Result;

use super::io::write_all_at;

/// What is shorter is less than file systems allot at once.
const LEAST: usize = 4_096;

/// Bytes that are looked at together.
const STRIDE: usize = 1_024;

/// Whether these bytes need not be written to be read again.
pub(super) fn is_hole(bytes: &[u8]) -> bool {
    let zero = |part: &[u8]| part.iter().fold(0, |all, byte| all | byte) == 0;
    // The first few tell nearly always.
    bytes.len() >= LEAST && zero(&bytes[..16]) && bytes.chunks(STRIDE).all(zero)
}

/// Has a file read zeros, as many as `zeros`, from `offset` on. Nothing stays allotted for them where the system can do that.
pub(super) fn write(file: &File, zeros: &[u8], offset: u64) -> Result<()> {
    let end = offset.saturating_add(zeros.len() as u64);
    let before = file.metadata()?.len();
    if before < end {
        // Not by setting the length: another thread may write behind it just now.
        write_all_at(file, &[0], end - 1)?;
    }
    // What was behind the end has no more than that one byte.
    if punch(file, offset, zeros.len() as u64) || before <= offset {
        return Ok(());
    }
    write_all_at(file, zeros, offset)
}

/// Gives back what is allotted there; false where that cannot be done.
#[cfg(target_os = "linux")]
fn punch(file: &File, offset: u64, len: u64) -> bool {
    use rustix::fs::FallocateFlags;

    let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    rustix::fs::fallocate(file, how, offset, len).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn punch(_file: &File, _offset: u64, _len: u64) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_zeros_and_large() {
        assert!(is_hole(&[0; 4_096]) && is_hole(&[0; 5_000]));
        assert!(!is_hole(&[0; 4_095]) && !is_hole(&[]));
        for place in [0, 15, 16, 1_023, 1_024, 4_095, 4_999] {
            let mut bytes = [0; 5_000];
            bytes[place] = 1;
            assert!(!is_hole(&bytes), "{place}");
        }
    }

    #[test]
    fn zeros_read_as_zeros_wherever_they_come() {
        let mut file = tempfile::tempfile().unwrap();
        let zeros = [0; 8_192];
        let mut expected = vec![7; 40_960];
        write_all_at(&file, &expected, 0).unwrap();
        // Within, across the end, and behind it.
        for offset in [8_192, 36_864, 65_536] {
            write(&file, &zeros, offset).unwrap();
            let end = offset as usize + zeros.len();
            expected.resize(expected.len().max(end), 0);
            expected[offset as usize..end].fill(0);
        }
        let mut found = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut found).unwrap();
        assert!(found == expected);
        #[cfg(target_os = "linux")]
        {
            use std::os::unix::fs::MetadataExt;
            let allotted = file.metadata().unwrap().blocks() * 512;
            assert!(allotted <= 36_864, "{allotted}");
        }
    }
}
