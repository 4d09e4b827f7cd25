//! What is counted of a command. Nothing of it ever goes down.

/// Numbers that only grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Count {
    /// Files and links that are done, those that failed or were there already included.
    pub(crate) files: u64,
    /// Of these: there already.
    pub(crate) unchanged: u64,
    /// Files and links that were found so far.
    pub(crate) files_total: u64,
    /// Bytes that are at their receiver, or were there already.
    pub(crate) bytes: u64,
    /// Bytes of all that was found so far.
    pub(crate) bytes_total: u64,
    /// Bytes of files that were compared by hash and stand under their names.
    pub(crate) verified: u64,
    /// Bytes that travelled.
    pub(crate) moved: u64,
    /// Bytes sent again.
    pub(crate) resent: u64,
    /// As they were when the present task began.
    before: Before,
    /// Of the present task: bytes that earlier tries stored, and bytes that were there already.
    carried: u64,
    skipped: u64,
    /// As they were when the present try began.
    moved_before: u64,
    resent_before: u64,
    /// Tasks that have not begun.
    waiting: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Before {
    bytes: u64,
    files: u64,
}

impl Count {
    /// Of so many tasks; `bytes` is what is known of their sizes.
    pub(crate) fn new(tasks: usize, bytes: u64) -> Self {
        Self {
            files_total: tasks as u64,
            bytes_total: bytes,
            waiting: tasks as u64,
            ..Self::default()
        }
    }

    /// The next task begins.
    pub(crate) fn next(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
        self.before = Before {
            bytes: self.bytes,
            files: self.files,
        };
        (self.carried, self.skipped) = (0, 0);
    }

    /// A try at the present task begins; earlier ones stored `carried` bytes.
    pub(crate) fn begin(&mut self, carried: u64) {
        self.carried = carried;
        (self.moved_before, self.resent_before) = (self.moved, self.resent);
    }

    /// So much is known of the present task: its bytes, its files.
    pub(crate) fn found(&mut self, bytes: u64, files: u64) {
        self.bytes_total = self
            .bytes_total
            .max(self.before.bytes.saturating_add(bytes));
        let files = self
            .before
            .files
            .saturating_add(files)
            .saturating_add(self.waiting);
        self.files_total = self.files_total.max(files);
    }

    /// A file or link of the present task is done.
    pub(crate) fn settle(&mut self, end: Settled) {
        self.files = self.files.saturating_add(1);
        self.files_total = self.files_total.max(self.files);
        match end {
            Settled::Verified(bytes) => self.verified = self.verified.saturating_add(bytes),
            Settled::Unchanged(bytes) => {
                self.unchanged = self.unchanged.saturating_add(1);
                self.skipped = self.skipped.saturating_add(bytes);
            }
            Settled::Failed => {}
        }
    }

    /// The present try went on: bytes that are at the receiver, of these those that an earlier try or command had left there,
    /// and bytes that were sent again.
    pub(crate) fn moved(&mut self, bytes: u64, had: u64, resent: u64) {
        let travelled = bytes.saturating_sub(had);
        self.moved = self.moved.max(self.moved_before.saturating_add(travelled));
        self.resent = self.resent.max(self.resent_before.saturating_add(resent));
        let parts = [self.carried, self.skipped, bytes];
        let done = parts
            .into_iter()
            .fold(self.before.bytes, u64::saturating_add);
        self.bytes = self.bytes.max(done);
        self.bytes_total = self.bytes_total.max(self.bytes);
    }

    /// Whether more may be found than is known.
    pub(crate) fn is_last(&self) -> bool {
        self.waiting == 0
    }
}

/// How a file or link ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Settled {
    /// It was written: its bytes.
    Verified(u64),
    /// It was there already: its bytes.
    Unchanged(u64),
    /// It could not be stored.
    Failed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn files_add_up() {
        let mut count = Count::new(2, 0);
        count.next();
        count.begin(0);
        count.found(10, 1);
        count.moved(10, 0, 3);
        count.settle(Settled::Verified(10));
        count.next();
        count.begin(0);
        count.found(5, 1);
        assert_eq!(
            (
                count.bytes,
                count.bytes_total,
                count.files,
                count.files_total
            ),
            (10, 15, 1, 2)
        );
        count.moved(4, 0, 1);
        // A file may turn out larger than announced, and a late report smaller than an earlier one.
        count.moved(2, 0, 0);
        assert_eq!((count.bytes, count.resent), (14, 4));
        count.moved(9, 0, 1);
        count.settle(Settled::Verified(9));
        assert_eq!(
            (count.bytes, count.bytes_total, count.verified, count.moved),
            (19, 19, 19, 19)
        );
        assert_eq!((count.files, count.files_total), (2, 2));
    }

    #[test]
    fn a_second_try_goes_on_where_the_first_stopped() {
        let mut count = Count::new(1, 0);
        count.next();
        count.begin(0);
        count.found(100, 10);
        count.settle(Settled::Unchanged(20));
        count.moved(50, 0, 0);
        count.settle(Settled::Verified(30));
        // 20 of the 50 were of a file that was not finished.
        count.begin(30);
        count.moved(0, 0, 0);
        assert_eq!((count.bytes, count.moved), (70, 50));
        count.moved(50, 0, 0);
        assert_eq!(
            (count.bytes, count.bytes_total, count.moved),
            (100, 100, 100)
        );
    }

    #[test]
    fn what_an_interrupted_transfer_left_does_not_travel_again() {
        let mut count = Count::new(1, 0);
        count.next();
        count.begin(0);
        count.moved(64 << 10, 0, 0);
        count.moved(50 << 20, 0, 0);
        count.begin(0);
        count.moved(48 << 20, 48 << 20, 0);
        assert_eq!((count.bytes, count.moved), (50 << 20, 50 << 20));
        count.moved(100 << 20, 48 << 20, 0);
        assert_eq!((count.bytes, count.moved), (100 << 20, 102 << 20));
        // Left by an earlier command.
        let mut count = Count::new(1, 0);
        count.next();
        count.begin(0);
        count.moved(90, 80, 0);
        count.moved(100, 80, 0);
        assert_eq!((count.bytes, count.moved), (100, 20));
    }

    proptest! {
        #[test]
        fn never_backwards(steps: Vec<(u8, u64, u64)>, tasks in 0_usize..5, bytes: u64) {
            let mut count = Count::new(tasks, bytes);
            for (kind, a, b) in steps {
                let before = count;
                match kind % 8 {
                    0 => count.found(a, b),
                    1 => count.moved(a, b / 2, b),
                    2 => count.begin(a),
                    3 => count.next(),
                    4 => count.settle(Settled::Verified(a)),
                    5 => count.settle(Settled::Unchanged(a)),
                    _ => count.settle(Settled::Failed),
                }
                let all = |count: &Count| [
                    count.files, count.unchanged, count.files_total, count.bytes, count.bytes_total, count.verified,
                    count.moved, count.resent,
                ];
                for (now, before) in all(&count).into_iter().zip(all(&before)) {
                    prop_assert!(now >= before, "{before:?} {count:?}");
                }
                prop_assert!(count.bytes <= count.bytes_total && count.files <= count.files_total);
            }
        }
    }
}
