//! Reads, or writes, of neighbouring blocks of one file: one system call moves them together.
//!
//! It only saves calls. What it did not move, because the system took less or said no, each operation moves by itself, and
//! each has its own answer.

use proto_core::{FileDone, FileId, FileOp, Operation};

use super::run::Disk;
use super::sparse;

/// Blocks that one call moves at most.
pub(super) const JOINED_MAX: usize = 4;

/// What an operation on bytes is about.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Span {
    writes: bool,
    file: FileId,
    offset: u64,
    len: u32,
}

fn span(what: &Operation) -> Option<Span> {
    let (writes, (&file, &offset, &len)) = match what {
        Operation::Read {
            file, offset, len, ..
        } => (false, (file, offset, len)),
        Operation::Write {
            file, offset, len, ..
        } => (true, (file, offset, len)),
        _ => return None,
    };
    Some(Span {
        writes,
        file,
        offset,
        len,
    })
}

/// Whether `next` goes on in the file where `before` ends, in the same direction.
pub(super) fn follows(before: &Operation, next: &Operation) -> bool {
    let (Some(before), Some(next)) = (span(before), span(next)) else {
        return false;
    };
    let expected = Span {
        offset: before.offset.saturating_add(u64::from(before.len)),
        len: next.len,
        ..before
    };
    next == expected
}

/// Carries out operations of which each [follows](follows) the one before, and appends their results to `done`.
pub(super) fn run(disk: &Disk, operations: &mut Vec<FileOp>, done: &mut Vec<FileDone>) {
    let mut moved = match operations.len() {
        0 | 1 => 0,
        _ => move_together(disk, operations.iter_mut().map(|it| &mut it.what)),
    };
    for operation in operations.drain(..) {
        let already = share(&mut moved, &operation.what);
        done.push(disk.run(operation, already));
    }
}

/// What of the bytes that one call has moved is the next operation's.
pub(super) fn share(moved: &mut usize, what: &Operation) -> usize {
    let len = span(what).map_or(0, |span| span.len as usize);
    let already = len.min(*moved);
    *moved -= already;
    already
}

/// The bytes that one call has moved, from the beginning of the first operation on.
#[cfg(target_os = "linux")]
pub(super) fn move_together<'a>(
    disk: &Disk,
    operations: impl Iterator<Item = &'a mut Operation>,
) -> usize {
    use std::io::{IoSlice, IoSliceMut};

    let mut first = None;
    let (mut out, mut into) = (Vec::new(), Vec::new());
    for what in operations {
        first = first.or(span(what));
        match what {
            Operation::Write { len, block, .. } => {
                out.extend(block.bytes().get(..*len as usize).map(IoSlice::new));
            }
            Operation::Read { len, block, .. } => {
                into.extend(
                    block
                        .bytes_mut()
                        .get_mut(..*len as usize)
                        .map(IoSliceMut::new),
                );
            }
            _ => {}
        }
    }
    let Some(first) = first else { return 0 };
    let end = out.iter().fold(first.offset, |end, bytes| {
        end.saturating_add(bytes.len() as u64)
    });
    // What is not written at all, and how much there is room for, each finds out by itself.
    if out.iter().any(|bytes| sparse::is_hole(bytes)) {
        return 0;
    }
    let moved = disk.with_file(first.file, |file| {
        if first.writes {
            disk.grow(first.file, end)?;
        }
        let moved = match first.writes {
            true => rustix::io::pwritev(file, &out, first.offset),
            false => rustix::io::preadv(file, &mut into, first.offset),
        };
        Ok(moved.unwrap_or(0))
    });
    moved.unwrap_or(0)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn move_together<'a>(
    _disk: &Disk,
    _operations: impl Iterator<Item = &'a mut Operation>,
) -> usize {
    0
}
