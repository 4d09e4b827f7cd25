//! The receiving end of a file: pieces in order into a block, blocks into a temporary file, the whole under its name.

use alloc::vec::Vec;

use super::message::PIECE_LEN;
use crate::endpoint::Shared;
use crate::file::{BLOCK_SIZE, Block, FileError, HashAs, Operation, Outcome, Use};
use crate::id::FileId;
use crate::time::{Duration, Instant};
use crate::transfer::{Place, error_code};
use crate::wire::{Durability, ErrorCode, FilePath};

/// Where a sink stands. Each step but `Receive`, `Stored` and `Gone` is one file operation; the next one follows when it has
/// come home.
///
/// | step | operation | then |
/// |---|---|---|
/// | `Check` | `Stat` of the final name: nothing may be there | `Create` |
/// | `Create` | `Create` of the temporary file | `Receive` |
/// | `Receive` | `Write` of each full block, and of the last | `SetMeta` after the last |
/// | `SetMeta` | the mode of a new file | `Sync`; `Close` without durability |
/// | `Sync` | `Sync` | `Close` |
/// | `Close` | `Close` | `Rename` |
/// | `Rename` | `Rename` to the final name | `SyncDir` for full durability |
/// | `SyncDir` | `SyncDir` | `Stored` |
/// | `Stored` | – | the end |
/// | `Gone` | – | the end of a sink that failed: its file was closed and removed |
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Step {
    Check,
    Create,
    Receive,
    SetMeta,
    Sync,
    Close,
    Rename,
    SyncDir,
    Stored,
    Gone,
}

/// A file that comes in.
#[derive(Debug)]
pub(super) struct Sink {
    to: Place,
    may_replace: bool,
    durability: Durability,
    step: Step,
    /// The step's operation is on loan.
    out: bool,
    aborted: bool,
    /// Open under this number.
    file: Option<FileId>,
    /// Stands under this name.
    temp: Option<FilePath>,
    /// A block is promised.
    reserved: bool,
    block: Option<Block>,
    /// The block's place in the file, and bytes in it.
    base: u64,
    fill: usize,
    /// What did not fit the block any more: the rest of one piece.
    carry: [u8; PIECE_LEN],
    carried: usize,
    /// The last piece: its offset and length.
    last: Option<(u32, u32)>,
    have: u32,
    hash: blake3::Hasher,
}

impl Sink {
    /// A sink for the file `to`; `None` when there is no memory for it.
    pub(super) fn new(
        shared: &mut Shared,
        to: Place,
        may_replace: bool,
        durability: Durability,
    ) -> Option<Self> {
        if shared.pool.reserve(Use::Sink, 1) == 0 {
            return None;
        }
        Some(Self {
            to,
            may_replace,
            durability,
            step: if may_replace {
                Step::Create
            } else {
                Step::Check
            },
            out: false,
            aborted: false,
            file: None,
            temp: None,
            reserved: true,
            block: None,
            base: 0,
            fill: 0,
            carry: [0; PIECE_LEN],
            carried: 0,
            last: None,
            have: 0,
            hash: blake3::Hasher::new(),
        })
    }

    /// The next byte wanted.
    pub(super) fn have(&self) -> u32 {
        self.have
    }

    /// Offset and length of the last piece, once it has come.
    pub(super) fn last(&self) -> Option<(u32, u32)> {
        self.last
    }

    /// Whether the next piece can be taken.
    pub(super) fn is_open(&self) -> bool {
        self.step == Step::Receive && !self.must_write() && !self.out && !self.aborted
    }

    /// Whether the file stands under its name.
    pub(super) fn is_stored(&self) -> bool {
        self.step == Step::Stored
    }

    /// Whether nothing is left to be done: no operation, no memory, no file.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.step, Step::Stored | Step::Gone) && !self.out
    }

    /// The hash of all that came.
    pub(super) fn hash(&self) -> [u8; 32] {
        *self.hash.finalize().as_bytes()
    }

    fn must_write(&self) -> bool {
        self.fill == BLOCK_SIZE as usize || (self.last.is_some() && self.fill > 0)
    }

    /// Takes the piece that begins at [`have`](Self::have); only while it [is open](Self::is_open).
    pub(super) fn take(&mut self, data: &[u8], end: bool) {
        self.hash.update(data);
        let begin = self.have;
        // The decoder has checked that no file passes 31 bits.
        self.have = begin.saturating_add(data.len() as u32);
        if end {
            self.last = Some((begin, data.len() as u32));
        }
        let room = BLOCK_SIZE as usize - self.fill;
        let (now, later) = data.split_at(data.len().min(room));
        if let Some(block) = &mut self.block {
            block.bytes_mut()[self.fill..self.fill + now.len()].copy_from_slice(now);
            self.fill += now.len();
        }
        self.carry[..later.len()].copy_from_slice(later);
        self.carried = later.len();
        self.finish_receiving();
    }

    fn finish_receiving(&mut self) {
        if self.last.is_some() && self.fill == 0 && self.step == Step::Receive {
            self.step = Step::SetMeta;
        }
    }

    /// Whether [`poll_op`](Self::poll_op) has something.
    pub(super) fn has_op(&self) -> bool {
        if self.out {
            return false;
        }
        match self.step {
            _ if self.aborted => self.step != Step::Gone,
            Step::Receive => self.must_write(),
            step => !matches!(step, Step::Stored | Step::Gone),
        }
    }

    /// The next operation to lend.
    pub(super) fn poll_op(&mut self, shared: &mut Shared, now: Instant) -> Option<Operation> {
        if !self.has_op() {
            return None;
        }
        let op = if self.aborted {
            self.clean_up()
        } else {
            self.operation(shared, now)
        };
        self.out = op.is_some();
        op
    }

    fn operation(&mut self, shared: &mut Shared, now: Instant) -> Option<Operation> {
        let (root, path) = (self.to.root, self.to.path.clone());
        if self.step == Step::Create {
            self.temp = Some(temp_name(shared.rng.next_u64(), &path)?);
            self.file = Some(shared.context(now, Duration::ZERO).allot_file());
        }
        Some(match self.step {
            Step::Check => Operation::Stat { root, path },
            Step::Create => Operation::Create {
                root,
                path: self.temp.clone()?,
                file: self.file?,
                log: None,
                size: 0,
            },
            Step::Receive => Operation::Write {
                file: self.file?,
                offset: self.base,
                len: self.fill as u32,
                block: self.block.take()?,
                hash: HashAs::Nothing,
            },
            Step::SetMeta => Operation::SetMeta {
                file: self.file?,
                mtime: None,
                mode: None,
            },
            Step::Sync => Operation::Sync { file: self.file? },
            Step::Close => Operation::Close { file: self.file? },
            Step::Rename => Operation::Rename {
                root,
                from: self.temp.clone()?,
                to: path,
                replace: self.may_replace,
                log: None,
            },
            Step::SyncDir => Operation::SyncDir {
                root,
                path: path.parent(),
            },
            Step::Stored | Step::Gone => return None,
        })
    }

    /// Close, then remove. Their outcome changes nothing.
    fn clean_up(&mut self) -> Option<Operation> {
        if let Some(file) = self.file.take() {
            return Some(Operation::Close { file });
        }
        Some(Operation::Remove {
            root: self.to.root,
            path: self.temp.take()?,
            log: None,
        })
    }

    /// An operation came home.
    pub(super) fn handle_done(
        &mut self,
        shared: &mut Shared,
        block: Option<Block>,
        result: Result<Outcome, FileError>,
    ) -> Result<(), ErrorCode> {
        self.out = false;
        self.block = block.or(self.block.take());
        match (self.step, &result) {
            // What was not created need not be removed; what could not be closed is closed.
            (Step::Create, Err(_)) if !self.aborted => (self.file, self.temp) = (None, None),
            (Step::Close, _) => self.file = None,
            (Step::Rename, Ok(_)) if !self.aborted => self.temp = None,
            _ => {}
        }
        if self.aborted {
            self.settle(shared);
            return Ok(());
        }
        match (self.step, result) {
            (Step::Check, Err(FileError::NotFound)) => {}
            (Step::Check, Ok(_)) => return Err(ErrorCode::Exists),
            // A random name that is taken is not the target that exists.
            (Step::Create, Err(FileError::Exists)) => return Err(ErrorCode::Io),
            // The file stands under its name and is whole: only the name may not survive a power loss.
            (Step::SyncDir, Err(_)) => self.durability = Durability::File,
            (Step::Receive, Ok(Outcome::Moved { len, .. })) if len as usize != self.fill => {
                return Err(ErrorCode::Io);
            }
            (_, result) => drop(result.map_err(error_code)?),
        }
        self.advance(shared)
    }

    fn advance(&mut self, shared: &mut Shared) -> Result<(), ErrorCode> {
        self.step = match self.step {
            Step::Check => Step::Create,
            Step::Create => {
                // It was reserved.
                self.block = Some(shared.pool.take(Use::Sink).ok_or(ErrorCode::Busy)?);
                Step::Receive
            }
            Step::Receive => {
                self.base += self.fill as u64;
                let carried = core::mem::take(&mut self.carried);
                if let Some(block) = &mut self.block {
                    block.bytes_mut()[..carried].copy_from_slice(&self.carry[..carried]);
                }
                self.fill = carried;
                self.finish_receiving();
                self.step
            }
            Step::SetMeta if self.durability == Durability::None => Step::Close,
            Step::SetMeta => Step::Sync,
            Step::Sync => Step::Close,
            Step::Close => Step::Rename,
            Step::Rename if self.durability == Durability::Full => Step::SyncDir,
            Step::Rename | Step::SyncDir | Step::Stored => Step::Stored,
            Step::Gone => Step::Gone,
        };
        if self.step >= Step::SetMeta {
            self.release(shared);
        }
        Ok(())
    }

    /// The durability reached.
    pub(super) fn durability(&self) -> Durability {
        self.durability
    }

    fn release(&mut self, shared: &mut Shared) {
        if let Some(block) = self.block.take() {
            shared.pool.put(Use::Sink, block);
        }
        if core::mem::take(&mut self.reserved) {
            shared.pool.release(Use::Sink, 1);
        }
    }

    /// The file shall come to nothing; false when it is too late for that: it is being given its name, or has it.
    pub(super) fn abort(&mut self, shared: &mut Shared) -> bool {
        let renaming = self.step == Step::Rename && self.out;
        if renaming || matches!(self.step, Step::SyncDir | Step::Stored) {
            return false;
        }
        self.aborted = true;
        self.settle(shared);
        true
    }

    fn settle(&mut self, shared: &mut Shared) {
        if self.out {
            return;
        }
        self.release(shared);
        if self.file.is_none() && self.temp.is_none() {
            self.step = Step::Gone;
        }
    }

    /// Blocks held here, and promised.
    pub(super) fn blocks(&self) -> (u32, u32) {
        (self.block.is_some().into(), self.reserved.into())
    }
}

/// A name that no other file has, in the directory of `path`.
fn temp_name(number: u64, path: &FilePath) -> Option<FilePath> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut name = Vec::with_capacity(27);
    name.extend_from_slice(b".dhow-");
    name.extend(
        (0..16)
            .rev()
            .map(|i| DIGITS[(number >> (4 * i)) as usize & 15]),
    );
    name.extend_from_slice(b".part");
    path.parent().join(&name).ok()
}
