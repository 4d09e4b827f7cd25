//! A session without secrecy, for fast simulation.
//!
//! At the surface of [`Session`] it behaves like TLS 1.3: two flights of about the same sizes, keys of a level at the same
//! moments, packets that open only under the right level, generation, direction, number and header. Underneath there is a
//! keyed checksum in the place of a cipher, and anyone who saw the handshake can forge. It must never leave the simulator.
//!
//! A handshake message is a type byte, a length of three bytes, and a body: checksum (8, over the transcript and
//! the rest of the body), public key (32), length of the parameters (2), parameters, zeros up to the message's usual size.

mod message;
#[cfg(test)]
mod tests;

use proto_core::crypto::{
    CryptoError, Direction, Epoch, Level, Provider, PublicKey, Session, TAG_LEN,
};
use proto_core::wire::ConnectionId;

use crate::checksum::{checksum, fold};
use message::{HEADER as MESSAGE_HEADER, Message};

/// Bytes of a body before the parameters.
const BODY_HEADER: usize = 8 + 32 + 2;
/// No body is longer.
const BODY_MAX: usize = 1 << 14;
/// Longer transport parameters are refused, as with TLS.
const PARAMS_MAX: usize = 1 << 12;
/// As for AES-128-GCM (RFC 9001 §6.6).
const INTEGRITY_LIMIT: u64 = 1 << 52;

/// TLS alerts (RFC 8446 §6).
const UNEXPECTED_MESSAGE: CryptoError = CryptoError::Alert(10);
const DECODE_ERROR: CryptoError = CryptoError::Alert(50);
const DECRYPT_ERROR: CryptoError = CryptoError::Alert(51);

/// Makes sessions without secrecy, which claim `key` and prove nothing.
#[derive(Clone, Copy, Debug)]
pub struct NullProvider {
    /// What the peer is told to be this end's key.
    pub key: PublicKey,
}

impl NullProvider {
    fn session(
        &self,
        direction: Direction,
        original: ConnectionId,
        params: &[u8],
    ) -> Result<Box<dyn Session>, CryptoError> {
        if params.len() > PARAMS_MAX {
            return Err(CryptoError::Config);
        }
        let secret = checksum(0x6468_6f77, &original.0);
        Ok(Box::new(NullSession {
            direction,
            step: match direction {
                Direction::Client => Step::Write(Message::ClientHello),
                Direction::Server => Step::Read(Message::ClientHello),
            },
            key: self.key,
            params: params.to_vec(),
            transcript: secret,
            incoming: Vec::new(),
            peer_key: None,
            peer_params: None,
            secrets: [Some(secret), None, None],
            generation: 0,
            has_previous: false,
        }))
    }
}

impl Provider for NullProvider {
    fn client(
        &self,
        original: ConnectionId,
        params: &[u8],
    ) -> Result<Box<dyn Session>, CryptoError> {
        self.session(Direction::Client, original, params)
    }

    fn server(
        &self,
        original: ConnectionId,
        params: &[u8],
    ) -> Result<Box<dyn Session>, CryptoError> {
        self.session(Direction::Server, original, params)
    }
}

/// What the session does next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Write(Message),
    Read(Message),
    /// The client has read the server's hello: its Handshake keys are announced by the next write.
    Announce,
    Complete,
    Failed(CryptoError),
}

struct NullSession {
    direction: Direction,
    step: Step,
    key: PublicKey,
    params: Vec<u8>,
    /// Checksum over all that was said.
    transcript: u64,
    /// The message that is being read.
    incoming: Vec<u8>,
    peer_key: Option<PublicKey>,
    peer_params: Option<Vec<u8>>,
    /// One a level, from which the keys of both directions follow.
    secrets: [Option<u64>; 3],
    /// Number of key updates so far.
    generation: u64,
    has_previous: bool,
}

impl NullSession {
    fn encode(&mut self, message: Message, out: &mut Vec<u8>) {
        let body_len = (message.size() - MESSAGE_HEADER).max(BODY_HEADER + self.params.len());
        let mut rest = Vec::with_capacity(body_len);
        rest.extend_from_slice(&self.key.0);
        rest.extend_from_slice(&(self.params.len() as u16).to_be_bytes());
        rest.extend_from_slice(&self.params);
        rest.resize(body_len - 8, 0);
        self.transcript = checksum(self.transcript ^ message as u64, &rest);
        out.push(message as u8);
        out.extend_from_slice(&(body_len as u32).to_be_bytes()[1..]);
        out.extend_from_slice(&self.transcript.to_be_bytes());
        out.extend_from_slice(&rest);
    }

    /// Reads the message at the start of `incoming`; false while it is incomplete.
    fn decode(&mut self, message: Message) -> Result<bool, CryptoError> {
        let (header, body) = match self.incoming.split_first_chunk::<MESSAGE_HEADER>() {
            Some(split) => split,
            None => return Ok(false),
        };
        let [kind, len @ ..] = *header;
        if kind != message as u8 {
            return Err(UNEXPECTED_MESSAGE);
        }
        let len = len
            .iter()
            .fold(0, |len, byte| len << 8 | usize::from(*byte));
        if !(BODY_HEADER..=BODY_MAX).contains(&len) {
            return Err(DECODE_ERROR);
        }
        if body.len() < len {
            return Ok(false);
        }
        if body.len() > len {
            return Err(UNEXPECTED_MESSAGE);
        }
        let (check, rest) = body.split_first_chunk().ok_or(DECODE_ERROR)?;
        let transcript = checksum(self.transcript ^ message as u64, rest);
        if u64::from_be_bytes(*check) != transcript {
            return Err(DECRYPT_ERROR);
        }
        let (key, rest) = rest.split_first_chunk().ok_or(DECODE_ERROR)?;
        let (params_len, rest) = rest.split_first_chunk().ok_or(DECODE_ERROR)?;
        let params = rest.get(..usize::from(u16::from_be_bytes(*params_len)));
        let params = params.ok_or(DECODE_ERROR)?;
        if matches!(message, Message::ClientHello | Message::ServerFlight) {
            self.peer_params = Some(params.to_vec());
        }
        self.peer_key = Some(PublicKey(*key));
        self.transcript = transcript;
        self.incoming.clear();
        Ok(true)
    }

    fn read(&mut self, level: Level, data: &[u8]) -> Result<(), CryptoError> {
        if data.is_empty() {
            return Ok(());
        }
        let message = match self.step {
            Step::Read(message) if message.level() == level => message,
            Step::Failed(error) => return Err(error),
            _ => return Err(UNEXPECTED_MESSAGE),
        };
        self.incoming.extend_from_slice(data);
        if self.decode(message)? {
            self.step = match message {
                Message::ClientHello => Step::Write(Message::ServerHello),
                Message::ServerHello => Step::Announce,
                Message::ServerFlight => Step::Write(Message::ClientFlight),
                Message::ClientFlight => Step::Complete,
            };
        }
        Ok(())
    }

    /// The key for packets that `sender` seals; the generation of `Initial` and `Handshake` keys is 0.
    fn packet_key(
        &self,
        sender: Direction,
        level: Level,
        epoch: Epoch,
    ) -> Result<u64, CryptoError> {
        let secret = self.secret(level)?;
        let generation = match (level, epoch) {
            (Level::Data, Epoch::Previous) if self.has_previous => self.generation - 1,
            (Level::Data, Epoch::Next) => self.generation + 1,
            (_, Epoch::Current) => self.generation,
            _ => return Err(CryptoError::NoKeys),
        };
        Ok(fold(
            secret ^ generation,
            0xa076_1d64_78bd_642f ^ sender as u64,
        ))
    }

    fn secret(&self, level: Level) -> Result<u64, CryptoError> {
        self.secrets[level as usize].ok_or(CryptoError::NoKeys)
    }

    fn mask(
        &self,
        sender: Direction,
        level: Level,
        sample: &[u8; 16],
    ) -> Result<[u8; 8], CryptoError> {
        let key = self.secret(level)?.rotate_left(32) ^ sender as u64;
        Ok(checksum(key, sample).to_be_bytes())
    }
}

impl Session for NullSession {
    fn read_handshake(&mut self, level: Level, data: &[u8]) -> Result<(), CryptoError> {
        let read = self.read(level, data);
        if let Err(error) = read {
            self.step = Step::Failed(error);
        }
        read
    }

    fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<Level> {
        let heard = self.transcript;
        if let Step::Write(message) = self.step {
            self.encode(message, out);
        }
        let (next, keys) = match self.step {
            Step::Write(Message::ClientHello) => (Step::Read(Message::ServerHello), None),
            Step::Write(Message::ServerHello) => (
                Step::Write(Message::ServerFlight),
                Some((Level::Handshake, self.transcript)),
            ),
            Step::Announce => (
                Step::Read(Message::ServerFlight),
                Some((Level::Handshake, heard)),
            ),
            Step::Write(Message::ServerFlight) => (
                Step::Read(Message::ClientFlight),
                Some((Level::Data, self.transcript)),
            ),
            // As in TLS, 1-RTT keys follow from all up to the server's flight.
            Step::Write(Message::ClientFlight) => (Step::Complete, Some((Level::Data, heard))),
            Step::Read(_) | Step::Complete | Step::Failed(_) => return None,
        };
        self.step = next;
        let (level, transcript) = keys?;
        self.secrets[level as usize] = Some(checksum(transcript, &[level as u8]));
        Some(level)
    }

    fn is_complete(&self) -> bool {
        self.step == Step::Complete
    }

    fn peer_params(&self) -> Option<&[u8]> {
        self.peer_params.as_deref()
    }

    fn peer_key(&self) -> Option<PublicKey> {
        self.peer_key.filter(|_| self.is_complete())
    }

    fn seal(
        &mut self,
        level: Level,
        number: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<(), CryptoError> {
        let key = self.packet_key(self.direction, level, Epoch::Current)?;
        let (text, room) = payload.split_last_chunk_mut().ok_or(CryptoError::Open)?;
        *room = tag(key, number, header, text);
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
        let key = self.packet_key(other(self.direction), level, epoch)?;
        let (text, found) = payload.split_last_chunk().ok_or(CryptoError::Open)?;
        if *found == tag(key, number, header, text) {
            Ok(())
        } else {
            Err(CryptoError::Open)
        }
    }

    fn protect_header(
        &self,
        level: Level,
        sample: &[u8; 16],
        first: &mut u8,
        number: &mut [u8],
    ) -> Result<(), CryptoError> {
        let mask = self.mask(self.direction, level, sample)?;
        let number_len = number_len(*first);
        *first ^= mask[0] & protected_bits(*first);
        apply(&mask[1..], number_len, number);
        Ok(())
    }

    fn unprotect_header(
        &self,
        level: Level,
        sample: &[u8; 16],
        first: &mut u8,
        number: &mut [u8],
    ) -> Result<(), CryptoError> {
        let mask = self.mask(other(self.direction), level, sample)?;
        *first ^= mask[0] & protected_bits(*first);
        apply(&mask[1..], number_len(*first), number);
        Ok(())
    }

    fn update_keys(&mut self) {
        if self.secrets[Level::Data as usize].is_some() {
            self.generation += 1;
            self.has_previous = true;
        }
    }

    fn discard_previous_keys(&mut self) {
        self.has_previous = false;
    }

    fn discard_keys(&mut self, level: Level) {
        self.secrets[level as usize] = None;
    }

    fn integrity_limit(&self) -> u64 {
        INTEGRITY_LIMIT
    }
}

fn other(direction: Direction) -> Direction {
    match direction {
        Direction::Client => Direction::Server,
        Direction::Server => Direction::Client,
    }
}

/// The bits of a first byte that are masked: more of them in a short header (RFC 9001 §5.4.1).
fn protected_bits(first: u8) -> u8 {
    if first & 0x80 == 0 { 0x1f } else { 0x0f }
}

/// Bytes of the packet number, by the unmasked first byte.
fn number_len(first: u8) -> usize {
    usize::from(first & 0x03) + 1
}

fn apply(mask: &[u8], number_len: usize, number: &mut [u8]) {
    for (byte, mask) in number.iter_mut().take(number_len).zip(mask) {
        *byte ^= mask;
    }
}

fn tag(key: u64, number: u64, header: &[u8], text: &[u8]) -> [u8; TAG_LEN] {
    let sum = checksum(fold(key, !number) ^ checksum(key, header), text);
    let again = fold(sum ^ key, 0xe703_7ed1_a0b4_28db);
    let mut tag = [0; TAG_LEN];
    tag[..8].copy_from_slice(&sum.to_be_bytes());
    tag[8..].copy_from_slice(&again.to_be_bytes());
    tag
}
