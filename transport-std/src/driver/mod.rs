//! The blocking driver: one thread that owns an [`Endpoint`] and its socket.
//!
//! [`Engine`] does the work of a round and knows nothing of how threads wait; [`Driver`] is the loop around it that
//! waits with `ppoll`, or `polling` where that is missing. Another loop around the same engine is another driver
//! (`transport-mio` is one).

mod clock;
mod engine;
mod fragment;
mod group;
mod inbox;
mod socket;
#[cfg_attr(target_os = "linux", path = "waiter_linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "waiter_polling.rs")]
mod waiter;

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use proto_core::{Config, Endpoint, Instant};

pub use engine::{Engine, Next};
pub use group::Group;
pub use socket::{Sent, Socket};

use crate::Faults;
use crate::executor::Roots;
use waiter::SystemWaiter;

/// What a driver serves: it takes the endpoint's events and other threads' commands, and calls the endpoint.
///
/// All calls come on the driver's thread and hold up everything else, so none may block.
pub trait Application {
    /// What other threads ask, through a [`Handle`].
    type Command: Send + 'static;

    /// Another thread asks.
    fn command(&mut self, now: Instant, endpoint: &mut Endpoint, command: Self::Command);

    /// The endpoint tells.
    fn event(&mut self, now: Instant, endpoint: &mut Endpoint, event: proto_core::Event);

    /// When to call [`timeout`](Self::timeout) at the latest; `None` for never.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The deadline has come.
    fn timeout(&mut self, _now: Instant, _endpoint: &mut Endpoint) {}

    /// The network says that `host` has closed a port that datagrams went to. Anybody can forge that: it is a hint and
    /// no more. Told only after [`Socket::hear_errors`].
    fn refused(&mut self, _now: Instant, _endpoint: &mut Endpoint, _host: IpAddr) {}

    /// Whether all is done: the driver sends what is left, finishes what the disk is doing, and returns.
    fn is_over(&self) -> bool;
}

/// Sends commands to an application from any thread.
pub struct Handle<C> {
    commands: mpsc::Sender<C>,
    wake: Wake,
}

/// Ends the driver's waiting, from any thread.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

impl<C> Handle<C> {
    /// Sends a command; false when the driver has ended.
    pub fn send(&self, command: C) -> bool {
        let sent = self.commands.send(command).is_ok();
        if sent {
            (self.wake)();
        }
        sent
    }
}

impl<C> Clone for Handle<C> {
    fn clone(&self) -> Self {
        Self {
            commands: self.commands.clone(),
            wake: self.wake.clone(),
        }
    }
}

/// What a driver is made of, besides its application.
pub struct Parts {
    /// The socket.
    pub socket: Socket,
    /// The endpoint's settings; the driver fills in the receive buffer.
    pub config: Config,
    /// Where file operations may go.
    pub roots: Roots,
    /// Threads for them.
    pub disk_threads: usize,
    /// Damage done on purpose to what is sent.
    pub faults: Option<Faults>,
}

/// How a driver's thread waits: for its socket, a time, or another thread.
pub trait Waiter: Send {
    /// What ends a wait, the present one or the next.
    fn wake(&self) -> Wake;

    /// Before the first wait for this socket.
    ///
    /// # Errors
    /// The operating system refuses.
    fn enter(&mut self, socket: &Socket) -> io::Result<()>;

    /// After the last wait for it.
    ///
    /// # Errors
    /// The operating system refuses.
    fn leave(&mut self, socket: &Socket) -> io::Result<()>;

    /// Waits until the socket can be read (or written, if that is wanted, too), the time is over (`None` is never) or
    /// somebody wakes; returns early at will. Whether the socket can be read, or has an error to tell.
    ///
    /// # Errors
    /// Waiting is not possible any more.
    fn wait(
        &mut self,
        socket: &Socket,
        writable: bool,
        timeout: Option<Duration>,
    ) -> io::Result<bool>;
}

/// Makes what a driver waits with.
pub type MakeWaiter = fn() -> io::Result<Box<dyn Waiter>>;

/// What this crate waits with: `ppoll` on Linux, `polling` elsewhere.
///
/// # Errors
/// The operating system gives no means.
pub fn system_waiter() -> io::Result<Box<dyn Waiter>> {
    Ok(Box::new(SystemWaiter::new()?))
}

/// The loop around an [`Engine`].
pub struct Driver<A: Application> {
    engine: Engine<A>,
    waiter: Box<dyn Waiter>,
}

impl<A: Application> Driver<A> {
    /// A driver that does nothing before [`run`](Self::run), and what sends it commands.
    ///
    /// # Errors
    /// The operating system gives no means to wait, or no threads.
    pub fn new(parts: Parts, application: A) -> io::Result<(Self, Handle<A::Command>)> {
        Self::with_waiter(parts, application, system_waiter()?)
    }

    /// The same, waiting with `waiter`.
    ///
    /// # Errors
    /// The operating system gives no threads.
    pub fn with_waiter(
        parts: Parts,
        application: A,
        waiter: Box<dyn Waiter>,
    ) -> io::Result<(Self, Handle<A::Command>)> {
        let (engine, handle) = Engine::new(parts, application, waiter.wake())?;
        Ok((Self { engine, waiter }, handle))
    }

    /// Makes this driver, whose configuration has a [`Shard`](proto_core::Shard), a member of a group on one port.
    pub fn join(&mut self, group: &Arc<Group>) {
        self.engine.join(group);
    }

    /// Serves until the application is over.
    ///
    /// # Errors
    /// Waiting fails, or the socket is gone for good.
    pub fn run(mut self) -> io::Result<()> {
        self.waiter.enter(self.engine.socket())?;
        let result = self.serve();
        let left = self.waiter.leave(self.engine.socket());
        result.and(left)
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut readable = false;
        loop {
            readable = match self.engine.round(readable)? {
                Next::Again => false,
                Next::Wait { timeout, writable } => {
                    self.waiter.wait(self.engine.socket(), writable, timeout)?
                }
                Next::Over => return Ok(()),
            };
        }
    }
}
