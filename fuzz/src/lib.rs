//! A client that says whatever it is told, for fuzzing a server with packets that it takes for authentic.

use proto_core::crypto::{Epoch, Level, Provider, PublicKey, Session, TAG_LEN};
use proto_core::wire::{
    ConnectionId, Frame, LongHeader, LongType, PartialHeader, ShortHeader, TransportParams,
    packet_number, write_ack,
};
use sim::null_crypto::NullProvider;

/// Handshake bytes of a packet.
const CHUNK: usize = 1_000;
/// Bytes that the first datagrams are padded to.
const INITIAL_SIZE: usize = 1_200;
const NUMBER_LEN: usize = 4;

/// The provider of both ends: no secrecy, no cost.
#[must_use]
pub fn provider() -> NullProvider {
    NullProvider {
        key: PublicKey([7; 32]),
    }
}

/// A client's end of one session, without any sense of its own.
pub struct Client {
    session: Box<dyn Session>,
    id: ConnectionId,
    /// The server's id; before its first packet, the random one.
    server: ConnectionId,
    write_level: Level,
    next_number: [u64; 3],
    /// Highest number received.
    largest: [Option<u64>; 3],
    /// Handshake bytes received and sent.
    crypto_in: [u64; 3],
    crypto_out: [u64; 3],
}

impl Client {
    /// A client, and the datagrams that it begins with.
    #[must_use]
    pub fn new() -> (Self, Vec<Vec<u8>>) {
        let id = ConnectionId([2; 8]);
        let server = ConnectionId([1; 8]);
        let mut params = Vec::new();
        TransportParams::new(id).encode(&mut params);
        let mut client = Self {
            session: provider()
                .client(server, &params)
                .expect("the parameters are short"),
            id,
            server,
            write_level: Level::Initial,
            next_number: [0; 3],
            largest: [None; 3],
            crypto_in: [0; 3],
            crypto_out: [0; 3],
        };
        let first = client.go_on();
        (client, first)
    }

    /// Whether the handshake is over.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.session.is_complete()
    }

    /// A packet with these frames, whatever they are; `None` when there are no keys or it would be too long.
    pub fn packet(&mut self, level: Level, frames: &[u8]) -> Option<Vec<u8>> {
        let number = self.next_number[level as usize];
        let mut packet = vec![0; 64 + frames.len() + TAG_LEN];
        let destination = self.server;
        let ty = match level {
            Level::Initial => Some(LongType::Initial { token: &[] }),
            Level::Handshake => Some(LongType::Handshake),
            Level::Data => None,
        };
        let layout = match ty {
            Some(ty) => LongHeader {
                ty,
                destination,
                source: self.id,
            }
            .encode(number, NUMBER_LEN, &mut packet),
            None => ShortHeader {
                destination,
                key_phase: false,
            }
            .encode(number, NUMBER_LEN, &mut packet),
        }?;
        packet.truncate(layout.payload_at + frames.len() + TAG_LEN);
        layout.set_length(&mut packet, frames.len() + TAG_LEN)?;
        packet[layout.payload_at..][..frames.len()].copy_from_slice(frames);
        let (header, payload) = packet.split_at_mut(layout.payload_at);
        self.session.seal(level, number, header, payload).ok()?;
        let sample = *packet.get(layout.number_at + 4..)?.first_chunk()?;
        let (first, rest) = packet.split_first_mut()?;
        let number = rest.get_mut(layout.number_at - 1..layout.payload_at - 1)?;
        self.session
            .protect_header(level, &sample, first, number)
            .ok()?;
        self.next_number[level as usize] += 1;
        Some(packet)
    }

    /// A packet that acknowledges the highest number received, and no other.
    pub fn acknowledge(&mut self, level: Level) -> Option<Vec<u8>> {
        let largest = self.largest[level as usize]?;
        let mut frame = [0; 64];
        let len = write_ack(&mut frame, 0, core::iter::once(largest..=largest))?;
        self.packet(level, &frame[..len])
    }

    /// Takes a datagram of the server, and says what the handshake answers.
    pub fn receive(&mut self, mut datagram: Vec<u8>) -> Vec<Vec<u8>> {
        let mut answers = Vec::new();
        let mut rest = &mut datagram[..];
        while let Ok(header) = PartialHeader::decode(rest) {
            let (packet, next) = rest.split_at_mut(header.end);
            self.open(&header, packet);
            // The next packet may need keys that this one brought.
            answers.extend(self.go_on());
            rest = next;
        }
        answers
    }

    fn open(&mut self, header: &PartialHeader, packet: &mut [u8]) -> Option<()> {
        let level = header.level()?;
        let at = header.number_at;
        let sample = *packet[header.sample()].first_chunk()?;
        let (first, rest) = packet.split_first_mut()?;
        let number = &mut rest[at - 1..at + 3];
        self.session
            .unprotect_header(level, &sample, first, number)
            .ok()?;
        let len = usize::from(packet[0] & 0x03) + 1;
        let expected = self.largest[level as usize].map_or(0, |largest| largest + 1);
        let number = packet_number::decode(packet_number::read(&packet[at..], len), len, expected);
        let (head, body) = packet.split_at_mut(at + len);
        self.session
            .open(level, Epoch::Current, number, head, body)
            .ok()?;
        if self.largest[level as usize].is_none_or(|largest| number > largest) {
            self.largest[level as usize] = Some(number);
        }
        self.server = header.source.unwrap_or(self.server);

        let mut frames = &body[..body.len() - TAG_LEN];
        while !frames.is_empty() {
            let frame = Frame::decode(&mut frames).expect("a server's own frames can be read");
            if let Frame::Crypto { offset, data } = frame
                && offset == self.crypto_in[level as usize]
            {
                self.crypto_in[level as usize] += data.len() as u64;
                self.session.read_handshake(level, data).ok()?;
            }
        }
        Some(())
    }

    /// What the handshake has to say, in datagrams.
    fn go_on(&mut self) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        loop {
            let mut bytes = Vec::new();
            let new_level = self.session.write_handshake(&mut bytes);
            for chunk in bytes.chunks(CHUNK) {
                datagrams.extend(self.crypto_packet(self.write_level, chunk));
            }
            if new_level.is_none() && bytes.is_empty() {
                return datagrams;
            }
            self.write_level = new_level.unwrap_or(self.write_level);
        }
    }

    fn crypto_packet(&mut self, level: Level, data: &[u8]) -> Option<Vec<u8>> {
        let offset = self.crypto_out[level as usize];
        let mut frames = vec![0; INITIAL_SIZE];
        Frame::Crypto { offset, data }.encode(&mut frames)?;
        self.crypto_out[level as usize] += data.len() as u64;
        self.packet(level, &frames)
    }
}
