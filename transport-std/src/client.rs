//! A client: one session with a server, any number of jobs at once.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use proto_core::crypto::PublicKey;
use proto_core::wire::{Durability, EntryKind, StoredAs};
use proto_core::{FileInfo, Overwrite, PeerStats, TransferStats};

use crate::{ClientError, Identity, Tuning};

/// How a client knows its server.
pub enum Trust {
    /// By this key; any other ends the attempt.
    Key(PublicKey),
    /// By asking: the function sees the server's key and says whether it is right. It may take its time, a prompt for
    /// instance, and is called at most once, on the thread that connects.
    Ask(Box<dyn FnMut(&PublicKey) -> bool + Send>),
}

/// Settings of a client.
pub struct ClientOptions {
    /// How the server is known.
    pub trust: Trust,
    /// How long to wait for the server's answer. Default 10 s.
    pub connect_timeout: Duration,
    /// Settings below the protocol's surface.
    pub tuning: Tuning,
}

impl ClientOptions {
    /// Defaults around a way to know the server.
    #[must_use]
    pub fn new(trust: Trust) -> Self {
        Self {
            trust,
            connect_timeout: Duration::from_secs(10),
            tuning: Tuning::default(),
        }
    }
}

/// One entry of a remote directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirEntry {
    /// Its name in the directory. Bytes from a stranger: escape them before they reach a terminal.
    pub name: Vec<u8>,
    /// File, directory, ….
    pub kind: EntryKind,
    /// Bytes; 0 for what is no regular file.
    pub size: u64,
    /// Modification time, nanoseconds since 1970.
    pub mtime: i64,
    /// Permission bits.
    pub mode: u16,
}

/// How to download.
#[derive(Clone, Debug)]
pub struct GetOptions {
    /// If something stands at the target already.
    pub overwrite: Overwrite,
    /// What must survive a power loss before the call returns.
    pub durability: Durability,
    /// Keep modification time and permission bits.
    pub preserve: bool,
    /// Ends the job early.
    pub cancel: Option<Cancel>,
}

impl Default for GetOptions {
    fn default() -> Self {
        Self {
            overwrite: Overwrite::Compare,
            durability: Durability::Full,
            preserve: true,
            cancel: None,
        }
    }
}

/// How to upload.
#[derive(Clone, Debug)]
pub struct PutOptions {
    /// If something stands at the target already.
    pub overwrite: Overwrite,
    /// What must survive a power loss at the server before the call returns.
    pub durability: Durability,
    /// Ends the job early.
    pub cancel: Option<Cancel>,
}

impl Default for PutOptions {
    fn default() -> Self {
        Self {
            overwrite: Overwrite::Compare,
            durability: Durability::Full,
            cancel: None,
        }
    }
}

/// Ends jobs early, from any thread: give clones of one to the jobs' options. A cancelled job fails with
/// [`ErrorCode::Cancelled`](crate::ErrorCode::Cancelled).
#[derive(Clone, Debug, Default)]
pub struct Cancel {}

impl Cancel {
    /// One that nobody has used yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends every job that has it, also those that are started later.
    pub fn cancel(&self) {
        unimplemented!()
    }
}

/// How a job goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Progress {
    /// The server agreed.
    Accepted,
    /// What the file is; its bytes begin to travel.
    Started(FileInfo),
    /// Bytes went on.
    Moved {
        /// Bytes that are at the receiver for sure.
        bytes: u64,
        /// Bytes of the whole.
        size: u64,
        /// Bytes sent again so far (uploads).
        resent: u64,
    },
}

/// How a file was stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored {
    /// BLAKE3 hash of the whole, the same on both sides; `None` when it was unchanged and nothing was read.
    pub hash: Option<[u8; 32]>,
    /// Bytes.
    pub size: u64,
    /// Written, or there already.
    pub how: StoredAs,
    /// What survives a power loss.
    pub durability: Durability,
    /// Figures.
    pub stats: TransferStats,
}

/// A session with a server. Clones share it; calls from several threads run at once.
#[derive(Clone)]
pub struct Client {}

impl Client {
    /// Opens a session with the first of `addresses` that answers. Several are tried side by side: each gets a head
    /// start of 250 ms over the next, IPv6 and IPv4 in turns (RFC 8305).
    ///
    /// # Errors
    /// [`ClientError::Resolve`], [`NotReached`](ClientError::NotReached), [`Untrusted`](ClientError::Untrusted),
    /// [`LoginRefused`](ClientError::LoginRefused), [`Socket`](ClientError::Socket).
    pub fn connect(
        addresses: impl ToSocketAddrs,
        identity: &Identity,
        options: ClientOptions,
    ) -> Result<Self, ClientError> {
        let _ = (addresses.to_socket_addrs(), identity, options);
        unimplemented!()
    }

    /// The server's address that answered.
    #[must_use]
    pub fn server_addr(&self) -> SocketAddr {
        unimplemented!()
    }

    /// The server's key.
    #[must_use]
    pub fn server_key(&self) -> PublicKey {
        unimplemented!()
    }

    /// Round trip, loss and other figures of the session; the last ones when it has ended.
    #[must_use]
    pub fn stats(&self) -> Option<PeerStats> {
        unimplemented!()
    }

    /// The entries of a directory, in the server's order; the empty path is the server's root.
    ///
    /// # Errors
    /// [`ClientError::Name`], [`Transfer`](ClientError::Transfer), [`SessionLost`](ClientError::SessionLost), ….
    pub fn list(&self, path: impl AsRef<[u8]>) -> Result<Vec<DirEntry>, ClientError> {
        let mut entries = Vec::new();
        self.list_each(path, |entry| entries.push(entry))?;
        Ok(entries)
    }

    /// As [`list`](Self::list), entry by entry as they come: for directories of any size.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn list_each(
        &self,
        path: impl AsRef<[u8]>,
        each: impl FnMut(DirEntry),
    ) -> Result<(), ClientError> {
        let _ = (path.as_ref(), each);
        unimplemented!()
    }

    /// What a path is.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn stat(&self, path: impl AsRef<[u8]>) -> Result<FileInfo, ClientError> {
        let _ = path.as_ref();
        unimplemented!()
    }

    /// Downloads the file `remote` to the file `local`, whose directory must exist.
    ///
    /// # Errors
    /// As [`list`](Self::list), and [`ClientError::Local`].
    pub fn get(
        &self,
        remote: impl AsRef<[u8]>,
        local: impl AsRef<Path>,
        options: &GetOptions,
        progress: impl FnMut(Progress),
    ) -> Result<Stored, ClientError> {
        let _ = (remote.as_ref(), local.as_ref(), options, progress);
        unimplemented!()
    }

    /// Uploads the file `local` (symbolic links are followed) to the file `remote`, whose directory must exist.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn put(
        &self,
        local: impl AsRef<Path>,
        remote: impl AsRef<[u8]>,
        options: &PutOptions,
        progress: impl FnMut(Progress),
    ) -> Result<Stored, ClientError> {
        let _ = (local.as_ref(), remote.as_ref(), options, progress);
        unimplemented!()
    }

    /// Ends the session: what is owed to the server is sent first. Waits for that, at most a few round trips. The
    /// session also ends when the last clone is dropped.
    pub fn close(&self) {
        unimplemented!()
    }
}
