//! A server: shares directories, decides who may do what, tells what happens.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto_core::crypto::PublicKey;
use proto_core::wire::{ErrorCode, FilePath, RequestKind};
use proto_core::{CloseCause, Failure, FileInfo, Finished, PeerStats, TransferStats};

use crate::{Identity, Tuning};

/// What a user may do in a share. The lesser of the share's and the user's rights counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rights {
    /// Nothing: the share looks empty.
    None,
    /// List, look at and download.
    Read,
    /// Upload, too.
    ReadWrite,
}

/// One user's session, as events show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionInfo {
    /// Counts the server's sessions from 1.
    pub number: u64,
    /// Where the user is.
    pub address: SocketAddr,
    /// The key that the user proved to hold.
    pub key: PublicKey,
    /// What the user may do.
    pub rights: Rights,
}

/// One request of a user, as events show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Job {
    /// Counts the server's requests from 1.
    pub number: u64,
    /// List, look, download (`Get`) or upload (`Put`).
    pub kind: RequestKind,
    /// What is asked for. Bytes from a stranger: escape them before they reach a terminal or a log.
    pub path: FilePath,
}

/// One thing that happened at a server.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum ServerEvent {
    /// A user was let in.
    Opened {
        /// The session.
        session: Arc<SessionInfo>,
    },
    /// A stranger was turned away.
    Refused {
        /// Where the stranger is.
        address: SocketAddr,
        /// The stranger's key.
        key: PublicKey,
    },
    /// A session ended. Its jobs were finished before.
    Closed {
        /// The session.
        session: Arc<SessionInfo>,
        /// Why.
        cause: CloseCause,
        /// The last figures that are known.
        stats: Option<PeerStats>,
    },
    /// A user asks for something.
    Requested {
        /// The session.
        session: Arc<SessionInfo>,
        /// The request.
        job: Arc<Job>,
        /// `Put`: bytes announced.
        size: u64,
    },
    /// The request is refused; its last event.
    RequestRefused {
        /// The session.
        session: Arc<SessionInfo>,
        /// The request.
        job: Arc<Job>,
        /// Why.
        code: ErrorCode,
    },
    /// What the file is; its bytes begin to travel.
    Started {
        /// The session.
        session: Arc<SessionInfo>,
        /// The request.
        job: Arc<Job>,
        /// The file.
        file: FileInfo,
    },
    /// Bytes went on.
    Progress {
        /// The session.
        session: Arc<SessionInfo>,
        /// The request.
        job: Arc<Job>,
        /// Bytes that are at the receiver for sure.
        bytes: u64,
        /// Bytes of the whole.
        size: u64,
        /// Bytes sent again so far (`Get`).
        resent: u64,
    },
    /// The job is over.
    Finished {
        /// The session.
        session: Arc<SessionInfo>,
        /// The request.
        job: Arc<Job>,
        /// What came of it.
        result: Result<Finished, Failure>,
        /// Figures.
        stats: TransferStats,
    },
}

pub(crate) type AdmissionPolicy = Box<dyn Fn(&PublicKey, SocketAddr) -> Option<Rights> + Send>;
pub(crate) type OnServerEvent = Box<dyn FnMut(&ServerEvent) + Send>;

/// Gathers a server's settings.
#[must_use = "a server exists after `bind`"]
pub struct ServerBuilder {
    identity: Identity,
    shares: Vec<(Option<Vec<u8>>, PathBuf, Rights)>,
    admission: AdmissionPolicy,
    on_event: OnServerEvent,
    tuning: Tuning,
}

impl ServerBuilder {
    /// Shares `directory` as the one and only root: users see its entries at once. Not together with
    /// [`share`](Self::share).
    pub fn share_root(mut self, directory: impl AsRef<Path>, rights: Rights) -> Self {
        self.shares.push((None, directory.as_ref().into(), rights));
        self
    }

    /// Shares `directory` under `name`, the first component of users' paths. May be called many times.
    pub fn share(
        mut self,
        name: impl AsRef<[u8]>,
        directory: impl AsRef<Path>,
        rights: Rights,
    ) -> Self {
        self.shares.push((
            Some(name.as_ref().to_vec()),
            directory.as_ref().into(),
            rights,
        ));
        self
    }

    /// Decides who may come in, and with what rights; `None` turns away. Without it, everyone may, with all the rights
    /// of the shares. Called on the driver's thread: it must not block.
    pub fn admission(
        mut self,
        policy: impl Fn(&PublicKey, SocketAddr) -> Option<Rights> + Send + 'static,
    ) -> Self {
        self.admission = Box::new(policy);
        self
    }

    /// Is told everything that happens. Called on the driver's thread: it must not block for long.
    pub fn on_event(mut self, listener: impl FnMut(&ServerEvent) + Send + 'static) -> Self {
        self.on_event = Box::new(listener);
        self
    }

    /// Settings below the protocol's surface.
    pub fn tuning(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning;
        self
    }

    /// Opens the shared directories and the socket. An unspecified IPv6 address (`[::]`) takes IPv4, too, where the
    /// system can; port 0 lets the system choose one.
    ///
    /// # Errors
    /// A share that is no directory or has a bad or repeated name, no share at all, or a socket that cannot be had.
    pub fn bind(self, address: impl ToSocketAddrs) -> io::Result<Server> {
        let _ = (
            self.identity,
            self.shares,
            self.admission,
            self.on_event,
            self.tuning,
            address,
        );
        unimplemented!()
    }
}

/// A bound server. It answers nobody before [`run`](Self::run) or [`spawn`](Self::spawn).
pub struct Server {
    address: SocketAddr,
    key: PublicKey,
}

impl Server {
    /// Starts to gather settings.
    pub fn builder(identity: Identity) -> ServerBuilder {
        ServerBuilder {
            identity,
            shares: Vec::new(),
            admission: Box::new(|_, _| Some(Rights::ReadWrite)),
            on_event: Box::new(|_| {}),
            tuning: Tuning::default(),
        }
    }

    /// The socket's address, with the real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The server's public key: what clients pin.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.key
    }

    /// What stops the server from another thread.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        unimplemented!()
    }

    /// Serves on this thread until a [`Stopper`] says stop.
    ///
    /// # Errors
    /// The socket is gone for good. What single clients or datagrams do is never an error here.
    pub fn run(self) -> io::Result<()> {
        unimplemented!()
    }

    /// Serves on a thread of its own.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn spawn(self) -> io::Result<ServerHandle> {
        unimplemented!()
    }
}

/// Stops a server from any thread.
#[derive(Clone)]
pub struct Stopper {}

impl Stopper {
    /// Asks the server to close its sessions ([`CloseCode::ShuttingDown`](crate::CloseCode::ShuttingDown)) and return.
    /// Returns at once.
    pub fn stop(&self) {
        unimplemented!()
    }
}

/// A server that runs on a thread of its own. Dropping it stops the server, too.
pub struct ServerHandle {
    address: SocketAddr,
    key: PublicKey,
}

impl ServerHandle {
    /// The socket's address, with the real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The server's public key: what clients pin.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.key
    }

    /// Closes the sessions, finishes what the disk is doing and waits for the end.
    ///
    /// # Errors
    /// What [`Server::run`] ended with.
    pub fn stop(self) -> io::Result<()> {
        unimplemented!()
    }
}
