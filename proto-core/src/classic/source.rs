//! The sending end of a file: any piece of it that is asked for, through one block of memory.

use super::message::{FILE_MAX, PIECE_LEN};
use crate::endpoint::Shared;
use crate::file::{BLOCK_SIZE, Block, FileError, HashAs, Meta, Operation, Outcome, Use};
use crate::id::FileId;
use crate::time::{Duration, Instant};
use crate::transfer::{Place, error_code};
use crate::wire::{EntryKind, ErrorCode};

/// Where a source stands.
///
/// | step | operation | then |
/// |---|---|---|
/// | `Open` | `Open` | `Ready` |
/// | `Ready` | – | `Read`, when a piece is wanted |
/// | `Read` | `Read` of the block that holds the next byte of the piece | `Read`, `Ready`; `Check` for the last piece |
/// | `Check` | `StatOpen`: the file must be the one that was opened (I2) | `Ready` |
/// | `Close` | `Close` | `Closed` |
/// | `Closed` | – | the end |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Open,
    Ready,
    Read,
    Check,
    Close,
    Closed,
}

/// A piece of the file.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: [u8; PIECE_LEN],
    pub(super) seq: u32,
    len: usize,
    /// Bytes that it shall have.
    wanted: usize,
    pub(super) end: bool,
}

impl Piece {
    pub(super) fn data(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The byte after it.
    pub(super) fn next(&self) -> u32 {
        self.seq.saturating_add(self.wanted as u32)
    }

    fn is_whole(&self) -> bool {
        self.len == self.wanted
    }
}

/// A file that goes out.
#[derive(Debug)]
pub(super) struct Source {
    from: Place,
    step: Step,
    out: bool,
    /// Closing, whatever else was to be done.
    closing: bool,
    file: Option<FileId>,
    meta: Option<Meta>,
    reserved: bool,
    block: Option<Block>,
    /// Which block it is, and bytes in it.
    index: Option<u64>,
    filled: usize,
    /// `None` before the first one is asked for.
    piece: Option<Piece>,
    /// The last piece was compared with the file's version.
    checked: bool,
    hash: blake3::Hasher,
    hashed: u32,
}

impl Source {
    /// A source of the file `from`; `None` when there is no memory for it.
    pub(super) fn new(shared: &mut Shared, from: Place) -> Option<Self> {
        if shared.pool.reserve(Use::Source, 1) == 0 {
            return None;
        }
        Some(Self {
            from,
            step: Step::Open,
            out: false,
            closing: false,
            file: None,
            meta: None,
            reserved: true,
            block: None,
            index: None,
            filled: 0,
            piece: None,
            checked: false,
            hash: blake3::Hasher::new(),
            hashed: 0,
        })
    }

    /// What the file is, once it is open.
    pub(super) fn meta(&self) -> Option<Meta> {
        self.meta
    }

    pub(super) fn size(&self) -> u32 {
        self.meta.map_or(0, |meta| meta.size.min(FILE_MAX) as u32)
    }

    /// The hash of what was sent from the beginning on; of the whole once the end was sent.
    pub(super) fn hash(&self) -> [u8; 32] {
        *self.hash.finalize().as_bytes()
    }

    /// Whether every byte went through the hash, in order.
    pub(super) fn is_hashed(&self) -> bool {
        self.hashed == self.size()
    }

    /// The piece asked for last, when it is ready.
    pub(super) fn piece(&self) -> Option<&Piece> {
        let ready = matches!(self.step, Step::Ready | Step::Close | Step::Closed);
        self.piece
            .as_ref()
            .filter(|piece| ready && piece.is_whole())
    }

    /// Asks for the piece at `offset`, within the file. False when another one is being read.
    pub(super) fn want(&mut self, offset: u32) -> bool {
        if self.step != Step::Ready || self.closing || offset > self.size() {
            return false;
        }
        let left = (self.size() - offset) as usize;
        let wanted = left.min(PIECE_LEN);
        self.piece = Some(Piece {
            bytes: [0; PIECE_LEN],
            seq: offset,
            len: 0,
            wanted,
            // A file of a multiple of 1,000 bytes ends with an empty piece.
            end: wanted < PIECE_LEN,
        });
        self.step = Step::Read;
        self.gather();
        true
    }

    /// Copies what the block has of the piece. Goes on to `Ready` or `Check` when it is whole.
    fn gather(&mut self) {
        let Some(piece) = &mut self.piece else {
            return;
        };
        let at = u64::from(piece.seq) + piece.len as u64;
        let begin = (at % u64::from(BLOCK_SIZE)) as usize;
        if let Some(block) = &self.block
            && self.index == Some(at / u64::from(BLOCK_SIZE))
            && begin < self.filled
        {
            let len = (piece.wanted - piece.len).min(self.filled - begin);
            piece.bytes[piece.len..piece.len + len]
                .copy_from_slice(&block.bytes()[begin..begin + len]);
            piece.len += len;
        }
        if !piece.is_whole() {
            return;
        }
        if piece.seq == self.hashed && piece.len > 0 {
            self.hash.update(piece.data());
            self.hashed = piece.next();
        }
        self.step = if piece.end && !self.checked {
            Step::Check
        } else {
            Step::Ready
        };
    }

    /// Whether [`poll_op`](Self::poll_op) has something.
    pub(super) fn has_op(&self) -> bool {
        !self.out && !matches!(self.step, Step::Ready | Step::Closed)
    }

    /// The next operation to lend.
    pub(super) fn poll_op(
        &mut self,
        shared: &mut Shared,
        now: Instant,
    ) -> Result<Option<Operation>, ErrorCode> {
        if !self.has_op() {
            return Ok(None);
        }
        if self.step == Step::Open {
            self.file = Some(shared.context(now, Duration::ZERO).allot_file());
        }
        let Some(file) = self.file else {
            return Err(ErrorCode::Io);
        };
        let op = match self.step {
            Step::Open => Operation::Open {
                root: self.from.root,
                path: self.from.path.clone(),
                file,
            },
            Step::Read => self.read(shared, file)?,
            Step::Check => Operation::StatOpen { file },
            Step::Close => Operation::Close { file },
            Step::Ready | Step::Closed => return Ok(None),
        };
        self.out = true;
        Ok(Some(op))
    }

    fn read(&mut self, shared: &mut Shared, file: FileId) -> Result<Operation, ErrorCode> {
        let piece = self.piece.as_ref().ok_or(ErrorCode::Io)?;
        let index = (u64::from(piece.seq) + piece.len as u64) / u64::from(BLOCK_SIZE);
        let offset = index * u64::from(BLOCK_SIZE);
        // It was reserved.
        let block = match self.block.take() {
            Some(block) => block,
            None => shared.pool.take(Use::Source).ok_or(ErrorCode::Busy)?,
        };
        self.index = Some(index);
        Ok(Operation::Read {
            file,
            offset,
            len: u64::from(BLOCK_SIZE).min(u64::from(self.size()) - offset) as u32,
            block,
            hash: HashAs::Nothing,
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
        let step = self.step;
        if step == Step::Open && result.is_err() {
            self.file = None;
        }
        if step == Step::Close {
            self.file = None;
            self.step = Step::Closed;
            return Ok(());
        }
        if self.closing {
            self.close(shared);
            return Ok(());
        }
        match (step, result.map_err(error_code)?) {
            (Step::Open, Outcome::Meta(meta)) => self.opened(meta),
            (Step::Read, Outcome::Moved { len, .. }) => {
                self.filled = len as usize;
                let before = self.piece.as_ref().map_or(0, |piece| piece.len);
                self.gather();
                // The file is shorter than it was.
                match &self.piece {
                    Some(piece) if piece.len == before => Err(ErrorCode::SourceChanged),
                    _ => Ok(()),
                }
            }
            (Step::Check, Outcome::Meta(now)) => {
                if self.meta.is_none_or(|meta| meta.version != now.version) {
                    return Err(ErrorCode::SourceChanged);
                }
                self.checked = true;
                self.step = Step::Ready;
                Ok(())
            }
            _ => Err(ErrorCode::Io),
        }
    }

    fn opened(&mut self, meta: Meta) -> Result<(), ErrorCode> {
        self.meta = Some(meta);
        self.step = Step::Ready;
        match meta.kind {
            EntryKind::File if meta.size > FILE_MAX => Err(ErrorCode::TooLarge),
            EntryKind::File => Ok(()),
            EntryKind::Directory => Err(ErrorCode::IsDirectory),
            EntryKind::Symlink | EntryKind::Other => Err(ErrorCode::NotRegular),
        }
    }

    /// Whether nothing is left to be done.
    pub(super) fn is_over(&self) -> bool {
        self.step == Step::Closed && !self.out
    }

    /// Closes the file and frees the memory; the piece at hand stays.
    pub(super) fn close(&mut self, shared: &mut Shared) {
        self.closing = true;
        if self.out {
            return;
        }
        if let Some(block) = self.block.take() {
            shared.pool.put(Use::Source, block);
        }
        if core::mem::take(&mut self.reserved) {
            shared.pool.release(Use::Source, 1);
        }
        if self.step != Step::Closed {
            self.step = match self.file {
                Some(_) => Step::Close,
                None => Step::Closed,
            };
        }
    }

    /// Blocks held here, and promised.
    pub(super) fn blocks(&self) -> (u32, u32) {
        (self.block.is_some().into(), self.reserved.into())
    }
}
