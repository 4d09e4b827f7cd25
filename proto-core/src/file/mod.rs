//! Files as the core sees them: operations on loan, and the blocks in which data travels.

mod block;
mod filter;
mod hash;
mod op;

pub use block::{BLOCK_SIZE, Block};
pub(crate) use block::{Pool, Use};
pub use filter::{Filter, FilterBelow};
pub(crate) use hash::{
    HashTree, PIECE_BLOCKS, Value, block_count, block_hash, block_len, piece_count,
};
pub use hash::{PIECE_SIZE, block_value};
pub use op::{
    FileDone, FileError, FileOp, HashAs, Meta, Operation, Outcome, ReadFile, SameFile, SmallFile,
    StatFile, StoreFile,
};
