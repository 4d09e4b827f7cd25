//! dhow over mio: the same [`Engine`](transport_std::driver::Engine) as `transport-std`, waiting with mio's readiness loop.
//!
//! It is also the example of a driver of one's own: the engine does everything but the waiting, and a [`Waiter`] is all that
//! there is to write.
//!
//! ```no_run
//! use transport_std::{Identity, Rights, Server};
//!
//! # fn main() -> std::io::Result<()> {
//! let server = Server::builder(Identity::generate())
//!     .share_root("/srv/files", Rights::Read)
//!     .waiter(transport_mio::waiter)
//!     .threads(2)
//!     .bind("[::]:4917")?;
//! server.run()
//! # }
//! ```

#[cfg(target_os = "linux")]
mod timer;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Interest, Poll, Token};
use transport_std::driver::{Application, Driver, Handle, Parts, Socket, Waiter, Wake};

const SOCKET: Token = Token(0);
const WAKER: Token = Token(1);
#[cfg(target_os = "linux")]
const TIMER: Token = Token(2);

/// What a server's threads wait with when mio shall do it.
///
/// # Errors
/// The operating system gives no poller.
pub fn waiter() -> io::Result<Box<dyn Waiter>> {
    Ok(Box::new(MioWaiter::new()?))
}

/// A driver that waits with mio, and what sends it commands.
///
/// # Errors
/// The operating system gives no poller or no threads.
pub fn driver<A: Application>(
    parts: Parts,
    application: A,
) -> io::Result<(Driver<A>, Handle<A::Command>)> {
    Driver::with_waiter(parts, application, waiter()?)
}

/// Waits with mio. epoll knows milliseconds only; on Linux, a timer beside it is exact to the nanosecond.
pub struct MioWaiter {
    poll: Poll,
    #[cfg(target_os = "linux")]
    timer: timer::Timer,
    events: Events,
    waker: Arc<mio::Waker>,
    /// A second handle of the socket to wait with; the engine reads and writes its own.
    socket: Option<mio::net::UdpSocket>,
    interest: Interest,
}

impl MioWaiter {
    /// A waiter without a socket.
    ///
    /// # Errors
    /// The operating system gives no poller.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(mio::Waker::new(poll.registry(), WAKER)?);
        Ok(Self {
            #[cfg(target_os = "linux")]
            timer: timer::Timer::new(poll.registry(), TIMER)?,
            poll,
            events: Events::with_capacity(8),
            waker,
            socket: None,
            interest: Interest::READABLE,
        })
    }
}

impl Waiter for MioWaiter {
    fn wake(&self) -> Wake {
        let waker = self.waker.clone();
        Arc::new(move || {
            // It fails only if the poller itself is broken, which `wait` then reports.
            let _ = waker.wake();
        })
    }

    fn enter(&mut self, socket: &Socket) -> io::Result<()> {
        let mut own = mio::net::UdpSocket::from_std(socket.io().try_clone()?);
        let registry = self.poll.registry();
        registry.register(&mut own, SOCKET, self.interest)?;
        self.socket = Some(own);
        Ok(())
    }

    fn leave(&mut self, _socket: &Socket) -> io::Result<()> {
        match self.socket.take() {
            Some(mut own) => self.poll.registry().deregister(&mut own),
            None => Ok(()),
        }
    }

    fn wait(
        &mut self,
        _socket: &Socket,
        writable: bool,
        timeout: Option<Duration>,
    ) -> io::Result<bool> {
        let wanted = match writable {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        if self.interest != wanted
            && let Some(own) = &mut self.socket
        {
            self.poll.registry().reregister(own, SOCKET, wanted)?;
            self.interest = wanted;
        }
        #[cfg(target_os = "linux")]
        self.timer.arm(timeout)?;
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(false),
            Err(error) => return Err(error),
        }
        // What the network says of datagrams that were sent comes as an error, and is read like a datagram.
        let told = |event: &Event| event.is_readable() || event.is_error();
        Ok(self.events.iter().any(told))
    }
}
