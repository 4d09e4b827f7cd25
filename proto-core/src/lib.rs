//! dhow's protocol as a pure state machine.
//!
//! Datagrams, ticks and file completions go in; datagrams, file operations and events come out. See [`Endpoint`] for the
//! contract, `docs/PROTOCOL.md` for the bytes.
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod audit;
pub mod classic;
mod config;
pub mod congestion;
pub mod crypto;
mod ecn;
mod endpoint;
mod event;
pub mod fault;
mod file;
mod id;
mod limits;
mod peer;
mod range_set;
pub mod recovery;
mod rng;
mod slab;
mod time;
mod transfer;
pub mod wire;

pub use audit::Breach;
pub use config::{Config, HostSecret, Shard};
pub use congestion::CongestionControl;
pub use ecn::{Ecn, EcnCounts};
pub use endpoint::{
    Admission, ConnectError, DatagramMeta, DropReason, Endpoint, PeerStats, Reason, StaleId,
    StartError, Transmit,
};
pub use event::{CloseCause, Event, Failure, FileInfo, Finished, LimitedBy, TransferStats};
pub use file::{
    BLOCK_SIZE, Block, FileDone, FileError, FileOp, Filter, FilterBelow, HashAs, Meta, Operation,
    Outcome, PIECE_SIZE, ReadFile, SameFile, SmallFile, StatFile, StoreFile, block_value,
};
pub use id::{FileId, OpId, PeerId, RootId, TransferId};
pub use limits::Limits;
pub use peer::RateLimits;
pub use time::{Duration, Instant};
pub use transfer::{Decision, FileReport, Overwrite, Place, Request, Requested, TreeTotals};
