//! What every `crypto::Session` must do, checked against all of them.

use proto_core::crypto::{CryptoError, Direction, Epoch, Level, Provider, PublicKey, Session, TAG_LEN};
use proto_core::wire::ConnectionId;
use sim::null_crypto::NullProvider;

const ORIGINAL: ConnectionId = ConnectionId([0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08]);
const CLIENT_PARAMS: &[u8] = b"the client's transport parameters, about sixty bytes of them";
const SERVER_PARAMS: &[u8] = b"the server's transport parameters, about sixty bytes of them";
const HEADER: &[u8] = &[0x43, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9];

/// Two ends of one handshake.
struct Pair {
    client: Box<dyn Session>,
    server: Box<dyn Session>,
    /// All handshake bytes in the order of writing, with sender and level.
    said: Vec<(Direction, Level, Vec<u8>)>,
}

impl Pair {
    fn new(client: &dyn Provider, server: &dyn Provider) -> Self {
        Self {
            client: client.client(ORIGINAL, CLIENT_PARAMS).unwrap(),
            server: server.server(ORIGINAL, SERVER_PARAMS).unwrap(),
            said: Vec::new(),
        }
    }

    /// Runs the handshake to its end, handing over at most `piece` bytes at a time.
    fn shake(&mut self, piece: usize) -> Result<(), CryptoError> {
        let mut levels = [Level::Initial; 2];
        loop {
            let mut quiet = true;
            for from in [Direction::Client, Direction::Server] {
                let (writer, reader) = match from {
                    Direction::Client => (&mut self.client, &mut self.server),
                    Direction::Server => (&mut self.server, &mut self.client),
                };
                loop {
                    let mut bytes = Vec::new();
                    let level = levels[from as usize];
                    let keys = writer.write_handshake(&mut bytes);
                    if bytes.is_empty() && keys.is_none() {
                        break;
                    }
                    quiet = false;
                    if let Some(next) = keys {
                        assert!(next > level, "keys of a level came twice");
                        assert!(can_seal(writer.as_mut(), next));
                        levels[from as usize] = next;
                    } else {
                        assert!(!can_seal(writer.as_mut(), next_level(level)));
                    }
                    for part in bytes.chunks(piece) {
                        reader.read_handshake(level, part)?;
                        // The receiver polls at every occasion, as the core does.
                        drain_keys(reader.as_mut(), &mut levels[other(from) as usize], &mut self.said, other(from));
                    }
                    self.said.push((from, level, bytes));
                }
            }
            if quiet {
                return Ok(());
            }
        }
    }
}
