//! A UDP socket in batches: segmentation offload out, receive offload in, where the system has them.

use std::array;
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use proto_core::{DatagramMeta, Ecn, Transmit};
use quinn_udp::{EcnCodepoint, RecvMeta, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Type};

use super::fragment;

/// Bytes that one batch may have: what fits a UDP datagram over IPv4.
pub(super) const BATCH_MAX: usize = 65_507;

/// Bytes of one receive buffer; with receive offload, one holds many datagrams.
const BUFFER: usize = 65_536;

/// Receive buffers filled by one system call.
const BUFFERS: usize = 16;

/// Datagrams that one [`Socket::receive`] delivers at most, and the time it takes at most (T9).
const DATAGRAMS_MAX: usize = 64;
const RECEIVE_MAX: Duration = Duration::from_millis(1);

/// Socket buffers asked for; the system may give less.
const SOCKET_BUFFER: usize = 4 << 20;

/// Failed receive calls in a row after which the socket counts as gone.
const ERRORS_MAX: u32 = 1_000;

/// A UDP socket, and the datagrams that came but were not delivered yet.
pub struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
    /// It is an IPv6 socket: IPv4 addresses are given to it in their mapped form.
    six: bool,
    /// Port-unreachable messages are asked for.
    hears_errors: bool,
    buffers: Vec<u8>,
    metas: [RecvMeta; BUFFERS],
    /// Buffers that were filled; of those, the one in work and the place in it.
    filled: usize,
    current: usize,
    offset: usize,
    /// The last system call left buffers empty.
    drained: bool,
    errors: u32,
}

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    /// The system has it, or dropped it as a network would.
    Taken,
    /// The system's buffer is full: try again when the socket can be written.
    Refused,
}

impl Socket {
    /// Binds a socket and asks for large buffers. For `[::]`, IPv4 comes in, too, where the system can; where there is
    /// no IPv6 at all, `0.0.0.0` takes its place.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        match Self::bind_exactly(address) {
            // A port that is taken for IPv6 must not end as half a server.
            Err(error)
                if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
                    && error.kind() != ErrorKind::AddrInUse =>
            {
                Self::bind_exactly((Ipv4Addr::UNSPECIFIED, address.port()).into())
            }
            other => other,
        }
    }

    /// Binds one of several sockets to the same address. The system gives all datagrams of one sender to one of them.
    ///
    /// # Errors
    /// The address cannot be bound, or the system cannot share one.
    pub fn bind_shared(address: SocketAddr) -> io::Result<Self> {
        match Self::bind_with(address, true) {
            Err(error)
                if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
                    && error.kind() != ErrorKind::AddrInUse =>
            {
                Self::bind_with((Ipv4Addr::UNSPECIFIED, address.port()).into(), true)
            }
            other => other,
        }
    }

    fn bind_exactly(address: SocketAddr) -> io::Result<Self> {
        Self::bind_with(address, false)
    }

    fn bind_with(address: SocketAddr, shared: bool) -> io::Result<Self> {
        let six = address.is_ipv6();
        let socket = socket2::Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if six {
            // A system that cannot do both serves IPv6 alone.
            let _ = socket.set_only_v6(address.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        }
        if shared {
            share_port(&socket)?;
        }
        // Smaller buffers than asked for are no error: the peer is told what there is.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
        socket.bind(&address.into())?;
        let io = UdpSocket::from(socket);
        let buffers = SockRef::from(&io);
        let (receive, send) = (buffers.recv_buffer_size(), buffers.send_buffer_size());
        tracing::info!(asked = SOCKET_BUFFER, ?receive, ?send, "socket buffers");
        let state = UdpSocketState::new((&io).into())?;
        if let Err(error) = refuse_timestamps(&io) {
            tracing::debug!(%error, "ECN marks may not be seen");
        }
        Ok(Self {
            io,
            state,
            six,
            hears_errors: false,
            buffers: vec![0; BUFFERS * BUFFER],
            metas: [RecvMeta::default(); BUFFERS],
            filled: 0,
            current: 0,
            offset: 0,
            drained: false,
            errors: 0,
        })
    }

    /// Asks the system to tell when nothing listens where datagrams go; see [`take_refusal`](Self::take_refusal).
    pub fn hear_errors(&mut self) {
        self.hears_errors = self
            .state
            .enable_transport_errors((&self.io).into())
            .is_ok();
    }

    /// The socket itself, to wait for.
    #[must_use]
    pub fn io(&self) -> &UdpSocket {
        &self.io
    }

    /// The address that it is bound to, with the real port.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    /// Bytes of payload that the system holds for us. Linux counts twice what was asked for, because it counts its own
    /// overhead as well.
    #[must_use]
    pub fn receive_buffer(&self) -> u64 {
        let told = SockRef::from(&self.io).recv_buffer_size().unwrap_or(0) as u64;
        if cfg!(target_os = "linux") {
            told / 2
        } else {
            told
        }
    }

    /// Datagrams that one batch may have.
    #[must_use]
    pub fn segments_max(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// Whether datagrams are here that [`receive`](Self::receive) has not delivered.
    #[must_use]
    pub fn holds_datagrams(&self) -> bool {
        self.current < self.filled
    }

    /// Delivers datagrams in trains of those that the system hands over together, one behind the other, with the bytes of each (the
    /// last may be shorter): at most 64, or as many as come in 1 ms; empty ones count, too. Whether more may wait.
    ///
    /// # Errors
    /// The socket is gone for good.
    pub fn receive(
        &mut self,
        mut each: impl FnMut(DatagramMeta, &mut [u8], usize),
    ) -> io::Result<bool> {
        let begin = Instant::now();
        let mut count = 0;
        loop {
            while self.holds_datagrams() {
                if count == DATAGRAMS_MAX {
                    return Ok(true);
                }
                count += self.deliver(DATAGRAMS_MAX - count, &mut each);
            }
            if count > 0 && begin.elapsed() >= RECEIVE_MAX {
                return Ok(true);
            }
            // Buffers that stayed empty say that nothing waits; asking again would cost a system call.
            if self.drained {
                self.drained = false;
                return Ok(false);
            }
            if !self.fill()? {
                return Ok(false);
            }
        }
    }

    /// Delivers the next train of those that are held, or its first `most` datagrams; how many.
    fn deliver(
        &mut self,
        most: usize,
        each: &mut impl FnMut(DatagramMeta, &mut [u8], usize),
    ) -> usize {
        let meta = &self.metas[self.current];
        let end = meta
            .len
            .min(self.offset.saturating_add(most.saturating_mul(meta.stride)));
        let begin = self.current * BUFFER;
        let train = &mut self.buffers[begin + self.offset..begin + end];
        // The stride of an empty datagram is 0.
        let count = train.len().div_ceil(meta.stride.max(1)).max(1);
        let of = DatagramMeta {
            source: canonical(meta.addr),
            local: meta.dst_ip.map(|ip| ip.to_canonical()),
            ecn: ecn_from(meta.ecn),
        };
        each(of, train, meta.stride);
        if end >= meta.len || meta.stride == 0 {
            self.current += 1;
            self.offset = 0;
        } else {
            self.offset = end;
        }
        count
    }

    /// Takes datagrams from the system. Whether there were any.
    fn fill(&mut self) -> io::Result<bool> {
        (self.filled, self.current, self.offset) = (0, 0, 0);
        self.drained = false;
        let mut chunks = self.buffers.chunks_exact_mut(BUFFER);
        let mut slices: [_; BUFFERS] = array::from_fn(|_| {
            IoSliceMut::new(chunks.next().expect("the buffers were made for this many"))
        });
        loop {
            match self
                .state
                .recv((&self.io).into(), &mut slices, &mut self.metas)
            {
                Ok(count) => {
                    self.filled = count;
                    self.drained = count < self.metas.len();
                    self.errors = 0;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                // What the network reports about datagrams that we sent is no reason to stop; it is told once.
                Err(error) => {
                    self.errors += 1;
                    tracing::debug!(%error, "receiving failed");
                    if self.errors >= ERRORS_MAX {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// The next host that has closed a port, as the network says; only after [`hear_errors`](Self::hear_errors).
    pub fn take_refusal(&mut self) -> Option<IpAddr> {
        while self.hears_errors {
            let error = self.state.recv_transport_error((&self.io).into()).ok()??;
            self.errors = 0;
            let kind = io::Error::from_raw_os_error(error.raw_errno).kind();
            if let (Some(from), ErrorKind::ConnectionRefused) = (error.addr, kind) {
                return Some(from.ip().to_canonical());
            }
        }
        None
    }

    /// Sends a batch. What the system cannot send (no route, too large) is lost, as the network would lose it.
    pub fn send(&self, transmit: &Transmit, bytes: &[u8]) -> Sent {
        if !transmit.may_fragment {
            return self.send_whole(transmit, bytes);
        }
        // Where that fails, the datagram is sent all the same: it may pass.
        self.note(fragment::set(&self.io, self.six, true));
        let sent = self.send_whole(transmit, bytes);
        self.note(fragment::set(&self.io, self.six, false));
        sent
    }

    fn send_whole(&self, transmit: &Transmit, bytes: &[u8]) -> Sent {
        match self.try_send(transmit, bytes, transmit.segment_size) {
            Ok(()) => Sent::Taken,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Sent::Refused,
            // A device that cannot cut batches: send the datagrams one by one, now and from now on.
            Err(_) if bytes.len() > transmit.segment_size => {
                for datagram in bytes.chunks(transmit.segment_size.max(1)) {
                    self.note(self.try_send(transmit, datagram, datagram.len()));
                }
                Sent::Taken
            }
            failed => {
                self.note(failed);
                Sent::Taken
            }
        }
    }

    fn note(&self, result: io::Result<()>) {
        if let Err(error) = result {
            tracing::debug!(%error, "a datagram was not sent");
        }
    }

    fn try_send(
        &self,
        transmit: &Transmit,
        contents: &[u8],
        segment_size: usize,
    ) -> io::Result<()> {
        let to_socket = |ip: IpAddr| match ip {
            IpAddr::V4(ip) if self.six => IpAddr::V6(ip.to_ipv6_mapped()),
            other => other,
        };
        let destination = match transmit.destination {
            four @ SocketAddr::V4(_) => SocketAddr::new(to_socket(four.ip()), four.port()),
            // Keeps the scope of a link-local address.
            six => six,
        };
        let packet = quinn_udp::Transmit {
            destination,
            ecn: ecn_to(transmit.ecn),
            contents,
            segment_size: (segment_size < contents.len()).then_some(segment_size),
            src_ip: transmit.source.map(to_socket),
        };
        self.state.try_send((&self.io).into(), &packet)
    }
}

/// What the system says of a datagram's ECN field; where it says nothing, nobody can be told of marks.
fn ecn_from(codepoint: Option<EcnCodepoint>) -> Ecn {
    match codepoint {
        None => Ecn::NotEct,
        Some(EcnCodepoint::Ect0) => Ecn::Ect0,
        Some(EcnCodepoint::Ect1) => Ecn::Ect1,
        Some(EcnCodepoint::Ce) => Ecn::Ce,
    }
}

fn ecn_to(ecn: Ecn) -> Option<EcnCodepoint> {
    match ecn {
        Ecn::NotEct => None,
        Ecn::Ect0 => Some(EcnCodepoint::Ect0),
        Ecn::Ect1 => Some(EcnCodepoint::Ect1),
        Ecn::Ce => Some(EcnCodepoint::Ce),
    }
}

/// `quinn-udp` asks for timestamps of arrival, and has room for those or for ECN with receive offload: not for both. Nobody
/// here needs the former.
#[cfg(target_os = "linux")]
fn refuse_timestamps(socket: &UdpSocket) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt::ReceiveTimestampns};
    Ok(setsockopt(socket, ReceiveTimestampns, &false)?)
}

#[cfg(not(target_os = "linux"))]
fn refuse_timestamps(_socket: &UdpSocket) -> io::Result<()> {
    Ok(())
}

/// Lets further sockets of this user have the same port.
#[cfg(all(
    unix,
    not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))
))]
fn share_port(socket: &socket2::Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(all(
    unix,
    not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))
)))]
fn share_port(_socket: &socket2::Socket) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// IPv4 addresses in their own form, whatever socket they came by.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Socket, Socket) {
        let bind = || Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        (bind(), bind())
    }

    fn batch(to: &Socket, len: usize, segment_size: usize) -> Transmit {
        Transmit {
            destination: to.local_addr().unwrap(),
            source: None,
            len,
            segment_size,
            may_fragment: false,
            ecn: Ecn::NotEct,
        }
    }

    /// Everything that has come, and how many datagrams each call delivered.
    fn drain(socket: &mut Socket) -> (Vec<Vec<u8>>, Vec<usize>) {
        let (mut datagrams, mut calls) = (Vec::new(), Vec::new());
        loop {
            let before = datagrams.len();
            let more = socket
                .receive(|_, train, size| match train.is_empty() {
                    true => datagrams.push(Vec::new()),
                    false => datagrams.extend(train.chunks(size).map(<[u8]>::to_vec)),
                })
                .unwrap();
            calls.push(datagrams.len() - before);
            if !more {
                return (datagrams, calls);
            }
        }
    }

    #[test]
    fn t9_a_call_delivers_at_most_64_datagrams_empty_ones_included() {
        let (from, mut to) = pair();
        let empty = batch(&to, 0, 0);
        for _ in 0..150 {
            assert_eq!(from.send(&empty, b""), Sent::Taken);
        }
        let (datagrams, calls) = drain(&mut to);
        assert_eq!(datagrams, vec![Vec::new(); 150]);
        assert!(
            calls.iter().all(|count| *count <= DATAGRAMS_MAX),
            "{calls:?}"
        );
        assert!(calls.len() >= 3);
    }

    #[test]
    fn batches_arrive_as_the_datagrams_that_they_are() {
        let (from, mut to) = pair();
        let bytes: Vec<u8> = (0..60_000_u32).map(|n| (n % 251) as u8).collect();
        for segment_size in [1_200, 1_000, 59_999, 60_000] {
            // No more than the system cuts at once.
            let len = bytes.len().min(segment_size * from.segments_max());
            let sent = from.send(&batch(&to, len, segment_size), &bytes[..len]);
            assert_eq!(sent, Sent::Taken);
            let (datagrams, calls) = drain(&mut to);
            assert_eq!(
                datagrams,
                bytes[..len].chunks(segment_size).collect::<Vec<_>>()
            );
            assert!(calls.iter().all(|count| *count <= DATAGRAMS_MAX));
        }
        assert!(!to.holds_datagrams());
    }

    #[test]
    fn addresses_are_those_of_their_family_on_a_socket_for_both() {
        let mut both = Socket::bind("[::]:0".parse().unwrap()).unwrap();
        let port = both.local_addr().unwrap().port();
        let four = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let destination = SocketAddr::from(([127, 0, 0, 1], port));
        four.send(
            &Transmit {
                destination,
                source: None,
                len: 1,
                segment_size: 1,
                may_fragment: false,
                ecn: Ecn::NotEct,
            },
            b"x",
        );
        let mut seen = None;
        both.receive(|meta, _, _| seen = Some(meta)).unwrap();
        let meta = seen.unwrap();
        assert_eq!(meta.source, four.local_addr().unwrap());
        assert_eq!(meta.local, Some(destination.ip()));
        // And the answer leaves from the address that was asked.
        let mut four = four;
        let answer = Transmit {
            destination: meta.source,
            source: meta.local,
            len: 1,
            segment_size: 1,
            may_fragment: false,
            ecn: Ecn::NotEct,
        };
        assert_eq!(both.send(&answer, b"y"), Sent::Taken);
        let mut source = None;
        four.receive(|meta, _, _| source = Some(meta.source))
            .unwrap();
        assert_eq!(source, Some(destination));
    }

    /// RFC 9000 §13.4: the codepoint of a whole batch arrives with each of its datagrams, over both families. Loopback carries
    /// what is set.
    #[test]
    #[cfg(target_os = "linux")]
    fn codepoints_leave_and_arrive() {
        for bind in ["127.0.0.1:0", "[::]:0"] {
            let from = Socket::bind(bind.parse().unwrap()).unwrap();
            let mut to = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
            for ecn in [Ecn::Ect0, Ecn::NotEct, Ecn::Ce, Ecn::Ect1] {
                for (count, len) in [(1, 1_000), (3, 2_500)] {
                    let batch = Transmit {
                        ecn,
                        ..batch(&to, len, 1_000)
                    };
                    assert_eq!(from.send(&batch, &vec![7; len]), Sent::Taken);
                    let mut seen = Vec::new();
                    let mut each = |meta: DatagramMeta, train: &mut [u8], size| {
                        seen.extend(train.chunks(size).map(|_| meta.ecn));
                    };
                    while to.receive(&mut each).unwrap() {}
                    assert_eq!(seen, vec![ecn; count], "{bind}");
                }
            }
        }
    }

    #[test]
    fn a_port_that_is_taken_for_ipv6_is_taken() {
        let six = socket2::Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP)).unwrap();
        six.set_only_v6(true).unwrap();
        let any: SocketAddr = "[::]:0".parse().unwrap();
        six.bind(&any.into()).unwrap();
        let taken = six.local_addr().unwrap().as_socket().unwrap();
        let error = Socket::bind(taken).err().expect("it is taken");
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    }

    /// EMSGSIZE: the datagram is lost as on a path that does not carry it, what follows is not, and batches go on.
    #[test]
    fn what_is_too_large_is_lost_and_no_error() {
        let (from, mut to) = pair();
        let large = vec![1; 65_508];
        let error = from.try_send(&batch(&to, large.len(), large.len()), &large, large.len());
        let code = error
            .expect_err("no UDP datagram is as large")
            .raw_os_error();
        assert_eq!(code, Some(rustix::io::Errno::MSGSIZE.raw_os_error()));
        let sent = from.send(&batch(&to, large.len(), large.len()), &large);
        assert_eq!(sent, Sent::Taken);
        assert_eq!(from.send(&batch(&to, 30, 10), &[7; 30]), Sent::Taken);
        let (datagrams, _) = drain(&mut to);
        assert_eq!(datagrams, vec![vec![7; 10]; 3]);
    }

    #[test]
    fn what_cannot_be_sent_is_lost_and_no_error() {
        let (from, _to) = pair();
        let destination = "[2001:db8::1]:9".parse().unwrap();
        let nowhere = Transmit {
            destination,
            source: None,
            len: 4,
            segment_size: 2,
            may_fragment: false,
            ecn: Ecn::NotEct,
        };
        assert_eq!(from.send(&nowhere, b"abcd"), Sent::Taken);
    }
}
