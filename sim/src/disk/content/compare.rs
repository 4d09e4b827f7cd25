//! Comparing contents, without looking at bytes that are known to be the same.

use std::sync::Arc;

use super::{Content, Data, Extent};

/// Bytes that are compared at once.
const CHUNK: u64 = 16 * 1024;

/// An extent and where it begins; `None` is a hole.
type Run<'a> = Option<(u64, &'a Extent)>;

impl Content {
    /// The run at `at`, and where the next one begins.
    fn run_at(&self, at: u64) -> (Run<'_>, u64) {
        if let Some((&start, extent)) = self.extents.range(..=at).next_back()
            && start + extent.len > at
        {
            return (Some((start, extent)), start + extent.len);
        }
        let next = self.extents.range(at..).next();
        (None, next.map_or(u64::MAX, |(start, _)| *start))
    }

    /// Whether `holds` is true of every byte of this content and its counterpart in `other`, zeros behind its end. Runs
    /// that are the same on both sides are passed over, and holes of this one with `holes`.
    fn agrees(&self, other: &Self, holes: bool, holds: fn(u8, u8) -> bool) -> bool {
        let mut at = 0;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        while at < self.len {
            let (run, until) = self.run_at(at);
            let (run_there, until_there) = other.run_at(at);
            let end = until.min(until_there).min(self.len);
            if same_run(run, run_there) || (holes && run.is_none()) {
                at = end;
                continue;
            }
            while at < end {
                let len = (end - at).min(CHUNK);
                fill(run, at, len, &mut ours);
                fill(run_there, at, len, &mut theirs);
                if !ours.iter().zip(&theirs).all(|(a, b)| holds(*a, *b)) {
                    return false;
                }
                at += len;
            }
        }
        true
    }

    /// Whether this is what may be left of a file that was to become `whole`: no longer, and each byte is that of `whole`
    /// or zero.
    #[must_use]
    pub fn is_remnant_of(&self, whole: &Self) -> bool {
        self.len <= whole.len
            && self.agrees(whole, true, |ours, theirs| ours == theirs || ours == 0)
    }
}

/// Whether two runs hold the same bytes at the same places, as far as can be told without a look.
fn same_run(a: Run<'_>, b: Run<'_>) -> bool {
    let (Some((start, a)), Some((start_there, b))) = (a, b) else {
        return a.is_none() && b.is_none();
    };
    match (&a.data, &b.data) {
        (Data::Generated { seed }, Data::Generated { seed: other }) => seed == other,
        (
            Data::Bytes { bytes, from },
            Data::Bytes {
                bytes: other,
                from: from_there,
            },
        ) => {
            Arc::ptr_eq(bytes, other)
                && start.wrapping_sub(*from as u64) == start_there.wrapping_sub(*from_there as u64)
        }
        _ => false,
    }
}

fn fill(run: Run<'_>, at: u64, len: u64, out: &mut Vec<u8>) {
    out.clear();
    out.resize(len as usize, 0);
    if let Some((start, extent)) = run {
        extent.read(start, at - start, out);
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.agrees(other, false, |ours, theirs| ours == theirs)
    }
}

impl Eq for Content {}
