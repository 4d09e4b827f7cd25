//! A server alone with a client that says whatever it is told.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use proto_core::crypto::Level;
use proto_core::wire::Frame;
use proto_core::{
    Admission, CloseCause, Config, DatagramMeta, Endpoint, Event, FileOp, Instant, PeerId,
};
use tests::hand_made::{Client, provider};

/// The server, the client, and what the server told and asked for.
pub(crate) struct Alone {
    pub(crate) now: Instant,
    pub(crate) server: Endpoint,
    pub(crate) client: Client,
    pub(crate) events: Vec<Event>,
    pub(crate) ops: Vec<FileOp>,
    /// 1-RTT datagrams that the server sent.
    pub(crate) data_datagrams: u64,
    buffer: Vec<u8>,
}

impl Alone {
    /// A server that has seen nothing yet, and the client's first datagrams.
    pub(crate) fn before_handshake() -> (Self, Vec<Vec<u8>>) {
        let (client, first) = Client::new();
        let config = Arc::new(Config::server(Arc::new(provider())));
        let alone = Self {
            now: Instant::from_nanos(1),
            server: Endpoint::new(config, [3; 32], Instant::ZERO),
            client,
            events: Vec::new(),
            ops: Vec::new(),
            data_datagrams: 0,
            buffer: vec![0; 1 << 16],
        };
        (alone, first)
    }

    /// After the handshake, before the application's word.
    pub(crate) fn unadmitted() -> (Self, PeerId) {
        let (mut alone, first) = Self::before_handshake();
        for datagram in first {
            alone.deliver(datagram);
        }
        alone.poll();
        assert!(alone.client.is_complete());
        match alone.events.pop() {
            Some(Event::PeerReady { peer, .. }) => (alone, peer),
            other => panic!("{other:?}"),
        }
    }

    /// With a session that is open.
    pub(crate) fn open() -> Self {
        let (mut alone, peer) = Self::unadmitted();
        let admitted = alone.server.admit(alone.now, peer, Admission::Admit);
        admitted.expect("it is there");
        alone
    }

    /// A datagram of the client reaches the server.
    pub(crate) fn deliver(&mut self, mut datagram: Vec<u8>) {
        let meta = DatagramMeta {
            source: SocketAddr::from(([10, 0, 0, 2], 2)),
            local: None,
            ecn: proto_core::Ecn::NotEct,
        };
        self.server.handle_datagram(self.now, meta, &mut datagram);
    }

    /// These frames reach the server in one packet, and it answers.
    pub(crate) fn say(&mut self, level: Level, frames: &[Frame<'_>]) {
        let mut bytes = vec![0; 1_100];
        let mut at = 0;
        for frame in frames {
            at += frame.encode(&mut bytes[at..]).expect("the frames fit");
        }
        let packet = self.client.packet(level, &bytes[..at]);
        self.deliver(packet.expect("there are keys"));
        self.poll();
    }

    /// Everything that the server has to say; what the client answers is delivered.
    pub(crate) fn poll(&mut self) {
        while let Some(sent) =
            self.server
                .poll_transmit(self.now, NonZeroUsize::MIN, &mut self.buffer)
        {
            let datagram = self.buffer[..sent.len].to_vec();
            self.data_datagrams += u64::from(datagram[0] & 0x80 == 0);
            for answer in self.client.receive(datagram) {
                self.deliver(answer);
            }
        }
        self.ops
            .extend(std::iter::from_fn(|| self.server.poll_file_op()));
        self.events
            .extend(std::iter::from_fn(|| self.server.poll_event()));
    }

    /// Time passes.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, _)) = self.server.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.server.handle_timeout(self.now);
            self.poll();
        }
        self.now = end;
    }

    /// Why the session ended; `None` while it has not.
    pub(crate) fn closed(&self) -> Option<CloseCause> {
        self.events.iter().find_map(|event| match event {
            Event::PeerClosed { cause, .. } => Some(*cause),
            _ => None,
        })
    }
}
