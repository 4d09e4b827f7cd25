//! A datagram in: its packets, one after the other, to the sessions that they are for.

use super::id_cipher::Place;
use super::stateless::{ANSWER_MAX, Answer};
use super::{DatagramMeta, DropReason, Endpoint};
use crate::classic::is_classic;
use crate::config::Shard;
use crate::crypto::Direction;
use crate::fault::Fault;
use crate::peer::{Arrival, Opening, Peer};
use crate::slab::Key;
use crate::time::Instant;
use crate::wire::{PacketKind, PartialHeader, write_version_answer};

/// A client's first datagrams have at least this many bytes (H2, RFC 9000 §14.1).
const INITIAL_MIN: usize = 1_200;

impl Endpoint {
    /// A datagram has arrived. It is opened in place; what is ignored is counted by [`DropReason`].
    pub fn handle_datagram(&mut self, now: Instant, meta: DatagramMeta, payload: &mut [u8]) {
        let now = self.advance(now);
        if self.shared.faults.strikes(Fault::DatagramDropped) {
            return self.shared.drop_packet(DropReason::NoRoom);
        }
        if self.shared.config.classic && is_classic(payload) {
            let (classic, shared) = (&mut self.classic, &mut self.shared);
            return classic.handle_datagram(now, shared, meta, payload);
        }
        let size = payload.len();
        let mut rest = payload;
        // All packets of a datagram are for one session (RFC 9000 §12.2), and only the first can open one: a stranger
        // must not have a session made, or the datagram counted again, with each of many small packets.
        let mut destination = None;
        let mut counted = false;
        while !rest.is_empty() {
            let header = match PartialHeader::decode(rest) {
                Ok(header) => header,
                Err(_) => {
                    if destination.is_none() {
                        self.take_reset(now, meta.source, rest);
                    }
                    return self.shared.drop_packet(DropReason::Malformed);
                }
            };
            match header.kind {
                PacketKind::Initial | PacketKind::Handshake | PacketKind::Short => {}
                PacketKind::OtherVersion(_) => return self.answer_version(&meta, &header, size),
                // There is one version and no Retry yet, so neither answer can help a client.
                PacketKind::VersionAnswer | PacketKind::Retry => {
                    return self.shared.drop_packet(DropReason::UnknownVersion);
                }
            }
            let first = destination.is_none();
            if *destination.get_or_insert(header.destination) != header.destination {
                return self.shared.drop_packet(DropReason::UnknownSession);
            }
            let place = self.route(&meta, &header);
            if first && header.kind == PacketKind::Short && place.is_none() {
                if !self.take_reset(now, meta.source, rest) {
                    self.answer_reset(now, &meta, header.destination, size);
                }
                return self.shared.drop_packet(DropReason::UnknownSession);
            }
            let (packet, next) = rest.split_at_mut(header.end);
            let handled = match place {
                Some(key) => {
                    let arrival = Arrival {
                        counted,
                        ..Arrival::of(&meta, size)
                    };
                    counted = true;
                    self.deliver(now, key, &header, packet, &arrival)
                }
                None if !first => Err(DropReason::UnknownSession),
                None => self
                    .welcome(now, meta, &header, packet, size)
                    .map(|()| counted = true),
            };
            if let Err(reason) = handled {
                self.shared.drop_packet(reason);
            }
            rest = next;
        }
    }

    /// The number of this shard; `None` when the endpoint is the only one.
    #[must_use]
    pub fn shard(&self) -> Option<u8> {
        self.shared.config.shard.as_ref().map(Shard::index)
    }

    /// The number of the shard ([`Config::shard`](crate::Config::shard)) that issued the connection id to which the datagram
    /// goes, when that is not this one. Of an id that no shard issued it may be any number: a driver passes the datagram on
    /// when there is such a shard, and keeps it otherwise. A client's first packets are for whoever gets them.
    #[must_use]
    pub fn shard_of(&self, datagram: &[u8]) -> Option<u8> {
        let own = self.shared.config.shard.as_ref()?.index();
        let header = PartialHeader::decode(datagram).ok()?;
        if !matches!(header.kind, PacketKind::Short | PacketKind::Handshake) {
            return None;
        }
        let (shard, _) = self.shared.ids.open(header.destination);
        (shard != own).then_some(shard)
    }

    /// Tells a client of another version which one is spoken here (H3).
    fn answer_version(&mut self, meta: &DatagramMeta, header: &PartialHeader, size: usize) {
        self.shared.drop_packet(DropReason::UnknownVersion);
        if !self.shared.config.accept || size < INITIAL_MIN {
            return;
        }
        let mut bytes = [0; ANSWER_MAX];
        if let Some(len) = write_version_answer(&mut bytes, header, size) {
            self.answers.push(Answer {
                destination: meta.source,
                source: meta.local,
                bytes,
                len,
            });
        }
    }

    /// The session that the packet says it is for.
    fn route(&mut self, meta: &DatagramMeta, header: &PartialHeader) -> Option<Key> {
        if header.kind == PacketKind::Initial
            && let Some(&key) = self.originals.get(&(meta.source, header.destination))
        {
            return Some(key);
        }
        let id = header.destination;
        let place = match self.latest {
            Some((latest, place)) if latest == id => place,
            _ => self.shared.ids.find(id)?,
        };
        self.latest = Some((id, place));
        self.session_at(place)
    }

    /// The session of an id that stands for `place`, if it is its own still.
    pub(super) fn session_at(&self, place: Place) -> Option<Key> {
        let key = self.peers.key_at(place.index)?;
        let peer = self.peers.get(key)?;
        (place.is(key) && peer.has_id(place.sequence)).then_some(key)
    }

    fn deliver(
        &mut self,
        now: Instant,
        key: Key,
        header: &PartialHeader,
        packet: &mut [u8],
        arrival: &Arrival,
    ) -> Result<(), DropReason> {
        let Some(peer) = self.peers.get_mut(key) else {
            return Err(DropReason::UnknownSession);
        };
        peer.on_datagram(arrival);
        // RFC 9000 §14.1: of a client's, each datagram with an Initial packet is large.
        if header.kind == PacketKind::Initial
            && arrival.size < INITIAL_MIN
            && peer.direction() == Direction::Server
        {
            return Err(DropReason::SmallInitial);
        }
        let result = peer.handle_packet(now, &mut self.shared, header, packet, arrival);
        match result {
            Ok(()) => self.touch(key),
            // It may have told the amplification limit something; nothing else follows that would bring it up to date.
            Err(_) => self.settle(key),
        }
        result
    }

    /// Opens a session for a client's first packet, if it is one; what cannot be opened leaves no trace.
    fn welcome(
        &mut self,
        now: Instant,
        meta: DatagramMeta,
        header: &PartialHeader,
        packet: &mut [u8],
        size: usize,
    ) -> Result<(), DropReason> {
        let limits = &self.shared.config.limits;
        let source_id = match header.source {
            Some(id) if header.kind == PacketKind::Initial => id,
            _ => return Err(DropReason::UnknownSession),
        };
        if !self.shared.config.accept
            || self.half_open.len() >= limits.half_open as usize
            || self.is_full()
        {
            return Err(DropReason::NotAccepting);
        }
        if size < INITIAL_MIN {
            return Err(DropReason::SmallInitial);
        }
        let opening = Opening {
            direction: Direction::Server,
            remote: meta.source,
            local: meta.local,
            original: header.destination,
            key: self.peers.next_key(),
            remote_id: Some(source_id),
        };
        let mut peer =
            Peer::new(now, &mut self.shared, opening).map_err(|_| DropReason::NotAccepting)?;
        let arrival = Arrival::of(&meta, size);
        peer.on_datagram(&arrival);
        peer.handle_packet(now, &mut self.shared, header, packet, &arrival)?;
        let key = self.peers.insert(peer);
        self.originals
            .insert((meta.source, header.destination), key);
        self.half_open.insert(key);
        self.settle(key);
        Ok(())
    }
}
