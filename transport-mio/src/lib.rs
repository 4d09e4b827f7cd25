//! dhow over mio: the same [`Engine`] as `transport-std`, waiting with mio.
//!
//! One thread, one socket. It is also the example of a driver of one's own: everything but the waiting is
//! [`Engine::round`].

use std::io;
use std::sync::Arc;

use mio::event::Event;
use mio::{Events, Interest, Poll, Token, Waker};
use transport_std::driver::{Application, Engine, Handle, Next, Parts, Wake};

const SOCKET: Token = Token(0);
const WAKER: Token = Token(1);

/// The loop that waits with mio.
pub struct Driver<A: Application> {
    engine: Engine<A>,
    poll: Poll,
    socket: mio::net::UdpSocket,
}

impl<A: Application> Driver<A> {
    /// A driver that does nothing before [`run`](Self::run), and what sends it commands.
    ///
    /// # Errors
    /// The operating system gives no poller or no threads.
    pub fn new(parts: Parts, application: A) -> io::Result<(Self, Handle<A::Command>)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let wake: Wake = Arc::new(move || {
            // It fails only if the poller itself is broken, which `run` then reports.
            let _ = waker.wake();
        });
        // A second handle of the socket to wait with; the engine reads and writes its own.
        let mut socket = mio::net::UdpSocket::from_std(parts.socket.io().try_clone()?);
        poll.registry()
            .register(&mut socket, SOCKET, Interest::READABLE)?;
        let (engine, handle) = Engine::new(parts, application, wake)?;
        Ok((
            Self {
                engine,
                poll,
                socket,
            },
            handle,
        ))
    }

    /// Serves until the application is over.
    ///
    /// # Errors
    /// Waiting fails, or the socket is gone for good.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(8);
        let mut interest = Interest::READABLE;
        let result = loop {
            // What the network says of datagrams that were sent comes as an error, and is read like a datagram.
            let readable = events
                .iter()
                .any(|event: &Event| event.is_readable() || event.is_error());
            events.clear();
            let (timeout, wanted) = match self.engine.round(readable) {
                Ok(Next::Again) => continue,
                Ok(Next::Wait {
                    timeout,
                    writable: true,
                }) => (timeout, Interest::READABLE | Interest::WRITABLE),
                Ok(Next::Wait {
                    timeout,
                    writable: false,
                }) => (timeout, Interest::READABLE),
                Ok(Next::Over) => break Ok(()),
                Err(error) => break Err(error),
            };
            if interest != wanted {
                interest = wanted;
                if let Err(error) =
                    self.poll
                        .registry()
                        .reregister(&mut self.socket, SOCKET, wanted)
                {
                    break Err(error);
                }
            }
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let removed = self.poll.registry().deregister(&mut self.socket);
        result.and(removed)
    }
}
