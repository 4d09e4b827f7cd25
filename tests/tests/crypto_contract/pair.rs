//! Two ends of a handshake, for every implementation.

use std::collections::VecDeque;

use proto_core::crypto::{
    CryptoError, Direction, Epoch, Level, Provider, PublicKey, Session, TAG_LEN, TlsProvider,
};
use proto_core::wire::ConnectionId;
use sim::null_crypto::NullProvider;
use sim::seeded_crypto::SeededTls;

pub(crate) const ORIGINAL: ConnectionId =
    ConnectionId([0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08]);
pub(crate) const CLIENT_PARAMS: &[u8] =
    b"the client's transport parameters, about sixty bytes of them";
pub(crate) const SERVER_PARAMS: &[u8] =
    b"the server's transport parameters, about sixty bytes of them";
pub(crate) const HEADER: &[u8] = &[0x43, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9];
pub(crate) const TEXT: &[u8] =
    b"a payload of more than thirty-two bytes, so that every lane is in use";

/// Two providers with the keys they stand for.
pub(crate) struct Providers {
    pub(crate) name: &'static str,
    pub(crate) client: (Box<dyn Provider>, PublicKey),
    pub(crate) server: (Box<dyn Provider>, PublicKey),
    /// Whether the same providers, made again, say the same bytes.
    pub(crate) repeatable: bool,
}

pub(crate) fn all() -> [Providers; 3] {
    let null = |byte| {
        let key = PublicKey([byte; 32]);
        (Box::new(NullProvider { key }) as Box<dyn Provider>, key)
    };
    let tls = |byte| {
        let provider = TlsProvider::new(&[byte; 32]).unwrap();
        let key = provider.public_key();
        (Box::new(provider) as Box<dyn Provider>, key)
    };
    let seeded = |byte| {
        let provider = SeededTls::new(&[byte; 32], [byte ^ 0xff; 32]).unwrap();
        let key = provider.public_key();
        (Box::new(provider) as Box<dyn Provider>, key)
    };
    [
        Providers {
            name: "null",
            client: null(1),
            server: null(2),
            repeatable: true,
        },
        Providers {
            name: "tls",
            client: tls(1),
            server: tls(2),
            repeatable: false,
        },
        Providers {
            name: "seeded tls",
            client: seeded(1),
            server: seeded(2),
            repeatable: true,
        },
    ]
}

/// One end of a handshake.
pub(crate) struct End {
    pub(crate) session: Box<dyn Session>,
    /// The highest level with keys.
    pub(crate) level: Level,
    pub(crate) unsent: VecDeque<(Level, Vec<u8>)>,
}

impl End {
    pub(crate) fn new(session: Box<dyn Session>) -> Self {
        Self {
            session,
            level: Level::Initial,
            unsent: VecDeque::new(),
        }
    }

    /// Writes until there is nothing to write, and checks that exactly the announced keys are there.
    pub(crate) fn poll(&mut self) {
        loop {
            self.check_keys();
            let mut bytes = Vec::new();
            let keys = self.session.write_handshake(&mut bytes);
            if bytes.is_empty() && keys.is_none() {
                return;
            }
            if !bytes.is_empty() {
                self.unsent.push_back((self.level, bytes));
            }
            if let Some(level) = keys {
                assert!(level > self.level, "the keys of {level:?} came twice");
                self.level = level;
            }
        }
    }

    pub(crate) fn check_keys(&mut self) {
        for level in Level::ALL {
            let sealed = self
                .session
                .seal(level, 1 << 40, HEADER, &mut [0; TAG_LEN + 1]);
            if level <= self.level {
                assert_eq!(sealed, Ok(()), "{level:?} has keys");
            } else {
                assert_eq!(
                    sealed,
                    Err(CryptoError::NoKeys),
                    "{level:?} has no keys yet"
                );
            }
        }
    }
}

pub(crate) struct Pair {
    pub(crate) client: End,
    pub(crate) server: End,
    /// All that was said, in order.
    pub(crate) said: Vec<(Direction, Level, Vec<u8>)>,
}

impl Pair {
    pub(crate) fn new(providers: &Providers) -> Self {
        Self::of(providers.client.0.as_ref(), providers.server.0.as_ref())
    }

    pub(crate) fn of(client: &dyn Provider, server: &dyn Provider) -> Self {
        Self {
            client: End::new(client.client(ORIGINAL, CLIENT_PARAMS).unwrap()),
            server: End::new(server.server(ORIGINAL, SERVER_PARAMS).unwrap()),
            said: Vec::new(),
        }
    }

    /// A pair after its handshake.
    pub(crate) fn ready(providers: &Providers) -> Self {
        let mut pair = Self::new(providers);
        pair.shake(usize::MAX).unwrap();
        pair
    }

    /// Runs the handshake until nobody has more to say, handing over `piece` bytes at a time.
    pub(crate) fn shake(&mut self, piece: usize) -> Result<(), (Direction, CryptoError)> {
        self.client.poll();
        self.server.poll();
        loop {
            let mut quiet = true;
            for from in [Direction::Client, Direction::Server] {
                let (writer, reader, to) = match from {
                    Direction::Client => (&mut self.client, &mut self.server, Direction::Server),
                    Direction::Server => (&mut self.server, &mut self.client, Direction::Client),
                };
                while let Some((level, bytes)) = writer.unsent.pop_front() {
                    quiet = false;
                    for part in bytes.chunks(piece) {
                        let read = reader.session.read_handshake(level, part);
                        read.map_err(|error| (to, error))?;
                        reader.poll();
                    }
                    self.said.push((from, level, bytes));
                }
            }
            if quiet {
                return Ok(());
            }
        }
    }

    pub(crate) fn sender_and_receiver(
        &mut self,
        sender: Direction,
    ) -> (&mut dyn Session, &mut dyn Session) {
        let client = self.client.session.as_mut();
        let server = self.server.session.as_mut();
        match sender {
            Direction::Client => (client, server),
            Direction::Server => (server, client),
        }
    }

    /// Whether a fresh packet of `sender` opens at the other end under `epoch`.
    pub(crate) fn passes(&mut self, sender: Direction, epoch: Epoch) -> Result<(), CryptoError> {
        let (sender, receiver) = self.sender_and_receiver(sender);
        let mut packet = sealed(sender, Level::Data, 7);
        receiver.open(Level::Data, epoch, 7, HEADER, &mut packet)?;
        assert_eq!(&packet[..TEXT.len()], TEXT);
        Ok(())
    }
}

pub(crate) fn sealed(sender: &mut dyn Session, level: Level, number: u64) -> Vec<u8> {
    let mut packet = TEXT.to_vec();
    packet.extend_from_slice(&[0; TAG_LEN]);
    sender.seal(level, number, HEADER, &mut packet).unwrap();
    packet
}
