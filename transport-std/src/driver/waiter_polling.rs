//! Waiting with `polling`, on systems other than Linux.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use polling::{Event, Events, PollMode, Poller};

use super::{Socket, Waiter, Wake};

const SOCKET: usize = 0;

/// Waits for a socket, a time or another thread.
pub(super) struct SystemWaiter {
    poller: Arc<Poller>,
    events: Events,
    mode: PollMode,
    interest: Event,
}

impl SystemWaiter {
    pub(super) fn new() -> io::Result<Self> {
        let poller = Arc::new(Poller::new()?);
        let mode = if poller.supports_level() {
            PollMode::Level
        } else {
            PollMode::Oneshot
        };
        Ok(Self {
            poller,
            events: Events::with_capacity(NonZeroUsize::MIN),
            mode,
            interest: Event::readable(SOCKET),
        })
    }
}

impl Waiter for SystemWaiter {
    /// What ends a wait, now or the next one.
    fn wake(&self) -> Wake {
        let poller = self.poller.clone();
        Arc::new(move || {
            // It fails only if the poller itself is broken, which `wait` then reports.
            let _ = poller.notify();
        })
    }

    /// Before the first wait for this socket.
    fn enter(&mut self, socket: &Socket) -> io::Result<()> {
        // SAFETY: the driver owns the socket and calls `leave` on every way out of its loop.
        unsafe {
            self.poller
                .add_with_mode(socket.io(), self.interest, self.mode)
        }
    }

    /// After the last wait.
    fn leave(&mut self, socket: &Socket) -> io::Result<()> {
        self.poller.delete(socket.io())
    }

    /// Waits until the socket can be read (or written, if that is wanted too), the time is over or somebody wakes.
    /// Whether the socket can be read.
    fn wait(
        &mut self,
        socket: &Socket,
        writable: bool,
        timeout: Option<Duration>,
    ) -> io::Result<bool> {
        let wanted = Event::new(SOCKET, true, writable);
        if self.interest != wanted || self.mode == PollMode::Oneshot {
            self.interest = wanted;
            self.poller
                .modify_with_mode(socket.io(), wanted, self.mode)?;
        }
        self.events.clear();
        self.poller.wait(&mut self.events, timeout)?;
        Ok(self.events.iter().any(|event| event.readable))
    }
}
