use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use polling::{Event, PollMode};

use super::Shared;

/// Bytes that a socket's buffers shall hold, so that a burst waits in the kernel while the proxy is not run. The system
/// may give less.
const BUFFER: usize = 4 << 20;

/// A non-blocking socket that wakes the poller when it can be read.
#[derive(Debug)]
pub(super) struct Socket {
    socket: UdpSocket,
    key: usize,
    shared: Arc<Shared>,
}

impl Socket {
    /// Binds it. Readiness is told under `key`.
    pub(super) fn bind(address: SocketAddr, key: usize, shared: &Arc<Shared>) -> io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        let options = socket2::SockRef::from(&socket);
        // With the system's own sizes the proxy works too, and loses more in bursts.
        let _ = options.set_recv_buffer_size(BUFFER);
        let _ = options.set_send_buffer_size(BUFFER);
        let poller = &shared.poller;
        // SAFETY: `drop` takes the socket out of the poller before it is closed.
        unsafe { poller.add_with_mode(&socket, Event::readable(key), mode(shared))? };
        Ok(Self {
            socket,
            key,
            shared: Arc::clone(shared),
        })
    }

    /// The socket.
    pub(super) fn io(&self) -> &UdpSocket {
        &self.socket
    }

    /// Asks to be told again, where the system tells once only.
    pub(super) fn rearm(&self) -> io::Result<()> {
        match mode(&self.shared) {
            PollMode::Oneshot => {
                let interest = Event::readable(self.key);
                self.shared.poller.modify(&self.socket, interest)
            }
            _ => Ok(()),
        }
    }
}

fn mode(shared: &Shared) -> PollMode {
    if shared.poller.supports_level() {
        PollMode::Level
    } else {
        PollMode::Oneshot
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // It fails only for a socket that the poller does not know.
        let _ = self.shared.poller.delete(&self.socket);
    }
}
