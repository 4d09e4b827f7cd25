//! One rustls handshake and its packet keys.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use rustls::quic::{
    Connection, KeyChange, Keys, PacketKey, PacketKeySet, Secrets, ServerConnection,
};
use rustls::{Error, ServerConfig};

use super::super::{CryptoError, Epoch, Level, PublicKey, Session, TAG_LEN};
use super::identity;

/// Handshake bytes that are read in all: more than ten times what an honest peer sends.
const HANDSHAKE_MAX: usize = 1 << 14;

// TLS alerts (RFC 8446 §6).
const UNEXPECTED_MESSAGE: CryptoError = CryptoError::Alert(10);
const DECODE_ERROR: CryptoError = CryptoError::Alert(50);
const INTERNAL_ERROR: CryptoError = CryptoError::Alert(80);

/// Where the handshake is.
pub(super) enum Handshake {
    /// A server that has read nothing: rustls is not yet asked.
    Waiting {
        config: Arc<ServerConfig>,
        params: Vec<u8>,
    },
    /// rustls reads and writes.
    Running(Box<Connection>),
    /// Done, and rustls let go: dhow has no TLS messages after the handshake.
    Complete,
    /// Failed, with the same answer to everything from then on.
    Failed(CryptoError),
}

/// 1-RTT packet keys beside the current ones, which are at [`Level::Data`] in `TlsSession::keys`.
struct Updates {
    previous: Option<Box<dyn PacketKey>>,
    /// Derived ahead, so that opening a packet takes the same time whatever its key phase (RFC 9001 §9.5).
    next: PacketKeySet,
    secrets: Secrets,
}

pub(super) struct TlsSession {
    pub(super) handshake: Handshake,
    /// Handshake bytes read so far.
    read: usize,
    /// The highest level whose keys were there.
    level: Level,
    keys: [Option<Keys>; 3],
    updates: Option<Updates>,
    peer_params: Option<Vec<u8>>,
    peer_key: Option<PublicKey>,
    integrity_limit: u64,
}

impl TlsSession {
    pub(super) fn new(handshake: Handshake, initial: Keys) -> Self {
        Self {
            handshake,
            read: 0,
            level: Level::Initial,
            integrity_limit: initial.remote.packet.integrity_limit(),
            keys: [Some(initial), None, None],
            updates: None,
            peer_params: None,
            peer_key: None,
        }
    }

    fn keys(&self, level: Level) -> Result<&Keys, CryptoError> {
        let keys = &self.keys[level as usize];
        keys.as_ref().ok_or(CryptoError::NoKeys)
    }

    fn opening_key(&self, level: Level, epoch: Epoch) -> Result<&dyn PacketKey, CryptoError> {
        let keys = self.keys(level)?;
        let updates = || self.updates.as_ref().filter(|_| level == Level::Data);
        let key = match epoch {
            Epoch::Current => Some(keys.remote.packet.as_ref()),
            Epoch::Previous => updates().and_then(|updates| updates.previous.as_deref()),
            Epoch::Next => updates().map(|updates| updates.next.remote.as_ref()),
        };
        key.ok_or(CryptoError::NoKeys)
    }

    fn read(&mut self, level: Level, data: &[u8]) -> Result<(), CryptoError> {
        self.start()?;
        let Handshake::Running(connection) = &mut self.handshake else {
            return Err(match self.handshake {
                Handshake::Failed(error) => error,
                _ => UNEXPECTED_MESSAGE,
            });
        };
        // Nothing is read at the 1-RTT level, though a server has its keys before the client's last flight.
        if level != self.level.min(Level::Handshake) {
            return Err(UNEXPECTED_MESSAGE);
        }
        self.read = self.read.saturating_add(data.len());
        if self.read > HANDSHAKE_MAX {
            return Err(DECODE_ERROR);
        }
        let read = connection.read_hs(data);
        read.map_err(|error| alert_of(connection, &error))?;
        if self.peer_params.is_none() {
            self.peer_params = connection.quic_transport_parameters().map(<[u8]>::to_vec);
        }
        self.finish();
        Ok(())
    }

    /// Makes a server's rustls connection when the first byte comes.
    fn start(&mut self) -> Result<(), CryptoError> {
        let Handshake::Waiting { config, params } = &mut self.handshake else {
            return Ok(());
        };
        let connection = ServerConnection::new(config.clone(), super::VERSION, mem::take(params))
            .map_err(|_| INTERNAL_ERROR)?;
        self.handshake = Handshake::Running(Box::new(connection.into()));
        Ok(())
    }

    /// Takes what rustls knows of the peer when the handshake is over, and lets rustls go.
    fn finish(&mut self) {
        let Handshake::Running(connection) = &self.handshake else {
            return;
        };
        if connection.is_handshaking() || self.level != Level::Data {
            return;
        }
        // The verifiers refuse every peer without exactly one key.
        self.peer_key = match connection.peer_certificates() {
            Some([key]) => identity::parse(key),
            _ => None,
        };
        self.handshake = match self.peer_key {
            Some(_) => Handshake::Complete,
            None => Handshake::Failed(INTERNAL_ERROR),
        };
    }
}

impl Session for TlsSession {
    fn read_handshake(&mut self, level: Level, data: &[u8]) -> Result<(), CryptoError> {
        if data.is_empty() {
            return Ok(());
        }
        let result = self.read(level, data);
        if let Err(error) = result {
            self.handshake = Handshake::Failed(error);
        }
        result
    }

    fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<Level> {
        let Handshake::Running(connection) = &mut self.handshake else {
            return None;
        };
        let change = connection.write_hs(out)?;
        let (level, keys) = match change {
            KeyChange::Handshake { keys } => (Level::Handshake, keys),
            KeyChange::OneRtt { keys, mut next } => {
                self.updates = Some(Updates {
                    previous: None,
                    next: next.next_packet_keys(),
                    secrets: next,
                });
                (Level::Data, keys)
            }
        };
        self.integrity_limit = keys.remote.packet.integrity_limit();
        self.keys[level as usize] = Some(keys);
        self.level = level;
        self.finish();
        Some(level)
    }

    fn is_complete(&self) -> bool {
        matches!(self.handshake, Handshake::Complete)
    }

    fn peer_params(&self) -> Option<&[u8]> {
        self.peer_params.as_deref()
    }

    fn peer_key(&self) -> Option<PublicKey> {
        self.peer_key
    }

    fn seal(
        &mut self,
        level: Level,
        number: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<(), CryptoError> {
        let key = &self.keys(level)?.local.packet;
        let split = payload.split_last_chunk_mut::<TAG_LEN>();
        let (text, room) = split.ok_or(CryptoError::Open)?;
        let tag = key
            .encrypt_in_place(number, header, text)
            .map_err(|_| CryptoError::Open)?;
        // Cannot panic: rustls' tags have 16 bytes by their type.
        room.copy_from_slice(tag.as_ref());
        Ok(())
    }

    fn open(
        &mut self,
        level: Level,
        epoch: Epoch,
        number: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<(), CryptoError> {
        let key = self.opening_key(level, epoch)?;
        let opened = key.decrypt_in_place(number, header, payload);
        opened.map(|_| ()).map_err(|_| CryptoError::Open)
    }

    fn protect_header(
        &self,
        level: Level,
        sample: &[u8; 16],
        first: &mut u8,
        number: &mut [u8],
    ) -> Result<(), CryptoError> {
        let key = &self.keys(level)?.local.header;
        key.encrypt_in_place(sample, first, number)
            .map_err(|_| CryptoError::Open)
    }

    fn unprotect_header(
        &self,
        level: Level,
        sample: &[u8; 16],
        first: &mut u8,
        number: &mut [u8],
    ) -> Result<(), CryptoError> {
        let key = &self.keys(level)?.remote.header;
        key.decrypt_in_place(sample, first, number)
            .map_err(|_| CryptoError::Open)
    }

    fn update_keys(&mut self) {
        let current = &mut self.keys[Level::Data as usize];
        if let (Some(keys), Some(updates)) = (current, &mut self.updates) {
            let later = updates.secrets.next_packet_keys();
            let next = mem::replace(&mut updates.next, later);
            keys.local.packet = next.local;
            updates.previous = Some(mem::replace(&mut keys.remote.packet, next.remote));
        }
    }

    fn discard_previous_keys(&mut self) {
        if let Some(updates) = &mut self.updates {
            updates.previous = None;
        }
    }

    fn discard_keys(&mut self, level: Level) {
        self.keys[level as usize] = None;
        if level == Level::Data {
            self.updates = None;
        }
    }

    fn integrity_limit(&self) -> u64 {
        self.integrity_limit
    }
}

/// The alert that rustls wants to be sent. Errors for which it names none are its own.
fn alert_of(connection: &Connection, error: &Error) -> CryptoError {
    match (connection.alert(), error) {
        (Some(description), _) => CryptoError::Alert(description.into()),
        (None, Error::InvalidMessage(_)) => DECODE_ERROR,
        (None, _) => INTERNAL_ERROR,
    }
}
