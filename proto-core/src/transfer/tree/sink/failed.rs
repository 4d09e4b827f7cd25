//! The names of directories that failed, for what the source said of their entries before it heard of that.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Bytes that are kept at most: enough for all that a source can have under way, unless a liar fills it.
const BYTES_MAX: usize = 64 << 10;

/// Paths of the last directories that failed, below the one that was asked for.
#[derive(Debug, Default)]
pub(super) struct FailedDirectories {
    paths: VecDeque<(u32, Vec<u8>)>,
    bytes: usize,
}

impl FailedDirectories {
    /// Notes the path of the directory `file`; the oldest give way.
    pub(super) fn add(&mut self, file: u32, path: &[u8]) {
        self.bytes += path.len() + size_of::<(u32, Vec<u8>)>();
        self.paths.push_back((file, path.to_vec()));
        while self.bytes > BYTES_MAX
            && let Some((_, old)) = self.paths.pop_front()
        {
            self.bytes -= old.len() + size_of::<(u32, Vec<u8>)>();
        }
    }

    /// The path of the directory `file`, if it is one of the last.
    pub(super) fn path(&self, file: u32) -> Option<&[u8]> {
        let found = self.paths.iter().rfind(|(of, _)| *of == file);
        found.map(|(_, path)| &path[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_kept() {
        let mut failed = FailedDirectories::default();
        for file in 0..2_000 {
            failed.add(file, &[b'a'; 100]);
        }
        assert_eq!(failed.path(0), None);
        assert_eq!(failed.path(1_999), Some(&[b'a'; 100][..]));
        assert!(failed.bytes <= BYTES_MAX && failed.paths.len() > 400);
    }
}
