//! A client: one session with a server, any number of jobs at once.

mod application;
mod attempts;
mod cancel;
mod changes;
mod classic;
mod local;
mod mailbox;
mod options;
mod session;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::{Arc, mpsc};

use proto_core::crypto::PublicKey;
use proto_core::wire::{Entry, ErrorCode, FilePath};
use proto_core::{Failure, FileInfo, Filter, Finished, PeerStats, RateLimits, Request};

pub use cancel::Cancel;
pub use classic::ClassicClient;
pub use options::{
    Changed, ClientOptions, DirEntry, GetOptions, Hashed, MakeDirOptions, Progress, PutOptions,
    RemoveOptions, RenameOptions, Stored, Tree, TreeProgress, Trust,
};

use application::Command;
use mailbox::Update;
use session::Session;

use crate::error::shown;
use crate::executor::check_filter;
use crate::{ClientError, Identity};

/// A session with a server. Clones share it; calls from several threads run at once.
#[derive(Clone)]
pub struct Client(Arc<Session>);

impl Client {
    /// Opens a session with the first of `addresses` that answers. Several are tried side by side: each gets a head
    /// start of 250 ms over the next, IPv6 and IPv4 in turns (RFC 8305).
    ///
    /// # Errors
    /// [`ClientError::Resolve`], [`NotReached`](ClientError::NotReached), [`Untrusted`](ClientError::Untrusted),
    /// [`Socket`](ClientError::Socket), [`SessionLost`](ClientError::SessionLost). Whether the server admits this
    /// client shows with the first job: [`LoginRefused`](ClientError::LoginRefused).
    pub fn connect(
        addresses: impl ToSocketAddrs,
        identity: &Identity,
        mut options: ClientOptions,
    ) -> Result<Self, ClientError> {
        let addresses: Vec<_> = addresses
            .to_socket_addrs()
            .map_err(ClientError::Resolve)?
            .collect();
        loop {
            let session = Session::open(&addresses, identity, &options)?;
            let key = session.server;
            let (trusted, expected) = match &mut options.trust {
                Trust::Key(expected) => (*expected == key, Some(*expected)),
                Trust::Ask(ask) => (ask(&key), None),
            };
            session.handle.send(Command::Trust(trusted));
            if !trusted {
                return Err(ClientError::Untrusted { key, expected });
            }
            if expected.is_none() && session.board.cause.get().is_some() {
                // The answer took its time and the session is gone: the next one gets the same answer.
                options.trust = Trust::Key(key);
                continue;
            }
            return Ok(Self(Arc::new(session)));
        }
    }

    /// The server's address that answered.
    #[must_use]
    pub fn server_addr(&self) -> SocketAddr {
        self.0.address
    }

    /// The server's key.
    #[must_use]
    pub fn server_key(&self) -> PublicKey {
        self.0.server
    }

    /// Round trip, loss and other figures of the session; the last ones when it has ended.
    #[must_use]
    pub fn stats(&self) -> Option<PeerStats> {
        let (reply, answered) = mpsc::channel();
        if self.0.handle.send(Command::Stats(reply)) {
            // An error means that the driver has ended meanwhile.
            let _ = answered.recv();
        }
        self.0.board.stats()
    }

    /// The entries of a directory, in the server's order; the empty path is the server's root.
    ///
    /// # Errors
    /// [`ClientError::Name`], [`Transfer`](ClientError::Transfer), [`SessionLost`](ClientError::SessionLost),
    /// [`LoginRefused`](ClientError::LoginRefused).
    pub fn list(&self, path: impl AsRef<[u8]>) -> Result<Vec<DirEntry>, ClientError> {
        let mut entries = Vec::new();
        self.list_each(path, |entry| entries.push(entry))?;
        Ok(entries)
    }

    /// As [`list`](Self::list), entry by entry as they come: for directories of any size. A slow `each` makes the server wait, and
    /// costs no memory: at most 512 KiB of the listing lie here.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn list_each(
        &self,
        path: impl AsRef<[u8]>,
        mut each: impl FnMut(DirEntry),
    ) -> Result<(), ClientError> {
        let path = remote(path.as_ref())?;
        let mut refused = false;
        let end = self
            .0
            .run(Request::List { path: path.clone() }, None, |update| {
                if let Update::Page(page) = update {
                    refused |= read_page(&page, &mut each).is_none();
                }
            });
        if refused {
            return Err(self
                .0
                .failed(&path, None, Failure::Here(ErrorCode::NameRefused)));
        }
        end.0
            .map(|_| ())
            .map_err(|failure| self.0.failed(&path, None, failure))
    }

    /// What a path is.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn stat(&self, path: impl AsRef<[u8]>) -> Result<FileInfo, ClientError> {
        let path = remote(path.as_ref())?;
        let mut found = None;
        let end = self
            .0
            .run(Request::Stat { path: path.clone() }, None, |update| {
                if let Update::Entry(file) = update {
                    found = Some(file);
                }
            });
        // An answer without an entry breaks the protocol.
        let entry = end
            .0
            .and_then(|_| found.ok_or(Failure::Peer(ErrorCode::Io)));
        entry.map_err(|failure| self.0.failed(&path, None, failure))
    }

    /// The BLAKE3 hash of a file, which the server reads for it, and its size. A file that changes meanwhile is an error
    /// ([`ErrorCode::SourceChanged`](crate::ErrorCode::SourceChanged)).
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn hash(
        &self,
        path: impl AsRef<[u8]>,
        cancel: Option<&Cancel>,
    ) -> Result<Hashed, ClientError> {
        self.hash_of(path.as_ref(), cancel, false)
    }

    /// The BLAKE3 hash of what a symbolic link of the server leads to, as it is written there, and how many bytes that is.
    ///
    /// # Errors
    /// As [`list`](Self::list). Of what is no link, [`ErrorCode::SourceChanged`](crate::ErrorCode::SourceChanged).
    pub fn hash_link(
        &self,
        path: impl AsRef<[u8]>,
        cancel: Option<&Cancel>,
    ) -> Result<Hashed, ClientError> {
        self.hash_of(path.as_ref(), cancel, true)
    }

    fn hash_of(
        &self,
        path: &[u8],
        cancel: Option<&Cancel>,
        link: bool,
    ) -> Result<Hashed, ClientError> {
        let path = remote(path)?;
        let request = Request::Hash {
            path: path.clone(),
            link,
        };
        match self.0.run(request, cancel, |_| {}).0 {
            Ok(Finished::Hashed { root: hash, size }) => Ok(Hashed { hash, size }),
            // The core does not end such a job in another way.
            Ok(_) => Err(self.0.failed(&path, None, Failure::Here(ErrorCode::Io))),
            Err(failure) => Err(self.0.failed(&path, None, failure)),
        }
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
        let from = self::remote(remote.as_ref())?;
        let request = Request::Get {
            from: from.clone(),
            to: local::target(&self.0.roots, local.as_ref())?,
            overwrite: local::overwrite(options.overwrite, local.as_ref()),
            durability: options.durability,
            preserve: options.preserve,
            keep_top_mode: false,
            tree: false,
        };
        self.0.haul(
            request,
            &from,
            local.as_ref(),
            options.cancel.as_ref(),
            progress,
        )
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
        let to = self::remote(remote.as_ref())?;
        let request = Request::Put {
            from: local::source(&self.0.roots, local.as_ref())?,
            to: to.clone(),
            overwrite: options.overwrite,
            durability: options.durability,
            tree: false,
        };
        self.0.haul(
            request,
            &to,
            local.as_ref(),
            options.cancel.as_ref(),
            progress,
        )
    }

    /// Downloads the directory `remote` with all that is in it, or the file `remote`, as `local`. A directory that stands
    /// there is filled: what has other names in it stays. Symbolic links are made where they cannot lead out of `local`.
    /// What becomes of single files comes by `progress`; that some failed is no error.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_tree(
        &self,
        remote: impl AsRef<[u8]>,
        local: impl AsRef<Path>,
        options: &GetOptions,
        progress: impl FnMut(TreeProgress),
    ) -> Result<Tree, ClientError> {
        let from = self::remote(remote.as_ref())?;
        let request = Request::Get {
            from: from.clone(),
            to: local::tree_target(&self.0.roots, local.as_ref())?,
            overwrite: local::overwrite(options.overwrite, local.as_ref()),
            durability: options.durability,
            preserve: options.preserve,
            keep_top_mode: options.keep_top_mode,
            tree: true,
        };
        let cancel = options.cancel.as_ref();
        let request = filtered(request, options.filter.as_ref())?;
        (self.0).haul_tree(request, &from, local.as_ref(), cancel, progress)
    }

    /// Uploads the directory `local` with all that is in it, or the file `local`, as `remote`; `local` itself may be a
    /// symbolic link, those in it are sent as links. As [`get_tree`](Self::get_tree) otherwise.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn put_tree(
        &self,
        local: impl AsRef<Path>,
        remote: impl AsRef<[u8]>,
        options: &PutOptions,
        progress: impl FnMut(TreeProgress),
    ) -> Result<Tree, ClientError> {
        let to = self::remote(remote.as_ref())?;
        let request = Request::Put {
            from: local::tree_source(&self.0.roots, local.as_ref())?,
            to: to.clone(),
            overwrite: options.overwrite,
            durability: options.durability,
            tree: true,
        };
        let cancel = options.cancel.as_ref();
        let request = filtered(request, options.filter.as_ref())?;
        (self.0).haul_tree(request, &to, local.as_ref(), cancel, progress)
    }

    /// Limits how fast the session sends and is sent to, from now on: also while jobs run.
    pub fn set_limits(&self, limits: RateLimits) {
        self.0.handle.send(Command::Limit(limits));
    }

    /// Ends the session: what is owed to the server is sent first. Waits for that, at most a few seconds. The session
    /// also ends, in the same way, when the last clone is dropped.
    pub fn close(&self) {
        self.0.close();
    }
}

/// The request without what the filter leaves out.
fn filtered(request: Request, filter: Option<&Filter>) -> Result<Request, ClientError> {
    let Some(filter) = filter.cloned() else {
        return Ok(request);
    };
    check_filter(&filter).map_err(|text| ClientError::Filter { text })?;
    let request = Box::new(request);
    Ok(Request::Filtered { filter, request })
}

fn remote(path: &[u8]) -> Result<FilePath, ClientError> {
    FilePath::parse(path).map_err(|source| ClientError::Name {
        path: shown(path),
        source,
    })
}

/// Hands the entries of a page to `each`; `None` for a page that no honest server sends.
fn read_page(mut page: &[u8], each: &mut impl FnMut(DirEntry)) -> Option<()> {
    while !page.is_empty() {
        let entry = Entry::decode(&mut page).ok()?;
        let name = FilePath::parse(entry.name).ok()?;
        if name.components().count() != 1 {
            return None;
        }
        let Entry {
            kind,
            size,
            mtime,
            mode,
            name,
        } = entry;
        each(DirEntry {
            name: name.to_vec(),
            kind,
            size,
            mtime,
            mode,
        });
    }
    Some(())
}
