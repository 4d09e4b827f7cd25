//! A server: shares directories, decides who may do what, tells what happens.

mod application;
mod event;
mod layout;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::thread::{self, JoinHandle};

use proto_core::crypto::PublicKey;
use proto_core::{Config, HostSecret};

pub use event::{Job, Rights, ServerEvent, SessionInfo};

use application::{Command, ServerApplication};
use layout::{Layout, Share};

use crate::driver::{Driver, Handle, Parts, Socket};
use crate::executor::Roots;
use crate::{Identity, Tuning};

type AdmissionPolicy = Box<dyn Fn(&PublicKey, SocketAddr) -> Option<Rights> + Send>;
type OnServerEvent = Box<dyn FnMut(&ServerEvent) + Send>;
/// Gathers a server's settings.
#[must_use = "a server exists after `bind`"]
pub struct ServerBuilder {
    identity: Identity,
    shares: Vec<Share>,
    admission: AdmissionPolicy,
    classic: Option<Rights>,
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

    /// Serves clients of the classic dialect, too (`docs/CLASSIC.md`), with these rights and at most those of the share. The
    /// dialect has no encryption and no identity: whoever can reach the socket, or forge an address, has these rights, and
    /// whoever is on the way reads and changes what is sent.
    pub fn classic(mut self, rights: Rights) -> Self {
        self.classic = Some(rights);
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
        let roots = Roots::new();
        let layout = Layout::open(self.shares, &roots)?;
        let socket = bind(address)?;
        let address = socket.local_addr()?;
        let config = Config {
            accept: true,
            classic: self.classic.is_some(),
            host_secret: Some(HostSecret::derive(self.identity.seed())),
            ..self.tuning.config(&self.identity)?
        };
        let (disk_threads, faults) = (self.tuning.disk_threads, self.tuning.faults);
        let parts = Parts {
            socket,
            config,
            roots,
            disk_threads,
            faults,
        };
        let application = ServerApplication::new(
            layout,
            self.admission,
            self.classic.unwrap_or(Rights::None),
            self.on_event,
        );
        let (driver, handle) = Driver::new(parts, application)?;
        Ok(Server {
            address,
            key: self.identity.public_key(),
            driver,
            stopper: Stopper(handle),
        })
    }
}

/// Binds the first of the addresses that can be had.
fn bind(address: impl ToSocketAddrs) -> io::Result<Socket> {
    let mut failed = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    for address in address.to_socket_addrs()? {
        match Socket::bind(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => {
                failed =
                    io::Error::new(error.kind(), format!("{address} cannot be bound: {error}"));
            }
        }
    }
    Err(failed)
}

/// A bound server. It answers nobody before [`run`](Self::run) or [`spawn`](Self::spawn).
pub struct Server {
    address: SocketAddr,
    key: PublicKey,
    driver: Driver<ServerApplication>,
    stopper: Stopper,
}

impl Server {
    /// Starts to gather settings.
    pub fn builder(identity: Identity) -> ServerBuilder {
        ServerBuilder {
            identity,
            shares: Vec::new(),
            admission: Box::new(|_, _| Some(Rights::ReadWrite)),
            classic: None,
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
        self.stopper.clone()
    }

    /// Serves on this thread until a [`Stopper`] says stop.
    ///
    /// # Errors
    /// The socket is gone for good. What single clients or datagrams do is never an error here.
    pub fn run(self) -> io::Result<()> {
        self.driver.run()
    }

    /// Serves on a thread of its own.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn spawn(self) -> io::Result<ServerHandle> {
        let Self {
            address,
            key,
            driver,
            stopper,
        } = self;
        let thread = thread::Builder::new()
            .name("dhow-server".into())
            .spawn(|| driver.run())?;
        Ok(ServerHandle {
            address,
            key,
            stopper,
            thread: Some(thread),
        })
    }
}

/// Stops a server from any thread.
#[derive(Clone)]
pub struct Stopper(Handle<Command>);

impl Stopper {
    /// Asks the server to close its sessions ([`CloseCode::ShuttingDown`](crate::CloseCode::ShuttingDown)) and return.
    /// Returns at once; a server that has returned already is not disturbed.
    pub fn stop(&self) {
        self.0.send(Command::Stop);
    }
}

/// A server that runs on a thread of its own. Dropping it stops the server, too.
pub struct ServerHandle {
    address: SocketAddr,
    key: PublicKey,
    stopper: Stopper,
    thread: Option<JoinHandle<io::Result<()>>>,
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
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        self.stopper.stop();
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other(
                "the server's thread panicked: this is a bug in dhow",
            )),
        }
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        // Who wants to know calls `stop`.
        let _ = self.end();
    }
}
