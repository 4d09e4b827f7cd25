//! What of the changes that no sync has covered a power loss leaves.
//!
//! POSIX promises little. After `fsync` of a file its bytes, length and metadata survive; after `fsync` of a directory its
//! entries do. `rename` is atomic for those who look while the machine runs. All else is left open, and each of the
//! following is seen on file systems in use:
//!
//! * Writes reach the medium in any order, or not at all, a sector of 512 bytes being the unit that is never cut.
//! * A file's length is metadata, and goes its own way: it may have grown over bytes that were not written (they read
//!   as zeros; ext4 with `data=writeback`, XFS), or be shorter than the bytes that were.
//! * Modification time and permission bits survive or not, whatever becomes of the bytes.
//! * Changes of a directory reach the medium in any order. Journals keep them in the order of the calls; the disk here
//!   does not, because POSIX does not ask for it (soft updates, network file systems).
//! * The entry of a new file survives or not, whatever becomes of its bytes: `fsync` of a file says nothing about its name.
//!   Most Linux file systems write both; nobody may rely on it.
//! * A rename may come to the medium before the bytes of the file that it names. ext4 (`auto_da_alloc`), XFS and Btrfs
//!   avoid the empty file that follows; POSIX does not.
//!
//! What even this disk keeps, as every file system with a journal, copy-on-write or soft updates does:
//!
//! * A rename is one change: the old name goes and the new one comes, or neither. The new name never stands for nothing
//!   when it stood for something before.
//! * Of two changes of one name that survive, the later one counts.
//! * A surviving entry stands for the file that it stood for; no sector comes from another file, or from elsewhere in
//!   the same one.
//! * What a failed `fsync` should have written counts as clean ever after: a second `fsync` does not write it (it is
//!   readable until the power goes).

use crate::rng::Rng;

/// Bytes that survive together.
const SECTOR: u64 = 512;

/// One power loss: how likely each kind of change survives it.
///
/// The shares are drawn first and each on its own, so that the telling extremes come up: all names and no bytes, all bytes
/// and no names.
#[derive(Debug)]
pub(super) struct Survival<'a> {
    rng: &'a mut Rng,
    writes: u32,
    torn: u32,
    lengths: u32,
    metadata: u32,
    entries: u32,
}

/// What becomes of one write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Lost,
    Kept,
    /// Each sector on its own.
    Torn,
}

impl<'a> Survival<'a> {
    pub(super) fn draw(rng: &'a mut Rng) -> Self {
        let mut share = || *rng.pick(&[0, 100_000, 500_000, 500_000, 900_000, 1_000_000]);
        let (writes, torn, lengths) = (share(), share(), share());
        let (metadata, entries) = (share(), share());
        Self {
            rng,
            writes,
            torn,
            lengths,
            metadata,
            entries,
        }
    }

    /// What becomes of a write.
    pub(super) fn write(&mut self) -> Fate {
        if self.rng.chance(self.torn) {
            Fate::Torn
        } else if self.rng.chance(self.writes) {
            Fate::Kept
        } else {
            Fate::Lost
        }
    }

    /// Whether a change of a length survives.
    pub(super) fn length(&mut self) -> bool {
        self.rng.chance(self.lengths)
    }

    /// Whether a file's present metadata survive.
    pub(super) fn metadata(&mut self) -> bool {
        self.rng.chance(self.metadata)
    }

    /// Whether a change of a directory survives.
    pub(super) fn entry(&mut self) -> bool {
        self.rng.chance(self.entries)
    }

    /// Runs of surviving sectors of a torn write of `len` bytes at `offset`, as (first byte, length) within it.
    pub(super) fn sectors(&mut self, offset: u64, len: u64) -> Vec<(u64, u64)> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        let (mut at, end) = (offset, offset + len);
        let (mut coins, mut left) = (0, 0);
        while at < end {
            let next = (at / SECTOR + 1).saturating_mul(SECTOR).min(end);
            if left == 0 {
                (coins, left) = (self.rng.next_u64(), u64::BITS);
            }
            if coins & 1 == 1 {
                match runs.last_mut() {
                    Some((start, run)) if *start + *run == at - offset => *run += next - at,
                    _ => runs.push((at - offset, next - at)),
                }
            }
            (coins, left) = (coins >> 1, left - 1);
            at = next;
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sectors_are_aligned_and_each_survives_in_half_of_the_cases() {
        let mut rng = Rng::new(1, 0);
        let mut survival = Survival::draw(&mut rng);
        let mut kept = 0;
        for offset in [0, 1, 511, 512, 65_536, 65_537] {
            for len in [0, 1, 511, 512, 513, 65_536] {
                let mut last = None;
                for (start, run) in survival.sectors(offset, len) {
                    assert!(run > 0 && start + run <= len && last.is_none_or(|end| end < start));
                    let border =
                        |at: u64| at == 0 || at == len || (offset + at).is_multiple_of(SECTOR);
                    assert!(border(start) && border(start + run));
                    last = Some(start + run);
                    kept += run;
                }
            }
        }
        // Of 6 × 65,536 bytes and little more.
        assert!((180_000..215_000).contains(&kept), "{kept}");
    }
}
