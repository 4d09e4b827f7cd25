//! dhow over std sockets and real disks: a server and a client in ten lines, the blocking driver below them, and the
//! file executor that every driver uses.
//!
//! ```no_run
//! use transport_std::{Client, ClientOptions, GetOptions, Identity, Rights, Server, Trust};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::builder(Identity::generate()).share_root("/srv/files", Rights::Read).bind("127.0.0.1:0")?;
//! let (address, key) = (server.local_addr(), server.public_key());
//! let server = server.spawn()?;
//!
//! let client = Client::connect(address, &Identity::generate(), ClientOptions::new(Trust::Key(key)))?;
//! for entry in client.list("")? {
//!     println!("{} {}", entry.size, entry.name.escape_ascii());
//! }
//! client.get("report.pdf", "/tmp/report.pdf", &GetOptions::default(), |_| {})?;
//! client.close();
//! server.stop()?;
//! # Ok(())
//! # }
//! ```
//!
//! Whole directories go by [`Client::get_tree`] and [`Client::put_tree`].
//!
//! Names of remote files are bytes, not text; local ones are the operating system's paths. A file appears under its
//! final name only whole and verified.

mod client;
pub mod driver;
mod error;
pub mod executor;
mod faults;
mod fingerprint;
mod identity;
mod server;
mod tuning;

pub use client::{
    Cancel, Changed, ClassicClient, Client, ClientOptions, DirEntry, GetOptions, Hashed,
    MakeDirOptions, Progress, PutOptions, RemoveOptions, RenameOptions, Stored, Tree, TreeProgress,
    Trust,
};
pub use error::{ClientError, code_text};
pub use executor::{Account, check_filter};
pub use faults::Faults;
pub use fingerprint::fingerprint;
pub use identity::Identity;
pub use server::{
    Job, Reviewer, Rights, Server, ServerBuilder, ServerEvent, ServerHandle, SessionInfo, Stopper,
};
pub use tuning::Tuning;

pub use proto_core::classic::ClassicIgnored;
pub use proto_core::congestion::parse_rate;
pub use proto_core::crypto::PublicKey;
pub use proto_core::wire::{
    CloseCode, Durability, EntryKind, ErrorCode, FilePath, PathError, RequestKind, StoredAs,
};
pub use proto_core::{
    CloseCause, CongestionControl, Failure, FileInfo, FileReport, Filter, Finished, LimitedBy,
    Overwrite, PeerStats, RateLimits, TransferStats, TreeTotals,
};
