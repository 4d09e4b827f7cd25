//! A server: shares directories, decides who may do what, tells what happens.

mod accounts;
mod application;
mod event;
mod layout;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use proto_core::crypto::PublicKey;
use proto_core::{Config, HostSecret, RateLimits};

pub use event::{Job, Rights, ServerEvent, SessionInfo};

use accounts::Accounts;
use application::{Command, Host, ServerApplication};
use layout::{Layout, Share};

use crate::driver::{Driver, Group, Handle, MakeWaiter, Parts, Socket, system_waiter};
use crate::executor::{Account, Roots};
use crate::{Identity, Tuning};

type AdmissionPolicy = Box<dyn Fn(&PublicKey, SocketAddr) -> Option<Rights> + Send>;
type LimitPolicy = Box<dyn Fn(&PublicKey) -> Option<RateLimits> + Send>;
type AccountPolicy = Box<dyn Fn(Option<&PublicKey>) -> Option<Account> + Send>;
type OnServerEvent = Box<dyn FnMut(&ServerEvent) + Send>;
/// Gathers a server's settings.
#[must_use = "a server exists after `bind`"]
pub struct ServerBuilder {
    identity: Identity,
    shares: Vec<Share>,
    admission: AdmissionPolicy,
    limits: LimitPolicy,
    accounts: Option<AccountPolicy>,
    classic: Option<Rights>,
    on_event: OnServerEvent,
    tuning: Tuning,
    threads: u8,
    waiter: MakeWaiter,
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
    /// of the shares. Called on the driver's thread, for each new session and for all at [`Reviewer::review`]: it must not block.
    pub fn admission(
        mut self,
        policy: impl Fn(&PublicKey, SocketAddr) -> Option<Rights> + Send + 'static,
    ) -> Self {
        self.admission = Box::new(policy);
        self
    }

    /// How fast a user's sessions may send and be sent to, each; `None` for what [`Tuning::rate_limits`] says. Called on the
    /// driver's thread when a session is let in, and for all at [`Reviewer::review`]: it must not block.
    pub fn limits(
        mut self,
        policy: impl Fn(&PublicKey) -> Option<RateLimits> + Send + 'static,
    ) -> Self {
        self.limits = Box::new(policy);
        self
    }

    /// What a user may have in all shares together; `None` for a user for whom nothing is counted. Without this, nothing is
    /// counted at all. Asked of a classic client, who has no key, with `None`. Called on the driver's thread when something is
    /// asked for: it must not block.
    ///
    /// For whom a file or directory is counted is kept with it, in the extended attribute `user.dhow.owner`, from when it is
    /// made here to when it is removed, replaced or taken over, whoever does that. [`bind`](Self::bind) looks at every name in
    /// the shares, so that what happened meanwhile counts as well. Not counted: symbolic links, journals, what others than this
    /// server made or let grow. Linux only.
    pub fn accounts(
        mut self,
        policy: impl Fn(Option<&PublicKey>) -> Option<Account> + Send + 'static,
    ) -> Self {
        self.accounts = Some(Box::new(policy));
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

    /// Threads that serve the network, each with a socket and sessions of its own on the one port; limits over all sessions
    /// are divided among them. More than one needs `SO_REUSEPORT`. Default 1.
    pub fn threads(mut self, threads: u8) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// What the threads wait with. Default [`system_waiter`].
    pub fn waiter(mut self, waiter: MakeWaiter) -> Self {
        self.waiter = waiter;
        self
    }

    /// Opens the shared directories and the socket. An unspecified IPv6 address (`[::]`) takes IPv4, too, where the
    /// system can; port 0 lets the system choose one.
    ///
    /// # Errors
    /// A share that is no directory or has a bad or repeated name, no share at all, a socket that cannot be had, or a file system
    /// that cannot keep for whom files are [counted](Self::accounts).
    pub fn bind(self, address: impl ToSocketAddrs) -> io::Result<Server> {
        let roots = Roots::new();
        let layout = Layout::open(self.shares, &roots)?;
        if self.accounts.is_some() {
            roots.count_owners().map_err(|error| {
                let text = format!("quotas need extended attributes in the shares: {error}");
                io::Error::new(error.kind(), text)
            })?;
        }
        let sockets = bind(address, self.threads)?;
        let (address, receive_buffer) = (sockets[0].local_addr()?, sockets[0].receive_buffer());
        let mut config = Config {
            accept: true,
            classic: self.classic.is_some(),
            host_secret: Some(HostSecret::derive(self.identity.seed())),
            ..self.tuning.config(&self.identity)?
        };
        config.limits = config.limits.divided(u32::from(self.threads));
        let group = Group::new(self.threads)?;
        let classic = self.classic.unwrap_or(Rights::None);
        let accounts = self
            .accounts
            .map(|policy| Accounts::new(roots.clone(), policy));
        let host = Arc::new(Host::new(
            layout,
            self.admission,
            (self.limits, self.tuning.rate_limits),
            accounts,
            self.on_event,
        ));
        let disk_threads = self.tuning.disk_threads.div_ceil(usize::from(self.threads));
        let (mut drivers, mut handles) = (Vec::new(), Vec::new());
        for (index, socket) in (0..).zip(sockets) {
            let mut config = config.clone();
            config.shard = Some(group.shard(index));
            let parts = Parts {
                socket,
                config,
                roots: roots.clone(),
                disk_threads,
                faults: self.tuning.faults,
            };
            let application = ServerApplication::new(host.clone(), classic);
            let (mut driver, handle) = Driver::with_waiter(parts, application, (self.waiter)()?)?;
            driver.join(&group);
            drivers.push(driver);
            handles.push(handle);
        }
        Ok(Server {
            address,
            receive_buffer,
            key: self.identity.public_key(),
            drivers,
            stopper: Stopper(handles.into()),
        })
    }
}

/// Binds `count` sockets to the first of the addresses that can be had.
fn bind(address: impl ToSocketAddrs, count: u8) -> io::Result<Vec<Socket>> {
    let mut failed = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    for address in address.to_socket_addrs()? {
        match bind_all(address, count) {
            Ok(sockets) => return Ok(sockets),
            Err(error) => {
                failed =
                    io::Error::new(error.kind(), format!("{address} cannot be bound: {error}"));
            }
        }
    }
    Err(failed)
}

fn bind_all(address: SocketAddr, count: u8) -> io::Result<Vec<Socket>> {
    if count == 1 {
        return Ok(vec![Socket::bind(address)?]);
    }
    // A port that another server has is not shared with it, though the system would.
    let address = Socket::bind(address)?.local_addr()?;
    (0..count).map(|_| Socket::bind_shared(address)).collect()
}

/// A bound server. It answers nobody before [`run`](Self::run) or [`spawn`](Self::spawn).
pub struct Server {
    address: SocketAddr,
    receive_buffer: u64,
    key: PublicKey,
    /// One for each thread; at least one.
    drivers: Vec<Driver<ServerApplication>>,
    stopper: Stopper,
}

impl Server {
    /// Starts to gather settings.
    pub fn builder(identity: Identity) -> ServerBuilder {
        ServerBuilder {
            identity,
            shares: Vec::new(),
            admission: Box::new(|_, _| Some(Rights::ReadWrite)),
            limits: Box::new(|_| None),
            accounts: None,
            classic: None,
            on_event: Box::new(|_| {}),
            tuning: Tuning::default(),
            threads: 1,
            waiter: system_waiter,
        }
    }

    /// The socket's address, with the real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Bytes of payload that the system holds for each of its sockets until they are taken in. 4 MiB are asked for; the
    /// system may give less (on Linux, `net.core.rmem_max`).
    #[must_use]
    pub fn receive_buffer(&self) -> u64 {
        self.receive_buffer
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

    /// What has the server look at its users again, from another thread.
    #[must_use]
    pub fn reviewer(&self) -> Reviewer {
        Reviewer(self.stopper.0.clone())
    }

    /// Serves on this thread, and on others if there shall be several, until a [`Stopper`] says stop.
    ///
    /// # Errors
    /// The socket is gone for good. What single clients or datagrams do is never an error here.
    pub fn run(self) -> io::Result<()> {
        run_all(self.drivers, &self.stopper)
    }

    /// Serves on a thread of its own.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn spawn(self) -> io::Result<ServerHandle> {
        let Self {
            address,
            receive_buffer: _,
            key,
            drivers,
            stopper,
        } = self;
        let stop = stopper.clone();
        let thread = thread::Builder::new()
            .name("dhow-server".into())
            .spawn(move || run_all(drivers, &stop))?;
        Ok(ServerHandle {
            address,
            key,
            stopper,
            thread: Some(thread),
        })
    }
}

/// Runs the first driver on this thread and each other one on its own, until all have ended. If one fails, all end, and its
/// error is told.
fn run_all(mut drivers: Vec<Driver<ServerApplication>>, stopper: &Stopper) -> io::Result<()> {
    let others = drivers.split_off(1.min(drivers.len()));
    let run = |driver: Driver<ServerApplication>| {
        // Also when it panics: the others would serve on without it.
        let _stop = StopAll(stopper);
        driver.run()
    };
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for (number, driver) in (1..).zip(others) {
            let builder = thread::Builder::new().name(format!("dhow-server-{number}"));
            match builder.spawn_scoped(scope, move || run(driver)) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    stopper.stop();
                    return Err(error);
                }
            }
        }
        let mut result = drivers.into_iter().try_for_each(run);
        for thread in threads {
            let ended = thread.join().unwrap_or_else(|_| Err(panicked()));
            result = result.and(ended);
        }
        result
    })
}

fn panicked() -> io::Error {
    io::Error::other("the server's thread panicked: this is a bug in dhow")
}

/// Stops all threads of a server when one ends.
struct StopAll<'a>(&'a Stopper);

impl Drop for StopAll<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Stops a server from any thread.
#[derive(Clone)]
pub struct Stopper(Arc<[Handle<Command>]>);

impl Stopper {
    /// Asks the server to close its sessions ([`CloseCode::ShuttingDown`](crate::CloseCode::ShuttingDown)) and return.
    /// Returns at once; a server that has returned already is not disturbed.
    pub fn stop(&self) {
        for thread in &*self.0 {
            thread.send(Command::Stop);
        }
    }
}

/// Has a server ask again what it asked when sessions were let in, from any thread.
#[derive(Clone)]
pub struct Reviewer(Arc<[Handle<Command>]>);

impl Reviewer {
    /// Asks [`ServerBuilder::admission`] and [`ServerBuilder::limits`] about every open session again. One that would be turned away
    /// now is closed ([`CloseCode::Refused`](crate::CloseCode::Refused)); other rights count for the requests that follow
    /// ([`ServerEvent::RightsChanged`]), and other limits at once. Returns before that is done.
    pub fn review(&self) {
        for thread in &*self.0 {
            thread.send(Command::Review);
        }
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

    /// What has the server look at its users again.
    #[must_use]
    pub fn reviewer(&self) -> Reviewer {
        Reviewer(self.stopper.0.clone())
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
            Some(Err(_)) => Err(panicked()),
        }
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        // Who wants to know calls `stop`.
        let _ = self.end();
    }
}
