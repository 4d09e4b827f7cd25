//! Waiting with one `ppoll` a sleep: exact to the nanosecond, and nothing to set up before or to clear after.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fd::OwnedFd;

use super::{Socket, Waiter, Wake};

/// Waits for a socket, a time or another thread.
pub(super) struct SystemWaiter {
    bell: Arc<OwnedFd>,
}

impl SystemWaiter {
    pub(super) fn new() -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self {
            bell: Arc::new(bell),
        })
    }
}

impl Waiter for SystemWaiter {
    /// What ends a wait, now or the next one.
    fn wake(&self) -> Wake {
        let bell = self.bell.clone();
        Arc::new(move || {
            // It fails only when the bell has been rung 2⁶⁴ − 2 times and nobody has heard it.
            let _ = rustix::io::write(&*bell, &1_u64.to_ne_bytes());
        })
    }

    /// Nothing to begin with.
    fn enter(&mut self, _socket: &Socket) -> io::Result<()> {
        Ok(())
    }

    /// Nothing to clean up.
    fn leave(&mut self, _socket: &Socket) -> io::Result<()> {
        Ok(())
    }

    /// Waits until the socket can be read (or written, if that is wanted too), the time is over or somebody wakes.
    /// Whether the socket can be read.
    fn wait(
        &mut self,
        socket: &Socket,
        writable: bool,
        timeout: Option<Duration>,
    ) -> io::Result<bool> {
        let mut wanted = PollFlags::IN;
        wanted.set(PollFlags::OUT, writable);
        let mut sources = [
            PollFd::new(socket.io(), wanted),
            PollFd::new(&*self.bell, PollFlags::IN),
        ];
        // A time too long for the system is for ever.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut sources, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let (socket, bell) = (sources[0].revents(), sources[1].revents());
        if !bell.is_empty() {
            // It is empty only if it was cleared before.
            let _ = rustix::io::read(&*self.bell, &mut [0; 8]);
        }
        // What the network says of datagrams that were sent comes as an error, and is read like a datagram.
        Ok(socket.intersects(PollFlags::IN | PollFlags::ERR))
    }
}
